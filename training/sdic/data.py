"""Training pictures held in memory, their labels, and augmentation."""

from __future__ import annotations

import csv
import math
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

LABELS = ("smile", "age", "gender", "yaw", "pitch", "glasses")
COLUMNS = ("smile_est", "age_est", "female_est", "yaw", "pitch", "glasses_est")


class Faces:
    """Pictures as uint8 [count,S,S,3], on a GPU if that is the device, with the rows of index.csv beside them."""

    def __init__(self, packed: pathlib.Path, index: pathlib.Path, device="cpu"):
        self.device = torch.device(device)
        self.pixels = torch.from_numpy(np.load(packed)).to(self.device)
        with open(index, newline="") as f:
            rows = list(csv.DictReader(f))
        if len(rows) != len(self.pixels):
            raise ValueError(f"{packed}: {len(self.pixels)} pictures but {index} has {len(rows)} rows; pack again")
        self.real = np.array([r["source"] == "real" for r in rows])
        self.val = np.array([r["split"] == "val" for r in rows])
        self.labels = np.array([[float(r[c] or "nan") for c in COLUMNS] for r in rows], np.float32)
        train = self.labels[~self.val]
        self.mean, self.std = np.nanmean(train, 0), np.nanstd(train, 0)

    def split(self, val: bool, real: bool | None = None) -> np.ndarray:
        keep = self.val == val
        return np.flatnonzero(keep if real is None else keep & (self.real == real))

    def images(self, ids) -> torch.Tensor:
        """[n,3,S,S] in [-1,1], channels last."""
        batch = self.pixels[torch.as_tensor(ids, device=self.device)]
        return batch.permute(0, 3, 1, 2).float().div_(127.5).sub_(1)

    def standard_labels(self, ids) -> torch.Tensor:
        """Labels with mean 0 and deviation 1 over the training split; missing ones are 0."""
        return torch.from_numpy(np.nan_to_num((self.labels[ids] - self.mean) / self.std))


class Sampler:
    """Random training batches in which a fixed share are real photos."""

    def __init__(self, faces: Faces, batch: int, real_share: float, seed: int, jitter: bool = True):
        self.faces, self.batch, self.real_share, self.jittered = faces, batch, real_share, jitter
        self.pools = {real: faces.split(val=False, real=real) for real in (True, False)}
        self.rng = np.random.default_rng(seed)

    def __call__(self):
        """Images [n,3,S,S], mirrored and jittered, and standard labels [n,6]."""
        _, _, images, labels = self.drawn()
        return (self.jitter(images) if self.jittered else images), labels

    def edits(self, editor):
        """Images [n,3,S,S], mirrored and jittered; the same ones edited by the Editor; which label was moved, and how far."""
        ids, flip, images, labels = self.drawn()
        which, steps, moved = editor.drawn(labels, self.rng)
        edited = editor.edited(images, ids, flip, which, moved)
        images, edited = self.jitter(torch.cat([images, edited], 1)).split(3, 1)
        return *(t.contiguous(memory_format=torch.channels_last) for t in (images, edited)), which, steps

    def drawn(self):
        """Ids, which of them are mirrored, images and standard labels."""
        real = self.rng.random(self.batch) < self.real_share
        ids = np.where(real, self.rng.choice(self.pools[True], self.batch), self.rng.choice(self.pools[False], self.batch))
        labels = self.faces.standard_labels(ids)
        images = self.faces.images(ids)
        flip = torch.from_numpy(self.rng.random(self.batch) < 0.5)
        images = torch.where(flip.to(images.device)[:, None, None, None], images.flip(3), images)
        yaw = LABELS.index("yaw")
        mirrored = -labels[:, yaw] - 2 * float(self.faces.mean[yaw] / self.faces.std[yaw])
        labels[:, yaw] = torch.where(flip, mirrored, labels[:, yaw])
        return ids, flip.to(images.device), images, labels.to(images.device)

    def jitter(self, images):
        """Mild misalignment (scale, turn, shift) and light (gain, gamma, tint), as real photos bring; images [n,3k,S,S]."""
        n, repeats = len(images), images.shape[1] // 3
        draw = lambda spread: torch.from_numpy(self.rng.normal(0, spread, n).astype(np.float32)).to(images.device)
        zoom, turn = torch.exp(draw(0.02)), draw(math.radians(1.5))
        rows = [zoom * turn.cos(), -zoom * turn.sin(), draw(0.015), zoom * turn.sin(), zoom * turn.cos(), draw(0.015)]
        theta = torch.stack(rows, 1).view(n, 2, 3)
        grid = F.affine_grid(theta, images.shape, align_corners=False)
        images = F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
        unit = (images * 0.5 + 0.5).clamp(1e-3, 1)
        unit = unit ** torch.exp(draw(0.1)).view(n, 1, 1, 1)
        tint = torch.stack([draw(0.03) for _ in range(3)], 1).exp().view(n, 3, 1, 1).repeat(1, repeats, 1, 1)
        unit = unit * tint * torch.exp(draw(0.05)).view(n, 1, 1, 1)
        return (unit.clamp(0, 1) * 2 - 1).contiguous(memory_format=torch.channels_last)
