"""Edits: what a slider does to codes, features and pixels, and, for training, the picture that should come of it."""

from __future__ import annotations

import pathlib

import numpy as np
import torch
from torch import nn

from .appearance import REACH, SLIDERS, Appearance
from .data import LABELS, Faces, reduced
from .exemplars import Exemplars
from .model import Inversion, Sdic
from .motion import POINTS, beyond_shown, sample

CHANGE_WEIGHT = 6.0  # of pixels that an edit turns from black to white, besides their own
# Sliders that a face may show part of already: two points and their distance, in distances between the eyes, when it
# shows nothing and all of it. For a smile exemplars.py prints them: what 80 % of calm mouths stay below, and the median of
# the smiles that show teeth.
SHOWN = {"smile": (48, 54, 0.788, 0.957)}
DRAWN = np.array([{"smile": 4.0, "age": 2.5}.get(name, 1.0) for name in SLIDERS])  # how often: what draws most
DRAWN /= DRAWN.sum()
WEARER = 2.0  # standard label from which a face has glasses already
POINT_NOISE = 0.004  # of the points in training, in picture sides: other landmark detectors find them a little elsewhere


class Edits(nn.Module):
    """What one standard deviation of every slider adds to the codes, `directions` [10,styles,D], and to the injected
    features of the face of mean shape, `changes` [10,P,R,R]; both are learned. The appearance model knows that `shape`
    [68,2] and how a slider moves its points, `shifts` [10,68,2]."""

    def __init__(self, config):
        super().__init__()
        self.directions = nn.Parameter(torch.zeros(len(SLIDERS), config.styles, config.style_dim))
        self.changes = nn.Parameter(torch.zeros(len(SLIDERS), config.change_channels, config.inject_size, config.inject_size))
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
    """Edited training pictures and the moves that lead to them, from two teachers: the appearance model, and exemplars for
    the sliders and directions that they cover."""

    def __init__(self, appearance: Appearance, points, exemplars: Exemplars | None = None):
        low, high = zip(*(REACH[name] for name in SLIDERS))
        self.appearance, self.points, self.exemplars = appearance, points, exemplars
        self.low, self.high = np.array(low, np.float32), np.array(high, np.float32)
        for name, shape in (exemplars.shapes if exemplars else {}).items():
            appearance.shapes[SLIDERS.index(name)] = shape

    @classmethod
    def load(cls, work: pathlib.Path, faces: Faces):
        """From the checkpoints of appearance.py and, if it was run, exemplars.py in the work folder."""
        state = torch.load(work / "appearance.pt", map_location=faces.device, weights_only=True)
        found = work / "exemplars.pt"
        exemplars = Exemplars(torch.load(found, map_location=faces.device, weights_only=True), faces.device) if found.exists() else None
        shape, shapes, maps = (t.float() for t in state["model"])
        return cls(Appearance(shape, shapes, reduced(maps, faces.size)), state["points"].float(), exemplars)

    def points_of(self, ids):
        """The points [n,68,2] of pictures."""
        return self.points[torch.as_tensor(ids, device=self.points.device)]

    def drawn(self, count: int, rng, slider: int | None = None):
        """A slider each for `count` pictures, or the given one, and how far it goes."""
        which = rng.choice(len(SLIDERS), count, p=DRAWN) if slider is None else np.full(count, slider)
        steps = rng.uniform(self.low[which], self.high[which]).astype(np.float32)
        return tuple(torch.from_numpy(a).to(self.points.device) for a in (which, steps))

    def wanted(self, images, points, which, steps, labels=None):
        """The fields of an edit and the images as they should look then; by their labels [n,6] some wear glasses already."""
        move, place = self.appearance.fields(points, which, steps)
        if labels is not None:
            wearer = (which == LABELS.index("glasses")) & (labels[:, LABELS.index("glasses")] >= WEARER)
            steps = steps * ~wearer
        target = self.appearance.edited(images, move, place, which, steps)
        for name, above in self.covered():
            own = (which == SLIDERS.index(name)) & (steps > 0 if above else steps < 0)
            if own.any():
                parts = images[own], points[own], move[own], place[own], steps[own], target[own]
                target[own] = self.exemplars.edited(name, *parts)
        return move, place, target

    def covered(self):
        """Sliders that exemplars teach, and whether it is their upper or their lower side."""
        if self.exemplars:
            yield from ((name, True) for name in self.exemplars.covers)
            yield from ((name, False) for name in self.exemplars.covers_below)

    def effective(self, points, which, steps):
        """The strengths [n] that faces need to reach those of the sliders: less where they show part of it already."""
        for name, measure in SHOWN.items():
            steps = torch.where(which == SLIDERS.index(name), beyond_shown(steps, points, REACH[name][1], *measure), steps)
        return steps


@torch.no_grad()
def left(model: Editable, editor: Editor, images, points):
    """What is left, by name, of the change that the upper end of every slider should make to photos: energy, of the wanted
    change's; 1 for no edit."""
    found, done = {}, model.invert(images)
    for slider, name in enumerate(SLIDERS):
        which = torch.full((len(images),), slider, device=images.device)
        steps = editor.effective(points, which, torch.full((len(images),), REACH[name][1], device=images.device))
        move, place, wanted = editor.wanted(images, points, which, steps)
        made = in_photo(images, move, *model.edits.edited(model, done, move, place, which, steps))
        found[name] = float((made - wanted).square().sum() / (wanted - images).square().sum())
    return found


def print_left(model: Editable, editor: Editor, images, points):
    shares = " ".join(f"{name} {share:.3f}" for name, share in left(model, editor, images, points).items())
    print(f"val real, left of the change: {shares}", flush=True)


def noisy(points):
    return points + POINT_NOISE * torch.randn_like(points)


def mixed(codes, rng):
    """Codes on the way to those of the next picture: edits without a known answer."""
    share = torch.from_numpy(rng.uniform(0.2, 0.6, (len(codes), 1, 1)).astype(np.float32)).to(codes.device)
    return torch.lerp(codes, codes.roll(1, 0), share)


def edit_weight(face, images, target):
    """Pixel weights [n,1,S,S] of an edited picture: those of a face, more where the edit changes it."""
    return face * (1 + CHANGE_WEIGHT * (target - images).abs().mean(1, keepdim=True) / 2)
