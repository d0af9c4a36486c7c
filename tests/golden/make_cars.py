#!/usr/bin/env python3
"""Writes `cars.pt` of this folder, a tiny checkpoint with the layout of the authors' car model, and what PyTorch makes
of a photo with it: `cars_trace.safetensors`.

The car model sees a picture of 4:3 between black bars, as its data set has them, and of its square output the rows in
between are kept. Everything is computed in f32 on one thread from fixed seeds; run again it gives the same tensors.
usage: make_cars.py      (needs training/requirements.txt)
"""

from __future__ import annotations

import json

import torch
from make_golden import HERE, fill, random, test_image
from safetensors.torch import save_file
from training.networks import ModelConfig, Sdic
from training.networks.config import DicnConfig, DipnConfig, EncoderConfig

CARS = ModelConfig(
    image_size=64,
    crop=(48, 64),
    style_dim=16,
    channels=(12, 10, 8, 6, 4),
    mapping_layers=2,
    inject_size=16,
    encoder=EncoderConfig(input_size=32, units=(1, 2, 2, 1), widths=(4, 6, 8, 12), head_width=8),
    dipn=DipnConfig(features=(4, 5, 6, 8, 10), descriptor=4, volume=2),
    # As in the released car model, the map has more channels than there are styles.
    dicn=DicnConfig(stem=5, middle=7, latent_map=8, condition=12),
)


def rows(side: int) -> slice:
    """Those that are picture, of a square."""
    kept = side * CARS.crop[0] // CARS.image_size
    return slice((side - kept) // 2, (side + kept) // 2)


def main():
    torch.set_num_threads(1)
    torch.serialization.register_package(0, lambda _: "cuda:0", lambda obj, _: obj)
    side = CARS.encoder.input_size
    with torch.no_grad():
        model = fill(Sdic(CARS), "cars.")
        for layer in [model.decoder.to_rgb1, *model.decoder.to_rgbs]:
            layer.conv.weight *= 0.4  # little is beyond black and white, where nothing could be compared
        picture = test_image(side)[:, :, rows(side)]
        letterboxed = torch.full((1, 3, side, side), -1.0)
        letterboxed[:, :, rows(side)] = picture
        inversion = model.invert(letterboxed)
        direction = random("cars.direction", 1, CARS.style_dim)
        edited, unedited = model.edit(inversion, 1.5 * direction.expand(CARS.styles, -1)[None])
    output = {"reconstruction": inversion.reconstruction, "edited": edited, "unedited": unedited}
    trace = {"picture": picture, "codes": inversion.codes, "wp": inversion.compensated_codes}
    trace |= {name: image[:, :, rows(CARS.image_size)] for name, image in output.items()}
    trace = {name: tensor.squeeze(0).contiguous() for name, tensor in trace.items()} | {"direction": direction}
    save_file(trace, HERE / "cars_trace.safetensors")
    state = dict(model.state_dict())
    average = state.pop("latent_avg")
    opts = {
        "dataset_type": "cars_encode",
        "encoder_type": "Encoder4Editing",
        "start_from_latent_avg": True,
        "config": json.dumps(CARS.to_json()),
    }
    torch.save({"state_dict": state, "latent_avg": average, "opts": opts}, HERE / "cars.pt")
    for name, tensor in trace.items():
        beyond = (tensor.abs() > 1).float().mean()
        print(f"{name:20} {tuple(tensor.shape)!s:16} rms {tensor.square().mean().sqrt():.3f}, {beyond:.0%} beyond 1")


if __name__ == "__main__":
    main()
