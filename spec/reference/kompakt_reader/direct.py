"""Tiles of the tier direct, written from spec/format-direct.md and nothing else.

Slow and clear. A tile becomes rows of weights: -1 is pruned, everything else a code. Rule ids stand beside the code.
"""

from .refused import need


def require(condition, rule, problem, at=0):
    need(condition, rule, at, problem)


def width(values):
    """The bits that tell `values` values apart, at least 1."""
    return max(1, (values - 1).bit_length())


class Parts:
    """Takes a tile apart, front to back."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, n):
        require(self.at + n <= len(self.data), "D-3", "the tile ends too soon", self.at)
        self.at += n
        return self.data[self.at - n : self.at]

    def byte(self):
        return self.take(1)[0]

    def fields(self, n, w):
        packed = self.take((n * w + 7) // 8)
        number = int.from_bytes(packed, "little")
        require(number >> (n * w) == 0, "D-5", "bits after the last field are not zero")
        return [number >> (i * w) & ((1 << w) - 1) for i in range(n)]

    def counts(self, rows, size):
        return [int.from_bytes(self.take(size), "little") for _ in range(rows)]


def decode_tile(data, rows, cols, levels):
    """The weights of a tile, `rows` lists of `cols`."""
    require(1 <= rows <= 2**28 and 1 <= cols <= 2**28, "D-1", "a side out of range")
    require(1 <= levels <= 256, "D-1", "levels out of range")
    parts = Parts(data)
    tag = parts.byte()
    layout = tag & 3
    require(layout < 3, "D-2", "no such layout")
    require(tag >> [3, 4, 5][layout] == 0, "D-2", "unused bits of the tag")
    tile = [dense, bitmap, gaps][layout](parts, tag, rows, cols, levels)
    require(parts.at == len(data), "D-3", "the tile is longer than its parts", parts.at)
    for row in tile:
        require(max(row) < levels, "D-4", "a code outside the codebook")
    return tile


def count_size(tag):
    require(tag >> 2 & 3 < 3, "D-2", "a count takes 1, 2 or 4 bytes")
    return 1 << (tag >> 2 & 3)


def dense(parts, tag, rows, cols, levels):
    has_zero = tag >> 2 & 1
    w = width(levels + has_zero)
    require(w <= 8, "D-2", "fields of more than 8 bits")
    return [[field - has_zero for field in parts.fields(cols, w)] for _ in range(rows)]


def bitmap(parts, tag, rows, cols, levels):
    counts = parts.counts(rows, count_size(tag))
    maps = [parts.fields(cols, 1) for _ in range(rows)]
    for count, kept in zip(counts, maps):
        require(count == sum(kept), "D-6", "a count is not the ones of the map")
    columns = [[col for col in range(cols) if kept[col]] for kept in maps]
    return with_codes(parts, columns, cols, levels)


def gaps(parts, tag, rows, cols, levels):
    g = parts.byte()
    require(1 <= g <= 16, "D-2", "a gap has 1 to 16 bits")
    size = count_size(tag)
    counts = parts.counts(rows, size)
    fillers = parts.counts(rows, size) if tag >> 4 & 1 else [0] * rows
    row_gaps = [parts.fields(n + f, g) for n, f in zip(counts, fillers)]
    columns = [gap_columns(row, g, f, cols) for row, f in zip(row_gaps, fillers)]
    return with_codes(parts, columns, cols, levels)


def gap_columns(row, g, n_fillers, cols):
    past, kept, filler = 0, [], (1 << g) - 1
    for gap in row:
        past += gap
        if gap != filler:
            kept.append(past)
            past += 1
        require(past <= cols, "D-7", "gaps lead past the last column")
    require(row.count(filler) == n_fillers, "D-8", "fillers are not as many as counted")
    require(not row or row[-1] != filler, "D-8", "a filler comes last")
    return kept


def with_codes(parts, columns, cols, levels):
    tile = []
    for kept in columns:
        row = [-1] * cols
        for col, code in zip(kept, parts.fields(len(kept), width(levels))):
            row[col] = code
        tile.append(row)
    return tile
