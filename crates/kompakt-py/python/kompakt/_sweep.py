"""Many runs of a recipe: on this machine's cores, or as tasks of a Ray cluster."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from kompakt import _recipe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from kompakt._recipe import Run, Task

_KNOWN = ("mnist", "fashion-mnist", "digits")


def sweep(
    recipe: str | os.PathLike[str],
    *,
    vary: str | Mapping[str, Iterable[object]] | None = None,
    seeds: Iterable[int] = (1,),
    on: str = "local",
    net: str | None = None,
    data: str | None = None,
    prep: str | None = None,
    out: str | os.PathLike[str] = "out",
    program: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    cpus: int = 1,
    progress: bool = True,
) -> list[dict[str, Any]]:
    """Run a recipe at several seeds and several values of one option.

    Each stage of each run is a task that calls the program ``kompakt`` (the one with the training engine). Results are kept in
    ``OUT/store`` under a hash of the command, the program, the data and the inputs: what is there is not made again, and a sweep
    that was stopped goes on from where it was, stages that keep checkpoints from their checkpoint.

    Parameters
    ----------
    recipe
        The path of a recipe (TOML): lists of options by stage.
    vary
        ``"rate.target-size=1000,2000"`` or ``{"rate.target-size": [1000, 2000]}``: a run for each value.
    seeds
        A run for each.
    on
        ``"local"``: this machine; ``"ray"``: the Ray cluster that this machine belongs to, or a new one on it;
        ``"ray://ADDRESS"``: that cluster. Every node needs the package ``kompakt``; the program and the data are sent there
        once.
    net, data, prep
        Override the recipe's network, data set and preprocessing.
    out
        The folder of results: for each run ``summary.json``, ``report.html`` and the packed file, and ``curve.json`` for each
        seed where an option varies.
    program
        The program; default ``$KOMPAKT_PROGRAM``, else the first ``kompakt`` on the path that can train.
    jobs
        Tasks at a time on this machine; default: cores over `cpus`. On Ray, Ray decides.
    cpus
        Cores of each task, and threads of the stages that train.
    progress
        Print a table of stages with the time left on stderr.

    Notes
    -----
    Returns the summaries, in the order of seeds and values. Summaries, curves and pages are the same to the byte wherever the
    tasks ran, as long as all processors are of one type: training repeats bit for bit on one type of processor.

    Errors: ``ValueError`` for an invalid recipe or option, ``RuntimeError`` for a stage that fails, ``FileNotFoundError`` where
    there is no program or data.
    """
    if not (on in ("local", "ray") or on.startswith("ray://")):
        raise ValueError(f"on {on!r}: there are 'local', 'ray' and 'ray://ADDRESS'")
    if cpus < 1 or (jobs is not None and jobs < 1):
        raise ValueError("cpus and jobs are at least 1")
    seeds = list(seeds)
    if not seeds:
        raise ValueError("seeds: at least one is needed")
    about = _recipe.read(recipe)
    tool = _program(program)
    source, path = _data(data or about.get("data") or "mnist")
    overrides = {"net": net, "data": source, "prep": prep}
    runs = _recipe.runs(recipe, vary, seeds, overrides, _digest(tool), _digest(path) if path else "")
    folder = Path(out)
    store = Store(folder / "store")
    tasks = {task.key: task for run in runs for task in run.tasks}
    table = _Table(list(tasks.values()), store, progress)
    if on == "local":
        workers = jobs or max(1, (os.cpu_count() or 1) // cpus)
        _local(tasks, store, tool, path, workers, cpus, table)
    else:
        from kompakt import _ray

        _ray.run(tasks, store, tool, path, None if on == "ray" else on, cpus, table)
    table.end()
    from kompakt import _results

    return _results.write(runs, store, folder, tool)


class Store:
    """Results by their keys: files that appear complete or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, key: str) -> Path:
        return self.folder / key

    def has(self, key: str) -> bool:
        return self.path(key).exists()

    def read(self, key: str) -> bytes:
        return self.path(key).read_bytes()

    def write(self, key: str, content: bytes) -> None:
        part = self.folder / f"{key}.part{os.getpid()}"
        part.write_bytes(content)
        os.replace(part, self.path(key))


def call(
    task: Task,
    folder: Path,
    program: str | os.PathLike[str],
    inputs: Mapping[str, bytes],
    data: Path | None,
    cpus: int,
    watch: Callable[[], object] | None = None,
) -> bytes:
    """Run a task in a folder and return its result. `watch` is called twice a second meanwhile.

    `data` is the file or folder of the data set, which the task sees under its name, or the folder of a known one.
    """
    for name, key in task.inputs:
        (folder / name).write_bytes(inputs[key])
    environment = {**os.environ, "RAYON_NUM_THREADS": str(cpus)}
    if data is not None:
        if data.name in _KNOWN:
            environment["KOMPAKT_DATA"] = str(data.parent)
        elif not (folder / data.name).exists():
            (folder / data.name).symlink_to(data)
    threads = ["--threads", str(cpus)] if task.stage in ("train", "rate", "prune", "finetune") else []
    command = [os.fspath(program), *task.command[:1], *threads, *task.command[1:]]
    printed, said = folder / "stdout", folder / "stderr"
    with printed.open("wb") as to, said.open("wb") as talk:
        child = subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=to, stderr=talk)
        try:
            while True:
                try:
                    child.wait(0.5)
                    break
                except subprocess.TimeoutExpired:
                    if watch is not None:
                        watch()
        finally:
            if child.poll() is None:
                child.terminate()
                child.wait()
    if child.returncode != 0:
        text = said.read_text(errors="replace").strip()
        raise RuntimeError(f"the stage failed ({child.returncode}): kompakt {' '.join(task.command)}: {text[-2000:]}")
    return (printed if task.output is None else folder / task.output).read_bytes()


def _local(
    tasks: dict[str, Task], store: Store, program: str, data: Path | None, jobs: int, cpus: int, table: _Table
) -> None:
    """Runs what is missing, each task as soon as its inputs are there."""
    from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

    stop = False

    def one(task: Task) -> None:
        # The folder stays where the task is interrupted: its checkpoint is in it.
        folder = store.folder / f"{task.key}.work"
        folder.mkdir(exist_ok=True)

        def watch() -> None:
            if stop:
                raise KeyboardInterrupt

        inputs = {key: store.read(key) for _, key in task.inputs}
        store.write(task.key, call(task, folder, program, inputs, data, cpus, watch))
        shutil.rmtree(folder, ignore_errors=True)

    waiting = {key: task for key, task in tasks.items() if not store.has(key)}
    running: dict[Future[None], Task] = {}
    with ThreadPoolExecutor(jobs) as pool:
        try:
            while waiting or running:
                for key in [k for k, task in waiting.items() if all(store.has(i) for _, i in task.inputs)]:
                    if len(running) < jobs:
                        task = waiting.pop(key)
                        running[pool.submit(one, task)] = task
                        table.starts(task)
                ended, _ = wait(running, timeout=1, return_when=FIRST_COMPLETED)
                for future in ended:
                    task = running.pop(future)
                    future.result()
                    table.ends(task)
                table.show(jobs)
        finally:
            stop = True


class _Table:
    """How many tasks of each stage are done, and the time left."""

    def __init__(self, tasks: list[Task], store: Store, is_shown: bool) -> None:
        self._all: dict[str, int] = {}
        self._done: dict[str, int] = {}
        self._took: dict[str, list[float]] = {}
        self._began: dict[str, float] = {}
        self._stages = {task.key: task.stage for task in tasks}
        self._is_shown, self._last, self._lines = is_shown, "", 0
        for task in tasks:
            self._all[task.stage] = self._all.get(task.stage, 0) + 1
            self._done[task.stage] = self._done.get(task.stage, 0) + store.has(task.key)

    def starts(self, task: Task) -> None:
        self._began[task.key] = time.monotonic()

    def ends(self, task: Task) -> None:
        self._took.setdefault(task.stage, []).append(time.monotonic() - self._began.pop(task.key, time.monotonic()))
        self._done[task.stage] += 1

    def left(self, workers: int) -> float | None:
        """Seconds, by the mean of each stage; ``None`` while a stage has not ended once."""
        total = 0.0
        for stage, n in self._all.items():
            n_left = n - self._done[stage]
            if n_left:
                if stage not in self._took:
                    return None
                total += n_left * sum(self._took[stage]) / len(self._took[stage])
        return total / max(1, workers)

    def show(self, workers: int) -> None:
        if not self._is_shown:
            return
        left = self.left(workers)
        rows = [f"{'stage':10}{'done':>6}{'running':>9}{'all':>6}"]
        for stage, n in self._all.items():
            n_running = sum(self._stages.get(key) == stage for key in self._began)
            rows.append(f"{stage:10}{self._done[stage]:6}{n_running:9}{n:6}")
        text = "\n".join(rows)
        if text == self._last:
            return
        self._last = text
        tail = "time left: not known yet" if left is None else f"time left: {left / 60:.0f} min {left % 60:.0f} s"
        up = f"\x1b[{self._lines}A\x1b[J" if sys.stderr.isatty() and self._lines else ""
        print(f"{up}{text}\n{tail}", file=sys.stderr, flush=True)
        self._lines = len(rows) + 1

    def end(self) -> None:
        self.show(1)


def _program(given: str | os.PathLike[str] | None) -> str:
    """The program that can train."""
    named = given or os.environ.get("KOMPAKT_PROGRAM")
    candidates = [os.fspath(named)] if named else [str(Path(f) / "kompakt") for f in os.get_exec_path()]
    for path in candidates:
        found = shutil.which(path)
        if found and subprocess.run([found, "train", "--help"], capture_output=True, check=False).returncode == 0:
            return os.path.abspath(found)
    what = f"{named} cannot train" if named else "no kompakt on the path can train"
    raise FileNotFoundError(
        f"{what}: the wheel comes without the training engine; build the program (cargo build --release -p kompakt) and name it by "
        "--program or $KOMPAKT_PROGRAM"
    )


def _data(source: str) -> tuple[str, Path | None]:
    """A data set's name as the stages see it, and where it is; ``None`` for the one within the program."""
    if source == "digits":
        return source, None
    if source in _KNOWN:
        home = os.environ.get("KOMPAKT_DATA")
        cache = Path(home) if home else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kompakt"
        if not (cache / source).is_dir():
            raise FileNotFoundError(f"{source} is not in {cache}: `kompakt data {source}` fetches it")
        return source, (cache / source).absolute()
    path = Path(source).absolute()
    if not path.exists():
        raise FileNotFoundError(f"no data set {source}")
    return f"./{path.name}", path


def _digest(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file, or of the names and contents of a folder's files."""
    root, total = Path(path), hashlib.sha256()
    for file in sorted(p for p in root.rglob("*") if p.is_file()) if root.is_dir() else [root]:
        with file.open("rb") as content:
            inner = hashlib.file_digest(content, "sha256").hexdigest()
        total.update(f"{file.relative_to(root)}\0{inner}\0".encode())
    return total.hexdigest()
