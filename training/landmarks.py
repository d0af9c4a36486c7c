"""The 68 landmarks of a face (iBUG 300-W): which is which, their mirror image, distances, and the table `sdic
points` writes.

Landmarks are [n,68,2], x first, in picture sides.
"""

from __future__ import annotations

import csv
import pathlib

import numpy as np
import torch

LANDMARKS = 68
JAW, BROWS, MOUTH = slice(0, 17), slice(17, 27), slice(48, 68)
NOSE_TIP = 30
EYES, RIGHT_EYE, LEFT_EYE = slice(36, 48), slice(36, 42), slice(42, 48)  # right and left as the person has them

# The index of every landmark's mirror image.
MIRROR = np.array(
    [
        *range(16, -1, -1),
        *range(26, 16, -1),
        *range(27, 31),
        *range(35, 30, -1),
        *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
        *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),
        *(64, 63, 62, 61, 60, 67, 66, 65),
    ]
)


def mirrored(landmarks):
    """The landmarks [...,68,2] of the mirrored picture."""
    flipped = landmarks[..., MIRROR, :].clone()
    flipped[..., 0] = 1 - flipped[..., 0]
    return flipped


def eye_distance(landmarks):
    """Distance between the middles of the eyes, [n]."""
    return (landmarks[:, RIGHT_EYE].mean(1) - landmarks[:, LEFT_EYE].mean(1)).norm(dim=1)


def apart(landmarks, a, b):
    """Mean distance [n] between the landmarks numbered `a` and those numbered `b`."""
    return (landmarks[:, a] - landmarks[:, b]).norm(dim=2).mean(1)


def relative(landmarks, pair):
    """The distance of a pair of landmarks [n], in distances between the eyes."""
    a, b = pair
    return (landmarks[:, a] - landmarks[:, b]).norm(dim=1) / eye_distance(landmarks)


def share_of(low: float, high: float, values):
    """Where values lie between two, 0 to 1."""
    return ((values - low) / (high - low)).clamp(0, 1)


def shown(landmarks, pair, low: float, high: float):
    """How much of a slider's upper end faces show, [n], 0 to 1: the distance of a pair of landmarks, from `low` to
    `high`."""
    return share_of(low, high, relative(landmarks, pair))


def beyond_shown(strengths, landmarks, most: float, pair, low: float, high: float):
    """Strengths [n] of a slider that reaches `most`, less what faces show of it already."""
    rest = (strengths - most * shown(landmarks, pair, low, high)).clamp(min=0)
    return torch.where(strengths > 0, rest, strengths)


def turn(landmarks):
    """How far heads are turned, [n], with a sign: how far the tip of the nose is to the right of the middle between
    the eyes, in distances between them."""
    return (landmarks[:, NOSE_TIP, 0] - landmarks[:, EYES, 0].mean(1)) / eye_distance(landmarks)


def frontal(landmarks, low: float, high: float):
    """1 for heads that are turned by `low` or less, 0 from `high` on, [n]."""
    return 1 - share_of(low, high, turn(landmarks).abs())


def read_landmarks(table: pathlib.Path, files):
    """Landmarks of the named pictures from a table of `sdic points`: file, x and y 68 times, and a confidence."""
    with open(table, newline="") as f:
        rows = {row[0]: row[1 : 1 + 2 * LANDMARKS] for row in csv.reader(f)}
    if missing := [file for file in files if file not in rows]:
        raise SystemExit(
            f"{table}: no landmarks of {len(missing)} pictures, first {missing[0]}; run `sdic points` again"
        )
    return torch.tensor([[float(value) for value in rows[file]] for file in files]).view(-1, LANDMARKS, 2)
