"""Edited codes for training: what stands for the sliders' edits, and the labels they should read as."""

from __future__ import annotations

import numpy as np
import torch

from .data import LABELS, Faces

STRENGTH = 2.2  # largest step along a label while training, in its standard deviations


def label_bounds(faces: Faces):
    """Lower and upper ends [2,labels] of the training pictures' standard labels, without the outermost 2 %."""
    labels = faces.standard_labels(faces.split(val=False)).numpy()
    return torch.from_numpy(np.quantile(labels, (0.02, 0.98), axis=0).astype(np.float32))


def edits(codes, others, directions, now, bounds, rng):
    """Edited codes, the labels they should read as, and a mask of those that were moved along a label.

    Every third goes part of the way to the codes of another picture; a label moves by up to STRENGTH, but not out of
    the range of the training pictures.
    """
    n, device = len(codes), codes.device
    uniform = lambda low, high: torch.from_numpy(rng.uniform(low, high, n).astype(np.float32)).to(device)
    which = torch.from_numpy(rng.integers(len(LABELS), size=n)).to(device)
    at = torch.arange(n, device=device)
    low, high = bounds[:, which]
    step = torch.maximum(torch.minimum(now[at, which] + uniform(-STRENGTH, STRENGTH), high), low) - now[at, which]
    along = torch.from_numpy(rng.random(n) > 1 / 3).to(device)
    moved = codes + step[:, None, None] * directions[which]
    mixed = torch.lerp(codes, others, uniform(0.2, 0.6)[:, None, None])
    wanted = now.clone()
    wanted[at, which] += step
    return torch.where(along[:, None, None], moved, mixed), wanted, along


def mean_where(values, mask):
    """Mean of the rows of `values` where `mask` holds, 0 if nowhere."""
    return values[mask].mean() if mask.any() else values.new_zeros(())
