#!/usr/bin/env python3
"""Stage 3c: label directions and their motions on the finished networks, which stay as they are.

Photos are inverted, edited along every label, and compared with what an appearance model makes of them: what an edit
changes must be what the appearance model changes.
"""

from __future__ import annotations

import numpy as np
import torch

from compensation import Editable
from sdic import run
from sdic.data import LABELS, Sampler
from sdic.edits import Editor, edit_weight
from sdic.layers import warp
from sdic.losses import face_weight, reconstruction_loss

RATES = {"directions": 4e-3, "motions": 1e-4}
REAL_SHARE = 0.6


def main():
    setup = run.Setup(__doc__, stage="edits", needs=("whole",), from_weights=True)
    config = setup.budget.model
    editor = Editor.load(setup.work / "appearance.pt", setup.faces)
    model = Editable(config).to(setup.device).eval().requires_grad_(False)
    model.motions.copy_(editor.appearance.motions(config.inject_size))
    if setup.start:
        model.start_from(setup.start)
    else:
        run.take(model, run.load(setup.inputs[0])["average"])
    average = run.Average(model, 0.98)
    groups = [{"params": [getattr(model, name).requires_grad_(True)], "lr": rate} for name, rate in RATES.items()]
    optimiser = torch.optim.Adam(groups, betas=(0.8, 0.99))
    step, parts = 0, {"net": model, "average": average.module, "optimiser": optimiser}
    if state := setup.resume(parts):
        step = state["step"]
    rng = np.random.default_rng(setup.seed + step)
    sampler = Sampler(setup.faces, setup.batch, REAL_SHARE, setup.seed + step)
    face = face_weight(config.image_size, setup.device)

    while setup.clock.tick():
        for group, rate in zip(optimiser.param_groups, RATES.values()):
            group["lr"] = rate * setup.clock.rate()
        ids, flip, images, labels = sampler.drawn()
        with setup.autocast():
            done = model.invert(images.contiguous(memory_format=torch.channels_last))
        shift, wp, still = (t.detach().float() for t in (done.shift, done.wp, done.reconstruction))
        optimiser.zero_grad()
        total = 0.0
        for label in range(len(LABELS)):
            which, moves, moved = editor.drawn(labels, rng, label)
            wanted = editor.edited(images, ids, flip, which, moved)
            with setup.autocast():
                codes = wp + moves[:, None, None] * model.directions[label]
                features, skip = model.decoder.head(codes)
                out = model.decoder.tail(features + warp(shift, moves[:, None, None, None] * model.motions[label]), skip, codes)
            loss = reconstruction_loss(out.float() - still, wanted - images, edit_weight(face, images, wanted))
            loss.backward()
            total += loss.detach() / len(LABELS)
        optimiser.step()
        step += 1
        setup.settle(model, average, step)
        setup.report(step, {"change": total}, every=10)
        setup.checkpoint(parts, {"step": step})
    setup.checkpoint(parts, {"step": step}, last=True)


if __name__ == "__main__":
    main()
