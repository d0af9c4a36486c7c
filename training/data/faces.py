"""Training pictures held in memory, their labels, and augmentation."""

from __future__ import annotations

import csv
import math
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

from ..landmarks import mirrored
from ..sliders import LABELLED, ROWS

SIDE = 256  # of the training pictures
YAW = ROWS["yaw"]


def read_rows(table: pathlib.Path) -> list[dict[str, str]]:
    with open(table, newline="") as f:
        return list(csv.DictReader(f))


def from_bytes(pixels: torch.Tensor) -> torch.Tensor:
    """Pictures uint8 [n,S,S,3] as [n,3,S,S] in [-1,1], channels last."""
    return pixels.permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def to_bytes(picture: torch.Tensor) -> np.ndarray:
    """A picture [3,H,W] in [-1,1] as uint8 [H,W,3]."""
    return ((picture.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).cpu().contiguous().numpy()


class Faces:
    """Pictures as uint8 [count,256,256,3], on a GPU if that is the device, with the rows of index.csv beside them;
    shown at `size`, which divides 256."""

    def __init__(self, packed: pathlib.Path, index: pathlib.Path, size: int, device="cpu"):
        self.device, self.size = torch.device(device), size
        self.pixels = torch.from_numpy(np.load(packed, mmap_mode="c")).to(self.device)
        rows = read_rows(index)
        if len(rows) != len(self.pixels):
            raise ValueError(f"{packed}: {len(self.pixels)} pictures but {index} has {len(rows)} rows; pack again")
        self.files = [r["file"] for r in rows]
        self.real = np.array([r["source"] == "real" for r in rows])
        self.val = np.array([r["split"] == "val" for r in rows])
        self.labels = np.array([[float(r[slider.label] or "nan") for slider in LABELLED] for r in rows], np.float32)
        train = self.labels[~self.val]
        self.mean, self.std = np.nanmean(train, 0), np.nanstd(train, 0)

    def split(self, val: bool, real: bool | None = None) -> np.ndarray:
        keep = self.val == val
        return np.flatnonzero(keep if real is None else keep & (self.real == real))

    def originals(self, ids) -> torch.Tensor:
        """[n,3,256,256] in [-1,1], channels last."""
        return from_bytes(self.pixels[torch.as_tensor(ids, device=self.device)])

    def images(self, ids) -> torch.Tensor:
        """[n,3,S,S] in [-1,1], channels last."""
        return reduced(self.originals(ids), self.size)

    def standard_labels(self, ids) -> torch.Tensor:
        """Labels with mean 0 and deviation 1 over the training split; missing ones are 0."""
        return torch.from_numpy(np.nan_to_num((self.labels[ids] - self.mean) / self.std))

    @property
    def frontal(self) -> float:
        """What, added to a standard yaw, makes zero frontal."""
        return float(self.mean[YAW] / self.std[YAW])

    def both_labels(self, ids) -> tuple[torch.Tensor, torch.Tensor]:
        """Standard labels of pictures and of their mirror images, with yaw 0 frontal."""
        labels = self.standard_labels(ids)
        labels[:, YAW] += self.frontal
        turned = labels.clone()
        turned[:, YAW] *= -1
        return labels, turned


def reduced(images, size: int):
    """Pictures at a size that divides theirs, by the mean of the pixels."""
    return images if images.shape[-1] == size else F.adaptive_avg_pool2d(images, size)


class Sampler:
    """Random training batches in which a fixed share are real photos."""

    def __init__(self, faces: Faces, batch: int, real_share: float, seed: int):
        self.faces, self.batch, self.real_share = faces, batch, real_share
        self.pools = {real: faces.split(val=False, real=real) for real in (True, False)}
        self.rng = np.random.default_rng(seed)

    def __call__(self):
        """Images [n,3,S,S], mirrored and jittered, and standard labels [n,6]."""
        _, _, images, labels = self.picked()
        return self.shown(images)[0], labels

    def drawn(self, editor):
        """Such images with their landmarks [n,68,2], as the Editor knows them."""
        ids, flip, images, _ = self.picked()
        landmarks = editor.landmarks_of(ids)
        landmarks = torch.where(flip[:, None, None], mirrored(landmarks), landmarks)
        return self.shown(images, landmarks)

    def shown(self, images, landmarks=None):
        """Original pictures at the model's size, jittered before they are reduced, which keeps them sharper."""
        images, landmarks = self.jitter(images, landmarks)
        return reduced(images, self.faces.size).contiguous(memory_format=torch.channels_last), landmarks

    def picked(self):
        """Ids, which of them are mirrored, original images and standard labels."""
        real = self.rng.random(self.batch) < self.real_share
        pools = (self.rng.choice(self.pools[kind], self.batch) for kind in (True, False))
        ids = np.where(real, *pools)
        labels = self.faces.standard_labels(ids)
        images = self.faces.originals(ids)
        flip = torch.from_numpy(self.rng.random(self.batch) < 0.5)
        images = torch.where(flip.to(images.device)[:, None, None, None], images.flip(3), images)
        turned = -labels[:, YAW] - 2 * self.faces.frontal
        labels[:, YAW] = torch.where(flip, turned, labels[:, YAW])
        images = images.contiguous(memory_format=torch.channels_last)
        return ids, flip.to(images.device), images, labels.to(images.device)

    def jitter(self, images, landmarks=None):
        """Mild misalignment (scale, turn, shift) of half the pictures, which it blurs a little, and light (gain,
        gamma, tint), as real photos bring; the landmarks go along."""
        n = len(images)

        def draw(spread):
            return self.draw(spread, images)

        images, theta = self.misaligned(images)
        unit = (images * 0.5 + 0.5).clamp(1e-3, 1)
        unit = unit ** torch.exp(draw(0.1)).view(n, 1, 1, 1)
        tint = torch.stack([draw(0.03) for _ in range(3)], 1).exp().view(n, 3, 1, 1)
        unit = unit * tint * torch.exp(draw(0.05)).view(n, 1, 1, 1)
        if landmarks is not None:
            away = (2 * landmarks - 1 - theta[:, None, :, 2])[..., None]
            landmarks = 0.5 + 0.5 * torch.linalg.solve(theta[:, None, :, :2], away)[..., 0]
        return unit.clamp(0, 1) * 2 - 1, landmarks

    def misaligned(self, images, still: float = 0.5, mode: str = "bicubic"):
        """Images moved a little, but for a share that stays `still`, and the affine maps that moved them, [n,2,3]."""
        stays = torch.from_numpy(self.rng.random(len(images)) < still).to(images.device)
        zoom, turn = torch.exp(self.draw(0.02, images)), self.draw(math.radians(1.5), images)
        x, y = (self.draw(0.015, images) for _ in range(2))
        rows = [zoom * turn.cos(), -zoom * turn.sin(), x, zoom * turn.sin(), zoom * turn.cos(), y]
        theta = torch.stack(rows, 1).view(-1, 2, 3)
        theta = torch.where(stays[:, None, None], torch.eye(2, 3, device=images.device), theta)
        grid = F.affine_grid(theta, images.shape, align_corners=False)
        moved = F.grid_sample(images, grid, mode=mode, padding_mode="reflection", align_corners=False)
        return torch.where(stays[:, None, None, None], images, moved), theta

    def draw(self, spread: float, images):
        """A normal number for each of the images, [n]."""
        return torch.from_numpy(self.rng.normal(0, spread, len(images)).astype(np.float32)).to(images.device)
