"""Compression of a trained network into a small file."""

from __future__ import annotations

import os
from types import SimpleNamespace

from kompakt import _native
from kompakt._native import TargetMissed as TargetMissed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from os import PathLike
    from typing import Any, Literal

    from numpy.typing import ArrayLike

    from kompakt._file import File
    from kompakt._native import Model

_UNITS = {"": 1, "b": 1, "k": 1e3, "kb": 1e3, "m": 1e6, "mb": 1e6, "g": 1e9, "gb": 1e9,
          "kib": 1024, "mib": 1024**2, "gib": 1024**3}  # fmt: skip

# What is judged image by image without labels, and what is one figure of all images.
_SHARES = ("agreement", "text")
_FIGURES = ("cosine", "mse", "snr", "boxes")

# One output by so many inputs.
_BLOCKS = ((1, 1), (1, 2), (1, 4), (1, 8))


def compress(
    model: Any,
    out: str | PathLike[str] | None = None,
    *,
    data: Any = None,
    labels: ArrayLike | None = None,
    judge: Any = None,
    max_drop: float | None = None,
    target_size: int | str | None = None,
    target_ratio: float | None = None,
    noise: float | None = None,
    metric: str = "accuracy",
    reach: float | None = None,
    activations: Literal["f32", "int8"] = "f32",
    block: tuple[int, int] = (1, 1),
    trellis: bool = False,
    prep: str | None = None,
    n_judges: int = 2000,
    tier: Literal["smallest", "stream", "direct"] = "smallest",
    graph: str | PathLike[str] | Mapping[str, Any] | None = None,
    example: Any = None,
    input_shape: Sequence[int] | Mapping[str, Sequence[int]] | None = None,
    max_size: Mapping[str, int] | None = None,
    fixed: bool = False,
    input_value: Mapping[str, ArrayLike] | None = None,
    scan: str | PathLike[str] | None = None,
    classes: Sequence[str] | None = None,
    check: bool = True,
    progress: bool | Callable[[str, float], object] = True,
) -> Compressed:
    """Make a trained network small, without training it.

    Each layer gets as many bits as it needs, and unimportant weights become zero. The same work as ``kompakt compress``.

    Parameters
    ----------
    model
        The path of an ONNX file or of a model of the stages (safetensors); the bytes of an ONNX model, or an
        ``onnx.ModelProto``; a ``torch.nn.Module``, with `example`; or a dictionary from parameter names to arrays (a state
        dict), with `graph`.
    out
        The path of the file, written completely or not at all. ``None``: it stays in memory, see `Compressed`.
    data
        Images of the kind that the network is for: an array ``[n, ...]``, an iterable of batches (arrays, tensors, or
        pairs of them and labels, as a ``DataLoader`` gives), the path of a folder of pictures or of another data set, or
        the name of a known one (``"mnist"``). uint8 arrays are pictures and are divided by 255. Of arrays and batches a
        quarter, at most 512, is used for calibration, and the rest, at most `n_judges`, for validation. Without data,
        calibration uses synthetic images.
    labels
        ``[n]``: the class number of each image of an array.
    judge
        Other data for validation: as `data`, or a pair of images and labels.
    max_drop
        Lose at most this many percentage points of accuracy, with 95 % confidence; needs `data`.
    target_size
        At most this many bytes, ``200_000`` or ``"200kB"``.
    target_ratio
        At most the original's bytes, four a parameter, over this.
    noise
        Let the layers' relative squared errors, each times the layer's sensitivity, sum to this. Default 0.005,
        where no other target is set.
    metric
        What is judged. With `max_drop`: ``"accuracy"`` or ``"top-5"`` (any number) by the labels, ``"agreement"`` with the original's
        answers, or ``"text"``, for recognisers: what is read alike. With `reach`: ``"cosine"``, ``"mse"``, ``"snr"`` (decibels) of all
        answers against the original's, or ``"boxes"``, for detectors: twice the boxes that both find over all boxes of both.
    reach
        Let that figure be at least this (mse: at most) on the validation images, which need no labels.
    activations
        The numbers in which layers read their inputs. With ``"int8"`` the file gets the ranges of these inputs, so that
        ``load(activations="int8")`` runs it faster, and accuracy is measured so.
    block
        Keep or drop blocks of weights instead of single ones: ``(1, 4)`` is one output by four inputs, or four input channels at
        one place of the kernel. ``(1, 2)``, ``(1, 4)`` and ``(1, 8)`` are possible.
    trellis
        Choose levels along a trellis (two quantisers that take turns): fewer bytes in the tier ``"smallest"`` for the same answers,
        more in the others. Earlier loaders refuse such files. Not with `block`.
    prep
        What is done to a raw image first, recorded in the file: a preset (``"imagenet"``, ``"normalize"``; see ``kompakt
        prep list``), words, or JSON. Default: what the model has recorded, else nothing.
    tier
        How weights are coded; `File.repack` switches without loss.
    input_shape
        The shape of an input that an ONNX model leaves open, batch left out; by name where there are several. Where the network
        works at other sizes too, it is stored at these, and stays open.
    max_size
        The greatest size of what an ONNX model leaves open, by the name that it has there: ``{"seq": 512}``. Default: 512, or more
        where stored sizes are larger.
    fixed
        Fix what an ONNX model leaves open to the sizes of `input_shape`.
    input_value
        Inputs of an ONNX model that never change, by name: they become a part of the network.
    scan
        The path of what is known of the layers before compression, as ``kompakt sense --scan`` writes it: used if it is there,
        else written. It saves most of the time of a second target for the same network.
    classes
        Names of the classes.
    check
        Check that the imported network answers as the ONNX file does.
    progress
        ``True``: a bar, where tqdm is installed. A function is called with what is being done and how much of it is done
        (0 to 1) instead. Ctrl-C ends the work immediately and leaves no file.

    Notes
    -----
    Errors: `TargetMissed` (with what came nearest as ``compressed``; nothing is written), ``ValueError`` for a network, data
    or an invalid option, ``OSError`` for what cannot be read or written.
    """
    wish = _wish(max_drop, target_size, target_ratio, noise, metric, reach)
    if tuple(block) not in _BLOCKS:
        raise ValueError(f"block {block!r}: there are {', '.join(map(str, _BLOCKS))}")
    if trellis and tuple(block) != (1, 1):
        raise ValueError("trellis and block exclude each other")
    wish.activations, wish.block, wish.trellis = activations, "x".join(map(str, block)), trellis
    if (max_drop is not None or reach is not None) and data is None:
        raise ValueError(f"{'max_drop' if reach is None else 'reach'} needs data")
    by_label = wish.metric.startswith("top-") and metric != "agreement"
    if max_drop is not None and by_label and _lacks_labels(data, labels, judge):
        raise ValueError("max_drop needs labels; without them, metric='agreement'")
    if fixed and max_size:
        raise ValueError("fixed and max_size exclude each other")
    target = None if out is None else os.path.abspath(os.fspath(out))
    import tempfile

    with tempfile.TemporaryDirectory(prefix="kompakt-") as folder:
        from kompakt import _sources

        path, graph_path = _sources.network(model, graph, example, folder)
        inputs = [given for given in (path, graph_path) if given]
        inputs += [str(given) for given in (data, judge) if isinstance(given, (str, os.PathLike)) and os.path.exists(given)]
        if target is not None:
            _native.check_output(target, inputs)
        kept = None if scan is None else os.path.abspath(os.fspath(scan))
        if kept is not None:
            _native.check_output(kept, inputs)
        network = SimpleNamespace(
            path=path,
            graph=graph_path,
            shapes=_shapes(input_shape),
            max_sizes=[(str(name), int(size)) for name, size in (max_size or {}).items()],
            fixed=fixed,
            values=_values(input_value),
            check=check,
            classes=list(classes or []),
        )
        source = _sources.data(data, labels, judge, n_judges)
        judged = None if source is None else (source, n_judges, not by_label, prep)
        with _Bar(progress) as bar:
            try:
                made = _native.compress_network(network, judged, wish, tier, kept, bar.tell)
            except Exception as error:
                _sources.name_what_was_given(error, folder)
                if isinstance(error, TargetMissed):
                    error.compressed = None
                raise
    compressed = Compressed(made)
    if made["missed"] is not None:
        missed = TargetMissed(made["missed"])
        missed.compressed = compressed
        raise missed
    if target is not None:
        compressed.save(target)
    return compressed


class Compressed:
    """What `compress` made.

    Attributes
    ----------
    packed : bytes
        The file.
    path : str or None
        Where it was written.
    n_bytes : int
    ratio : float
        Bytes of the original's parameters, four each, over all bytes of the file.
    accuracy : tuple of two floats, or None
        The share of validation images whose top class is the label, before and after (0 to 1). Without labels, what
        the original says is the label.
    agreement : float or None
        The share of validation images on which both networks answer the same.
    drop_bound : float or None
        What may be lost on other images like these, at most (0 to 1; 95 % confidence, one-sided).
    figure : float or None
        What the metric that `reach` bounds is on the validation images.
    n_judged : int
        Validation images.
    noise : float
        Summed relative error of the layers.
    layers : list of dict
        Weights, kept weights, levels, bits a weight, error and sensitivity of each layer.
    notes : list of str
        Further remarks.
    """

    def __init__(self, made: dict[str, Any]) -> None:
        self.packed: bytes = made["packed"]
        self.path: str | None = None
        self.n_bytes = len(self.packed)
        self.ratio: float = made["dense_bytes"] / max(self.n_bytes, 1)
        self.accuracy: tuple[float, float] | None = made.get("accuracy")
        self.agreement: float | None = made.get("agreement")
        self.drop_bound: float | None = made.get("drop_bound")
        self.figure: float | None = made["figure"]
        self.n_judged: int = made["n_judged"]
        self.noise: float = made["noise"]
        self.layers: list[dict[str, Any]] = made["layers"]
        self.notes: list[str] = made["notes"]

    def save(self, path: str | PathLike[str]) -> None:
        """Write the file, completely or not at all."""
        target = os.path.abspath(os.fspath(path))
        _native.check_output(target, [])
        _native.write_whole(target, self.packed)
        self.path = target

    def open(self) -> File:
        """Open the file for inspection."""
        from kompakt._file import File

        return File.from_bytes(self.packed) if self.path is None else File(self.path)

    def load(self, *, threads: int = 1, max_batch: int = 1, ram: int | None = None) -> Model:
        """Open the file, ready to run; it must have been saved.

        Errors: ``ValueError`` for a file that is in memory only.
        """
        if self.path is None:
            raise ValueError("the file is in memory only: save it first")
        return _native.Model(self.path, threads=threads, max_batch=max_batch, ram=ram)

    def to_pandas(self) -> Any:
        """The layers as a pandas table; needs pandas."""
        try:
            import pandas
        except ImportError as error:
            raise ImportError("to_pandas needs pandas: pip install 'kompakt[pandas]'") from error
        return pandas.DataFrame(self.layers).set_index("name")

    def __repr__(self) -> str:
        text = f"<kompakt.Compressed: {self.n_bytes} bytes, {self.ratio:.1f} times smaller"
        if self.accuracy:
            text += f", accuracy {self.accuracy[0]:.4f} before and {self.accuracy[1]:.4f} after"
        return text + ">"

    def _repr_html_(self) -> str:
        from kompakt._html import result

        return result(self)


def _wish(
    max_drop: float | None,
    size: int | str | None,
    ratio: float | None,
    noise: float | None,
    metric: str,
    reach: float | None,
) -> SimpleNamespace:
    places = metric.removeprefix("top-") if metric.startswith("top-") else ""
    if metric not in ("accuracy", *_SHARES, *_FIGURES) and not (places.isdecimal() and int(places) > 0):
        raise ValueError(f"metric {metric!r}: there are 'accuracy', 'top-K', {', '.join(map(repr, (*_SHARES, *_FIGURES)))}")
    if metric in _FIGURES and reach is None:
        raise ValueError(f"metric {metric!r} needs reach, the figure that is wanted")
    if reach is not None and metric not in _FIGURES:
        raise ValueError(f"reach is for metric {', '.join(map(repr, _FIGURES))}; {metric!r} is bounded by max_drop")
    if reach is not None and not abs(reach) < float("inf"):
        raise ValueError(f"reach {reach}: a number is needed")
    if reach is not None and (max_drop is not None or noise is not None):
        raise ValueError("reach excludes max_drop and noise")
    for name, value in (("target_ratio", ratio), ("noise", noise)):
        if value is not None and not 0 < value < float("inf"):
            raise ValueError(f"{name} {value}: a number above 0 is needed")
    if max_drop is not None and not 0 < max_drop <= 100:
        raise ValueError(f"max_drop {max_drop}: above 0 to 100 points are possible")
    if size is not None and ratio is not None:
        raise ValueError("target_size and target_ratio exclude each other")
    if noise is not None and any(wish is not None for wish in (max_drop, size, ratio)):
        raise ValueError("noise excludes max_drop, target_size and target_ratio")
    drop = None if max_drop is None else max_drop / 100
    # Agreement is accuracy without labels.
    name = "top-1" if metric in ("accuracy", "agreement") else metric
    return SimpleNamespace(
        drop=drop, bytes=None if size is None else _bytes(size), ratio=ratio, noise=noise, metric=name, reach=reach
    )


def _bytes(size: int | str) -> int:
    text = str(size).strip().lower()
    digits = len(text) - len(text.lstrip("0123456789."))
    try:
        count = int(float(text[:digits]) * _UNITS[text[digits:].strip()])
    except (KeyError, ValueError):
        raise ValueError(f"target_size {size!r}: a number of bytes, or one with kB, MB, GB, KiB, MiB or GiB") from None
    if count <= 0:
        raise ValueError(f"target_size {size!r}: a number above 0 is needed")
    return count


def _shapes(given: Sequence[int] | Mapping[str, Sequence[int]] | None) -> list[tuple[str, list[int]]]:
    if given is None:
        return []
    if hasattr(given, "items"):
        return [(name, [int(n) for n in shape]) for name, shape in given.items()]
    return [("", [int(n) for n in given])]


def _values(given: Mapping[str, ArrayLike] | None) -> list[tuple[str, list[float]]]:
    if not given:
        return []
    import numpy as np

    values = {str(name): np.asarray(value, dtype=np.float32).ravel() for name, value in given.items()}
    for name, value in values.items():
        if len(value) == 0 or not np.isfinite(value).all():
            raise ValueError(f"input_value[{name!r}]: numbers are needed, none of them infinite")
    return [(name, [float(v) for v in value]) for name, value in values.items()]


def _lacks_labels(data: Any, labels: Any, judge: Any) -> bool:
    """Whether arrays come without labels; of a source by name or of batches it is known later."""
    judges = data if judge is None else judge
    return hasattr(judges, "__array__") and not isinstance(judges, tuple) and (labels is None or judge is not None)


class _Bar:
    """A tqdm bar where tqdm is installed, or the caller's function."""

    def __init__(self, progress: bool | Callable[[str, float], object]) -> None:
        self.tell: Callable[[str, float], object] | None = None
        self._bar: Any = None
        if callable(progress):
            self.tell = progress
        elif progress:
            try:
                from tqdm.auto import tqdm
            except ImportError:
                return
            self._bar = tqdm(total=100, leave=False, delay=2, bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}")
            self.tell = self._draw

    def _draw(self, what: str, share: float) -> None:
        if self._bar.desc != what:
            self._bar.reset()
            self._bar.desc = what
        self._bar.n = round(100 * min(max(share, 0.0), 1.0), 1)
        self._bar.refresh()

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
