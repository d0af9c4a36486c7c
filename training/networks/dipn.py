"""DIPN: from the face and its initial reconstruction to the discrepancy map."""

from __future__ import annotations

import torch
from torch import nn

from .config import ModelConfig
from .layers import BasicConv, Bottleneck


class FeatureExtraction(nn.Module):
    def __init__(self, features):
        super().__init__()
        f1, f2, f3, f4, f5 = features
        self.fe1 = BasicConv(3, f1)
        self.fe2 = BasicConv(f1, f2, stride=2)
        self.fe3 = BasicConv(f2, f3)
        self.fe4 = BasicConv(f3, f4, stride=2)
        self.fe5 = BasicConv(f4, f5, stride=2)

    def forward(self, x):
        x1 = self.fe1(x)
        x2 = self.fe3(self.fe2(x1))
        x4 = self.fe4(x2)
        return x1, x2, x4, self.fe5(x4)


class UpConcat(nn.Module):
    """Transposed convolution to twice the size, concatenation with the finer map, 3x3 convolution."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1 = BasicConv(inputs, outputs, 4, 2, 1, transposed=True)
        self.conv2 = BasicConv(2 * outputs, 2 * outputs)

    def forward(self, coarse, fine):
        return self.conv2(torch.cat([self.conv1(coarse), fine], 1))


class FeatureUp(nn.Module):
    def __init__(self, features):
        super().__init__()
        f1, _, f3, f4, f5 = features
        self.deconv8_4 = UpConcat(f5, f4)
        self.deconv4_2 = UpConcat(2 * f4, f3)
        self.deconv2_1 = UpConcat(2 * f3, f1)
        self.conv4 = BasicConv(2 * f1, 2 * f1)

    def forward(self, x1, x2, x4, x8):
        x4 = self.deconv8_4(x8, x4)
        x2 = self.deconv4_2(x4, x2)
        return self.conv4(self.deconv2_1(x2, x1)), x2, x4, x8


class ContextFusion(nn.Module):
    """Gates image features into the cost volume: volume [n,c,D,H,W], features [n,f,H,W]."""

    def __init__(self, volume, features):
        super().__init__()
        self.semantic = nn.Sequential(
            BasicConv(features, features // 2, 1, padding=0), nn.Conv2d(features // 2, volume, 1)
        )
        flat = {"kernel": (1, 5, 5), "padding": (0, 2, 2), "dims": 3}
        self.att = nn.Sequential(BasicConv(volume, volume, **flat), nn.Conv3d(volume, volume, 1, bias=False))
        self.agg = BasicConv(volume, volume, **flat)

    def forward(self, volume, features):
        context = self.semantic(features).unsqueeze(2)
        gate = torch.sigmoid(self.att(context + volume))
        return self.agg(gate * context + volume)


class HourglassFusion(nn.Module):
    def __init__(self, v, features):
        super().__init__()
        _, _, f3, f4, f5 = features

        def down(inputs, outputs):
            return nn.Sequential(BasicConv(inputs, outputs, stride=2, dims=3), BasicConv(outputs, outputs, dims=3))

        def up(inputs, outputs, norm=True):
            return BasicConv(inputs, outputs, 4, 2, 1, dims=3, transposed=True, norm=norm)

        def merge(width):
            return nn.Sequential(
                BasicConv(2 * width, width, 1, padding=0, dims=3),
                BasicConv(width, width, dims=3),
                BasicConv(width, width, dims=3),
            )

        self.conv1, self.conv2, self.conv3 = down(v, 2 * v), down(2 * v, 4 * v), down(4 * v, 6 * v)
        self.conv3_up, self.conv2_up, self.conv1_up = up(6 * v, 4 * v), up(4 * v, 2 * v), up(2 * v, 1, norm=False)
        self.agg_0, self.agg_1 = merge(4 * v), merge(2 * v)
        self.CGF_32 = ContextFusion(6 * v, f5)
        self.CGF_16 = ContextFusion(4 * v, 2 * f4)
        self.CGF_8 = ContextFusion(2 * v, 2 * f3)

    def forward(self, volume, x2, x4, x8):
        conv1 = self.conv1(volume)
        conv2 = self.conv2(conv1)
        conv3 = self.CGF_32(self.conv3(conv2), x8)
        conv2 = self.agg_0(torch.cat([self.conv3_up(conv3), conv2], 1))
        conv2 = self.CGF_16(conv2, x4)
        conv1 = self.agg_1(torch.cat([self.conv2_up(conv2), conv1], 1))
        conv1 = self.CGF_8(conv1, x2)
        return self.conv1_up(conv1)


class Dipn(nn.Module):
    """Face and initial reconstruction, [n,3,E,E] each in [-1,1] -> discrepancy map [n,3,E,E]."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        features, d = config.dipn.features, config.dipn.descriptor
        base, v = features[0], config.dipn.volume
        self.feature1 = FeatureExtraction(features)
        self.feature2 = FeatureExtraction(features)
        self.feature_up = FeatureUp(features)
        self.conv = BasicConv(2 * base, 2 * d)
        self.desc = nn.Conv2d(2 * d, d, 1)
        self.corr_stem = BasicConv(1, v, dims=3)
        self.hourglass_fusion = HourglassFusion(v, features)
        self.rgb1 = nn.Sequential(
            BasicConv(2 * d, 16), nn.Conv2d(16, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()
        )
        self.rgb = nn.Sequential(*(Bottleneck(c, 3, 1, squeeze=False) for c in (16, 3, 3)))

    def descriptors(self, face, initial):
        """Both descriptors as one volume [n,1,2*descriptor,E,E], and the face's feature pyramid."""
        features = self.feature_up(*self.feature1(face))
        other = self.feature_up(*self.feature2(initial))
        pair = [self.desc(self.conv(f[0])) for f in (features, other)]
        return torch.cat(pair, 1).unsqueeze(1), features

    def forward(self, face, initial):
        volume, (_, x2, x4, x8) = self.descriptors(face, initial)
        fused = self.hourglass_fusion(self.corr_stem(volume), x2, x4, x8)
        return self.rgb(self.rgb1(fused.squeeze(1)))
