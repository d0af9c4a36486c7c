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
    """Everything an inversion computes. With w the codes, w' the compensated codes, G(c) the generator's feature
    at the injection layer for codes c and F the compensated feature:"""

    codes: torch.Tensor  # w
    initial: torch.Tensor  # the plain reconstruction, a picture
    initial_feature: torch.Tensor  # G(w)
    discrepancy: torch.Tensor  # DIPN's map
    compensated_feature: torch.Tensor  # F
    compensated_codes: torch.Tensor  # w'
    lower_feature: torch.Tensor  # G(w')
    lower_skip: torch.Tensor  # the picture that the generator has made of w' by then
    reconstruction: torch.Tensor | None  # the compensated picture

    @property
    def residual(self):
        """F - G(w), the compensation itself."""
        return self.compensated_feature - self.initial_feature

    @property
    def injected_residual(self):
        """F - G(w'), what an edit adds to its own G."""
        return self.compensated_feature - self.lower_feature


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

    def encode(self, face):
        """Codes w of faces of any size."""
        return self.encoder(self.seen(face)) + self.latent_avg

    @torch.no_grad()
    def move_average(self, mean):
        """Makes `mean` [styles,D] the average code, at the cost of the heads' biases: `encode` gives what it gave."""
        offsets = mean - self.latent_avg
        for i, head in enumerate(self.encoder.styles):
            head.linear.bias -= offsets[i] if i == 0 else offsets[i] - offsets[0]
        self.latent_avg.copy_(mean)

    def compensate(self, face, codes, initial, initial_feature):
        """Discrepancy, compensated feature F and codes w' for a face of any size."""
        discrepancy = self.DIP(self.seen(face), self.shown(initial))
        return discrepancy, *self.SAF(discrepancy, initial_feature, codes)

    def shown(self, initial):
        """What DIPN sees of the plain reconstruction."""
        return resize(initial.clamp(-1, 1), self.config.encoder.input_size)

    def invert(self, face) -> Inversion:
        codes = self.encode(face)
        initial, initial_feature = self.decoder(codes)
        discrepancy, feature, compensated_codes = self.compensate(face, codes, initial, initial_feature)
        lower_feature, lower_skip = self.decoder.head(compensated_codes)
        reconstruction = self.decoder.tail(feature, lower_skip, compensated_codes)
        return Inversion(
            codes,
            initial,
            initial_feature,
            discrepancy,
            feature,
            compensated_codes,
            lower_feature,
            lower_skip,
            reconstruction,
        )

    def edit(
        self,
        inversion: Inversion,
        offset,
        motion=None,
        change=None,
        place=None,
        cover=None,
        finest=None,
        covered=None,
    ):
        """The picture for codes w' + offset, and the one to compare it with, which differs only in what the edit
        changed.

        Along a motion, what was compensated moves with the face. A change [n,*change_shape] belongs where the field
        `place` says; it is added to the feature, by the feature editor if the model has one, else as it is. The
        editor may add to the picture, too, of the change `finest` if it is given, and draw under the cover, of the
        change `covered` if it is given. Nothing of all that is exactly the reconstruction.
        """
        edited_codes = inversion.compensated_codes + offset
        edited_feature, edited_skip = self.decoder.head(edited_codes)
        feature, skip, unedited = inversion.compensated_feature, inversion.lower_skip, inversion.reconstruction
        added, added_skip = edited_feature - inversion.lower_feature, edited_skip - skip
        if motion is not None:
            feature, skip = warp(feature, motion), warp(skip, motion)
            unedited = self.decoder.tail(feature, skip, inversion.compensated_codes)
        drawn, parts = 0.0, (None, None)
        if change is not None:
            finest, covered = (part if part is None else warp(part, place) for part in (finest, covered))
            drawn, *parts = self.draw(feature, warp(change, place), finest=finest, covered=covered)
        edited = self.decoder.tail(feature + added + drawn, skip + added_skip, edited_codes)
        return self.finished(edited, *parts, cover), unedited

    def draw(self, feature, change, face=None, finest=None, covered=None):
        """What a change, in its place, adds to a compensated feature, to the picture, and what it draws under covers;
        None there for nothing."""
        if self.feature_editor is None:
            return change, None, None
        return self.feature_editor(feature, change, face, finest, covered)

    @staticmethod
    def finished(picture, detail, covering, cover):
        """A picture [n,3,S,S] with what `draw` says of it, under a cover [n,1,S,S] of 0 to 1."""
        picture = picture if detail is None else picture + detail
        if covering is None or cover is None:
            return picture
        return torch.lerp(picture.float(), covering.float(), cover)
