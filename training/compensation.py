#!/usr/bin/env python3
"""Stage 3: DIPN, DICN, generator and label directions on whole pictures, judged by what a visitor sees.

The encoder is frozen. A quarter of every batch is reconstructed; the rest is edited along a label direction and
compensated, and must match the picture that an appearance model makes of the photo, so the residual learns to give way
to edits. In a tenth of the steps the edit goes towards another picture's codes instead; that has no known answer. All
pictures must pass for real with a discriminator on ImageNet features. DIPN's map learns to look like what the plain
reconstruction lost.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from sdic import Sdic, run, weights
from sdic.data import LABELS, Sampler
from sdic.edits import MIXED_SHARE, Editor, edit_weight, mixed
from sdic.layers import resize, warp
from sdic.losses import face_weight, gradients, reconstruction_loss
from sdic.perceptual import Features, Judge, perceptual_loss

RATES = {"compensation": 4e-4, "generator": 4e-4, "directions": 1e-3, "motions": 3e-5}
JUDGE_RATE = 2e-4
REAL_SHARE = 0.6
STATISTICS_FROM = 16  # pictures per step; smaller batches keep the normalisations' statistics of crops.py


class Editable(Sdic):
    """The model, what one standard deviation of each label adds to its codes, [labels,styles,D], and how it moves what was
    put back, [labels,2,R,R]."""

    def __init__(self, config):
        super().__init__(config)
        self.directions = nn.Parameter(0.01 * torch.randn(len(LABELS), config.styles, config.style_dim))
        self.motions = nn.Parameter(torch.zeros(len(LABELS), 2, config.inject_size, config.inject_size))

    def start_from(self, folder):
        """A finished weights directory and the label directions in it."""
        manifest, tensors = weights.read(folder)
        run.take(self, tensors)
        with torch.no_grad():
            for row, motion, label in zip(self.directions, self.motions, LABELS):
                if any(d["name"] == label for d in manifest["directions"]):
                    row.copy_(weights.shift(manifest, tensors, label, 1.0))
                    if (known := weights.motion(manifest, tensors, label, 1.0)) is not None:
                        motion.copy_(known)

    def learned(self):
        """Parameters by rate; encoder and noise strengths stay."""
        generator = [p for n, p in self.decoder.named_parameters() if "noise" not in n and not n.startswith("style.")]
        compensation = [*self.DIP.parameters(), *self.SAF.parameters()]
        return {"compensation": compensation, "generator": generator, "directions": [self.directions], "motions": [self.motions]}


def main():
    setup = run.Setup(__doc__, stage="whole", needs=("encoder", "autoencoder", "crops"))
    config, device = setup.budget.model, setup.device
    model, features, judge = Editable(config).to(device), Features().to(device), Judge().to(device)
    editor = Editor.load(setup.work / "appearance.pt", setup.faces)
    with torch.no_grad():
        model.motions.copy_(editor.appearance.motions(config.inject_size))
    for path in setup.inputs:
        found = run.load(path)
        run.take(model, found["average"])
        if "judge" in found:
            judge.load_state_dict(found["judge"])
    for branch in (model.SAF.aff1d.att, model.SAF.aff1d.att2):
        nn.init.zeros_(branch[3].weight)  # w' = w to begin with
    average = run.Average(model, 0.998)
    model.requires_grad_(False)
    learned = model.learned()
    for parameter in (p for part in learned.values() for p in part):
        parameter.requires_grad_(True)
    optimiser = torch.optim.Adam([{"params": learned[n], "lr": r} for n, r in RATES.items()], betas=(0.5, 0.99), fused=True)
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
        images, target, which, moves = sampler.edits(editor)
        target[:n] = images[:n]
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
            shift = (compensated - at_wp)[n:].float()
            if mix:
                changed = mixed(wp[n:], rng)
            else:
                changed = wp[n:] + moves[n:, None, None] * model.directions[which[n:]]
                shift = warp(shift, moves[n:, None, None, None] * model.motions[which[n:]])
            there, skip_there = model.decoder.head(changed)
            out = model.decoder.tail(
                torch.cat([compensated[:n], there + shift]),
                torch.cat([skip[:n], skip_there]),
                torch.cat([wp[:n], changed]),
            )
            with torch.no_grad():  # unedited
                still = model.decoder.tail(compensated[n:], skip[n:], wp[n:])
        out, plain = out.float(), plain.float()
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
            "change": 0.0 if mix else reconstruction_loss(out[n:] - still.float(), (target - images)[n:], weight[n:]),
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
    setup.checkpoint(parts, {"step": step}, last=True)


if __name__ == "__main__":
    main()
