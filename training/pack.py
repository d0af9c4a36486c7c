#!/usr/bin/env python3
"""Decodes the training pictures once: writes uint8 [count,S,S,3] as .npy, in the order of index.csv."""

from __future__ import annotations

import argparse
import csv
import pathlib
import tarfile

import numpy as np
from PIL import Image


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--data", type=pathlib.Path, required=True, help="folder with index.csv and faces256-*.tar")
    args.add_argument("--size", type=int, required=True, help="side in pixels; divides 256")
    args.add_argument("--out", type=pathlib.Path, required=True)
    args = args.parse_args()
    with open(args.data / "index.csv", newline="") as f:
        position = {row["file"]: i for i, row in enumerate(csv.DictReader(f))}
    pixels = np.zeros((len(position), args.size, args.size, 3), np.uint8)
    for archive in sorted(args.data.glob("faces256-*.tar")):
        with tarfile.open(archive) as tar:
            for member in tar:
                name = pathlib.PurePath(member.name).name
                if name not in position:
                    continue
                image = Image.open(tar.extractfile(member)).convert("RGB")
                pixels[position.pop(name)] = np.asarray(image.reduce(image.width // args.size))
    if position:
        raise SystemExit(f"{args.data}: {len(position)} pictures of index.csv are in no archive, first {next(iter(position))}")
    np.save(args.out, pixels)


if __name__ == "__main__":
    main()
