"""Hooks of MkDocs: the format's documents, which are kept in `spec/`, and the notebooks are pages of the site too."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
REPOSITORY = "https://github.com/kompakt-nn/kompakt/blob/main"


def on_files(files: Files, config: Any) -> Files:
    """Adds `spec/*.md`, and a page for each `docs/notebooks/*.ipynb`."""
    for path in sorted((ROOT / "spec").glob("*.md")):
        files.append(File(f"spec/{path.name}", str(ROOT), config["site_dir"], config["use_directory_urls"]))
    for path in sorted((ROOT / "docs/notebooks").glob("*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        content = "\n\n".join(part for cell in notebook["cells"] for part in shown(cell))
        content += f"\n\n[This page as a notebook]({path.name})\n"
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=content))
    return files


def shown(cell: dict[str, Any]) -> list[str]:
    """A cell of a notebook as Markdown, with its outputs."""
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return [source]
    parts = [f"```python\n{source}\n```"]
    for output in cell["outputs"]:
        data = output.get("data", {})
        if "image/png" in data:
            parts.append(f'<img alt="a plot" src="data:image/png;base64,{data["image/png"].strip()}">')
        elif "text/html" in data:
            # A line of its own, so that Markdown leaves it alone.
            parts.append(f"<div>{''.join(data['text/html'])}</div>".replace("\n", " "))
        elif "text" in output or "text/plain" in data:
            text = "".join(output.get("text") or data["text/plain"])
            parts.append(f"```text\n{text.rstrip()}\n```")
    return parts


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Links from the format's documents to other files of the repository."""
    if not page.file.src_uri.startswith("spec/"):
        return markdown
    documents = {path.name for path in (ROOT / "spec").glob("*.md")}

    def link(found: re.Match[str]) -> str:
        target, mark, anchor = found[1].partition("#")
        if not target or "://" in target or target in documents:
            return found[0]
        path = (ROOT / "spec" / target).resolve()
        return f"]({REPOSITORY}/{path.relative_to(ROOT)}{mark}{anchor})"

    return re.sub(r"\]\(([^)\s]+)\)", link, markdown)
