"""The loop that all stages share: resume, clock, rates, report, checkpoint."""

from __future__ import annotations

import inspect
import math

import numpy as np
import torch
from torch import nn

from .. import checkpoints
from ..data.faces import Sampler
from ..measure.fidelity import fidelity
from .clock import SETTLE_EVERY, Clock
from .job import Job, parser
from .optimiser import Average, Optimiser
from .replay import stepper

SAVE_EVERY = 2.0  # minutes
EARLY = (10, 25)  # steps that are reported besides, to see soon whether all is well
ASTRAY = 1.0  # dB below the last checkpoint's measure, from where a stage goes back to that


class Stage:
    """One stage: its parts, made by `__init__`, and its loss, by `learn`. The loop does the rest."""

    name: str
    needs: tuple[str, ...] = ()  # stages whose checkpoints it begins from
    decay: float  # of the average
    real_share: float  # of a batch that are real photos
    check = 48  # val portraits it is measured on
    report_every = 50  # steps
    measured_often = True  # at every checkpoint, not only at the end
    replayed = True  # on a GPU from recordings
    guarded: str | None = None  # the measure in dB that must not fall, if it is measured often

    job: Job
    model: nn.Module  # what is trained, averaged and saved
    optimisers: dict[str, Optimiser]  # by name in the checkpoint
    judges: dict[str, nn.Module]  # networks that are saved besides, as they are

    # Set by the loop:
    average: nn.Module
    clock: Clock

    @staticmethod
    def add_arguments(parser):
        """Adds those that only this stage has."""

    def begin(self, seed: int):
        """Prepares for the steps; the seed depends on how many were done before."""
        self.rng = np.random.default_rng(seed)
        self.sampler = Sampler(self.job.faces, self.job.batch, self.real_share, seed)

    def factors(self) -> dict[str, float]:
        """Own factors on the rates of groups of parameters."""
        return {}

    def draw(self, step: int) -> tuple:
        """What step number `step` learns from: the name of its variant, then tensors on the device."""
        raise NotImplementedError

    def learn(self, variant: str, *batch: torch.Tensor) -> dict[str, torch.Tensor]:
        """One step of all optimisers; the values to report. If `replayed`, what it does depends on its arguments
        alone, and it waits for nothing of the GPU."""
        raise NotImplementedError

    def measure(self, ids) -> dict[str, float]:
        """How good the average is on the given pictures; prints it too."""
        values = fidelity(self.average, self.job.faces.images(ids))
        print("val real:", *(f"{name} {value:.4g}" for name, value in values.items()), flush=True)
        return values


class Report:
    """Progress lines."""

    def __init__(self, name: str, every: int, job: Job, clock: Clock):
        self.name, self.every, self.job, self.clock = name, every, job, clock
        self.first: tuple[int, float] | None = None

    def __call__(self, values: dict):
        step, spent = self.clock.step, self.clock.spent
        if self.first is None:
            self.first = step, spent
        if (step % self.every and step not in EARLY) or not self.job.workers.first or step == self.first[0]:
            return
        pictures = (step - self.first[0]) * self.job.batch * self.job.workers.count
        seconds = 60 * max(spent - self.first[1], 1e-9)
        numbers = (f"{name} {float(torch.as_tensor(value).detach()):.4f}" for name, value in values.items())
        print(
            f"{self.name} step {step} minute {spent:.1f}", *numbers, f"pictures/s {pictures / seconds:.1f}", flush=True
        )


def train(kind: type[Stage]):
    """Runs a stage until its minutes or steps are used up, from its checkpoint if there is one."""
    arguments = parser(inspect.getdoc(inspect.getmodule(kind)))
    kind.add_arguments(arguments)
    job = Job(kind.name, kind.needs, arguments)
    stage = kind(job)
    average = Average(stage.model, kind.decay)
    stage.average = average.module
    parts = {"net": stage.model, "average": average.module, **stage.judges, **stage.optimisers}
    state = checkpoints.load(job.state) if job.state.exists() else {}
    clock = stage.clock = Clock(job.workers, job.minutes, job.steps, state.get("spent", 0.0), state.get("step", 0))
    if state and clock.progress >= 1:
        print(f"{kind.name}: done after {clock.step} steps and {clock.spent:.1f} minutes", flush=True)
        return
    run = Run(stage, parts)
    run.restore(state)
    del state
    seed = job.seed + clock.step
    torch.manual_seed(seed)
    with clock.paused():
        stage.begin(seed)
    report, saved = Report(kind.name, kind.report_every, job, clock), clock.spent
    while clock.tick():
        for optimiser in stage.optimisers.values():
            optimiser.pace(run.slower * clock.rate(), stage.factors())
        values = run.step(clock.step)
        clock.step += 1
        if clock.step % SETTLE_EVERY == 0:
            for module in (stage.model, *stage.judges.values()):
                job.workers.synchronise(module)
            average.update(stage.model, clock.step, SETTLE_EVERY)
        report(values)
        if clock.spent - saved > SAVE_EVERY:
            saved = clock.spent
            run.checkpoint(measured=kind.measured_often)
    run.checkpoint(measured=True)


class Run:
    """Steps and checkpoints of a stage. One that went astray goes back to its checkpoint, and on with half the
    rates."""

    def __init__(self, stage: Stage, parts: dict):
        self.stage, self.parts, self.job = stage, parts, stage.job
        self.check = self.job.faces.split(val=True, real=True)[: stage.check]
        self.last, self.slower = -math.inf, 1.0

    def restore(self, state: dict):
        for name, part in self.parts.items():
            if state:
                part.load_state_dict(state[name])
        # Recordings hold on to the moments that were replaced.
        self.step = stepper(self.stage, self.stage.replayed and self.job.device.type == "cuda")

    def checkpoint(self, measured: bool):
        values = self.stage.measure(self.check) if measured and self.job.workers.first else {}
        now = self.job.workers.agree(values.get(self.stage.guarded, self.last))
        if now < self.last - ASTRAY or math.isnan(now):
            self.slower /= 2
            print(f"{self.stage.name}: astray, goes back to its checkpoint, rates times {self.slower}", flush=True)
            self.restore(checkpoints.load(self.job.state))
            return
        self.last = now
        if self.job.workers.first:
            kept = {name: part.state_dict() for name, part in self.parts.items()}
            checkpoints.save(self.job.state, kept | {"step": self.stage.clock.step, "spent": self.stage.clock.spent})
