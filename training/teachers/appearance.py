"""Edited training pictures: an active appearance model (Cootes, Edwards, Taylor 1998) moves a photo along a label.

Shape (the 68 landmarks) and texture (the picture warped to the mean shape) depend linearly on the labels; the
amplitude of fine detail depends on them exponentially, as in Tiddeman, Burt, Perrett 2001. A photo is edited by
warping it by the change of shape and adding the change of texture. Glasses, which differ too much for a mean, are
drawn. Measures of the shape itself, such as how far the mouth is open, serve as labels too.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..data.faces import Faces
from ..editing.motion import controls, fields, grid, sample, spline
from ..landmarks import LANDMARKS, LEFT_EYE, RIGHT_EYE, mirrored
from ..sliders import LABELLED, MEASURED, ROWS, SLIDERS, measured
from .maps import blur, face_mask, inside_face

RIDGE = 0.02
INK = -0.85  # shade of the glasses
DETAIL = 0.02  # width of the blur that parts detail from the rest, in picture sides
INNER = 0.85  # of a face's size: farther out lies hair, and a mean of hair is a smear on a high forehead
STEADY = [*range(27, 31), *range(36, 48)]  # bridge of the nose and eyes: what an expression leaves in place


def log_detail(images):
    """Logarithm of the local amplitude of fine detail, [n,1,S,S]."""
    detail = images - blur(images, DETAIL)
    return 0.5 * (blur(detail.square().mean(1, keepdim=True), DETAIL) + 1e-4).log()


def with_head_still(displacements, landmarks):
    """Shifts [68,2] of the landmarks less the similarity that moves the steady ones best."""
    x, y = landmarks[:, 0], landmarks[:, 1]
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    rows = torch.stack([torch.stack([x, -y, one, zero], 1), torch.stack([y, x, zero, one], 1)], 1)
    steady = rows[STEADY].reshape(-1, 4)
    similarity = torch.linalg.lstsq(steady, displacements[STEADY].reshape(-1, 1)).solution
    return displacements - (rows @ similarity).squeeze(-1)


def regression(designs, weight):
    """The matrix that turns moments of pictures with `designs` [n,k], and of their mirror images, into
    coefficients.

    The columns are 1, being real, labels, measures. Labels are fitted as if there were no measures, a smile opens
    the mouth; measures as they vary under equal labels.
    """
    count = 2 * len(weight)
    gram = sum(design.T @ (weight * design) for design in designs) / count
    ridge = RIDGE * torch.eye(len(gram))
    ridge[0, 0] = 0  # not of the mean, which it would draw into the picture's corner
    gram += ridge
    plain = 2 + len(LABELLED)
    solve = torch.linalg.inv(gram)
    solve[:plain] = F.pad(torch.linalg.inv(gram[:plain, :plain]), (0, len(MEASURED)))
    return solve / count


class Appearance:
    """`shape` [68,2] is the mean; the change with each slider is `displacements` [10,68,2] and `maps`
    [10,5,S,S], the latter on the mean shape: colour added, logarithm of detail, and opacity of what is drawn over
    the face in black."""

    def __init__(self, shape, displacements, maps):
        self.shape, self.displacements, self.maps = shape, displacements, maps

    def tensors(self):
        return self.shape, self.displacements, self.maps

    @classmethod
    def fit(cls, faces: Faces, landmarks, batch: int = 64):
        """From all training pictures and their mirror images, real ones weighted to half; `landmarks` of all
        pictures."""
        ids, size = faces.split(val=False), faces.size
        landmarks, real = landmarks[ids], torch.from_numpy(faces.real[ids]).float()
        measures = measured(landmarks)
        measures = ((measures - measures.mean(0)) / measures.std(0)).clamp(-3, 3)
        always = torch.ones(len(ids), 1), real[:, None] - real.mean()
        designs = [torch.cat([*always, labels, measures], 1) for labels in faces.both_labels(ids)]
        weight = torch.where(real > 0, 0.5 / real.mean(), 0.5 / (1 - real.mean()))[:, None]
        solve = regression(designs, weight)
        own, turned = ((weight * design).T for design in designs)
        shapes = solve @ (own @ landmarks.flatten(1) + turned @ mirrored(landmarks).flatten(1))
        mean, *displacements = shapes.view(-1, LANDMARKS, 2)
        moments = torch.zeros(len(solve), 4, size, size)
        for part in torch.arange(len(ids)).split(batch):
            at = controls(mean[None]).expand(len(part), -1, -1)
            texture = sample(faces.images(ids[part]), spline(at, controls(landmarks[part]) - at)).clamp(-1, 1)
            maps = torch.cat([texture, log_detail(texture)], 1)
            moments += torch.tensordot(own[:, part], maps, 1) + torch.tensordot(turned[:, part], maps.flip(3), 1)
        masks = [
            face_mask(mean, size) if slider.turns_head else inside_face(mean, INNER, size)[0] for slider in SLIDERS
        ]
        maps = F.pad(torch.tensordot(solve, moments, 1)[2:] * torch.stack(masks), (0, 0, 0, 0, 0, 1))
        displacements = torch.stack(
            [
                displacement if slider.turns_head else with_head_still(displacement, mean)
                for slider, displacement in zip(SLIDERS, displacements[1:], strict=True)
            ]
        )
        gain = torch.tensor([slider.emphasis for slider in SLIDERS])
        displacements, maps = displacements * gain[:, None, None], maps * gain[:, None, None, None]
        glasses = ROWS["glasses"]
        displacements[glasses], maps[glasses] = 0, F.pad(drawn_glasses(mean, size), (0, 0, 0, 0, 4, 0))
        return cls(mean, displacements, maps)

    def fields(self, landmarks, which, strengths, *others):
        """Motion and place of faces with landmarks [n,68,2] that move by `strengths` [n] standard deviations of
        the sliders `which` [n], and their places on other shapes [68,2]."""
        return fields(landmarks, strengths[:, None, None] * self.displacements[which], self.shape, *others)

    def edited(self, images, motion, place, which, strengths):
        """Images [n,3,S,S], each moved by `strengths` [n] standard deviations of the slider `which` [n]; `motion`
        and `place` are the fields of that."""
        warped = sample(images, motion)
        colour, detail, cover = (sample(self.maps[which], place) * strengths[:, None, None, None]).split([3, 1, 1], 1)
        smooth = blur(warped, DETAIL)
        out = (smooth + (warped - smooth) * detail.clamp(-1, 1).exp() + colour).clamp(-1, 1)
        return torch.lerp(out, torch.full_like(out, INK), cover.clamp(0, 1))


def drawn_glasses(shape, size: int):
    """Opacity of a pair of glasses on the mean shape, [1,S,S]."""
    left, right = shape[RIGHT_EYE].mean(0), shape[LEFT_EYE].mean(0)
    between = (right[0] - left[0]).item()
    spots = grid(4 * size, shape.device)
    y = (spots[..., 1] - (left[1] + right[1]) / 2) / between - 0.06
    x = (spots[..., 0] - (left[0] + right[0]) / 2).abs() / between  # 0 between the eyes, 0.5 at either
    wide, high, width = 0.36, 0.26, 0.045
    lens = ((x - 0.5).abs() / wide) ** 3 + (y.abs() / high) ** 3
    rim = (lens ** (1 / 3) - 1).abs() * high < width / 2
    bridge = (x < 0.5 - wide) & ((y + 0.1 - 1.5 * x**2).abs() < width / 2)
    ear = (shape[16, 0] - shape[0, 0]).item() / 2 / between
    arm = (x > 0.5 + wide) & (x < ear) & ((y + 0.08).abs() < width / 2)
    return F.avg_pool2d((rim | bridge | arm).float()[None], 4)
