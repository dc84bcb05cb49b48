"""Tasks of a sweep on a Ray cluster. Ray places them, repeats those whose node dies, and brings results to where they are needed.

The program and the data set are objects of Ray's store, which each node unpacks once into its cache folder. Results and
checkpoints go to a keeper on the node of the sweep, so that a task that is repeated elsewhere goes on from its checkpoint. Where
the sweep is no node of the cluster (`ray://`), the keeper is on the head node, in its cache folder, and results come from there.
"""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import tempfile
from pathlib import Path

import ray

from kompakt import _sweep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kompakt._recipe import Task
    from kompakt._sweep import Store

# How often a task is repeated whose node dies.
_REPEATS = 20

# How each task of the last sweep has begun, by its key, oldest first: from its start, or from a checkpoint.
LAST_BEGAN: dict[str, list[str]] = {}


class Keeper:
    """Results and checkpoints by the keys of tasks, in the store of the sweep; without a folder, in this node's cache."""

    def __init__(self, folder: str | None) -> None:
        self._store = _sweep.Store(Path(folder) if folder else _cache() / "store")
        self._began: dict[str, list[str]] = {}

    def begin(self, key: str) -> tuple[bytes | None, bytes | None]:
        """The result, if it is there, and the last checkpoint."""
        result = self._store.read(key) if self._store.has(key) else None
        state = self._store.read(f"{key}.resume") if self._store.has(f"{key}.resume") else None
        self._began.setdefault(key, []).append("start" if state is None else "checkpoint")
        return result, state

    def checkpoint(self, key: str, state: bytes) -> None:
        self._store.write(f"{key}.resume", state)

    def end(self, key: str, result: bytes) -> None:
        self._store.write(key, result)
        self._store.path(f"{key}.resume").unlink(missing_ok=True)

    def began(self) -> dict[str, list[str]]:
        """How each task has begun, oldest first."""
        return self._began


def run(
    tasks: dict[str, Task], store: Store, program: str, data: Path | None, address: str | None, cpus: int, table: Any
) -> None:
    """Runs what is missing.

    Errors: ``RuntimeError`` for a stage that fails; Ray's own errors.
    """
    if not ray.is_initialized():
        ray.init(address=address or os.environ.get("RAY_ADDRESS"), log_to_driver=False)
    here = ray.get_runtime_context().get_node_id()
    stay = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(here, soft=False)
    folder = None if ray.util.client.ray.is_connected() else str(store.folder.absolute())
    keeper = ray.remote(Keeper).options(num_cpus=0, scheduling_strategy=stay).remote(folder)
    kit = [(_sweep._digest(path), path.name, ray.put(_packed(path))) for path in (Path(program), data) if path is not None]
    remote = ray.remote(_one).options(num_cpus=cpus, max_retries=_REPEATS)
    found: dict[str, Any] = {}
    waiting: dict[Any, Task] = {}
    for key, task in tasks.items():
        if store.has(key):
            found[key] = ray.put(store.read(key))
            continue
        found[key] = remote.remote(task, kit, cpus, keeper, *[found[i] for _, i in task.inputs])
        waiting[found[key]] = task
        table.starts(task)
    try:
        while waiting:
            ended, _ = ray.wait(list(waiting), num_returns=1, timeout=1, fetch_local=False)
            for reference in ended:
                task = waiting.pop(reference)
                try:
                    result = ray.get(reference)
                except ray.exceptions.RayTaskError as error:
                    raise RuntimeError(str(error.cause)) from None
                if not store.has(task.key):
                    store.write(task.key, result)
                table.ends(task)
            table.show(max(1, int(ray.cluster_resources().get("CPU", 1)) // cpus))
    finally:
        for reference in waiting:
            ray.cancel(reference, force=True)
    LAST_BEGAN.clear()
    LAST_BEGAN.update(ray.get(keeper.began.remote()))


def _one(task: Task, kit: list[tuple[str, str, Any]], cpus: int, keeper: Any, *inputs: bytes) -> bytes:
    """On a node: a task, from its checkpoint if there is one."""
    result, state = ray.get(keeper.begin.remote(task.key))
    if result is not None:
        return bytes(result)
    paths = [_unpacked(digest, name, reference) for digest, name, reference in kit]
    with tempfile.TemporaryDirectory(prefix="kompakt-") as name:
        folder = Path(name)
        kept = folder / task.checkpoint if task.checkpoint else None
        if kept is not None and state is not None:
            kept.write_bytes(state)
        last = [None if state is None or kept is None else kept.stat().st_mtime_ns]

        def watch() -> None:
            if kept is not None and kept.exists() and kept.stat().st_mtime_ns != last[0]:
                last[0] = kept.stat().st_mtime_ns
                ray.get(keeper.checkpoint.remote(task.key, kept.read_bytes()))

        by_key = {key: content for (_, key), content in zip(task.inputs, inputs, strict=True)}
        result = _sweep.call(task, folder, paths[0], by_key, paths[1] if len(paths) > 1 else None, cpus, watch)
    ray.get(keeper.end.remote(task.key, result))
    return result


def _cache() -> Path:
    """This node's folder for what sweeps bring."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kompakt" / "ray"


def _packed(path: Path) -> bytes:
    """A file or folder as a tar archive."""
    to = io.BytesIO()
    with tarfile.open(fileobj=to, mode="w", dereference=True) as archive:
        archive.add(path, path.name)
    return to.getvalue()


def _unpacked(digest: str, name: str, reference: Any) -> Path:
    """Where an archive's content is on this node; unpacked if it is not there."""
    cache = _cache()
    folder = cache / digest
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        part = tempfile.mkdtemp(dir=cache)
        with tarfile.open(fileobj=io.BytesIO(ray.get(reference))) as archive:
            archive.extractall(part, filter="data")
        try:
            os.rename(part, folder)
        except OSError:
            # Another task of this node was quicker.
            shutil.rmtree(part, ignore_errors=True)
    return folder / name
