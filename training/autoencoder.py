#!/usr/bin/env python3
"""Stages 1 and 2 of the CPU budget: encoder, generator and directions of the sliders learn jointly through W+.

Codes are a shared base plus small offsets per style (offsets are penalised) and carry noise while training, so that
their surroundings decode too. Reconstructions are compared by pixels and by ImageNet features; so are codes moved along
a direction, with the picture that an appearance model makes of the photo. A discriminator on the same features
must take all pictures for real, also those of codes on the way to another picture's.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from sdic import Sdic, run
from sdic.appearance import SLIDERS
from sdic.data import Sampler
from sdic.edits import MIXED_SHARE, Editor, edit_weight, mixed
from sdic.losses import face_weight, psnr, reconstruction_loss
from sdic.perceptual import Features, Judge, perceptual_loss

COARSE_SHARE = 0.72  # of the minutes: the generator stops at half size, which is nearly twice as fast
CODE_NOISE = 0.05
FACE_WEIGHT = 5.0  # of the loss at the centre of the face: its expression first
RATES = {"encoder": 4e-4, "decoder": 1.5e-3, "directions": 1e-3}
JUDGE_RATE = 5e-4


class Autoencoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        model = Sdic(config)
        self.encoder, self.decoder = model.encoder, model.decoder
        self.directions = nn.Parameter(0.01 * torch.randn(len(SLIDERS), config.styles, config.style_dim))

    def learned(self, name: str):
        """Parameters of one part; the generator's noise strengths stay 0."""
        part = getattr(self, name)
        return [part] if name == "directions" else [p for n, p in part.named_parameters() if "noise" not in n]


def main():
    setup = run.Setup(__doc__, stage="autoencoder")
    config = setup.budget.model
    net, features, judge = Autoencoder(config).to(setup.device), Features().to(setup.device), Judge().to(setup.device)
    average = run.Average(net, 0.998)
    groups = [{"params": net.learned(name), "lr": rate} for name, rate in RATES.items()]
    optimiser = torch.optim.Adam(groups, betas=(0.5, 0.99), fused=True)
    judge_optimiser = torch.optim.Adam(judge.parameters(), JUDGE_RATE, betas=(0.5, 0.99), fused=True)
    step, parts = 0, {"net": net, "average": average.module, "optimiser": optimiser, "judge": judge, "judge_optimiser": judge_optimiser}
    if state := setup.resume(parts):
        step = state["step"]
    rng = np.random.default_rng(setup.seed + step)
    sampler = Sampler(setup.faces, setup.batch, setup.budget.real_share, setup.seed + step)
    editor, half = Editor.load(setup.work / "appearance.pt", setup.faces), setup.batch // 2
    check = setup.faces.split(val=True)[:64]

    net.train()
    while setup.clock.tick():
        for group, rate in zip(optimiser.param_groups, RATES.values()):
            group["lr"] = rate * setup.clock.rate()
        images, points, labels = sampler.drawn(editor)
        which, steps = editor.drawn(half, rng)
        _, _, wanted = editor.wanted(images[:half], points[:half], which, steps, labels[:half])
        target = torch.cat([images, wanted])
        mix = rng.random() < MIXED_SHARE
        size = config.image_size if setup.clock.progress > COARSE_SHARE else config.image_size // 2
        images_at, target_at = F.adaptive_avg_pool2d(images, size), F.adaptive_avg_pool2d(target, size)
        with setup.autocast():
            codes = net.encoder(images)
        codes = codes.float()
        fixed = codes[:half].detach()
        edited = mixed(fixed, rng) if mix else fixed + steps[:, None, None] * net.directions[which]
        inputs = torch.cat([codes + CODE_NOISE * torch.randn_like(codes), edited])
        with setup.autocast():
            out = net.decoder.tail(*net.decoder.head(inputs), inputs, size)
        out = out.float()
        taps = features(out)
        with torch.no_grad():
            real_taps, edited_taps = features(images_at), features(target_at[len(images) :])

        judge_loss = judge.loss(real_taps, taps)
        run.descend(judge_optimiser, judge_loss)

        judge.requires_grad_(False)
        known = len(images) if mix else len(target)  # pictures with a known answer
        weight = edit_weight(face_weight(size, setup.device, FACE_WEIGHT), torch.cat([images_at, images_at[:half]]), target_at)
        pixels = reconstruction_loss(out[:known], target_at[:known], weight[:known])
        target_taps = [torch.cat(pair) for pair in zip(real_taps, edited_taps)]
        percept = perceptual_loss([t[:known] for t in taps], [t[:known] for t in target_taps])
        fooled = judge.fooled(taps)
        offsets = codes[:, 1:] - codes[:, :1]
        kept = 0.02 * offsets.square().mean() + 0.0005 * codes.square().mean()
        ramp = min(1.0, (step + 1) / 600)  # while the judge is new
        total = pixels + 0.6 * percept + ramp * 0.12 * fooled + kept
        run.descend(optimiser, total, clip=5.0)
        judge.requires_grad_(True)

        step += 1
        setup.settle(net, average, step)
        if step % run.SETTLE_EVERY == 0:
            setup.workers.synchronise(judge)
        setup.report(step, {"pixels": pixels, "percept": percept, "fooled": fooled, "judge": judge_loss,
                            "kept": kept, "code": codes.detach().square().mean().sqrt()})
        if setup.checkpoint(parts, {"step": step}):
            with torch.no_grad():
                target = setup.faces.images(check)
                out, _ = average.module.decoder(average.module.encoder(target))
            print(f"val PSNR {psnr(out, target).mean():.2f} dB", flush=True)
    setup.checkpoint(parts, {"step": step}, last=True)


if __name__ == "__main__":
    main()
