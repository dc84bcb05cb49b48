"""`kompakt.load("hf://…")` by `huggingface_hub` itself, from a hub on this machine."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub")

COMMIT = "0123456789abcdef0123456789abcdef01234567"

LOAD = """
import sys, kompakt
try:
    model = kompakt.load(sys.argv[1])
    print(model.n_bytes, model.path)
except (OSError, ValueError) as error:
    print("OSError" if isinstance(error, OSError) else "ValueError", error)
"""


@pytest.fixture
def hub(packed: Path) -> Iterator[ThreadingHTTPServer]:
    """A hub with one file; `asked` has what was fetched."""
    content = packed.read_bytes()
    digest = hashlib.sha256(content).hexdigest()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            is_there = self.path == "/owner/repo/resolve/main/small.kompakt"
            self.send_response(200 if is_there else 404)
            self.send_header("X-Repo-Commit", COMMIT)
            if is_there:
                for name in ("ETag", "X-Linked-Etag"):
                    self.send_header(name, f'"{digest}"')
                self.send_header("X-Linked-Size", str(len(content)))
                self.send_header("Content-Length", str(len(content)))
            else:
                self.send_header("X-Error-Code", "EntryNotFound")
                self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            if self.path.endswith("/small.kompakt"):
                server.asked.append(self.path)  # type: ignore[attr-defined]
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def load(hub: ThreadingHTTPServer, home: Path, address: str, **options: str) -> str:
    """What a new process says."""
    where = {"HF_ENDPOINT": f"http://127.0.0.1:{hub.server_address[1]}", "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
    environment = {**os.environ, **where, "NO_PROXY": "127.0.0.1", **options}
    found = subprocess.run([sys.executable, "-c", LOAD, address], env=environment, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_a_file_is_fetched_once_kept_and_checked(hub: ThreadingHTTPServer, packed: Path, tmp_path: Path) -> None:
    address = "hf://owner/repo/small.kompakt"
    offline = {"HF_HUB_OFFLINE": "1"}
    assert load(hub, tmp_path, address, **offline).startswith("OSError")
    said = load(hub, tmp_path, address)
    assert said.startswith(f"{packed.stat().st_size} ") and len(hub.asked) == 1  # type: ignore[attr-defined]
    assert load(hub, tmp_path, address) == said and load(hub, tmp_path, address, **offline) == said
    assert len(hub.asked) == 1  # type: ignore[attr-defined]
    kept = Path(said.split(maxsplit=1)[1].strip()).resolve()
    content = bytearray(kept.read_bytes())
    content[-1] ^= 1
    kept.write_bytes(content)
    said = load(hub, tmp_path, address)
    assert said.startswith("ValueError") and "SHA-256" in said and "delete it" in said


def test_a_file_that_the_hub_does_not_have_is_an_os_error(hub: ThreadingHTTPServer, tmp_path: Path) -> None:
    said = load(hub, tmp_path, "hf://owner/repo/other.kompakt")
    assert said.startswith("OSError") and "other.kompakt" in said
