#!/usr/bin/env python3
"""Stage 2: DIPN alone learns what the plain reconstruction lost; everything else is frozen.

Later stages leave it as it is. Trained along with DICN, the map turns into a message: DICN's strided convolutions read
its pixels in groups, and it shows a grid instead of what was lost.
"""

from __future__ import annotations

import torch

from sdic import Sdic, run
from sdic.data import Sampler
from sdic.losses import gradients

RATE = 2e-3
GRADIENTS = 0.5
REAL_SHARE = 0.6


def main():
    setup = run.Setup(__doc__, stage="dipn", needs=("autoencoder",))
    model = Sdic(setup.budget.model)
    run.take(model, run.load(setup.inputs[0])["average"])
    model = run.placed(model, setup.device)
    average = run.Average(model, 0.99)
    model.eval().requires_grad_(False)
    model.DIP.train().requires_grad_(True)
    optimiser = torch.optim.Adam(model.DIP.parameters(), RATE, betas=(0.9, 0.99), fused=True)
    parts = {"net": model, "average": average.module, "optimiser": optimiser}
    step = state["step"] if (state := setup.resume(parts)) else 0
    sampler = Sampler(setup.faces, setup.batch, REAL_SHARE, setup.seed + step)
    check = setup.faces.split(val=True, real=True)[:48]
    rng = torch.Generator().manual_seed(setup.seed + step)

    def cut(pictures):
        """The same random half of all of them on a CPU, for cheap steps."""
        if setup.device.type != "cpu":
            return pictures
        side = pictures[0].shape[-1] // 2
        top, left = (8 * int(torch.randint(side // 8 + 1, (), generator=rng)) for _ in range(2))
        return [p[..., top : top + side, left : left + side].contiguous(memory_format=torch.channels_last) for p in pictures]

    while setup.clock.tick():
        optimiser.param_groups[0]["lr"] = RATE * setup.clock.rate()
        images, _ = sampler()
        with setup.autocast():
            with torch.no_grad():
                initial, _ = model.decoder(model.encode(images))
                photo, plain = cut([model.seen(images), model.shown(initial.float())])
            found = model.DIP(photo, plain).float()
        lost = photo - plain - found
        loss = lost.abs().mean() + GRADIENTS * sum(g.abs().mean() for g in gradients(lost))
        run.descend(optimiser, loss, clip=5.0)
        step += 1
        setup.settle(model, average, step)
        setup.report(step, {"loss": loss, "left": lost.abs().mean(), "nothing": (photo - plain).abs().mean()})
        if setup.checkpoint(parts, {"step": step}):
            setup.print_fidelity(average.module, check)
    setup.checkpoint(parts, {"step": step}, last=True)
    setup.print_fidelity(average.module, check)


if __name__ == "__main__":
    main()
