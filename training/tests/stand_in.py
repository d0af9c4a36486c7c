"""Stands in for the `sdic` program, which finds faces: takes a picture for an aligned face and knows where a face
has its landmarks on average.

usage: stand_in.py align FILE --out FOLDER --size SIDE      stand_in.py points FOLDER --out TABLE
"""

from __future__ import annotations

import pathlib
import sys

import numpy as np
from PIL import Image

from .made_faces import Person, write_landmarks


def align(file: str, folder: str, side: int):
    pathlib.Path(folder).mkdir()
    Image.open(file).convert("RGB").resize((side, side)).save(pathlib.Path(folder) / "face.png")


def points(folder: str, table: str):
    person = Person.drawn(np.random.default_rng(0), yaw=0.0, pitch=0.0, smile=0.2)
    files = sorted(path.name for path in pathlib.Path(folder).glob("*.png"))
    write_landmarks(pathlib.Path(table), {file: person.landmarks() for file in files})


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["align", file, "--out", folder, "--size", side]:
            align(file, folder, int(side))
        case ["points", folder, "--out", table]:
            points(folder, table)
        case _:
            sys.exit(__doc__)
