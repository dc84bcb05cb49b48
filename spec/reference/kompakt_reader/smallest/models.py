"""The three models of a weight: whether it is kept, its sign, its magnitude."""

from .coder import Mixer, clamp, coarse, counters, log, ratio
from .constants import (
    BASE_DOUBT,
    KEPT_DOUBT,
    KEPT_LIMIT,
    KEPT_WEIGHTS,
    MAGNITUDE_DOUBT,
    MAGNITUDE_LIMIT,
    MAGNITUDE_WEIGHTS,
    SIGN_DOUBT,
    SIGN_LIMIT,
    SIGN_WEIGHTS,
)
from .picture import (
    ABOVE,
    ABOVE_2,
    ABOVE_3,
    ABOVE_DOWN,
    ABOVE_LEFT,
    ABOVE_RIGHT,
    ABOVE_UP,
    LEFT,
    LEFT_2,
    LINE,
    PLANE,
    UP,
    UP_LEFT,
    UP_RIGHT,
)


class KeptModel:
    """Whether a weight is kept."""

    def __init__(self):
        self.mixers = [Mixer(start, 2, 150, 3) for start in KEPT_WEIGHTS]
        self.contexts = [counters() for _ in range(6)]

    def decode(self, coder, kind, at):
        """The bit, and the logit it came with."""
        kept = at.kept
        row, column = coarse(at.in_row), coarse(at.in_column)
        contexts = [
            tuple(kept[LEFT : UP_LEFT + 1] + [kept[PLANE], kept[ABOVE]]),
            (coarse(at.row), column, at.quantiser or 0),
            (coarse(at.producer), column),
            (at.column if kind == LINE else at.place) % 4096,
            (row, coarse(at.column)),
            tuple(kept[ABOVE : ABOVE_3 + 1] + [kept[LEFT], kept[UP], at.quantiser or 0]),
        ]
        used = [table[kind, context] for table, context in zip(self.contexts, contexts)]
        inputs = [at.column_logit, at.row_logit, 77, at.window, at.left_magnitude]
        expected = at.p + 128 >> 8
        for n in (LEFT, LEFT_2, UP, UP_RIGHT, UP_LEFT, PLANE, ABOVE):
            inputs.append((kept[n] << 8) - at.present[n] * expected)
        for n in (ABOVE_2, ABOVE_LEFT, ABOVE_RIGHT, ABOVE_UP, ABOVE_DOWN):
            inputs.append((kept[n] << 8) - at.present[n] * expected)
        inputs.append(at.producer_logit)
        base = at.column_logit + at.row_logit
        inputs += [counter.evidence(base, KEPT_DOUBT) for counter in used]
        nearest = (kept[LEFT], kept[UP], kept[ABOVE])
        mix = self.mixers[kind].mix([coarse(at.row) if at.quantiser is None else at.quantiser, nearest], inputs)
        bit = coder.bit(mix.p)
        self.mixers[kind].learn(mix, bit)
        for counter in used:
            counter.learn(bit, KEPT_LIMIT)
        return bit, mix.logit


class Balance:
    """How many weights are kept, and how many of these are positive."""

    def __init__(self, kept=0, positive=0):
        self.kept, self.positive = kept, positive

    def add(self, positive):
        if self.kept == 1 << 24:
            self.kept //= 2
            self.positive //= 2
        self.kept += 1
        self.positive += positive

    def logit(self, halves):
        return ratio(2 * self.positive + halves, 2 * (self.kept - self.positive) + halves)

    def share(self, halves, steps):
        return min((2 * self.positive + halves) * steps // (2 * self.kept + 2 * halves), steps - 1)


class SignModel:
    """Whether a kept weight is positive."""

    def __init__(self):
        self.mixers = [Mixer(start, 1, 341, 5) for start in SIGN_WEIGHTS]
        self.contexts = [counters() for _ in range(3)]

    def decode(self, coder, kind, tensor, row, column, around):
        """`row` is a Row, the others are balances."""
        base = tensor.logit(2)
        left, up, above, plane = (around.signs[i] for i in (0, 2, 6, 10))
        contexts = [
            (left, up, above),
            (row.balance.share(6, 5), column.share(4, 5)),
            (plane, column.share(4, 6)),
        ]
        used = [table[kind, context] for table, context in zip(self.contexts, contexts)]
        agreement = 512 * (row.agreed - row.disagreed) // (row.agreed + row.disagreed + 2)
        inputs = [base, row.balance.logit(6), column.logit(4)]
        inputs += [sign * 256 for sign in around.signs]
        inputs += [above * agreement, ratio(around.positive + 19, around.negative + 19)]
        inputs += [counter.evidence(base, SIGN_DOUBT) for counter in used]
        mix = self.mixers[kind].mix([0], inputs)
        bit = coder.bit(mix.p)
        self.mixers[kind].learn(mix, bit)
        for counter in used:
            counter.learn(bit, SIGN_LIMIT)
        return bit


class Means:
    """What is known about a magnitude before it is read, in 1/256 of its side's length."""

    def __init__(self, kept_logit, tensor, row, column, window, near, in_column):
        self.kept_logit, self.tensor, self.row, self.column = kept_logit, tensor, row, column
        self.window, self.near, self.in_column = window, near, in_column


class MagnitudeModel:
    """How far from zero a level is among those of its sign."""

    def __init__(self):
        self.mixers = [Mixer(MAGNITUDE_WEIGHTS, 1, 328, 5) for _ in range(3)]
        self.shared, self.signed, self.deep = counters(), counters(), counters()
        self.contexts = [counters() for _ in range(5)]

    def decode(self, coder, kind, means, side, negative):
        """A side of levels is a binary tree, cut in the middle until one is left."""
        low, high, node = 0, side, 1
        size = side - 1 if side <= 16 else 11 + (side - 1).bit_length()
        while high - low > 1:
            middle = (low + high) // 2
            even = log(high - middle) - log(middle - low)
            if node < 16:
                upper = self.cut(coder, kind, means, size, node, negative, even)
            else:
                counter = self.deep[size, node]
                upper = coder.bit(counter.chance())
                counter.learn(upper, MAGNITUDE_LIMIT)
            low, high = (middle, high) if upper else (low, middle)
            node = 2 * node + upper
        return low

    def cut(self, coder, kind, means, size, node, negative, even):
        shared, signed = self.shared[size, node], self.signed[size, node, negative]
        from_shared = even + shared.evidence(even, BASE_DOUBT)
        base = from_shared + signed.evidence(from_shared, BASE_DOUBT)
        third = [0 if m is None else 1 + min(m * 3 >> 8, 2) for m in means.near]
        left, up, above, plane = third
        contexts = [
            clamp(means.kept_logit + 1792 >> 8, 0, 7),
            left * 4 + up,
            means.row * 10 >> 8,
            (means.column * 6 >> 8) + 6 * min(means.in_column, 3),
            above * 4 + plane,
        ]
        used = [table[size, node, negative, c] for table, c in zip(self.contexts, contexts)]
        inputs = [base] + [counter.evidence(base, MAGNITUDE_DOUBT) for counter in used]
        inputs.append((means.kept_logit + 768) * 77 >> 8)
        inputs += [3 * (mean - means.tensor) for mean in (means.row, means.column, means.window)]
        inputs += [0 if m is None else m - means.tensor for m in means.near]
        mix = self.mixers[kind].mix([(size, node)], inputs)
        bit = coder.bit(mix.p)
        self.mixers[kind].learn(mix, bit)
        for counter in [shared, signed] + used:
            counter.learn(bit, MAGNITUDE_LIMIT)
        return bit
