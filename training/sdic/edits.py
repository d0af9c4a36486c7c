"""Edits for training: which slider moves how far, and the picture that should come of it."""

from __future__ import annotations

import numpy as np
import torch

from .appearance import REACH, Appearance, mirrored
from .data import LABELS, Faces

SLACK = 1.0  # how far an edit may leave the range of the training pictures' labels, in standard deviations
MIXED_SHARE = 0.1  # of the steps, whose edits go towards another picture
CHANGE_WEIGHT = 6.0  # of pixels that an edit turns from black to white, besides their own
WEARER = 2.0  # standard label from which a face has glasses already


class Editor:
    """Edited training pictures and the moves that lead to them."""

    def __init__(self, faces: Faces, appearance: Appearance, points):
        labels = faces.standard_labels(faces.split(val=False)).numpy()
        bounds = torch.from_numpy(np.quantile(labels, (0.02, 0.98), axis=0).astype(np.float32))
        low, high = zip(*(REACH[name] for name in LABELS))
        self.appearance, self.points = appearance, points
        self.bounds = bounds.to(points.device) + SLACK * torch.tensor([[-1.0], [1.0]], device=points.device)
        self.low, self.high = np.array(low, np.float32), np.array(high, np.float32)

    @classmethod
    def load(cls, path, faces: Faces):
        """From the checkpoint of appearance.py."""
        state = torch.load(path, map_location=faces.device, weights_only=True)
        return cls(faces, Appearance(*state["model"]), state["points"])

    def drawn(self, now, rng, label: int | None = None):
        """For pictures with standard labels `now` [n,6]: a label each, or the given one, how far its slider goes, and how far
        the picture moves, which is less where the slider leads out of the range of the labels."""
        n, at = len(now), torch.arange(len(now), device=now.device)
        which = rng.integers(len(LABELS), size=n) if label is None else np.full(n, label)
        steps = rng.uniform(self.low[which], self.high[which]).astype(np.float32)
        which, steps = (torch.from_numpy(a).to(now.device) for a in (which, steps))
        low, high = self.bounds[:, which]
        own = now[at, which]
        moved = torch.maximum(torch.minimum(own + steps, high), low) - own
        glasses = which == LABELS.index("glasses")
        moved = torch.where(glasses, steps * (own < WEARER), moved)
        return which, steps, moved

    def edited(self, images, ids, flip, which, moved):
        """The images, of the given ids and mirrored where `flip` holds, edited."""
        points = self.points[torch.as_tensor(ids, device=self.points.device)]
        points = torch.where(flip[:, None, None], mirrored(points), points)
        return self.appearance.edited(images, points, which, moved)


def mixed(codes, rng):
    """Codes on the way to those of the next picture: edits without a known answer."""
    share = torch.from_numpy(rng.uniform(0.2, 0.6, (len(codes), 1, 1)).astype(np.float32)).to(codes.device)
    return torch.lerp(codes, codes.roll(1, 0), share)


def edit_weight(face, images, target):
    """Pixel weights [n,1,S,S] of an edited picture: those of a face, more where the edit changes it."""
    return face * (1 + CHANGE_WEIGHT * (target - images).abs().mean(1, keepdim=True) / 2)
