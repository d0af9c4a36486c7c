#!/usr/bin/env python3
"""Stage 3: DIPN, DICN, generator and label directions on whole pictures, judged by what a visitor sees.

The encoder is frozen. Half of every batch is reconstructed; the other half is edited, towards another picture's codes
or along a label direction, and compensated. Edited pictures have no known answer: they must pass for real with a
discriminator on ImageNet features, read as the edited label with the others kept, and stay near the photo outside
the face. That keeps the residual from holding the unedited face in place. DIPN's map learns to look like what the
plain reconstruction lost.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from sdic import Sdic, run
from sdic.data import LABELS, Sampler
from sdic.edits import edits, label_bounds, mean_where
from sdic.layers import resize
from sdic.losses import colour_change, outside_face, reconstruction_loss
from sdic.perceptual import Features, Judge, perceptual_loss

RATES = {"compensation": 8e-4, "generator": 5e-4, "directions": 8e-4}
JUDGE_RATE = 4e-4
STATISTICS_FROM = 16  # pictures per step; smaller batches keep the normalisations' statistics of crops.py


class Editable(Sdic):
    """The model and what one standard deviation of each label adds to its codes, [labels,styles,D]."""

    def __init__(self, config):
        super().__init__(config)
        self.directions = nn.Parameter(0.01 * torch.randn(len(LABELS), config.styles, config.style_dim))

    def learned(self):
        """Parameters by rate; encoder and noise strengths stay."""
        generator = [p for n, p in self.decoder.named_parameters() if "noise" not in n and not n.startswith("style.")]
        return {"compensation": [*self.DIP.parameters(), *self.SAF.parameters()], "generator": generator, "directions": [self.directions]}


def main():
    setup = run.Setup(__doc__, stage="whole", needs=("encoder", "autoencoder", "crops"))
    config, device = setup.budget.model, setup.device
    model, features, judge = Editable(config).to(device), Features().to(device), Judge().to(device)
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
    sampler = Sampler(setup.faces, setup.batch, 0.6, setup.seed + step)
    bounds = label_bounds(setup.faces).to(device)
    check = setup.faces.split(val=True, real=True)[:48]
    half, outside = setup.batch // 2, outside_face(config.image_size, device)
    model.eval()
    if setup.batch >= STATISTICS_FROM:
        model.DIP.train(), model.SAF.train()

    while setup.clock.tick():
        for group, rate in zip(optimiser.param_groups, RATES.values()):
            group["lr"] = rate * setup.clock.rate()
        images, labels = sampler()
        with setup.autocast():
            with torch.no_grad():
                codes = model.encode(images).float()
            initial, skip = model.decoder.head(codes)
            plain = model.decoder.tail(initial[:half], skip[:half], codes[:half])
            with torch.no_grad():
                other_plain = model.decoder.tail(initial[half:], skip[half:], codes[half:])
            seen = resize(torch.cat([plain.detach(), other_plain]).clamp(-1, 1), config.encoder.input_size)
            discrepancy = model.DIP(images[:half], seen[:half])
            with torch.no_grad():  # what an edit teaches DICN and the generator is worth its time, not so for DIPN
                others = model.DIP(images[half:], seen[half:])
            compensated, wp = model.SAF(torch.cat([discrepancy, others]), initial, codes)
            wp = wp.float()
            at_wp, skip = model.decoder.head(wp)
            changed, wanted, along = edits(wp[half:], wp[:half], model.directions, labels[half:], bounds, rng)
            there, skip_there = model.decoder.head(changed)
            out = model.decoder.tail(
                torch.cat([compensated[:half], there + compensated[half:] - at_wp[half:]]),
                torch.cat([skip[:half], skip_there]),
                torch.cat([wp[:half], changed]),
            )
        out, plain = out.float(), plain.float()
        taps = features(torch.cat([out, plain]))
        with torch.no_grad():
            real_taps = features(images)

        judge_loss, read_loss = judge.loss(real_taps, taps, labels)
        run.descend(judge_optimiser, judge_loss + read_loss)

        judge.requires_grad_(False)
        target = images[:half]
        terms = {
            "pixels": reconstruction_loss(out[:half], target),
            "percept": perceptual_loss([t[:half] for t in taps], [t[:half] for t in real_taps]),
            "plain": reconstruction_loss(plain, target),
            "plain percept": perceptual_loss([t[2 * half :] for t in taps], [t[:half] for t in real_taps]),
            "map": (discrepancy.float() - (target - seen[:half].float())).abs().mean(),
            "residual": (compensated - initial).float().square().mean() + (wp - codes).square().mean(),
            "fooled": judge.fooled(taps),
            "label": mean_where(F.smooth_l1_loss(judge.read(taps)[half : 2 * half], wanted, reduction="none"), along),
            "outside": mean_where(((out[half:] - images[half:]).abs() * outside).flatten(1), along),
            "colour": mean_where(colour_change(out[half:], images[half:]), along),
            "kept": perceptual_loss([t[half : 2 * half] for t in taps], [t[half:] for t in real_taps]),
        }
        weight = {"percept": 0.3, "plain": 0.4, "plain percept": 0.2, "map": 0.5, "residual": 0.01, "fooled": 0.08, "label": 0.3, "outside": 0.8, "colour": 2.0, "kept": 0.06}
        run.descend(optimiser, sum(weight.get(name, 1.0) * term for name, term in terms.items()), clip=5.0)
        judge.requires_grad_(True)

        step += 1
        setup.settle(model, average, step)
        if step % run.SETTLE_EVERY == 0:
            setup.workers.synchronise(judge)
        setup.report(step, terms | {"judge": judge_loss, "read": read_loss})
        if setup.checkpoint(parts, {"step": step}):
            setup.print_fidelity(average.module, check)
    setup.checkpoint(parts, {"step": step}, last=True)


if __name__ == "__main__":
    main()
