"""Fits the teachers of smile, open mouth and age, from photographed pairs and from portraits among the training
pictures.

Needs faces.npy, points.csv, appearance.pt, clean/ and clean-points.csv in the work folder, and writes exemplars.pt
there.
"""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from .. import arguments, checkpoints
from ..data.faces import SIDE, Faces, from_bytes, read_rows
from ..landmarks import read_landmarks
from ..sliders import ROWS
from .appearance import Appearance
from .exemplars import ELDER, Exemplars

SMILING = 0.97  # label of the portraits that show how bright teeth are
FRONTAL = 0.15  # and how far they may be turned


def main():
    args = arguments.parser(__doc__, "data", "work").parse_args()
    rows = read_rows(args.data / "clean512.csv")
    files = [row["file"] for row in rows]
    faces = Faces(args.work / "faces.npy", args.data / "index.csv", SIDE)
    landmarks = read_landmarks(args.work / "points.csv", faces.files)
    model = Appearance(*checkpoints.load(args.work / "appearance.pt")["model"])
    smile, yaw = faces.labels[:, ROWS["smile"]], faces.labels[:, ROWS["yaw"]]
    smiling = np.flatnonzero(faces.real & ~faces.val & (smile > SMILING) & (np.abs(yaw) < FRONTAL))
    elder = [faces.files.index(ELDER)]
    portraits, old = ((faces.originals(ids), landmarks[torch.as_tensor(ids)]) for ids in (smiling, elder))
    pixels = np.stack([np.asarray(Image.open(args.work / "clean" / file).convert("RGB")) for file in files])
    images, places = from_bytes(torch.from_numpy(pixels)), read_landmarks(args.work / "clean-points.csv", files)
    fitted = Exemplars.fit(images, places, rows, model, SIDE, portraits, old)
    checkpoints.save(args.work / "exemplars.pt", fitted.tensors())
    low, high = fitted.shown["smile"]
    print(f"smile: mouths are calm up to {low} and smile from {high} distances between the eyes")


if __name__ == "__main__":
    main()
