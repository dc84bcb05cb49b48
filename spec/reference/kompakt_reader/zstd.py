"""Zstandard frames as rules F-22 and F-26 allow them. RFC 8878; section numbers in the comments are its."""

from .refused import Refused, need

MAGIC = bytes.fromhex("28B52FFD")
BLOCK_MAX = 1 << 17


class Corrupt(Exception):
    """Bytes that are no frame."""


def frame(data, length, at, rule="F-26"):
    """The bytes that a frame of a single segment unpacks to, which are so many."""
    need(data[:4] == MAGIC and len(data) > 4, rule, at, "no Zstandard frame")
    descriptor = data[4]
    need(descriptor & 0x3F == 0x20, rule, at, "several segments, a checksum or a dictionary")
    width = 1 << (descriptor >> 6)
    size = int.from_bytes(data[5 : 5 + width], "little") + (256 if width == 2 else 0)
    need(size == length, rule, at, "another length than it should have")
    try:
        out = blocks(data, 5 + width, length)
    except (Corrupt, IndexError):
        raise Refused(rule, at, "a frame that cannot be unpacked") from None
    return bytes(out)


def blocks(data, at, length):
    """3.1.1.2"""
    out, state, last = bytearray(), State(), False
    while not last:
        header = int.from_bytes(take(data, at, 3), "little")
        last, kind, size = header & 1, header >> 1 & 3, header >> 3
        at += 3
        check(size <= BLOCK_MAX)
        if kind == 0:
            out += take(data, at, size)
            at += size
        elif kind == 1:
            out += take(data, at, 1) * size
            at += 1
        else:
            check(kind == 2)
            compressed(take(data, at, size), out, state)
            at += size
        check(len(out) <= length)
    check(at == len(data) and len(out) == length)
    return out


def take(data, at, n):
    check(at + n <= len(data))
    return data[at : at + n]


def check(condition):
    if not condition:
        raise Corrupt


class State:
    """What one block leaves to the next."""

    def __init__(self):
        self.huffman = None
        self.tables = [None, None, None]
        self.offsets = [1, 4, 8]


# Bits


class Forward:
    """Bits from the first byte's lowest upwards."""

    def __init__(self, data):
        self.number, self.n, self.at = int.from_bytes(data, "little"), 8 * len(data), 0

    def read(self, n):
        self.at += n
        check(self.at <= self.n + 8)
        return self.number >> (self.at - n) & ((1 << n) - 1)


class Backward:
    """Bits from the last byte's highest one downwards; below the first, zeros."""

    def __init__(self, data):
        check(data and data[-1])
        self.number = int.from_bytes(data, "little")
        self.at = self.number.bit_length() - 1

    def read(self, n):
        self.at -= n
        if self.at >= 0:
            return self.number >> self.at & ((1 << n) - 1)
        return self.number << -self.at & ((1 << n) - 1)


# Finite state entropy


class Fse:
    """4.1: for each state its symbol, the bits to read and the state to add them to."""

    def __init__(self, counts, log):
        size = 1 << log
        table, high = [None] * size, size - 1
        for symbol, count in enumerate(counts):
            if count == -1:
                table[high] = symbol
                high -= 1
        step, place = (size >> 1) + (size >> 3) + 3, 0
        for symbol, count in enumerate(counts):
            for _ in range(max(count, 0)):
                table[place] = symbol
                place = (place + step) & (size - 1)
                while place > high:
                    place = (place + step) & (size - 1)
        seen = [max(abs(c), 0) for c in counts]
        self.log, self.rows = log, []
        for symbol in table:
            check(symbol is not None)
            value = seen[symbol]
            seen[symbol] += 1
            n = log - (value.bit_length() - 1)
            self.rows.append((symbol, n, (value << n) - size))


def one_symbol(symbol):
    fse = Fse.__new__(Fse)
    fse.log, fse.rows = 0, [(symbol, 0, 0)]
    return fse


def fse_table(data, most_log, n_symbols):
    """4.1.1: a table, and how many bytes it takes."""
    bits = Forward(data)
    log = bits.read(4) + 5
    check(log <= most_log)
    left, counts = (1 << log) + 1, []
    while left > 1:
        check(len(counts) < n_symbols)
        n = left.bit_length()
        most = (1 << n) - 1 - left
        value = bits.read(n - 1)
        if value >= most:
            high = bits.read(1)
            if high:
                value |= 1 << (n - 1)
                value -= most
        counts.append(value - 1)
        left -= abs(value - 1)
        if value == 1:
            while True:
                repeat = bits.read(2)
                counts += [0] * repeat
                if repeat < 3:
                    break
    check(left == 1 and len(counts) <= n_symbols)
    return Fse(counts, log), (bits.at + 7) // 8


# Huffman


class Huffman:
    """4.2.1: for each value of log bits, symbol and bits used."""

    def __init__(self, weights):
        total = sum(1 << (w - 1) for w in weights if w)
        check(total)
        log = total.bit_length()
        check(log <= 11)
        rest = (1 << log) - total
        check(rest & (rest - 1) == 0)
        weights = weights + [rest.bit_length()]
        self.log, self.rows = log, []
        for weight in range(1, log + 1):
            for symbol, w in enumerate(weights):
                if w == weight:
                    self.rows += [(symbol, log + 1 - weight)] * (1 << (weight - 1))
        check(len(self.rows) == 1 << log)

    def decode(self, data, n):
        bits = Backward(data)
        out = bytearray()
        for _ in range(n):
            window = bits.read(self.log)
            symbol, used = self.rows[window]
            bits.at += self.log - used
            check(bits.at >= 0)
            out.append(symbol)
        check(bits.at == 0)
        return out


def huffman_table(data):
    """4.2.1.1: a table, and how many bytes it takes."""
    check(data)
    header = data[0]
    if header >= 128:
        n = header - 127
        packed = take(data, 1, (n + 1) // 2)
        weights = [packed[i // 2] >> (0 if i % 2 else 4) & 15 for i in range(n)]
        return Huffman(weights), 1 + len(packed)
    coded = take(data, 1, header)
    fse, used = fse_table(coded, 6, 256)
    bits = Backward(coded[used:])
    weights, states = [], [bits.read(fse.log), bits.read(fse.log)]
    check(bits.at >= 0)
    turn = 0
    while True:
        symbol, n, base = fse.rows[states[turn]]
        weights.append(symbol)
        check(len(weights) <= 255)
        states[turn] = base + bits.read(n)
        turn = 1 - turn
        if bits.at < 0:
            weights.append(fse.rows[states[turn]][0])
            check(len(weights) <= 255)
            break
    return Huffman(weights), 1 + header


# Blocks

LENGTHS = [(n, 0) for n in range(16)] + [(16, 1), (18, 1), (20, 1), (22, 1), (24, 2), (28, 2), (32, 3), (40, 3)]
LENGTHS += [(48, 4), (64, 6)] + [(1 << n, n) for n in range(7, 17)]
MATCHES = [(n + 3, 0) for n in range(32)] + [(35, 1), (37, 1), (39, 1), (41, 1), (43, 2), (47, 2), (51, 3), (59, 3)]
MATCHES += [(67, 4), (83, 4), (99, 5), (131, 7)] + [((1 << n) + 3, n) for n in range(8, 17)]

DEFAULT_LENGTHS = [4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1]
DEFAULT_LENGTHS += [-1, -1, -1, -1]
DEFAULT_MATCHES = [1, 4, 3, 2, 2, 2, 2, 2, 2] + [1] * 37 + [-1] * 7
DEFAULT_OFFSETS = [1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1]
# Literal lengths, offsets, match lengths: default counts, their log, the highest log, the number of symbols.
KINDS = [(DEFAULT_LENGTHS, 6, 9, 36), (DEFAULT_OFFSETS, 5, 8, 32), (DEFAULT_MATCHES, 6, 9, 53)]


def compressed(data, out, state):
    """3.1.1.3"""
    literals, at = literal_section(data, state)
    sequences(data[at:], literals, out, state)


def literal_section(data, state):
    """3.1.1.3.1: the literals, and where they end."""
    check(data)
    kind, form = data[0] & 3, data[0] >> 2 & 3
    if kind < 2:
        width = {1: 2, 3: 3}.get(form, 1)
        size = int.from_bytes(take(data, 0, width), "little") >> {1: 3, 2: 4, 3: 4}[width if width > 1 else 1]
        if kind == 0:
            return bytes(take(data, width, size)), width + size
        return bytes(take(data, width, 1)) * size, width + 1
    width, n = {0: (3, 10), 1: (3, 10), 2: (4, 14), 3: (5, 18)}[form]
    header = int.from_bytes(take(data, 0, width), "little") >> 4
    size, packed = header & ((1 << n) - 1), header >> n
    body = take(data, width, packed)
    if kind == 2:
        state.huffman, used = huffman_table(body)
        body = body[used:]
    check(state.huffman)
    if form == 0:
        return state.huffman.decode(body, size), width + packed
    jump = [int.from_bytes(take(body, 2 * i, 2), "little") for i in range(3)]
    part, place, literals = (size + 3) // 4, 6, bytearray()
    for i in range(4):
        stop = place + jump[i] if i < 3 else len(body)
        n = part if i < 3 else size - 3 * part
        check(n >= 0)
        literals += state.huffman.decode(take(body, place, stop - place), n)
        place = stop
    return literals, width + packed


def sequence_count(data):
    """3.1.1.3.2.1: how many sequences, and where their tables begin."""
    check(data)
    if data[0] < 128:
        return data[0], 1
    if data[0] < 255:
        return (data[0] - 128 << 8) + take(data, 1, 1)[0], 2
    return int.from_bytes(take(data, 1, 2), "little") + 0x7F00, 3


def sequences(data, literals, out, state):
    """3.1.1.3.2 and 3.1.1.4"""
    n, at = sequence_count(data)
    if n == 0:
        check(at == len(data))
        out += literals
        return
    modes = take(data, at, 1)[0]
    check(modes & 3 == 0)
    at += 1
    for i, (counts, log, most_log, n_symbols) in enumerate(KINDS):
        mode = modes >> (6 - 2 * i) & 3
        if mode == 0:
            state.tables[i] = Fse(counts, log)
        elif mode == 1:
            state.tables[i] = one_symbol(take(data, at, 1)[0])
            at += 1
        elif mode == 2:
            state.tables[i], used = fse_table(data[at:], most_log, n_symbols)
            at += used
        check(state.tables[i])
    bits = Backward(data[at:])
    tables = state.tables
    states = [bits.read(t.log) for t in tables]
    used = 0
    for i in range(n):
        codes = [t.rows[s][0] for t, s in zip(tables, states)]
        check(codes[1] <= 31)
        offset = (1 << codes[1]) + bits.read(codes[1])
        base, extra = MATCHES[codes[2]]
        match = base + bits.read(extra)
        base, extra = LENGTHS[codes[0]]
        length = base + bits.read(extra)
        check(used + length <= len(literals))
        out += literals[used : used + length]
        used += length
        copy(out, real_offset(offset, length, state.offsets), match)
        if i + 1 < n:
            for k in (0, 2, 1):
                _, more, base = tables[k].rows[states[k]]
                states[k] = base + bits.read(more)
    check(bits.at == 0)
    out += literals[used:]


def real_offset(value, length, recent):
    """3.1.1.5: values 1 to 3 stand for recent offsets."""
    if value > 3:
        recent[:] = [value - 3, recent[0], recent[1]]
        return recent[0]
    index = value - 1 + (length == 0)
    offset = recent[index] if index < 3 else recent[0] - 1
    check(offset)
    if index > 0:
        recent[:] = [offset, recent[0], recent[1] if index > 1 else recent[2]]
    return offset


def copy(out, offset, n):
    check(offset <= len(out))
    for _ in range(n):
        out.append(out[-offset])
