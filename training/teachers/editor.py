"""The editor of training pictures: what a slider does to a photo, and the picture that should come of it."""

from __future__ import annotations

import pathlib

import numpy as np
import torch

from ..checkpoints import load
from ..data.faces import Faces, reduced
from ..editing.directions import opacity
from ..editing.motion import laid_anew
from ..landmarks import beyond_shown
from ..networks.layers import warp
from ..sliders import EXEMPLARS, ROWS, SLIDERS
from .appearance import Appearance
from .exemplars import Exemplars
from .mouth import BETWEEN_LIPS, TEETH_SHOWN, cover_of, layout_of

CHANGE_WEIGHT = 6.0  # of pixels that an edit turns from black to white, besides their own
COVER_WEIGHT = 4.0  # of pixels that keep nothing of the photo, besides
SHARES = np.array([share for slider in SLIDERS for share in slider.shares])  # of ends, two for each slider
ENDS = np.array([end for slider in SLIDERS for end in slider.ends], np.float32)
WORTH = 0.3  # of a strength must be left on a face that shows part of the edit already; else another is drawn
DRAWS = 4  # at most
GLASSES = ROWS["glasses"]


class Editor:
    """Edited training pictures and the fields that lead to them, from two teachers: the appearance model, and
    exemplars for the ends of sliders that name them."""

    def __init__(self, appearance: Appearance, landmarks, exemplars: Exemplars):
        self.appearance, self.landmarks, self.exemplars = appearance, landmarks, exemplars
        self.shares = SHARES
        for name, displacements in exemplars.displacements.items():
            appearance.displacements[ROWS[name]] = displacements
        self.layout, size = layout_of(appearance), appearance.maps.shape[-1]
        self.covers = torch.zeros(len(SLIDERS), 1, size, size, device=self.layout.device)
        for name in BETWEEN_LIPS:
            self.covers[ROWS[name]] = cover_of(name, self.layout, size)
        frames = appearance.maps[GLASSES, -1][None, None]
        self.covers[GLASSES] = laid_anew(frames, appearance.shape, self.layout).clamp(0, 1)

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

    def drawn(self, landmarks, rng):
        """A slider each for faces [n,68,2], seldom one that they show already, and its strengths on them."""

        def draw():
            ends = rng.choice(len(ENDS), len(landmarks), p=self.shares / self.shares.sum())
            asked = (ENDS[ends] * rng.uniform(size=len(ends))).astype(np.float32)
            which, asked = (torch.from_numpy(a).to(landmarks.device) for a in (ends // 2, asked))
            strengths = self.effective(landmarks, which, asked)
            return which, strengths, strengths.abs() >= WORTH * asked.abs()

        which, strengths, worth = draw()
        for _ in range(DRAWS - 1):
            pairs = zip((which, strengths, worth), draw(), strict=True)
            which, strengths, worth = (torch.where(worth, *pair) for pair in pairs)
        return which, strengths

    def wanted(self, images, landmarks, which, strengths):
        """Motion of an edit, place of what is drawn, and the images as they should look then."""
        motion, place, drawn_at = self.appearance.fields(landmarks, which, strengths, self.layout)
        target = self.appearance.edited(images, motion, place, which, strengths)
        for row, slider in enumerate(SLIDERS):
            for teacher, reached in zip(slider.teachers, (strengths < 0, strengths > 0), strict=True):
                own = (which == row) & reached
                if teacher == EXEMPLARS and own.any():
                    parts = (a[own] for a in (images, landmarks, motion, place, strengths, target))
                    target[own] = self.exemplars.edited(slider.name, *parts)
        return motion, drawn_at, target

    def cover(self, landmarks, place, which, strengths):
        """Where edits draw what the photo does not show, [n,1,S,S], 0 to 1."""
        mouths = torch.tensor([slider.name in BETWEEN_LIPS for slider in SLIDERS], device=which.device)[which]
        weight = torch.where(
            mouths.view(-1, 1, 1, 1), opacity(strengths, landmarks, TEETH_SHOWN), opacity(strengths, landmarks, None)
        )
        return (weight * warp(self.covers[which], place)).clamp(0, 1)

    def effective(self, landmarks, which, strengths):
        """The strengths [n] that faces need to reach those of the sliders: less where they show part of it
        already."""
        for name, ends in self.exemplars.shown.items():
            slider = SLIDERS[ROWS[name]]
            rest = beyond_shown(strengths, landmarks, slider.ends[1], slider.shown, *ends)
            strengths = torch.where(which == ROWS[name], rest, strengths)
        return strengths


def edit_weight(face, images, target, cover):
    """Pixel weights [n,1,S,S] of an edited picture: those of a face, more where the edit changes it, and most where it
    draws what the photo does not show."""
    change = (target - images).abs().mean(1, keepdim=True) / 2
    return face * (1 + CHANGE_WEIGHT * change + COVER_WEIGHT * cover)
