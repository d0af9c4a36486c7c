"""A sheet to look at: difficult val faces with sliders at their upper ends, of one weights directory below those of
another. The faces are the most turned, those with glasses, the oldest, the youngest, those of the darkest skin and of
the widest mouths.

Faces of real people: the sheet is not to be published.
"""

from __future__ import annotations

import pathlib

import numpy as np
import torch

from .. import arguments, checkpoints
from ..data.faces import SIDE, Faces
from ..landmarks import relative
from ..sliders import ROWS, by_name
from .report import SHEET, Retoucher
from .sheet import in_rows
from .skin import tones

OF_EACH = 2


def difficult(faces: Faces, landmarks) -> np.ndarray:
    """Ids of twelve real val faces."""
    ids = faces.split(val=True, real=True)
    labels = np.nan_to_num(faces.standard_labels(ids).numpy())
    landmarks = landmarks[torch.from_numpy(ids)]
    turned, glasses, age = np.abs(labels[:, ROWS["yaw"]]), labels[:, ROWS["glasses"]], labels[:, ROWS["age"]]
    mouth = relative(landmarks, by_name("smile").shown).numpy()
    measures = turned, glasses, age, -age, -tones(faces.images(ids), landmarks), mouth
    chosen: list[int] = []
    for measure in measures:
        order = (i for i in np.argsort(-measure) if i not in chosen)
        chosen += [next(order) for _ in range(OF_EACH)]
    return ids[chosen]


def main():
    parser = arguments.parser(__doc__, "data", "work", "weights", "out")
    parser.add_argument("--before", type=pathlib.Path, required=True, help="the weights directory above")
    args = parser.parse_args()
    faces = Faces(args.work / "faces.npy", args.data / "index.csv", SIDE)
    known = checkpoints.load(args.work / "appearance.pt")["points"].float()
    ids = difficult(faces, known)
    photos, landmarks = faces.images(ids), known[torch.from_numpy(ids)]
    before, now = Retoucher(args.before), Retoucher(args.weights)
    columns = [photos.repeat_interleave(2, 0)]
    for name in SHEET:
        pair = (retouch(photos, landmarks, {name: retouch.ends(name)[1]}) for retouch in (before, now))
        columns.append(torch.stack([*pair], 1).flatten(0, 1))
    in_rows(columns).save(args.out, quality=90)


if __name__ == "__main__":
    main()
