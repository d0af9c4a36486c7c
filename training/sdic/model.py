"""The whole model under the released tensor names, and the compensate-and-edit pipeline."""

from __future__ import annotations

import dataclasses

import torch
from torch import nn

from .config import ModelConfig
from .dicn import Dicn
from .dipn import Dipn
from .encoder import Encoder
from .generator import Generator
from .layers import resize, warp


@dataclasses.dataclass
class Inversion:
    """Everything an inversion computes; `shift` is what an edit adds to its own G_R."""

    codes: torch.Tensor
    initial: torch.Tensor
    initial_features: torch.Tensor
    discrepancy: torch.Tensor
    compensated: torch.Tensor
    wp: torch.Tensor
    shift: torch.Tensor
    reconstruction: torch.Tensor

    @property
    def residual(self):
        """R = F - G_R(w), the compensation itself."""
        return self.compensated - self.initial_features


class Sdic(nn.Module):
    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Generator(config)
        self.DIP = Dipn(config)
        self.SAF = Dicn(config)
        self.register_buffer("latent_avg", torch.zeros(config.styles, config.style_dim))

    def encode(self, photo):
        return self.encoder(photo) + self.latent_avg

    @torch.no_grad()
    def move_average(self, mean):
        """Makes `mean` [styles,D] the average code, at the cost of the heads' biases: `encode` gives what it gave."""
        offsets = mean - self.latent_avg
        for i, head in enumerate(self.encoder.styles):
            head.linear.bias -= offsets[i] if i == 0 else offsets[i] - offsets[0]
        self.latent_avg.copy_(mean)

    def compensate(self, photo, codes, initial, features):
        """Discrepancy map, compensated features F and codes w' for a photo [n,3,E,E]."""
        size = self.config.encoder.input_size
        small = resize(initial.clamp(-1, 1), size)
        discrepancy = self.DIP(photo, small)
        return discrepancy, *self.SAF(discrepancy, features, codes)

    def invert(self, photo) -> Inversion:
        codes = self.encode(photo)
        initial, features = self.decoder(codes)
        discrepancy, compensated, wp = self.compensate(photo, codes, initial, features)
        at_wp, skip = self.decoder.head(wp)
        reconstruction = self.decoder.tail(compensated, skip, wp)
        return Inversion(codes, initial, features, discrepancy, compensated, wp, compensated - at_wp, reconstruction)

    def edit(self, inversion: Inversion, delta, motion=None):
        """Image for codes w' + delta, with what was put back moved along `motion` [2,R,R]; nothing of both is exactly the
        reconstruction."""
        codes = inversion.wp + delta
        features, skip = self.decoder.head(codes)
        shift = inversion.shift if motion is None else warp(inversion.shift, motion.expand(len(codes), -1, -1, -1))
        return self.decoder.tail(features + shift, skip, codes)
