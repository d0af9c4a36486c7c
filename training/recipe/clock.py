"""How far a stage is, over all its runs."""

from __future__ import annotations

import contextlib
import time

from .workers import Workers

WARMUP = 0.01  # of a stage, while rates rise
DECAY_FROM = 0.6  # and from where they fall
LOWEST = 0.02  # to what
SETTLE_EVERY = 8  # steps between synchronisations of the workers, looks at the clock and updates of the average


class Clock:
    """A stage ends after its minutes or, if `steps` are given, after those; rates follow from how far it is."""

    def __init__(self, workers: Workers, minutes: float | None, steps: int | None, spent: float = 0.0, step: int = 0):
        self.workers, self.minutes, self.steps = workers, minutes, steps
        self.spent, self.step = spent, step
        self.before, self.start, self.ticks = spent, time.monotonic(), 0

    def tick(self) -> bool:
        """Looks at the time every few calls; false once the stage is at its end."""
        if self.ticks % SETTLE_EVERY == 0:
            self.spent = self.workers.agree(self.before + (time.monotonic() - self.start) / 60)
        self.ticks += 1
        return self.progress < 1

    @property
    def progress(self) -> float:
        return min(self.step / self.steps if self.steps else self.spent / self.minutes, 1.0)

    @contextlib.contextmanager
    def paused(self):
        """Leaves out of the minutes what is done meanwhile."""
        since = time.monotonic()
        yield
        self.start += time.monotonic() - since

    def rate(self) -> float:
        """Factor on the learning rates: a short ramp up, constant, then linear to the lowest."""
        p = self.progress
        if p < WARMUP:
            return p / WARMUP + LOWEST
        return 1.0 if p < DECAY_FROM else max(LOWEST, (1 - p) / (1 - DECAY_FROM))
