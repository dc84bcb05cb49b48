"""`kompakt.torch` against the stages of the command line on the same weights, and in a training loop."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
# The networks are small: more threads would wait for each other.
torch.set_num_threads(1)

import kompakt
import kompakt.torch
from kompakt import _sources
from torch import nn

GRAPH = {
    "inputs": [{"name": "x", "shape": [1, 12, 12]}],
    "nodes": [
        {"name": "conv1", "op": "conv2d", "inputs": ["x"], "out_channels": 8, "kernel": 5},
        {"name": "relu1", "op": "relu", "inputs": ["conv1"]},
        {"name": "pool1", "op": "max_pool", "inputs": ["relu1"], "kernel": 2, "stride": 2},
        {"name": "flatten1", "op": "flatten", "inputs": ["pool1"]},
        {"name": "fc1", "op": "linear", "inputs": ["flatten1"], "out_features": 40},
        {"name": "relu2", "op": "relu", "inputs": ["fc1"]},
        {"name": "fc2", "op": "linear", "inputs": ["relu2"], "out_features": 10},
    ],
    "outputs": ["fc2"],
}


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.fc1, self.fc2 = nn.Conv2d(1, 8, 5), nn.Linear(128, 40), nn.Linear(40, 10)

    def forward(self, x):
        x = torch.max_pool2d(torch.relu(self.conv1(x)), 2).flatten(1)
        return self.fc2(torch.relu(self.fc1(x)))


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net()


def stage(name: str, arrays, folder: Path, *options: str) -> dict[str, np.ndarray]:
    """What a stage makes of weights: all tensors of its safetensors file."""
    source, graph, made = _sources._safetensors(arrays, str(folder)), folder / "graph.json", folder / f"{name}.safetensors"
    graph.write_text(json.dumps(GRAPH))
    command = [sys.executable, "-m", "kompakt", name, source, "--graph", str(graph), "-o", str(made), *options]
    subprocess.run(command, check=True, capture_output=True)
    raw = made.read_bytes()
    n = int.from_bytes(raw[:8], "little")
    kinds = {"F32": "<f4", "U8": "u1", "BOOL": "?", "F16": "<f2"}
    header = {k: v for k, v in json.loads(raw[8 : 8 + n]).items() if k != "__metadata__"}
    return {
        k: np.frombuffer(raw[8 + n :][slice(*v["data_offsets"])], kinds[v["dtype"]]).reshape(v["shape"])
        for k, v in header.items()
    }


@pytest.mark.parametrize("rule", ["lamp", "global", "uniform", "erk"])
def test_masks_are_those_of_the_stage(net: Net, tmp_path: Path, rule: str) -> None:
    wanted = stage("prune", net.state_dict(), tmp_path, "--density", "0.1", "--rule", rule, "--keep-dead-units")
    pruner = kompakt.torch.prune(net, density=0.1, rule=rule)
    assert abs(pruner.density - 0.1) < 1e-3
    for name, module in kompakt.torch.layers(net):
        mask = kompakt.torch._mask(module).numpy()
        assert np.array_equal(mask, wanted.get(f"{name}.weight.mask", np.ones(mask.shape, bool)))
        assert np.array_equal(module.weight.detach().numpy(), wanted[f"{name}.weight"])


@pytest.mark.parametrize("method", ["linear", "density", "forgy", "exact"])
def test_codes_and_centroids_are_those_of_the_stage(net: Net, tmp_path: Path, method: str) -> None:
    kompakt.torch.prune(net, density=0.3)
    arrays = {k.replace("parametrizations.weight.original", "weight"): v for k, v in net.state_dict().items() if "0.mask" not in k}
    arrays |= {f"{name}.weight": module.weight for name, module in kompakt.torch.layers(net)}
    how = ["--method", "exact"] if method == "exact" else ["--method", "kmeans", "--init", method]
    options = ["--bits", "4", "--codebook-format", "f32", "--bias-format", "f32", "--seed", "3", *how]
    wanted = stage("cluster", arrays, tmp_path, *options)
    kompakt.torch.share(net, bits=4, method=method, seed=3)
    for name, module in kompakt.torch.layers(net):
        shared = module.parametrizations["weight"]
        assert np.array_equal(shared.original.detach().numpy(), wanted[f"{name}.weight.codebook"])
        assert np.array_equal(shared[0].codes.numpy(), wanted[f"{name}.weight.codes"])


def test_what_is_pruned_stays_zero_and_centroids_move_by_the_sum(net: Net) -> None:
    torch.manual_seed(1)
    x, y = torch.randn(64, 1, 12, 12), torch.randint(0, 10, (64,))

    def train(n: int) -> float:
        optimizer = torch.optim.Adam(net.parameters(), 1e-2)
        for _ in range(n):
            loss = nn.functional.cross_entropy(net(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return float(loss.detach())

    train(20)
    pruner = kompakt.torch.prune(net, density=0.2, steps=4)
    reached = []
    for _ in range(4):
        reached.append(pruner.step())
        train(5)
    assert reached == sorted(reached, reverse=True) and abs(reached[-1] - 0.2) < 1e-3
    assert abs(reached[0] - (0.2 + 0.8 * 0.75**3)) < 1e-3
    assert int((net.fc1.weight == 0).sum()) == int((~kompakt.torch._mask(net.fc1)).sum())
    kompakt.torch.share(net, bits=5)
    before = train(1)
    assert train(60) < before
    shared = net.fc1.parametrizations["weight"]
    assert shared.original.shape[0] <= 32

    net.zero_grad()
    nn.functional.cross_entropy(net(x), y).backward()
    codes, mask, summed = shared[0].codes.long(), shared[0].mask, shared.original.grad.clone()
    dense = net.fc1.weight.detach().clone().requires_grad_()
    hidden = torch.max_pool2d(torch.relu(net.conv1(x)), 2).flatten(1).detach()
    answer = net.fc2(torch.relu(nn.functional.linear(hidden, dense, net.fc1.bias)))
    nn.functional.cross_entropy(answer, y).backward()
    for code in range(len(summed)):
        wanted = dense.grad[mask & (codes == code)].sum()
        torch.testing.assert_close(summed[code], wanted, rtol=1e-4, atol=1e-6)


def test_blocks_are_kept_or_dropped(net: Net) -> None:
    """Against a brute force: of blocks of 8 outputs by 3 inputs, the last one narrower, those with the largest mean square."""
    weight = net.fc1.weight.detach().numpy().copy()
    pruner = kompakt.torch.prune(net, {"fc1": 0.3, "conv1": 0.5}, block=(8, 3))
    norms = {(r, c): (weight[8 * r : 8 * r + 8, 3 * c : 3 * c + 3] ** 2).mean() for r in range(5) for c in range(43)}
    kept = sorted(norms, key=norms.get, reverse=True)[: round(0.3 * len(norms))]
    wanted = np.zeros(weight.shape, bool)
    for r, c in kept:
        wanted[8 * r : 8 * r + 8, 3 * c : 3 * c + 3] = True
    assert (kompakt.torch._mask(net.fc1).numpy() != wanted).mean() < 0.01
    assert bool(kompakt.torch._mask(net.fc2).all()) and pruner.density < 0.5
    with pytest.raises(ValueError, match="block"):
        kompakt.torch.prune(Net(), 0.5, block=(0, 1))


def test_blocks_of_a_kernel_are_channels_at_one_place() -> None:
    """As of `kompakt prune --block 1x4`; the last block of 6 channels has 2."""
    conv = nn.Conv2d(6, 5, 3)
    weight = conv.weight.detach().numpy().reshape(5, 6, 9)
    kompakt.torch.prune(nn.Sequential(conv), 0.3, rule="uniform", block=(1, 4))
    mask = kompakt.torch._mask(conv).numpy().reshape(5, 6, 9)
    norms = np.stack([(weight[:, :4] ** 2).mean(1), (weight[:, 4:] ** 2).mean(1)], 1)
    kept = np.stack([mask[:, 0], mask[:, 4]], 1)
    assert (mask[:, :4] == mask[:, :1]).all() and (mask[:, 4] == mask[:, 5]).all()
    assert kept.sum() == round(0.3 * kept.size) and norms[kept].min() >= norms[~kept].max()


def test_the_price_of_a_bit_is_that_of_a_coder_and_makes_files_smaller(net: Net) -> None:
    with torch.no_grad():
        for _, module in kompakt.torch.layers(net):
            step = module.weight.abs().max() / 16
            module.weight.copy_((module.weight / step).round() * step)
    wanted = 0.0
    for _, module in kompakt.torch.layers(net):
        _, counts = np.unique(module.weight.detach().numpy().round(5), return_counts=True)
        wanted -= (counts * np.log2(counts / counts.sum())).sum()
    assert abs(float(kompakt.torch.bits(net).detach()) / wanted - 1) < 0.05

    x, y = torch.randn(64, 1, 12, 12), torch.randint(0, 10, (64,))
    found = []
    for price in (0.0, 1e-4):
        torch.manual_seed(0)
        trained = Net()
        for _, module in kompakt.torch.layers(trained):
            nn.init.normal_(module.weight, std=0.1)
        optimizer = torch.optim.Adam(trained.parameters(), 1e-3)
        for _ in range(100):
            loss = nn.functional.cross_entropy(trained(x), y) + price * kompakt.torch.bits(trained)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        found.append(float(kompakt.torch.bits(trained).detach()))
    assert found[1] < 0.9 * found[0]
    kompakt.torch.share(net, bits=4)
    assert float(kompakt.torch.bits(net)) <= 4.2 * sum(m.weight.numel() for _, m in kompakt.torch.layers(net))
    with pytest.raises(ValueError, match="levels"):
        kompakt.torch.bits(net, levels=1)


def test_a_module_becomes_a_file_without_loss(net: Net, tmp_path: Path) -> None:
    kompakt.torch.prune(net, density=0.3)
    kompakt.torch.share(net, bits=4)
    file = kompakt.torch.pack(net, torch.zeros(1, 1, 12, 12), tmp_path / "a.kompakt")
    assert [layer["levels"] <= 16 for layer in file.layers if len(layer["shape"]) > 1] == [True] * 3
    x = torch.randn(5, 1, 12, 12)
    found = kompakt.load(tmp_path / "a.kompakt").run(x.numpy())
    np.testing.assert_allclose(found, net(x).detach().numpy(), atol=1e-5)
    name = next(iter(name for name, shape in file.shapes.items() if shape == (10, 40)))
    assert set(file.codebook(name)) <= set(net.fc2.parametrizations["weight"].original.detach().numpy())
    assert kompakt.torch.pack(net, torch.zeros(1, 1, 12, 12)).content_hash == file.content_hash


def test_modules_and_loaders_are_compressed(net: Net) -> None:
    images = torch.utils.data.TensorDataset(torch.randn(400, 1, 12, 12))
    loader = torch.utils.data.DataLoader(images, batch_size=50)
    batches = (batch for (batch,) in loader)
    made = kompakt.compress(net, data=batches, example=torch.zeros(1, 1, 12, 12), target_ratio=8, progress=False)
    assert made.ratio >= 8 and made.n_judged == 300
    with pytest.raises(ValueError, match="example"):
        kompakt.compress(net, progress=False)


def test_what_cannot_be_is_refused(net: Net) -> None:
    for density, what in ((0.0, "density"), (2.0, "density"), ({"fc9": 0.5}, "fc9")):
        with pytest.raises(ValueError, match=what):
            kompakt.torch.prune(Net(), density=density)
    with pytest.raises(ValueError, match="rule"):
        kompakt.torch.prune(Net(), density=0.5, rule="luck")
    with pytest.raises(ValueError, match="1 to 8"):
        kompakt.torch.share(net, bits=9)
    kompakt.torch.share(net, bits={"fc1": 3})
    with pytest.raises(ValueError, match="shared"):
        kompakt.torch.share(net, bits=3)
    with pytest.raises(ValueError, match="no linear layer"):
        kompakt.torch.prune(nn.ReLU(), density=0.5)


def test_batch_norms_behind_shared_weights_are_refused() -> None:
    net = nn.Sequential(nn.Conv2d(1, 64, 3), nn.BatchNorm2d(64), nn.Flatten(), nn.Linear(6400, 10)).eval()
    with torch.no_grad():
        net[1].running_var.copy_(torch.rand(64) + 0.5)
    kompakt.torch.share(net, bits=6)
    with pytest.raises(ValueError, match="fuse_conv_bn_eval"):
        kompakt.torch.pack(net, torch.zeros(1, 1, 12, 12))
