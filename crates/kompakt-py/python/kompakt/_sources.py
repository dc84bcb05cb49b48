"""Conversion of paths, modules, loaders and arrays to the arguments of the native half."""

from __future__ import annotations

import os
from types import SimpleNamespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Calibration images.
_SEEN = 512

# What is written to a temporary folder for the native half, as errors call it.
_GIVEN = {"model.onnx": "the model", "model.safetensors": "the arrays", "graph.json": "the graph"}


def network(model: Any, graph: Any, example: Any, folder: str) -> tuple[str, str | None]:
    """The path of a network, and of its graph where it does not carry it. A model without a path is written to `folder`."""
    path = os.path.join(folder, "model.onnx")
    if isinstance(model, (str, os.PathLike)):
        return os.fspath(model), _graph(graph, folder)
    if hasattr(model, "SerializeToString"):
        model = model.SerializeToString()
    if isinstance(model, (bytes, bytearray, memoryview)):
        with open(path, "wb") as file:
            file.write(model)
        return path, None
    if hasattr(model, "state_dict") and hasattr(model, "forward"):
        if example is None:
            raise ValueError("a torch module needs example=, an input (or a tuple of inputs) that it is traced with")
        from kompakt.torch import export

        export(model, example, path)
        return path, None
    if hasattr(model, "items"):
        if graph is None:
            raise ValueError("a dictionary of arrays needs graph=, the network that they belong to")
        return _safetensors(model, folder), _graph(graph, folder)
    raise TypeError(
        f"{type(model).__name__} is no network: a path, ONNX bytes, an onnx.ModelProto, a torch.nn.Module or a dictionary of "
        "arrays is"
    )


def name_what_was_given(error: BaseException, folder: str) -> None:
    """Let an error speak of the model, arrays or graph instead of the files in `folder` that stand for them."""
    text = str(error.args[0]) if len(error.args) == 1 else ""
    if folder in text:
        for file, name in _GIVEN.items():
            text = text.replace(os.path.join(folder, file), name)
        error.args = (text,)


def _graph(graph: Any, folder: str) -> str | None:
    if graph is None or isinstance(graph, (str, os.PathLike)):
        return None if graph is None else os.fspath(graph)
    import json

    path = os.path.join(folder, "graph.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(graph, file)
    return path


def _safetensors(arrays: Any, folder: str) -> str:
    """A safetensors file of float32 arrays."""
    import json

    import numpy as np

    header, parts, at = {}, [], 0
    for name, given in arrays.items():
        array = np.ascontiguousarray(_array(given), dtype="<f4")
        header[str(name)] = {"dtype": "F32", "shape": np.shape(given), "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
        parts.append(array)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path = os.path.join(folder, "model.safetensors")
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for part in parts:
            file.write(part.tobytes())
    return path


def data(images: Any, labels: Any, judge: Any, n_judges: int) -> Any:
    """Names of sources, or images for calibration and for validation."""
    if images is None:
        if labels is not None or judge is not None:
            raise ValueError("labels and judge need data")
        return None
    if isinstance(images, (str, os.PathLike)):
        if labels is not None:
            raise ValueError("labels belong to an array; a source by name brings its own")
        if judge is not None and not isinstance(judge, (str, os.PathLike)):
            raise ValueError("where data is the name of a source, judge is one too")
        return os.fspath(images), None if judge is None else os.fspath(judge)
    import numpy as np

    most = _SEEN if judge is not None else 4 * (_SEEN + n_judges)
    x, y = _gathered(images, labels, most)
    if judge is None:
        n = len(x)
        looked = np.unique(np.linspace(0, n - 1, min(_SEEN, max(1, n // 4))).round().astype(int))
        rest = np.setdiff1d(np.arange(n), looked)
        if len(rest) == 0:
            rest = looked
        chosen = np.unique(np.linspace(0, len(rest) - 1, min(n_judges, len(rest))).round().astype(int))
        return _images(x, y, looked), _images(x, y, rest[chosen])
    both = isinstance(judge, tuple) and len(judge) == 2
    x_judge, y_judge = _gathered(judge[0] if both else judge, judge[1] if both else None, n_judges)
    looked = np.unique(np.linspace(0, len(x) - 1, min(_SEEN, len(x))).round().astype(int))
    judging = np.unique(np.linspace(0, len(x_judge) - 1, min(n_judges, len(x_judge))).round().astype(int))
    return _images(x, y, looked), _images(x_judge, y_judge, judging)


def calibration(images: Any) -> Any:
    """The name of a source, or at most 512 images and one to judge by."""
    if images is None or isinstance(images, (str, os.PathLike)):
        return None if images is None else (os.fspath(images), None)
    import numpy as np

    x, _ = _gathered(images, None, _SEEN)
    looked = np.unique(np.linspace(0, len(x) - 1, min(_SEEN, len(x))).round().astype(int))
    return _images(x, None, looked), _images(x, None, looked[:1])


def _gathered(images: Any, labels: Any, most: int) -> tuple[Any, Any]:
    """All images `[n, ...]` with their labels, or the first of an iterable of batches."""
    import numpy as np

    if hasattr(images, "__array__") or _is_list_of_numbers(images):
        x, y = _array(images), None if labels is None else _array(labels)
    else:
        if labels is not None:
            raise ValueError("batches bring their own labels, as pairs")
        xs, ys, n = [], [], 0
        for batch in images:
            if isinstance(batch, (tuple, list)) and len(batch) == 2:
                batch, label = batch
                ys.append(np.atleast_1d(_array(label)))
            xs.append(_array(batch))
            n += len(xs[-1])
            if n >= most:
                break
        if not xs:
            raise ValueError("data has no images")
        if ys and len(ys) != len(xs):
            raise ValueError("some batches have labels, some have none")
        x, y = np.concatenate(xs), np.concatenate(ys) if ys else None
    if x.ndim < 2 or len(x) == 0:
        raise ValueError(f"data of shape {x.shape}: (n, ...) with at least one image is needed")
    if x.dtype.kind not in "fiub":
        raise TypeError(f"data of type {x.dtype}; real numbers are needed")
    if y is not None:
        if y.shape != (len(x),):
            raise ValueError(f"labels of shape {y.shape} for {len(x)} images: ({len(x)},) is needed")
        if y.dtype.kind not in "iub" or (len(y) and (y.min() < 0 or y.max() > 65535)):
            raise ValueError("labels are class numbers, whole and from 0 to 65535")
    return x, y


def _is_list_of_numbers(images: Any) -> bool:
    return isinstance(images, (list, tuple)) and bool(images) and isinstance(images[0], (list, int, float))


def _array(given: Any) -> Any:
    """An array of NumPy, of a torch tensor too."""
    import numpy as np

    if hasattr(given, "detach"):
        given = given.detach().cpu().numpy()
    return np.asarray(given)


def _images(x: Any, y: Any, chosen: Any) -> SimpleNamespace:
    import numpy as np

    images = x[chosen]
    dims = images.shape[1:]
    if len(dims) == 2:
        dims = (1, *dims)
    elif len(dims) != 3:
        dims = (int(np.prod(dims)),)
    is_bytes = images.dtype == np.uint8
    numbers = np.ascontiguousarray(images, dtype=np.uint8 if is_bytes else np.float32)
    return SimpleNamespace(
        dims=[int(n) for n in dims],
        bytes=numbers if is_bytes else None,
        floats=None if is_bytes else numbers,
        labels=None if y is None else [int(label) for label in y[chosen]],
    )
