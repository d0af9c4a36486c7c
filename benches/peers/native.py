#!/usr/bin/env python3
"""Inversions and edits of the same weights here, in PyTorch and in onnxruntime, in turns on the same machine.

usage: native.py WEIGHTS_DIR BENCH_PROGRAM [ROUNDS] [--gpu]

BENCH_PROGRAM is what `cargo bench --bench pipeline --no-run` builds. Needs torch, numpy and safetensors; PyTorch runs
the networks in `training/networks` in f32 on as many threads as it likes. Where onnx and onnxruntime are installed,
onnxruntime runs the graphs that export.py writes. With --gpu this program and PyTorch run on the GPU, PyTorch by CUDA
in f32 without TF32, and onnxruntime is left out. Prints seconds, and the ratio of each pair.
"""

import importlib.util
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from benches.peers import export

JOBS = ("invert", "edit")
# Seconds before each job: threads of onnxruntime go on spinning for 0.03 s, on a core that the next one needs.
REST = 0.2


class Here:
    """This program."""

    def __init__(self, directory, program, device):
        flags = ["--gpu"] if device == "cuda" else []
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen([program, str(directory), "--serve", *flags], **pipes)
        assert self.process.stdout.readline().strip() == "ready"

    def seconds(self, job):
        self.process.stdin.write(job + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


class Peer:
    """One in this process, which `run`s a job."""

    def seconds(self, job):
        start = time.perf_counter()
        self.run(job)
        return time.perf_counter() - start


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
            self.inversion.reconstruction.cpu()
        else:
            self.model.edit(self.inversion, torch.zeros_like(self.inversion.compensated_codes))[0].cpu()


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
        _, *state = self.sessions[job].run(None, self.inputs[job])
        if job == "invert":
            given = dict(zip(export.STATE, state, strict=True))
            self.inputs["edit"].update({name: given[name] for name in given.keys() & self.inputs["edit"].keys()})


def rested(contestant, job):
    time.sleep(REST)
    return contestant.seconds(job)


def main(directory, program, rounds, device):
    here = Here(directory, program, device)
    peers = [PyTorch(directory, device)]
    if device == "cpu" and importlib.util.find_spec("onnx") and importlib.util.find_spec("onnxruntime"):
        peers.append(Onnxruntime(directory))
    for job in JOBS:
        turns = [[rested(each, job) for each in (here, *peers)] for _ in range(rounds + 1)]
        cold, warm = turns[0], turns[1:]
        print(f"{job}: here {statistics.median(turn[0] for turn in warm):.3f} s (cold {cold[0]:.3f})")
        for index, peer in enumerate(peers, 1):
            theirs = statistics.median(turn[index] for turn in warm)
            ratio = statistics.median(turn[index] / turn[0] for turn in warm)
            print(
                f"  {peer.name}: {theirs:.3f} s (cold {cold[index]:.3f}); here {ratio:.2f}x as fast ({rounds} turns)"
            )


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--gpu"]
    rounds = int(arguments[2]) if len(arguments) > 2 else 5
    main(pathlib.Path(arguments[0]), arguments[1], rounds, "cuda" if "--gpu" in sys.argv else "cpu")
