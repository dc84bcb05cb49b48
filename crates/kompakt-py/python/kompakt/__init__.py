"""kompakt makes trained neural networks small, and runs them straight from the compressed file.

>>> import kompakt
>>> made = kompakt.compress("model.onnx", "model.kompakt", data=images, labels=labels, max_drop=0.5)  # doctest: +SKIP
>>> model = kompakt.load("model.kompakt")  # doctest: +SKIP
>>> label, probability = model.classify(image)[0]  # doctest: +SKIP

=====================  ==========================================================================
`compress`             a network into a file, with a promise about its size or its accuracy
`load`, `Model`        a file, ready to run, on the processor or on one of the `devices`
`open`, `File`         a file, looked into: shapes, bytes, weights, codes; other tiers, ONNX
`diff`                 the differences between two files
`encode`, `decode`     arrays of few values to bytes and back, by the file's own coder
`sweep`                many runs of a recipe, on this machine or on a Ray cluster
`kompakt.torch`        masks and shared weights while a PyTorch module trains
=====================  ==========================================================================

Errors: a fault in a file, a network or an argument is a `ValueError`, a file that cannot be read or written an
`OSError`, a target that was missed `TargetMissed`. NumPy is the only dependency; pandas, PyTorch, tqdm and
huggingface_hub are used where they are installed.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kompakt._arrays import decode as decode, encode as encode
    from kompakt._compress import Compressed as Compressed, TargetMissed as TargetMissed, compress as compress
    from kompakt._file import File as File, diff as diff, open as open
    from kompakt._load import load as load
    from kompakt._sweep import sweep as sweep
    from kompakt._native import Model as Model, __version__ as __version__, devices as devices

_WHERE = {
    "Compressed": "_compress",
    "File": "_file",
    "Model": "_native",
    "TargetMissed": "_compress",
    "__version__": "_native",
    "compress": "_compress",
    "decode": "_arrays",
    "devices": "_native",
    "diff": "_file",
    "encode": "_arrays",
    "load": "_load",
    "open": "_file",
    "sweep": "_sweep",
}

__all__ = [
    "Compressed",
    "File",
    "Model",
    "TargetMissed",
    "__version__",
    "compress",
    "decode",
    "devices",
    "diff",
    "encode",
    "load",
    "open",
    "sweep",
]


def __getattr__(name: str) -> object:
    """Import names on first use, so that `import kompakt` costs nothing."""
    module = _WHERE.get(name)
    if module is None:
        raise AttributeError(f"module 'kompakt' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"kompakt.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
