"""A sheet to look at: a row for each of some val faces, with the photo, what DIPN found, the plain and the
compensated reconstruction, and edits as the page shows them, the strongest of a slider beside what its teacher
wants."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from PIL import Image

from .. import arguments, checkpoints
from ..budgets import BUDGETS
from ..data.faces import Faces, to_bytes
from ..editing.edits import Editable, in_photo
from ..sliders import EXEMPLARS, ROWS, by_name
from ..teachers.editor import Editor

FACES = 12
EDITS = (
    ("smile", 1.0),
    ("smile", 2.0),
    ("age", -2.5),
    ("age", 2.5),
    ("gender", 2.2),
    ("yaw", 1.5),
    ("glasses", 1.0),
    ("mouth", 1.6),
)


def in_rows(columns) -> Image.Image:
    """One picture of columns of pictures [n,3,S,S]."""
    pictures = torch.cat(list(columns), 3)
    return Image.fromarray(to_bytes(torch.cat(list(pictures), 1)))


@torch.no_grad()
def columns(model: Editable, editor: Editor, photos, landmarks):
    """Pictures [n,3,S,S] by column."""
    inversion = model.invert(photos)
    discrepancy = F.interpolate(inversion.discrepancy, size=photos.shape[2:], mode="nearest")
    yield from (photos, discrepancy, inversion.initial, inversion.reconstruction)
    for name, amount in EDITS:
        which = torch.full((len(photos),), ROWS[name], device=photos.device)
        strengths = torch.full((len(photos),), amount, device=photos.device)
        strengths = editor.effective(landmarks, which, strengths)
        motion, place, wanted = editor.wanted(photos, landmarks, which, strengths)
        if amount == by_name(name).ends[1] and by_name(name).teachers[1] == EXEMPLARS:
            yield wanted
        cover = editor.cover(landmarks, place, which, strengths)
        pair = model.slide(inversion, landmarks, motion, place, which, strengths, cover)
        yield in_photo(photos, motion, *pair, cover, model.config)


def main():
    parser = arguments.parser(__doc__, "budget", "index", "work", "out")
    arguments.add_state(parser)
    args = parser.parse_args()
    budget = BUDGETS[args.budget]
    device = budget.available_device()
    faces = Faces(args.work / "faces.npy", args.index, budget.model.image_size, device)
    editor = Editor.load(args.work, faces)
    model = checkpoints.take_average(Editable(budget.model), args.work / args.state)
    model = model.to(device).eval().requires_grad_(False)
    model.edits.follow(editor)
    ids = faces.split(val=True, real=True)
    ids = ids[:: max(1, len(ids) // FACES)][:FACES]
    args.out.parent.mkdir(parents=True, exist_ok=True)
    in_rows(columns(model, editor, faces.images(ids), editor.landmarks_of(ids))).save(args.out, quality=88)


if __name__ == "__main__":
    main()
