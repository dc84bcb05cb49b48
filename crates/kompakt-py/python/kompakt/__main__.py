"""The command line: ``kompakt …`` and ``python -m kompakt …``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line of this process and end it."""
    if sys.argv[1:2] == ["sweep"]:
        sys.exit(sweep(sys.argv[2:]))
    from kompakt import _native

    code = _native.main(["kompakt", *sys.argv[1:]])
    if sys.argv[1:] in (["--help"], ["-h"], ["help"]):
        print("\nBy Python:\n  sweep        Many runs of a recipe, on this machine's cores or on a Ray cluster", flush=True)
    sys.exit(code)


def sweep(words: list[str]) -> int:
    """``kompakt sweep``: prints the summaries as JSON, one a line. Returns the exit code."""
    import argparse
    import json

    parser = argparse.ArgumentParser(
        prog="kompakt sweep", description="Many runs of a recipe, on this machine's cores or on a Ray cluster"
    )
    parser.add_argument("recipe", help="the recipe's file (TOML)")
    parser.add_argument("--vary", metavar="STAGE.OPTION=VALUES", help="a run for each value: rate.target-size=1000,2000")
    parser.add_argument("--seeds", default="1", help="seeds, one run each: 1,2,3")
    parser.add_argument("--on", default="local", metavar="WHERE", help="local, ray or ray://ADDRESS [default: local]")
    parser.add_argument("--net", help="network [default: the recipe's]")
    parser.add_argument("--data", help="data set [default: the recipe's]")
    parser.add_argument("--prep", help="preprocessing [default: the recipe's]")
    parser.add_argument("-o", "--out", default="out", help="folder of the results [default: out]")
    parser.add_argument("--program", help="the program with the training engine [default: $KOMPAKT_PROGRAM, else on the path]")
    parser.add_argument("--jobs", type=int, help="tasks at a time on this machine [default: one for each core]")
    parser.add_argument("--cpus", type=int, default=1, help="cores of each task [default: 1]")
    parser.add_argument("-q", "--quiet", action="store_true", help="print no table")
    given = vars(parser.parse_args(words))
    recipe, is_quiet, seeds = given.pop("recipe"), given.pop("quiet"), given.pop("seeds")
    from kompakt._sweep import sweep as run

    try:
        for summary in run(recipe, seeds=[int(seed) for seed in seeds.split(",")], progress=not is_quiet, **given):
            print(json.dumps(summary))
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        print(f"kompakt sweep: {error}", file=sys.stderr)
        return 4 if isinstance(error, OSError) else 2 if isinstance(error, ValueError) else 1
    return 0


if __name__ == "__main__":
    main()
