"""Tables and tiles of the tier stream, written from spec/format-stream.md and nothing else.

Slow and clear. A tile becomes rows of weights: -1 is pruned, everything else a code. Rule ids stand beside the code.
"""

from .refused import Refused, need


def require(condition, rule, problem, at=0):
    need(condition, rule, at, problem)


# 1. The symbol coder.


class Histogram:
    """Frequencies, and the symbol and rank of every slot."""

    def __init__(self, freqs):
        self.freqs = freqs
        self.alone = freqs[-1] == 4096
        self.slots = alias_slots(freqs) if len(freqs) <= 16 else plain_slots(freqs)


def plain_slots(freqs):
    return [(symbol, rank) for symbol, freq in enumerate(freqs) for rank in range(freq)]


def alias_slots(freqs):
    """R-5."""
    own = freqs + [0] * (16 - len(freqs))
    divider, other, rank = [0] * 16, list(range(16)), [0] * 16
    short = [b for b in range(16) if own[b] < 256]
    long = [b for b in range(16) if own[b] > 256]
    while short and long:
        borrower, lender = short.pop(), long.pop()
        own[lender] -= 256 - own[borrower]
        divider[borrower], other[borrower], rank[borrower] = own[borrower], lender, own[lender]
        if own[lender] < 256:
            short.append(lender)
        if own[lender] > 256:
            long.append(lender)
    slots = []
    for slot in range(4096):
        b, p = slot // 256, slot % 256
        slots.append((b, p) if p < divider[b] else (other[b], rank[b] + p - divider[b]))
    return slots


class Decoder:
    """One stream of symbols."""

    def __init__(self, data, ways):
        require(ways in (1, 2, 4, 8, 16, 32, 64), "R-1", "the number of ways")
        require(len(data) >= 4 * ways, "R-2", "the states are not all there")
        self.states = [int.from_bytes(data[4 * i : 4 * i + 4], "little") for i in range(ways)]
        require(min(self.states) >= 65536, "R-2", "a state is below 2^16")
        self.words = data[4 * ways :]
        self.at = 0

    def next_word(self):
        require(self.at + 2 <= len(self.words), "R-3", "words run out")
        self.at += 2
        return int.from_bytes(self.words[self.at - 2 : self.at], "little")

    def decode(self, histogram, n):
        symbols = []
        for i in range(n):
            if histogram.alone:
                symbols.append(len(histogram.freqs) - 1)
                continue
            way = i % len(self.states)
            x = self.states[way]
            symbol, rank = histogram.slots[x % 4096]
            x = histogram.freqs[symbol] * (x // 4096) + rank
            if x < 65536:
                x = x << 16 | self.next_word()
            self.states[way] = x
            symbols.append(symbol)
        return symbols

    def finish(self):
        require(self.at == len(self.words), "R-4", "words are left")
        require(all(x == 65536 for x in self.states), "R-4", "a state is not 2^16 at the end")


# 2. The tables.


class Bits:
    """Reads bits, the lowest of each byte first."""

    def __init__(self, data):
        self.number = int.from_bytes(data, "little")
        self.left = 8 * len(data)

    def read(self, n, rule):
        require(n <= self.left, rule, "the tables end too soon")
        value = self.number & ((1 << n) - 1)
        self.number >>= n
        self.left -= n
        return value

    def gamma(self, rule):
        n = 0
        while self.read(1, rule) == 0:
            n += 1
            require(n <= 15, rule, "a number out of range")
        return 1 << n | self.read(n, rule)


class Tables:
    """Histograms and models, from the bytes of a section."""

    def __init__(self, data):
        bits = Bits(data)
        n_tables = bits.gamma("S-2") - 1
        require(n_tables <= 4096, "S-2", "more than 4096 tables")
        self.histograms = [read_histogram(bits) for _ in range(n_tables)]
        n_models = bits.gamma("S-2") - 1
        require(n_models <= 4096, "S-2", "more than 4096 models")
        self.models = [self.read_model(bits) for _ in range(n_models)]
        require(bits.left < 8 and bits.number == 0, "S-5", "something follows the last model")

    def read_table(self, bits, most):
        number = bits.read(max(0, len(self.histograms) - 1).bit_length(), "S-4")
        require(number < len(self.histograms), "S-4", "no such table")
        histogram = self.histograms[number]
        require(len(histogram.freqs) <= most, "S-4", "a table with too many symbols")
        return histogram

    def read_model(self, bits):
        if bits.read(1, "S-4"):
            has_zero = bits.read(1, "S-4")
            return {"dense": True, "has_zero": has_zero, "codes": [self.read_table(bits, 256)]}
        n_classes = bits.read(3, "S-4")
        model = {"dense": False, "classes": [], "row_classes": None, "reach": 0, "codes": []}
        if n_classes == 0:
            return model
        if bits.read(1, "S-4"):
            model["row_classes"] = self.read_table(bits, n_classes + 1)
        require(model["row_classes"] or n_classes == 1, "S-4", "classes without a table")
        for _ in range(n_classes):
            cap = bits.read(8, "S-4")
            require(cap > 0, "S-4", "a cap of 0")
            model["classes"].append((cap, self.read_table(bits, cap + 1)))
        model["reach"] = bits.read(4, "S-4")
        model["codes"] = [self.read_table(bits, 256) for _ in range(3 if model["reach"] else 1)]
        return model


def read_histogram(bits):
    """S-3."""
    n_symbols = bits.read(8, "S-3") + 1
    precision = bits.read(4, "S-3")
    lengths, length = [], 8
    for _ in range(n_symbols):
        z = bits.gamma("S-3") - 1
        length += z // 2 if z % 2 == 0 else -(z // 2 + 1)
        require(0 <= length <= 13, "S-3", "a length out of range")
        lengths.append(length)
    require(length > 0, "S-3", "the last symbol does not occur")
    longest = lengths.index(max(lengths))
    freqs = []
    for symbol, length in enumerate(lengths):
        if length == 0 or symbol == longest:
            freqs.append(0)
        else:
            n = min(length - 1, precision)
            freqs.append((1 << n | bits.read(n, "S-3")) << (length - 1 - n))
    require(sum(freqs) < 4096, "S-3", "frequencies of more than 4096")
    freqs[longest] = 4096 - sum(freqs)
    return Histogram(freqs)


# 3. The tiles.


class Header:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def number(self):
        value = 0
        for shift in (0, 7, 14, 21):
            require(self.at < len(self.data), "S-6", "the tile ends too soon", self.at)
            byte = self.data[self.at]
            self.at += 1
            require(byte > 0 or shift == 0, "S-6", "a number longer than it must be", self.at)
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise Refused("S-6", self.at, "a number of more than 4 bytes")


def decode_tile(data, rows, cols, levels, negative, tables, blocks=(1, 1)):
    """The weights of a tile, `rows` lists of `cols`. The first `negative` levels are below zero. Blocks: channels, taps."""
    require(rows >= 1 and cols >= 1 and rows * cols <= 2**24, "S-1", "a tile has 1 to 2^24 weights")
    require(1 <= levels <= 256, "S-1", "levels out of range")
    header = Header(data)
    first = header.number()
    require(first // 8 < len(tables.models), "S-7", "no such model")
    model, ways = tables.models[first // 8], 1 << first % 8
    if model["dense"]:
        return dense_tile(header, ways, model, rows, cols, levels)
    if not model["classes"]:
        require(header.at == len(data), "S-6", "something follows a tile with nothing kept")
        return [[-1] * cols for _ in range(rows)]
    counts, spread = [], block_columns(cols, *blocks)
    for _ in model["classes"]:
        counts.append(header.number())
        require(sum(counts) <= rows * len(spread), "S-9", "more gaps than weights")
    decoder = Decoder(data[header.at :], ways)
    row_classes = [1] * rows
    if model["row_classes"]:
        row_classes = decoder.decode(model["row_classes"], rows)
    places = [[]]
    for number, (cap, histogram) in enumerate(model["classes"], 1):
        limit = row_classes.count(number) * len(spread)
        places.append(class_places(decoder.decode(histogram, counts[number - 1]), cap, limit))
    columns = cut_rows(places, row_classes, len(spread))
    columns = [sorted(col for block in kept for col in spread[block]) for kept in columns]
    codes = decode_codes(decoder, model, columns, levels, negative)
    decoder.finish()
    tile = []
    for kept in columns:
        row = [-1] * cols
        for col in kept:
            row[col] = codes.pop(0)
        tile.append(row)
    return tile


def block_columns(cols, size, taps):
    """For each block of a row, the columns of its weights."""
    require(cols % taps == 0, "S-1", "columns are channels by taps")
    channels = cols // taps
    groups = [range(first, min(first + size, channels)) for first in range(0, channels, size)]
    return [[channel * taps + tap for channel in group] for group in groups for tap in range(taps)]


def dense_tile(header, ways, model, rows, cols, levels):
    histogram, has_zero = model["codes"][0], model["has_zero"]
    require(len(histogram.freqs) <= levels + has_zero, "S-8", "codes outside the codebook")
    decoder = Decoder(header.data[header.at :], ways)
    symbols = decoder.decode(histogram, rows * cols)
    decoder.finish()
    return [[symbols[r * cols + c] - has_zero for c in range(cols)] for r in range(rows)]


def class_places(symbols, cap, limit):
    """The places of a class' kept weights, its rows end to end."""
    past, places = 0, []
    for symbol in symbols:
        past += symbol
        if symbol != cap:
            places.append(past)
            past += 1
    require(past <= limit, "S-10", "gaps lead past the last row of the class")
    return places


def cut_rows(places, row_classes, cols):
    """The columns of each row's kept weights."""
    taken = [0] * len(places)
    columns = []
    for number in row_classes:
        start = taken[number]
        taken[number] += cols
        columns.append([place - start for place in places[number] if start <= place < start + cols])
    return columns


def decode_codes(decoder, model, columns, levels, negative):
    """The codes of the kept weights, row by row."""
    for histogram in model["codes"]:
        require(len(histogram.freqs) <= levels, "S-8", "codes outside the codebook")
    is_linked = []
    for kept in columns:
        for i, col in enumerate(kept):
            is_linked.append(i > 0 and col - kept[i - 1] <= model["reach"])
    n = len(is_linked)
    codes = [None] * n
    runs = [(0, [i for i in range(n) if not is_linked[i]])]
    while any(run for _, run in runs):
        for context, run in runs:
            for i, code in zip(run, decoder.decode(model["codes"][context], len(run))):
                codes[i] = code
        linked = [i + 1 for _, run in runs for i in run if i + 1 < n and is_linked[i + 1]]
        runs = [
            (1, [i for i in linked if codes[i - 1] < negative]),
            (2, [i for i in linked if codes[i - 1] >= negative]),
        ]
    return codes
