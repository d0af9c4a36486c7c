#!/usr/bin/env python3
"""Stages 1 and 2 of the CPU budget: encoder and generator learn jointly as an autoencoder through W+.

Codes are a shared base plus small offsets per style (offsets are penalised), carry noise while training
so that their surroundings decode too, and a linear head reads the labels from the base so that smile,
age and pose lie along lines.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from sdic import Sdic, run
from sdic.data import LABELS, Sampler
from sdic.losses import face_weight, psnr, reconstruction_loss

COARSE_SHARE = 0.93  # of the minutes: the generator stops at half size, which is nearly twice as fast
CODE_NOISE = 0.05
FACE_WEIGHT = 6.0  # of the loss at the centre of the face: its expression first
RATES = {"encoder": 6e-4, "decoder": 2.5e-3, "reader": 6e-4}


class Autoencoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        model = Sdic(config)
        self.encoder, self.decoder = model.encoder, model.decoder
        self.reader = nn.Linear(config.style_dim, len(LABELS))

    def learned(self, name: str):
        """Parameters of one part; the generator's noise strengths stay 0."""
        return [p for n, p in getattr(self, name).named_parameters() if "noise" not in n]


def main():
    setup = run.Setup(__doc__, stage="autoencoder")
    config = setup.budget.model
    net = Autoencoder(config).to(setup.device)
    average = run.Average(net, 0.998)
    groups = [{"params": net.learned(name), "lr": rate} for name, rate in RATES.items()]
    optimiser = torch.optim.Adam(groups, betas=(0.9, 0.99), fused=True)
    step, parts = 0, {"net": net, "average": average.module, "optimiser": optimiser}
    if state := setup.resume(parts):
        step = state["step"]
    sampler = Sampler(setup.faces, setup.batch, setup.budget.real_share, setup.seed + step)
    check = setup.faces.split(val=True)[:64]

    net.train()
    while setup.clock.tick():
        for group, rate in zip(optimiser.param_groups, RATES.values()):
            group["lr"] = rate * setup.clock.rate()
        images, labels = sampler()
        size = config.image_size if setup.clock.progress > COARSE_SHARE else config.image_size // 2
        with setup.autocast():
            codes = net.encoder(images)
            noisy = codes + CODE_NOISE * torch.randn_like(codes)
            features, skip = net.decoder.head(noisy)
            out = net.decoder.tail(features, skip, noisy, size)
        codes, out = codes.float(), out.float()
        offsets = codes[:, 1:] - codes[:, :1]
        loss = reconstruction_loss(out, F.adaptive_avg_pool2d(images, size), face_weight(size, setup.device, FACE_WEIGHT))
        extra = 0.02 * offsets.square().mean() + 0.0005 * codes.square().mean()
        extra = extra + 0.15 * (net.reader(codes[:, 0]) - labels).square().mean()
        run.descend(optimiser, loss + extra, clip=5.0)
        step += 1
        setup.settle(net, average, step)
        setup.report(step, {"loss": loss, "extra": extra, "code": codes.detach().square().mean().sqrt()})
        if setup.checkpoint(parts, {"step": step}):
            with torch.no_grad():
                target = setup.faces.images(check)
                out, _ = average.module.decoder(average.module.encoder(target))
            print(f"val PSNR {psnr(out, target).mean():.2f} dB", flush=True)
    setup.checkpoint(parts, {"step": step}, last=True)


if __name__ == "__main__":
    main()
