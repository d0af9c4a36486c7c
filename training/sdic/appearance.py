"""Edited training pictures: an active appearance model (Cootes, Edwards, Taylor 1998) moves a photo along a label.

Shape (dlib's 68 points) and texture (the picture warped to the mean shape) depend linearly on the labels; the
amplitude of fine detail depends on them exponentially, as in Tiddeman, Burt, Perrett 2001. A photo is edited by warping
it by the change of shape and adding the change of texture. Glasses, which differ too much for a mean, are drawn.
Measures of the shape itself, such as how far the mouth is open, serve as labels too.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from .data import LABELS, Faces
from .motion import controls, fields, grid, mirrored, sample, spline

RIDGE = 0.02
INK = -0.85  # shade of the glasses
DETAIL = 0.02  # width of the blur that parts detail from the rest, in picture sides


def distance(points, a, b):
    """Mean distance [n] between the points numbered `a` and those numbered `b`."""
    return (points[:, a] - points[:, b]).norm(dim=2).mean(1)


# Measures of points [n,68,2], in distances between the eyes.
MEASURES = {
    "mouth": lambda p: distance(p, [61, 62, 63], [67, 66, 65]),
    "eyes": lambda p: distance(p, [37, 38, 43, 44], [41, 40, 47, 46]),
    "brows": lambda p: (p[:, 36:48].mean(1) - p[:, 17:27].mean(1))[:, 1],
    "slim": lambda p: -distance(p, [3, 4, 5], [13, 12, 11]),
}
SLIDERS = (*LABELS, *MEASURES)

# How much more than the fit a standard deviation moves: noise in the labels flattens the fit.
EMPHASIS = {"age": 1.6, "pitch": 2.0}
# Lower and upper end of every label's edits, in standard deviations: what the sliders offer.
REACH = {"smile": (-1.5, 2.0), "age": (-2.5, 2.5), "gender": (-2.2, 2.2), "yaw": (-1.5, 1.5), "pitch": (-2.5, 2.5), "glasses": (0.0, 1.0),
         "mouth": (-1.2, 1.6), "eyes": (-2.0, 2.0), "brows": (-2.0, 2.0), "slim": (-2.0, 2.0)}
STEADY = [*range(27, 31), *range(36, 48)]  # bridge of the nose and eyes: what an expression leaves in place


def measured(points):
    """MEASURES of points [n,68,2], [n,4]."""
    apart = (points[:, 36:42].mean(1) - points[:, 42:48].mean(1)).norm(dim=1)
    return torch.stack([measure(points) / apart for measure in MEASURES.values()], 1)


def blur(images, sigma: float):
    """Gaussian blur; `sigma` in picture sides."""
    radius = int(np.ceil(2.5 * sigma * images.shape[-1]))
    taps = torch.exp(-((torch.arange(-radius, radius + 1, device=images.device) / (sigma * images.shape[-1])) ** 2) / 2)
    taps, channels = taps / taps.sum(), images.shape[1]
    images = F.pad(images, (radius,) * 4, mode="replicate")
    images = F.conv2d(images, taps.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)
    return F.conv2d(images, taps.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)


def log_detail(images):
    """Logarithm of the local amplitude of fine detail, [n,1,S,S]."""
    detail = images - blur(images, DETAIL)
    return 0.5 * (blur(detail.square().mean(1, keepdim=True), DETAIL) + 1e-4).log()


def without_motion(shifts, points):
    """Shifts [68,2] of the points less the similarity that moves the steady ones best."""
    x, y = points[:, 0], points[:, 1]
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    rows = torch.stack([torch.stack([x, -y, one, zero], 1), torch.stack([y, x, zero, one], 1)], 1)
    steady = rows[STEADY].reshape(-1, 4)
    motion = torch.linalg.lstsq(steady, shifts[STEADY].reshape(-1, 1)).solution
    return shifts - (rows @ motion).squeeze(-1)


class Appearance:
    """`shape` [68,2] is the mean; the change with each slider is `shapes` [10,68,2] and `maps` [10,5,S,S], the latter on
    the mean shape: colour added, logarithm of detail, and opacity of what is drawn over the face in black."""

    def __init__(self, shape, shapes, maps):
        self.shape, self.shapes, self.maps = shape, shapes, maps

    def tensors(self):
        return self.shape, self.shapes, self.maps

    @classmethod
    def fit(cls, faces: Faces, points, batch: int = 64):
        """From all training pictures and their mirror images, real ones weighted to half; `points` are of all pictures.

        Labels are fitted as if there were no measures, a smile opens the mouth; measures as they vary under equal labels.
        """
        ids, yaw, size = faces.split(val=False), LABELS.index("yaw"), faces.size
        points, real = points[ids], torch.from_numpy(faces.real[ids]).float()
        labels = faces.standard_labels(ids)
        labels[:, yaw] += float(faces.mean[yaw] / faces.std[yaw])  # zero is frontal
        measures = measured(points)
        measures = ((measures - measures.mean(0)) / measures.std(0)).clamp(-3, 3)
        sides = []
        for turned in (labels, labels * torch.tensor([-1.0 if name == "yaw" else 1.0 for name in LABELS])):
            sides.append(torch.cat([torch.ones(len(ids), 1), real[:, None] - real.mean(), turned, measures], 1))
        weight = torch.where(real > 0, 0.5 / real.mean(), 0.5 / (1 - real.mean()))[:, None]
        gram = sum(side.T @ (weight * side) for side in sides) / (2 * len(ids))
        ridge = RIDGE * torch.eye(len(gram))
        ridge[0, 0] = 0  # not of the mean, which it would draw into the picture's corner
        gram += ridge
        plain = 2 + len(LABELS)
        solve = torch.linalg.inv(gram)
        solve[:plain] = F.pad(torch.linalg.inv(gram[:plain, :plain]), (0, len(MEASURES)))
        solve /= 2 * len(ids)
        pair = [(weight * side).T for side in sides]
        shapes = (solve @ (pair[0] @ points.flatten(1) + pair[1] @ mirrored(points).flatten(1))).view(-1, 68, 2)
        mean = shapes[0]
        moments = torch.zeros(len(gram), 4, size, size)
        for part in torch.arange(len(ids)).split(batch):
            at = controls(mean[None]).expand(len(part), -1, -1)
            texture = sample(faces.images(ids[part]), spline(at, controls(points[part]) - at)).clamp(-1, 1)
            maps = torch.cat([texture, log_detail(texture)], 1)
            moments += torch.tensordot(pair[0][:, part], maps, 1) + torch.tensordot(pair[1][:, part], maps.flip(3), 1)
        maps = F.pad(torch.tensordot(solve, moments, 1)[2:] * face_mask(mean, size), (0, 0, 0, 0, 0, 1))
        shapes = torch.stack([s if name in ("yaw", "pitch") else without_motion(s, mean) for name, s in zip(SLIDERS, shapes[2:])])
        gain = torch.tensor([EMPHASIS.get(name, 1.0) for name in SLIDERS])
        shapes, maps = shapes * gain[:, None, None], maps * gain[:, None, None, None]
        glasses = LABELS.index("glasses")
        shapes[glasses], maps[glasses] = 0, F.pad(drawn_glasses(mean, size), (0, 0, 0, 0, 4, 0))
        return cls(mean, shapes, maps)

    def fields(self, points, which, steps):
        """motion.fields of faces with points [n,68,2] moved by `steps` [n] standard deviations of the sliders `which` [n]."""
        return fields(points, steps[:, None, None] * self.shapes[which], self.shape)

    def edited(self, images, move, place, which, steps):
        """Images [n,3,S,S], each moved by `steps` [n] standard deviations of the slider `which` [n]; `move` and `place` are the
        fields of that."""
        warped = sample(images, move)
        colour, detail, cover = (sample(self.maps[which], place) * steps[:, None, None, None]).split([3, 1, 1], 1)
        smooth = blur(warped, DETAIL)
        out = (smooth + (warped - smooth) * detail.clamp(-1, 1).exp() + colour).clamp(-1, 1)
        return torch.lerp(out, torch.full_like(out, INK), cover.clamp(0, 1))


def drawn_glasses(shape, size: int):
    """Opacity of a pair of glasses on the mean shape, [1,S,S]."""
    left, right = shape[36:42].mean(0), shape[42:48].mean(0)
    apart = (right[0] - left[0]).item()
    spots = grid(4 * size, shape.device)
    y = (spots[..., 1] - (left[1] + right[1]) / 2) / apart - 0.06
    x = (spots[..., 0] - (left[0] + right[0]) / 2).abs() / apart  # 0 between the eyes, 0.5 at either
    wide, high, width = 0.36, 0.26, 0.045
    lens = ((x - 0.5).abs() / wide) ** 3 + (y.abs() / high) ** 3
    rim = (lens ** (1 / 3) - 1).abs() * high < width / 2
    bridge = (x < 0.5 - wide) & ((y + 0.1 - 1.5 * x**2).abs() < width / 2)
    ear = (shape[16, 0] - shape[0, 0]).item() / 2 / apart
    arm = (x > 0.5 + wide) & (x < ear) & ((y + 0.08).abs() < width / 2)
    return F.avg_pool2d((rim | bridge | arm).float()[None], 4)


def face_mask(shape, size: int):
    """1 on the face from chin to forehead, falling to 0 around it, [1,S,S]."""
    outline = controls(shape[None])[0, [*range(17), 71, 70, 69, 68]]
    spots = grid(size, shape.device)
    inside = torch.zeros(size, size, dtype=torch.bool)
    for a, b in zip(outline, outline.roll(-1, 0)):
        crosses = (a[1] > spots[..., 1]) != (b[1] > spots[..., 1])
        inside ^= crosses & (spots[..., 0] < (b[0] - a[0]) * (spots[..., 1] - a[1]) / (b[1] - a[1]) + a[0])
    return blur(inside.float()[None, None], 0.03)[0]
