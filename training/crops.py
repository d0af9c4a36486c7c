#!/usr/bin/env python3
"""Stage 3a of the CPU budget: DIPN and DICN learn to compensate on random crops of inversions computed once.

Crops give many cheap steps. Encoder and generator up to the injection layer are frozen; the layers after it learn
along, held to the pictures they make without compensation. The codes are compensated only in stage 3b.
"""

from __future__ import annotations

import contextlib

import numpy as np
import torch
from torch import nn

from sdic import Sdic, run
from sdic.data import Sampler
from sdic.losses import face_weight, reconstruction_loss

MARGIN_CELLS = 2  # cells of the injection layer at a crop's border that see padding, left out of the loss
CACHE = 800  # inversions per worker
RATE = 1e-3


@contextlib.contextmanager
def noise_of_any_size(decoder):
    """Noise maps of one value, which fit crops; the noise strengths of this budget are 0."""
    maps = dict(decoder.noises.named_buffers())
    for name in maps:
        setattr(decoder.noises, name, torch.zeros(1, 1, 1, 1))
    yield
    for name, noise in maps.items():
        setattr(decoder.noises, name, noise)


@torch.no_grad()
def cached_inversions(setup, model: Sdic, sampler: Sampler, count: int):
    """Augmented pictures and their initial inversions: photo, initial, G_R, skip (bf16) and codes."""
    parts = []
    for _ in range(-(-count // sampler.batch)):
        images, _ = sampler()
        with setup.autocast():
            codes = model.encode(images)
            features, skip = model.decoder.head(codes)
            initial = model.decoder.tail(features, skip, codes)
        parts.append([t.bfloat16() for t in (images, initial, features, skip)] + [codes.float()])
    return [torch.cat(part) for part in zip(*parts)]


def crop_losses(setup, model: Sdic, cache, rng):
    """Loss of the compensated crop, change of the uncompensated one, size of the residual."""
    config, batch = model.config, setup.batch
    size, crop = config.image_size, config.image_size // 2
    margin = MARGIN_CELLS * size // config.inject_size
    cell = 2 * size // config.inject_size  # pixels per cell of the skip picture, the coarsest map
    ids = rng.integers(len(cache[0]), size=batch)
    spots = rng.integers((size - crop) // cell + 1, size=(batch, 2)) * cell

    def cut(whole):
        scale = size // whole.shape[-1]
        windows = [
            whole[i % len(whole), :, y // scale : (y + crop) // scale, x // scale : (x + crop) // scale]
            for i, (y, x) in zip(ids, spots)
        ]
        return torch.stack(windows).contiguous(memory_format=torch.channels_last)

    def inner(crop):
        return crop.float()[..., margin:-margin, margin:-margin]

    photo, initial, features, skip = (cut(t) for t in cache[:4])
    weight = inner(cut(face_weight(size)))
    codes = cache[4][torch.from_numpy(ids)]
    with setup.autocast(), noise_of_any_size(model.decoder):
        compensated = model.SAF.compensate(model.DIP(photo, initial.clamp(-1, 1)), features)
        out = model.decoder.tail(compensated, skip, codes)
        plain = model.decoder.tail(features, skip, codes)
    loss = reconstruction_loss(inner(out), inner(photo), weight)
    keep = (inner(plain) - inner(initial)).abs().mean()
    return loss, keep, (compensated - features).float().square().mean()


def main():
    setup = run.Setup(__doc__, stage="crops", needs=("autoencoder",))
    model = Sdic(setup.budget.model)
    run.take(model, run.load(setup.inputs[0])["average"])
    for branch in (model.SAF.aff1d.att, model.SAF.aff1d.att2):
        nn.init.zeros_(branch[3].weight)  # w' = w to begin with
    average = run.Average(model, 0.995)
    model.eval().requires_grad_(False)
    learned = [*model.DIP.parameters(), *model.SAF.parameters(), *model.decoder.tail_parameters()]
    for parameter in learned:
        parameter.requires_grad_(True)
    optimiser = torch.optim.Adam(learned, RATE, betas=(0.9, 0.99), fused=True)
    step, parts = 0, {"net": model, "average": average.module, "optimiser": optimiser}
    if state := setup.resume(parts):
        step = state["step"]
    rng = np.random.default_rng(setup.seed + step)
    sampler = Sampler(setup.faces, setup.batch, 0.6, setup.seed + step)
    cache = cached_inversions(setup, model, sampler, CACHE if setup.minutes > 1 else 20)
    check = setup.faces.split(val=True, real=True)[:48]
    model.DIP.train(), model.SAF.train()
    setup.restart_clock()

    while setup.clock.tick():
        optimiser.param_groups[0]["lr"] = RATE * setup.clock.rate()
        loss, keep, residual = crop_losses(setup, model, cache, rng)
        run.descend(optimiser, loss + keep + 0.01 * residual, clip=5.0)
        step += 1
        setup.settle(model, average, step)
        setup.report(step, {"loss": loss, "keep": keep, "residual": residual})
        if setup.checkpoint(parts, {"step": step}):
            setup.print_fidelity(average.module, check)
    if setup.checkpoint(parts, {"step": step}, last=True):
        setup.print_fidelity(average.module, check)


if __name__ == "__main__":
    main()
