"""The reference reader against fixtures/good, fixtures/compat and fixtures/bad. Run: python3 -m unittest discover -s spec/reference"""

import json
import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from kompakt_reader.__main__ import summary  # noqa: E402
from kompakt_reader.container import Container  # noqa: E402
from kompakt_reader.refused import Refused  # noqa: E402

FIXTURES = HERE.parent.parent / "fixtures"


class Containers(unittest.TestCase):
    def test_good_ones_hold_what_is_expected(self):
        kept = [*(FIXTURES / "good").glob("*.kompakt"), *(FIXTURES / "compat").glob("v?/*.kompakt")]
        for path in sorted(kept):
            with self.subTest(path.name):
                container = Container(path.read_bytes())
                found = summary(container, container.verify())
                self.assertEqual(found, json.loads(path.with_suffix(".json").read_text()))

    def test_bad_ones_are_refused_by_their_rule(self):
        for path in sorted((FIXTURES / "bad").glob("*.kompakt")):
            with self.subTest(path.name):
                with self.assertRaises(Refused) as caught:
                    Container(path.read_bytes()).verify()
                self.assertTrue(path.name.startswith(caught.exception.rule + "-"), caught.exception)


if __name__ == "__main__":
    unittest.main()
