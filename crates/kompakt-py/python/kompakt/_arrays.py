"""Arrays to bytes and back, by the coders of the file format."""

from __future__ import annotations

from kompakt import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import ArrayLike, NDArray


def encode(arrays: Mapping[str, ArrayLike], *, tier: str = "smallest") -> bytes:
    """Code arrays without loss.

    Made for arrays of few values (codes, masks, quantised weights): those of at most 256 values besides zero take about
    their entropy under a context-mixing model; any other is coded byte by byte, or as
    floating-point numbers. Rows and columns help the coder: keep the shape that weights have, output units first.

    Parameters
    ----------
    arrays
        Names and arrays: booleans, integers, floating-point or complex numbers of 1 to 16 bytes, of any shape, strides
        and byte order.
    tier
        ``"smallest"``, ``"stream"`` or ``"direct"``: the fewest bytes, quicker to decode, or bit-packed.

    Notes
    -----
    Returns the bytes of a ``.kompakt`` file. Errors: ``TypeError`` for other kinds of elements (text, objects, dates),
    ``ValueError`` for an unknown tier and dimensions of more than 2^28.
    """
    import numpy as np

    if not hasattr(arrays, "items"):
        raise TypeError(f"{type(arrays).__name__} is not a dictionary of names and arrays")
    items = []
    for name, given in arrays.items():
        array = np.asarray(given)
        if array.dtype.kind not in "biufc" or array.dtype.itemsize > 16:
            raise TypeError(f"{name!r} has elements of type {array.dtype}; numbers of up to 16 bytes are coded")
        if array.dtype.kind == "f" and array.dtype.itemsize > 8:
            raise TypeError(f"{name!r} has elements of type {array.dtype}, which no other machine may know")
        little = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
        items.append((str(name), little.dtype.str[1:], list(array.shape), little.tobytes()))
    return _native.encode(items, tier)


def decode(data: bytes | bytearray | memoryview) -> dict[str, NDArray[Any]]:
    """Read the arrays of `encode` back: equal in every bit, little-endian, in C order, and writable.

    Errors: ``ValueError`` for bytes that are invalid, or that hold a network, ``TypeError`` for what is not bytes.
    """
    import numpy as np

    found = {}
    for name, element, shape, raw in _native.decode(bytes(memoryview(data))):
        found[name] = np.frombuffer(raw, dtype=np.dtype("<" + element)).reshape(shape)
    return found
