#!/usr/bin/env python3
"""Stage 0b: the teachers of smile and age, from photographed pairs and from portraits among the training pictures.

Needs faces.npy, points.csv and appearance.pt in the work folder, and writes exemplars.pt there.
"""

from __future__ import annotations

import argparse
import csv
import pathlib

import numpy as np
import torch
from PIL import Image

from appearance import read_points
from sdic import run
from sdic.appearance import Appearance
from sdic.data import Faces
from sdic.exemplars import ELDER, Exemplars

SMILING = 0.97  # label of the portraits that show how bright teeth are
FRONTAL = 0.15  # and how far they may be turned


def clean(folder: pathlib.Path, files):
    """The clean pictures [n,3,512,512] in [-1,1]."""
    pixels = np.stack([np.asarray(Image.open(folder / file).convert("RGB")) for file in files])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--clean", type=pathlib.Path, required=True, help="folder of the unpacked clean512 pictures")
    args.add_argument("--clean-index", type=pathlib.Path, required=True, help="clean512.csv")
    args.add_argument("--points", type=pathlib.Path, required=True, help="`sdic points` of the clean pictures")
    args.add_argument("--index", type=pathlib.Path, required=True, help="index.csv of the training pictures")
    args.add_argument("--work", type=pathlib.Path, required=True, help="folder of packed pictures and checkpoints")
    args.add_argument("--size", type=int, default=256, help="side of the maps")
    args = args.parse_args()
    with open(args.clean_index, newline="") as f:
        rows = list(csv.DictReader(f))
    files = [row["file"] for row in rows]
    faces = Faces(args.work / "faces.npy", args.index, 256)
    points = read_points(args.work / "points.csv", faces.files)
    model = Appearance(*torch.load(args.work / "appearance.pt", weights_only=True, map_location="cpu")["model"])
    smile, yaw = faces.labels[:, 0], faces.labels[:, 3]
    smiling = np.flatnonzero(faces.real & ~faces.val & (smile > SMILING) & (np.abs(yaw) < FRONTAL))
    elder = [faces.files.index(ELDER)]
    portraits, old = ((faces.originals(ids), points[torch.as_tensor(ids)]) for ids in (smiling, elder))
    images, places = clean(args.clean, files), read_points(args.points, files)
    fitted = Exemplars.fit(images, places, rows, model, args.size, portraits, old)
    run.save(args.work / "exemplars.pt", fitted.tensors())
    print(f"smile: mouths are calm up to {fitted.low:.3f} and smile from {fitted.high:.3f} distances between the eyes")


if __name__ == "__main__":
    main()
