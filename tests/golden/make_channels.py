#!/usr/bin/env python3
"""Writes what PyTorch makes of shifts of the style channels of the generator in `e4e.pt`: `channels_trace.safetensors`,
and the shifts as people keep them, `../import/channels.pt` and `channels.npz`.

Everything is computed in f32 on one thread from fixed seeds; run again it gives the same tensors.
usage: make_channels.py      (needs training/requirements.txt)
"""

from __future__ import annotations

import numpy
import torch
from make_golden import HERE, fill, random
from make_uncompensated import TINY
from safetensors.torch import load_file, save_file
from training.networks.generator import Generator

STRENGTH = 1.5


def modulations(decoder: Generator):
    """The affine maps of all modulated layers as channels are published: both convolutions and the RGB layer of each
    resolution in turn, of the first resolution one convolution. With the style that each is given, and its name."""
    layers = [(decoder.conv1, 0, "4x4/Conv"), (decoder.to_rgb1, 1, "4x4/ToRGB")]
    for block, rgb in enumerate(decoder.to_rgbs):
        side = f"{8 << block}x{8 << block}"
        layers += [
            (decoder.convs[2 * block], 2 * block + 1, f"{side}/Conv0_up"),
            (decoder.convs[2 * block + 1], 2 * block + 2, f"{side}/Conv1"),
            (rgb, 2 * block + 3, f"{side}/ToRGB"),
        ]
    return [(layer.conv.modulation, style, name) for layer, style, name in layers]


def main():
    torch.set_num_threads(1)
    decoder = fill(Generator(TINY), "e4e.decoder.")
    codes = load_file(HERE / "uncompensated_trace.safetensors")["e4e.codes"][None]
    layers = modulations(decoder)
    with torch.no_grad():
        channels = [modulation(codes[:, style]) for modulation, style, _ in layers]
        shifts = [0.3 * random(f"channels.{name}", *own.shape) for own, (_, _, name) in zip(channels, layers, strict=True)]
        for (modulation, _, _), shift in zip(layers, shifts, strict=True):
            modulation.register_forward_hook(lambda _module, _inputs, made, shift=shift: made + STRENGTH * shift)
        picture = decoder(codes)[0]
    trace = {
        "channels": torch.cat(channels, 1).squeeze(0),
        "shifts": torch.cat(shifts, 1).squeeze(0),
        "picture": picture.squeeze(0),
    }
    save_file({name: tensor.contiguous() for name, tensor in trace.items()}, HERE / "channels_trace.safetensors")
    files = HERE.parent / "import"
    torch.save(shifts, files / "channels.pt")
    by_layer = {name.replace("/", "_"): shift.numpy() for shift, (_, _, name) in zip(shifts, layers, strict=True)}
    numpy.savez(files / "channels.npz", **by_layer)


if __name__ == "__main__":
    main()
