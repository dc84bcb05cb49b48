"""`kompakt.sweep`: the same results on this machine's cores and on a Ray cluster that loses a node.

Needs the program with the training engine in `KOMPAKT_PROGRAM`; the part on Ray needs `ray`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import kompakt
from kompakt import _recipe

RECIPE = """
net = "lenet-300-100"
data = "digits"
train = ["--epochs", "4"]
prune = ["--density", "0.1", "--epochs", "1"]
cluster = ["--bits", "4"]
finetune = ["--epochs", "1"]
"""

needs_program = pytest.mark.skipif("KOMPAKT_PROGRAM" not in os.environ, reason="KOMPAKT_PROGRAM names no program")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(RECIPE)
    return path


def files(folder: Path) -> dict[str, bytes]:
    """All files but those of the store."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and "store" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_a_stage_before_the_one_that_varies_is_one_task(recipe: Path) -> None:
    runs = _recipe.runs(recipe, "prune.density=0.2,0.1", [1, 2], {}, "program", "data")
    assert [(run.seed, run.value) for run in runs] == [(1, "0.2"), (1, "0.1"), (2, "0.2"), (2, "0.1")]
    keys = {task.key: task for run in runs for task in run.tasks}
    stages = [task.stage for task in keys.values()]
    assert stages.count("train") == 2 and stages.count("prune") == 4
    assert ("--density", "0.2") == next(task for task in keys.values() if task.stage == "prune").command[4:6]
    again = _recipe.runs(recipe, {"prune.density": [0.2, 0.1]}, [1, 2], {}, "program", "data")
    assert again == runs
    other = _recipe.runs(recipe, None, [1], {}, "another program", "data")
    assert not set(keys) & {task.key for task in other[0].tasks}


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"vary": "bake.heat=200"}, "is not STAGE"),
        ({"vary": "prune.density="}, "is not STAGE"),
        ({"vary": "rate.target-size=1000"}, "no stage rate"),
        ({"on": "the moon"}, "there are 'local'"),
        ({"seeds": []}, "seeds"),
        ({"jobs": 0}, "at least 1"),
    ],
)
def test_sweeps_that_cannot_be(recipe: Path, tmp_path: Path, options, what) -> None:
    tool = tmp_path / "kompakt"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    with pytest.raises(ValueError, match=what):
        kompakt.sweep(recipe, out=tmp_path / "out", program=tool, **options)


def test_recipes_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    for text in ("train = 7", "bake = []", "train = ["):
        path.write_text(text)
        with pytest.raises(ValueError, match="a.toml"):
            _recipe.read(path)
    with pytest.raises(FileNotFoundError):
        kompakt.sweep(tmp_path / "nothing.toml")


@needs_program
def test_what_is_made_is_not_made_again(recipe: Path, tmp_path: Path) -> None:
    options = {"vary": "prune.density=0.2,0.1", "seeds": [1], "progress": False, "cpus": 1}
    made = kompakt.sweep(recipe, out=tmp_path / "a", jobs=2, **options)
    assert [row["stage"] for row in made[0]["rows"]] == ["train", "prune", "cluster", "finetune", "pack", "run"]
    assert made[0]["rows"][-1]["error"] < 0.5 and made[1]["rows"][-1]["n_bytes"] < made[0]["rows"][-1]["n_bytes"]
    store = tmp_path / "a" / "store"
    before = {path.name: path.stat().st_mtime_ns for path in store.iterdir()}
    assert kompakt.sweep(recipe, out=tmp_path / "a", **options) == made
    assert {path.name: path.stat().st_mtime_ns for path in store.iterdir()} == before
    kompakt.sweep(recipe, out=tmp_path / "b", jobs=1, **options)
    assert files(tmp_path / "b") == files(tmp_path / "a")


@needs_program
def test_a_stage_that_fails_says_why(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text('data = "digits"\ntrain = ["--epochs", "many"]\n')
    with pytest.raises(RuntimeError, match="many"):
        kompakt.sweep(path, out=tmp_path / "out", progress=False)


@needs_program
def test_a_cluster_that_loses_a_node_leaves_the_same_bytes(recipe: Path, tmp_path: Path, monkeypatch) -> None:
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    recipe.write_text(RECIPE.replace('"4"', '"60"', 1))
    options = {"vary": "pack.tier=smallest,stream", "seeds": [1, 2], "progress": False}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    try:
        doomed = cluster.add_node(num_cpus=1)
        cluster.add_node(num_cpus=1)
        ray.init(address=cluster.address, log_to_driver=False)
        store, seen = tmp_path / "ray" / "store", set()

        def kill() -> None:
            # Two checkpoints: each node has a task that trains.
            while len(seen) < 2:
                seen.update(store.glob("*.resume"))
                time.sleep(0.02)
            cluster.remove_node(doomed, allow_graceful=False)

        killer = threading.Thread(target=kill, daemon=True)
        killer.start()
        made = kompakt.sweep(recipe, out=tmp_path / "ray", on="ray", **options)
        killer.join(timeout=60)
        assert not killer.is_alive()
        from kompakt import _ray

        assert ["start", "checkpoint"] in _ray.LAST_BEGAN.values()
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert kompakt.sweep(recipe, out=tmp_path / "here", **options) == made
    assert files(tmp_path / "here") == files(tmp_path / "ray")


@needs_program
def test_a_client_that_is_no_node_gets_the_same_bytes(recipe: Path, tmp_path: Path) -> None:
    """By Ray's client port; the cluster's cache is all that it writes to."""
    pytest.importorskip("grpc")
    ray = pytest.importorskip("ray")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    recipe.write_text(RECIPE.replace('"4"', '"1"', 1))
    start = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--disable-usage-stats", "--num-cpus=2"]
    start += ["--port=0", f"--ray-client-server-port={port}", "--include-dashboard=false"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    with subprocess.Popen(start, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as head:
        try:
            _wait_for(port)
            _warm_up(ray, port)
            made = kompakt.sweep(recipe, out=tmp_path / "client", on=f"ray://127.0.0.1:{port}", progress=False)
        finally:
            ray.shutdown()
            head.send_signal(signal.SIGTERM)
            head.wait(timeout=60)
    store = tmp_path / "client" / "store"
    assert {path.name for path in store.iterdir()} == {path.name for path in (tmp_path / "cache/kompakt/ray/store").iterdir()}
    assert kompakt.sweep(recipe, out=tmp_path / "here", progress=False) == made
    assert files(tmp_path / "here") == files(tmp_path / "client")


def _wait_for(port: int) -> None:
    for _ in range(600):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise TimeoutError("Ray's head node does not start")


def _warm_up(ray: Any, port: int) -> None:
    """Connects once: Ray gives the server of a client half a minute to start, which the first on a machine may exceed."""
    for attempt in range(3):
        try:
            ray.init(f"ray://127.0.0.1:{port}")
            ray.shutdown()
            return
        except ConnectionAbortedError:
            ray.shutdown()
            if attempt == 2:
                raise
