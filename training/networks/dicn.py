"""DICN: from the discrepancy map to the compensated feature and codes."""

from __future__ import annotations

import torch
from torch import nn

from .config import ModelConfig
from .layers import BasicConv, EqualConv2d, PReLU, resize, scaled_leaky_relu


class ScaledLeakyReLU(nn.Module):
    def forward(self, x):
        return scaled_leaky_relu(x)


class LatentFusion(nn.Module):
    """w' = att(s) * w + w + att2(s), the styles being the channels of 1-D convolutions over the code."""

    def __init__(self, rows, styles):
        super().__init__()
        self.sen = nn.Sequential(
            nn.Conv1d(rows, rows // 2, 1),
            nn.BatchNorm1d(rows // 2),
            nn.LeakyReLU(0.01),
            nn.Conv1d(rows // 2, styles, 1),
        )

        def branch():
            return nn.Sequential(
                nn.Conv1d(styles, styles, 3, padding=1),
                nn.BatchNorm1d(styles),
                nn.LeakyReLU(0.01),
                nn.Conv1d(styles, styles, 1, bias=False),
            )

        self.att, self.att2 = branch(), branch()

    def forward(self, condition, codes):
        condition = self.sen(condition)
        return self.att(condition) * codes + codes + self.att2(condition)


class Dicn(nn.Module):
    """Discrepancy [n,3,E,E], G(w) [n,C,R,R], codes w [n,styles,D] -> compensated feature F [n,C,R,R] and codes w'."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        sizes, channels = config.dicn, config.inject_channels
        self.latent_map, self.style_dim = sizes.latent_map, config.style_dim
        ratio = config.encoder.input_size // config.inject_size
        self.conv_layer1 = nn.Sequential(
            nn.Conv2d(3, sizes.stem, 3, 1, 1, bias=False), nn.BatchNorm2d(sizes.stem), PReLU(sizes.stem)
        )

        def plain(width):
            return nn.Conv2d(width, width, 3, 1, 1, bias=False)

        self.semantic = nn.Sequential(
            BasicConv(sizes.stem, sizes.middle, stride=2 if ratio >= 2 else 1),
            plain(sizes.middle),
            BasicConv(sizes.middle, channels, stride=2 if ratio >= 4 else 1),
            plain(channels),
        )
        self.att = nn.Sequential(BasicConv(channels, channels), plain(channels))
        styles = config.styles
        condition = sizes.condition or styles
        self.condition_shift3 = nn.Sequential(
            EqualConv2d(3, condition), ScaledLeakyReLU(), EqualConv2d(condition, condition)
        )
        self.aff1d = LatentFusion(condition * sizes.latent_map**2 // config.style_dim, styles)

    def feature_parameters(self):
        """Parameters of the branch that compensates the feature; the other compensates the codes."""
        return [*self.conv_layer1.parameters(), *self.semantic.parameters(), *self.att.parameters()]

    def compensate(self, discrepancy, initial_feature):
        """The compensated feature F alone."""
        semantic = self.semantic(self.conv_layer1(discrepancy))
        gate = torch.sigmoid(self.att(semantic + initial_feature))
        return gate * semantic + initial_feature

    def forward(self, discrepancy, initial_feature, codes):
        condition = resize(self.condition_shift3(discrepancy), self.latent_map)
        condition = condition.reshape(len(codes), -1, self.style_dim)
        return self.compensate(discrepancy, initial_feature), self.aff1d(condition, codes)
