"""The editor of training pictures: what a slider does to a photo, and the picture that should come of it."""

from __future__ import annotations

import pathlib

import numpy as np
import torch

from ..checkpoints import load
from ..data.faces import Faces, reduced
from ..editing.directions import opacity
from ..landmarks import beyond_shown
from ..networks.layers import warp
from ..sliders import EXEMPLARS, ROWS, SLIDERS
from .appearance import Appearance
from .exemplars import Exemplars
from .mouth import COVERING, TEETH_SHOWN, cover_of

CHANGE_WEIGHT = 6.0  # of pixels that an edit turns from black to white, besides their own
WEARER = 2.0  # standard label from which a face has glasses already
SHARES = np.array([slider.share for slider in SLIDERS])
GLASSES = ROWS["glasses"]


class Editor:
    """Edited training pictures and the fields that lead to them, from two teachers: the appearance model, and
    exemplars for the ends of sliders that name them."""

    def __init__(self, appearance: Appearance, landmarks, exemplars: Exemplars):
        low, high = zip(*(slider.ends for slider in SLIDERS), strict=True)
        self.appearance, self.landmarks, self.exemplars = appearance, landmarks, exemplars
        self.low, self.high = np.array(low, np.float32), np.array(high, np.float32)
        for name, displacements in exemplars.displacements.items():
            appearance.displacements[ROWS[name]] = displacements

    @classmethod
    def load(cls, work: pathlib.Path, faces: Faces):
        """From the teachers in the work folder."""
        state = load(work / "appearance.pt", faces.device)
        exemplars = Exemplars(load(work / "exemplars.pt", faces.device), faces.device)
        shape, displacements, maps = (tensor.float() for tensor in state["model"])
        return cls(Appearance(shape, displacements, reduced(maps, faces.size)), state["points"].float(), exemplars)

    def landmarks_of(self, ids):
        """The landmarks [n,68,2] of pictures."""
        return self.landmarks[torch.as_tensor(ids, device=self.landmarks.device)]

    def drawn(self, count: int, rng):
        """A slider each for `count` pictures, and how far it goes."""
        which = rng.choice(len(SLIDERS), count, p=SHARES / SHARES.sum())
        strengths = rng.uniform(self.low[which], self.high[which]).astype(np.float32)
        return tuple(torch.from_numpy(a).to(self.landmarks.device) for a in (which, strengths))

    def wanted(self, images, landmarks, which, strengths, labels=None):
        """Motion and place of an edit, and the images as they should look then; by their labels [n,6] some wear
        glasses already."""
        motion, place = self.appearance.fields(landmarks, which, strengths)
        if labels is not None:
            wearer = (which == GLASSES) & (labels[:, GLASSES] >= WEARER)
            strengths = strengths * ~wearer
        target = self.appearance.edited(images, motion, place, which, strengths)
        for row, slider in enumerate(SLIDERS):
            for teacher, reached in zip(slider.teachers, (strengths < 0, strengths > 0), strict=True):
                own = (which == row) & reached
                if teacher == EXEMPLARS and own.any():
                    parts = (a[own] for a in (images, landmarks, motion, place, strengths, target))
                    target[own] = self.exemplars.edited(slider.name, *parts)
        return motion, place, target

    def cover(self, landmarks, place, which, strengths, size: int):
        """Where edits draw what the photo does not show, [n,1,S,S], 0 to 1."""
        found = torch.zeros(len(which), 1, size, size, device=place.device)
        for name in COVERING:
            own = which == ROWS[name]
            if own.any():
                opaque = cover_of(name, self.appearance.shape, size).expand(int(own.sum()), -1, -1, -1)
                weight = opacity(strengths[own], landmarks[own], TEETH_SHOWN)
                found[own] = (weight * warp(opaque, place[own])).clamp(0, 1)
        return found

    def effective(self, landmarks, which, strengths):
        """The strengths [n] that faces need to reach those of the sliders: less where they show part of it
        already."""
        for name, ends in self.exemplars.shown.items():
            slider = SLIDERS[ROWS[name]]
            rest = beyond_shown(strengths, landmarks, slider.ends[1], slider.shown, *ends)
            strengths = torch.where(which == ROWS[name], rest, strengths)
        return strengths


def edit_weight(face, images, target):
    """Pixel weights [n,1,S,S] of an edited picture: those of a face, more where the edit changes it."""
    return face * (1 + CHANGE_WEIGHT * (target - images).abs().mean(1, keepdim=True) / 2)
