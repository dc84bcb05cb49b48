"""The device that a network is run on: what is refused, and the same answers on a GPU where the wheel and the machine have one."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

import kompakt


@pytest.mark.parametrize("given", [{"device": "tpu"}, {"device": "gpu:"}, {"decode": "later"}, {"timeout": 0}])
def test_what_is_no_device_is_a_value_error(packed: Path, given: dict[str, str | float]) -> None:
    with pytest.raises(ValueError, match="gpu:NAME|load, run or host|number of seconds"):
        kompakt.load(packed, **given)  # type: ignore[arg-type]


def test_a_device_that_is_not_there_is_a_runtime_error(packed: Path) -> None:
    with pytest.raises(RuntimeError, match="cpu"):
        kompakt.load(packed, device="gpu:no such GPU")


def test_auto_always_runs(packed: Path, network) -> None:
    x = network.x[:4]
    found = kompakt.load(packed, device="auto").run(x)
    np.testing.assert_allclose(found, kompakt.load(packed).run(x), rtol=0, atol=1e-4 * abs(found).max())


@pytest.mark.parametrize("options", [{}, {"decode": "run"}, {"decode": "host"}, {"vram": 64_000_000}, {"timeout": 600}])
def test_a_gpu_answers_as_the_processor(packed: Path, network, options) -> None:
    if not kompakt.devices():
        pytest.skip("no GPU, or a wheel without them")
    x = network.x[:5]
    model = kompakt.load(packed, device="gpu", max_batch=2, **options)
    expected = kompakt.load(packed).run(x)
    for one in (model, pickle.loads(pickle.dumps(model))):
        np.testing.assert_allclose(one.run(x), expected, rtol=0, atol=1e-4 * abs(expected).max())


def test_a_gpu_takes_other_sizes(fixtures: Path) -> None:
    path = fixtures / "open-sizes-stream.kompakt"
    if not kompakt.devices():
        with pytest.raises(RuntimeError, match="without GPUs|no GPU"):
            kompakt.load(path, device="gpu")
        return
    model = kompakt.load(path, device="gpu", max_batch=2)
    ((name, sizes),) = model.open_sizes.items()
    for size in (sizes[-1], sizes[0], sizes[-1]):
        x = (np.arange(3 * size) % 10).astype(np.float32).reshape(3, size)
        expected = kompakt.load(path, sizes={name: size}).run_all(x)
        for one in (model, kompakt.load(path, device="gpu", sizes={name: size})):
            found = one.run_all(x)
            assert {n: a.shape for n, a in found.items()} == {n: a.shape for n, a in expected.items()}
            for output, wanted in expected.items():
                np.testing.assert_allclose(found[output], wanted, rtol=0, atol=1e-4 * max(1e-3, abs(wanted).max()))
    with pytest.raises(ValueError, match=name):
        model.run(np.zeros(sizes[-1] + 1, np.float32))


def test_a_gpu_that_does_not_answer_in_time_is_a_runtime_error(packed: Path, network) -> None:
    if not kompakt.devices():
        pytest.skip("no GPU, or a wheel without them")
    with pytest.raises(RuntimeError, match="has not answered"):
        model = kompakt.load(packed, device="gpu", timeout=1e-9)
        for _ in range(50):
            model.run(network.x[:4])
