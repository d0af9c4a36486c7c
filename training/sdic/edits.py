"""Edits: what a slider does to codes, features and pixels, and, for training, the picture that should come of it."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from .appearance import REACH, SLIDERS, Appearance
from .data import LABELS, Faces
from .model import Inversion, Sdic
from .motion import POINTS, sample

MIXED_SHARE = 0.1  # of the steps, whose edits go towards another picture
CHANGE_WEIGHT = 6.0  # of pixels that an edit turns from black to white, besides their own
WEARER = 2.0  # standard label from which a face has glasses already
POINT_NOISE = 0.004  # of the points in training, in picture sides: other landmark detectors find them a little elsewhere


class Edits(nn.Module):
    """What one standard deviation of every slider adds to the codes, `directions` [10,styles,D], and to the injected
    features of the face of mean shape, `changes` [10,C,R,R]; both are learned. The appearance model knows that `shape`
    [68,2] and how a slider moves its points, `shifts` [10,68,2]."""

    def __init__(self, config):
        super().__init__()
        self.directions = nn.Parameter(torch.zeros(len(SLIDERS), config.styles, config.style_dim))
        self.changes = nn.Parameter(torch.zeros(len(SLIDERS), config.inject_channels, config.inject_size, config.inject_size))
        self.register_buffer("shape", torch.zeros(POINTS, 2))
        self.register_buffer("shifts", torch.zeros(len(SLIDERS), POINTS, 2))

    def follow(self, appearance: Appearance):
        self.shape.copy_(appearance.shape)
        self.shifts.copy_(appearance.shapes)

    def edited(self, model: Sdic, done: Inversion, move, place, which, steps):
        """`Sdic.edit` of an inversion by `steps` [n] of the sliders `which` [n], with the fields of that."""
        codes = steps[:, None, None] * self.directions[which]
        return model.edit(done, codes, move, steps[:, None, None, None] * self.changes[which], place)


class Editable(Sdic):
    """The model with its sliders."""

    def __init__(self, config):
        super().__init__(config)
        self.edits = Edits(config)


def in_photo(photo, move, edited, unedited):
    """What a visitor sees: the photo's own pixels, moved if `move` is a field, with what the edit changed added."""
    moved = photo if move is None else sample(photo, move)
    return (moved + edited - unedited).clamp(-1, 1)


class Editor:
    """Edited training pictures and the moves that lead to them."""

    def __init__(self, appearance: Appearance, points):
        low, high = zip(*(REACH[name] for name in SLIDERS))
        self.appearance, self.points = appearance, points
        self.low, self.high = np.array(low, np.float32), np.array(high, np.float32)

    @classmethod
    def load(cls, path, faces: Faces):
        """From the checkpoint of appearance.py."""
        state = torch.load(path, map_location=faces.device, weights_only=True)
        return cls(Appearance(*state["model"]), state["points"])

    def points_of(self, ids):
        """The points [n,68,2] of pictures."""
        return self.points[torch.as_tensor(ids, device=self.points.device)]

    def drawn(self, count: int, rng, slider: int | None = None):
        """A slider each for `count` pictures, or the given one, and how far it goes."""
        which = rng.integers(len(SLIDERS), size=count) if slider is None else np.full(count, slider)
        steps = rng.uniform(self.low[which], self.high[which]).astype(np.float32)
        return tuple(torch.from_numpy(a).to(self.points.device) for a in (which, steps))

    def wanted(self, images, points, which, steps, labels=None):
        """The fields of an edit and the images as they should look then; by their labels [n,6] some wear glasses already."""
        move, place = self.appearance.fields(points, which, steps)
        if labels is not None:
            wearer = (which == LABELS.index("glasses")) & (labels[:, LABELS.index("glasses")] >= WEARER)
            steps = steps * ~wearer
        return move, place, self.appearance.edited(images, move, place, which, steps)


def noisy(points):
    return points + POINT_NOISE * torch.randn_like(points)


def mixed(codes, rng):
    """Codes on the way to those of the next picture: edits without a known answer."""
    share = torch.from_numpy(rng.uniform(0.2, 0.6, (len(codes), 1, 1)).astype(np.float32)).to(codes.device)
    return torch.lerp(codes, codes.roll(1, 0), share)


def edit_weight(face, images, target):
    """Pixel weights [n,1,S,S] of an edited picture: those of a face, more where the edit changes it."""
    return face * (1 + CHANGE_WEIGHT * (target - images).abs().mean(1, keepdim=True) / 2)
