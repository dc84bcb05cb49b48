"""The pages that show Python are true: they are run as they are written."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import kompakt

ROOT = Path(__file__).resolve().parents[3]


def blocks(page: Path) -> str:
    return "\n".join(re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S))


def test_the_tutorial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(blocks(ROOT / "docs/tutorial.md"), "tutorial.md", "exec"), {})  # noqa: S102


@pytest.mark.parametrize("name", ["classifier", "deep-compression", "ocr"])
def test_the_notebooks(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their code; and their outputs are there, of this code: a cell without one would be one that was changed since."""
    pytest.importorskip("matplotlib").use("agg")
    if name == "ocr":
        pytest.importorskip("rapidocr_onnxruntime")
    monkeypatch.chdir(tmp_path)
    notebook = json.loads((ROOT / "docs/notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    script = "\n".join("".join(cell["source"]) for cell in cells)
    exec(compile(script, f"{name}.ipynb", "exec"), {})  # noqa: S102


def test_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fixtures: Path) -> None:
    monkeypatch.chdir(tmp_path)
    kompakt.open(fixtures / "perceptron-stream.kompakt").export("model.onnx")
    script = blocks(ROOT / "README.md")
    assert script.count("\n") >= 3
    exec(compile(script, "README.md", "exec"), {})  # noqa: S102


def test_the_first_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: Path, network) -> None:
    monkeypatch.chdir(tmp_path)
    kompakt.open(packed).export("model.onnx")
    names = {"images": network.x, "labels": network.y, "image": network.x[0]}
    script = blocks(ROOT / "docs/index.md").replace("max_drop=0.5", "max_drop=5")
    exec(compile(script, "index.md", "exec"), names)  # noqa: S102
    assert Path("model.kompakt").exists() and np.isfinite(names["probability"])
