"""The whole model under the released tensor names, and the compensate-and-edit pipeline."""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F
from torch import nn

from .config import ModelConfig
from .dicn import Dicn
from .dipn import Dipn
from .encoder import Encoder
from .feature_editor import FeatureEditor
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
        self.feature_editor = FeatureEditor(config) if config.editor else None
        self.register_buffer("latent_avg", torch.zeros(config.styles, config.style_dim))

    def seen(self, picture):
        """A picture at the size that encoder and DIPN look at, by the mean of the pixels."""
        return F.adaptive_avg_pool2d(picture, self.config.encoder.input_size)

    def encode(self, photo):
        """Codes of photos of any size."""
        return self.encoder(self.seen(photo)) + self.latent_avg

    @torch.no_grad()
    def move_average(self, mean):
        """Makes `mean` [styles,D] the average code, at the cost of the heads' biases: `encode` gives what it gave."""
        offsets = mean - self.latent_avg
        for i, head in enumerate(self.encoder.styles):
            head.linear.bias -= offsets[i] if i == 0 else offsets[i] - offsets[0]
        self.latent_avg.copy_(mean)

    def compensate(self, photo, codes, initial, features):
        """Discrepancy map, compensated features F and codes w' for a photo of any size."""
        discrepancy = self.DIP(self.seen(photo), self.shown(initial))
        return discrepancy, *self.SAF(discrepancy, features, codes)

    def shown(self, initial):
        """What DIPN sees of the plain reconstruction."""
        return resize(initial.clamp(-1, 1), self.config.encoder.input_size)

    def invert(self, photo) -> Inversion:
        codes = self.encode(photo)
        initial, features = self.decoder(codes)
        discrepancy, compensated, wp = self.compensate(photo, codes, initial, features)
        at_wp, skip = self.decoder.head(wp)
        reconstruction = self.decoder.tail(compensated, skip, wp)
        return Inversion(codes, initial, features, discrepancy, compensated, wp, at_wp, skip, reconstruction)

    def edit(self, inversion: Inversion, delta, move=None, change=None, place=None):
        """The picture for codes w' + delta, and the one to compare it with, which differs only in what the edit changed.

        Along a field of arrows `move`, what was compensated moves with the face. `change` [n,P,R,R] belongs where the field
        `place` says; it is added to the features, by the feature editor if the model has one, else as it is. Nothing of
        all that is exactly the reconstruction.
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
            change = warp(change, place)
            added = added + (self.feature_editor(compensated, change) if self.feature_editor else change)
        return self.decoder.tail(compensated + added, skip + added_skip, codes), unedited
