"""PyTorch without the libraries for GPUs: `python no_gpu.py needs` prints what else it needs, `python no_gpu.py stand-in` makes it load.

PyTorch's build for Linux links 14 libraries of 4 GB, none of which is called where there is no GPU; the loader only wants them to be
there. Each gets a stand-in that has the names that PyTorch looks for, whose functions answer "no device".
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

# cudaErrorInsufficientDriver; of a registration any address will do, of a text an empty one.
CODE = """
.text
answer: mov $35, %eax
    ret
address: lea place(%rip), %rax
    ret
.data
.balign 8
place: .quad 0, 0
.section .note.GNU-stack, "", @progbits
.text
"""


def needs() -> list[str]:
    """What torch requires, but for libraries for GPUs and the compiler for them."""
    required = importlib.metadata.requires("torch") or []
    return [r for r in required if "extra ==" not in r and not re.match(r"nvidia|cuda|triton", r)]


def stand_in(folder: Path) -> int:
    """Makes the libraries that torch's libraries lack; returns their number."""
    there = sorted(folder.glob("*.so*"))
    needed: set[str] = set()
    wanted: dict[str, str] = {}
    defined: set[str] = set()
    # The names of versions by library.
    versions: dict[str, set[str]] = defaultdict(set)
    for path in there:
        needed.update(re.findall(r"\(NEEDED\).*\[(.*)\]", said("readelf", "-dW", path)))
        for part in said("readelf", "-VW", path).split("File: ")[1:]:
            versions[part.split()[0]].update(re.findall(r"Name: (\S+)", part))
        for line in said("nm", "-D", path).splitlines():
            *_, kind, symbol = line.split()
            name, _, version = symbol.partition("@")
            if kind == "U":
                wanted[name] = version
            elif kind not in "wv":
                defined.add(name)
    missing = sorted(name for name in needed - {path.name for path in there} if re.match(r"lib(cu|nccl|nv)", name))
    home = {version: library for library in missing for version in versions[library]}
    names: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, version in sorted(wanted.items()):
        if name not in defined and (version in home or re.match(r"_*(cu[A-Z]|cuda|cublas|cusparse|cusolver|cudnn|cufft|cupti|nccl|nv)", name)):
            names[home.get(version, missing[0])].append((name, version))
    for library in missing:
        make(folder / library, names[library], versions[library])
    return len(missing)


def make(path: Path, names: list[tuple[str, str]], versions: set[str]) -> None:
    """A shared library of these functions and versions."""
    gives_address = re.compile(r"RegisterFatBinary$|String|Name")
    code = CODE + "".join(
        f".globl {name}\n.type {name}, @function\n{name}: jmp {'address' if gives_address.search(name) else 'answer'}\n"
        for name, _ in names
    )
    script = "".join(
        f"{version} {{ global: {' '.join(f'{name};' for name, of in names if of == version)} }};\n" for version in sorted(versions)
    )
    with tempfile.TemporaryDirectory() as folder:
        source, exports = Path(folder, "a.s"), Path(folder, "a.map")
        source.write_text(code)
        exports.write_text(script)
        options = [f"-Wl,--version-script={exports}"] if script else []
        command = ["cc", "-shared", "-nostdlib", f"-Wl,-soname,{path.name}", *options, "-o", str(path), str(source)]
        subprocess.run(command, check=True)


def said(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    if sys.argv[1:] == ["needs"]:
        print("\n".join(needs()))
    else:
        spec = importlib.util.find_spec("torch")
        assert spec is not None and spec.submodule_search_locations is not None
        print(stand_in(Path(spec.submodule_search_locations[0]) / "lib"), "libraries for GPUs have stand-ins", file=sys.stderr)
