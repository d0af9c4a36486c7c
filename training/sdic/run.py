"""A resumable training loop bounded by minutes: state on disk, moving averages, progress lines."""

from __future__ import annotations

import copy
import os
import pathlib
import time

import torch
import torch.distributed as dist
from torch import nn


class Workers:
    """The processes of a torchrun launch, or this one alone. One thread each: they share cores with
    others far better than the threads of one process."""

    def __init__(self):
        self.count = int(os.environ.get("WORLD_SIZE", 1))
        self.rank = int(os.environ.get("RANK", 0))
        if self.count > 1:
            dist.init_process_group("gloo")

    @property
    def first(self) -> bool:
        return self.rank == 0

    def average_gradients(self, parameters):
        """Replaces every gradient by its mean over the workers."""
        if self.count == 1:
            return
        grads = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.reshape(-1) for g in grads])
        dist.all_reduce(flat)
        for grad, part in zip(grads, flat.div_(self.count).split([g.numel() for g in grads])):
            grad.copy_(part.view_as(grad))

    def agree(self, value: float) -> float:
        """The first worker's value, so that all stop and slow down at the same step."""
        if self.count == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64)
        dist.broadcast(shared, 0)
        return float(shared)


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
    """Minutes spent over all runs of a stage, from which rates and ends follow; read once per step."""

    def __init__(self, workers: Workers, minutes: float, spent: float = 0.0):
        self.workers, self.minutes, self.before, self.start = workers, minutes, spent, time.monotonic()
        self.spent = spent

    def tick(self) -> bool:
        """Advances to now; false once the minutes are used up."""
        self.spent = self.workers.agree(self.before + (time.monotonic() - self.start) / 60)
        return self.spent < self.minutes

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
