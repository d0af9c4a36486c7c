#!/usr/bin/env python3
"""Stage 1 of the GPU budget: StyleGAN2 with lazy R1, adaptive augmentation and moving averages."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from sdic import run
from sdic.data import Sampler
from sdic.discriminator import Augment, Discriminator
from sdic.generator import Generator

LEARNING_RATE = 0.0025
R1_EVERY = 16
MIXING = 0.5  # share of pictures whose codes change from one latent to another at a random style
AVERAGE_HALF_LIFE = 10_000  # pictures


def sample_codes(generator, count: int, device):
    """Codes [n,styles,D] from the mapping network, some of them mixed from two latents."""
    styles = len(generator.to_rgbs) * 2 + 2
    first, second = (generator.style(torch.randn(count, generator.style[1].weight.shape[1], device=device)) for _ in "ab")
    change = torch.randint(1, styles, (count, 1), device=device)
    change = torch.where(torch.rand(count, 1, device=device) < MIXING, change, styles)
    use_second = (torch.arange(styles, device=device) >= change)[..., None]
    return torch.where(use_second, second[:, None], first[:, None])


def main():
    setup = run.Setup(__doc__, stage="generator")
    config, device, batch = setup.budget.model, setup.device, setup.batch
    generator = Generator(config).to(device)
    discriminator = Discriminator(config.channels).to(device)
    average = run.Average(generator, 0.5 ** (batch / AVERAGE_HALF_LIFE))
    lazy = R1_EVERY / (R1_EVERY + 1)
    g_optimiser = torch.optim.Adam(generator.parameters(), LEARNING_RATE, betas=(0.0, 0.99), fused=True)
    d_optimiser = torch.optim.Adam(
        discriminator.parameters(), LEARNING_RATE * lazy, betas=(0.0, 0.99**lazy), fused=True
    )
    augment, step = Augment(), 0
    parts = {"generator": generator, "discriminator": discriminator, "average": average.module,
             "g_optimiser": g_optimiser, "d_optimiser": d_optimiser}
    if state := setup.resume(parts):
        step, augment.p = state["step"], state["augment"]
    gamma = min(1.0, 0.0002 * config.image_size**2 / batch)
    sampler = Sampler(setup.faces, batch, setup.budget.real_share, setup.seed + step, jitter=False)
    # R1 differentiates twice, which compiled graphs refuse: it uses the plain module.
    draw, judge = setup.compiled(generator), setup.compiled(discriminator)

    while setup.clock.tick():
        images, _ = sampler()
        with setup.autocast():
            with torch.no_grad():
                fake = draw(sample_codes(generator, batch, device))[0]
            real_logits, fake_logits = (judge(augment(x.float())).float() for x in (images, fake))
            d_loss = F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()
        run.descend(d_optimiser, d_loss)
        augment.adapt(real_logits.detach())
        if step % R1_EVERY == 0:
            inputs = augment(images).detach().requires_grad_(True)
            slope = torch.autograd.grad(discriminator(inputs).sum(), inputs, create_graph=True)[0]
            run.descend(d_optimiser, gamma / 2 * R1_EVERY * slope.square().sum((1, 2, 3)).mean())
        discriminator.requires_grad_(False)
        with setup.autocast():
            fake = draw(sample_codes(generator, batch, device))[0]
            g_loss = F.softplus(-judge(augment(fake.float())).float()).mean()
        run.descend(g_optimiser, g_loss)
        discriminator.requires_grad_(True)
        average.update(generator, step)
        step += 1
        setup.report(step, {"d": d_loss, "g": g_loss, "augment": augment.p})
        setup.checkpoint(parts, {"step": step, "augment": augment.p})
    setup.checkpoint(parts, {"step": step, "augment": augment.p}, last=True)


if __name__ == "__main__":
    main()
