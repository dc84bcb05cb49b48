"""Streams of the adaptive coder of the tier smallest.

Slow and clear, and in whole numbers only. Logits are in 1/256, probabilities in 1/65536 where nothing else is said.
"""

import struct
from collections import defaultdict

from .refused import need


def require(condition, rule, problem, at=0):
    need(condition, rule, at, problem)


def clamp(x, low, high):
    return max(low, min(x, high))


# 1. The binary arithmetic coder.

WINDOW = 56
LEAST = 1 << 48


class Decoder:
    """One bit at a time. `code` is the stream's number minus the low end of the interval."""

    def __init__(self, data):
        self.data, self.shifted, self.range = data, 0, 1 << WINDOW
        self.code = self.window()

    def byte(self, index):
        return self.data[index] if index < len(self.data) else 0

    def window(self):
        return int.from_bytes(bytes(self.byte(self.shifted + i) for i in range(7)), "big")

    def bit(self, p1):
        split = (self.range >> 16) * p1
        if self.code < split:
            bit, self.range = 1, split
        else:
            bit, self.code, self.range = 0, self.code - split, self.range - split
        while self.range < LEAST:
            self.code = self.code << 8 | self.byte(self.shifted + 7)
            self.shifted += 1
            self.range <<= 8
        return bit

    def require(self, condition, rule, problem):
        require(condition, rule, problem, min(self.shifted, len(self.data)))

    def check(self):
        self.require(self.shifted <= len(self.data), "A-2", "the stream ends too early")

    def finish(self):
        """The number is the one in the last interval with the fewest bytes."""
        self.check()
        last = self.window()
        if last < self.code:
            last += 1 << WINDOW
        low = last - self.code
        for n_bytes in (0, 1):
            unit = 1 << (WINDOW - 8 * n_bytes)
            shortest = -(-low // unit) * unit
            if shortest < low + self.range:
                break
        at = len(self.data)
        require(at == self.shifted + n_bytes, "A-3", "more or fewer bytes than the stream needs", at)
        require(last == shortest, "A-3", "the final state is not the one a writer leaves", at)


# 2. Tables.

LOGIT_MAX = 3071
INPUT_MAX = 2047
ONE = 1 << 30
N_COARSE = 24

GEOMETRIC = [ONE]
while len(GEOMETRIC) <= LOGIT_MAX:
    GEOMETRIC.append(GEOMETRIC[-1] * 1077944331 >> 30)

SQUASH = [(e << 16) // (e + ONE) for e in GEOMETRIC]

LOG = [0]
for _n in range(1, 4096):
    _x = LOG[-1]
    while GEOMETRIC[_x + 1] <= _n * ONE:
        _x += 1
    LOG.append(_x)


def squash(logit):
    """The probability of a logit."""
    p = SQUASH[min(abs(logit), LOGIT_MAX)]
    return 65536 - p if logit < 0 else p


def log(n):
    """About 256 ln n."""
    if n < 4096:
        return LOG[n]
    shift = n.bit_length() - 12
    return LOG[n >> shift] + (shift * 45426 >> 8)


def ratio(ones, zeros):
    return log(ones) - log(zeros)


def stretch(p):
    """The logit of a probability of 22 bits, by its step of 1/4096, or of 1/2^18 below 1/128."""
    if p >= 1 << 21:
        return -stretch((1 << 22) - 1 - p)
    n_bits = 18 if p < 1 << 15 else 12
    odd = 2 * (p >> 22 - n_bits) + 1
    return ratio(odd, (2 << n_bits) - odd)


def coarse(n):
    """0, 1, 2, 3, then two steps an octave."""
    if n < 4:
        return n
    octave = n.bit_length() - 1
    return min(octave * 2 + (n >> (octave - 1) & 1), N_COARSE - 1)


# 3. Counters and mixers.


class Counter:
    """The chance of a one, in 1/2^22, and how many bits it has seen."""

    def __init__(self):
        self.p, self.n = 1 << 21, 0

    def chance(self):
        return clamp(self.p >> 6, 1, 65535)

    def evidence(self, base, doubt):
        """How far it would move a base prediction; the doubt is in quarters of a bit."""
        trust = 32768 * 4 * self.n // (4 * self.n + doubt)
        return (stretch(self.p) - base) * trust >> 15

    def learn(self, bit, limit):
        target = (1 << 22) - 1 if bit else 0
        self.p = max(1, self.p + ((target - self.p) * (131072 // (2 * self.n + 3)) >> 16))
        self.n += self.n < limit


def counters():
    """By context; each is new when it is first met."""
    return defaultdict(Counter)


class Mixer:
    """Weighted sums of logits. An input's weight is the sum of those in the sets selected for a bit."""

    def __init__(self, start, selected, rate, boost):
        first = [w * 64 // selected for w in start]
        self.sets = defaultdict(lambda: list(first))
        self.n_bits, self.rate, self.boost = 0, rate, boost

    def mix(self, sets, inputs):
        return Mix([self.sets[s] for s in sets], [clamp(x, -INPUT_MAX, INPUT_MAX) for x in inputs])

    def learn(self, mix, bit):
        error = (bit << 16) - mix.p
        rate = self.rate + self.rate * self.boost * 64 // (64 + self.n_bits)
        self.n_bits = min(self.n_bits + 1, 1 << 24)
        step = error * rate >> 7
        for weights in mix.sets:
            for i, x in enumerate(mix.inputs):
                weights[i] = clamp(weights[i] + (step * x + (1 << 16) >> 17), -(1 << 18), 1 << 18)


class Mix:
    """What a mixer says of one bit."""

    def __init__(self, sets, inputs):
        self.sets, self.inputs = sets, inputs
        total = sum((sum(w) >> 4) * x for x, *w in zip(inputs, *sets))
        self.logit = clamp(total + (1 << 11) >> 12, -LOGIT_MAX, LOGIT_MAX)
        self.p = squash(self.logit)


# 4. Constants.

KEPT_WEIGHTS = [
    [1058, 1004, 122, 206, 933, 427, 200, 429, 453, -242, 878, 462]
    + [82, -93, 261, -94, 242, 466, 408, 62, 166, 43, 62, 163],
    [1032, 1092, -181, 115, 397, 317, 354, 248, 172, 8, 340, 244]
    + [85, 305, 295, 253, 212, 668, 258, 57, 347, 6, 130, 119],
    [935, 1155, -317, 65, 311, 284, 125, 307, 307, 307, 307, 264]
    + [6, -10, 77, 307, 307, 489, 292, 5, 452, -127, 41, 137],
]
SIGN_WEIGHTS = [
    [478, -116, 125, 644, 701, 391, 283, 1073, -20, -57, 315, 475, 361, 966, 1673, 1287, 466, 79, 537],
    [435, 292, 143, 407, 1, 309, 7, 196, -46, 207, 80, 371, 244, 376, 467, 370, 444, -156, 132],
    [581, 325, 57, 294, 122, 205, 205, 205, 205, 49, 44, 68, 205, 205, 1480, 304, 167, 52, -222],
]
MAGNITUDE_WEIGHTS = [1007, 319, 474, 306, 46, 193, 20, 256, 288, 273, 292, 166, 312, 308]

KEPT_DOUBT, SIGN_DOUBT, MAGNITUDE_DOUBT, BASE_DOUBT = 5, 16, 28, 24
KEPT_LIMIT, SIGN_LIMIT, MAGNITUDE_LIMIT, NUMBER_LIMIT = 1000, 490, 128, 60

# Counts of priors, in 1/65536.
COLUMN_PRIOR = 196608
NEAR_PRIOR = 393216
ROW_PRIOR = 131072
RATIO_PRIOR = 16384
WINDOW_PRIOR = 23593
PRODUCER_PRIOR = 19661
TENSOR_PRIOR = 209715
# In 1/256.
ROW_MEMORY = 179


# 5. Numbers.


class Fields:
    """Counters of one kind of number."""

    def __init__(self):
        self.sign, self.exponent, self.zero, self.significand = counters(), counters(), Counter(), counters()
        self.spare, self.size, self.top = counters(), counters(), defaultdict(counters)
        self.first_gap, self.same, self.smaller, self.change = counters(), Counter(), Counter(), counters()


def number_bit(coder, counter):
    bit = coder.bit(counter.chance())
    counter.learn(bit, NUMBER_LIMIT)
    return bit


def tree(coder, nodes, width):
    """Bits, most significant first, in a tree of counters."""
    node = 1
    for _ in range(width):
        node = 2 * node + number_bit(coder, nodes[node])
    return node - (1 << width)


def raw(coder, width):
    """Bits at even odds."""
    value = 0
    for _ in range(width):
        value = 2 * value + coder.bit(1 << 15)
    return value


class Floats:
    """Reads floats with e exponent and s significand bits, as their bits."""

    def __init__(self, coder, fields, e, s):
        self.coder, self.fields, self.e, self.s = coder, fields, e, s
        self.top = (1 << (e + s)) - 1

    def read(self, n, ascending):
        if n == 0:
            return []
        told = tree(self.coder, self.fields.spare, 5)
        self.spare, self.sign, self.gap_size = min(told, self.s), 2, None
        numbers, union = [], 0
        for i in range(n):
            if ascending and i > 0:
                number = self.after(self.rank(numbers[-1]))
            else:
                number = self.number()
                self.coder.check()
            if ascending:
                self.coder.require(number != self.top + 1, "A-6", "a codebook with a minus zero")
            union |= number
            numbers.append(number)
        zeros = min((union & -union).bit_length() - 1, self.s) if union else self.s
        self.coder.require(zeros == told, "A-4", "the spared bits are not all those that are 0")
        return numbers

    def number(self):
        coder, fields, s = self.coder, self.fields, self.s
        self.sign = number_bit(coder, fields.sign[self.sign])
        exponent = tree(coder, fields.exponent, self.e)
        bits = self.sign << (self.e + s) | exponent << s
        if exponent > 0 or not number_bit(coder, fields.zero):
            modelled = min(3, s - self.spare)
            bits |= tree(coder, fields.significand, modelled) << (s - modelled)
            bits |= raw(coder, s - modelled - self.spare) << self.spare
        return bits

    def rank(self, number):
        """Where a number stands among all of the format."""
        return number if number <= self.top else self.top + 1 - number

    def after(self, rank):
        """The number that a gap leads to."""
        coder, fields = self.coder, self.fields
        if self.gap_size is None:
            self.gap_size = tree(coder, fields.first_gap, 6)
        else:
            self.gap_size = next_size(coder, fields, self.gap_size)
        if self.gap_size <= 32:
            rank += (small_or_below(coder, fields, self.gap_size) + 1) << self.spare
        coder.check()
        coder.require(self.gap_size <= 32 and abs(rank) <= self.top, "A-5", "a number is too large")
        return rank if rank >= 0 else self.top + 1 - rank


def next_size(coder, fields, last):
    """How many bits a gap has, told by the one before."""
    if number_bit(coder, fields.same):
        return last
    smaller = last == 32 or (last > 0 and number_bit(coder, fields.smaller))
    most = last if smaller else 32 - last
    change = 1
    while change < most and number_bit(coder, fields.change[change]):
        change += 1
    return last - change if smaller else last + change


def unary_size(coder, fields):
    size = 0
    while size < 32 and number_bit(coder, fields.size[size]):
        size += 1
    return size


def small_or_below(coder, fields, size):
    """A number of so many bits."""
    if size == 0:
        return 0
    modelled = min(size - 1, 2)
    rest = size - 1 - modelled
    value = (1 << modelled | tree(coder, fields.top[size], modelled)) << rest
    return value | raw(coder, rest)


def read_integers(coder, fields, n, ascending):
    last_sign, numbers = 2, []
    for i in range(n):
        size = unary_size(coder, fields)
        if ascending and i > 0:
            value = numbers[-1] + 1 + small_or_below(coder, fields, size)
        elif size > 0:
            last_sign = number_bit(coder, fields.sign[last_sign])
            value = small_or_below(coder, fields, size) * (-1 if last_sign else 1)
        else:
            value = 0
        coder.require(-(1 << 31) <= value < 1 << 31, "A-5", "an integer is too large")
        coder.check()
        numbers.append(value)
    return numbers


# 6. A row as a stack of pictures.

LEFT, LEFT_2, UP, UP_RIGHT, UP_LEFT, UP_2, PLANE = range(7)
ABOVE, ABOVE_LEFT, ABOVE_RIGHT, ABOVE_UP, ABOVE_DOWN, ABOVE_2, ABOVE_3 = range(7, 14)
N_NEAR = 14
ROWS_BACK = [0] * 7 + [1] * 5 + [2, 3]

IMAGE, KERNEL, LINE = range(3)
REACH = 3


class Picture:
    def __init__(self, channels, taps, grid):
        if taps > 1:
            self.kind = KERNEL
            self.height, self.width = grid or (1, taps)
        elif grid and grid[0] * grid[1] > 1:
            self.kind = IMAGE
            self.height, self.width = grid
        else:
            self.kind = LINE
            self.height, self.width = 1, channels * taps
        w = self.width
        self.area = self.height * w
        self.offsets = [-1, -2, -w, 1 - w, -1 - w, -2 * w, -self.area, 0, -1, 1, -w, w, 0, 0]

    def present(self, row, plane, y, x):
        """Which neighbours are there."""
        left, right, up, down = x >= 1, x + 1 < self.width, y >= 1, y + 1 < self.height
        here = [left, x >= 2, up, up and right, up and left, y >= 2, plane > 0]
        above = [row >= 1 and there for there in (True, left, right, up, down)]
        return here + above + [row >= 2, row >= 3]


# 7. The three models of a weight.


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
            (coarse(at.row), column),
            (coarse(at.producer), column),
            (at.column if kind == LINE else at.place) % 4096,
            (row, coarse(at.column)),
            tuple(kept[ABOVE : ABOVE_3 + 1] + [kept[LEFT], kept[UP]]),
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
        mix = self.mixers[kind].mix([coarse(at.row), nearest], inputs)
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


# 8. A tensor.


class Tensor:
    """Statistics over the rows so far."""

    def __init__(self):
        self.n_kept, self.balance, self.magnitude, self.n_values = 0, Balance(), 0, 0
        self.last, self.faded = (0, 0), (0, 0)

    def row_prior(self):
        """What the next row keeps for each one expected: a quarter of the last row, the rest of all of them."""
        of = [((kept + RATIO_PRIOR) << 16) // (expected + RATIO_PRIOR) for kept, expected in (self.last, self.faded)]
        return (of[0] + 3 * of[1]) // 4

    def end_row(self, row):
        self.n_kept += row.n_kept
        self.last = (row.n_kept << 16, row.expected)
        self.faded = tuple((old * ROW_MEMORY >> 8) + new for old, new in zip(self.faded, self.last))


class Row:
    """Statistics over the row so far."""

    def __init__(self, index, prior):
        self.index, self.prior = index, prior
        self.n_kept, self.expected, self.balance, self.magnitude = 0, 0, Balance(), 0
        self.agreed, self.disagreed = 0, 0


class Columns:
    """Statistics over every column, and how likely its next weight is kept."""

    def __init__(self, n):
        self.kept, self.positive, self.magnitude = [0] * n, [0] * n, [0] * n
        self.logit, self.p = [0] * n, [0] * n

    def estimate(self, picture, rows, n_kept):
        overall = ((n_kept << 16) + TENSOR_PRIOR) // (rows * len(self.kept) + 64)
        prior = 2 * NEAR_PRIOR
        for column, kept in enumerate(self.kept):
            near, n_near = self.neighbours(picture, column)
            share = (1 << 60) // ((n_near * rows << 16) + prior)
            nearby = ((near << 16) + (prior * overall >> 16)) * share >> 44
            ones = (kept << 16) + (COLUMN_PRIOR * nearby >> 16)
            zeros = ((rows - kept) << 16) + (COLUMN_PRIOR * (65536 - nearby) >> 16)
            self.logit[column] = clamp(ratio(ones, zeros), -INPUT_MAX, INPUT_MAX)
            self.p[column] = squash(self.logit[column])

    def neighbours(self, picture, column):
        """Kept weights of the columns around one, and how many these are: edges count twice."""
        y, x = divmod(column % picture.area, picture.width)
        kept, count = 0, 0
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                inside = 0 <= y + dy < picture.height and 0 <= x + dx < picture.width
                if inside and (dy or dx):
                    weight = 1 if dy and dx else 2
                    kept += weight * self.kept[column + dy * picture.width + dx]
                    count += weight
        return kept, count


class Place:
    """What is known about a weight before it is read."""


class Around:
    """The kept weights around one: signs, magnitudes (or None), and sums over the window by nearness."""


class Layer:
    """One tensor being read."""

    def __init__(self, models, coder, shape, is_masked, block, levels, negative, counts, grid):
        self.models, self.coder = models, coder
        self.rows, channels, self.taps = shape
        self.cols = channels * self.taps
        self.is_masked, self.levels, self.negative, self.counts = is_masked, levels, negative, counts
        # How many columns before each one the first of its block is.
        self.first = [column // self.taps % block * self.taps for column in range(self.cols)]
        self.picture = Picture(channels, self.taps, grid)
        require(max(self.rows, self.cols) <= 1 << 28, "A-1", "too many rows or columns")
        require(1 <= levels <= 256 and negative <= levels, "A-1", "no such codebook")
        if grid is not None:
            area = grid[0] * grid[1]
            fits = area == self.taps if self.taps > 1 else area > 0 and channels % area == 0
            require(fits, "A-1", "the grid does not divide a row")
        if counts is not None:
            require(len(counts) == channels, "A-1", "the producer's counts are not one a channel")
            mean = (sum(counts) << 16) // max(len(counts), 1)
            steady = log(mean + PRODUCER_PRIOR)
            self.producer_logits = [log((n << 16) + PRODUCER_PRIOR) - steady >> 1 for n in counts]
        self.kept = [[0] * self.cols for _ in range(self.rows)]
        self.codes = [[0] * self.cols for _ in range(self.rows)]

    def decode(self):
        if self.cols == 0:
            return
        self.tensor, self.columns = Tensor(), Columns(self.cols)
        for index in range(self.rows):
            self.columns.estimate(self.picture, index, self.tensor.n_kept)
            self.row = Row(index, self.tensor.row_prior())
            self.expected, self.flags = [0] * self.cols, [0] * self.cols
            for column in range(self.cols):
                self.weight(column)
            self.tensor.end_row(self.row)
            self.coder.check()

    def weight(self, column):
        kind, row = self.picture.kind, self.row
        place = self.place(column)
        row.expected += self.columns.p[column]
        self.expected[column] = place.p
        is_kept, kept_logit = 1, 0
        first = column - self.first[column]
        if first < column:
            is_kept, kept_logit = self.kept[row.index][first], self.flags[first]
        elif self.is_masked:
            is_kept, kept_logit = self.models.kept.decode(self.coder, kind, place)
            self.flags[column] = kept_logit
        if is_kept:
            self.codes[row.index][column] = self.level(place, kept_logit)
            self.kept[row.index][column] = 1

    def split(self, code):
        """Whether a code is positive, and its magnitude."""
        if code >= self.negative:
            return True, relative(code - self.negative, self.levels - self.negative)
        return False, relative(self.negative - 1 - code, self.negative)

    def window(self, place):
        """(up, across, column) of the window: three rows above, seven wide, and three on the left."""
        for up in range(min(REACH, place.y), -1, -1):
            last = min(place.x + REACH + 1, self.picture.width) if up else place.x
            for x in range(max(place.x - REACH, 0), last):
                yield up, x - place.x, place.column + x - place.x - up * self.picture.width

    def place(self, column):
        picture, row, columns = self.picture, self.row, self.columns
        at = Place()
        at.row, at.column = row.index, column
        at.plane, at.place = divmod(column, picture.area)
        at.y, at.x = divmod(at.place, picture.width)
        at.present = picture.present(row.index, at.plane, at.y, at.x)
        at.kept = [0] * N_NEAR
        for n, there in enumerate(at.present):
            if there:
                at.kept[n] = self.kept[row.index - ROWS_BACK[n]][column + picture.offsets[n]]
        more = (row.n_kept << 16) + (ROW_PRIOR * row.prior >> 16)
        at.row_logit = clamp(ratio(more, row.expected + ROW_PRIOR), -INPUT_MAX, INPUT_MAX)
        at.column_logit = columns.logit[column]
        at.p = squash(at.column_logit + at.row_logit)
        n_kept, expected = 0, 0
        for _, _, other in self.window(at):
            n_kept += self.kept[row.index][other]
            expected += self.expected[other]
        at.window = ratio((n_kept << 16) + WINDOW_PRIOR, expected + WINDOW_PRIOR)
        at.left_magnitude = self.split(self.codes[row.index][column - 1])[1] if at.kept[LEFT] else 0
        at.producer_logit, at.producer = 0, 0
        if self.counts is not None:
            channel = column // self.taps
            at.producer_logit, at.producer = self.producer_logits[channel], self.counts[channel]
        at.in_column, at.in_row = columns.kept[column], row.n_kept
        return at

    def around(self, place):
        found = {}
        for n in range(N_NEAR):
            if place.kept[n]:
                row = self.codes[self.row.index - ROWS_BACK[n]]
                found[n] = self.split(row[place.column + self.picture.offsets[n]])
        around = Around()
        near = [LEFT, LEFT_2, UP, UP_LEFT, UP_RIGHT, UP_2, ABOVE, ABOVE_2, ABOVE_RIGHT, ABOVE_DOWN, PLANE]
        around.signs = [(1 if found[n][0] else -1) if n in found else 0 for n in near]
        around.magnitudes = [found[n][1] if n in found else None for n in (LEFT, UP, ABOVE, PLANE)]
        around.positive, around.negative, around.magnitude = 0, 0, 0
        for up, across, other in self.window(place):
            if self.kept[self.row.index][other]:
                nearness = 64 // (up * up + across * across)
                positive, magnitude = self.split(self.codes[self.row.index][other])
                around.positive += nearness * positive
                around.negative += nearness * (not positive)
                around.magnitude += nearness * magnitude
        return around

    def level(self, place, kept_logit):
        """The code of a kept weight: its sign, then its magnitude."""
        kind, column, row, tensor, columns = self.picture.kind, place.column, self.row, self.tensor, self.columns
        around = self.around(place)
        positive = int(self.negative == 0)
        if 0 < self.negative < self.levels:
            balance = Balance(columns.kept[column], columns.positive[column])
            positive = self.models.sign.decode(self.coder, kind, tensor.balance, row, balance, around)
            tensor.balance.add(positive)
            row.balance.add(positive)
            columns.positive[column] += positive
            above = around.signs[6]
            if above and (above > 0) == positive:
                row.agreed = min(row.agreed + 1, 1 << 20)
            elif above:
                row.disagreed = min(row.disagreed + 1, 1 << 20)
        side = self.levels - self.negative if positive else self.negative
        overall = (tensor.magnitude + 128) // (tensor.n_values + 1)
        in_column, nearness = columns.kept[column], around.positive + around.negative
        means = Means(
            kept_logit,
            overall,
            (row.magnitude + 2 * overall) // (row.n_kept + 2),
            (columns.magnitude[column] + overall) // (in_column + 1),
            (around.magnitude + 32 * overall) // (nearness + 32),
            around.magnitudes,
            in_column,
        )
        m = self.models.magnitude.decode(self.coder, kind, means, side, not positive)
        magnitude = relative(m, side)
        tensor.magnitude += magnitude
        tensor.n_values += 1
        row.magnitude += magnitude
        row.n_kept += 1
        columns.magnitude[column] += magnitude
        columns.kept[column] += 1
        return self.negative + m if positive else self.negative - 1 - m


def relative(m, side):
    """The middle of magnitude m of a side, in 1/256 of the side."""
    return (2 * m + 1) * 128 // side


# 9. Quick models.


class QuickModels:
    def __init__(self):
        self.weights = [64 * start for start in (1000, 1000, 20, 600, 200)]
        self.flags, self.signs, self.scaled, self.deep = counters(), counters(), counters(), counters()

    def flag(self, coder, column_logit, row_logit, around, recent):
        """Whether a weight is kept, and the probability that it was read with."""
        base = column_logit + row_logit
        counter = self.flags[around, clamp(base + 1024 >> 7, 0, 15)]
        evidence = clamp(counter.evidence(base, 8), -INPUT_MAX, INPUT_MAX)
        inputs = [column_logit, row_logit, 77, evidence, recent >> 8]
        total = sum((w >> 4) * x for w, x in zip(self.weights, inputs)) + (1 << 11)
        p1 = squash(clamp(total >> 12, -LOGIT_MAX, LOGIT_MAX))
        bit = coder.bit(p1)
        counter.learn(bit, 1000)
        step = ((bit << 16) - p1) * 24 >> 7
        for i, x in enumerate(inputs):
            self.weights[i] = clamp(self.weights[i] + (step * x + (1 << 16) >> 17), -(1 << 18), 1 << 18)
        return bit, p1

    def bit(self, coder, counter):
        bit = coder.bit(counter.chance())
        counter.learn(bit, 1000)
        return bit


class Sums:
    """What a column, a row or a tensor has kept: how many, and their magnitudes."""

    def __init__(self):
        self.n, self.magnitude = 0, 0

    def add(self, other_n, other_magnitude):
        self.n += other_n
        self.magnitude += other_magnitude

    def mean(self):
        return (self.magnitude + 128) // (self.n + 1)

    def scale(self, tensor, prior):
        """The logarithm of the mean magnitude against the tensor's."""
        own = log(self.magnitude + prior * tensor.mean()) - log(self.n + prior)
        return own - (log(tensor.magnitude + 128) - log(tensor.n + 1))


class QuickLayer(Layer):
    """One tensor being read under quick models."""

    def decode(self):
        picture = self.picture
        self.back = (1, 2, 3) if picture.kind == LINE else (1, picture.width, picture.area)
        self.tensor, self.sums = Sums(), [Sums() for _ in range(self.cols)]
        self.ratios = Tensor()
        above = [0] * (self.cols + 1)
        for index in range(self.rows if self.cols else 0):
            if index < 8 or index % 8 == 0:
                self.estimates = [self.estimate(index, column) for column in self.sums]
            above = self.read_row(index, above)
            self.coder.check()

    def estimate(self, rows, column):
        """Logit and probability of being kept, and scale."""
        overall = ((self.tensor.n << 16) + TENSOR_PRIOR) // (rows * self.cols + 64)
        ones = COLUMN_PRIOR * overall >> 16
        odds = ratio((column.n << 16) + ones, ((rows - column.n) << 16) + COLUMN_PRIOR - ones)
        logit = clamp(odds, -INPUT_MAX, INPUT_MAX)
        return logit, squash(logit), column.scale(self.tensor, 4)

    def read_row(self, index, above):
        """What the next row has above it: 0 pruned, 1 negative, 2 positive."""
        row, sums, here, recent = Row(index, self.ratios.row_prior()), Sums(), [0] * (self.cols + 1), 0
        for column, (logit, p, scale) in enumerate(self.estimates):
            if column % 16 == 0:
                more = log((sums.n << 16) + (ROW_PRIOR * row.prior >> 16)) - log(row.expected + ROW_PRIOR)
                row_logit, row_scale = clamp(more, -INPUT_MAX, INPUT_MAX), sums.scale(self.tensor, 3)
            row.expected += p
            near = [here[column - n] if column >= n else 0 for n in self.back] + above[column : column + 2]
            first = column - self.first[column]
            if first < column:
                if not self.kept[index][first]:
                    continue
            elif self.is_masked:
                around = tuple(seen > 0 for seen in near)
                is_kept, chance = self.models.quick.flag(self.coder, logit, row_logit, around, recent)
                recent += (is_kept << 16) - chance - recent >> 4
                if not is_kept:
                    continue
            positive, code, magnitude = self.read_code(near, scale + row_scale)
            here[column] = 1 + positive
            self.kept[index][column], self.codes[index][column] = 1, code
            sums.add(1, magnitude)
            self.sums[column].add(1, magnitude)
        self.tensor.add(sums.n, sums.magnitude)
        row.n_kept = sums.n
        self.ratios.end_row(row)
        return here

    def read_code(self, near, scale):
        models, negative = self.models.quick, self.negative
        positive = int(negative == 0)
        if 0 < negative < self.levels:
            positive = models.bit(self.coder, models.signs[tuple(near[:4])])
        side = self.levels - negative if positive else negative
        scale = clamp(scale + 272 >> 5, 0, 15)
        low, high, node = 0, side, 1
        while high - low > 1:
            middle = (low + high) // 2
            counter = models.scaled[positive, node, scale] if node < 16 else models.deep[positive, node]
            upper = models.bit(self.coder, counter)
            low, high = (middle, high) if upper else (low, middle)
            node = 2 * node + upper
        return positive, negative + low if positive else negative - 1 - low, relative(low, side)


# 10. The head of a compact stream.

PRIMER = bytes.fromhex("""
    5bfe23d58739221f52e2f6346cde718a6161142ecc77cff14819e24c607e9fafc037df59850cb5277aa8ec1adbe8cb76ba7c7af55eb25b8d899d1bc7
    0351978955b9159556c68aa5c81700f368b0f17ebebff998ab9866821aef366e007649251d60af3155f42bec7a6d40106b548afebf74134d182959fa
    b215e467e773860e83598346c7d4b7a9172e39d9075038e6ca9e171255e4adc5c6b3c785c4a185d1bec7a2ab0d9434cd689e108a8f1a92dfc816e226
    a22a635c04498b83b2142b0bd2a79526e96a79be57f9472e1b7cdea39b25b37709b1b32a729f6488021f2ec96fc1a6fe5607f2fc7ce0795991ed7f82
    4e254bbd18136ffe9af3636ac1785ff63b0474f69945ad6d4fe3e1f4432f2b309ca8372c9f023c0cb930540e341542526c21850ad99d925df1be397f
    7cb27a6f8d72e788107d8b8d156ac8bec67d7e234e2dcfb662084ca086a72d63648c151fe4146a4125aeb37ecef169f18ae71a8dddce0ec6872ff671
    b129bd416b73d4cce44ce658dae3b03e7f99a25137fb729ec48c950f4be4640ffb32b641d3a55e5b8dfe0a
""")
# Lengths of the primer's directories; entries of codebooks and numbers after them; entries of codebooks of f16.
PRIMER_HEADS = [35, 36, 47, 49, 55, 35, 54, 26]
PRIMER_LISTS = [(8, 16), (8, 24), (8, 24), (4, 24), (8, 10)]
PRIMER_HALVES = [16, 4]
MAX_HEAD_BYTES = 1 << 16


class Head:
    """The models of a directory's bytes: contexts of up to four bytes before."""

    def __init__(self):
        self.orders, self.before = [counters() for _ in range(5)], 0

    def byte(self, coder):
        node = 1
        while node < 256:
            found, logit = [self.counter(order, node) for order in range(5)], 0
            for counter in found:
                logit += counter.evidence(logit, 8)
            bit = coder.bit(squash(logit))
            for counter in found:
                counter.learn(bit, 250)
            node = 2 * node + bit
        self.before = (self.before << 8 | node & 255) & 0xFFFFFFFF
        return node & 255

    def counter(self, order, node):
        context = self.before & (1 << 8 * order) - 1
        both = (context * 0x9E3779B1 ^ node * 0x85EBCA6B) & 0xFFFFFFFF
        return self.orders[order][(both * 0x9E3779B1 & 0xFFFFFFFF) >> 19]


def forget(models):
    """No counter goes on as if it had seen more than three bits."""
    if isinstance(models, Counter):
        models.n = min(models.n, 3)
    else:
        for part in models.values() if isinstance(models, dict) else vars(models).values():
            forget(part)


# 11. The stream.


class StreamDecoder:
    """Reads tensors and numbers in the order in which they were written; the models live as long as the stream."""

    def __init__(self, data, quick=False):
        self.coder, self.quick = Decoder(data), QuickModels() if quick else None
        self.kept, self.sign, self.magnitude = KeptModel(), SignModel(), MagnitudeModel()
        # Plain lists and ascending ones.
        self.f32, self.f16, self.integers = ((Fields(), Fields()) for _ in range(3))

    def begin(self, is_last):
        """Of a compact stream: the primer into the models, then the bytes up to the one that is_last."""
        coder, head = self.coder, Head()
        self.coder = Decoder(PRIMER)
        for length in PRIMER_HEADS + PRIMER_HEADS:
            for _ in range(length):
                head.byte(self.coder)
            head.before = 0
        for levels, count in PRIMER_LISTS:
            self.numbers_f32(1)
            self.numbers_int(levels, True)
            self.numbers_f32(1)
            self.numbers_int(count)
        for levels in PRIMER_HALVES:
            self.numbers_f16(levels, True)
        for fields in (*self.f32, *self.f16, *self.integers):
            forget(fields)
        self.coder, directory = coder, bytearray()
        while True:
            coder.require(len(directory) < MAX_HEAD_BYTES, "F-30", "the head of a compact stream is too long")
            directory.append(head.byte(coder))
            coder.check()
            if is_last(directory[-1]):
                return bytes(directory)

    def weights(self, shape, is_masked, levels, negative, counts, grid, block=1):
        """Mask (None without one) and codes, row-major; the code of a pruned weight is 0. The mask is of blocks of so many channels."""
        kind = QuickLayer if self.quick else Layer
        layer = kind(self, self.coder, shape, is_masked, block, levels, negative, counts, grid)
        layer.decode()
        mask = [bool(kept) for row in layer.kept for kept in row] if is_masked else None
        return mask, [code for row in layer.codes for code in row]

    def numbers_f32(self, n, ascending=False):
        bits = Floats(self.coder, self.f32[ascending], 8, 23).read(n, ascending)
        return list(struct.unpack(f"<{n}f", struct.pack(f"<{n}I", *bits)))

    def numbers_f16(self, n, ascending=False):
        bits = Floats(self.coder, self.f16[ascending], 5, 10).read(n, ascending)
        return list(struct.unpack(f"<{n}e", struct.pack(f"<{n}H", *bits)))

    def numbers_int(self, n, ascending=False):
        return read_integers(self.coder, self.integers[ascending], n, ascending)

    def finish(self):
        self.coder.finish()
