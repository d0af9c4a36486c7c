"""Optimisers whose rates follow the clock, and what they step on."""

from __future__ import annotations

import copy
import math
import time

import torch
from torch import nn


class Optimiser:
    """AdamW on named groups of parameters, `{name: (parameters, rate)}`, all of which it makes learnable. It never
    waits for a GPU, nor does a step tell the CPU anything: a recording (`replay.py`) can hold it."""

    def __init__(self, groups: dict, betas: tuple[float, float], decay: float = 0.0):
        self.rates = {name: rate for name, (_, rate) in groups.items()}
        for parameters, _ in groups.values():
            for parameter in parameters:
                parameter.requires_grad_(True)
        cuda = any(parameter.is_cuda for parameters, _ in groups.values() for parameter in parameters)
        self.inner = torch.optim.AdamW(
            [
                {"params": parameters, "lr": torch.tensor(rate, device="cuda") if cuda else rate}
                for parameters, rate in groups.values()
            ],
            betas=betas,
            weight_decay=decay,
            fused=True,
            capturable=cuda,
        )

    def pace(self, factor: float, own: dict[str, float]):
        """Sets all rates to `factor` times what they are at their highest, some times an own factor."""
        for group, (name, rate) in zip(self.inner.param_groups, self.rates.items(), strict=True):
            now = rate * factor * own.get(name, 1.0)
            if isinstance(group["lr"], torch.Tensor):
                group["lr"].fill_(now)  # the very tensor that a recording reads
            else:
                group["lr"] = now

    def descend(self, loss, clip: float | None = None):
        """One step on a loss; a gradient that is not finite, as bf16 brings now and then, is left out."""
        self.descend_along([loss], [None], clip)

    def descend_along(self, outputs, slopes, clip: float | None = None):
        """The same on outputs whose gradients are given; None for losses."""
        self.inner.zero_grad(set_to_none=True)
        own = [p for group in self.inner.param_groups for p in group["params"]]
        torch.autograd.backward(outputs, slopes, inputs=own)
        norm = nn.utils.clip_grad_norm_(own, clip or math.inf)
        self.inner.grad_scale = None
        self.inner.found_inf = norm.isfinite().logical_not().float()  # fused Adam looks at it by itself
        self.inner.step()

    def state_dict(self):
        return self.inner.state_dict()

    def load_state_dict(self, state):
        """Takes over moments and counts; how it steps is its own."""
        own = [{name: group[name] for name in ("lr", "capturable")} for group in self.inner.param_groups]
        self.inner.load_state_dict(state)
        for group, kept in zip(self.inner.param_groups, own, strict=True):
            group.update(kept)


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
        torch._foreach_lerp_([*self.module.parameters()], [*module.parameters()], 1 - decay)
        torch._foreach_copy_([*self.module.buffers()], [*module.buffers()])


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
