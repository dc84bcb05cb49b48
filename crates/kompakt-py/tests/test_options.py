"""What the command line can do, Python can: each option of a command is a parameter of the function that does the same, or is on a list
that says where else it is found."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import kompakt

# Commands and the functions that do the same.
FUNCTIONS = {
    "compress": kompakt.compress,
    "run": kompakt.load,
    "repack": kompakt.File.repack,
    "export": kompakt.File.export,
    "calibrate": kompakt.File.calibrate,
    "pack": "torch.pack",
}

# Commands without a function of their own.
ELSEWHERE = {
    "completions": "for shells",
    "cluster": "kompakt.torch.share",
    "data": "kompakt.compress(data='mnist') fetches it",
    "devices": "kompakt.devices",
    "diff": "kompakt.diff, File.patch",
    "eval": "Model.run and NumPy; Compressed.accuracy, agreement, figure",
    "help": "help(kompakt.compress)",
    "import": "kompakt.compress and kompakt.torch.pack read ONNX",
    "inspect": "kompakt.open, File.plan",
    "keygen": "asks for a password on the terminal",
    "man": "for shells",
    "patch": "File.patched",
    "prep": "kompakt.compress(prep=...)",
    "prune": "kompakt.torch.prune",
    "rate": "kompakt.sweep: minutes to hours of training",
    "report": "kompakt.sweep; File in a notebook",
    "sense": "kompakt.compress(scan=...), Compressed.layers",
    "sign": "asks for a password on the terminal",
    "unpack": "File.weights, codes, codebook, mask",
    "verify": "kompakt.open and kompakt.load verify; load(require_signature=...)",
}

# Options by another name.
RENAMED = {
    "*": {"output": ("out", "path")},
    "compress": {"no-check": ("check",), "labels": ("classes",), "min-agreement": ("max_drop", "metric"), "judges": ("n_judges",),
                 "ignore-labels": ("metric",), "quiet": ("progress",)},
    "export": {"c": ("to",), "rust": ("to",)},
    "pack": {"output": ("out",)},
    "run": {"batch": ("max_batch",), "size": ("sizes",), "no-verify": ("verify",), "key": ("require_signature",)},
}  # fmt: skip

# Options that have no parameter there.
OMITTED = {
    "*": {"help": "", "version": ""},
    "compress": {"finetune": "needs the training engine: kompakt.torch trains", "seed": "of finetune"},
    "calibrate": {
        "judge": "nothing is judged",
        "judges": "nothing is judged",
        "ignore-labels": "labels are not looked at",
    },
    "export": {"graph": "a File carries its network"},
    "pack": {"graph": "the module is the network", "quiet": "prints nothing"},
    "run": {
        "input": "Model.run takes arrays by name",
        "data": "NumPy compares",
        "split": "of data",
        "top": "Model.classify(top=...)",
        "json": "results are arrays",
        "npy": "results are arrays",
        "bench": "timeit",
        "rounds": "of bench",
        "plan": "File.plan",
        "stats": "timeit",
    },
}


def printed(*words: str) -> str:
    command = [sys.executable, "-m", "kompakt", *words, "--help"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def parameters(function: object) -> set[str]:
    if function == "torch.pack":
        # By its text: torch may not be there.
        tree = ast.parse((Path(kompakt.__file__).parent / "torch.py").read_text(encoding="utf-8"))
        (pack,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "pack")
        return {a.arg for a in (*pack.args.args, *pack.args.kwonlyargs)}
    return set(inspect.signature(function).parameters)  # type: ignore[arg-type]


@pytest.mark.parametrize("command", list(FUNCTIONS))
def test_every_option_has_its_parameter(command: str) -> None:
    there = parameters(FUNCTIONS[command])
    options = re.findall(r"^ {2,6}(?:-\w, )?--([a-z0-9-]+)", printed(command), re.M)
    assert len(options) > 3
    renamed, omitted = RENAMED["*"] | RENAMED.get(command, {}), OMITTED["*"] | OMITTED.get(command, {})
    for option in options:
        names = renamed.get(option, (option.replace("-", "_"),))
        assert option in omitted or there & set(names), (
            f"kompakt {command} --{option} has no parameter in Python: add one, or say in OMITTED where it is found"
        )
    for table in (RENAMED.get(command, {}), OMITTED.get(command, {})):
        assert set(table) <= set(options), "a list names options that are gone"
    assert all(there & set(names) for option, names in RENAMED.get(command, {}).items())


def test_every_command_has_its_function() -> None:
    commands = set(re.findall(r"^  ([a-z]+)", printed().split("Commands:")[1].split("Options:")[0], re.M))
    # A build with the training engine has two more.
    assert commands - {"train", "finetune"} == set(FUNCTIONS) | set(ELSEWHERE)
