#!/usr/bin/env python3
"""Stage 3 (3b of the CPU budget): DIPN and DICN on whole pictures, with edit consistency.

Encoder and generator up to the injection layer are frozen. An edited picture must show the change the generator
alone makes for the same edit, which keeps the residual from holding the unedited face in place.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from sdic import Sdic, run
from sdic.data import Sampler
from sdic.layers import resize
from sdic.losses import psnr, reconstruction_loss

RATE = 1e-3


def losses(setup, model: Sdic, images, rng):
    """Reconstruction, plain reconstruction, residual size and edit consistency."""
    with setup.autocast():
        with torch.no_grad():
            codes = model.encode(images)
            features, skip = model.decoder.head(codes)
        plain = model.decoder.tail(features, skip, codes)
        small = resize(plain.detach().clamp(-1, 1), model.config.encoder.input_size)
        compensated, wp = model.SAF(model.DIP(images, small), features, codes)
        at_wp, skip = model.decoder.head(wp)
        out = model.decoder.tail(compensated, skip, wp)
        # Part of the way to another picture's codes stands for the edits.
        share = rng.uniform(0.2, 0.6, (len(codes), 1, 1)).astype(np.float32)
        moved = wp.detach() + torch.from_numpy(share).to(setup.device) * (codes.roll(1, 0) - codes)
        with torch.no_grad():
            there, skip = model.decoder.head(moved)
            change = model.decoder.tail(there, skip, moved) - plain
        edited = model.decoder.tail(there + compensated - at_wp, skip, moved)
    coarse = lambda t: F.avg_pool2d(t.float(), 2)
    wanted = (images + change.float()).clamp(-1, 1)
    return {
        "loss": reconstruction_loss(out.float(), images),
        "plain": reconstruction_loss(plain.float(), images),
        "residual": (compensated - features).float().square().mean() + 0.25 * (wp.float() - codes).square().mean(),
        "edit": (coarse(edited) - coarse(wanted)).abs().mean(),
    }


def main():
    setup = run.Setup(__doc__, stage="whole", needs=("crops", "encoder"))
    model = run.trained_model(setup.input, setup.budget.model).to(setup.device)
    average = run.Average(model, 0.995)
    model.eval().requires_grad_(False)
    model.DIP.train(), model.SAF.train()
    learned = [*model.DIP.parameters(), *model.SAF.parameters(), *model.decoder.tail_parameters()]
    for parameter in learned:
        parameter.requires_grad_(True)
    optimiser = torch.optim.Adam(learned, RATE, betas=(0.9, 0.99), fused=True)
    step, parts = 0, {"net": model, "average": average.module, "optimiser": optimiser}
    if state := setup.resume(parts):
        step = state["step"]
    rng = np.random.default_rng(setup.seed + step)
    sampler = Sampler(setup.faces, setup.batch, 0.6, setup.seed + step)
    check = setup.faces.split(val=True, real=True)[:48]

    while setup.clock.tick():
        optimiser.param_groups[0]["lr"] = RATE * setup.clock.rate()
        terms = losses(setup, model, sampler()[0], rng)
        total = terms["loss"] + 0.3 * terms["plain"] + 0.5 * terms["edit"]
        run.descend(optimiser, total + 0.01 * terms["residual"], clip=5.0)
        step += 1
        setup.settle(model, average, step)
        setup.report(step, terms)
        if setup.checkpoint(parts, {"step": step}):
            with torch.no_grad():
                target = setup.faces.images(check)
                done = average.module.invert(target)
            plain, full = (psnr(picture, target).mean() for picture in (done.initial, done.reconstruction))
            print(f"val real PSNR plain {plain:.2f} dB compensated {full:.2f} dB", flush=True)
    setup.checkpoint(parts, {"step": step}, last=True)


if __name__ == "__main__":
    main()
