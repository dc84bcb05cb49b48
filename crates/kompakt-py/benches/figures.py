"""What Python adds to the time of the Rust code:  python figures.py [PROGRAM] [--model FILE.onnx OPTIONS...]

Times are minima of runs that alternate. PROGRAM is the command line that `compress` is compared with, by default the one in the wheel.
With --model only `compress` is measured, on that file and with these options of the command line: ``--data mnist --max-drop 0.5``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

import kompakt

IMPORT = "import time; t = time.perf_counter(); import kompakt; kompakt.load; print(time.perf_counter() - t)"
COMPRESS = "import json, sys, kompakt; kompakt.compress(sys.argv[1], sys.argv[2], progress=False, **json.loads(sys.argv[3]))"
ROUNDS = 5


def lenet5(random: np.random.Generator) -> tuple[dict[str, np.ndarray], dict[str, object]]:
    """LeNet-5 as Caffe has it: 431,080 parameters."""
    shapes = {"conv1": (20, 1, 5, 5), "conv2": (50, 20, 5, 5), "fc1": (500, 800), "fc2": (10, 500)}
    arrays: dict[str, np.ndarray] = {}
    for name, shape in shapes.items():
        arrays[f"{name}.weight"] = (random.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
        arrays[f"{name}.bias"] = np.zeros(shape[0], np.float32)
    nodes = [
        {"name": "conv1", "op": "conv2d", "inputs": ["x"], "out_channels": 20, "kernel": 5},
        {"name": "pool1", "op": "max_pool", "inputs": ["conv1"], "kernel": 2, "stride": 2},
        {"name": "conv2", "op": "conv2d", "inputs": ["pool1"], "out_channels": 50, "kernel": 5},
        {"name": "pool2", "op": "max_pool", "inputs": ["conv2"], "kernel": 2, "stride": 2},
        {"name": "flatten", "op": "flatten", "inputs": ["pool2"]},
        {"name": "fc1", "op": "linear", "inputs": ["flatten"], "out_features": 500},
        {"name": "relu", "op": "relu", "inputs": ["fc1"]},
        {"name": "fc2", "op": "linear", "inputs": ["relu"], "out_features": 10},
    ]
    return arrays, {"inputs": [{"name": "x", "shape": [1, 28, 28]}], "nodes": nodes, "outputs": ["fc2"]}


def seconds(work: Callable[[], object], n: int) -> float:
    started = time.perf_counter()
    for _ in range(n):
        work()
    return (time.perf_counter() - started) / n


def cpu_seconds(command: Sequence[str]) -> float:
    """Of a process, and of its threads."""
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    assert status == 0, command
    return used.ru_utime + used.ru_stime


def compare(program: Sequence[str], onnx: str, folder: Path, options: Sequence[str]) -> None:
    """Processor seconds of `compress` by Python and by the command line."""
    pairs = dict(zip([word[2:].replace("-", "_") for word in options[::2]], options[1::2], strict=True))
    numbers = {name: float(value) if name in ("max_drop", "target_ratio", "noise") else value for name, value in pairs.items()}
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(cpu_seconds([sys.executable, "-c", COMPRESS, onnx, str(folder / "a.kompakt"), json.dumps(numbers)]))
        theirs.append(cpu_seconds([*program, "compress", onnx, "-o", str(folder / "b.kompakt"), "--quiet", *options]))
    assert (folder / "a.kompakt").read_bytes() == (folder / "b.kompakt").read_bytes()
    ratio = min(ours) / min(theirs) - 1
    print(f"compress: Python {min(ours):.2f} s, command line {min(theirs):.2f} s of a processor: {ratio:+.1%}")


def main() -> None:
    words = sys.argv[1:]
    at = words.index("--model") if "--model" in words else len(words)
    program = words[:at] or [sys.executable, "-m", "kompakt"]
    if at < len(words):
        with tempfile.TemporaryDirectory() as name:
            compare(program, words[at + 1], Path(name), words[at + 2 :])
        return
    imports = [float(subprocess.check_output([sys.executable, "-c", IMPORT])) for _ in range(10)]
    print(f"import kompakt: {1e3 * min(imports):.1f} ms")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        arrays, graph = lenet5(np.random.default_rng(0))
        path, onnx = folder / "lenet5.kompakt", folder / "lenet5.onnx"
        kompakt.compress(arrays, path, graph=graph, progress=False)
        kompakt.open(path).export(onnx)

        model = kompakt.load(path)
        x, out = np.ones(model.input_shape, np.float32), np.empty(model.output_shape, np.float32)
        rust, python, into = [], [], []
        for _ in range(10):
            command = [sys.executable, "-m", "kompakt", "run", str(path), "--bench", "--json"]
            rust.append(json.loads(subprocess.check_output(command, stderr=subprocess.DEVNULL))["min_ms"] / 1e3)
            python += [seconds(lambda: model.run(x), 20) for _ in range(50)]
            into += [seconds(lambda: model.run(x, out=out), 20) for _ in range(50)]
        times = " µs, ".join(f"{what} {1e6 * min(found):.1f}" for what, found in (("Rust", rust), ("Python", python), ("with out=", into)))
        print(f"one run of LeNet-5: {times} µs; Python adds {1e6 * (min(python) - min(rust)):.1f} µs")

        compare(program, str(onnx), folder, [])


if __name__ == "__main__":
    main()
