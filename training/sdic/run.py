"""What the training stages share: workers, clock, moving averages, checkpoints, progress lines."""

from __future__ import annotations

import argparse
import copy
import math
import os
import pathlib
import sys
import time

import torch
import torch.distributed as dist
from torch import nn

from budgets import BUDGETS

from .data import Faces
from .losses import correlation, fine, grid, psnr
from .model import Sdic


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

    def synchronise(self, module: nn.Module):
        """Replaces parameters and buffers by their means over the workers, who otherwise step alone."""
        if self.count == 1:
            return
        tensors = [t for t in module.state_dict().values() if t.is_floating_point()]
        flat = torch.cat([t.reshape(-1) for t in tensors])
        dist.all_reduce(flat)
        for tensor, part in zip(tensors, flat.div_(self.count).split([t.numel() for t in tensors])):
            tensor.copy_(part.view_as(tensor))

    def agree(self, value: float) -> float:
        """The first worker's value, so that all stop and slow down at the same step."""
        if self.count == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64)
        dist.broadcast(shared, 0)
        return float(shared)


EARLY = (10, 25)  # steps that are reported besides, to see soon whether all is well
SETTLE_EVERY = 8  # steps between synchronisations of the workers and updates of the moving average


class Average:
    """Exponential moving average of a module's parameters; buffers are copied."""

    def __init__(self, module: nn.Module, decay: float):
        self.module = copy.deepcopy(module).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, module: nn.Module, step: int, every: int = 1):
        decay = min(self.decay, (step + 1) / (step + 10)) ** every
        for mine, theirs in zip(self.module.parameters(), module.parameters()):
            mine.lerp_(theirs, 1 - decay)
        for mine, theirs in zip(self.module.buffers(), module.buffers()):
            mine.copy_(theirs)


class Clock:
    """Minutes spent over all runs of a stage, from which rates and ends follow."""

    def __init__(self, workers: Workers, minutes: float, spent: float = 0.0):
        self.workers, self.minutes, self.before, self.start = workers, minutes, spent, time.monotonic()
        self.spent, self.ticks = spent, 0

    def tick(self) -> bool:
        """Advances to now every few calls; false once the minutes are used up."""
        self.ticks += 1
        if self.ticks % SETTLE_EVERY == 1:
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


def take(module: nn.Module, trained: dict):
    """Loads what a stage trained into a module; what only one of the two has is left alone."""
    own = module.state_dict()
    module.load_state_dict(own | {name: tensor for name, tensor in trained.items() if name in own})


def trained_model(path: pathlib.Path, config) -> Sdic:
    """The averaged model of a stage's checkpoint; networks it lacks keep their first values."""
    model = Sdic(config)
    take(model, load(path)["average"])
    return model


def grow(model: Sdic, trained: Sdic):
    """Begins from a model of other sizes: the common corner of every tensor; styles that it lacks begin as its last."""
    trained.move_average(torch.zeros_like(trained.latent_avg))
    known, last = trained.state_dict(), trained.config.styles - 1
    with torch.no_grad():
        for name, mine in model.state_dict().items():
            parts = name.split(".")
            if parts[:2] == ["encoder", "styles"]:
                name = ".".join([*parts[:2], str(min(int(parts[2]), last)), *parts[3:]])
            theirs = known.get(name)
            if theirs is not None and theirs.dim() == mine.dim() and "noise_" not in name:
                corner = tuple(slice(min(a, b)) for a, b in zip(mine.shape, theirs.shape))
                mine[corner] = theirs[corner]


def placed(module: nn.Module, device) -> nn.Module:
    """The module on a device, the weights of its plane convolutions laid out as pictures are."""
    module = module.to(device)
    for parameter in module.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return module


def descend(optimiser, loss, clip: float | None = None):
    """One optimiser step on a loss; a gradient that is not finite, as bf16 brings now and then, is left out."""
    descend_along(optimiser, [loss], [None], clip)


def descend_along(optimiser, outputs, slopes, clip: float | None = None):
    """The same on outputs whose gradients are given; None for losses."""
    optimiser.zero_grad(set_to_none=True)
    own = [p for group in optimiser.param_groups for p in group["params"]]
    torch.autograd.backward(outputs, slopes, inputs=own)
    norm = nn.utils.clip_grad_norm_(own, clip or math.inf)
    if norm.isfinite():
        optimiser.step()


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


def device_of(budget) -> torch.device:
    """The budget's device; a CPU, where stages can at least be tried, if there is no such GPU."""
    if budget.device != "cpu" and not torch.cuda.is_available():
        print("no GPU found: this runs on the CPU, for a trial only", flush=True)
        return torch.device("cpu")
    return torch.device(budget.device)


@torch.no_grad()
def fidelity(model: Sdic, photos) -> dict[str, float]:
    """How close inversions come to photos [n,3,S,S], and how well DIPN's map shows what the plain ones lack."""
    done = [model.invert(part) for part in photos.split(16)]
    plain, full, found = (torch.cat([getattr(d, name) for d in done]) for name in ("initial", "reconstruction", "discrepancy"))
    small, size = model.seen(photos), model.config.encoder.input_size
    lost = small - model.shown(plain)
    return {name: float(value) for name, value in {
        "plain, dB": psnr(plain, photos).mean(), "compensated, dB": psnr(full, photos).mean(),
        f"compensated at {size} px, dB": psnr(model.seen(full), small).mean(),
        "map correlation": correlation(found, lost), "L1 lost": lost.abs().mean(), "L1 left by the map": (lost - found).abs().mean(),
        "grid": grid(found - lost), "fine detail plain": fine(plain, photos), "fine detail compensated": fine(full, photos),
    }.items()}


class Setup:
    """Arguments, data, device, clock and checkpoint file of one stage.

    `inputs` are the checkpoints of the stages in `needs` that have been run, in that order.
    """

    SAVE_EVERY = 2.0  # minutes

    def __init__(self, description: str, stage: str, needs: tuple[str, ...] = (), from_weights: bool = False):
        args = argparse.ArgumentParser(description=description)
        args.add_argument("--budget", choices=BUDGETS, required=True)
        args.add_argument("--index", type=pathlib.Path, required=True, help="index.csv of the pictures")
        args.add_argument("--work", type=pathlib.Path, required=True, help="folder of packed pictures and checkpoints")
        args.add_argument("--minutes", type=float, help="instead of the budget's")
        args.add_argument("--batch", type=int, help="pictures per step instead of the budget's")
        args.add_argument("--seed", type=int, default=1)
        if from_weights:
            args.add_argument("--from-weights", type=pathlib.Path, help="weights directory to begin from instead of noise")
        args = args.parse_args()
        self.budget = BUDGETS[args.budget]
        self.stage, self.device = stage, device_of(self.budget)
        if self.device.type == "cpu":
            torch.set_num_threads(1)
        else:
            torch.set_float32_matmul_precision("high")
        self.workers = Workers()
        self.batch = args.batch or self.budget.batch[stage]
        self.seed = args.seed + 1000 * self.workers.rank
        torch.manual_seed(args.seed)
        self.work, self.state = args.work, args.work / f"{stage}.pt"
        self.inputs = [path for name in needs if (path := args.work / f"{name}.pt").exists()]
        self.start = args.from_weights if from_weights else None
        if needs and not (self.inputs or self.start):
            sys.exit(f"{args.work}: no checkpoint of stage {' or '.join(needs)}; run that stage of train.sh first")
        self.faces = Faces(args.work / "faces.npy", args.index, self.budget.model.image_size, self.device)
        self.half = self.device.type == "cuda" or bf16_is_faster()
        self.minutes = args.minutes or self.budget.minutes[stage]
        self.clock = Clock(self.workers, self.minutes)
        self.saved = 0.0
        self.first_step = None

    def autocast(self):
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.half)

    def resume(self, parts: dict) -> dict | None:
        """Loads the checkpoint, if there is one, into `parts` and continues its clock; returns the rest of it."""
        state = load(self.state)
        if state is not None:
            for name, part in parts.items():
                part.load_state_dict(state[name])
            self.clock = Clock(self.workers, self.minutes, state["spent"])
            self.saved = state["spent"]
        torch.manual_seed(self.seed + (state or {}).get("step", 0))
        return state

    def checkpoint(self, parts: dict, extra: dict, last: bool = False) -> bool:
        """Saves every few minutes from the first worker; true when it did."""
        if not self.workers.first or not (last or self.clock.spent - self.saved > self.SAVE_EVERY):
            return False
        self.saved = self.clock.spent
        save(self.state, {n: p.state_dict() for n, p in parts.items()} | extra | {"spent": self.clock.spent})
        return True

    def restart_clock(self):
        """Leaves out of the budget what was prepared since the start."""
        self.clock = Clock(self.workers, self.minutes, self.clock.before)

    @torch.no_grad()
    def settle(self, module: nn.Module, average: Average, step: int):
        """Every few steps: workers agree on the module, and the moving average follows."""
        if step % SETTLE_EVERY == 0:
            self.workers.synchronise(module)
            average.update(module, step, SETTLE_EVERY)

    def report(self, step: int, values: dict, every: int = 50):
        if self.first_step is None:
            self.first_step, self.first_minute = step, self.clock.spent
        if (step % every and step not in EARLY) or not self.workers.first or step == self.first_step:
            return
        rate = (step - self.first_step) * self.batch * self.workers.count / (self.clock.spent - self.first_minute) / 60
        numbers = " ".join(f"{name} {float(torch.as_tensor(value).detach()):.4f}" for name, value in values.items())
        print(f"{self.stage} step {step} minute {self.clock.spent:.1f} {numbers} pictures/s {rate:.1f}", flush=True)

    def print_fidelity(self, model: Sdic, ids):
        """Prints how close the inversions of some pictures come."""
        values = " ".join(f"{name} {value:.4g}" for name, value in fidelity(model, self.faces.images(ids)).items())
        print(f"val real: {values}", flush=True)
