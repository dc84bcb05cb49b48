"""Every entry point may be called from many threads at once, on shared objects, and gives what it gives in one."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

import kompakt

N_THREADS, ROUNDS = 8, 6


def test_threads_share_everything(packed: Path, network) -> None:
    model, file = kompakt.load(packed, max_batch=8), kompakt.open(packed)
    x, arrays = network.x[:16].copy(), {"a": np.arange(5000) % 11}
    data, other = kompakt.encode(arrays), kompakt.File(packed).repack("stream")

    def compressed() -> bytes:
        return kompakt.compress(network.arrays, graph=network.graph, target_size=2500, progress=False).packed

    calls: list[Callable[[], object]] = [
        lambda: model.run(x).tobytes(),
        lambda: model.run_all({"x": x})["fc2"].tobytes(),
        lambda: model.classify(x[0]),
        lambda: kompakt.load(packed).run(x).tobytes(),
        lambda: pickle.loads(pickle.dumps(model)).run(x).tobytes(),
        lambda: (file.codes("fc1").tobytes(), file.codebook("fc1").tobytes(), file.mask("fc1").tobytes()),
        lambda: (file.layers, file.content_hash, len(file.plan())),
        lambda: file.repack("direct").to_bytes(),
        lambda: other.patch(file),
        lambda: kompakt.diff(file, other),
        lambda: kompakt.encode(arrays),
        lambda: kompakt.decode(data)["a"].tobytes(),
        compressed,
    ]
    wanted = [call() for call in calls]
    wrong: list[str] = []
    start = threading.Barrier(N_THREADS)

    def work(first: int) -> None:
        start.wait()
        for i in range(ROUNDS * len(calls)):
            at = (first + i) % len(calls)
            # What takes longest is done once by each.
            if at == len(calls) - 1 and i >= len(calls):
                continue
            try:
                if calls[at]() != wanted[at]:
                    wrong.append(f"call {at}")
            except Exception as error:
                wrong.append(f"call {at}: {error!r}")

    threads = [threading.Thread(target=work, args=(2 * i,)) for i in range(N_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
