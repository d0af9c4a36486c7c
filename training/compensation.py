#!/usr/bin/env python3
"""Stage 3: DIPN, DICN, generator and sliders on whole pictures, judged by what a visitor sees.

The encoder is frozen. A quarter of every batch is reconstructed; the rest is edited by a slider and compensated, and
must match the picture that an appearance model makes of the photo, so the residual learns to give way to edits. In a
tenth of the steps the edit goes towards another picture's codes instead; that has no known answer. All pictures must
pass for real with a discriminator on ImageNet features. DIPN's map learns to look like what the plain reconstruction
lost.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from sdic import run
from sdic.data import Sampler
from sdic.edits import MIXED_SHARE, Editable, Editor, edit_weight, in_photo, mixed
from sdic.layers import resize
from sdic.losses import face_weight, gradients, reconstruction_loss
from sdic.model import Inversion
from sdic.perceptual import Features, Judge, perceptual_loss

RATES = {"compensation": 4e-4, "generator": 4e-4, "directions": 1e-3, "changes": 3e-3}
JUDGE_RATE = 2e-4
REAL_SHARE = 0.6
STATISTICS_FROM = 16  # pictures per step; smaller batches keep the normalisations' statistics of crops.py


def learned(model):
    """Parameters by rate; encoder and noise strengths stay."""
    generator = [p for n, p in model.decoder.named_parameters() if "noise" not in n and not n.startswith("style.")]
    compensation = [*model.DIP.parameters(), *model.SAF.parameters()]
    return {"compensation": compensation, "generator": generator, "directions": [model.edits.directions], "changes": [model.edits.changes]}


def main():
    setup = run.Setup(__doc__, stage="whole", needs=("encoder", "autoencoder", "crops"))
    config, device = setup.budget.model, setup.device
    model, features, judge = Editable(config).to(device), Features().to(device), Judge().to(device)
    editor = Editor.load(setup.work / "appearance.pt", setup.faces)
    model.edits.follow(editor.appearance)
    for path in setup.inputs:
        found = run.load(path)
        run.take(model, found["average"])
        if "judge" in found:
            judge.load_state_dict(found["judge"])
    for branch in (model.SAF.aff1d.att, model.SAF.aff1d.att2):
        nn.init.zeros_(branch[3].weight)  # w' = w to begin with
    average = run.Average(model, 0.998)
    model.requires_grad_(False)
    parameters = learned(model)
    for parameter in (p for part in parameters.values() for p in part):
        parameter.requires_grad_(True)
    optimiser = torch.optim.Adam([{"params": parameters[n], "lr": r} for n, r in RATES.items()], betas=(0.5, 0.99), fused=True)
    judge_optimiser = torch.optim.Adam(judge.parameters(), JUDGE_RATE, betas=(0.5, 0.99), fused=True)
    step = 0
    parts = {"net": model, "average": average.module, "optimiser": optimiser, "judge": judge, "judge_optimiser": judge_optimiser}
    if state := setup.resume(parts):
        step = state["step"]
    rng = np.random.default_rng(setup.seed + step)
    sampler = Sampler(setup.faces, setup.batch, REAL_SHARE, setup.seed + step)
    check = setup.faces.split(val=True, real=True)[:48]
    n = setup.batch // 4  # pictures that are reconstructed
    face = face_weight(config.image_size, device)
    model.eval()
    if setup.batch >= STATISTICS_FROM:
        model.DIP.train(), model.SAF.train()

    while setup.clock.tick():
        for group, rate in zip(optimiser.param_groups, RATES.values()):
            group["lr"] = rate * setup.clock.rate()
        images, points, labels = sampler.drawn(editor)
        which, steps = editor.drawn(len(images) - n, rng)
        move, place, wanted = editor.wanted(images[n:], points[n:], which, steps, labels[n:])
        target = torch.cat([images[:n], wanted])
        mix = rng.random() < MIXED_SHARE
        with setup.autocast():
            with torch.no_grad():
                codes = model.encode(images).float()
            initial, skip = model.decoder.head(codes)
            plain = model.decoder.tail(initial[:n], skip[:n], codes[:n])
            with torch.no_grad():
                other_plain = model.decoder.tail(initial[n:], skip[n:], codes[n:])
            seen = resize(torch.cat([plain.detach(), other_plain]).clamp(-1, 1), config.encoder.input_size)
            discrepancy = model.DIP(images[:n], seen[:n])
            with torch.no_grad():  # what an edit teaches DICN and the generator is worth its time, not so for DIPN
                others = model.DIP(images[n:], seen[n:])
            compensated, wp = model.SAF(torch.cat([discrepancy, others]), initial, codes)
            wp = wp.float()
            at_wp, skip = model.decoder.head(wp)
            rebuilt = model.decoder.tail(compensated[:n], skip[:n], wp[:n])
            done = Inversion(
                codes[n:], other_plain, initial[n:], others, compensated[n:], wp[n:], at_wp[n:], skip[n:], reconstruction=None
            )
            if mix:
                edited, _ = model.edit(done, mixed(done.wp, rng) - done.wp)
            else:
                edited, unedited = model.edits.edited(model, done, move, place, which, steps)
        out, plain = torch.cat([rebuilt, edited]).float(), plain.float()
        taps = features(torch.cat([out, plain]))
        with torch.no_grad():
            real_taps, target_taps = features(images), features(target)

        judge_loss = judge.loss(real_taps, taps)
        run.descend(judge_optimiser, judge_loss)

        judge.requires_grad_(False)
        known = n if mix else len(images)  # pictures with a known answer
        weight = edit_weight(face, images, target)
        lost = target[:n] - seen[:n].float() - discrepancy.float()
        terms = {
            "pixels": reconstruction_loss(out[:known], target[:known], weight[:known]),
            "percept": perceptual_loss([t[:known] for t in taps], [t[:known] for t in target_taps]),
            # What an edit changes, so that its errors do not drown in those of the reconstruction.
            "change": 0.0 if mix else reconstruction_loss(in_photo(images[n:], move, out[n:], unedited.float().detach()), wanted, weight[n:]),
            "plain": reconstruction_loss(plain, target[:n]),
            "plain percept": perceptual_loss([t[len(out) :] for t in taps], [t[:n] for t in real_taps]),
            "map": lost.abs().mean() + sum(g.abs().mean() for g in gradients(lost)),
            "residual": (compensated - initial).float().square().mean() + (wp - codes).square().mean(),
            "fooled": judge.fooled([t[: len(out)] for t in taps]),
            "plain fooled": judge.fooled([t[len(out) :] for t in taps]),
        }
        ramp = min(1.0, (step + 1) / 600)  # while the judge is new
        share = {"percept": 0.3, "plain": 0.2, "plain percept": 0.25, "map": 0.25, "residual": 0.01, "fooled": 0.06 * ramp, "plain fooled": 0.06 * ramp}
        run.descend(optimiser, sum(share.get(name, 1.0) * term for name, term in terms.items()), clip=5.0)
        judge.requires_grad_(True)

        step += 1
        setup.settle(model, average, step)
        if step % run.SETTLE_EVERY == 0:
            setup.workers.synchronise(judge)
        setup.report(step, terms | {"judge": judge_loss})
        if setup.checkpoint(parts, {"step": step}):
            setup.print_fidelity(average.module, check)
    if setup.checkpoint(parts, {"step": step}, last=True):
        setup.print_fidelity(average.module, check)


if __name__ == "__main__":
    main()
