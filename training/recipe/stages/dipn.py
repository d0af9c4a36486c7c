"""Stage 2: DIPN alone learns what the plain reconstruction lost; everything else is frozen.

Later stages leave it as it is. Trained along with DICN, the map turns into a message: DICN's strided convolutions
read its pixels in groups, and it shows a grid instead of what was lost.
"""

from __future__ import annotations

import torch

from ... import checkpoints
from ...losses.reconstruction import gradients
from ...networks import Sdic
from ..loop import Stage, train
from ..optimiser import Optimiser, placed

RATE = 2e-3
GRADIENTS = 0.5


class Dipn(Stage):
    name = "dipn"
    needs = ("autoencoder",)
    decay = 0.99
    real_share = 0.6
    judges = {}

    def __init__(self, job):
        self.job = job
        model = placed(checkpoints.take_average(Sdic(job.config), job.inputs[0]), job.device)
        self.model = model.eval().requires_grad_(False)
        model.DIP.train()
        groups = {"DIPN": ([*model.DIP.parameters()], RATE)}
        self.optimisers = {"optimiser": Optimiser(groups, betas=(0.9, 0.99))}

    def begin(self, seed: int):
        super().begin(seed)
        self.places = torch.Generator().manual_seed(seed)

    def cut(self, pictures):
        """The same random half of all of them on a CPU, for cheap steps."""
        if self.job.device.type != "cpu":
            return pictures
        side = pictures[0].shape[-1] // 2
        top, left = (8 * int(torch.randint(side // 8 + 1, (), generator=self.places)) for _ in range(2))
        parts = (p[..., top : top + side, left : left + side] for p in pictures)
        return [part.contiguous(memory_format=torch.channels_last) for part in parts]

    def draw(self, step: int):
        images, _ = self.sampler()
        return "whole", images

    def learn(self, variant: str, images):
        model = self.model
        with self.job.autocast():
            with torch.no_grad():
                initial, _ = model.decoder(model.encode(images))
                photo, plain = self.cut([model.seen(images), model.shown(initial.float())])
            discrepancy = model.DIP(photo, plain).float()
        lost = photo - plain - discrepancy
        loss = lost.abs().mean() + GRADIENTS * sum(g.abs().mean() for g in gradients(lost))
        self.optimisers["optimiser"].descend(loss, clip=5.0)
        return {"loss": loss, "left": lost.abs().mean(), "nothing": (photo - plain).abs().mean()}


if __name__ == "__main__":
    train(Dipn)
