#!/usr/bin/env python3
"""Writes `e4e.pt` and `psp.pt` of this folder, tiny checkpoints as e4e and pSp save theirs, `stylegan2.pt`, a generator
alone, and what PyTorch makes of them: `uncompensated_trace.safetensors`.

Everything is computed in f32 on one thread from fixed seeds; run again it gives the same tensors.
usage: make_uncompensated.py      (needs training/requirements.txt)
"""

from __future__ import annotations

import json

import torch
from make_golden import HERE, fill, random, test_image
from safetensors.torch import save_file
from training.networks import ModelConfig
from training.networks.config import EncoderConfig
from training.networks.encoder import Encoder, apply_heads
from training.networks.generator import Generator

TINY = ModelConfig(
    image_size=32,
    style_dim=16,
    channels=(12, 10, 8, 6),
    mapping_layers=8,
    inject_size=16,
    encoder=EncoderConfig(input_size=64, units=(1, 2, 2, 1), widths=(4, 6, 8, 12), head_width=8),
)


def config_of(heads: str) -> str:
    """The sizes as a manifest has them; the authors' checkpoints tell them by the number of their style heads."""
    config = TINY.to_json()
    del config["dipn"], config["dicn"]
    config["encoder"]["heads"] = heads
    return json.dumps(config)


def outputs_of_heads(encoder: Encoder, image):
    """What each style head says by itself, [n,styles,D]."""
    outputs = []
    for level, group in zip(
        encoder.pyramid(image), (encoder.styles[:3], encoder.styles[3:7], encoder.styles[7:]), strict=True
    ):
        if len(group):
            outputs += apply_heads(group, level)
    return torch.stack(outputs, 1)


def model(name: str, encoder_type: str, heads: str, image):
    """Writes a checkpoint and returns what becomes of the picture."""
    encoder = fill(Encoder(TINY), f"{name}.encoder.")
    decoder = fill(Generator(TINY), f"{name}.decoder.")
    average = 0.2 * random(f"{name}.latent_avg", 1, TINY.style_dim).repeat(TINY.styles, 1)
    outputs = outputs_of_heads(encoder, image)
    codes = average + (outputs if heads == "codes" else encoder(image))
    direction = random(f"{name}.direction", 1, TINY.style_dim)
    trace = {
        "codes": codes,
        "picture": decoder(codes)[0],
        "direction": direction,
        "edited": decoder(codes + 1.5 * direction)[0],
    }
    parts = {"encoder": encoder, "decoder": decoder}
    state = {f"{part}.{key}": value for part, module in parts.items() for key, value in module.state_dict().items()}
    opts = {"encoder_type": encoder_type, "start_from_latent_avg": True, "config": config_of(heads)}
    torch.save({"state_dict": state, "latent_avg": average, "opts": opts}, HERE / f"{name}.pt")
    return {f"{name}.{key}": value.squeeze(0).contiguous() for key, value in trace.items()}


def generator(name: str):
    """Writes a generator as its training saves it and returns what it draws from a random vector."""
    decoder = fill(Generator(TINY), f"{name}.decoder.")
    # As training begins: the learning rate of these layers is a hundredth.
    for layer in decoder.style[1:]:
        layer.weight.mul_(100)
    z = random(f"{name}.z", 1, TINY.style_dim)
    style = decoder.style(z)
    codes = style.unsqueeze(1).repeat(1, TINY.styles, 1)
    trace = {"z": z, "codes": codes, "picture": decoder(codes)[0]}
    torch.save({"g_ema": decoder.state_dict()}, HERE / f"{name}.pt")
    return {f"{name}.{key}": value.squeeze(0).contiguous() for key, value in trace.items()}


def main():
    torch.set_num_threads(1)
    torch.serialization.register_package(0, lambda _: "cuda:0", lambda obj, _: obj)
    image = test_image(TINY.encoder.input_size)
    trace = {"image": image.squeeze(0)}
    with torch.no_grad():
        trace |= model("e4e", "Encoder4Editing", "offsets", image)
        trace |= model("psp", "GradualStyleEncoder", "codes", image)
        trace |= generator("stylegan2")
    save_file(trace, HERE / "uncompensated_trace.safetensors")


if __name__ == "__main__":
    main()
