"""The binary arithmetic coder of the tier smallest, its tables of logits, and what predicts a bit: counters and mixers."""

from collections import defaultdict

from ..refused import need


def require(condition, rule, problem, at=0):
    need(condition, rule, at, problem)


def clamp(x, low, high):
    return max(low, min(x, high))


# The arithmetic coder.

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


# Tables.

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


# Counters and mixers.

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
