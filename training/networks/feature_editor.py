"""The feature editor: what an edit changes in one person's feature at the injection layer, after
StyleFeatureEditor (Bobkov et al., CVPR 2024). A slider brings a plan, laid out on a face that has room for
it; this network draws it into the feature.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import nn

from .config import ModelConfig
from .layers import resize

MIDDLE = (0.375, 0.8125), (0.25, 0.75)  # of an aligned face: its upper, lower, left and right end, in sides


class Detail(nn.Module):
    """The editor's context [n,W,R,R] and a plan [n,P,S,S] in its place -> what to add to the picture, [n,3,S,S].

    It is what the layers between feature and picture would blur, in the light that the feature tells.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        editor = config.editor
        self.fine = nn.Conv2d(editor.plan, editor.detail, 3, 1, 1, bias=False)
        self.light = nn.Conv2d(editor.width, editor.detail, 3, 1, 1)
        self.tint = nn.Conv2d(editor.detail, 3, 1, bias=False)
        nn.init.ones_(self.light.bias)
        nn.init.zeros_(self.tint.weight)

    def forward(self, context, plan):
        return self.tint(self.fine(plan) * resize(self.light(context), plan.shape[-1]))


class Covering(nn.Module):
    """A face's mean feature [n,C,1,1] and a plan [n,P,S,S] in its place -> what is drawn under covers, a picture
    [n,3,S,S]: a texture, in the light that falls on the face. Between lips that part there is nothing of the person
    to draw on, and what the feature holds there are lips. It saturates: teeth are no whiter for a broader smile.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        editor = config.editor
        self.fine = nn.Conv2d(editor.plan, editor.covering, 3, 1, 1, bias=False)
        self.light = nn.Conv2d(config.inject_channels, editor.covering, 1)
        self.tint = nn.Conv2d(editor.covering, 3, 1)
        nn.init.ones_(self.light.bias)
        nn.init.zeros_(self.tint.bias)

    def forward(self, face, plan):
        return self.tint(self.fine(plan).tanh() * self.light(face))


class FeatureEditor(nn.Module):
    """A feature [n,C,R,R] and a plan [n,P,fR,fR] in its place -> what to add to the feature, [n,C,R,R], what to add to
    the picture, and what to draw into it under covers, [n,3,S,S] or None each; f is `fold`, and S = fR the picture's
    side. Of a crop, `face` is the mean feature of the whole. What is added to the picture is drawn of `finest`, if
    given, else of the plan: the opposite of wrinkles is wrinkles. What is drawn under covers is drawn of `covered`
    likewise: lips of a slider that brings no cover would tint the teeth.

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
        self.detail = Detail(config) if config.editor.detail else None
        self.covering = Covering(config) if config.editor.covering else None
        for gate in (self.gate1, self.gate2):
            nn.init.ones_(gate.bias)

    def forward(self, feature, plan, face=None, finest=None, covered=None):
        context = F.leaky_relu(self.context(feature), 0.2)
        folded = F.pixel_unshuffle(plan, self.fold)
        drawn = F.leaky_relu(self.plan(folded) * self.gate1(context), 0.2)
        drawn = drawn + F.leaky_relu(self.mix(drawn) * self.gate2(context), 0.2)
        detail = self.detail(context, plan if finest is None else finest) if self.detail else None
        face = self.face(feature) if face is None else face
        covered = plan if covered is None else covered
        return self.out(drawn), detail, self.covering(face, covered) if self.covering else None

    @staticmethod
    def face(feature):
        """The mean [n,C,1,1] of the middle of a feature, where an aligned face is."""
        side = feature.shape[-1]
        rows, columns = (slice(*(int(share * side) for share in ends)) for ends in MIDDLE)
        return feature[..., rows, columns].mean((2, 3), keepdim=True)
