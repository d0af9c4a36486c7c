#!/usr/bin/env python3
"""Writes final_trace.safetensors: the bundled weights on generated portraits, in PyTorch f32.

`<n>.codes` (w) and `<n>.wp` (w') [styles,D] are f32. `<n>.discrepancy`, `<n>.reconstruction`, `<n>.edit.smile` and
`<n>.unedited.smile` (half of the range's upper end, on an average face) are f16 pictures [3,S,S] in [-1,1], not
clamped. n is one of PORTRAITS: the picture tests/face/portraits/<n>.png, brought to the encoder's size bilinearly.
usage: make_final.py      (needs training/requirements.txt)
"""

from __future__ import annotations

import pathlib
import sys

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))

from training import weights  # noqa: E402
from training.editing.directions import edit  # noqa: E402
from training.networks import layers  # noqa: E402

PORTRAITS = ("01", "02")


def main():
    torch.set_num_threads(1)
    model, manifest, tensors = weights.load_model(ROOT / "weights")
    smile = next(d for d in manifest["directions"] if d["name"] == "smile")
    half = smile["range"][1] / 2
    trace = {}
    for name in PORTRAITS:
        pixels = np.array(Image.open(ROOT / "tests" / "face" / "portraits" / f"{name}.png").convert("RGB"))
        photo = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
        photo = layers.resize(photo, model.config.encoder.input_size)
        with torch.no_grad():
            inversion = model.invert(photo)
            edited, unedited, *_ = edit(model, manifest, tensors, inversion, {"smile": half})
        trace |= {f"{name}.codes": inversion.codes, f"{name}.wp": inversion.compensated_codes}
        pictures = {"discrepancy": inversion.discrepancy, "reconstruction": inversion.reconstruction,
                    "edit.smile": edited, "unedited.smile": unedited}
        trace |= {f"{name}.{key}": value.half() for key, value in pictures.items()}
    save_file({k: v.squeeze(0).contiguous() for k, v in trace.items()}, HERE / "final_trace.safetensors")


if __name__ == "__main__":
    main()
