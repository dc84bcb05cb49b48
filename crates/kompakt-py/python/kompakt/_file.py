"""Inspection of a file: its content, where its bytes are, and its weights as arrays."""

from __future__ import annotations

import os

from kompakt import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from os import PathLike
    from typing import Any, Literal

    from numpy import bool_, float32, uint8
    from numpy.typing import NDArray

_KINDS = ("map", "codes", "numbers", "overhead")


def open(path: str | PathLike[str]) -> File:
    """Open a ``.kompakt`` file for inspection; every checksum and the content hash are checked.

    Errors: ``OSError`` for a file that cannot be read, ``ValueError`` for one that is invalid.
    """
    return File(path)


def diff(a: str | PathLike[str] | File, b: str | PathLike[str] | File) -> list[str]:
    """Compare two files: a line for each thing in which they differ, none where the content is the same.

    The tier does not count as a difference: the three tiers hold the same content.
    """
    one, other = (file if isinstance(file, File) else File(file) for file in (a, b))
    return one._file.diff(other._file)


class File:
    """A ``.kompakt`` file, open for inspection.

    In a notebook it shows itself: bytes by layer and kind, and the centroids of each layer.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path: str | None = os.path.abspath(os.fspath(path))
        self._file = _native.Container.open(self.path)
        self._about: dict[str, Any] | None = None

    @classmethod
    def from_bytes(cls, data: bytes) -> File:
        """Inspect a file in memory."""
        file = cls.__new__(cls)
        file.path = None
        file._file = _native.Container.of_bytes(data)
        file._about = None
        return file

    @property
    def about(self) -> dict[str, Any]:
        """Everything that ``kompakt inspect --json`` prints."""
        if self._about is None:
            import json

            self._about = json.loads(self._file.inspect())
        return self._about

    @property
    def n_bytes(self) -> int:
        """Length of the file."""
        return int(self.about["bytes"])

    @property
    def tier(self) -> str:
        """``smallest``, ``stream`` or ``direct``."""
        return str(self.about["tier"])

    @property
    def content_hash(self) -> str:
        """First eight bytes of SHA-256 over the content, the same in every tier."""
        return str(self.about["content_hash"])

    @property
    def ratio(self) -> float | None:
        """Dense float32 bytes of the network as it entered the pipeline, over all bytes of the file."""
        dense = self.about["dense_parameters"]
        return 4 * dense / self.n_bytes if dense else None

    @property
    def layers(self) -> list[dict[str, Any]]:
        """One entry per tensor: name, shape, kept weights, levels, coder, and its bytes by kind."""
        return list(self.about["tensors"])

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes of the tensors, in PyTorch's layout."""
        return {tensor["name"]: tuple(tensor["shape"]) for tensor in self.about["tensors"]}

    @property
    def labels(self) -> list[str]:
        """Names of the classes, or none."""
        return list(self.about["labels"])

    @property
    def provenance(self) -> list[dict[str, Any]]:
        """What each stage did, oldest first."""
        return list(self.about["provenance"] or [])

    def plan(self, *, threads: int = 1, max_batch: int = 1, ram: int | None = None) -> dict[str, Any]:
        """How this machine would run the network: the form of each layer, and bytes of memory.

        Errors: ``ValueError`` for a network that cannot be run, or that does not fit into `ram` bytes.
        """
        import json

        plan: dict[str, Any] = json.loads(self._file.plan(threads, max_batch, ram))
        return plan

    def weights(self, name: str) -> NDArray[float32]:
        """One tensor, decoded: float32 in its shape, zeros included. ``conv1`` is short for ``conv1.weight``."""
        shape, values, _, _, _ = self._parameter(name)
        dense: NDArray[float32] = _array(values, "<f4", shape)
        return dense

    def mask(self, name: str) -> NDArray[bool_]:
        """Which weights are kept, in the tensor's shape."""
        import numpy as np

        shape, _, mask, _, _ = self._parameter(name)
        return np.ones(shape, dtype=bool) if mask is None else _array(mask, "?", shape)

    def codes(self, name: str) -> NDArray[uint8]:
        """The index of each weight in the codebook, in the tensor's shape; 0 where the mask is false.

        Errors: ``ValueError`` for a tensor that is not shared.
        """
        shape, _, _, codes, _ = self._parameter(name)
        if codes is None:
            raise ValueError(f"{name}: its weights are not shared, so there are no codes")
        places: NDArray[uint8] = _array(codes, "u1", shape)
        return places

    def codebook(self, name: str) -> NDArray[float32]:
        """The values that the codes index: ``[n_levels]``, ascending, none of them zero.

        Errors: ``ValueError`` for a tensor that is not shared.
        """
        book = self._parameter(name)[4]
        if book is None:
            raise ValueError(f"{name}: its weights are not shared, so there is no codebook")
        values: NDArray[float32] = _array(book, "<f4", [len(book) // 4])
        return values

    def export(
        self,
        path: str | PathLike[str],
        *,
        to: Literal["onnx", "c", "rust"] | None = None,
        bytes: bool = False,
        activations: Literal["f32", "int8"] = "f32",
    ) -> None:
        """Write the network as a dense ONNX model, or as source in C or Rust that keeps the weights compressed.

        Parameters
        ----------
        path
            ``model.onnx``; ``digits.c``, and its header ``digits.h`` beside it; or the folder of a Rust crate. Each file
            appears completely or not at all.
        to
            Default: ``"c"`` where `path` ends in ``.c``, else ``"onnx"``.
        bytes
            For C and Rust: the inputs are bytes, which stand for themselves divided by 255.
        activations
            For C and Rust: the arithmetic of linear layers and convolutions. ``"int8"``, which processors without floating point
            multiply faster, needs a file with ranges (`calibrate`).

        Notes
        -----
        Errors: ``ValueError`` for a network that ONNX or source cannot express, or a name that cannot name functions.
        """
        kind = to or ("c" if os.fspath(path).endswith(".c") else "onnx")
        if activations not in ("f32", "int8"):
            raise ValueError(f"activations {activations!r}: there are 'f32' and 'int8'")
        is_int8 = activations == "int8"
        if kind == "onnx":
            if bytes or is_int8:
                raise ValueError(f"{'bytes' if bytes else 'activations'} is for C and Rust")
            _write(path, self._file.onnx(), self.path)
            return
        target = os.path.abspath(os.fspath(path))
        name = os.path.basename(target)
        if kind == "c":
            name = name.removesuffix(".c")
            code, header = self._file.source(name, bytes, is_int8, False)
            files = {target: code, os.path.join(os.path.dirname(target), f"{name}.h"): header}
        elif kind == "rust":
            code, manifest = self._file.source(name, bytes, is_int8, True)
            files = {os.path.join(target, "Cargo.toml"): manifest, os.path.join(target, "src", "lib.rs"): code}
            os.makedirs(os.path.join(target, "src"), exist_ok=True)
        else:
            raise ValueError(f"to {to!r}: there are 'onnx', 'c' and 'rust'")
        for place, text in files.items():
            _write(place, text.encode(), self.path)

    def repack(
        self,
        tier: str,
        path: str | PathLike[str] | None = None,
        *,
        minimal: bool = False,
        compact: bool = False,
    ) -> File:
        """The same content in another tier, as a file at `path` or in memory.

        `minimal` leaves out all that the network does not need to run: names, labels, history, accuracy, self-tests. `compact` does
        that and writes version 2 of the format, in which a small network of tier ``smallest`` takes the fewest bytes.
        Errors: ``ValueError`` for an unknown tier, for `compact` in another tier, or for a `path` that is this file.
        """
        return self._kept(self._file.repack(tier, minimal, compact), path)

    def calibrate(
        self, path: str | PathLike[str] | None = None, *, data: Any = None, prep: str | None = None
    ) -> File:
        """This file with the ranges that ``load(activations="int8")`` needs, at `path` or in memory.

        `data` and `prep` are as for `compress`: at most 512 images of the kind that the network is for. Without data the ranges
        are those of synthetic inputs. Nothing else of the file changes: its content hash stays.
        """
        from kompakt import _sources

        return self._kept(self._file.calibrate(_sources.calibration(data), prep), path)

    def patch(self, newer: str | PathLike[str] | File) -> bytes:
        """The bytes by which a newer edition of tier ``smallest`` differs from this file: `patched` makes it of them.

        Errors: ``ValueError`` for a newer edition of another tier.
        """
        other = newer if isinstance(newer, File) else File(newer)
        return self._file.patch(other._file)

    def patched(self, patch: bytes, path: str | PathLike[str] | None = None) -> File:
        """The newer edition, byte for byte, at `path` or in memory.

        Errors: ``ValueError`` for bytes that are not a patch, or one for another file.
        """
        return self._kept(self._file.patched(patch), path)

    def to_bytes(self) -> bytes:
        """The bytes of the file."""
        return self._file.to_bytes()

    def to_pandas(self) -> Any:
        """The layers as a pandas table; needs pandas."""
        try:
            import pandas
        except ImportError as error:
            raise ImportError("to_pandas needs pandas: pip install 'kompakt[pandas]'") from error
        return pandas.DataFrame(self.layers).set_index("name")

    def __repr__(self) -> str:
        ratio = f", {self.ratio:.1f} times smaller" if self.ratio else ""
        return f"<kompakt.File {self.path or 'in memory'}: {self.n_bytes} bytes, tier {self.tier}{ratio}>"

    def _repr_html_(self) -> str:
        from kompakt._html import page

        return page(self)

    def _kept(self, made: bytes, path: str | PathLike[str] | None) -> File:
        if path is None:
            return File.from_bytes(made)
        _write(path, made, self.path)
        return File(path)

    def _parameter(self, name: str) -> Any:
        for known in (name, f"{name}.weight"):
            try:
                return self._file.parameter(known)
            except KeyError:
                pass
        names = ", ".join(self._file.names())
        raise KeyError(f"no tensor {name!r}; there are {names}")


def _array(raw: bytearray, dtype: str, shape: list[int]) -> Any:
    import numpy as np

    return np.frombuffer(raw, dtype=dtype).reshape(shape)


def _write(path: str | PathLike[str], data: bytes, source: str | None) -> None:
    target = os.path.abspath(os.fspath(path))
    _native.check_output(target, [source] if source else [])
    _native.write_whole(target, data)
