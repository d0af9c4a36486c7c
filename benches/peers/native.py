#!/usr/bin/env python3
"""Inversions and edits of the same weights here, in PyTorch and in onnxruntime, in turns on the same machine.

usage: native.py WEIGHTS_DIR BENCH_PROGRAM [ROUNDS] [--gpu]

BENCH_PROGRAM is what `cargo bench --bench pipeline --no-run` builds. Needs torch, numpy and safetensors; PyTorch runs
the networks in `training/networks` in f32 on as many threads as it likes. Where onnx and onnxruntime are installed,
onnxruntime runs the graphs that export.py writes. With --gpu this program and PyTorch run on the GPU, PyTorch by CUDA
in f32 without TF32, and onnxruntime is left out. All pictures have to be alike. Prints medians and quartiles of the
times, and of each pair's ratio the median.
"""

import importlib.util
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from benches.peers import export

JOBS = ("invert", "edit")
# Jobs of one contestant in a row.
ROW = 4
# Seconds before each row: threads of onnxruntime go on spinning for 0.03 s, on a core that the next one needs.
REST = 0.2
# Largest difference of two contestants' pictures, whose values are in -1..1.
TOLERANCE = 5e-3


class Here:
    """This program."""

    name = "here"

    def __init__(self, directory, program, device):
        flags = ["--gpu"] if device == "cuda" else []
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen([program, str(directory), "--serve", *flags], **pipes)
        assert self.process.stdout.readline().strip() == "ready"

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def seconds(self, job):
        return float(self.ask(job))

    def picture(self):
        with tempfile.NamedTemporaryFile() as file:
            assert self.ask(f"picture {file.name}") == "written"
            return numpy.fromfile(file.name, "<f4")


class Peer:
    """One in this process, which `run`s a job and returns its picture."""

    def seconds(self, job):
        start = time.perf_counter()
        self.last = self.run(job)
        return time.perf_counter() - start

    def picture(self):
        return numpy.asarray(self.last).ravel()


class PyTorch(Peer):
    def __init__(self, directory, device):
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.benchmark = True
        self.model = export.load(directory).to(device)
        side = self.model.config.encoder.input_size
        self.face = torch.zeros(1, 3, side, side, device=device)
        threads = f"{torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"
        self.name = f"PyTorch {torch.__version__}, {torch.cuda.get_device_name() if device == 'cuda' else threads}"

    @torch.inference_mode()
    def run(self, job):
        if job == "invert":
            self.inversion = self.model.invert(self.face)
            return self.inversion.reconstruction.cpu()
        return self.model.edit(self.inversion, torch.zeros_like(self.inversion.compensated_codes))[0].cpu()


class Onnxruntime(Peer):
    def __init__(self, directory):
        import onnxruntime

        with tempfile.TemporaryDirectory() as folder:
            export.main(directory, pathlib.Path(folder))
            self.sessions = {job: onnxruntime.InferenceSession(f"{folder}/{job}.onnx") for job in JOBS}
        self.inputs = {
            job: {each.name: torch.zeros(each.shape).numpy() for each in session.get_inputs()}
            for job, session in self.sessions.items()
        }
        self.name = f"onnxruntime {onnxruntime.__version__}"

    def run(self, job):
        picture, *state = self.sessions[job].run(None, self.inputs[job])
        if job == "invert":
            given = dict(zip(export.STATE, state, strict=True))
            self.inputs["edit"].update({name: given[name] for name in given.keys() & self.inputs["edit"].keys()})
        return picture


def block(contestant, job):
    """Seconds of the same job ROW times: the first after a rest, which finds the caches cold."""
    time.sleep(REST)
    return [contestant.seconds(job) for _ in range(ROW)]


def compare(contestants, job):
    """Fails if a picture is not the first one's."""
    ours, *others = [each.picture() for each in contestants]
    for contestant, theirs in zip(contestants[1:], others, strict=True):
        off = abs(theirs - ours).max()
        assert off <= TOLERANCE, f"{job}: {contestant.name}'s picture is off by {off:.2g}"


def line(what, ours, theirs=None):
    def spread(values):
        low, middle, high = (f"{1000 * value:.0f}" for value in statistics.quantiles(values, n=4))
        return f"{middle} ms ({low} to {high})"

    if theirs is None:
        return f"    {what}: {spread(ours)}"
    ratio = statistics.median(their / our for our, their in zip(ours, theirs, strict=True))
    return f"    {what}: {spread(theirs)}; here {ratio:.2f}x as fast"


def main(directory, program, rounds, device):
    here = Here(directory, program, device)
    peers = [PyTorch(directory, device)]
    if device == "cpu" and importlib.util.find_spec("onnx") and importlib.util.find_spec("onnxruntime"):
        peers.append(Onnxruntime(directory))
    contestants = [here, *peers]
    for job in JOBS:
        first = [each.seconds(job) for each in contestants]
        compare(contestants, job)
        turns = [[block(each, job) for each in contestants] for _ in range(rounds)]
        print(f"{job}: medians and quartiles of {rounds} turns of {ROW}")
        ours = [turn[0] for turn in turns]
        for index, contestant in enumerate(contestants):
            print(f"  {contestant.name} (the very first: {1000 * first[index]:.0f} ms)")
            theirs = [turn[index] for turn in turns]
            for what, of in (("after a rest", lambda row: row[0]), ("in a row", lambda row: statistics.mean(row[1:]))):
                print(line(what, *([*map(of, rows)] for rows in ([ours, theirs] if index else [ours]))))


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--gpu"]
    rounds = int(arguments[2]) if len(arguments) > 2 else 5
    main(pathlib.Path(arguments[0]), arguments[1], rounds, "cuda" if "--gpu" in sys.argv else "cpu")
