#!/usr/bin/env python3
"""Stage 2 of the GPU budget: the e4e encoder on the frozen generator.

Half of a batch are photos, half pictures of the generator with known codes. The offsets of the styles from the
base code are penalised, so that codes stay where edits work; the discriminator's features stand in for LPIPS.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from generator import sample_codes
from sdic import Sdic, run
from sdic.data import Sampler
from sdic.discriminator import Discriminator
from sdic.losses import reconstruction_loss


def main():
    setup = run.Setup(__doc__, stage="encoder", needs=("generator",))
    config, device, batch = setup.budget.model, setup.device, setup.batch
    trained = run.load(setup.inputs[0])
    model, discriminator = Sdic(config).to(device), Discriminator(config.channels).to(device)
    model.decoder.load_state_dict(trained["average"])
    discriminator.load_state_dict(trained["discriminator"])
    discriminator.requires_grad_(False)
    model.requires_grad_(False)
    with torch.no_grad():
        latents = torch.randn(10_000, config.style_dim, device=device)
        model.latent_avg.copy_(model.decoder.style(latents).mean(0).expand_as(model.latent_avg))
    model.encoder.requires_grad_(True).train()
    average = run.Average(model, 0.998)
    optimiser = torch.optim.Adam(model.encoder.parameters(), 1e-3, betas=(0.9, 0.99), fused=True)
    step, parts = 0, {"net": model, "average": average.module, "optimiser": optimiser}
    if state := setup.resume(parts):
        step = state["step"]
    sampler = Sampler(setup.faces, batch // 2, 0.6, setup.seed + step)
    draw, encode = setup.compiled(model.decoder), setup.compiled(model.encoder)
    judge = setup.compiled(discriminator.features)

    while setup.clock.tick():
        for group in optimiser.param_groups:
            group["lr"] = 1e-3 * setup.clock.rate()
        photos, _ = sampler()
        with setup.autocast():
            with torch.no_grad():
                known = sample_codes(model.decoder, batch // 2, device)
                images = torch.cat([photos, draw(known)[0].clamp(-1, 1).to(photos.dtype)])
            codes = encode(images) + model.latent_avg
            out = draw(codes)[0]
            taps = zip(judge(out), judge(images))
            perceptual = sum((a.float() - b.float()).square().mean() for a, b in taps)
        codes = codes.float()
        offsets = codes[:, 1:] - codes[:, :1]
        loss = reconstruction_loss(out.float(), images.float()) + 0.1 * perceptual
        loss = loss + 0.5 * F.mse_loss(codes[batch // 2 :], known.float()) + 0.02 * offsets.square().mean()
        run.descend(optimiser, loss, clip=5.0)
        step += 1
        setup.settle(model, average, step)
        setup.report(step, {"loss": loss, "perceptual": perceptual})
        setup.checkpoint(parts, {"step": step})
    setup.checkpoint(parts, {"step": step}, last=True)


if __name__ == "__main__":
    main()
