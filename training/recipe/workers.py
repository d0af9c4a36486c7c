"""The processes that train one model together."""

from __future__ import annotations

import os

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

    @torch.no_grad()
    def synchronise(self, module: nn.Module):
        """Replaces parameters and buffers by their means over the workers, who otherwise step alone."""
        if self.count == 1:
            return
        tensors = [t for t in module.state_dict().values() if t.is_floating_point()]
        flat = torch.cat([t.reshape(-1) for t in tensors])
        dist.all_reduce(flat)
        parts = flat.div_(self.count).split([t.numel() for t in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))

    def agree(self, value: float) -> float:
        """The first worker's value, so that all stop and slow down at the same step."""
        if self.count == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64)
        dist.broadcast(shared, 0)
        return float(shared)
