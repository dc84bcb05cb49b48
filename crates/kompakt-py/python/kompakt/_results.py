"""What a sweep leaves: summaries, curves and pages, from the results of its tasks alone."""

from __future__ import annotations

import json
import math
import os
import subprocess
from itertools import groupby

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from kompakt._recipe import Run
    from kompakt._sweep import Store


def write(runs: list[Run], store: Store, out: Path, program: str) -> list[dict[str, Any]]:
    """A folder for each run, and a curve for each seed where an option varies; returns the summaries."""
    summaries = []
    for run in runs:
        folder = out / run.name
        folder.mkdir(parents=True, exist_ok=True)
        summary = _summary(run, store)
        for stage, key, packed in run.models:
            _copy(store, key, folder / f"{stage}.safetensors")
            if packed:
                _copy(store, packed, folder / f"{stage}.kompakt")
        _copy(store, run.packed, folder / "model.kompakt")
        (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
        command = [program, "report", "summary.json", "-o", "report.html"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{folder / 'report.html'}: {done.stderr.strip()}")
        summaries.append(summary)
    varied = [(run, summary) for run, summary in zip(runs, summaries, strict=True) if run.value is not None]
    for name, group in groupby(varied, lambda pair: pair[0].name.rpartition("/")[0]):
        (out / name / "curve.json").write_text(json.dumps(_curve(list(group)), indent=2) + "\n")
    return summaries


def _copy(store: Store, key: str, to: Path) -> None:
    """A result under its name: the same file where the file system can, else a copy."""
    to.unlink(missing_ok=True)
    try:
        os.link(store.path(key), to)
    except OSError:
        to.write_bytes(store.read(key))


def _summary(run: Run, store: Store) -> dict[str, Any]:
    """As `cargo xtask pipeline` writes it, without times and memory, which differ from machine to machine."""
    rows: list[dict[str, Any]] = []
    dense = 0

    def add(stage: str, file: str, n_nonzero: int, n_bytes: int, error: float | None, on: str) -> None:
        row = {"stage": stage, "file": file, "n_nonzero": n_nonzero, "n_bytes": n_bytes, "compression_ratio": dense / n_bytes}
        rows.append({**row, "error": error, "error_on": on if error is not None else ""})

    n_nonzero = 0
    for stage, key, packed in run.models:
        document, n_parameters = _header(store.path(key))
        record = document["provenance"][-1]
        if stage == "train":
            dense = 4 * n_parameters
        n_nonzero = record["n_nonzero"]
        n_bytes = store.path(packed).stat().st_size if packed else dense
        add(stage, f"{stage}.safetensors", n_nonzero, n_bytes, record.get("measured", {}).get("validation_error"), "validation")
    n_bytes = store.path(run.packed).stat().st_size
    add("pack", "model.kompakt", n_nonzero, n_bytes, None, "")
    add("run", "model.kompakt", n_nonzero, n_bytes, json.loads(store.read(run.answers))["error"], "test")
    about = {"net": run.net, "data": run.data, "prep": run.prep, "recipe": run.recipe, "seed": run.seed}
    return {**about, "dense_bytes": dense, "rows": rows}


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """The document in a model's file, and the numbers in its tensors."""
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    document: dict[str, Any] = json.loads(header.pop("__metadata__")["kompakt"])
    return document, sum(math.prod(tensor["shape"]) for tensor in header.values())


def _curve(group: list[tuple[Run, dict[str, Any]]]) -> dict[str, Any]:
    """Error against bytes, as `cargo xtask curve` reads it."""
    first = group[0][0]
    keep = ("n_bytes", "compression_ratio", "error", "error_on")
    points = [
        {"value": run.value, "stage": row["stage"], **{name: row[name] for name in keep}}
        for run, summary in group
        for row in summary["rows"]
        if row["stage"] != "train" and row["error"] is not None
    ]
    about = {"net": first.net, "data": first.data, "prep": first.prep, "recipe": first.recipe, "seed": first.seed}
    return {**about, "points": points}
