"""The model with its sliders: what one standard deviation of each adds to codes and features, learned in training."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ..landmarks import LANDMARKS, frontal
from ..networks import Inversion, Sdic
from ..networks.layers import resize, warp
from ..sliders import SLIDERS
from .motion import laid_anew, sample


class Edits(nn.Module):
    """What one standard deviation of every slider adds to the codes, `directions` [10,styles,D], and what it draws,
    `changes` [10,*change_shape], on the face of `layout` [68,2]; both are learned. The teachers know that face and how
    opaque something is drawn there that a photo does not show, `covers` [10,1,S,S], the mean `shape` [68,2], and how
    far a slider displaces landmarks, `shifts` [10,68,2]. These are names in checkpoints."""

    def __init__(self, config):
        super().__init__()
        count = len(SLIDERS)
        self.directions = nn.Parameter(torch.zeros(count, config.styles, config.style_dim))
        self.changes = nn.Parameter(torch.zeros(count, *config.change_shape))
        self.register_buffer("shape", torch.zeros(LANDMARKS, 2))
        self.register_buffer("layout", torch.zeros(LANDMARKS, 2))
        self.register_buffer("shifts", torch.zeros(count, LANDMARKS, 2))
        self.register_buffer("covers", torch.zeros(count, 1, config.image_size, config.image_size))

    @torch.no_grad()
    def follow(self, editor):
        """Takes shapes and displacements of the landmarks from the teachers, and lays anew what was learned on
        another face."""
        if self.layout.any() and not torch.allclose(self.layout, editor.layout, atol=1e-4):
            self.changes.copy_(laid_anew(self.changes, self.layout, editor.layout))
        self.layout.copy_(editor.layout)
        self.covers.copy_(editor.covers)
        self.shape.copy_(editor.appearance.shape)
        self.shifts.copy_(editor.appearance.displacements)

    def offset(self, which, strengths):
        """What the sliders `which` [n] add to the codes at `strengths` [n], [n,styles,D]."""
        return strengths[:, None, None] * self.directions.index_select(0, which)

    def change(self, which, strengths):
        """What they add to the feature at strengths that are `planned`, before it is brought in place,
        [n,*change_shape]."""
        return strengths[:, None, None, None] * self.changes.index_select(0, which)

    def finest(self, which, strengths):
        """What of that is drawn into the picture itself: the opposite of a fine line is a line, too."""
        return self.change(which, strengths.clamp(min=0))


class Editable(Sdic):
    """The model with its sliders."""

    def __init__(self, config):
        super().__init__(config)
        self.edits = Edits(config)

    def slide(self, inversion: Inversion, landmarks, motion, place, which, strengths, cover=None):
        """`Sdic.edit` by `strengths` [n] of the sliders `which` [n] on faces with landmarks [n,68,2], with the fields
        of that."""
        drawn = which, planned(landmarks, which, strengths)
        offset, change = self.edits.offset(which, strengths), self.edits.change(*drawn)
        return self.edit(inversion, offset, motion, change, place, cover, self.edits.finest(*drawn))


def planned(landmarks, which, strengths):
    """The strengths [n] of what the sliders `which` [n] draw: less on heads that are turned too far for it."""
    for row, slider in enumerate(SLIDERS):
        if slider.turned:
            strengths = torch.where(which == row, strengths * frontal(landmarks, *slider.turned), strengths)
    return strengths


def in_photo(photo, motion, edited, unedited, cover=None, config=None):
    """What a visitor sees: the photo's own pixels, moved unless `motion` is None, with what the edit changed
    added. Where it draws what the photo does not show, as `cover` [n,1,S,S] says, 0 to 1, the photo as the model of
    that `config` sees it is not kept.

    To be trained, it needs the gradients of both pictures. What their layers do to both alike cancels then. Were
    `unedited` taken as given, that would seem to help, step after step without an end, and the layers drift away.
    """
    moved = photo if motion is None else sample(photo, motion)
    if cover is not None:
        size = photo.shape[-1]
        small = F.adaptive_avg_pool2d(photo, size * config.encoder.input_size // config.image_size)
        own = resize(small, size) if motion is None else warp(small, motion, size)
        unedited = torch.lerp(unedited, own, cover)
    return (moved + edited - unedited).clamp(-1, 1)
