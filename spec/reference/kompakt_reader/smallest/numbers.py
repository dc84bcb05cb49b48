"""Lists of floats and whole numbers."""

from collections import defaultdict

from .coder import Counter, counters
from .constants import NUMBER_LIMIT


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
