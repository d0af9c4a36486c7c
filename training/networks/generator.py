"""The StyleGAN2 generator. Styles scale activations, so weights are never repacked per sample."""

from __future__ import annotations

import itertools
import math

import torch
import torch.nn.functional as F
from torch import nn

from .config import ModelConfig
from .layers import EqualLinear, scale_channels, scaled_leaky_relu


def blur_kernel(gain: float = 4.0):
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    return torch.outer(taps, taps) / 64 * gain


class Filter(nn.Module):
    """The [1,3,3,1] x [1,3,3,1] filter with gain 4, of every channel by itself."""

    def __init__(self):
        super().__init__()
        self.register_buffer("kernel", blur_kernel(), persistent=False)

    def kernels(self, x):
        """One for each channel of x."""
        return self.kernel.to(x.dtype).expand(x.shape[1], 1, 4, 4)


class Blur(Filter):
    """The filter after a stride-2 transposed convolution: 2H+1 -> 2H."""

    def forward(self, x):
        return F.conv2d(x, self.kernels(x), padding=1, groups=x.shape[1])

    def blurred(self, weight):
        """Weights [out,in,3,3] of a transposed convolution with the filter in them, [out,in,6,6]: four times the
        work, but GPUs do that many times faster than the filter, one channel at a time."""
        planes = weight.float().flatten(0, 1).unsqueeze(1)
        return F.conv2d(planes, self.kernel[None, None], padding=3).view(*weight.shape[:2], 6, 6)


class Upsample(Filter):
    """Zero insertion by 2, then the filter: H -> 2H."""

    def forward(self, x):
        return F.conv_transpose2d(x, self.kernels(x), stride=2, padding=1, groups=x.shape[1])


class ModulatedConv2d(nn.Module):
    """Style-modulated convolution: inputs scaled by the style, outputs by the demodulation factor."""

    def __init__(self, inputs, outputs, kernel, style_dim, demodulate=True, upsample=False):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, outputs, inputs, kernel, kernel))
        self.modulation = EqualLinear(style_dim, inputs, bias_init=1.0)
        self.scale = 1 / math.sqrt(inputs * kernel * kernel)
        self.padding = kernel // 2
        self.demodulate = demodulate
        self.blur = Blur() if upsample else None

    def forward(self, x, style):
        scales = self.modulation(style).float()
        weight = self.weight[0]
        if self.demodulate:
            energy = (weight.float() * self.scale).square().sum((2, 3))
            demod = torch.rsqrt(F.linear(scales.square(), energy) + 1e-8)
        x = scale_channels(x, scales)
        weight = weight * self.scale
        if self.blur is None:
            x = F.conv2d(x, weight, padding=self.padding)
        elif x.is_cuda:
            x = F.conv_transpose2d(x, self.blur.blurred(weight).transpose(0, 1), stride=2, padding=2)
        else:
            x = self.blur(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2))
        return scale_channels(x, demod) if self.demodulate else x


class NoiseInjection(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x, noise):
        return x + (self.weight * noise).to(x.dtype)


class FusedLeakyReLU(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        return scaled_leaky_relu(x + self.bias.to(x.dtype)[None, :, None, None])


class StyledConv(nn.Module):
    def __init__(self, inputs, outputs, style_dim, upsample=False):
        super().__init__()
        self.conv = ModulatedConv2d(inputs, outputs, 3, style_dim, upsample=upsample)
        self.noise = NoiseInjection()
        self.activate = FusedLeakyReLU(outputs)

    def forward(self, x, style, noise):
        return self.activate(self.noise(self.conv(x, style), noise))


class ToRGB(nn.Module):
    def __init__(self, inputs, style_dim, upsample=True):
        super().__init__()
        self.upsample = Upsample() if upsample else None
        self.conv = ModulatedConv2d(inputs, 3, 1, style_dim, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))

    def forward(self, x, style, skip=None):
        rgb = self.conv(x, style) + self.bias.to(x.dtype)
        return rgb if skip is None else rgb + self.upsample(skip)


class ConstantInput(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.input = nn.Parameter(torch.randn(1, channels, 4, 4))


class Noises(nn.Module):
    """One fixed noise map per styled convolution: 4, 8, 8, 16, 16, ..."""

    def __init__(self, count):
        super().__init__()
        for i in range(count):
            size = 2 ** ((i + 5) // 2)
            self.register_buffer(f"noise_{i}", torch.randn(1, 1, size, size))


class PixelNorm(nn.Module):
    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)


class Generator(nn.Module):
    """Codes [n,styles,D] -> picture [n,3,N,N], not clamped, and the feature G(codes)."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.inject_conv = config.inject_conv
        dim, channels = config.style_dim, config.channels
        if config.mapping_layers:
            mapping = [EqualLinear(dim, dim, lr_mul=0.01, activate=True) for _ in range(config.mapping_layers)]
            self.style = nn.Sequential(PixelNorm(), *mapping)
        self.input = ConstantInput(channels[0])
        self.conv1 = StyledConv(channels[0], channels[0], dim)
        self.to_rgb1 = ToRGB(channels[0], dim, upsample=False)
        self.convs = nn.ModuleList()
        self.to_rgbs = nn.ModuleList()
        for inputs, outputs in itertools.pairwise(channels):
            self.convs.append(StyledConv(inputs, outputs, dim, upsample=True))
            self.convs.append(StyledConv(outputs, outputs, dim))
            self.to_rgbs.append(ToRGB(outputs, dim))
        self.noises = Noises(len(self.convs) + 1)

    def head(self, codes):
        """Runs up to the injection layer: its output G(codes) and the picture so far."""
        x = self.input.input.expand(len(codes), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        x = self.conv1(x, codes[:, 0], self.noises.noise_0)
        skip = self.to_rgb1(x, codes[:, 1])
        for k in range(self.inject_conv // 2):
            x, skip = self._second(k, self._first(k, x, codes), codes, skip)
        return self._first(self.inject_conv // 2, x, codes), skip

    def tail(self, feature, skip, codes):
        """Continues from the feature at the injection layer to the picture."""
        x = feature
        for k in range(self.inject_conv // 2, len(self.to_rgbs)):
            if k > self.inject_conv // 2:
                x = self._first(k, x, codes)
            x, skip = self._second(k, x, codes, skip)
        return skip

    @property
    def last_weight(self):
        """Of the last convolution before the picture."""
        return self.convs[-1].conv.weight

    def tail_parameters(self):
        """Parameters of the layers after the injection layer, without the noise strengths."""
        first = self.inject_conv // 2
        layers = [*self.convs[2 * first + 1 :], *self.to_rgbs[first:]]
        return [p for layer in layers for n, p in layer.named_parameters() if "noise" not in n]

    def _first(self, k, x, codes):
        return self.convs[2 * k](x, codes[:, 2 * k + 1], getattr(self.noises, f"noise_{2 * k + 1}"))

    def _second(self, k, x, codes, skip):
        x = self.convs[2 * k + 1](x, codes[:, 2 * k + 2], getattr(self.noises, f"noise_{2 * k + 2}"))
        return x, self.to_rgbs[k](x, codes[:, 2 * k + 3], skip)

    def forward(self, codes):
        feature, skip = self.head(codes)
        return self.tail(feature, skip, codes), feature
