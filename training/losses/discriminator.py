"""The residual discriminator of StyleGAN2 with a minibatch deviation layer, and differentiable augmentation."""

from __future__ import annotations

import itertools
import math

import torch
import torch.nn.functional as F
from torch import nn

from ..networks.layers import EqualLinear, scaled_leaky_relu


def halved(x):
    """2x2 means; through rows of channels, which CUDA's pooling is several times slower on."""
    x = x.permute(0, 2, 3, 1).unflatten(1, (-1, 2)).unflatten(3, (-1, 2))
    return x.mean((2, 4)).permute(0, 3, 1, 2)


class Conv(nn.Module):
    """Equalised convolution, optionally after 2x average pooling, with scaled leaky ReLU."""

    def __init__(self, inputs, outputs, kernel=3, down=False, activate=True):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if activate else None
        self.scale, self.padding = 1 / math.sqrt(inputs * kernel * kernel), kernel // 2
        self.down = down

    def forward(self, x):
        x = halved(x) if self.down else x  # before the convolution, for a quarter of its work
        x = F.conv2d(x, self.weight * self.scale, self.bias, padding=self.padding)
        return x if self.bias is None else scaled_leaky_relu(x)


class Block(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1, self.conv2 = Conv(inputs, inputs), Conv(inputs, outputs, down=True)
        self.skip = Conv(inputs, outputs, kernel=1, down=True, activate=False)

    def forward(self, x):
        return (self.conv2(self.conv1(x)) + self.skip(x)) / math.sqrt(2)


class Discriminator(nn.Module):
    """Images [n,3,N,N] -> logits [n]; channels are those of the generator, from 4x4 up."""

    def __init__(self, channels):
        super().__init__()
        widths = list(reversed(channels))
        self.rgb = Conv(3, widths[0], kernel=1)
        self.blocks = nn.ModuleList(Block(a, b) for a, b in itertools.pairwise(widths))
        self.last = Conv(widths[-1] + 1, widths[-1])
        self.hidden = EqualLinear(16 * widths[-1], widths[-1], activate=True)
        self.out = EqualLinear(widths[-1], 1)

    def forward(self, x):
        x = self.rgb(x.contiguous(memory_format=torch.channels_last))
        for block in self.blocks:
            x = block(x)
        group = math.gcd(len(x), 4)
        deviation = x.float().view(group, -1, *x.shape[1:]).var(0, unbiased=False).add(1e-8).sqrt().mean((1, 2, 3))
        plane = deviation.repeat(group).to(x.dtype)[:, None, None, None].expand(-1, 1, *x.shape[2:])
        x = self.last(torch.cat([x, plane], 1))
        return self.out(self.hidden(x.flatten(1))).squeeze(1)


class Augment:
    """Light, colour, shift and cut-out, each with probability p."""

    def __init__(self, p: float):
        self.p = p

    def __call__(self, x):
        n, _, size, _ = x.shape

        def chosen():
            return (torch.rand(n, 1, 1, 1, device=x.device) < self.p).to(x.dtype)

        def draw(low, high):
            return torch.empty(n, 1, 1, 1, device=x.device, dtype=x.dtype).uniform_(low, high)

        x = x + chosen() * draw(-0.4, 0.4)
        grey = x.mean(1, keepdim=True)
        x = torch.lerp(x, grey + (x - grey) * draw(0.2, 1.8), chosen())
        mean = x.mean((1, 2, 3), keepdim=True)
        x = torch.lerp(x, mean + (x - mean) * draw(0.6, 1.4), chosen())
        shift = (chosen() * torch.cat([draw(-0.25, 0.25), draw(-0.25, 0.25)], 1)).flatten(1)
        theta = torch.eye(2, 3, device=x.device).repeat(n, 1, 1)
        theta[:, :, 2] = shift.float()
        grid = F.affine_grid(theta, x.shape, align_corners=False)
        x = F.grid_sample(x.float(), grid, padding_mode="reflection", align_corners=False).to(x.dtype)
        at = torch.arange(size, device=x.device) / size
        row, column = draw(0, 1).view(n, 1, 1), draw(0, 1).view(n, 1, 1)
        hole = ((at[:, None] - row).abs() < 0.2) & ((at[None] - column).abs() < 0.2)
        return x * (1 - hole[:, None].to(x.dtype) * chosen())
