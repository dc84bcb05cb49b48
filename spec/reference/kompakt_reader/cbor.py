"""Deterministic CBOR (RFC 8949, 4.2.1) as rule F-6 wants it."""

import struct

from .refused import Refused, need

MAX_NESTING = 8


class Float(float):
    """A float, to tell 1.0 from 1."""


class Reader:
    """One item of a document; base is where the document begins in the file."""

    def __init__(self, data, base=0):
        self.data, self.base, self.at = data, base, 0

    def offset(self):
        return self.base + self.at

    def take(self, n):
        need(self.at + n <= len(self.data), "F-6", self.offset(), "the document ends too early")
        self.at += n
        return self.data[self.at - n : self.at]

    def head(self):
        """Major type, the five bits after it, and the argument."""
        at = self.offset()
        first = self.take(1)[0]
        major, info = first >> 5, first & 31
        if info < 24 or major == 7:
            return major, info, info
        need(info <= 27, "F-6", at, "indefinite or reserved length")
        width = 1 << (info - 24)
        argument = int.from_bytes(self.take(width), "big")
        need(argument >= (24 if width == 1 else 1 << (4 * width)), "F-6", at, "not the shortest form")
        return major, info, argument

    def item(self, depth=0):
        """Any item as a Python value; maps as dictionaries in their order."""
        at = self.offset()
        need(depth <= MAX_NESTING, "F-6", at, "nested too deep")
        major, info, argument = self.head()
        if major == 0:
            return argument
        if major == 1:
            return -1 - argument
        if major == 2:
            return bytes(self.take(argument))
        if major == 3:
            try:
                return bytes(self.take(argument)).decode("utf-8")
            except UnicodeDecodeError:
                raise Refused("F-6", at, "not UTF-8") from None
        if major in (4, 5):
            need(argument <= len(self.data) - self.at, "F-6", at, "more items than bytes")
        if major == 4:
            return [self.item(depth + 1) for _ in range(argument)]
        if major == 5:
            return self.pairs(argument, depth)
        need(major == 7, "F-6", at, "a tag")
        return self.simple(info, at)

    def pairs(self, n, depth):
        result, last = {}, None
        for _ in range(n):
            start, at = self.at, self.offset()
            key = self.item(depth + 1)
            encoded = bytes(self.data[start : self.at])
            need(last is None or encoded > last, "F-6", at, "keys not ascending")
            last = encoded
            result[key if isinstance(key, str) else encoded] = self.item(depth + 1)
        return result

    def simple(self, info, at):
        if info in (20, 21):
            return info == 21
        need(info in (25, 26, 27), "F-6", at, "a simple value other than false and true")
        width, code = {25: (2, ">e"), 26: (4, ">f"), 27: (8, ">d")}[info]
        value = struct.unpack(code, self.take(width))[0]
        need(value - value == 0, "F-6", at, "a float that is not finite")
        for shorter in {2: [], 4: [">e"], 8: [">f"]}[width]:
            need(not holds(shorter, value), "F-6", at, "a float that is not in its shortest form")
        return Float(value)


def holds(code, value):
    """Whether a narrower float has exactly this value."""
    try:
        return struct.unpack(code, struct.pack(code, value))[0] == value
    except OverflowError:
        return False


def document(data, base=0):
    """The one item that the bytes are."""
    reader = Reader(data, base)
    item = reader.item()
    need(reader.at == len(data), "F-6", reader.offset(), "bytes after the last item")
    return item
