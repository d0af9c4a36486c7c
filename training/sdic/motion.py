"""How a face moves: its 68 points (the iBUG 300-W scheme, x first, in picture sides), and a thin-plate spline between them
(Bookstein 1989) for everything else. Fields of arrows are [n,2,H,W] and say, from every cell, where to read.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

POINTS = 68
GRID = 64  # fields are computed on a grid of this many cells a side
SMOOTHING = 1e-3  # of the spline, against the jitter of single points

# The index of every point's mirror image.
MIRROR = np.array(
    [*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31, 45, 44, 43, 42, 47, 46, 39, 38, 37, 36,
     41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65]
)


def mirrored(points):
    """The points [...,68,2] of the mirrored picture."""
    flipped = points[..., MIRROR, :].clone()
    flipped[..., 0] = 1 - flipped[..., 0]
    return flipped


def shown(points, a: int, b: int, low: float, high: float):
    """How much of a slider's upper end the points [n,68,2] show, 0 to 1: a distance between two of them, in distances between
    the eyes, from `low` to `high`."""
    apart = (points[:, 36:42].mean(1) - points[:, 42:48].mean(1)).norm(dim=1)
    return (((points[:, a] - points[:, b]).norm(dim=1) / apart - low) / (high - low)).clamp(0, 1)


def beyond_shown(steps, points, most: float, *measure):
    """Strengths [n] of a slider that reaches `most`, less what the points [n,68,2] show of it already."""
    return torch.where(steps > 0, (steps - most * shown(points, *measure)).clamp(min=0), steps)


def border(device):
    """Points on the picture's border, which stay in place, [16,2]."""
    side = torch.linspace(0, 1, 5, device=device)[:-1]
    zero, one = torch.zeros_like(side), torch.ones_like(side)
    return torch.stack([torch.cat([side, one, 1 - side, zero]), torch.cat([zero, side, one, 1 - side])], 1)


def controls(points):
    """The 68 points, four on the forehead, and the border, [n,88,2]."""
    up = points[:, 17:27].mean(1, keepdim=True) - points[:, 33:34]
    forehead = points[:, [18, 20, 23, 25]] + 0.8 * up
    return torch.cat([points, forehead, border(points.device).expand(len(points), -1, -1)], 1)


def grid(size: int, device):
    """Cell centres [size,size,2] of the unit square, x first."""
    at = (torch.arange(size, device=device) + 0.5) / size
    y, x = torch.meshgrid(at, at, indexing="ij")
    return torch.stack([x, y], -1)


def spline(at, values):
    """Thin-plate spline through `values` [n,P,k] at points [n,P,2], on the grid, [n,k,GRID,GRID]; in double precision,
    which the system needs where points lie close together."""

    def kernel(a, b):
        square = (a[:, :, None] - b[:, None]).square().sum(-1)
        return square * (square + 1e-9).log()

    def affine(a):
        return F.pad(a, (1, 0), value=1.0)

    (n, count, _), kind = at.shape, values.dtype
    at, values = at.double(), values.double()
    spots = grid(GRID, at.device).view(1, -1, 2).expand(n, -1, -1)
    system = torch.zeros(n, count + 3, count + 3, dtype=at.dtype, device=at.device)
    system[:, :count, :count] = kernel(at, at) + SMOOTHING * torch.eye(count, device=at.device)
    system[:, :count, count:] = affine(at)
    system[:, count:, :count] = affine(at).mT
    weights = torch.linalg.solve(system, F.pad(values, (0, 0, 0, 3)))
    found = torch.cat([kernel(spots, at), affine(spots)], 2) @ weights
    return found.mT.reshape(n, -1, GRID, GRID).to(kind)


def fields(points, shifts, shape):
    """For faces whose points [n,68,2] move by `shifts` [n,68,2]: where the moved picture comes from, and where it lies on
    the face of `shape` [68,2]."""
    at = controls(points + shifts)
    there = controls(shape[None]).expand(len(at), -1, -1)
    return spline(at, torch.cat([controls(points) - at, there - at], 2)).split(2, 1)


def sample(images, field):
    """Images [n,c,S,S] read, bicubically, along a field of arrows of any size."""
    size = images.shape[-1]
    field = F.interpolate(field, size=(size, size), mode="bicubic", align_corners=False)
    spots = grid(size, field.device) + field.permute(0, 2, 3, 1)
    return F.grid_sample(images, 2 * spots - 1, mode="bicubic", padding_mode="reflection", align_corners=False)
