"""The command that measures how far edits leave the person."""

from __future__ import annotations

import contextlib
import io
import pathlib
import tempfile
import unittest
import unittest.mock

import numpy as np
from PIL import Image

from ..measure import identity

PORTRAITS = pathlib.Path(__file__).resolve().parents[2] / "tests" / "face" / "portraits"


def run(before: pathlib.Path, after: pathlib.Path) -> str:
    told = io.StringIO()
    with unittest.mock.patch("sys.argv", ["identity", str(before), str(after)]), contextlib.redirect_stdout(told):
        identity.main()
    return told.getvalue()


class Identity(unittest.TestCase):
    def setUp(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.before, self.after = folder / "before", folder / "after"
        for each in (self.before, self.after):
            each.mkdir()

    def write(self, folder: pathlib.Path, name: str, portrait: str):
        with Image.open(PORTRAITS / portrait) as picture:
            picture.save(folder / name)

    def test_mean_and_largest_distance_are_told(self):
        for index in range(1, 4):
            self.write(self.before, f"{index}.png", f"0{index}.png")
            self.write(self.after, f"{index}.png", f"0{index}.png")
        self.assertTrue(run(self.before, self.after).startswith("3 faces: mean 0.000, largest 0.000 "))
        self.write(self.after, "3.png", "05.png")
        told = run(self.before, self.after).split()
        mean, largest = (float(told[at].rstrip(",")) for at in (3, 5))
        self.assertGreater(largest, 0.2)
        self.assertTrue(np.isclose(3 * mean, largest, atol=0.002))

    def test_folders_of_other_names_are_refused(self):
        with self.assertRaisesRegex(SystemExit, "pictures of the same names"):
            run(self.before, self.after)
        self.write(self.before, "1.png", "01.png")
        with self.assertRaisesRegex(SystemExit, "pictures of the same names"):
            run(self.before, self.after)


if __name__ == "__main__":
    unittest.main()
