#!/usr/bin/env python3
"""Inversions and edits of the same weights here and in PyTorch, in turns on the same machine.

usage: peer.py WEIGHTS_DIR BENCH_PROGRAM [ROUNDS] [--gpu]

BENCH_PROGRAM is what `cargo bench --bench pipeline --no-run` builds. Needs torch, numpy and safetensors; PyTorch runs
the networks in `training/networks` in f32 on as many threads as it likes. With --gpu both run on the GPU, PyTorch by CUDA in
f32 without TF32. Prints seconds, and the ratio of each pair.
"""
import json
import pathlib
import statistics
import subprocess
import sys
import time

import torch
from safetensors.torch import load_file

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from training.networks import ModelConfig, Sdic  # noqa: E402


def load(directory):
    manifest = json.loads((directory / "manifest.json").read_text())
    model = Sdic(ModelConfig.from_json(manifest["config"]))
    tensors = {}
    for shard in manifest["shards"]:
        tensors.update(load_file(directory / shard["file"]))
    used = {name: tensors[name].float() for name in model.state_dict() if name in tensors}
    model.load_state_dict(used, strict=False)
    return model.eval()


def main(directory, program, rounds, device):
    flags = ["--gpu"] if device == "cuda" else []
    ours = subprocess.Popen([program, str(directory), "--serve", *flags], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert ours.stdout.readline().strip() == "ready"
    model = load(directory).to(device)
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    side = model.config.encoder.input_size
    face = torch.zeros(1, 3, side, side, device=device)
    state = {}

    def ask(job):
        ours.stdin.write(job + "\n")
        ours.stdin.flush()
        return float(ours.stdout.readline())

    def peer(job):
        start = time.perf_counter()
        with torch.inference_mode():
            if job == "invert":
                state["inversion"] = model.invert(face)
                state["inversion"].reconstruction.cpu()
            else:
                edited, _ = model.edit(state["inversion"], torch.zeros_like(state["inversion"].compensated_codes))
                edited.cpu()
        return time.perf_counter() - start

    where = torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"
    print(f"torch {torch.__version__}, {where}")
    for job in ("invert", "edit"):
        cold = (ask(job), peer(job))
        pairs = [(ask(job), peer(job)) for _ in range(rounds)]
        mine, theirs = (statistics.median(column) for column in zip(*pairs))
        ratio = statistics.median(b / a for a, b in pairs)
        print(f"{job}: sdic {mine:.3f} s (cold {cold[0]:.3f}), torch {theirs:.3f} s (cold {cold[1]:.3f}), "
              f"sdic is {ratio:.2f}x as fast (median of {rounds} pairs)")
    ours.stdin.close()


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--gpu"]
    rounds = int(arguments[2]) if len(arguments) > 2 else 5
    main(pathlib.Path(arguments[0]), arguments[1], rounds, "cuda" if "--gpu" in sys.argv else "cpu")
