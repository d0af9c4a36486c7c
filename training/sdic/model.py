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
    """Everything an inversion computes; `at_wp` and `skip` are what the generator makes of w' up to the injection layer."""

    codes: torch.Tensor
    initial: torch.Tensor
    initial_features: torch.Tensor
    discrepancy: torch.Tensor
    compensated: torch.Tensor
    wp: torch.Tensor
    at_wp: torch.Tensor
    skip: torch.Tensor
    reconstruction: torch.Tensor

    @property
    def residual(self):
        """R = F - G_R(w), the compensation itself."""
        return self.compensated - self.initial_features

    @property
    def shift(self):
        """F - G_R(w'), what an edit adds to its own G_R."""
        return self.compensated - self.at_wp


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
        return Inversion(codes, initial, features, discrepancy, compensated, wp, at_wp, skip, reconstruction)

    def edit(self, inversion: Inversion, delta, move=None, change=None, place=None):
        """The picture for codes w' + delta, and the one to compare it with, which differs only in what the edit changed.

        Along a field of arrows `move`, what was compensated moves with the face. `change` [n,C,R,R] is added to the features
        where the field `place` says that it belongs. Nothing of all that is exactly the reconstruction.
        """
        codes = inversion.wp + delta
        features, skip = self.decoder.head(codes)
        compensated, unedited = inversion.compensated, inversion.reconstruction
        added, added_skip = features - inversion.at_wp, skip - inversion.skip
        skip = inversion.skip
        if move is not None:
            compensated, skip = warp(compensated, move), warp(skip, move)
            unedited = self.decoder.tail(compensated, skip, inversion.wp)
        if change is not None:
            added = added + warp(change, place)
        return self.decoder.tail(compensated + added, skip + added_skip, codes), unedited
