"""The reference's coders against fixtures/coders. Run: python3 -m unittest discover -s spec/reference"""

import json
import pathlib
import re
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from kompakt_reader import direct, stream  # noqa: E402
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

    def test_every_rule_has_a_bad_fixture(self):
        for chapter, prefixes in [("direct", "D"), ("stream", "RS")]:
            text = (HERE.parent / f"format-{chapter}.md").read_text()
            rules = set(re.findall(rf"\*\*([{prefixes}]-\d+)\*\*", text))
            broken = {case["rule"] for _, case in cases("bad-") if case["rule"][0] in prefixes}
            # R-5 says how slots are laid out; no bytes can break it.
            self.assertEqual(rules - {"R-5"}, broken)


if __name__ == "__main__":
    unittest.main()
