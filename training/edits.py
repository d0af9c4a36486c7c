#!/usr/bin/env python3
"""Stage 3c: the sliders on the finished networks, which stay as they are.

Photos are inverted, edited by every slider as the page does it, and compared with what an appearance model makes of
them. The motion is the appearance model's own; what the edit changes in codes and features is learned.
"""

from __future__ import annotations

import numpy as np
import torch

from sdic import run, weights
from sdic.appearance import REACH, SLIDERS
from sdic.data import Sampler
from sdic.edits import Editable, Editor, edit_weight, in_photo, noisy
from sdic.losses import face_weight, reconstruction_loss
from sdic.perceptual import Features, perceptual_loss

RATES = {"directions": 1e-3, "changes": 3e-3}
REAL_SHARE = 0.6


@torch.no_grad()
def left(model: Editable, editor: Editor, images, points):
    """What is left, by name, of the change that the upper end of every slider should make to photos: energy, of the wanted
    change's; 1 for no edit."""
    found, done = {}, model.invert(images)
    for slider, name in enumerate(SLIDERS):
        which = torch.full((len(images),), slider, device=images.device)
        steps = torch.full((len(images),), REACH[name][1], device=images.device)
        move, place, wanted = editor.wanted(images, points, which, steps)
        made = in_photo(images, move, *model.edits.edited(model, done, move, place, which, steps))
        found[name] = float((made - wanted).square().sum() / (wanted - images).square().sum())
    return found


def main():
    setup = run.Setup(__doc__, stage="edits", needs=("whole", "crops"), from_weights=True)
    config = setup.budget.model
    editor = Editor.load(setup.work / "appearance.pt", setup.faces)
    model = Editable(config).to(setup.device).eval().requires_grad_(False)
    run.take(model, weights.read(setup.start)[1] if setup.start else run.load(setup.inputs[0])["average"])
    model.edits.follow(editor.appearance)
    features = Features().to(setup.device)
    average = run.Average(model, 0.98)
    groups = [{"params": [getattr(model.edits, name).requires_grad_(True)], "lr": rate} for name, rate in RATES.items()]
    optimiser = torch.optim.Adam(groups, betas=(0.8, 0.99))
    step, parts = 0, {"net": model, "average": average.module, "optimiser": optimiser}
    if state := setup.resume(parts):
        step = state["step"]
    rng = np.random.default_rng(setup.seed + step)
    sampler = Sampler(setup.faces, setup.batch, REAL_SHARE, setup.seed + step)
    face = face_weight(config.image_size, setup.device)
    check = setup.faces.split(val=True, real=True)[:48]

    def print_left():
        rest = left(average.module, editor, setup.faces.images(check), editor.points_of(check))
        print("val real, left of the change:", " ".join(f"{name} {share:.3f}" for name, share in rest.items()), flush=True)

    while setup.clock.tick():
        for group, rate in zip(optimiser.param_groups, RATES.values()):
            group["lr"] = rate * setup.clock.rate()
        images, points, labels = sampler.drawn(editor)
        with setup.autocast():
            done = model.invert(images)
        optimiser.zero_grad()
        total = 0.0
        for slider in range(len(SLIDERS)):
            which, steps = editor.drawn(len(images), rng, slider)
            move, _, wanted = editor.wanted(images, points, which, steps, labels)
            seen = editor.appearance.fields(noisy(points), which, steps)
            with setup.autocast():
                edited, unedited = model.edits.edited(model, done, *seen, which, steps)
            out = in_photo(images, move, edited.float(), unedited.float())
            with torch.no_grad():
                taps = features(wanted)
            loss = reconstruction_loss(out, wanted, edit_weight(face, images, wanted)) + 0.3 * perceptual_loss(features(out), taps)
            loss.backward()
            total += loss.detach() / len(SLIDERS)
        optimiser.step()
        step += 1
        setup.settle(model, average, step)
        setup.report(step, {"loss": total}, every=10)
        if setup.checkpoint(parts, {"step": step}):
            print_left()
    if setup.checkpoint(parts, {"step": step}, last=True):
        print_left()


if __name__ == "__main__":
    main()
