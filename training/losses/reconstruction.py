"""Losses by pixels. Images are [n,3,S,S] in [-1,1]."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def face_weight(size: int, device=None, centre: float = 3.0):
    """Pixel weights [1,1,S,S]: 1 at the border up to `centre` on eyes, nose and mouth of an aligned face."""
    at = (torch.arange(size, device=device) + 0.5) / size
    bell = torch.exp(-((at[:, None] - 0.56) ** 2 / 0.045 + (at[None] - 0.5) ** 2 / 0.03))
    return (1 + (centre - 1) * bell)[None, None]


def ssim_map(a, b):
    """Structural similarity with an 8-tap box window and data range 2."""

    def pool(x):
        return F.avg_pool2d(x, min(8, x.shape[-1]), 2)

    ma, mb = pool(a), pool(b)
    va, vb = pool(a * a) - ma * ma, pool(b * b) - mb * mb
    cov = pool(a * b) - ma * mb
    c1, c2 = 0.02**2, 0.06**2
    return (2 * ma * mb + c1) * (2 * cov + c2) / ((ma * ma + mb * mb + c1) * (va.clamp(min=0) + vb.clamp(min=0) + c2))


def gradients(x):
    return x[..., 1:, :] - x[..., :-1, :], x[..., 1:] - x[..., :-1]


def reconstruction_loss(out, target, weight=None, scales: int = 3):
    """Weighted L1 + image gradients + 1-SSIM over a pyramid; stands in for L2 + LPIPS.

    `weight` [n or 1,1,S,S] defaults to that of a whole aligned face.
    """
    total = 0.0
    weight = face_weight(out.shape[-1], out.device) if weight is None else weight
    for _ in range(scales):
        total = total + (weight * (out - target).abs()).mean() / weight.mean()
        for a, b, w in zip(gradients(out), gradients(target), (weight[..., 1:, :], weight[..., 1:]), strict=True):
            total = total + 0.5 * (w * (a - b).abs()).mean() / weight.mean()
        total = total + 0.25 * (1 - ssim_map(out, target)).mean()
        out, target, weight = (F.avg_pool2d(t, 2) for t in (out, target, weight))
    return total


def pixel_loss(out, target, weight, scales: int = 3):
    """Weighted L1 over a pyramid. Structure is left to features and judges: what L1 cannot know it blurs."""
    total = 0.0
    for _ in range(scales):
        total = total + (weight * (out - target).abs()).mean() / weight.mean() / scales
        out, target, weight = (F.avg_pool2d(t, 2) for t in (out, target, weight))
    return total
