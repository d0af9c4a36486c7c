#!/usr/bin/env python3
"""Stage 3: DIPN and DICN learn to compensate, with encoder and the generator up to the injection layer frozen.

`--phase crops` trains on random crops of inversions computed once per run, which gives many cheap steps; the
generator's layers after the injection learn along, held to their uncompensated pictures. `--phase whole` trains
on whole pictures, where the codes are compensated too and edited pictures must show the edit the generator
alone makes.
"""

from __future__ import annotations

import argparse
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from budgets import CPU_MODEL
from sdic import Sdic, run
from sdic.data import Faces, Sampler
from sdic.layers import resize
from sdic.losses import face_weight, psnr, reconstruction_loss

CROP = 64  # pixels of the training crops
MARGIN = 8  # pixels at a crop's border that see padding instead of the picture, left out of the loss


def autocast():
    return torch.autocast("cpu", torch.bfloat16)


def start(args) -> Sdic:
    """The model with the autoencoder's averaged weights and a DICN that leaves the codes as they are."""
    model = Sdic(CPU_MODEL)
    trained = run.load(args.autoencoder)["average"]
    model.load_state_dict({k: v for k, v in trained.items() if not k.startswith("reader.")}, strict=False)
    for branch in (model.SAF.aff1d.att, model.SAF.aff1d.att2):
        nn.init.zeros_(branch[3].weight)
    return model


def tail_parameters(model: Sdic):
    """Parameters of the generator after the injection layer, without the noise strengths."""
    decoder, first = model.decoder, model.config.inject_conv // 2
    layers = list(decoder.convs[2 * first + 1 :]) + list(decoder.to_rgbs[first:])
    return [p for layer in layers for n, p in layer.named_parameters() if "noise" not in n]


@torch.no_grad()
def cached_inversions(model: Sdic, sampler: Sampler, count: int):
    """Augmented pictures and their initial inversions: photo, initial, G_R, skip (bf16) and codes."""
    parts = []
    while sum(len(p[0]) for p in parts) < count:
        images, _ = sampler()
        with autocast():
            codes = model.encode(images)
            features, skip = model.decoder.head(codes)
            initial = model.decoder.tail(features, skip, codes)
        small = [t.bfloat16().contiguous(memory_format=torch.channels_last) for t in (images, initial, features, skip)]
        parts.append((*small, codes.float()))
    return [torch.cat(p).contiguous(memory_format=torch.channels_last) if p[0].dim() == 4 else torch.cat(p) for p in zip(*parts)]


def crop_losses(model: Sdic, cache, rng, batch: int):
    """Compensated and uncompensated loss on random crops of cached inversions."""
    size = model.config.image_size
    cell = 2 * size // model.config.inject_size  # pixels per cell of the skip picture, the coarsest map
    ids = torch.from_numpy(rng.integers(len(cache[0]), size=batch))
    spots = rng.integers((size - CROP) // cell + 1, size=(batch, 2)) * cell

    def cut(whole):
        scale = size // whole.shape[-1]
        picked = [whole[i, :, y // scale : (y + CROP) // scale, x // scale : (x + CROP) // scale] for i, (y, x) in zip(ids, spots)]
        return torch.stack(picked).contiguous(memory_format=torch.channels_last)

    photo, initial, features, skip = (cut(t) for t in cache[:4])
    weight = face_weight(size).expand(len(cache[0]), 1, size, size)
    weight = cut(weight)[..., MARGIN:-MARGIN, MARGIN:-MARGIN]
    codes = cache[4][ids]
    with autocast():
        discrepancy = model.DIP(photo, initial.clamp(-1, 1))
        compensated = model.SAF.compensate(discrepancy, features)
        out = model.decoder.tail(compensated, skip, codes)
        plain = model.decoder.tail(features, skip, codes)
    inner = lambda t: t.float()[..., MARGIN:-MARGIN, MARGIN:-MARGIN]
    loss = reconstruction_loss(inner(out), inner(photo), weight=weight)
    keep = (inner(plain) - inner(initial)).abs().mean()
    residual = (compensated - features).float().square().mean()
    return loss, keep, residual


def whole_losses(model: Sdic, images, rng):
    """The same on whole pictures, with compensated codes, and the edit consistency term."""
    with autocast():
        with torch.no_grad():
            codes = model.encode(images)
            features, skip = model.decoder.head(codes)
        plain = model.decoder.tail(features, skip, codes)
        small = resize(plain.detach().clamp(-1, 1), model.config.encoder.input_size)
        compensated, wp = model.SAF(model.DIP(images, small), features, codes)
        at_wp, skip = model.decoder.head(wp)
        out = model.decoder.tail(compensated, skip, wp)
        # Half-way towards another picture's codes: what the generator alone changes must show.
        step = torch.from_numpy(rng.uniform(0.2, 0.6, (len(codes), 1, 1)).astype(np.float32))
        delta = step * (codes.roll(1, 0) - codes)
        with torch.no_grad():
            moved, moved_skip = model.decoder.head(wp + delta)
            change = model.decoder.tail(moved, moved_skip, wp + delta) - plain
        edited = model.decoder.tail(moved + compensated - at_wp, moved_skip, wp + delta)
    out, plain, edited, change = (t.float() for t in (out, plain, edited, change))
    loss = reconstruction_loss(out, images)
    coarse = lambda t: F.avg_pool2d(t, 2)
    consistency = (coarse(edited) - coarse((images + change).clamp(-1, 1))).abs().mean()
    keep = reconstruction_loss(plain, images)
    residual = (compensated - features).float().square().mean() + 0.25 * (wp.float() - codes).square().mean()
    return loss + 0.5 * consistency, keep, residual


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--packed", type=pathlib.Path, required=True, help="pictures written by pack.py")
    args.add_argument("--index", type=pathlib.Path, required=True, help="index.csv of the pictures")
    args.add_argument("--autoencoder", type=pathlib.Path, required=True, help="state of autoencoder.py")
    args.add_argument("--state", type=pathlib.Path, required=True, help="checkpoint to continue from and write")
    args.add_argument("--phase", choices=("crops", "whole"), required=True)
    args.add_argument("--minutes", type=float, default=25)
    args.add_argument("--batch", type=int, default=6, help="crops or pictures per worker and step")
    args.add_argument("--cache", type=int, default=2000, help="inversions per worker kept for --phase crops")
    args.add_argument("--seed", type=int, default=2)
    args = args.parse_args()
    torch.set_num_threads(1)
    workers = run.Workers()
    torch.manual_seed(args.seed)

    faces = Faces(args.packed, args.index)
    model = start(args)
    state = run.load(args.state) or {}
    if state:
        model.load_state_dict(state["net"])
    average = run.Average(model, 0.995)
    if state:
        average.module.load_state_dict(state["average"])
    resumed = state.get("phase") == args.phase
    step, spent = (state["step"], state["spent"]) if resumed else (0, 0.0)
    model.requires_grad_(False)
    tail = tail_parameters(model)
    learned = [p for net in (model.DIP, model.SAF) for p in net.parameters()]
    for p in tail + learned:
        p.requires_grad_(True)
    rate = {"crops": 2e-3, "whole": 1e-3}[args.phase]
    optimiser = torch.optim.Adam(
        [{"params": learned, "lr": rate}, {"params": tail, "lr": rate}], betas=(0.9, 0.99), fused=True
    )
    if resumed:
        optimiser.load_state_dict(state["optimiser"])

    seed = args.seed + 1000 * workers.rank + step
    sampler, rng = Sampler(faces, args.batch, 0.6, seed), np.random.default_rng(seed)
    check = faces.split(val=True, real=True)[:48]
    model.eval()
    if args.phase == "crops":
        cache = cached_inversions(model, sampler, args.cache)
        # The noise strengths are 0; maps of one value fit crops of any size.
        noises = {n: b.clone() for n, b in model.decoder.noises.named_buffers()}
        for name in noises:
            setattr(model.decoder.noises, name, torch.zeros(1, 1, 1, 1))
        average = run.Average(model, 0.995) if not state else average
    model.DIP.train(), model.SAF.train()
    clock = run.Clock(workers, args.minutes, spent)
    saved = clock.spent

    def save():
        trained, kept = model.state_dict(), average.module.state_dict()
        if args.phase == "crops":
            for name, noise in noises.items():
                trained[f"decoder.noises.{name}"] = kept[f"decoder.noises.{name}"] = noise
        run.save(args.state, {
            "phase": args.phase, "net": trained, "average": kept, "optimiser": optimiser.state_dict(),
            "step": step, "spent": clock.spent,
        })

    while clock.tick():
        for group in optimiser.param_groups:
            group["lr"] = rate * clock.rate()
        if args.phase == "crops":
            loss, keep, residual = crop_losses(model, cache, rng, args.batch)
            total = loss + keep + 0.01 * residual
        else:
            loss, keep, residual = whole_losses(model, sampler()[0], rng)
            total = loss + 0.3 * keep + 0.01 * residual
        optimiser.zero_grad(set_to_none=True)
        total.backward()
        workers.average_gradients(tail + learned)
        nn.utils.clip_grad_norm_(tail + learned, 5.0)
        optimiser.step()
        average.update(model, step)
        step += 1
        if not workers.first:
            continue
        if step % 50 == 0:
            per_second = step * args.batch * workers.count / (clock.spent * 60)
            print(
                f"step {step} minute {clock.spent:.1f} loss {loss:.4f} keep {keep:.4f} residual {residual:.4f} "
                f"pictures/s {per_second:.1f}", flush=True,
            )
        if clock.spent - saved > 3:
            saved = clock.spent
            save()
            with torch.no_grad():
                target = faces.images(check)
                done = average.module.invert(target)
                plain, full = psnr(done.initial, target).mean(), psnr(done.reconstruction, target).mean()
                print(f"val real PSNR plain {plain:.2f} dB compensated {full:.2f} dB", flush=True)
    if workers.first:
        save()


if __name__ == "__main__":
    main()
