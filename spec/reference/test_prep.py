"""The reference's preprocessing against fixtures/prep. Run: python3 -m unittest discover -s spec/reference"""

import json
import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from kompakt_reader import prep  # noqa: E402

FIXTURES = sorted((HERE.parent.parent / "fixtures" / "prep").glob("*.json"))


class Prep(unittest.TestCase):
    def test_every_step_has_a_fixture(self):
        seen = {step["step"] for path in FIXTURES for step in json.loads(path.read_text())["steps"]}
        self.assertEqual(seen, {name for name, _ in prep.CODES.values()})

    def test_outputs_codes_and_hashes(self):
        for path in FIXTURES:
            with self.subTest(path.name):
                case = json.loads(path.read_text())
                shape, steps = case["input"], case["steps"]
                self.assertEqual(prep.shapes(shape, steps)[-1], case["output"])
                self.assertEqual(prep.steps_hash(shape, steps).hex(), case["hash"])
                for step, (code, numbers) in zip(steps, case["numbers"]):
                    self.assertEqual(prep.step_to_numbers(step), (code, numbers))
                    again = prep.step_from_numbers(code, numbers)
                    self.assertEqual(prep.step_to_numbers(again), (code, numbers))
                found = prep.apply(shape, steps, case["x"])
                self.assertEqual(len(found), len(case["y"]))
                for y, z in zip(found, case["y"]):
                    self.assertLessEqual(abs(y - z), 1e-5 * max(1, abs(z)))

    def test_bytes(self):
        self.assertEqual([prep.byte_value(b) for b in (0, 51, 255)], [0.0, prep.f32(0.2), 1.0])

    def test_what_must_be_refused(self):
        for code, numbers in [(0, []), (14, []), (12, [3]), (12, [3, 3, 3]), (13, [1]), (1, [1]), (6, []), (7, [2, 2, 2]), (7, [2, -1, 0]), (7, [2.5, 2, 0]),
                              (4, [0.0]), (6, [2**25]), (11, [8, 0, 0.0, 2, 4]), (3, [2**32])]:
            with self.subTest((code, numbers)), self.assertRaises(prep.PrepError):
                prep.step_from_numbers(code, numbers)
        image, vector = [1, 4, 4], [16]
        for shape, step in [(vector, {"step": "median"}), ([2, 4, 4], {"step": "grayscale"}),
                            (image, {"step": "channels", "order": []}), (image, {"step": "channels", "order": [1]}),
                            (image, {"step": "deskew", "max_shear": -1.0}),
                            (image, {"step": "resize", "height": 0, "width": 4, "filter": "area"}),
                            (image, {"step": "resize", "height": 4097, "width": 4, "filter": "area"}),
                            (image, {"step": "crop", "threshold": 0.0, "margin": 2, "height": 4, "width": 9}),
                            (image, {"step": "center_crop", "height": 5, "width": 4}),
                            (image, {"step": "center_crop", "height": 0, "width": 4}),
                            (image, {"step": "subtract", "height": 1, "width": 2, "values": [0.0]}),
                            (vector, {"step": "subtract", "height": 1, "width": 1, "values": [0.0]}),
                            (vector, {"step": "normalize", "mean": [0.0], "std": [0.0]})]:
            with self.subTest(step), self.assertRaises(prep.PrepError):
                prep.shapes(shape, [step])
        with self.assertRaises(prep.PrepError):
            prep.shapes(image, [{"step": "invert"}] * 17)


if __name__ == "__main__":
    unittest.main()
