#!/usr/bin/env python3
"""Stage 5: the weights directory of the trained model: shards, manifest, sample portraits.

The average code moves from the heads' biases into `latent_avg`. The sample portraits are not the model's: they lie in
weights/samples, where convert.py made them, and go into every weights directory with their licence.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import shutil

from budgets import BUDGETS
from sdic import run, weights
from sdic.appearance import REACH, SLIDERS
from sdic.edits import SHOWN, Editable

SAMPLES = pathlib.Path(__file__).resolve().parents[1] / "weights" / "samples"
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


def samples(out: pathlib.Path):
    """The manifest's list of the sample portraits; puts copies of them into `out` where that is another folder."""
    if (out / "samples").resolve() != SAMPLES:
        shutil.copytree(SAMPLES, out / "samples", ignore=shutil.ignore_patterns("*.py"), dirs_exist_ok=True)
    return json.loads((SAMPLES / "samples.json").read_text(encoding="utf-8"))


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--budget", choices=BUDGETS, required=True)
    args.add_argument("--work", type=pathlib.Path, required=True, help="folder of checkpoints and directions.pt")
    args.add_argument("--state", default="crops.pt", help="checkpoint in that folder")
    args.add_argument("--about", type=pathlib.Path, required=True, help="JSON: manifest texts, sliders, components")
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
        if name in SHOWN:
            a, b, *reach = SHOWN[name]
            entry["shown"] = {"points": [a, b], "range": reach}
        directions.append(entry)

    tensors["face.shape"], about["face_shape"] = model.edits.shape, "face.shape"
    for name in about.pop("sliders"):
        label, group = TITLES[name]
        row = SLIDERS.index(name)
        add(name, label, group, model.edits.directions[row], REACH[name], motion=model.edits.shifts[row], change=model.edits.changes[row])
    for spec in about.pop("components"):
        add(spec["name"], spec["label"], "Explore", spec.get("sign", 1) * fitted["components"][spec["component"]], spec["range"])

    about["samples"] = samples(args.out)
    weights.write(args.out, model.config, tensors, args.dtype, about, directions)
    total = sum(f.stat().st_size for f in args.out.glob("shard-*.safetensors"))
    print(f"{len(tensors)} tensors, {total / 1e6:.1f} MB in {args.out}")


if __name__ == "__main__":
    main()
