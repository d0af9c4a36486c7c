"""How a face moves: a thin-plate spline between its landmarks (Bookstein 1989).

A motion is a field of arrows [n,2,H,W] that says, from every cell, where to read, in picture sides.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..landmarks import BROWS

GRID = 64  # motions are computed on a grid of this many cells a side
SMOOTHING = 1e-3  # of the spline, against the jitter of single landmarks


def border(device):
    """Points on the picture's border, which stay in place, [16,2]."""
    side = torch.linspace(0, 1, 5, device=device)[:-1]
    zero, one = torch.zeros_like(side), torch.ones_like(side)
    return torch.stack([torch.cat([side, one, 1 - side, zero]), torch.cat([zero, side, one, 1 - side])], 1)


def controls(landmarks):
    """The landmarks, four points on the forehead, and the border, [n,88,2]."""
    up = landmarks[:, BROWS].mean(1, keepdim=True) - landmarks[:, 33:34]
    forehead = landmarks[:, [18, 20, 23, 25]] + 0.8 * up
    return torch.cat([landmarks, forehead, border(landmarks.device).expand(len(landmarks), -1, -1)], 1)


def grid(size: int, device):
    """Cell centres [size,size,2] of the unit square, x first."""
    at = (torch.arange(size, device=device) + 0.5) / size
    y, x = torch.meshgrid(at, at, indexing="ij")
    return torch.stack([x, y], -1)


def spline(at, values):
    """Thin-plate spline through `values` [n,P,k] at points [n,P,2], on the grid, [n,k,GRID,GRID]; in double
    precision, which the system needs where points lie close together."""

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


def fields(landmarks, displacements, *shapes):
    """For faces whose landmarks [n,68,2] move by `displacements` [n,68,2]: the motion, which says where the
    moved picture comes from, and the places, which say where it lies on the faces of `shapes` [68,2]."""
    at = controls(landmarks + displacements)
    ends = [controls(landmarks), *(controls(shape[None]) for shape in shapes)]
    return spline(at, torch.cat([end - at for end in ends], 2)).split(2, 1)


def laid_anew(maps, shape, other):
    """Maps [n,c,S,S] of the face of `shape` [68,2], brought onto that of another."""
    at = controls(other[None])
    return sample(maps, spline(at, controls(shape[None]) - at).expand(len(maps), -1, -1, -1))


def sample(images, field):
    """Images [n,c,S,S] read, bicubically, along a field of arrows of any size."""
    return F.grid_sample(
        images,
        2 * spots_of(field, images.shape[-1]) - 1,
        mode="bicubic",
        padding_mode="reflection",
        align_corners=False,
    )


def spots_of(field, size: int):
    """The spots [n,S,S,2] that a field of arrows leads to."""
    field = F.interpolate(field, size=(size, size), mode="bicubic", align_corners=False)
    return grid(size, field.device) + field.permute(0, 2, 3, 1)
