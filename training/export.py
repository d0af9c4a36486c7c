#!/usr/bin/env python3
"""Stage 5: the weights directory of the trained model: shards, manifest, sample portraits.

The average code moves from the heads' biases into `latent_avg`. Sample portraits are drawn from a Gaussian
fitted to the codes in the space of their principal components; those chosen by looking (about-<budget>.json) are kept.
"""

from __future__ import annotations

import argparse
import json
import pathlib

import torch
from PIL import Image

from budgets import BUDGETS
from sdic import Sdic, run, weights
from sdic.appearance import REACH, SLIDERS
from sdic.edits import Editable

TITLES = {
    "smile": ("Smile", "Expression"),
    "age": ("Age", "Age & identity"),
    "gender": ("Feminine", "Age & identity"),
    "yaw": ("Turn", "Pose"),
    "pitch": ("Nod", "Pose"),
    "glasses": ("Glasses", "Accessories"),
    "mouth": ("Open mouth", "Expression"),
    "eyes": ("Open eyes", "Expression"),
    "brows": ("Raise brows", "Expression"),
    "slim": ("Slim face", "Shape"),
}


def drawn_codes(codes, count: int, spread: float = 1.0):
    """Codes [count,styles,D] from the Gaussian of `codes` in the space of their principal components, `spread` times as wide."""
    flat = codes.flatten(1)
    mean = flat.mean(0)
    _, sizes, basis = torch.svd_lowrank(flat - mean, q=64, niter=3)
    draws = torch.randn(count, 64) * sizes / len(flat) ** 0.5
    return (mean + spread * draws @ basis.T).view(-1, *codes.shape[1:])


def portraits(model: Sdic, fitted: dict, count: int, spread: float, seed: int, batch: int = 24):
    """Candidates for the sample portraits, [count,3,S,S]."""
    torch.manual_seed(seed)
    codes = drawn_codes(fitted["codes"].float(), count, spread)
    return torch.cat([model.decoder(part)[0] for part in codes.split(batch)])


def picture(image) -> Image.Image:
    pixels = ((image.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0)
    return Image.fromarray(pixels.contiguous().numpy())


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--budget", choices=BUDGETS, required=True)
    args.add_argument("--work", type=pathlib.Path, required=True, help="folder of checkpoints and directions.pt")
    args.add_argument("--state", default="edits.pt", help="checkpoint in that folder")
    args.add_argument("--about", type=pathlib.Path, required=True, help="JSON: manifest texts, ranges, components, samples")
    args.add_argument("--out", type=pathlib.Path, required=True)
    args.add_argument("--dtype", choices=("f16", "f32", "q8"), default="f16")
    args = args.parse_args()
    about = json.loads(args.about.read_text(encoding="utf-8"))
    fitted = run.load(args.work / "directions.pt")
    model = Editable(BUDGETS[args.budget].model).eval().requires_grad_(False)
    run.take(model, run.load(args.work / args.state)["average"])
    model.move_average(fitted["mean"])

    tensors, directions = weights.model_tensors(model), []

    def add(name, label, group, tensor, span, **parts):
        entry = {"name": name, "label": label, "group": group, "kind": "linear", "tensor": f"directions.{name}",
                 "range": span, "styles": [0, model.config.styles]}
        tensors[entry["tensor"]] = tensor
        for part, values in parts.items():
            if values.any():
                entry[part] = f"directions.{name}.{part}"
                tensors[entry[part]] = values
        directions.append(entry)

    tensors["face.shape"], about["face_shape"] = model.edits.shape, "face.shape"
    for name in about.pop("sliders"):
        label, group = TITLES[name]
        row = SLIDERS.index(name)
        add(name, label, group, model.edits.directions[row], REACH[name], motion=model.edits.shifts[row], change=model.edits.changes[row])
    for spec in about.pop("components"):
        add(spec["name"], spec["label"], "Explore", spec.get("sign", 1) * fitted["components"][spec["component"]], spec["range"])

    samples = about.pop("samples")
    images = portraits(model, fitted, samples["count"], samples["spread"], samples["seed"])
    (args.out / "samples").mkdir(parents=True, exist_ok=True)
    about["samples"] = []
    for i, chosen in enumerate(samples["chosen"], 1):
        picture(images[chosen]).save(args.out / "samples" / f"{i:02d}.png", optimize=True)
        about["samples"].append({"file": f"samples/{i:02d}.png", "label": f"Generated portrait {i}"})
    weights.write(args.out, model.config, tensors, args.dtype, about, directions)
    total = sum(f.stat().st_size for f in args.out.glob("shard-*.safetensors"))
    print(f"{len(tensors)} tensors, {total / 1e6:.1f} MB in {args.out}")


if __name__ == "__main__":
    main()
