"""The reference's coders against fixtures/coders. Run: python3 -m unittest discover -s spec/reference"""

import json
import pathlib
import re
import struct
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from kompakt_reader import direct, smallest, stream  # noqa: E402
from kompakt_reader.smallest.numbers import Floats  # noqa: E402
from kompakt_reader.container import Container  # noqa: E402
from kompakt_reader.payload import Item  # noqa: E402
from kompakt_reader.refused import Refused  # noqa: E402

FIXTURES = HERE.parent.parent / "fixtures" / "coders"


def cases(start):
    found = sorted(FIXTURES.glob(start + "*.json"))
    assert found, "no fixture starts with " + start
    return [(path.name, json.loads(path.read_text())) for path in found]


def flat(rows):
    return [weight for row in rows for weight in row]


def read_rans(case):
    decoder = stream.Decoder(bytes.fromhex(case["bytes"]), 1 << case["log2_ways"])
    runs = [decoder.decode(stream.Histogram(run["freqs"]), len(run["symbols"])) for run in case["runs"]]
    decoder.finish()
    return runs


WIDTHS = {"f32": (8, 23), "f16": (5, 10)}


def shape_of(part):
    return part["rows"], part["channels"], part["taps"]


def flat_weights(mask, codes):
    return [code if mask is None or mask[i] else -1 for i, code in enumerate(codes)]


def read_adaptive(case):
    """With the reader."""
    decoder = smallest.StreamDecoder(bytes.fromhex(case["bytes"]), case.get("models") == "quick")
    found = []
    for part in case["parts"]:
        kind, ascending = part["part"], part.get("ascending", False)
        n = part.get("count", len(part.get("numbers", [])))
        if kind == "weights":
            args = part["masked"], part["levels"], part["negative"], part.get("producer"), part.get("grid")
            trellis = part.get("trellis", False)
            found.append(flat_weights(*decoder.weights(shape_of(part), *args, trellis=trellis)))
        elif kind == "integers":
            found.append(decoder.numbers_int(n, ascending))
        else:
            fields = getattr(decoder, kind)[ascending]
            found.append(Floats(decoder.coder, fields, *WIDTHS[kind]).read(n, ascending))
    decoder.finish()
    return found


def chapter():
    """The decoder that stands in the chapter itself."""
    text = (HERE.parent / "format-smallest.md").read_text()
    names = {}
    exec("\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL)), names)
    return names


def read_as_written(names, case):
    """With the chapter's own code."""
    models, tensor = ("QuickModels", "QuickTensor") if case.get("models") == "quick" else ("Models", "Tensor")
    coder, models, found = names["Decoder"](bytes.fromhex(case["bytes"])), names[models](), []
    for part in case["parts"]:
        kind, ascending = part["part"], part.get("ascending", False)
        n = part.get("count", len(part.get("numbers", [])))
        if kind == "weights":
            args = part["masked"], part["levels"], part["negative"], part.get("producer"), part.get("grid")
            kept, codes = names[tensor](coder, models, *shape_of(part), *args, trellis=part.get("trellis", False)).decode()
            found.append(flat_weights(kept, codes))
        elif kind == "integers":
            found.append(names["integers"](coder, models.numbers[ascending][2], n, ascending))
        else:
            fields = models.numbers[ascending][kind == "f16"]
            found.append(names["floats"](coder, fields, *WIDTHS[kind], n, ascending))
    coder.finish()
    return found


class Coders(unittest.TestCase):
    def refuses(self, name, case, read):
        with self.subTest(name):
            with self.assertRaises(Refused) as caught:
                read()
            self.assertEqual(caught.exception.rule, case["rule"])

    def test_direct(self):
        for name, case in cases("direct-"):
            with self.subTest(name):
                tile = direct.decode_tile(bytes.fromhex(case["bytes"]), case["rows"], case["cols"], case["levels"])
                self.assertEqual(flat(tile), case["weights"])

    def test_bad_direct(self):
        for name, case in cases("bad-direct-"):
            shape = case["rows"], case["cols"], case["levels"]
            self.refuses(name, case, lambda: direct.decode_tile(bytes.fromhex(case["bytes"]), *shape))

    def test_rans(self):
        for name, case in cases("rans-"):
            with self.subTest(name):
                self.assertEqual(read_rans(case), [run["symbols"] for run in case["runs"]])

    def test_bad_rans(self):
        for name, case in cases("bad-rans-"):
            self.refuses(name, case, lambda: read_rans(case))

    def test_stream(self):
        for name, case in cases("stream-") + cases("example-stream"):
            tables = stream.Tables(bytes.fromhex(case["tables"]))
            for matrix in case["matrices"]:
                with self.subTest(name):
                    weights, left = [], matrix["rows"]
                    for tile in matrix["tiles"]:
                        rows = min(left, matrix["rows_per_tile"])
                        left -= rows
                        shape = rows, matrix["cols"], matrix["levels"], matrix["negative"]
                        weights += flat(stream.decode_tile(bytes.fromhex(tile), *shape, tables))
                    self.assertEqual(weights, matrix["weights"])

    def test_bad_stream(self):
        for name, case in cases("bad-stream-"):
            shape = case["rows"], case["cols"], case["levels"], case["negative"]

            def read():
                tables = stream.Tables(bytes.fromhex(case["tables"]))
                stream.decode_tile(bytes.fromhex(case["tile"]), *shape, tables)

            self.refuses(name, case, read)

    def test_adaptive(self):
        names = chapter()
        for name, case in cases("adaptive-"):
            expected = [part["weights" if part["part"] == "weights" else "numbers"] for part in case["parts"]]
            with self.subTest(name):
                self.assertEqual(read_adaptive(case), expected)
            with self.subTest(name + ", as the chapter has it"):
                self.assertEqual(read_as_written(names, case), expected)

    def test_compact(self):
        names, found = chapter(), sorted((FIXTURES.parent / "good").glob("compact-*.kompakt"))
        self.assertTrue(found)
        for path in found:
            with self.subTest(path.name):
                container, stream = Container(path.read_bytes()), path.read_bytes()[21:]
                coder, models, directory = names["compact"](stream, Item().ends_with)
                self.assertEqual(container.document, directory[:1] + b"\x01\x48" + container.content_hash + directory[1:])
                ours = smallest.StreamDecoder(stream)
                ours.begin(Item().ends_with)
                self.assertEqual(ours.coder.code, coder.code)
                numbers = names["floats"](coder, models.numbers[0][0], 8, 23, 1)
                self.assertEqual(ours.numbers_f32(1), [struct.unpack("<f", struct.pack("<I", n))[0] for n in numbers])

    def test_bad_adaptive(self):
        names = chapter()
        for name, case in cases("bad-adaptive-"):
            self.refuses(name, case, lambda: read_adaptive(case))
            with self.subTest(name + ", as the chapter has it"):
                with self.assertRaises(names["Refused"]) as caught:
                    read_as_written(names, case)
                self.assertEqual(caught.exception.args, (case["rule"],))

    def test_every_rule_has_a_bad_fixture(self):
        for chapter, prefixes in [("direct", "D"), ("stream", "RS"), ("smallest", "A")]:
            text = (HERE.parent / f"format-{chapter}.md").read_text()
            rules = set(re.findall(rf"\*\*([{prefixes}]-\d+)\*\*", text))
            broken = {case["rule"] for _, case in cases("bad-") if case["rule"][0] in prefixes}
            # R-5 says how slots are laid out; no bytes can break it.
            self.assertEqual(rules - {"R-5"}, broken)


if __name__ == "__main__":
    unittest.main()
