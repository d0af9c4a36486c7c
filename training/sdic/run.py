"""A resumable training loop bounded by minutes: state on disk, moving averages, progress lines."""

from __future__ import annotations

import copy
import pathlib
import time

import torch
from torch import nn


class Average:
    """Exponential moving average of a module's parameters; buffers are copied."""

    def __init__(self, module: nn.Module, decay: float):
        self.module = copy.deepcopy(module).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, module: nn.Module, step: int):
        decay = min(self.decay, (step + 1) / (step + 10))
        for mine, theirs in zip(self.module.parameters(), module.parameters()):
            mine.lerp_(theirs, 1 - decay)
        for mine, theirs in zip(self.module.buffers(), module.buffers()):
            mine.copy_(theirs)


class Clock:
    """Minutes spent over all runs of a stage, from which rates and ends follow."""

    def __init__(self, minutes: float, spent: float = 0.0):
        self.minutes, self.before, self.start = minutes, spent, time.monotonic()

    @property
    def spent(self) -> float:
        return self.before + (time.monotonic() - self.start) / 60

    @property
    def progress(self) -> float:
        return min(self.spent / self.minutes, 1.0)

    def rate(self, warmup: float = 0.01, decay_from: float = 0.6) -> float:
        """Factor on the learning rate: a short ramp up, constant, then linear to 2 %."""
        p = self.progress
        if p < warmup:
            return p / warmup + 0.02
        return 1.0 if p < decay_from else max(0.02, (1 - p) / (1 - decay_from))


def save(path: pathlib.Path, state: dict):
    """Writes through a temporary file, so that an interrupted save leaves the old one."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.rename(path)


def load(path: pathlib.Path) -> dict | None:
    return torch.load(path, map_location="cpu", weights_only=True) if path.exists() else None
