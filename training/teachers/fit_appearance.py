"""Fits the appearance model that edits training pictures, from the landmarks that `sdic points` found in them.

Writes `points` [count,68,2], the landmarks, and the model's tensors as appearance.pt in the work folder.
"""

from __future__ import annotations

from .. import arguments, checkpoints
from ..data.faces import SIDE, Faces
from ..landmarks import read_landmarks
from .appearance import Appearance


def main():
    args = arguments.parser(__doc__, "index", "work").parse_args()
    faces = Faces(args.work / "faces.npy", args.index, SIDE)
    landmarks = read_landmarks(args.work / "points.csv", faces.files)
    model = Appearance.fit(faces, landmarks)
    checkpoints.save(args.work / "appearance.pt", {"points": landmarks, "model": model.tensors()})


if __name__ == "__main__":
    main()
