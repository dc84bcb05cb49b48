"""Nothing is held: every entry point leaves the reference counts of what it was given and what it returned as they were, an error in the
middle too, and memory stays flat."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_memory import is_flat

import kompakt

pytestmark = pytest.mark.skipif(not hasattr(sys, "getrefcount"), reason="this Python does not count references")

ROUNDS = 8


class Refused(Exception):
    """What a callback raises."""


def is_released(work: Callable[[], Any], *held: Any, rounds: int = ROUNDS, kinds: tuple[type, ...] = (object,)) -> None:
    """Neither `held`, nor what `work` returns, nor its errors are referred to by anything after it; and no objects of `kinds` stay."""

    def n_objects() -> int:
        return sum(issubclass(type(one), kinds) for one in gc.get_objects())

    # Everybody refers to `None`.
    held = tuple(one for one in held if one is not None)

    def once() -> None:
        try:
            made = work()
        except (ValueError, TypeError, KeyError, OSError, Refused, RuntimeError):
            return
        parts = list(made.values()) if isinstance(made, dict) else list(made) if isinstance(made, (list, tuple)) else [made]
        del made
        while parts:
            one = parts.pop()
            # `one` and the argument; small numbers and strings are everybody's.
            if isinstance(one, (np.ndarray, kompakt.Compressed, kompakt.File, kompakt.Model)) and not any(one is h for h in held):
                assert sys.getrefcount(one) == 2

    once()
    gc.collect()
    before = [sys.getrefcount(one) for one in held]
    n_before = n_objects()
    for _ in range(rounds):
        once()
    gc.collect()
    assert [sys.getrefcount(one) for one in held] == before
    assert n_objects() < n_before + rounds


def raises(*_: object) -> None:
    raise Refused


def test_runs(packed: Path, network) -> None:
    model = kompakt.load(packed, max_batch=8)
    x = network.x[:4].copy()
    foreign, wrong, text = x.astype(">f8"), x[:, 1:].copy(), np.array(["a"] * 64)
    picture = np.arange(64, dtype=np.uint8)
    out, small = np.zeros((4, 10), np.float32), np.zeros((3, 10), np.float32)
    given, outputs, missing = {"x": x}, {"fc2": out}, {"nothing": out}
    for run in (model.run, model.predict, model.run_all):
        for array in (x, foreign, wrong, text, picture, None):
            is_released(lambda: run(array), model, array)  # noqa: B023
    for run in (model.run, model.predict):
        for to in (out, small):
            is_released(lambda: run(x, out=to), model, x, to)  # noqa: B023
    is_released(lambda: model.run_all(given, out=outputs), model, given, outputs, x, out)
    is_released(lambda: model.run_all(given, out=missing), model, given, missing, x, out)
    is_released(lambda: model.run_all({"y": x}), model, x)
    is_released(lambda: model.classify(x[0]), model, x)
    is_released(lambda: model.classify(x), model, x)
    is_released(lambda: (model.inputs, model.outputs, model.labels, model.path, repr(model)), model)


def test_models_and_files(packed: Path, tmp_path: Path) -> None:
    path, bad = str(packed), str(tmp_path / "bad.kompakt")
    Path(bad).write_bytes(packed.read_bytes()[:-1])
    sizes = {"nothing": 3}
    is_released(lambda: kompakt.load(path), path)
    is_released(lambda: kompakt.load(bad), bad)
    is_released(lambda: kompakt.load(path, sizes=sizes), path, sizes)
    is_released(lambda: kompakt.load(path, ram=1), path)
    file = kompakt.open(path)
    data = file.to_bytes()
    older = file.repack("stream")
    patch = older.patch(file)
    for look in (file.weights, file.mask, file.codes, file.codebook):
        for name in ("fc1", "fc1.bias", "nothing"):
            is_released(lambda: look(name), file, name)  # noqa: B023
    is_released(lambda: kompakt.File.from_bytes(data), data)
    is_released(lambda: kompakt.File.from_bytes(data[:-1]), data)
    is_released(lambda: file.repack("direct"), file)
    is_released(lambda: file.repack("direct", compact=True), file)
    is_released(lambda: older.patched(patch), older, patch)
    is_released(lambda: file.patched(patch), file, patch)
    is_released(lambda: older.patch(file), older, file)
    is_released(lambda: kompakt.diff(file, older), file, older)
    is_released(lambda: file.plan(), file)


def test_arrays() -> None:
    arrays = {"a": np.arange(600) % 7, "b": np.eye(3, dtype=bool)}
    bad = {"a": arrays["a"], "b": np.array([object()])}
    data = kompakt.encode(arrays)
    is_released(lambda: kompakt.encode(arrays), arrays, *arrays.values())
    is_released(lambda: kompakt.encode(bad), bad, *bad.values())
    is_released(lambda: kompakt.encode(arrays, tier="gold"), arrays, *arrays.values())
    is_released(lambda: kompakt.decode(data), data)
    is_released(lambda: kompakt.decode(data[:-1]), data)
    buffer = bytearray(data)
    kompakt.decode(buffer)
    # A bytearray that something still reads cannot change its length.
    buffer.append(0)


def test_compressions(network, tmp_path: Path) -> None:
    arrays, graph, x, y = network.arrays, network.graph, network.x[:200].copy(), network.y[:200].copy()
    out = str(tmp_path / "a.kompakt")
    told: list[str] = []

    def tell(what: str, share: float) -> None:
        told.append(what)
        told.clear()

    def compress(**options: Any) -> Any:
        return kompakt.compress(arrays, out, graph=graph, progress=options.pop("progress", False), **options)

    held = [arrays, graph, x, y, out, tell, raises, *arrays.values()]
    is_released(lambda: compress(data=x, labels=y, target_size=2500), *held)
    is_released(lambda: compress(data=[x], metric="agreement", max_drop=9, progress=tell), *held)
    is_released(lambda: compress(data=x[:, 1:]), *held)
    is_released(lambda: compress(data=x, labels=y, target_size=100), *held)
    is_released(lambda: compress(progress=raises), *held)

    def batches() -> Any:
        yield x[:100]
        raise Refused

    is_released(lambda: compress(data=batches()), *held)
    assert x.base is None and (x.resize((100, 64), refcheck=False) is None)


def test_what_an_error_held_is_freed(packed: Path, network) -> None:
    """Memory is flat over errors in the middle."""
    model = kompakt.load(packed, max_batch=8)
    large = np.zeros((2000, 65), np.float64)
    data = packed.read_bytes() * 20

    def work() -> None:
        for fails in (lambda: model.run(large), lambda: kompakt.decode(data), lambda: kompakt.File.from_bytes(data)):
            with pytest.raises(ValueError):
                fails()
        with pytest.raises(Refused):
            kompakt.compress(network.arrays, graph=network.graph, data=network.x, labels=network.y, progress=raises)

    is_flat(work, 10, 30)
