"""From sections to parameters. spec/format.md, "The pool, and adaptive sections", "Numbers as they are", "Tiles"."""

import struct
from math import prod

from . import direct, smallest, stream, zstd
from .container import ADAPTIVE, RAW, STREAM_TABLES, STREAM_TILES, Decoded, Numbers, all_finite
from .refused import Refused, need
from .trellis import is_followed


def decode(container):
    """All parameters of a container, in order."""
    pool = adaptive_pool(container) if container.tier == 0 else raw_pool(container)
    for index, section in enumerate(container.homes):
        if section is None:
            continue
        parameter, descriptor = container.graph.parameters[index], container.descriptors[index]
        data = container.bytes_of(section)
        if section.kind == ADAPTIVE:
            with coder(section):
                decoder = smallest.StreamDecoder(data, quick=True)
                _, _, grid = container.graph.hints(index)
                pool[index] = adaptive(decoder, parameter, descriptor, None, grid)
                decoder.finish()
        elif section.kind == RAW:
            if section.unpacked is not None:
                data = unpack_planes(data, section.unpacked, parameter, descriptor, section.offset)
            reader = Reader(data, section.offset)
            pool[index] = reader.dense(parameter, descriptor)
            reader.finish()
        else:
            pool[index] = tiles(container, section, parameter, descriptor, pool[index])
    for decoded, descriptor, section in zip(pool, container.descriptors, container.homes):
        check(decoded, descriptor, (section or container.sections[0]).offset)
    return pool


class coder:
    """Turns what a coder's chapter refuses into a refusal of the file."""

    def __init__(self, section):
        self.section = section

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if hasattr(error, "rule"):
            at = self.section.offset + getattr(error, "offset", 0)
            raise Refused(error.rule, at, getattr(error, "problem", str(error))) from None


# Adaptive streams


def adaptive_pool(container):
    section = container.sections[0]
    pool = []
    with coder(section):
        decoder, gaps_from = smallest.StreamDecoder(container.bytes_of(section)), GAPS_FROM
        if container.is_compact:
            decoder.begin(Item().ends_with)
            gaps_from = COMPACT_GAPS_FROM
        for index, (parameter, descriptor) in enumerate(zip(container.graph.parameters, container.descriptors)):
            if container.homes[index]:
                pool.append(None)
                continue
            producer, span, grid = container.graph.hints(index)
            counts = None
            if producer is not None and pool[producer]:
                counts = [n for n in pool[producer].unit_counts() for _ in range(span)]
            pool.append(adaptive(decoder, parameter, descriptor, counts, grid, gaps_from))
        decoder.finish()
    return pool


def coder_shape(shape):
    """Rows, channels, taps."""
    return shape[0], shape[1] if len(shape) > 1 else 1, prod(shape[2:])


def adaptive(decoder, parameter, descriptor, counts, grid, gaps_from=32):
    """One parameter of an adaptive stream."""
    shape = coder_shape(parameter.shape)
    if descriptor.n_levels:
        n = descriptor.n_levels
        codebook = adaptive_numbers(decoder, descriptor.form, n, ascending=n >= gaps_from)
        check_codebook(codebook, 0)
        negative = sum(v < 0 for v in codebook.values())
        masked, block = descriptor.is_masked, descriptor.block
        told = counts, grid, block, descriptor.trellis
        mask, codes = decoder.weights(shape, masked, descriptor.n_levels, negative, *told)
        return Decoded(parameter, mask, None, codebook, codes)
    mask, n = None, parameter.rows * parameter.cols
    if descriptor.is_masked:
        mask, _ = decoder.weights(shape, True, 1, 0, counts, grid)
        n = sum(mask)
    return Decoded(parameter, mask, adaptive_numbers(decoder, descriptor.form, n))


# Codebooks of so many entries are coded by their gaps.
GAPS_FROM, COMPACT_GAPS_FROM = 32, 2


class Item:
    """How much of a directory without its content hash is still to come, byte by byte."""

    def __init__(self):
        self.items, self.argument_bytes, self.text_bytes = None, 0, 0

    def ends_with(self, byte):
        if self.items is None:
            if not 0xA4 <= byte <= 0xA6:
                return True
            self.items = 2 * ((byte & 7) - 1)
            return False
        if self.text_bytes:
            self.text_bytes -= 1
            return not self.text_bytes and not self.items
        if self.argument_bytes:
            self.argument_bytes -= 1
            self.argument = self.argument << 8 | byte
        else:
            self.items -= 1
            self.major, info = byte >> 5, byte & 31
            if info > 27:
                return True
            self.argument = info if info < 24 else 0
            self.argument_bytes = 0 if info < 24 else 1 << (info & 3)
        if self.argument_bytes:
            return False
        if self.major == 6:
            return True
        if self.major in (2, 3):
            self.text_bytes = self.argument
        elif self.major in (4, 5):
            self.items += self.argument * (self.major - 3)
        return not self.items and not self.text_bytes


def adaptive_numbers(decoder, form, n, ascending=False):
    if form == "f32":
        return Numbers(form, decoder.numbers_f32(n, ascending))
    if form == "f16":
        return Numbers(form, decoder.numbers_f16(n, ascending))
    (scale,) = decoder.numbers_f32(1)
    return Numbers(form, decoder.numbers_int(n, ascending and scale > 0), scale)


# Numbers as they are


class Reader:
    """Raw numbers, front to back."""

    def __init__(self, data, base):
        self.data, self.base, self.at = data, base, 0

    def take(self, n):
        need(self.at + n <= len(self.data), "F-22", self.base + self.at, "a section ends before its last number")
        self.at += n
        return self.data[self.at - n : self.at]

    def finish(self):
        need(self.at == len(self.data), "F-22", self.base + self.at, "bytes after the last number")

    def numbers(self, form, n):
        if form == "f32":
            return Numbers(form, struct.unpack(f"<{n}f", self.take(4 * n)))
        if form == "f16":
            return Numbers(form, struct.unpack(f"<{n}e", self.take(2 * n)))
        (scale,) = struct.unpack("<f", self.take(4))
        width = self.take(1)[0]
        need(width in (1, 2, 4), "F-22", self.base + self.at - 1, "an integer of another width")
        code = {1: "b", 2: "h", 4: "i"}[width]
        return Numbers(form, struct.unpack(f"<{n}{code}", self.take(width * n)), scale)

    def mask(self, parameter):
        rows, cols = parameter.rows, parameter.cols
        mask = []
        for _ in range(rows):
            row = int.from_bytes(self.take((cols + 7) // 8), "little")
            need(row >> cols == 0, "F-22", self.base, "bits after a row of a mask")
            mask += [bool(row >> c & 1) for c in range(cols)]
        return mask

    def dense(self, parameter, descriptor):
        mask = self.mask(parameter) if descriptor.is_masked else None
        n = sum(mask) if mask else parameter.rows * parameter.cols
        return Decoded(parameter, mask, self.numbers(descriptor.form, n))


BLOCK_BYTES = 1 << 22
PLANES = {"f32": 4, "f16": 2, "scaled": 1}


def unpack_planes(data, length, parameter, descriptor, offset):
    """A raw section that is packed: block by block a frame of planes."""
    rows, cols = parameter.rows, parameter.cols
    need(length <= rows * (4 * cols + (cols + 7) // 8) + 5, "F-22", offset, "more bytes than the parameter has")
    out, at = b"", 0
    while len(out) < length:
        size = int.from_bytes(data[at : at + 4], "little")
        need(at + 4 + size <= len(data) and at + 4 <= len(data), "F-22", offset, "a section ends before its last frame")
        wanted = min(length - len(out), BLOCK_BYTES)
        planes = zstd.frame(data[at + 4 : at + 4 + size], wanted, offset, "F-22")
        out += interleave(planes, PLANES[descriptor.form])
        at += 4 + size
    need(at == len(data), "F-22", offset, "bytes after the last frame")
    return out


def interleave(planes, n):
    out, at = bytearray(len(planes)), 0
    for p in range(n):
        size = len(range(p, len(planes), n))
        out[p::n] = planes[at : at + size]
        at += size
    return bytes(out)


def raw_pool(container):
    """Dense parameters; of those with codes the codebook, which the tiles need."""
    section = container.sections[0]
    reader = Reader(container.bytes_of(section), section.offset)
    pool = []
    for parameter, descriptor, home in zip(container.graph.parameters, container.descriptors, container.homes):
        if descriptor.n_levels:
            codebook = reader.numbers(descriptor.form, descriptor.n_levels)
            check_codebook(codebook, section.offset)
            pool.append(codebook)
        else:
            pool.append(None if home else reader.dense(parameter, descriptor))
    reader.finish()
    return pool


# Tiles


def tiles(container, section, parameter, descriptor, codebook):
    negative = sum(v < 0 for v in codebook.values())
    tables = None
    if section.kind == STREAM_TILES:
        shared = next((s for s in container.sections if s.kind == STREAM_TABLES), None)
        need(shared, "F-17", container.start, "the tables of the tiles are missing")
        with coder(shared):
            tables = stream.Tables(container.bytes_of(shared))
    weights, at, left = [], section.offset, parameter.rows
    for length in section.lengths or [section.length]:
        rows = min(section.rows or parameter.rows, left)
        left -= rows
        data = container.data[at : at + length]
        with coder(section):
            if tables:
                blocks = descriptor.block, coder_shape(parameter.shape)[2]
                rows = stream.decode_tile(data, rows, parameter.cols, descriptor.n_levels, negative, tables, blocks)
            else:
                rows = direct.decode_tile(data, rows, parameter.cols, descriptor.n_levels)
        weights += [w for row in rows for w in row]
        at += length
    mask = [w >= 0 for w in weights]
    need(descriptor.is_masked or all(mask), "F-24", section.offset, "a pruned weight without a mask")
    return Decoded(parameter, mask if descriptor.is_masked else None, None, codebook, [max(w, 0) for w in weights])


# Rules F-23, F-24 and F-32


def check_codebook(codebook, at):
    values = codebook.values()
    ascending = all(a < b for a, b in zip(values, values[1:]))
    need(ascending and all_finite(values) and 0 not in values, "F-23", at, "no codebook")


def check(decoded, descriptor, at):
    if descriptor.block > 1:
        rows, channels, taps = coder_shape(decoded.parameter.shape)
        first = [column // taps % descriptor.block * taps for column in range(channels * taps)]
        whole = all(kept == decoded.mask[i - first[i % len(first)]] for i, kept in enumerate(decoded.mask))
        need(whole, "F-32", at, "a mask that parts a block")
    if descriptor.trellis:
        codes, cols = decoded.codes, decoded.parameter.cols
        kept = [code if decoded.mask is None or decoded.mask[i] else None for i, code in enumerate(codes)]
        negative = sum(v < 0 for v in decoded.codebook.values())
        sides = min(negative, descriptor.n_levels - negative)
        rows = [kept[i : i + cols] for i in range(0, len(kept), cols)]
        need(sides >= 2 and is_followed(rows, negative), "F-33", at, "codes that do not follow the trellis")
    need(decoded.mask is None or not all(decoded.mask), "F-24", at, "a mask that removes nothing")
    need(decoded.numbers is None or all_finite(decoded.numbers.values()), "F-23", at, "a number that is not finite")
