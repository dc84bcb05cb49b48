"""`kompakt.torch` holds nothing: modules and weights are as free after a call, and after an error in its middle, as before."""

from __future__ import annotations

import copy
import gc
import shutil
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
# The networks are small: more threads would wait for each other.
torch.set_num_threads(1)

import kompakt
import kompakt.torch
from test_memory import is_flat
from test_references import is_released
from torch import nn


@pytest.fixture(autouse=True)
def frozen() -> Iterator[None]:
    """What is there before a test, half a million objects of torch, is left out of the search for what is held."""
    freeze()
    yield
    gc.unfreeze()


def freeze() -> None:
    gc.collect()
    gc.freeze()


def network(*, norm: bool = False) -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 8, 5), nn.BatchNorm2d(8) if norm else nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 10)]
    net = nn.Sequential(*layers).eval()
    if norm:
        with torch.no_grad():
            net[1].weight.copy_(torch.rand(8) + 0.5)
    return net


def is_gone(work: Callable[[nn.Sequential], Any], net: nn.Sequential) -> None:
    """A copy of the network and all its tensors are freed when nobody but `work` has seen it."""
    mine = copy.deepcopy(net)
    tensors = [*mine.parameters(), *mine.buffers()]
    seen = [weakref.ref(one) for one in (mine, *mine.modules(), *tensors)]
    try:
        work(mine)
    except (ValueError, TypeError):
        pass
    seen += [weakref.ref(one) for one in (*mine.modules(), *mine.parameters(), *mine.buffers())]
    del mine, tensors
    gc.collect()
    assert [one() for one in seen if one() is not None] == []


PRUNINGS: list[dict[str, Any]] = [
    {"density": 0.1},
    {"density": 0.1, "rule": "erk"},
    {"density": {"4": 0.2}, "block": (4, 3)},
    {"density": 2.0},
    {"density": {"nothing": 0.2}},
    {"density": 0.1, "rule": "gold"},
    {"density": 0.1, "block": (0, 1)},
]

SHARINGS: list[dict[str, Any]] = [
    {"bits": 4},
    {"bits": {"4": 2}, "method": "linear", "codebook": "f16"},
    {"bits": 9},
    {"bits": {"nothing": 4}},
    {"bits": 4, "method": "gold"},
    {"bits": 4, "codebook": "gold"},
]


@pytest.mark.parametrize("options", PRUNINGS)
def test_pruning(options: dict[str, Any]) -> None:
    net = network()
    is_gone(lambda mine: kompakt.torch.prune(mine, **options), net)
    kompakt.torch.prune(net, 0.5)
    # Pruned once, it is pruned again in place.
    held = [net, *net.modules(), *net.parameters(), *net.buffers(), options]
    is_released(lambda: kompakt.torch.prune(net, **options), *held)


@pytest.mark.parametrize("options", SHARINGS)
def test_sharing(options: dict[str, Any]) -> None:
    net = network()
    is_gone(lambda mine: kompakt.torch.share(mine, **options), net)
    kompakt.torch.prune(net, 0.5)
    is_gone(lambda mine: kompakt.torch.share(mine, **options), net)
    kompakt.torch.share(net, 4)
    # What is shared already is refused.
    held = [net, *net.modules(), *net.parameters(), *net.buffers(), options]
    is_released(lambda: kompakt.torch.share(net, **options), *held)
    is_released(lambda: kompakt.torch.prune(net, 0.5), *held)


def test_a_schedule_and_the_price_of_a_bit() -> None:
    net, x = network(), torch.randn(4, 1, 12, 12)
    pruner = kompakt.torch.prune(net, 0.2, steps=100)
    held = [net, pruner, x, *net.modules(), *net.parameters(), *net.buffers()]
    is_released(lambda: (pruner.step(), pruner.density), *held)
    is_released(lambda: kompakt.torch.bits(net), *held)
    is_released(lambda: kompakt.torch.bits(net, levels=1), *held)

    def loss() -> None:
        (net(x).square().mean() + 1e-6 * kompakt.torch.bits(net)).backward()
        net.zero_grad()

    is_released(loss, *held)
    kompakt.torch.share(net, 3)
    held = [net, *net.modules(), *net.parameters(), *net.buffers()]
    is_released(loss, *held)
    is_released(lambda: list(kompakt.torch.layers(net)), *held)


def exported_once(patch: pytest.MonkeyPatch, model: nn.Module, example: torch.Tensor, path: Path) -> None:
    """From now on torch's exporter, which takes seconds, is replaced by what it made of `model`."""
    kompakt.torch.export(model, example, path)
    patch.setattr(kompakt.torch, "export", lambda model, example, to: shutil.copy(path, to))


def test_modules_become_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x, out = torch.randn(1, 1, 12, 12), str(tmp_path / "a.kompakt")
    net, normed = network(), network(norm=True)
    for model in (net, normed):
        kompakt.torch.share(model, 4)
    kompakt.torch.export(net, x, tmp_path / "a.onnx")
    freeze()
    held = [net, normed, x, out, *(part for model in (net, normed) for part in (*model.parameters(), *model.buffers()))]
    # The exporter keeps objects of its own, but neither modules nor their weights.
    kinds = (nn.Module, nn.Parameter, kompakt.File)
    is_released(lambda: kompakt.torch.pack(net, x, out), *held, rounds=2, kinds=kinds)
    # A batch norm behind shared weights, a folder that is not there.
    exported_once(monkeypatch, normed, x, tmp_path / "b.onnx")
    is_released(lambda: kompakt.torch.pack(normed, x), *held)
    is_released(lambda: kompakt.torch.pack(net, x, str(tmp_path / "nowhere/a.kompakt")), *held)


def test_memory_is_flat() -> None:
    """A copy of the large layer that stays anywhere, 1.6 MB each time, would be seen."""
    net = nn.Sequential(nn.Linear(400, 1000))

    def work() -> None:
        mine = copy.deepcopy(net)
        pruner = kompakt.torch.prune(mine, 0.3, steps=2)
        pruner.step(), pruner.step()
        kompakt.torch.share(mine, 2, method="linear")
        with pytest.raises(ValueError):
            kompakt.torch.share(mine, 2)
        with pytest.raises(ValueError):
            kompakt.torch.prune(mine, 0.1)

    is_flat(work, 10, 30)
