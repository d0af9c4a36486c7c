#!/usr/bin/env python3
"""Stage 1: encoder and generator learn jointly through W+.

Codes are a shared base plus small offsets per style (offsets are penalised) and carry noise while training, so that
their surroundings decode too. Reconstructions are compared by pixels and by ImageNet features. Judges on such features
and, where the budget has the time, StyleGAN2's discriminator must take all pictures for real, also those of codes
between two pictures'. How much they count follows from the lengths of the gradients, as in VQGAN (Esser et al.,
CVPR 2021). The noise strengths learn too.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from sdic import Sdic, run, weights
from sdic.data import Sampler
from sdic.discriminator import Augment, Discriminator
from sdic.edits import mixed
from sdic.losses import balanced, face_weight, pixel_loss
from sdic.perceptual import Judges, perceptual_loss

CODE_NOISE = 0.03
PIXELS, PERCEPT = 6.0, 0.6
FACE_WEIGHT = 4.0  # of the loss at the centre of the face: its expression first
RATES = {"encoder": 6e-4, "decoder": 2e-3}
JUDGE_RATE = 5e-4
CRITIC_RATE = 2e-3
ADVERSARIAL = {"judges": 0.5, "critic": 0.4}  # lengths of their gradients, in lengths of the reconstruction's
RAMP = 200  # steps until they count in full
R1, R1_EVERY = 1.0, 16
CRITIC_AUGMENT = 0.3


class Critic:
    """StyleGAN2's discriminator with its optimiser; `active` by the budget."""

    def __init__(self, setup, config, active: bool):
        self.active = active
        if active:
            self.setup, self.augment = setup, Augment(p=CRITIC_AUGMENT)
            self.net = run.placed(Discriminator(config.channels), setup.device)
            self.optimiser = torch.optim.Adam(self.net.parameters(), CRITIC_RATE, betas=(0.0, 0.99))

    def parts(self):
        return {"critic": self.net, "critic_optimiser": self.optimiser} if self.active else {}

    def logits(self, images):
        with self.setup.autocast():
            return self.net(self.augment(images)).float()

    def learn(self, real, drawn, step: int, rate: float):
        """One step on real and drawn pictures; the loss."""
        if not self.active:
            return torch.zeros(())
        self.optimiser.param_groups[0]["lr"] = CRITIC_RATE * rate
        loss = F.softplus(-self.logits(real)).mean() + F.softplus(self.logits(drawn)).mean()
        penalty = 0.0
        if step % R1_EVERY == 0:
            real = real.detach().requires_grad_(True)
            (slope,) = torch.autograd.grad(self.net(real).sum(), real, create_graph=True)
            penalty = R1 / 2 * R1_EVERY * slope.square().sum((1, 2, 3)).mean()
        run.descend(self.optimiser, loss + penalty)
        return loss.detach()

    def fooled(self, drawn):
        return F.softplus(-self.logits(drawn)).mean()


def main():
    setup = run.Setup(__doc__, stage="autoencoder", from_weights=True)
    config, device = setup.budget.model, setup.device
    net = Sdic(config)
    if setup.start:
        run.grow(net, weights.load_model(setup.start)[0])
    net = run.placed(net, device)
    judges, critic = Judges(close_ups=False).to(device), Critic(setup, config, setup.budget.critic)
    average = run.Average(net, 0.997)
    net.requires_grad_(False)
    groups = [{"params": [*getattr(net, name).requires_grad_(True).parameters()], "lr": rate} for name, rate in RATES.items()]
    optimiser = torch.optim.Adam(groups, betas=(0.5, 0.99), fused=True)
    judge_optimiser = torch.optim.Adam(judges.learned(), JUDGE_RATE, betas=(0.5, 0.99), fused=True)
    parts = {"net": net, "average": average.module, "optimiser": optimiser, "judge": judges.judges,
             "judge_optimiser": judge_optimiser} | critic.parts()
    step = state["step"] if (state := setup.resume(parts)) else 0
    rng = np.random.default_rng(setup.seed + step)
    sampler = Sampler(setup.faces, setup.batch, setup.budget.real_share, setup.seed + step)
    check, between = setup.faces.split(val=True, real=True)[:48], max(1, setup.batch // 4)
    weight = face_weight(config.image_size, device, FACE_WEIGHT)
    net.eval().encoder.train()

    while setup.clock.tick():
        rate = setup.clock.rate()
        for group, own in zip(optimiser.param_groups, RATES.values()):
            group["lr"] = own * rate
        images, _ = sampler()
        known = len(images)
        for noise in net.decoder.noises.buffers():
            noise.normal_()  # other noise for every step: a strength, not a picture, is learned
        with setup.autocast():
            codes = net.encoder(net.seen(images))
        codes = codes.float()
        inputs = torch.cat([codes + CODE_NOISE * torch.randn_like(codes), mixed(codes[:between].detach(), rng)])
        with setup.autocast():
            out, _ = net.decoder(inputs)
        out = out.float()

        critic_loss = critic.learn(images, out.detach(), step, rate)
        with setup.autocast():
            taps = judges.taps(out)
            with torch.no_grad():
                real_taps = judges.taps(images)
            judge_loss = judges.loss(real_taps, taps)
        run.descend(judge_optimiser, judge_loss)

        with setup.autocast():
            own_taps = judges.features(out[:known])
            with torch.no_grad():
                photo_taps = judges.features(images)
            fooled = judges.fooled(taps)
        pixels = pixel_loss(out[:known], images, weight)
        percept = perceptual_loss(own_taps, photo_taps)
        offsets = codes[:, 1:] - codes[:, :1]
        kept = 0.02 * offsets.square().mean() + 0.0005 * codes.square().mean()
        ramp = min(1.0, (step + 1) / RAMP)
        adversaries = [(fooled, ramp * ADVERSARIAL["judges"])]
        if critic.active:
            adversaries.append((critic.fooled(out), ramp * ADVERSARIAL["critic"]))
        slope = balanced(out, PIXELS * pixels + PERCEPT * percept, adversaries, known, net.decoder.last_weight)
        run.descend_along(optimiser, [out, kept], [slope, None], clip=5.0)

        step += 1
        setup.settle(net, average, step)
        if step % run.SETTLE_EVERY == 0:
            setup.workers.synchronise(judges.judges)
        setup.report(step, {"pixels": pixels, "percept": percept, "fooled": fooled, "judge": judge_loss, "critic": critic_loss,
                            "kept": kept, "code": codes.detach().square().mean().sqrt()})
        if setup.checkpoint(parts, {"step": step}):
            setup.print_fidelity(average.module, check)
    setup.checkpoint(parts, {"step": step}, last=True)
    setup.print_fidelity(average.module, check)


if __name__ == "__main__":
    main()
