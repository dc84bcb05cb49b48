"""The container. spec/format.md, from the header to the content hash."""

import hashlib
import struct
import zlib
from math import isfinite

from . import cbor, prep, sizes
from .cbor import Float
from .graph import MAX_NODES, MAX_RANK, Graph, is_int, is_size, is_sizes, read_node
from .refused import Refused, need

MAGIC = bytes.fromhex("894B50540D0A1A0A")
VERSION, COMPACT_VERSION = 1, 2
MAX_COMPACT_BYTES, COMPACT_STREAM_AT = 1 << 20, 21
MAX_DIRECTORY_BYTES = 1 << 24
MAX_KEYS, MAX_INPUTS, MAX_PARAMETERS, MAX_SECTIONS, MAX_TILES = 256, 64, 1 << 18, 1 << 18, 1 << 20
MAX_FIGURES, MAX_LABELS, MAX_LEVELS, MAX_ANCILLARY_BYTES = 256, 1 << 20, 256, 1 << 24
BASE_ELEMENTS, ELEMENTS_PER_BYTE = 1 << 24, 1 << 12
ALIGNED_FROM, ALIGNMENT = 4096, 64

TIERS = {0: "smallest", 1: "stream", 2: "direct"}
TIER, CONTENT_HASH, INPUTS, NODES, OUTPUTS, PREPROCESSING, PARAMETERS, SECTIONS, SIZES = range(9)
NAMES, DENSE_PARAMETERS, MEASURED = -1, -2, -3
FORMATS = ("f32", "f16", "scaled")
POOL, NUMBERS, ADAPTIVE, RAW, DIRECT_TILES, STREAM_TILES, STREAM_TABLES = range(7)
LABELS, PROVENANCE, SELF_TESTS, RANGES = -1, -2, -3, -4
TIERS_OF_KIND = {POOL: (0,), NUMBERS: (1, 2), ADAPTIVE: (0,), RAW: (0, 1, 2), DIRECT_TILES: (2,), STREAM_TILES: (1,), STREAM_TABLES: (1,)}  # fmt: skip


def f32(value):
    """The single-precision number nearest to a value; infinite beyond the largest."""
    try:
        return struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


class Numbers:
    """Numbers as they are stored. raw: floats, or (scaled) integers; scale: None but for scaled."""

    def __init__(self, form, raw, scale=None):
        self.form, self.raw, self.scale = form, list(raw), scale

    def values(self):
        if self.form != "scaled":
            return self.raw
        return [f32(f32(n) * self.scale) for n in self.raw]

    def hashed(self):
        if self.form == "scaled":
            return struct.pack(f"<f{len(self.raw)}i", self.scale, *self.raw)
        return struct.pack(f"<{len(self.raw)}{'f' if self.form == 'f32' else 'e'}", *self.raw)


class Decoded:
    """One parameter. mask: list of booleans or None; codebook and codes, or numbers of the kept weights."""

    def __init__(self, parameter, mask, numbers, codebook=None, codes=None):
        self.parameter, self.mask, self.numbers, self.codebook, self.codes = parameter, mask, numbers, codebook, codes

    def values(self):
        """Every weight, zeros included, row-major."""
        kept = self.mask or [True] * (self.parameter.rows * self.parameter.cols)
        if self.codebook is None:
            numbers = iter(self.numbers.values())
            return [next(numbers) if k else 0.0 for k in kept]
        levels = self.codebook.values()
        return [levels[c] if k else 0.0 for c, k in zip(self.codes, kept)]

    def unit_counts(self):
        """How many weights each row keeps."""
        cols = self.parameter.cols
        if self.mask is None:
            return [cols] * self.parameter.rows
        return [sum(self.mask[r * cols : (r + 1) * cols]) for r in range(self.parameter.rows)]

    def hashed(self):
        rows, cols = self.parameter.rows, self.parameter.cols
        if self.codebook is None:
            mask = b"" if self.mask is None else b"".join(bits(self.mask[r * cols : (r + 1) * cols]) for r in range(rows))
            return mask + self.numbers.hashed()
        out = bytearray(self.codebook.hashed())
        for r in range(rows):
            codes = self.codes[r * cols : (r + 1) * cols]
            if self.mask is not None:
                mask = self.mask[r * cols : (r + 1) * cols]
                out += bits(mask)
                codes = [c for c, k in zip(codes, mask) if k]
            out += bytes(codes)
        return bytes(out)


def bits(flags):
    """Bits, least significant first, filled up to whole bytes."""
    n = (len(flags) + 7) // 8
    return sum(1 << i for i, flag in enumerate(flags) if flag).to_bytes(n, "little")


def shape(dims, at):
    """A shape of the directory."""
    need(isinstance(dims, list) and dims, "F-7", at, "no shape")
    need(len(dims) <= MAX_RANK, "F-15", at, "too many dimensions")
    need(is_sizes(dims), "F-7", at, "no shape")
    return dims


def number(item, at):
    """A number of a step: a whole one, or a float that single precision holds."""
    if isinstance(item, Float):
        need(f32(item) == item, "F-7", at, "a float that single precision does not hold")
        return float(item)
    need(is_int(item), "F-7", at, "no number")
    need(-(2**63) <= item < 2**63, "F-6", at, "a number beyond 64 bits")
    return item


class Section:
    """A line of the section table."""

    def __init__(self, kind, length, offset, parameter=None, rows=None, lengths=None, unpacked=None):
        self.kind, self.length, self.offset, self.parameter = kind, length, offset, parameter
        self.rows, self.lengths, self.unpacked = rows, lengths, unpacked


class Descriptor:
    """What the directory says of a parameter. Rule F-14."""

    def __init__(self, number, at):
        self.n_levels, masked, form = number >> 3 & 511, number >> 2 & 1, number & 3
        need(number < 1 << 15, "F-14", at, "a descriptor of more than 15 bits")
        self.block, self.trellis = 1 << (number >> 12 & 3), bool(number >> 14)
        need(form < 3, "F-14", at, "an unknown number format")
        need(self.n_levels <= MAX_LEVELS, "F-14", at, "a codebook of more than 256 entries")
        need(self.block == 1 or masked and self.n_levels, "F-14", at, "blocks without codes or without a mask")
        fits = self.n_levels and self.block == 1
        need(not self.trellis or fits, "F-14", at, "a trellis without codes or with blocks")
        self.form, self.is_masked = FORMATS[form], bool(masked)


class Container:
    """A file whose header and directory are checked; verify() checks the rest."""

    def __init__(self, data):
        self.data = data
        self.start = self.read_header()
        self.read_directory()
        self.check()
        self.place()

    # Header

    def read_header(self):
        data = self.data
        if MAGIC.startswith(data):
            raise Refused("F-3", len(data), "the file ends within its header")
        need(data[:8] == MAGIC, "F-1", 0, "no .kompakt file")
        need(len(data) > 8, "F-3", 8, "the file ends within its header")
        need(data[8] in (VERSION, COMPACT_VERSION), "F-2", 8, "an unknown version")
        self.is_compact = data[8] == COMPACT_VERSION
        if self.is_compact:
            return self.read_compact()
        total, length_at = self.leb128(9)
        need(total == len(data), "F-3", 9, f"the header says {total} bytes, the file has {len(data)}")
        length, crc_at = self.leb128(length_at)
        start = crc_at + 4
        need(length <= MAX_DIRECTORY_BYTES and start + length <= total, "F-4", length_at, "the directory is too long")
        self.end = start + length
        crc = zlib.crc32(data[start : self.end], zlib.crc32(data[:crc_at]))
        need(crc == int.from_bytes(data[crc_at:start], "little"), "F-5", crc_at, "the checksum does not fit")
        self.document = data[start : self.end]
        return start

    def read_compact(self):
        """Header and directory of version 2."""
        from .payload import Item, coder
        from .smallest import StreamDecoder

        data, at = self.data, COMPACT_STREAM_AT
        need(at <= len(data) <= MAX_COMPACT_BYTES, "F-28", 8, "too short or too long for version 2")
        crc = zlib.crc32(data[13:], zlib.crc32(data[:9]))
        need(crc == int.from_bytes(data[9:13], "little"), "F-29", 9, "the checksum does not fit")
        with coder(Section(POOL, len(data) - at, at)):
            head = StreamDecoder(data[at:]).begin(Item().ends_with)
        need(0xA4 <= head[0] <= 0xA6, "F-30", at, "no map of four to six pairs")
        self.document, self.end = head[:1] + b"\x01\x48" + data[13:at] + head[1:], at
        return at

    def leb128(self, at):
        value, shift, first = 0, 0, at
        while True:
            need(at < len(self.data), "F-3", at, "the file ends within its header")
            byte = self.data[at]
            need(shift <= 56 and not (byte == 0 and shift), "F-3", first, "not the shortest form")
            value |= (byte & 127) << shift
            shift, at = shift + 7, at + 1
            if byte < 128:
                return value, at

    # Directory

    def read_directory(self):
        reader = cbor.Reader(self.document, self.start)
        at = self.start
        need(self.document and self.document[0] >> 5 == 5, "F-7" if self.document else "F-6", at, "no map")
        n = reader.head()[2]
        need(n <= MAX_KEYS, "F-15", at, "too many keys")
        entries = []
        for _ in range(n):
            key_start, key_at = reader.at, reader.offset()
            key = reader.item(1)
            encoded, value_at = bytes(reader.data[key_start : reader.at]), reader.offset()
            entries.append((key, encoded, reader.item(1), (key_at, value_at, reader.offset())))
        need(reader.at == len(reader.data), "F-6", reader.offset(), "bytes after the last item")
        self.spans, last = {}, b""
        self.tier, self.content_hash, self.inputs, self.nodes, self.outputs = 0, None, [], [], None
        self.raw_shape, self.steps, self.descriptors, self.lines, self.names = None, [], None, None, None
        self.dense_parameters, self.measured, self.sizes = None, {}, None
        # First each value by itself, in order; then what they are together.
        for key, encoded, item, span in entries:
            need(is_int(key), "F-7", span[0], "a key that is no whole number")
            need(-(2**63) <= key < 2**63, "F-6", span[0], "a key beyond 64 bits")
            need(encoded > last, "F-6", span[0], "keys not ascending")
            need(key <= SIZES, "F-8", span[0], f"key {key} is unknown")
            last, self.spans[key] = encoded, span
            if key in READERS:
                READERS[key](self, item, self.at(key))
        is_content = all(CONTENT_HASH <= key <= PARAMETERS for key in self.spans)
        need(is_content or not self.is_compact, "F-30", at, "other keys than 1 to 6")

    def at(self, key):
        return self.spans[key][1] if key in self.spans else self.start

    def read_tier(self, tier, at):
        need(is_size(tier), "F-7", at, "no tier")
        need(tier != 0, "F-10", at, "tier 0 is left out")
        need(tier in TIERS, "F-9", at, "an unknown tier")
        self.tier = tier

    def read_content_hash(self, content_hash, at):
        need(isinstance(content_hash, bytes) and len(content_hash) == 8, "F-7", at, "no hash")
        self.content_hash = content_hash

    def read_inputs(self, inputs, at):
        need(isinstance(inputs, list) and inputs, "F-7", at, "no shape")
        need(len(inputs) <= MAX_INPUTS, "F-15", at, "too many inputs")
        if isinstance(inputs[0], list):
            need(len(inputs) > 1, "F-10", at, "the shape of a single input is in no list")
        else:
            inputs = [inputs]
        self.inputs = [shape(dims, at) for dims in inputs]

    def read_nodes(self, nodes, at):
        need(isinstance(nodes, list), "F-7", at, "no nodes")
        need(len(nodes) <= MAX_NODES, "F-15", at, "too many nodes")
        self.nodes = [read_node(node, len(self.inputs) + i, at) for i, node in enumerate(nodes)]

    def read_outputs(self, outputs, at):
        need(is_sizes(outputs), "F-7", at, "no outputs")
        need(len(outputs) <= MAX_NODES, "F-15", at, "too many outputs")
        self.outputs = outputs

    def read_preprocessing(self, item, at):
        need(isinstance(item, list) and item, "F-7", at, "no preprocessing")
        need(len(item) <= 17, "F-15", at, "more than 16 steps")
        self.raw_shape = shape(item[0], at)
        try:
            for step in item[1:]:
                if is_size(step):
                    step = [step]
                else:
                    need(isinstance(step, list), "F-7", at, "no step")
                    need(len(step) <= 513, "F-15", at, "a step of too many numbers")
                    need(len(step) > 1, "F-10", at, "a step of one number is no array")
                need(is_size(step[0]), "F-7", at, "no code of a step")
                numbers = [number(n, at) for n in step[1:]]
                self.steps.append(prep.step_from_numbers(step[0], numbers))
            self.prepared = prep.shapes(self.raw_shape, self.steps)[-1]
        except prep.PrepError as error:
            raise Refused("F-13", at, str(error)) from None

    def read_descriptors(self, numbers, at):
        need(isinstance(numbers, list), "F-7", at, "no descriptors")
        need(len(numbers) <= MAX_PARAMETERS, "F-15", at, "too many descriptors")
        self.descriptors = []
        for n in numbers:
            need(is_size(n), "F-7", at, "no descriptor")
            self.descriptors.append(Descriptor(n, at))

    def read_sizes(self, item, at):
        self.sizes = sizes.read(item, at)

    def read_names(self, names, at):
        need(isinstance(names, list) and all(isinstance(n, str) for n in names), "F-7", at, "no names")
        self.names = names

    def read_dense_parameters(self, n, at):
        need(is_size(n), "F-7", at, "no number of parameters")
        self.dense_parameters = n

    def read_measured(self, measured, at):
        need(isinstance(measured, dict), "F-7", at, "no figures")
        need(len(measured) <= MAX_FIGURES, "F-15", at, "too many figures")
        is_figures = all(isinstance(k, str) and isinstance(v, Float) for k, v in measured.items())
        need(is_figures, "F-7", at, "no figures")
        self.measured = measured

    def check(self):
        """Rules F-7 and F-10 to F-15: what the values of the directory are together."""
        at = self.start
        need(self.content_hash is not None and self.descriptors is not None, "F-7", at, "no hash, or no descriptors")
        need(self.inputs and self.nodes, "F-7", at, "no inputs, or no nodes")
        self.graph = Graph(self.inputs, self.nodes, self.outputs, self.names, self.at(NODES))
        if self.sizes is not None:
            sizes.check(self.sizes, self.graph, self.at(SIZES))
        if self.raw_shape is None:
            self.raw_shape = self.graph.shapes[0]
        else:
            fits = self.graph.n_inputs == 1 and list(self.prepared) == list(self.graph.shapes[0])
            need(fits, "F-13", self.at(PREPROCESSING), f"preprocessing makes {self.prepared}, which the network does not read")
        if self.lines is None:
            length = len(self.data) - self.end - (0 if self.is_compact else 4)
            need(length >= 0, "F-18", self.end, "the file ends within the checksum of the pool")
            self.sections = [Section(POOL, length, self.end)]
        at = self.at(PARAMETERS)
        need(len(self.descriptors) == len(self.graph.parameters), "F-14", at, "not one descriptor for each parameter")
        for parameter, descriptor in zip(self.graph.parameters, self.descriptors):
            is_weight = self.graph.nodes[parameter.node].op in ("linear", "conv2d", "embedding", "recurrent") and parameter.role == "weight"
            need(is_weight or not descriptor.n_levels, "F-14", at, f"{parameter.name} has a codebook")
        self.check_limits()

    def check_limits(self):
        elements = sum(p.rows * p.cols for p in self.graph.parameters)
        allowed = BASE_ELEMENTS + ELEMENTS_PER_BYTE * len(self.data)
        need(elements <= allowed, "F-15", self.at(PARAMETERS), f"{elements} elements, {allowed} are allowed")

    # Sections

    def read_sections(self, table, at):
        total = len(self.data)
        need(isinstance(table, list), "F-7", at, "no section table")
        need(len(table) <= MAX_SECTIONS, "F-15", at, "too many sections")
        self.lines, self.sections, end = table, [], self.end
        for line in table:
            section = self.read_section(line, end, at)
            self.sections.append(section)
            end = section.offset + section.length + 4
        need(end == total, "F-18", at, f"the sections end at byte {end}, the file at {total}")
        need([s.kind for s in self.sections] != [POOL], "F-10", at, "the pool alone is not listed")

    def read_section(self, line, end, at):
        need(isinstance(line, list) and len(line) >= 2 and is_size(line[1]), "F-7", at, "no section")
        kind, length = line[0], line[1]
        need(is_int(kind), "F-7", at, "no kind")
        need(-(2**63) <= kind < 2**63, "F-6", at, "a kind beyond 64 bits")
        need(kind <= STREAM_TABLES, "F-16", at, f"kind {kind} is unknown")
        in_place = kind in (RAW, DIRECT_TILES, STREAM_TILES) and length >= ALIGNED_FROM
        offset = -(-end // ALIGNMENT) * ALIGNMENT if in_place else end
        section, rest = Section(kind, length, offset), line[2:]
        if kind in (ADAPTIVE, RAW, DIRECT_TILES, STREAM_TILES):
            need(rest and is_size(rest[0]), "F-7", at, "no parameter")
            section.parameter, rest = rest[0], rest[1:]
        if kind in (DIRECT_TILES, STREAM_TILES) and len(rest) == 2:
            need(is_size(rest[0]) and isinstance(rest[1], list), "F-7", at, "no tiles")
            need(len(rest[1]) <= MAX_TILES, "F-15", at, "too many tiles")
            need(all(is_size(n) for n in rest[1]), "F-7", at, "no tiles")
            section.rows, section.lengths = rest
            need(sum(section.lengths) == length, "F-19", at, "the tiles do not add up to their section")
            rest = []
        if kind == RAW and len(rest) == 1:
            need(is_size(rest[0]), "F-7", at, "no length")
            section.unpacked, rest = rest[0], []
        if RANGES <= kind < 0 and len(rest) == 1:
            need(is_size(rest[0]), "F-7", at, "no length")
            need(rest[0] <= MAX_ANCILLARY_BYTES, "F-15", at, "an ancillary section that is too long")
            section.unpacked, rest = rest[0], []
        need(not rest or kind < RANGES, "F-7", at, "a line that is too long")
        return section

    def place(self):
        """Rules F-16, F-17 and F-19: where each parameter lives."""
        at = self.at(SECTIONS)
        first = POOL if self.tier == 0 else NUMBERS
        need(self.sections and self.sections[0].kind == first, "F-17", at, "the first section is not the tier's")
        self.homes, last = [None] * len(self.descriptors), (0, 0)
        for section in self.sections[1:]:
            kind = section.kind
            if kind < 0:
                rank = (3, -kind)
            elif kind == STREAM_TABLES:
                rank = (1, 0)
            else:
                rank = (2, -1 if section.parameter is None else section.parameter)
            need(rank > last, "F-17", at, "a section comes twice, or not in its order")
            last = rank
            if kind < 0:
                continue
            need(self.tier in TIERS_OF_KIND[kind], "F-16", at, "a kind that the tier does not have")
            if section.parameter is not None:
                self.check_home(section, at)
        for parameter, descriptor, home in zip(self.graph.parameters, self.descriptors, self.homes):
            need(home or self.tier == 0 or not descriptor.n_levels, "F-17", at, f"{parameter.name} has no tiles")

    def check_home(self, section, at):
        need(section.parameter < len(self.descriptors), "F-17", at, "a section of a parameter that is not there")
        descriptor, parameter = self.descriptors[section.parameter], self.graph.parameters[section.parameter]
        fits = {RAW: not descriptor.n_levels, ADAPTIVE: True}.get(section.kind, descriptor.n_levels > 0)
        need(fits, "F-16", at, "a section that does not fit its descriptor")
        if section.rows is not None:
            fits = 1 <= section.rows < parameter.rows and len(section.lengths) == -(-parameter.rows // section.rows)
            need(fits, "F-19", at, "the tiles do not make up the rows")
        self.homes[section.parameter] = section

    def bytes_of(self, section):
        return self.data[section.offset : section.offset + section.length]

    # Payloads

    def decode(self):
        """All parameters in order."""
        from . import payload

        return payload.decode(self)

    def verify(self):
        """Checks every byte; returns the parameters."""
        end = self.end
        for section in [] if self.is_compact else self.sections:
            padding = self.data[end : section.offset]
            need(not any(padding), "F-20", end, "padding that is not zero")
            end = section.offset + section.length
            crc = int.from_bytes(self.data[end : end + 4], "little")
            need(zlib.crc32(self.bytes_of(section)) == crc, "F-21", section.offset, "the checksum does not fit")
            end += 4
        decoded = self.decode()
        content = hashlib.sha256()
        for parameter in decoded:
            content.update(parameter.hashed())
        content.update(self.document[self.spans[INPUTS][0] - self.start : self.spans[PARAMETERS][2] - self.start])
        if SIZES in self.spans:
            content.update(self.document[self.spans[SIZES][0] - self.start : self.spans[SIZES][2] - self.start])
        self.labels(), self.provenance(), self.self_tests(), self.ranges()
        need(content.digest()[:8] == self.content_hash, "F-25", self.start, "the content hash does not fit")
        return decoded

    # Ancillary

    def ancillary(self, kind):
        section = next((s for s in self.sections if s.kind == kind), None)
        if section is None:
            return None, 0
        data = self.bytes_of(section)
        if section.unpacked is not None:
            from . import zstd

            data = zstd.frame(data, section.unpacked, section.offset)
        need(len(data) <= MAX_ANCILLARY_BYTES, "F-15", section.offset, "an ancillary section that is too long")
        return data, section.offset

    def labels(self):
        data, at = self.ancillary(LABELS)
        if data is None:
            return []
        try:
            labels = cbor.document(data, at)
        except Refused as error:
            raise Refused("F-26", error.offset, error.problem) from None
        is_texts = isinstance(labels, list) and len(labels) <= MAX_LABELS and all(isinstance(t, str) for t in labels)
        need(is_texts, "F-26", at, "labels are a list of texts")
        return labels

    def provenance(self):
        data, at = self.ancillary(PROVENANCE)
        try:
            return None if data is None else bytes(data).decode("utf-8")
        except UnicodeDecodeError:
            raise Refused("F-26", at, "the provenance is not UTF-8") from None

    def self_tests(self):
        """Pairs of a seed and the expected output."""
        data, at = self.ancillary(SELF_TESTS)
        if data is None:
            return []
        n = 1
        for dim in self.graph.shapes[self.graph.outputs[0]]:
            n *= dim
        size = 8 + 4 * n
        need(len(data) % size == 0, "F-26", at, "not a whole number of self-tests")
        tests = [struct.unpack(f"<Q{n}f", data[i : i + size]) for i in range(0, len(data), size)]
        return [(test[0], list(test[1:])) for test in tests]

    def ranges(self):
        """Triples of a value, its lowest and its highest number. Rule F-27."""
        data, at = self.ancillary(RANGES)
        if data is None:
            return []
        nodes = [node for node in self.graph.nodes if node.op in ("linear", "conv2d")]
        values = sorted({node.inputs[0] for node in nodes})
        try:
            numbers = cbor.document(data, at)
        except Refused as error:
            raise Refused("F-27", error.offset, error.problem) from None
        is_list = isinstance(numbers, list) and len(numbers) == 2 * len(values)
        need(is_list, "F-27", at, "not two numbers for each value that layers read")
        is_single = all(isinstance(n, Float) and f32(n) == n for n in numbers)
        need(is_single, "F-27", at, "a bound that is no float in single precision")
        need(all(n <= 0 for n in numbers[::2]) and all(n >= 0 for n in numbers[1::2]), "F-27", at, "a range without 0")
        return list(zip(values, numbers[::2], numbers[1::2]))


READERS = {
    TIER: Container.read_tier,
    CONTENT_HASH: Container.read_content_hash,
    INPUTS: Container.read_inputs,
    NODES: Container.read_nodes,
    OUTPUTS: Container.read_outputs,
    PREPROCESSING: Container.read_preprocessing,
    PARAMETERS: Container.read_descriptors,
    SECTIONS: Container.read_sections,
    SIZES: Container.read_sizes,
    NAMES: Container.read_names,
    DENSE_PARAMETERS: Container.read_dense_parameters,
    MEASURED: Container.read_measured,
}


def self_test_input(seed, n):
    """The input that a seed stands for."""
    mask, numbers = (1 << 64) - 1, []
    for i in range(n):
        z = (seed + (i + 1) * 0x9E3779B97F4A7C15) & mask
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        numbers.append(((z ^ (z >> 31)) >> 56) / 256)
    return numbers


def all_finite(numbers):
    return all(isfinite(v) for v in numbers)
