#!/usr/bin/env python3
"""Trains the measuring classifier of report.py; prints its correlation with each label on the val pictures."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from sdic import run
from sdic.classifier import Classifier
from sdic.data import LABELS, Sampler


def main():
    setup = run.Setup(__doc__, stage="classifier")
    net = Classifier().to(setup.device)
    average = run.Average(net, 0.99)
    optimiser = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=0.02)
    step, parts = 0, {"net": net, "average": average.module, "optimiser": optimiser}
    if state := setup.resume(parts):
        step = state["step"]
    sampler = Sampler(setup.faces, setup.batch, 0.4, setup.seed + step)
    while setup.clock.tick():
        optimiser.param_groups[0]["lr"] = 2e-3 * setup.clock.rate()
        images, labels = sampler()
        loss = F.mse_loss(net(images), labels)
        run.descend(optimiser, loss)
        step += 1
        setup.settle(net, average, step)
        setup.report(step, {"loss": loss})
    setup.checkpoint(parts, {"step": step}, last=True)
    ids = setup.faces.split(val=True)
    with torch.no_grad():
        read = average.module(setup.faces.images(ids)).cpu().numpy()
    for name, ours, theirs in zip(LABELS, read.T, setup.faces.standard_labels(ids).numpy().T):
        print(f"{name:8} correlation {np.corrcoef(ours, theirs)[0, 1]:.3f}")


if __name__ == "__main__":
    main()
