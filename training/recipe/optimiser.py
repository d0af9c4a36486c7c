"""Optimisers whose rates follow the clock, and what they step on."""

from __future__ import annotations

import copy
import math
import time

import torch
from torch import nn


class Optimiser:
    """Steps on named groups of parameters, `{name: (parameters, rate)}`, all of which it makes learnable."""

    def __init__(self, kind, groups: dict, **settings):
        self.rates = {name: rate for name, (_, rate) in groups.items()}
        for parameters, _ in groups.values():
            for parameter in parameters:
                parameter.requires_grad_(True)
        self.inner = kind([{"params": parameters, "lr": rate} for parameters, rate in groups.values()], **settings)

    def pace(self, factor: float, own: dict[str, float]):
        """Sets all rates to `factor` times what they are at their highest, some times an own factor."""
        for group, (name, rate) in zip(self.inner.param_groups, self.rates.items(), strict=True):
            group["lr"] = rate * factor * own.get(name, 1.0)

    def descend(self, loss, clip: float | None = None):
        """One step on a loss; a gradient that is not finite, as bf16 brings now and then, is left out."""
        self.descend_along([loss], [None], clip)

    def descend_along(self, outputs, slopes, clip: float | None = None):
        """The same on outputs whose gradients are given; None for losses."""
        self.inner.zero_grad(set_to_none=True)
        own = [p for group in self.inner.param_groups for p in group["params"]]
        torch.autograd.backward(outputs, slopes, inputs=own)
        norm = nn.utils.clip_grad_norm_(own, clip or math.inf)
        if norm.isfinite():
            self.inner.step()

    def state_dict(self):
        return self.inner.state_dict()

    def load_state_dict(self, state):
        self.inner.load_state_dict(state)


class Steady(Optimiser):
    """One whose rates stay."""

    def pace(self, factor: float, own: dict[str, float]):
        pass


class Average:
    """Exponential moving average of a module's parameters; buffers are copied."""

    def __init__(self, module: nn.Module, decay: float):
        self.module = copy.deepcopy(module).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, module: nn.Module, step: int, every: int = 1):
        decay = min(self.decay, (step + 1) / (step + 10)) ** every
        for mine, theirs in zip(self.module.parameters(), module.parameters(), strict=True):
            mine.lerp_(theirs, 1 - decay)
        for mine, theirs in zip(self.module.buffers(), module.buffers(), strict=True):
            mine.copy_(theirs)


def placed(module: nn.Module, device) -> nn.Module:
    """The module on a device, the weights of its plane convolutions laid out as pictures are."""
    module = module.to(device)
    for parameter in module.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return module


def bf16_is_faster() -> bool:
    """Whether two training steps of a convolution take less time in bf16: on many CPUs they take ten times more."""
    conv, x = nn.Conv2d(64, 64, 3, padding=1), torch.randn(4, 64, 64, 64).contiguous(memory_format=torch.channels_last)

    def seconds(half: bool) -> float:
        best = math.inf
        for _ in range(3):
            start = time.perf_counter()
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                out = conv(x)
            out.float().square().mean().backward()
            best = min(best, time.perf_counter() - start)
        return best

    return seconds(True) < seconds(False)
