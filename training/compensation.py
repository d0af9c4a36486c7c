#!/usr/bin/env python3
"""Stage 3: DICN, the layers after the injection, feature editor and sliders on whole pictures, by what a visitor sees.

Encoder, DIPN and the layers before the injection are frozen, and so is DICN's latent branch, which leaves codes as they
are: with it the training diverged. First everything is reconstructed; then part of every batch
is edited by a slider, and the photo with the edit in it must come out as the picture that the teachers make of it, and
pass for real with judges of the whole face, the eyes and the mouth.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from sdic import run
from sdic.data import Sampler
from sdic.edits import Editable, Editor, edit_weight, in_photo, noisy, print_left
from sdic.losses import balanced, face_weight, reconstruction_loss
from sdic.model import Inversion
from sdic.perceptual import Judges, perceptual_loss

RATES = {"DICN": 8e-4, "generator": 5e-4, "editor": 1e-3, "directions": 1e-3, "changes": 3e-3}
JUDGE_RATE = 3e-4
REAL_SHARE = 0.65
EDITS_FROM = 0.35  # of the minutes; until then all pictures are reconstructed
PERCEPT = 0.5
ADVERSARIAL = {"rebuilt": 0.05, "edited": 0.25}  # lengths of the judges' gradients, in lengths of the other losses'
RAMP = 200  # steps until they count in full
STATISTICS_FROM = 16  # pictures per step; smaller batches keep the normalisations' statistics


def learned(model: Editable):
    """Parameters by rate."""
    editor = model.feature_editor.parameters() if model.feature_editor else ()
    return {
        "DICN": model.SAF.feature_parameters(), "generator": model.decoder.tail_parameters(), "editor": [*editor],
        "directions": [model.edits.directions], "changes": [model.edits.changes],
    }


def main():
    setup = run.Setup(__doc__, stage="compensation", needs=("autoencoder", "dipn"))
    config, device = setup.budget.model, setup.device
    model, judges = Editable(config), Judges().to(device)
    editor = Editor.load(setup.work, setup.faces)
    for path in setup.inputs:
        found = run.load(path)
        run.take(model, found["average"])
        if "judge" in found:
            judges.judges.load_state_dict(found["judge"], strict=False)  # close-ups are new
    for branch in (model.SAF.aff1d.att, model.SAF.aff1d.att2):
        nn.init.zeros_(branch[3].weight)  # w' = w to begin with
    model = run.placed(model, device)
    model.edits.follow(editor.appearance)
    average = run.Average(model, 0.998)
    model.requires_grad_(False)
    parameters = learned(model)
    for parameter in (p for part in parameters.values() for p in part):
        parameter.requires_grad_(True)
    groups = [{"params": parameters[name], "lr": rate} for name, rate in RATES.items()]
    optimiser = torch.optim.Adam(groups, betas=(0.8, 0.99), fused=True)
    judge_optimiser = torch.optim.Adam(judges.learned(), JUDGE_RATE, betas=(0.5, 0.99), fused=True)
    parts = {"net": model, "average": average.module, "optimiser": optimiser, "judge": judges.judges, "judge_optimiser": judge_optimiser}
    step = state["step"] if (state := setup.resume(parts)) else 0
    rng = np.random.default_rng(setup.seed + step)
    sampler = Sampler(setup.faces, setup.batch, REAL_SHARE, setup.seed + step)
    check = setup.faces.split(val=True, real=True)[:48]
    face = face_weight(config.image_size, device)
    model.eval()
    if setup.batch >= STATISTICS_FROM:
        model.SAF.train()

    def print_measures():
        setup.print_fidelity(average.module, check)
        print_left(average.module, editor, setup.faces.images(check), editor.points_of(check))

    while setup.clock.tick():
        for group, rate in zip(optimiser.param_groups, RATES.values()):
            group["lr"] = rate * setup.clock.rate()
        images, points, labels = sampler.drawn(editor)
        editing = setup.clock.progress > EDITS_FROM
        n = max(1, setup.batch // 4) if editing else len(images)  # pictures that are rebuilt, the first ones
        with setup.autocast():
            with torch.no_grad():
                codes = model.encode(images).float()
                features, plain_skip = model.decoder.head(codes)
                initial = model.decoder.tail(features, plain_skip, codes)
                discrepancy = model.DIP(model.seen(images), model.shown(initial.float()))
            compensated, wp = model.SAF(discrepancy, features, codes)
            wp = wp.float()
            at_wp, skip = model.decoder.head(wp)
            m = max(1, n // 2)  # pictures whose plain reconstruction is kept as it is
            plain = model.decoder.tail(features[:m], plain_skip[:m], codes[:m])
            rebuilt = model.decoder.tail(compensated[:n], skip[:n], wp[:n])
        parts_out, wanted, weight = [rebuilt.float()], [images[:n]], [face.expand(n, -1, -1, -1)]
        if editing:
            photos = images[n:]
            which, steps = editor.drawn(len(photos), rng)
            steps = editor.effective(points[n:], which, steps)
            move, _, target = editor.wanted(photos, points[n:], which, steps, labels[n:])
            seen = editor.appearance.fields(noisy(points[n:]), which, steps)
            done = Inversion(codes[n:], initial[n:], features[n:], discrepancy[n:], compensated[n:], wp[n:], at_wp[n:], skip[n:], None)
            with setup.autocast():
                edited, unedited = model.edits.edited(model, done, *seen, which, steps)
            parts_out.append(in_photo(photos, move, edited.float(), unedited.float().detach()))
            wanted.append(target)
            weight.append(edit_weight(face, photos, target))
        out, wanted, weight = torch.cat(parts_out), torch.cat(wanted), torch.cat(weight)

        with setup.autocast():
            taps = judges.taps(out)
            with torch.no_grad():
                real_taps = judges.taps(images)
                wanted_taps = judges.features(wanted)
            judge_loss = judges.loss(real_taps, taps)
        run.descend(judge_optimiser, judge_loss)

        with setup.autocast():
            percept = perceptual_loss(judges.features(out), wanted_taps)
            fooled = judges.fooled(taps)
        pixels = reconstruction_loss(out, wanted, weight)
        kept = reconstruction_loss(plain.float(), initial[:m].float()) + 0.01 * (
            (compensated - features).float().square().mean() + (wp - codes).square().mean()
        )
        ramp = min(1.0, (step + 1) / RAMP)
        adversaries = [(fooled, ramp * ADVERSARIAL["edited" if editing else "rebuilt"])]
        slope = balanced(out, pixels + PERCEPT * percept, adversaries, len(out), model.decoder.last_weight)
        run.descend_along(optimiser, [out, kept], [slope, None], clip=1.0)

        step += 1
        setup.settle(model, average, step)
        if step % run.SETTLE_EVERY == 0:
            setup.workers.synchronise(judges.judges)
        setup.report(step, {"pixels": pixels, "percept": percept, "fooled": fooled, "judge": judge_loss, "kept": kept})
        if setup.checkpoint(parts, {"step": step}):
            print_measures()
    setup.checkpoint(parts, {"step": step}, last=True)
    print_measures()


if __name__ == "__main__":
    main()
