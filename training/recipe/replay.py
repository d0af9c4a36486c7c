"""Steps as they are written, or as CUDA graphs.

The networks are small: a step is thousands of short kernels, and a GPU would wait most of the time for Python to
start the next. So a step is recorded once and then played as a whole, while Python draws the next batch beside it.
"""

from __future__ import annotations

import torch

REHEARSALS = 3  # steps before a recording, in which kernels load and buffers are made


def stepper(stage, replayed: bool):
    """What takes the number of a step, makes it, and gives the values to report."""
    return Replay(stage) if replayed else lambda step: stage.learn(*stage.draw(step))


class Recording:
    """A variant of a stage's step, with tensors of its own for the batch."""

    def __init__(self, learn, variant, batch, pool):
        self.learn, self.variant, self.pool = learn, variant, pool
        self.batch = [torch.empty_like(tensor) for tensor in batch]
        self.rehearsals, self.graph, self.values = REHEARSALS, None, {}

    def play(self, batch):
        """A step on the current stream."""
        torch._foreach_copy_(self.batch, [*batch])
        if self.rehearsals:
            self.rehearsals -= 1
            return self.learn(self.variant, *self.batch)
        if self.graph is None:
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph, pool=self.pool, stream=torch.cuda.current_stream()):
                self.values = self.learn(self.variant, *self.batch)
        self.graph.replay()
        return self.values


class Replay:
    """Steps from recordings, one for each variant."""

    def __init__(self, stage):
        self.stage, self.recordings = stage, {}
        self.drawing, self.playing = torch.cuda.Stream(), torch.cuda.Stream()
        self.pool = torch.cuda.graph_pool_handle()
        self.drawn = None  # the next batch

    def draw(self, step: int):
        """A batch, drawn beside what is playing, with its variant and when it will be there."""
        with torch.cuda.stream(self.drawing):
            variant, *batch = self.stage.draw(step)
            return variant, batch, self.drawing.record_event()

    def __call__(self, step: int):
        variant, batch, there = self.drawn or self.draw(step)
        self.playing.wait_event(there)
        self.playing.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.playing):
            if variant not in self.recordings:
                self.recordings[variant] = Recording(self.stage.learn, variant, batch, self.pool)
            values = self.recordings[variant].play(batch)
            done = self.playing.record_event()
        self.drawn = self.draw(step + 1)
        done.synchronize()  # before `batch` is let go
        return values
