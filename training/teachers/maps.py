"""Maps on the mean face, masks and filters, which both teachers draw with.

Pictures and maps are [n,c,S,S], lengths in picture sides, `shape` [68,2] the landmarks of the mean face.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from ..editing.motion import controls, grid
from ..landmarks import BROWS, LEFT_EYE, RIGHT_EYE


def smooth(x, low, high):
    """0 below `low`, 1 above `high`."""
    x = ((x - low) / (high - low)).clamp(0, 1)
    return x * x * (3 - 2 * x)


def column(x):
    """Numbers [n] as factors of pictures."""
    return x.view(-1, 1, 1, 1)


def unit(images):
    """Pictures in [-1,1] in [0,1]."""
    return (images + 1) / 2


def light(colour):
    """Luminance [n,1,...] of colours [n,3,...]."""
    share = colour.new_tensor([0.299, 0.587, 0.114]).view(1, 3, *[1] * (colour.dim() - 2))
    return (colour * share).sum(1, keepdim=True)


def mean_under(weight, values, power: float = 1.0):
    """Mean [n,c] of values [n,c,S,S] by weights [n,1,S,S]; a high power asks for the brightest."""
    total = weight.sum((2, 3)).clamp_min(1e-6)
    return ((weight * values.clamp_min(1e-3) ** power).sum((2, 3)) / total) ** (1 / power)


def mean_under_signed(weight, values):
    """The same of values of either sign, [n,c,1,1]."""
    return (weight * values).sum((2, 3), keepdim=True) / weight.sum((2, 3), keepdim=True)


def read(images, spots):
    """Images [n,c,S,S] at spots [n,h,w,2], in picture sides."""
    return F.grid_sample(images, 2 * spots - 1, mode="bicubic", padding_mode="border", align_corners=False)


def blur(images, sigma: float):
    """Gaussian blur; `sigma` in picture sides."""
    radius = int(np.ceil(2.5 * sigma * images.shape[-1]))
    taps = torch.exp(
        -((torch.arange(-radius, radius + 1, device=images.device) / (sigma * images.shape[-1])) ** 2) / 2
    )
    taps, channels = taps / taps.sum(), images.shape[1]
    images = F.pad(images, (radius,) * 4, mode="replicate")
    images = F.conv2d(images, taps.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)
    return F.conv2d(images, taps.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)


def inside(points, size: int):
    """1 within the polygon of points [P,2], [1,1,S,S]."""
    spots = grid(size, points.device)
    found = torch.zeros(size, size, dtype=torch.bool)
    for a, b in zip(points, points.roll(-1, 0), strict=True):
        crosses = (a[1] > spots[..., 1]) != (b[1] > spots[..., 1])
        found ^= crosses & (spots[..., 0] < (b[0] - a[0]) * (spots[..., 1] - a[1]) / (b[1] - a[1]) + a[0])
    return found.float()[None, None]


def spread(mask, radius: float):
    """A mask [1,1,S,S] grown by `radius` picture sides, with a soft edge of the same width."""
    size = mask.shape[-1]
    cells = max(1, round(radius * size))
    return blur(F.max_pool2d(mask, 2 * cells + 1, 1, cells), radius / 2).clamp(0, 1)


def blob(centre, radius: float, size: int):
    """A bell around a point [2], [1,1,S,S]."""
    return torch.exp(-((grid(size, "cpu") - centre).square().sum(-1) / radius**2))[None, None]


def face_mask(shape, size: int):
    """1 on the face from chin to forehead, falling to 0 around it, [1,S,S]."""
    outline = controls(shape[None])[0, [*range(17), 71, 70, 69, 68]]
    return blur(inside(outline, size), 0.03)[0]


def inside_face(shape, share: float, size: int):
    """The mask of a smaller face in the same place, [1,1,S,S]."""
    middle = shape[27:36].mean(0)
    return face_mask(middle + share * (shape - middle), size)[None]


def skin_mask(shape, size: int):
    """1 where the mean face is bare skin, [1,1,S,S]."""
    mask = face_mask(shape, size)[None]
    lips, nostrils = slice(48, 60), slice(31, 36)
    for feature, margin in ((RIGHT_EYE, 0.006), (LEFT_EYE, 0.006), (lips, 0.01), (nostrils, 0.008)):
        mask = mask * (1 - spread(inside(shape[feature], size), margin))
    for line in shape[BROWS].split(5):
        brow = torch.cat([line, (line + torch.tensor([0, 0.018])).flip(0)])
        mask = mask * (1 - spread(inside(brow, size), 0.01))
    return mask


def wrinkled_mask(shape, size: int):
    """skin_mask less the rim of the face, where hair, ears and jaw begin."""
    return skin_mask(shape, size) * inside_face(shape, 0.9, size)


def gauges(shape, size: int):
    """Weights on the mean face that gauge the light: left cheek, right cheek, whites of the eyes, [1,3,S,S]."""
    found = []
    for eye, nose, jaw in ((RIGHT_EYE, 31, 2), (LEFT_EYE, 35, 14)):
        across = 0.7 * shape[eye, 0].mean() + 0.3 * shape[jaw, 0]
        found.append(blob(torch.stack([across, (shape[30, 1] + shape[nose, 1]) / 2]), 0.045, size))
    found.append(sum(inside(shape[eye], size) for eye in (RIGHT_EYE, LEFT_EYE)))
    return torch.cat(found, 1)


def axis(shape):
    """Where a face's middle lies across the picture."""
    return shape[[8, 27, 30, 33], 0].mean()


def flipped(maps, shape):
    """Maps [n,c,S,S] of the mean face, mirrored at its own middle."""
    spots = grid(maps.shape[-1], maps.device)
    spots = torch.stack([2 * axis(shape) - spots[..., 0], spots[..., 1]], -1)
    return read(maps, spots[None].expand(len(maps), -1, -1, -1))


def coherence(images):
    """How far the structure around every cell is that of lines, 0..1."""
    wide = F.pad(images, (1, 1, 1, 1), mode="replicate")
    x = wide[..., 1:-1, 2:] - wide[..., 1:-1, :-2]
    y = wide[..., 2:, 1:-1] - wide[..., :-2, 1:-1]
    xx, xy, yy = (blur(a, 0.008) for a in (x * x, x * y, y * y))
    return ((xx - yy).square() + 4 * xy.square()).sqrt() / (xx + yy + 1e-4)
