#!/usr/bin/env python3
"""Stages 1 and 2 of the CPU budget: encoder and generator learn jointly as an autoencoder through W+.

Codes are a shared base plus small offsets per style (offsets are penalised), carry noise while training
so that their surroundings decode too, and a linear head reads the labels from the base so that smile,
age and pose lie along lines.
"""

from __future__ import annotations

import argparse
import pathlib

import torch
import torch.nn.functional as F
from torch import nn

from budgets import CPU_MODEL
from sdic import Sdic, run
from sdic.data import LABELS, Faces, Sampler
from sdic.losses import psnr, reconstruction_loss

COARSE_SHARE = 0.4  # of the minutes: the generator stops at half size, which is nearly twice as fast


class Autoencoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        model = Sdic(config)
        self.encoder, self.decoder = model.encoder, model.decoder
        self.reader = nn.Linear(config.style_dim, len(LABELS))


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--packed", type=pathlib.Path, required=True, help="pictures written by pack.py")
    args.add_argument("--index", type=pathlib.Path, required=True, help="index.csv of the pictures")
    args.add_argument("--state", type=pathlib.Path, required=True, help="checkpoint to continue from and write")
    args.add_argument("--minutes", type=float, default=40)
    args.add_argument("--batch", type=int, default=10, help="pictures per worker and step")
    args.add_argument("--seed", type=int, default=1)
    args = args.parse_args()
    torch.set_num_threads(1)
    workers = run.Workers()
    torch.manual_seed(args.seed)

    faces = Faces(args.packed, args.index)
    net = Autoencoder(CPU_MODEL)
    average = run.Average(net, 0.998)
    net.decoder.noises.requires_grad_(False)
    optimiser = torch.optim.Adam(
        [
            {"params": net.encoder.parameters(), "lr": 1e-3},
            {"params": [p for n, p in net.decoder.named_parameters() if "noise" not in n], "lr": 4e-3},
            {"params": net.reader.parameters(), "lr": 1e-3},
        ],
        betas=(0.9, 0.99),
        fused=True,
    )
    base = [group["lr"] for group in optimiser.param_groups]
    step, spent = 0, 0.0
    if state := run.load(args.state):
        net.load_state_dict(state["net"])
        average.module.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        step, spent = state["step"], state["spent"]
    torch.manual_seed(args.seed + 1000 * workers.rank + step)
    sampler = Sampler(faces, args.batch, 0.45, args.seed + 1000 * workers.rank + step)
    clock = run.Clock(workers, args.minutes, spent)
    check = faces.split(val=True)[:64]
    saved = clock.spent

    def save():
        run.save(args.state, {
            "net": net.state_dict(), "average": average.module.state_dict(), "optimiser": optimiser.state_dict(),
            "step": step, "spent": clock.spent,
        })

    net.train()
    while clock.tick():
        for group, lr in zip(optimiser.param_groups, base):
            group["lr"] = lr * clock.rate()
        images, labels = sampler()
        size = CPU_MODEL.image_size if clock.progress > COARSE_SHARE else CPU_MODEL.image_size // 2
        with torch.autocast("cpu", torch.bfloat16):
            codes = net.encoder(images)
            noisy = codes + 0.05 * torch.randn_like(codes)
            features, skip = net.decoder.head(noisy)
            out = net.decoder.tail(features, skip, noisy, size)
        codes, out = codes.float(), out.float()
        images = F.adaptive_avg_pool2d(images, size)
        offsets = codes[:, 1:] - codes[:, :1]
        loss = reconstruction_loss(out, images)
        extra = 0.02 * offsets.square().mean() + 0.0005 * codes.square().mean()
        extra = extra + 0.03 * (net.reader(codes[:, 0]) - labels).square().mean()
        optimiser.zero_grad(set_to_none=True)
        (loss + extra).backward()
        workers.average_gradients(net.parameters())
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        average.update(net, step)
        step += 1
        if not workers.first:
            continue
        if step % 50 == 0:
            with torch.no_grad():
                length, spread = codes.square().mean().sqrt(), offsets.square().mean().sqrt()
            rate = step * args.batch * workers.count / (clock.spent * 60)
            print(
                f"step {step} minute {clock.spent:.1f} loss {loss:.4f} extra {extra:.4f} "
                f"code {length:.2f} offsets {spread:.2f} images/s {rate:.1f}", flush=True,
            )
        if clock.spent - saved > 3:
            saved = clock.spent
            save()
            with torch.no_grad():
                target = faces.images(check)
                out, _ = average.module.decoder(average.module.encoder(target))
                print(f"val PSNR {psnr(out, target).mean():.2f} dB", flush=True)
    if workers.first:
        save()


if __name__ == "__main__":
    main()
