"""Nothing leaks: memory stays flat over a thousand runs, and over many files opened and compressed."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import kompakt

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")


def resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def is_flat(work: Callable[[], object], n_first: int, n: int) -> None:
    for _ in range(n_first):
        work()
    before = resident()
    for _ in range(n):
        work()
    assert resident() < 1.05 * before


def test_a_thousand_runs(packed: Path, network) -> None:
    model = kompakt.load(packed, max_batch=8)
    out = np.zeros((8, 10), np.float32)

    def work() -> None:
        model.run(network.x[:8])
        model.run(network.x[:8].astype(">f8"), out=out)
        model.run_all({"x": network.x[:16]})
        model.classify(network.x[0])
        with pytest.raises(ValueError):
            model.run(network.x[:, 1:])

    is_flat(work, 100, 1000)


def test_a_thousand_files(packed: Path) -> None:
    def work() -> None:
        file = kompakt.open(packed)
        file.codes("fc1")
        file.repack("stream")
        kompakt.load(packed)
        kompakt.decode(kompakt.encode({"a": np.arange(600) % 7}))

    is_flat(work, 100, 1000)


def test_many_compressions(network) -> None:
    def work() -> None:
        kompakt.compress(network.arrays, graph=network.graph, progress=False)

    is_flat(work, 20, int(os.environ.get("KOMPAKT_CYCLES", "40")))
