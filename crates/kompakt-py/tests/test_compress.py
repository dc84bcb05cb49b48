"""`kompakt.compress`: what it takes, what it promises, how it ends."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import kompakt


def small(network, *arguments, **options) -> kompakt.Compressed:
    return kompakt.compress(network.arrays, *arguments, graph=network.graph, progress=False, **options)


def test_a_network_becomes_smaller_and_answers_the_same(network, tmp_path: Path) -> None:
    made = small(network, tmp_path / "a.kompakt", data=network.x, labels=network.y, max_drop=2)
    assert made.ratio > 8 and made.n_judged == 1125 and made.drop_bound <= 0.02
    model = made.load(max_batch=32)
    agreement = (model.run(network.x).argmax(1) == network.answers(network.x).argmax(1)).mean()
    assert abs(agreement - made.agreement) < 0.02
    assert (tmp_path / "a.kompakt").stat().st_size == made.n_bytes == len(made.packed)
    assert [layer["name"] for layer in made.layers] == ["fc1.weight", "fc2.weight"]
    assert "accuracy before" in made.notes[0] and "times smaller" in repr(made)


def test_sizes_and_ratios_are_kept(network) -> None:
    assert small(network, target_size="2.5kB").n_bytes <= 2500
    assert small(network, target_ratio=8).ratio >= 8
    assert small(network, noise=0.001).n_bytes > small(network, noise=0.1).n_bytes


def test_batches_are_what_the_array_is(network) -> None:
    whole = small(network, data=network.x, labels=network.y, target_size=2500)
    batches = [(network.x[i : i + 100], network.y[i : i + 100]) for i in range(0, 1500, 100)]
    assert small(network, data=batches, target_size=2500).packed == whole.packed
    assert small(network, data=iter(batches), target_size=2500).packed == whole.packed
    unlabelled = small(network, data=[x for x, _ in batches], max_drop=3, metric="agreement")
    assert "without labels" in unlabelled.notes[0]


def test_other_data_may_judge(network) -> None:
    made = small(network, data=network.x[:200], judge=(network.x[200:], network.y[200:]), max_drop=2)
    assert made.n_judged == 1300


def test_other_figures_are_reached(network) -> None:
    x, wanted = network.x, network.answers(network.x)
    made = small(network, data=x, metric="cosine", reach=0.999)
    assert made.figure >= 0.999 and made.accuracy is None and made.n_judged == 1125
    file = made.open()
    dense = {name: file.weights(name) for name in file.shapes}
    answers = np.maximum(x @ dense["fc1.weight"].T + dense["fc1.bias"], 0) @ dense["fc2.weight"].T + dense["fc2.bias"]
    cosines = (answers * wanted).sum(1) / np.linalg.norm(answers, axis=1) / np.linalg.norm(wanted, axis=1)
    assert abs(cosines.mean() - made.figure) < 5e-4
    assert small(network, data=x, metric="snr", reach=30).n_bytes > small(network, data=x, metric="snr", reach=10).n_bytes
    assert small(network, data=x, labels=network.y, metric="top-3", target_size=2500).accuracy[0] > 0.98
    with pytest.raises(kompakt.TargetMissed, match="cosine"):
        small(network, data=x, metric="cosine", reach=1.5)


def test_layers_may_read_integers(network) -> None:
    plain = small(network, data=network.x, labels=network.y, max_drop=2)
    made = small(network, data=network.x, labels=network.y, max_drop=2, activations="int8")
    assert made.drop_bound <= 0.02
    assert made.open().provenance[-1] != plain.open().provenance[-1] and "int8" in str(made.open().provenance[-1])


def test_blocks_are_kept_or_dropped_together(network) -> None:
    made = small(network, target_size=900, block=(1, 4)).open()
    mask = made.mask("fc1").reshape(48, 16, 4)
    assert (mask.all(2) | ~mask.any(2)).all() and not mask.all()


def test_a_target_that_is_missed_brings_what_came_nearest(network, tmp_path: Path) -> None:
    with pytest.raises(kompakt.TargetMissed, match="target was missed") as caught:
        small(network, tmp_path / "a.kompakt", data=network.x, labels=network.y, max_drop=0.5, target_size=300)
    assert caught.value.compressed.n_bytes > 0
    with pytest.raises(kompakt.TargetMissed) as caught:
        small(network, target_size=150)
    assert caught.value.compressed is None or caught.value.compressed.n_bytes > 150
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"max_drop": 1}, "needs data"),
        ({"max_drop": 0}, "max_drop 0"),
        ({"target_size": "2 miles"}, "target_size"),
        ({"target_ratio": -1}, "target_ratio"),
        ({"target_size": 1, "target_ratio": 2}, "exclude"),
        ({"noise": 1, "target_ratio": 2}, "excludes"),
        ({"metric": "beauty"}, "metric"),
        ({"metric": "top-0"}, "metric"),
        ({"metric": "cosine"}, "needs reach"),
        ({"metric": "accuracy", "reach": 0.9}, "reach is for"),
        ({"metric": "cosine", "reach": 0.9}, "reach needs data"),
        ({"metric": "cosine", "reach": 0.9, "max_drop": 1}, "excludes"),
        ({"metric": "boxes", "reach": 0.9, "data": np.zeros((99, 64), np.float32)}, "needs an output"),
        ({"tier": "gold"}, "tier"),
        ({"activations": "int3"}, "activations"),
        ({"block": (4, 1)}, r"block \(4, 1\): there are"),
        ({"labels": [1]}, "need data"),
        ({"data": np.zeros((5, 7), np.float32)}, "the network takes"),
        ({"data": np.zeros(64, np.float32)}, r"\(n, ...\)"),
        ({"data": np.zeros((4, 64), np.float32), "labels": [1, 2]}, "labels of shape"),
        ({"data": np.zeros((4, 64), np.float32), "labels": [0, 1, 2, -3]}, "whole and from 0"),
        ({"data": np.full((9, 64), np.nan, np.float32)}, "finite"),
        ({"data": []}, "no images"),
        ({"data": np.zeros((9, 64), np.float32), "max_drop": 1}, "needs labels"),
    ],
)
def test_wishes_that_cannot_be(network, options, what) -> None:
    with pytest.raises(ValueError, match=what):
        small(network, **options)


def test_networks_that_are_none(tmp_path: Path, network) -> None:
    with pytest.raises(FileNotFoundError):
        kompakt.compress(tmp_path / "nothing.onnx", progress=False)
    with pytest.raises(ValueError, match="^the model: not an ONNX model"):
        kompakt.compress(b"\x08\x01nonsense", progress=False)
    with pytest.raises(ValueError, match="needs graph"):
        kompakt.compress(network.arrays, progress=False)
    with pytest.raises(TypeError, match="is no network"):
        kompakt.compress(7, progress=False)
    wrong = {**network.arrays, "fc1.weight": network.arrays["fc1.weight"][:, 1:]}
    with pytest.raises(ValueError, match="^the arrays: .*fc1.weight"):
        kompakt.compress(wrong, graph=network.graph, progress=False)
    with pytest.raises(ValueError, match="^the graph: "):
        kompakt.compress(network.arrays, graph={}, progress=False)


def test_what_is_known_of_the_layers_is_kept(network, tmp_path: Path) -> None:
    scan = tmp_path / "scan.json"
    first = small(network, target_size=2500, scan=scan)
    before = scan.read_bytes()
    assert small(network, target_size=2500, scan=scan).packed == first.packed == small(network, target_size=2500).packed
    assert scan.read_bytes() == before
    scan.write_text("nonsense")
    with pytest.raises(ValueError, match="no scan"):
        small(network, scan=scan)


def test_how_an_onnx_file_is_read(packed: Path, tmp_path: Path) -> None:
    onnx = tmp_path / "a.onnx"
    kompakt.open(packed).export(onnx)
    with pytest.raises(ValueError, match="nothing"):
        kompakt.compress(onnx, input_value={"nothing": 3}, progress=False)
    with pytest.raises(ValueError, match="numbers"):
        kompakt.compress(onnx, input_value={"x": np.inf}, progress=False)
    with pytest.raises(ValueError, match="exclude"):
        kompakt.compress(onnx, fixed=True, max_size={"n": 3}, progress=False)
    assert kompakt.compress(onnx, fixed=True, progress=False).n_bytes > 0


def test_an_input_is_never_overwritten(network, packed: Path, tmp_path: Path) -> None:
    onnx = tmp_path / "a.onnx"
    kompakt.open(packed).export(onnx)
    before = onnx.read_bytes()
    with pytest.raises(ValueError, match="takes? its place|take its place"):
        kompakt.compress(onnx, onnx, progress=False)
    assert onnx.read_bytes() == before
    with pytest.raises(OSError):
        kompakt.compress(onnx, tmp_path / "nowhere" / "a.kompakt", progress=False)


def test_onnx_bytes_and_the_command_line_give_the_same_file(packed: Path, tmp_path: Path) -> None:
    onnx, by_command = tmp_path / "a.onnx", tmp_path / "c.kompakt"
    kompakt.open(packed).export(onnx)
    made = kompakt.compress(onnx, progress=False)
    assert kompakt.compress(onnx.read_bytes(), progress=False).packed == made.packed
    command = [sys.executable, "-m", "kompakt", "compress", str(onnx), "-o", str(by_command), "--quiet"]
    assert subprocess.run(command, check=False).returncode == 0
    assert by_command.read_bytes() == made.packed


def test_progress_is_told_and_may_stop_the_work(large) -> None:
    told: list[tuple[str, float]] = []
    kompakt.compress(large.arrays, graph=large.graph, progress=lambda what, share: told.append((what, share)))
    assert told and all(0 <= share <= 1 for _, share in told)

    class Enough(Exception):
        pass

    def stop(what: str, share: float) -> None:
        raise Enough

    with pytest.raises(Enough):
        kompakt.compress(large.arrays, graph=large.graph, progress=stop)


CHILD = """
import sys, numpy as np, kompakt
random = np.random.default_rng(0)
n = 4000
arrays = {"fc1.weight": random.normal(size=(n, n)).astype("f4"), "fc1.bias": np.zeros(n, "f4")}
graph = {"inputs": [{"name": "x", "shape": [n]}],
         "nodes": [{"name": "fc1", "op": "linear", "inputs": ["x"], "out_features": n}], "outputs": ["fc1"]}
def tell(what, share):
    print("told", flush=True)
kompakt.compress(arrays, sys.argv[1], graph=graph, progress=tell)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_ends_within_a_second_and_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CHILD, str(tmp_path / "a.kompakt")]
    # Whoever runs the tests in the background may have them ignore the signal, and children inherit that.
    heed = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, preexec_fn=heed) as child:
        assert child.stdout is not None and child.stderr is not None
        assert child.stdout.readline() == "told\n"
        time.sleep(0.3)
        started = time.monotonic()
        child.send_signal(signal.SIGINT)
        talk = child.stderr.read()
        child.wait()
        # The machine may be busy with other things; a second is what it takes on one that is not.
        assert time.monotonic() - started < 3
    assert "KeyboardInterrupt" in talk and list(tmp_path.iterdir()) == []
