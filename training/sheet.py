#!/usr/bin/env python3
"""A sheet to look at: a row for each of some val faces, with the photo, what DIPN found, the plain and the compensated
reconstruction, and edits as the page shows them."""

from __future__ import annotations

import argparse
import pathlib

import torch

from PIL import Image

from budgets import BUDGETS
from sdic import run
from sdic.appearance import SLIDERS
from sdic.data import Faces
from sdic.edits import Editable, Editor, in_photo

ROWS = 12
EDITS = (("smile", 1.0), ("smile", 2.0), ("age", -2.5), ("age", 2.5), ("gender", 2.2), ("yaw", 1.5), ("glasses", 1.0))


@torch.no_grad()
def columns(model: Editable, editor: Editor, photos, points):
    """Pictures [n,3,S,S] by column."""
    done = model.invert(photos)
    bigger = torch.nn.functional.interpolate(done.discrepancy, size=photos.shape[2:], mode="nearest")
    yield from (photos, bigger, done.initial, done.reconstruction)
    for name, amount in EDITS:
        which = torch.full((len(photos),), SLIDERS.index(name), device=photos.device)
        steps = editor.effective(points, which, torch.full((len(photos),), amount, device=photos.device))
        move, place, wanted = editor.wanted(photos, points, which, steps)
        if amount == max(a for n, a in EDITS if n == name) and editor.exemplars and name in editor.exemplars.covers:
            yield wanted
        yield in_photo(photos, move, *model.edits.edited(model, done, move, place, which, steps))


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--budget", choices=BUDGETS, required=True)
    args.add_argument("--index", type=pathlib.Path, required=True, help="index.csv of the pictures")
    args.add_argument("--work", type=pathlib.Path, required=True, help="folder of packed pictures and checkpoints")
    args.add_argument("--state", default="crops.pt", help="checkpoint in that folder")
    args.add_argument("--out", type=pathlib.Path, required=True)
    args = args.parse_args()
    budget = BUDGETS[args.budget]
    device = run.device_of(budget)
    faces = Faces(args.work / "faces.npy", args.index, budget.model.image_size, device)
    editor = Editor.load(args.work, faces)
    model = Editable(budget.model)
    run.take(model, run.load(args.work / args.state)["average"])
    model = model.to(device).eval().requires_grad_(False)
    model.edits.follow(editor.appearance)
    ids = faces.split(val=True, real=True)
    ids = ids[:: max(1, len(ids) // ROWS)][:ROWS]
    pictures = torch.cat(list(columns(model, editor, faces.images(ids), editor.points_of(ids))), 3)
    pixels = ((torch.cat(list(pictures), 1).clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.cpu().contiguous().numpy()).save(args.out, quality=88)


if __name__ == "__main__":
    main()
