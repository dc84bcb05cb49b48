"""A stream: its tensors and lists, in order."""

import struct

from .coder import Decoder
from .head import Head, MAX_HEAD_BYTES, PRIMER, PRIMER_HALVES, PRIMER_HEADS, PRIMER_LISTS, forget
from .layer import Layer
from .models import KeptModel, MagnitudeModel, SignModel
from .numbers import Fields, Floats, read_integers
from .quick import QuickLayer, QuickModels


class StreamDecoder:
    """Reads tensors and numbers in the order in which they were written; the models live as long as the stream."""

    def __init__(self, data, quick=False):
        self.coder, self.quick = Decoder(data), QuickModels() if quick else None
        # Magnitudes: the second of a trellis's quantiser 1.
        self.kept, self.sign, self.magnitudes = KeptModel(), SignModel(), (MagnitudeModel(), MagnitudeModel())
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

    def weights(self, shape, is_masked, levels, negative, counts, grid, block=1, trellis=False):
        """Mask (None without one) and codes, row-major; the code of a pruned weight is 0. The mask is of
        blocks of so many channels; columns may follow a trellis."""
        kind = QuickLayer if self.quick else Layer
        layer = kind(self, self.coder, shape, is_masked, block, levels, negative, counts, grid, trellis)
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
