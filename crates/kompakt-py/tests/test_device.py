"""The device that a network is run on: what is refused, and the same answers on a GPU where the wheel and the machine have one."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

import kompakt


@pytest.mark.parametrize("given", [{"device": "tpu"}, {"device": "gpu:"}, {"decode": "later"}])
def test_what_is_no_device_is_a_value_error(packed: Path, given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="gpu:NAME|load, run or host"):
        kompakt.load(packed, **given)  # type: ignore[arg-type]


def test_a_device_that_is_not_there_is_a_runtime_error(packed: Path) -> None:
    with pytest.raises(RuntimeError, match="cpu"):
        kompakt.load(packed, device="gpu:no such GPU")


def test_auto_always_runs(packed: Path, network) -> None:
    x = network.x[:4]
    found = kompakt.load(packed, device="auto").run(x)
    np.testing.assert_allclose(found, kompakt.load(packed).run(x), rtol=0, atol=1e-4 * abs(found).max())


@pytest.mark.parametrize("options", [{}, {"decode": "run"}, {"decode": "host"}, {"vram": 64_000_000}])
def test_a_gpu_answers_as_the_processor(packed: Path, network, options) -> None:
    if not kompakt.devices():
        pytest.skip("no GPU, or a wheel without them")
    x = network.x[:5]
    model = kompakt.load(packed, device="gpu", max_batch=2, **options)
    expected = kompakt.load(packed).run(x)
    for one in (model, pickle.loads(pickle.dumps(model))):
        np.testing.assert_allclose(one.run(x), expected, rtol=0, atol=1e-4 * abs(expected).max())
