"""Stage 2: DIPN alone learns what the plain reconstruction lost; everything else is frozen.

Later stages leave it as it is. Trained along with DICN, the map turns into a message: DICN's strided convolutions
read its pixels in groups, and it shows a grid instead of what was lost.

The plain picture with the map added is about as close to a photo as the compensated one can come: this stage says how
close that is.
"""

from __future__ import annotations

import torch
from torch import nn

from ... import checkpoints
from ...losses.reconstruction import gradients
from ...networks import Sdic
from ..loop import Stage, train
from ..optimiser import Optimiser, placed

RATE = 2e-3
GRADIENTS = 0.5
DEVIATION = 1.0  # of the root of the mean square of what is left of each picture: what decibels count
STATISTICS_UNTIL = 0.5  # of the stage; then the normalisations keep their statistics, as they do when it is used

RENEWED_EVERY = 8  # steps, on a CPU
LEARNING, SETTLING = "learning", "settling"  # variants of a step


class Kept:
    """Photos and their plain reconstructions, as DIPN sees them, [n,2,3,E,E]. A CPU cuts its pictures from them, for
    inverting anew would take most of its time; now and then new ones take the place of some."""

    def __init__(self, stage: Dipn, count: int, seed: int):
        self.stage, self.places = stage, torch.Generator().manual_seed(seed)
        batch = stage.sampler.batch
        self.pairs = torch.cat([self.inverted() for _ in range(-(-count // batch))])

    def inverted(self):
        images, _ = self.stage.sampler()
        return torch.stack(self.stage.inverted(images), 1).half()

    def renew(self):
        new = self.inverted()
        at = self.drawn(len(self.pairs) - len(new) + 1)
        self.pairs[at : at + len(new)] = new

    def drawn(self, below: int) -> int:
        return int(torch.randint(below, (), generator=self.places))

    def cut(self, count: int):
        """Random halves, in width and height, of random photos and of their reconstructions."""
        side = self.pairs.shape[-1] // 2
        parts = []
        for _ in range(count):
            pair, top, left = self.drawn(len(self.pairs)), *(8 * self.drawn(side // 8 + 1) for _ in range(2))
            parts.append(self.pairs[pair, ..., top : top + side, left : left + side])
        photo, plain = torch.stack(parts).float().unbind(1)
        return tuple(p.contiguous(memory_format=torch.channels_last) for p in (photo, plain))


class Dipn(Stage):
    name = "dipn"
    needs = ("autoencoder",)
    decay = 0.995
    real_share = 0.65
    judges = {}

    def __init__(self, job):
        self.job = job
        model = placed(checkpoints.take_average(Sdic(job.config), job.inputs[0]), job.device)
        self.model = model.eval().requires_grad_(False)
        groups = {"DIPN": ([*model.DIP.parameters()], RATE)}
        self.optimisers = {"optimiser": Optimiser(groups, betas=(0.9, 0.99))}
        norms = (module for module in model.DIP.modules() if isinstance(module, nn.BatchNorm2d))
        self.settled = any(norm.running_mean.any() for norm in norms)  # a trained map is learned on

    def begin(self, seed: int):
        super().begin(seed)
        self.kept = Kept(self, self.job.budget.kept, seed) if self.job.device.type == "cpu" else None

    @torch.no_grad()
    def inverted(self, images):
        """Photos, and their plain reconstructions, as DIPN sees them."""
        with self.job.autocast():
            initial, _ = self.model.decoder(self.model.encode(images))
        return self.model.seen(images), self.model.shown(initial.float())

    def draw(self, step: int):
        settled = self.settled or self.clock.progress >= STATISTICS_UNTIL
        variant = SETTLING if settled else LEARNING
        if self.kept is None:
            return variant, self.sampler()[0]
        if step % RENEWED_EVERY == 0:
            self.kept.renew()
        return variant, *self.kept.cut(self.job.batch)

    def learn(self, variant: str, *pictures):
        photo, plain = self.inverted(*pictures) if self.kept is None else pictures
        self.model.DIP.train(variant == LEARNING)
        with self.job.autocast():
            discrepancy = self.model.DIP(photo, plain).float()
        lost = photo - plain - discrepancy
        left = lost.abs().mean()
        deviation = lost.square().mean((1, 2, 3)).add(1e-6).sqrt().mean()
        loss = left + GRADIENTS * sum(g.abs().mean() for g in gradients(lost)) + DEVIATION * deviation
        self.optimisers["optimiser"].descend(loss, clip=1.0)
        return {"loss": loss, "left": left, "nothing": (photo - plain).abs().mean()}


if __name__ == "__main__":
    train(Dipn)
