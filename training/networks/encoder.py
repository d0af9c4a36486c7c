"""The e4e encoder: an IR-SE trunk, a feature pyramid and one head per style."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from .config import ModelConfig
from .layers import Bottleneck, EqualLinear, PReLU


class StyleHead(nn.Module):
    """Stride-2 3x3 convolutions down to 1x1, then an equalised linear layer: [n,C,S,S] -> [n,D]."""

    def __init__(self, inputs: int, width: int, style_dim: int, size: int):
        super().__init__()
        layers = []
        for i in range(int(math.log2(size))):
            layers += [nn.Conv2d(width if i else inputs, width, 3, 2, 1), nn.LeakyReLU(0.01)]
        self.convs = nn.Sequential(*layers)
        self.linear = EqualLinear(width, style_dim)

    def forward(self, x):
        return self.linear(self.convs(x).flatten(1))


class Encoder(nn.Module):
    """Image [n,3,E,E] in [-1,1] -> codes [n,styles,D], relative to the average code."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        sizes = config.encoder
        widths = sizes.widths
        self.input_layer = nn.Sequential(
            nn.Conv2d(3, widths[0], 3, 1, 1, bias=False), nn.BatchNorm2d(widths[0]), PReLU(widths[0])
        )
        body, inputs = [], widths[0]
        for width, units in zip(widths, sizes.units, strict=True):
            for unit in range(units):
                body.append(Bottleneck(inputs, width, stride=1 if unit else 2))
                inputs = width
        self.body = nn.ModuleList(body)
        ends = [sum(sizes.units[: i + 1]) - 1 for i in range(4)]
        self.taps = ends[1:]
        top = widths[3]
        self.latlayer1 = nn.Conv2d(widths[2], top, 1)
        self.latlayer2 = nn.Conv2d(widths[1], top, 1)
        size = sizes.input_size
        self.styles = nn.ModuleList(
            StyleHead(top, sizes.head_width, config.style_dim, size // (16 if i < 3 else 8 if i < 7 else 4))
            for i in range(config.styles)
        )

    def pyramid(self, x):
        """The feature maps the heads read: c3 [E/16], p2 [E/8], p1 [E/4]."""
        x = self.input_layer(x)
        taps = []
        for i, unit in enumerate(self.body):
            x = unit(x)
            if i in self.taps:
                taps.append(x)
        c1, c2, c3 = taps
        p2 = upsample_add(c3, self.latlayer1(c2))
        p1 = upsample_add(p2, self.latlayer2(c1))
        return c3, p2, p1

    def forward(self, x):
        heads = []
        for level, group in zip(self.pyramid(x), (self.styles[:3], self.styles[3:7], self.styles[7:]), strict=True):
            if len(group):
                heads += apply_heads(group, level)
        return torch.stack([heads[0]] + [heads[0] + h for h in heads[1:]], 1)


def apply_heads(group, level):
    """Runs the heads of one pyramid level; their first convolutions are one wide convolution."""
    first = [head.convs[0] for head in group]
    wide = F.conv2d(level, torch.cat([c.weight for c in first]), torch.cat([c.bias for c in first]), 2, 1)
    parts = wide.chunk(len(group), 1)
    return [head.linear(head.convs[1:](part).flatten(1)) for head, part in zip(group, parts, strict=True)]


def upsample_add(coarse, fine):
    """Bilinear upsampling (corners aligned) of the coarse map to the fine one, and their sum."""
    return F.interpolate(coarse, size=fine.shape[2:], mode="bilinear", align_corners=True) + fine
