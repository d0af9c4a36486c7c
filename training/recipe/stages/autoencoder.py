"""Stage 1: encoder and generator learn jointly through W+.

Codes are a shared base plus small offsets per style (offsets are penalised) and carry noise while training, so
that their surroundings decode too. Reconstructions are compared by pixels and by ImageNet features. Judges on such
features and, where the budget has the time, StyleGAN2's discriminator must take all pictures for real, also those
of codes between two pictures'. How much they count follows from the lengths of the gradients. The noise strengths
learn too.
"""

from __future__ import annotations

import pathlib

import torch
import torch.nn.functional as F

from ... import checkpoints, weights
from ...losses.balance import balanced, ramp
from ...losses.discriminator import Augment, Discriminator
from ...losses.features import perceptual_loss
from ...losses.judges import Judges
from ...losses.reconstruction import face_weight, pixel_loss
from ...networks import Sdic
from ..loop import Stage, train
from ..optimiser import Optimiser, Steady, placed

CODE_NOISE = 0.03
PIXELS, PERCEPT = 6.0, 0.6
FACE_WEIGHT = 4.0  # of the loss at the centre of the face: its expression first
RATES = {"encoder": 6e-4, "decoder": 2e-3}
JUDGE_RATE = 5e-4
CRITIC_RATE = 2e-3
ADVERSARIAL = {"judges": 0.5, "critic": 0.4}  # lengths of their gradients, in lengths of the reconstruction's
R1, R1_EVERY = 1.0, 16
CRITIC_AUGMENT = 0.3
PLAIN, REGULARISED = "plain", "regularised"  # variants of a step


class Critic:
    """StyleGAN2's discriminator with its optimiser."""

    def __init__(self, job):
        self.job, self.augment = job, Augment(CRITIC_AUGMENT)
        self.net = placed(Discriminator(job.config.channels), job.device)
        self.optimiser = Optimiser({"critic": ([*self.net.parameters()], CRITIC_RATE)}, betas=(0.0, 0.99))

    def logits(self, images):
        with self.job.autocast():
            return self.net(self.augment(images)).float()

    def learn(self, real, drawn, regularised: bool):
        """One step on real and drawn pictures; the loss."""
        loss = F.softplus(-self.logits(real)).mean() + F.softplus(self.logits(drawn)).mean()
        penalty = 0.0
        if regularised:
            real = real.detach().requires_grad_(True)
            (slope,) = torch.autograd.grad(self.net(real).sum(), real, create_graph=True)
            penalty = R1 / 2 * R1_EVERY * slope.square().sum((1, 2, 3)).mean()
        self.optimiser.descend(loss + penalty)
        return loss.detach()

    def fooled(self, drawn):
        return F.softplus(-self.logits(drawn)).mean()


def mixed(codes):
    """Codes on the way to those of the next picture: edits without a known answer."""
    share = torch.empty_like(codes[:, :1, :1]).uniform_(0.2, 0.6)
    return torch.lerp(codes, codes.roll(1, 0), share)


class Autoencoder(Stage):
    name = "autoencoder"
    decay = 0.997
    real_share = 0.5
    guarded = "plain, dB"

    @staticmethod
    def add_arguments(parser):
        parser.add_argument(
            "--from-weights", type=pathlib.Path, help="weights directory to begin from instead of noise"
        )

    def __init__(self, job):
        self.job = job
        model = Sdic(job.config)
        if job.args.from_weights:
            checkpoints.grow(model, weights.load_model(job.args.from_weights)[0])
        self.model = model = placed(model, job.device)
        self.judge = Judges(close_ups=False).to(job.device)
        self.critic = Critic(job) if job.budget.critic else None
        model.requires_grad_(False).eval()
        model.encoder.train()
        groups = {name: ([*getattr(model, name).parameters()], rate) for name, rate in RATES.items()}
        judging = {"judge": (self.judge.learned(), JUDGE_RATE)}
        self.optimisers = {
            "optimiser": Optimiser(groups, betas=(0.5, 0.99)),
            "judge_optimiser": Steady(judging, betas=(0.5, 0.99)),
        }
        self.judges = {"judge": self.judge.judges}
        if self.critic:
            self.judges["critic"] = self.critic.net
            self.optimisers["critic_optimiser"] = self.critic.optimiser
        self.between = max(1, job.batch // 4)
        self.weight = face_weight(job.config.image_size, job.device, FACE_WEIGHT)

    def draw(self, step: int):
        images, _ = self.sampler()
        regularised = self.critic and step % R1_EVERY == 0
        return REGULARISED if regularised else PLAIN, images, ramp(step, images)

    def learn(self, variant: str, images, ramp):
        job, model, judge = self.job, self.model, self.judge
        known = len(images)
        for noise in model.decoder.noises.buffers():
            noise.normal_()  # other noise for every step: a strength, not a picture, is learned
        with job.autocast():
            codes = model.encoder(model.seen(images))
        codes = codes.float()
        between = mixed(codes[: self.between].detach())
        inputs = torch.cat([codes + CODE_NOISE * torch.randn_like(codes), between])
        with job.autocast():
            out, _ = model.decoder(inputs)
        out = out.float()

        critic_loss = self.critic.learn(images, out.detach(), variant == REGULARISED) if self.critic else 0.0
        with job.autocast():
            taps = judge.taps(out)
            with torch.no_grad():
                real_taps = judge.taps(images)
            judge_loss = judge.loss(real_taps, taps)
        self.optimisers["judge_optimiser"].descend(judge_loss)

        with job.autocast():
            own_taps = judge.features(out[:known])
            with torch.no_grad():
                photo_taps = judge.features(images)
            fooled = judge.fooled(taps)
        pixels = pixel_loss(out[:known], images, self.weight)
        percept = perceptual_loss(own_taps, photo_taps)
        offsets = codes[:, 1:] - codes[:, :1]
        kept = 0.02 * offsets.square().mean() + 0.0005 * codes.square().mean()
        adversaries = [(fooled, ramp * ADVERSARIAL["judges"])]
        if self.critic:
            adversaries.append((self.critic.fooled(out), ramp * ADVERSARIAL["critic"]))
        loss = PIXELS * pixels + PERCEPT * percept
        slope = balanced(out, loss, adversaries, known, model.decoder.last_weight)
        self.optimisers["optimiser"].descend_along([out, kept], [slope, None], clip=5.0)
        return {
            "pixels": pixels,
            "percept": percept,
            "fooled": fooled,
            "judge": judge_loss,
            "critic": critic_loss,
            "kept": kept,
            "code": codes.detach().square().mean().sqrt(),
        }


if __name__ == "__main__":
    train(Autoencoder)
