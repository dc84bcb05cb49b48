"""Recipes as tasks: what every run of a sweep calls, and what each call needs from others.

A task is a command of the program `kompakt` in a folder of its own, with the names of files in it. Its key is the SHA-256 of the
command, the program, the data and the keys of its inputs: what has the same key is made once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

# A stage and what its files' names begin with.
_STAGES = {"train": 1, "prune": 2, "rate": 2, "cluster": 3, "finetune": 4, "pack": 5}
_NO_PREP = "none"


@dataclasses.dataclass(frozen=True)
class Task:
    """One call of the program."""

    key: str
    stage: str
    command: tuple[str, ...]
    # Names of files in the task's folder, and the keys of the tasks that make them.
    inputs: tuple[tuple[str, str], ...]
    # The file that the command leaves; `None`: what it prints.
    output: str | None
    checkpoint: str | None = None


@dataclasses.dataclass
class Run:
    """One network at one seed and one value of the option that varies."""

    net: str
    data: str
    prep: str
    recipe: str
    seed: int
    value: str | None
    tasks: list[Task] = dataclasses.field(default_factory=list)
    # Stage, key of its model, key of the file that the model packs to.
    models: list[tuple[str, str, str]] = dataclasses.field(default_factory=list)
    packed: str = ""
    answers: str = ""

    @property
    def name(self) -> str:
        """A folder name that distinguishes the run."""
        parts = [self.net, self.data, self.recipe, *([] if self.prep == _NO_PREP else [self.prep])]
        text = "-".join(_plain(Path(part).stem) for part in parts) + f"-seed{self.seed}"
        return text if self.value is None else f"{text}/{_plain(self.value)}"


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """A recipe: the options of every stage.

    Errors: ``OSError`` for a file that cannot be read, ``ValueError`` for one that is not a recipe.
    """
    import tomllib

    with open(path, "rb") as file:
        try:
            recipe = tomllib.load(file)
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"{os.fspath(path)}: {error}") from None
    known = {"about", "net", "data", "prep", "rate", "teachers", *_STAGES}
    for name, value in recipe.items():
        if name not in known:
            raise ValueError(f"{os.fspath(path)}: unknown entry {name!r}; there are {', '.join(sorted(known))}")
        if name in _STAGES and not (isinstance(value, list) and all(isinstance(word, str) for word in value)):
            raise ValueError(f"{os.fspath(path)}: {name} is not a list of words")
    return recipe


def variations(vary: str | Mapping[str, Iterable[object]] | None) -> list[tuple[str, str, str] | None]:
    """Stage, option and value of each run: ``rate.target-size=1000,2000``; values with commas are separated by ``;``."""
    if vary is None:
        return [None]
    form = "STAGE.OPTION=VALUE,VALUE, for example rate.target-size=1000,2000"
    if isinstance(vary, str):
        what, mark, text = vary.partition("=")
        values = [value.strip() for value in text.split(";" if ";" in text else ",")]
        given = {what: values if mark else []}
    else:
        given = {what: [str(value) for value in values] for what, values in vary.items()}
    if len(given) != 1:
        raise ValueError(f"vary: one option at a time, as {form}")
    [(what, values)] = given.items()
    stage, dot, option = what.partition(".")
    if stage not in _STAGES or not dot or not option or not values or not all(values):
        raise ValueError(f"vary {vary!r} is not {form}; stages are {', '.join(_STAGES)}")
    return [(stage, f"--{option}", value) for value in values]


def runs(
    path: str | os.PathLike[str],
    vary: str | Mapping[str, Iterable[object]] | None,
    seeds: Iterable[int],
    about: Mapping[str, str | None],
    program: str,
    data_digest: str,
) -> list[Run]:
    """All runs of a sweep. `about` overrides the recipe's network, data and preprocessing; `program` is its digest."""
    recipe = read(path)

    def word(name: str, default: str) -> str:
        return about.get(name) or recipe.get(name) or default

    found = []
    for seed in seeds:
        for variation in variations(vary):
            value = None if variation is None else variation[2]
            run = Run(word("net", "lenet-300-100"), word("data", "mnist"), word("prep", _NO_PREP), Path(path).stem, int(seed), value)
            _Planner(run, program + data_digest).plan(_varied(recipe, variation))
            found.append(run)
    return found


def _varied(recipe: dict[str, Any], variation: tuple[str, str, str] | None) -> dict[str, Any]:
    if variation is None:
        return recipe
    stage, option, value = variation
    has_rate = "rate" in recipe
    if (stage == "rate") != has_rate and stage not in ("train", "pack"):
        raise ValueError(f"the recipe has no stage {stage}")
    words = list(recipe.get(stage, []))
    if option in words[:-1]:
        words[words.index(option) + 1] = value
    else:
        words += [option, value]
    return {**recipe, stage: words}


class _Planner:
    """Adds a run's tasks, in an order in which each comes after what it needs."""

    def __init__(self, run: Run, salt: str) -> None:
        self.run, self.salt = run, salt

    def plan(self, recipe: dict[str, Any]) -> None:
        run = self.run
        prep = [] if run.prep == _NO_PREP else ["--prep", run.prep]
        last = self.train(run.net, run.seed, [*prep, *recipe.get("train", [])])
        self.model("train", last)
        if "rate" in recipe:
            inputs, words = [("in.safetensors", last)], ["--seed", str(run.seed)]
            for index, teacher in enumerate(recipe.get("teachers", [])):
                # Teachers differ by their seeds.
                name = f"teacher-{index}.safetensors"
                inputs.append((name, self.train(teacher["net"], run.seed + 1000 * index, teacher.get("train", []))))
                words += ["--teacher", name]
            last = self.stage("rate", [*words, *recipe["rate"]], inputs, needs_data=True, checkpoint="resume")
            self.model("rate", last)
        else:
            for stage, needs_data in (("prune", True), ("cluster", False), ("finetune", True)):
                last = self.stage(stage, recipe.get(stage, []), [("in.safetensors", last)], needs_data=needs_data)
                self.model(stage, last)
        words = ["in.safetensors", "--quiet", *recipe.get("pack", [])]
        run.packed = self.task("pack", ["pack", *words, "-o", "out.kompakt"], [("in.safetensors", last)], "out.kompakt")
        words = ["run", "in.kompakt", "--data", run.data, "--split", "test", "--json"]
        run.answers = self.task("run", words, [("in.kompakt", run.packed)], None)

    def train(self, net: str, seed: int, options: list[str]) -> str:
        return self.stage("train", ["--net", net, "--seed", str(seed), *options], [], needs_data=True, checkpoint="resume")

    def model(self, stage: str, key: str) -> None:
        """Notes a stage's result, and what it takes on disk when it is packed as it is."""
        words = ["pack", "in.safetensors", "--minimal", "--quiet", "-o", "out.kompakt"]
        packed = "" if stage == "train" else self.task("size", words, [("in.safetensors", key)], "out.kompakt")
        self.run.models.append((stage, key, packed))

    def stage(
        self, stage: str, options: list[str], inputs: list[tuple[str, str]], *, needs_data: bool, checkpoint: str | None = None
    ) -> str:
        words = [stage, "--quiet"]
        words += ["--data", self.run.data] if needs_data else []
        words += ["--checkpoint", checkpoint] if checkpoint else []
        words += [*options, *(["in.safetensors"] if inputs else []), "-o", "out.safetensors"]
        return self.task(stage, words, inputs, "out.safetensors", checkpoint)

    def task(
        self, stage: str, words: list[str], inputs: list[tuple[str, str]], output: str | None, checkpoint: str | None = None
    ) -> str:
        text = json.dumps([self.salt, words, inputs])
        key = hashlib.sha256(text.encode()).hexdigest()
        self.run.tasks.append(Task(key, stage, tuple(words), tuple(inputs), output, checkpoint))
        return key


def _plain(text: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in text)
