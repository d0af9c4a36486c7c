"""The feature editor: what an edit changes in one person's feature at the injection layer, after
StyleFeatureEditor (Bobkov et al., CVPR 2024). A slider brings a plan, laid out on the face of mean shape; this
network draws it into the feature.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import nn

from .config import ModelConfig


class FeatureEditor(nn.Module):
    """A feature [n,C,R,R] and a plan [n,P,fR,fR] in its place -> what to add to the feature, [n,C,R,R]; f is `fold`.

    A plan that is finer than the feature holds lines as thin as those between teeth, which a warp of the coarse
    grid would smear. Its cells become channels only once they are in place.

    The plan's own branch has no biases, so no plan adds exactly nothing, and k > 0 times a plan adds k times as
    much.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        channels, width, self.fold = config.inject_channels, config.editor.width, config.editor.fold

        def conv(inputs, outputs, bias):
            return nn.Conv2d(inputs, outputs, 3, 1, 1, bias=bias)

        self.context = conv(channels, width, bias=True)
        self.gate1, self.gate2 = conv(width, width, bias=True), conv(width, width, bias=True)
        self.plan = conv(config.editor.plan * self.fold**2, width, bias=False)
        self.mix = conv(width, width, bias=False)
        self.out = conv(width, channels, bias=False)
        for gate in (self.gate1, self.gate2):
            nn.init.ones_(gate.bias)

    def forward(self, feature, plan):
        context = F.leaky_relu(self.context(feature), 0.2)
        plan = F.pixel_unshuffle(plan, self.fold)
        drawn = F.leaky_relu(self.plan(plan) * self.gate1(context), 0.2)
        drawn = drawn + F.leaky_relu(self.mix(drawn) * self.gate2(context), 0.2)
        return self.out(drawn)
