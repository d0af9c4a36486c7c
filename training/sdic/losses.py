"""Reconstruction losses and measures. Images are [n,3,S,S] in [-1,1]."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def face_weight(size: int, device=None, centre: float = 3.0):
    """Pixel weights [1,1,S,S]: 1 at the border up to `centre` on eyes, nose and mouth of an aligned face."""
    at = (torch.arange(size, device=device) + 0.5) / size
    bell = torch.exp(-((at[:, None] - 0.56) ** 2 / 0.045 + (at[None] - 0.5) ** 2 / 0.03))
    return (1 + (centre - 1) * bell)[None, None]


def outside_face(size: int, device=None):
    """1 outside the ellipse of an aligned face, 0 inside, [1,1,S,S]."""
    at = (torch.arange(size, device=device) + 0.5) / size
    return (((at[:, None] - 0.55) / 0.42) ** 2 + ((at[None] - 0.5) / 0.33) ** 2 > 1).float()[None, None]


def ssim_map(a, b):
    """Structural similarity with an 8-tap box window and data range 2."""
    pool = lambda x: F.avg_pool2d(x, min(8, x.shape[-1]), 2)
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
        for a, b, w in zip(gradients(out), gradients(target), (weight[..., 1:, :], weight[..., 1:])):
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


LIMIT = 20.0  # of an adversarial weight


def balanced(picture, loss, adversaries, known: int, layer):
    """Gradient at pictures [n,3,S,S] of a loss on the first `known` of them and of adversarial losses `(loss, share)`, each
    weighted so that its gradient at the weights of the generator's last `layer` is `share` times as long as the loss's."""

    def length(slope):
        slope = torch.cat([slope[:known], torch.zeros_like(slope[known:])])
        return torch.autograd.grad(picture, layer, slope, retain_graph=True)[0].norm()

    (total,) = torch.autograd.grad(loss, picture, retain_graph=True)
    own = length(total)
    for adversary, share in adversaries:
        (slope,) = torch.autograd.grad(adversary, picture, retain_graph=True)
        weight = (share * own / (length(slope) + 1e-12)).clamp(max=LIMIT)
        total = total + torch.nan_to_num(weight) * slope
    return total


def psnr(a, b):
    """Per-image PSNR in dB of 8-bit pictures, [n]."""
    return 10 * torch.log10(4 / (a.clamp(-1, 1) - b).square().mean((1, 2, 3)))


def correlation(a, b):
    """Of all values of two batches, less the mean of each picture's channels."""
    a, b = (x - x.mean((2, 3), keepdim=True) for x in (a, b))
    return (a * b).sum() / (a.square().sum() * b.square().sum()).sqrt()


def grid(x):
    """How much pictures repeat every two pixels: standard deviation of the means over the four phases."""
    return F.pixel_unshuffle(x.mean((0, 1), keepdim=True), 2).mean((0, 2, 3)).std()


def fine(a, b):
    """Energy of detail finer than 4 pixels, in shares of another batch's."""
    high = lambda x: (x - F.avg_pool2d(F.pad(x, (2, 1, 2, 1), mode="reflect"), 4, 1)).square().sum()
    return high(a.clamp(-1, 1)) / high(b)
