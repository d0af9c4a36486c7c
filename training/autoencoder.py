#!/usr/bin/env python3
"""Stages 1 and 2 of the CPU budget: encoder, generator and label directions learn jointly through W+.

Codes are a shared base plus small offsets per style (offsets are penalised) and carry noise while training, so that
their surroundings decode too. Reconstructions are compared by pixels and by ImageNet features. Edited codes, towards
another picture's or along a label direction, must decode to pictures that a discriminator on the same features
takes for real, that read as the edited label with the others kept, and that keep what lies outside the face.
"""

from __future__ import annotations

import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from sdic import Sdic, run, weights
from sdic.data import LABELS, Sampler
from sdic.edits import edits, label_bounds, mean_where
from sdic.losses import colour_change, face_weight, outside_face, psnr, reconstruction_loss
from sdic.perceptual import Features, Judge, perceptual_loss

COARSE_SHARE = 0.72  # of the minutes: the generator stops at half size, which is nearly twice as fast
CODE_NOISE = 0.05
FACE_WEIGHT = 5.0  # of the loss at the centre of the face: its expression first
RATES = {"encoder": 4e-4, "decoder": 1.5e-3, "reader": 4e-4, "directions": 1e-3}
JUDGE_RATE = 5e-4


class Autoencoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        model = Sdic(config)
        self.encoder, self.decoder = model.encoder, model.decoder
        self.reader = nn.Linear(config.style_dim, len(LABELS))
        self.directions = nn.Parameter(0.01 * torch.randn(len(LABELS), config.styles, config.style_dim))

    def learned(self, name: str):
        """Parameters of one part; the generator's noise strengths stay 0."""
        part = getattr(self, name)
        return [part] if name == "directions" else [p for n, p in part.named_parameters() if "noise" not in n]

    def start_from(self, folder: pathlib.Path):
        """Encoder, generator and label directions of a weights directory."""
        model, manifest, tensors = weights.load_model(folder)
        model.move_average(torch.zeros_like(model.latent_avg))
        self.encoder.load_state_dict(model.encoder.state_dict())
        self.decoder.load_state_dict(model.decoder.state_dict())
        with torch.no_grad():
            for row, label in zip(self.directions, LABELS):
                if any(d["name"] == label for d in manifest["directions"]):
                    row.copy_(weights.shift(manifest, tensors, label, 1.0))


def main():
    setup = run.Setup(__doc__, stage="autoencoder", from_weights=True)
    config = setup.budget.model
    net, features, judge = Autoencoder(config).to(setup.device), Features().to(setup.device), Judge().to(setup.device)
    if setup.start:
        net.start_from(setup.start)
    average = run.Average(net, 0.998)
    groups = [{"params": net.learned(name), "lr": rate} for name, rate in RATES.items()]
    optimiser = torch.optim.Adam(groups, betas=(0.5, 0.99), fused=True)
    judge_optimiser = torch.optim.Adam(judge.parameters(), JUDGE_RATE, betas=(0.5, 0.99), fused=True)
    step, parts = 0, {"net": net, "average": average.module, "optimiser": optimiser, "judge": judge, "judge_optimiser": judge_optimiser}
    if state := setup.resume(parts):
        step = state["step"]
    rng = np.random.default_rng(setup.seed + step)
    sampler = Sampler(setup.faces, setup.batch, setup.budget.real_share, setup.seed + step)
    bounds, half = label_bounds(setup.faces).to(setup.device), setup.batch // 2
    check = setup.faces.split(val=True)[:64]

    net.train()
    while setup.clock.tick():
        for group, rate in zip(optimiser.param_groups, RATES.values()):
            group["lr"] = rate * setup.clock.rate()
        images, labels = sampler()
        size = config.image_size if setup.clock.progress > COARSE_SHARE else config.image_size // 2
        images_at = F.adaptive_avg_pool2d(images, size)
        with setup.autocast():
            codes = net.encoder(images)
        codes = codes.float()
        edited, wanted, along = edits(codes[:half].detach(), codes[half : 2 * half], net.directions, labels[:half], bounds, rng)
        inputs = torch.cat([codes + CODE_NOISE * torch.randn_like(codes), edited])
        with setup.autocast():
            out = net.decoder.tail(*net.decoder.head(inputs), inputs, size)
        out = out.float()
        taps = features(out)
        with torch.no_grad():
            real_taps = features(images_at)

        n = len(images)
        judge_loss, read_loss = judge.loss(real_taps, taps, labels)
        run.descend(judge_optimiser, judge_loss + read_loss)

        judge.requires_grad_(False)
        pixels = reconstruction_loss(out[:n], images_at, face_weight(size, setup.device, FACE_WEIGHT))
        percept = perceptual_loss([t[:n] for t in taps], real_taps)
        fooled = judge.fooled(taps)
        label = mean_where(F.smooth_l1_loss(judge.read(taps)[n:], wanted, reduction="none"), along)
        apart = (out[n:] - out[:half].detach()).abs() * outside_face(size, setup.device)
        outside = mean_where(apart.flatten(1), along)
        colour = mean_where(colour_change(out[n:], out[:half].detach()), along)
        offsets = codes[:, 1:] - codes[:, :1]
        kept = 0.02 * offsets.square().mean() + 0.0005 * codes.square().mean()
        kept = kept + 0.1 * (net.reader(codes[:, 0]) - labels).square().mean()
        ramp = min(1.0, (step + 1) / 600)  # while the judge is new
        total = pixels + 0.6 * percept + ramp * (0.12 * fooled + 0.25 * label + 0.5 * outside + 2.0 * colour) + kept
        run.descend(optimiser, total, clip=5.0)
        judge.requires_grad_(True)

        step += 1
        setup.settle(net, average, step)
        if step % run.SETTLE_EVERY == 0:
            setup.workers.synchronise(judge)
        setup.report(step, {"pixels": pixels, "percept": percept, "fooled": fooled, "judge": judge_loss, "read": read_loss,
                            "label": label, "outside": outside, "colour": colour, "kept": kept, "code": codes.detach().square().mean().sqrt()})
        if setup.checkpoint(parts, {"step": step}):
            with torch.no_grad():
                target = setup.faces.images(check)
                out, _ = average.module.decoder(average.module.encoder(target))
            print(f"val PSNR {psnr(out, target).mean():.2f} dB", flush=True)
    setup.checkpoint(parts, {"step": step}, last=True)


if __name__ == "__main__":
    main()
