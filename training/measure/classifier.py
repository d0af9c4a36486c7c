"""A small network that reads the labels from a picture; used only to measure, never to train the model."""

from __future__ import annotations

import itertools

import torch.nn.functional as F
from torch import nn

from ..sliders import LABELLED

SIZE = 64


class Classifier(nn.Module):
    """Images [n,3,S,S] in [-1,1] -> standard labels [n,6]."""

    def __init__(self):
        super().__init__()
        widths = (3, 24, 48, 96, 128)
        self.convs = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(a, b, 3, 2, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU())
                for a, b in itertools.pairwise(widths)
            )
        )
        self.hidden = nn.Sequential(nn.Flatten(), nn.Linear(16 * widths[-1], 128), nn.ReLU())
        self.out = nn.Linear(128, len(LABELLED))

    def features(self, x):
        return self.hidden(self.convs(F.adaptive_avg_pool2d(x, SIZE)))

    def forward(self, x):
        return self.out(self.features(x))
