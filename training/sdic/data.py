"""Training pictures held in memory, their labels, and augmentation."""

from __future__ import annotations

import csv
import math
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

from .motion import mirrored

LABELS = ("smile", "age", "gender", "yaw", "pitch", "glasses")
COLUMNS = ("smile_est", "age_est", "female_est", "yaw", "pitch", "glasses_est")


class Faces:
    """Pictures as uint8 [count,256,256,3], on a GPU if that is the device, with the rows of index.csv beside them; shown at
    `size`, which divides 256."""

    def __init__(self, packed: pathlib.Path, index: pathlib.Path, size: int, device="cpu"):
        self.device, self.size = torch.device(device), size
        self.pixels = torch.from_numpy(np.load(packed)).to(self.device)
        with open(index, newline="") as f:
            rows = list(csv.DictReader(f))
        if len(rows) != len(self.pixels):
            raise ValueError(f"{packed}: {len(self.pixels)} pictures but {index} has {len(rows)} rows; pack again")
        self.files = [r["file"] for r in rows]
        self.real = np.array([r["source"] == "real" for r in rows])
        self.val = np.array([r["split"] == "val" for r in rows])
        self.labels = np.array([[float(r[c] or "nan") for c in COLUMNS] for r in rows], np.float32)
        train = self.labels[~self.val]
        self.mean, self.std = np.nanmean(train, 0), np.nanstd(train, 0)

    def split(self, val: bool, real: bool | None = None) -> np.ndarray:
        keep = self.val == val
        return np.flatnonzero(keep if real is None else keep & (self.real == real))

    def originals(self, ids) -> torch.Tensor:
        """[n,3,256,256] in [-1,1], channels last."""
        batch = self.pixels[torch.as_tensor(ids, device=self.device)]
        return batch.permute(0, 3, 1, 2).float().div_(127.5).sub_(1)

    def images(self, ids) -> torch.Tensor:
        """[n,3,S,S] in [-1,1], channels last."""
        return reduced(self.originals(ids), self.size)

    def standard_labels(self, ids) -> torch.Tensor:
        """Labels with mean 0 and deviation 1 over the training split; missing ones are 0."""
        return torch.from_numpy(np.nan_to_num((self.labels[ids] - self.mean) / self.std))


def reduced(images, size: int):
    """Pictures at a size that divides theirs, by the mean of the pixels."""
    return images if images.shape[-1] == size else F.adaptive_avg_pool2d(images, size)


class Sampler:
    """Random training batches in which a fixed share are real photos."""

    def __init__(self, faces: Faces, batch: int, real_share: float, seed: int, jitter: bool = True):
        self.faces, self.batch, self.real_share, self.jittered = faces, batch, real_share, jitter
        self.pools = {real: faces.split(val=False, real=real) for real in (True, False)}
        self.rng = np.random.default_rng(seed)

    def __call__(self):
        """Images [n,3,S,S], mirrored and jittered, and standard labels [n,6]."""
        _, _, images, labels = self.picked()
        return self.shown(images)[0], labels

    def drawn(self, editor):
        """As above, with the points [n,68,2] of the images, as the Editor knows them, in between."""
        ids, flip, images, labels = self.picked()
        points = editor.points_of(ids)
        points = torch.where(flip[:, None, None], mirrored(points), points)
        return *self.shown(images, points), labels

    def shown(self, images, points=None):
        """Original pictures at the model's size, jittered before they are reduced, which keeps them sharper."""
        images, points = self.jitter(images, points) if self.jittered else (images, points)
        return reduced(images, self.faces.size).contiguous(memory_format=torch.channels_last), points

    def picked(self):
        """Ids, which of them are mirrored, original images and standard labels."""
        real = self.rng.random(self.batch) < self.real_share
        ids = np.where(real, self.rng.choice(self.pools[True], self.batch), self.rng.choice(self.pools[False], self.batch))
        labels = self.faces.standard_labels(ids)
        images = self.faces.originals(ids)
        flip = torch.from_numpy(self.rng.random(self.batch) < 0.5)
        images = torch.where(flip.to(images.device)[:, None, None, None], images.flip(3), images)
        yaw = LABELS.index("yaw")
        turned = -labels[:, yaw] - 2 * float(self.faces.mean[yaw] / self.faces.std[yaw])
        labels[:, yaw] = torch.where(flip, turned, labels[:, yaw])
        images = images.contiguous(memory_format=torch.channels_last)
        return ids, flip.to(images.device), images, labels.to(images.device)

    def jitter(self, images, points=None):
        """Mild misalignment (scale, turn, shift) of half the pictures, which it blurs a little, and light (gain, gamma, tint),
        as real photos bring; the points go along."""
        n = len(images)
        still = torch.from_numpy(self.rng.random(n) < 0.5).to(images.device)
        draw = lambda spread: torch.from_numpy(self.rng.normal(0, spread, n).astype(np.float32)).to(images.device)
        zoom, turn = torch.exp(draw(0.02)), draw(math.radians(1.5))
        rows = [zoom * turn.cos(), -zoom * turn.sin(), draw(0.015), zoom * turn.sin(), zoom * turn.cos(), draw(0.015)]
        theta = torch.stack(rows, 1).view(n, 2, 3)
        theta = torch.where(still[:, None, None], torch.eye(2, 3, device=images.device), theta)
        grid = F.affine_grid(theta, images.shape, align_corners=False)
        moved = F.grid_sample(images, grid, mode="bicubic", padding_mode="reflection", align_corners=False)
        images = torch.where(still[:, None, None, None], images, moved)
        unit = (images * 0.5 + 0.5).clamp(1e-3, 1)
        unit = unit ** torch.exp(draw(0.1)).view(n, 1, 1, 1)
        tint = torch.stack([draw(0.03) for _ in range(3)], 1).exp().view(n, 3, 1, 1)
        unit = unit * tint * torch.exp(draw(0.05)).view(n, 1, 1, 1)
        if points is not None:
            points = 0.5 + 0.5 * torch.linalg.solve(theta[:, None, :, :2], (2 * points - 1 - theta[:, None, :, 2])[..., None])[..., 0]
        return unit.clamp(0, 1) * 2 - 1, points
