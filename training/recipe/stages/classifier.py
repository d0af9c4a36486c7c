"""Trains the classifier that measures edits; prints its correlation with each label on the val pictures."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from ...measure.classifier import Classifier
from ...sliders import LABELLED
from ..loop import Stage, train
from ..optimiser import Optimiser

RATE = 2e-3


class Labels(Stage):
    name = "classifier"
    decay = 0.99
    real_share = 0.4
    measured_often = False
    judges = {}

    def __init__(self, job):
        self.job = job
        self.model = Classifier().to(job.device)
        groups = {"net": ([*self.model.parameters()], RATE)}
        self.optimisers = {"optimiser": Optimiser(groups, betas=(0.9, 0.999), decay=0.02)}

    def draw(self, step: int):
        return "labels", *self.sampler()

    def learn(self, variant: str, images, labels):
        loss = F.mse_loss(self.model(images), labels)
        self.optimisers["optimiser"].descend(loss)
        return {"loss": loss}

    @torch.no_grad()
    def measure(self, ids):
        found = {}
        faces = self.job.faces
        ids = faces.split(val=True)
        read = self.average(faces.images(ids)).cpu().numpy()
        for slider, ours, theirs in zip(LABELLED, read.T, faces.standard_labels(ids).numpy().T, strict=True):
            found[slider.name] = np.corrcoef(ours, theirs)[0, 1]
            print(f"{slider.name:8} correlation {found[slider.name]:.3f}")
        return found


if __name__ == "__main__":
    train(Labels)
