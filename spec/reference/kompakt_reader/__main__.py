"""What is in a .kompakt file; see main()."""

import argparse
import hashlib
import json
import struct
import sys

from . import sizes
from .container import TIERS, Container
from .refused import Refused


def digest(values):
    """SHA-256 of the values as f32, to compare readers by."""
    return hashlib.sha256(struct.pack(f"<{len(values)}f", *values)).hexdigest()


def summary(container, decoded):
    """What a file holds, in the form of fixtures/good/*.json."""
    tensors = []
    for d in decoded:
        values = d.values()
        tensors.append(
            {
                "name": d.parameter.name,
                "shape": list(d.parameter.shape),
                "levels": len(d.codebook.raw) if d.codebook else 0,
                "kept": sum(d.unit_counts()),
                "sha256": digest(values),
            }
        )
    open_sizes = {} if container.sizes is None else {"sizes": sizes.summary(container.sizes, container.graph)}
    found = {
        "tier": TIERS[container.tier],
        "content_hash": container.content_hash.hex(),
        "inputs": [list(s) for s in container.graph.shapes[: container.graph.n_inputs]],
        "nodes": [node.op for node in container.graph.nodes],
        "outputs": container.graph.outputs,
        "names": container.graph.names,
        "steps": [step["step"] for step in container.steps],
        "dense_parameters": container.dense_parameters,
        "measured": container.measured,
        "labels": container.labels(),
        "provenance": container.provenance(),
        "self_tests": [{"seed": seed, "expected": expected} for seed, expected in container.self_tests()],
        "tensors": tensors,
        **open_sizes,
    }
    ranges = [{"value": value, "low": low, "high": high} for value, low, high in container.ranges()]
    return found | ({"ranges": ranges} if ranges else {})


def main(argv=None):
    parser = argparse.ArgumentParser(prog="read.py", description="Reads a .kompakt file and checks every byte of it.")
    parser.add_argument("file")
    parser.add_argument("--tensor", metavar="NAME", help="print the values of this tensor, one a line")
    parser.add_argument("--json", action="store_true", help="print what is in the file as JSON")
    parser.add_argument("--check", metavar="EXPECTED", help="compare with such JSON; exit code 1 if it differs")
    arguments = parser.parse_args(argv)
    with open(arguments.file, "rb") as file:
        data = file.read()
    try:
        container = Container(data)
        decoded = container.verify()
    except Refused as error:
        print(f"{arguments.file}: {error}", file=sys.stderr)
        return 3
    if arguments.tensor:
        found = [d for d in decoded if d.parameter.name == arguments.tensor]
        if not found:
            print(f"no tensor {arguments.tensor}", file=sys.stderr)
            return 1
        for value in found[0].values():
            print(repr(value))
        return 0
    found = summary(container, decoded)
    if arguments.check:
        with open(arguments.check, encoding="utf-8") as file:
            expected = json.load(file)
        different = [key for key in found if found[key] != expected.get(key)]
        for key in different:
            print(f"{arguments.file}: {key} is {found[key]}, expected {expected.get(key)}", file=sys.stderr)
        return 1 if different else 0
    if arguments.json:
        print(json.dumps(found, indent=1))
        return 0
    print(f"tier {found['tier']}, content {found['content_hash']}, nodes {', '.join(found['nodes'])}")
    for tensor in found["tensors"]:
        print(f"{tensor['name']:24} {tensor['shape']!s:20} levels {tensor['levels']:3} kept {tensor['kept']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
