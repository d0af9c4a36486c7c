#!/usr/bin/env python3
"""Stage 0: the appearance model that edits training pictures, from the 68 points that `sdic points` found in them.

Writes `points` [count,68,2], in picture sides, and the model's tensors as appearance.pt in the work folder.
"""

from __future__ import annotations

import argparse
import csv
import pathlib

import torch

from pack import SIDE
from sdic import run
from sdic.appearance import Appearance
from sdic.data import Faces


def read_points(table: pathlib.Path, files):
    """Points [n,68,2] of the named pictures from a table of `sdic points`: file, x and y 68 times, and a confidence."""
    with open(table, newline="") as f:
        rows = {row[0]: row[1:137] for row in csv.reader(f)}
    if missing := [file for file in files if file not in rows]:
        raise SystemExit(f"{table}: no points of {len(missing)} pictures, first {missing[0]}; run `sdic points` again")
    return torch.tensor([[float(value) for value in rows[file]] for file in files]).view(-1, 68, 2)


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--index", type=pathlib.Path, required=True, help="index.csv of the pictures")
    args.add_argument("--work", type=pathlib.Path, required=True, help="folder of packed pictures, points.csv and checkpoints")
    args = args.parse_args()
    faces = Faces(args.work / "faces.npy", args.index, SIDE)
    points = read_points(args.work / "points.csv", faces.files)
    model = Appearance.fit(faces, points)
    run.save(args.work / "appearance.pt", {"points": points, "model": model.tensors()})


if __name__ == "__main__":
    main()
