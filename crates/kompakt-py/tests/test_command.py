"""The command line that comes with the wheel, and the package as a package."""

from __future__ import annotations

import importlib.util
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import kompakt


def call(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kompakt", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def test_commands_answer_and_exit_codes_are_theirs(packed: Path, tmp_path: Path) -> None:
    assert call("--version").stdout == f"kompakt {kompakt.__version__}\n"
    shown = call("--help").stdout
    assert "compress" in shown and "finetune" not in shown and "\n  sweep " in shown
    assert '"tier": "smallest"' in call("inspect", packed, "--json").stdout
    assert call("verify", packed).returncode == 0
    assert call("nonsense").returncode == 2 and call().returncode == 2
    assert call("inspect", tmp_path / "nothing").returncode == 4
    assert call("diff", packed, packed).returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="by a shell")
def test_a_reader_that_leaves_ends_a_command_without_a_word(packed: Path) -> None:
    script = f'set -o pipefail; "{sys.executable}" -m kompakt inspect "{packed}" | true'
    found = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (141, "")


def test_the_entry_point_is_there() -> None:
    program = shutil.which("kompakt", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("the package is not installed here")
    found = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert found.stdout == f"kompakt {kompakt.__version__}\n"


def test_a_signal_ends_a_command(tmp_path: Path) -> None:
    """What is temporary goes with the process, as ever."""
    script = "import kompakt._native as n, sys; sys.exit(n.main(['kompakt', 'pack', '-o', sys.argv[1], '-']))"
    command = [sys.executable, "-c", script, str(tmp_path / "a.kompakt")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        time.sleep(0.5)
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=10) in (-signal.SIGTERM, 128 + signal.SIGTERM)
    assert list(tmp_path.iterdir()) == []


def test_importing_costs_little() -> None:
    script = "import time; t = time.perf_counter(); import kompakt; kompakt.load; print(time.perf_counter() - t)"
    took = min(float(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout) for _ in range(5))
    assert took < 0.05
    loaded = subprocess.run(
        [sys.executable, "-c", "import kompakt, sys; kompakt.load; print('numpy' in sys.modules)"],
        capture_output=True,
        text=True,
    )
    assert loaded.stdout == "False\n"


def test_all_that_is_named_is_there() -> None:
    assert set(kompakt.__all__) <= set(dir(kompakt))
    for name in kompakt.__all__:
        thing = getattr(kompakt, name)
        assert name.startswith("__") or thing.__doc__, name
    with pytest.raises(AttributeError):
        kompakt.nonsense  # noqa: B018
    folder = Path(importlib.util.find_spec("kompakt").submodule_search_locations[0])
    assert (folder / "py.typed").exists() and (folder / "_native.pyi").exists()
    stub = (folder / "_native.pyi").read_text()
    from kompakt import _native

    functions = {name for name in dir(_native) if not name.startswith("__")}
    assert functions == set(re.findall(r"^(?:def|class) (\w+)", stub, re.M))
