#!/usr/bin/env python3
"""Writes a model as two ONNX graphs, for peers to run: inversion, and an edit that adds an offset to the codes.

usage: export.py WEIGHTS_DIR OUT

Needs torch, onnx, numpy and safetensors. Writes OUT/invert.onnx, OUT/edit.onnx, and for comparison two inputs and what
PyTorch makes of them: OUT/face.bin [3,H,W] in -1..1, of pixels of 8 bits, OUT/offset.npy [styles,D], and the pictures
OUT/inverted.bin and OUT/edited.bin. A .bin is f32, little-endian, without a header.
"""

import json
import pathlib
import sys

import numpy as np
import torch
from safetensors.torch import load_file

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from training.networks import ModelConfig, Sdic, generator, layers
from training.networks.model import Inversion

# Fields of an inversion that an edit needs.
STATE = ("compensated_codes", "compensated_feature", "lower_feature", "lower_skip")


def load(weights):
    """The model in a weights directory."""
    manifest = json.loads((weights / "manifest.json").read_text())
    model = Sdic(ModelConfig.from_json(manifest["config"]))
    tensors = {}
    for shard in manifest["shards"]:
        tensors.update(load_file(weights / shard["file"]))
    used = {name: tensors[name].float() for name in model.state_dict() if name in tensors}
    model.load_state_dict(used, strict=False)
    return model.eval()


def scale_channels(x, factors):
    """As in `layers`, without the permutations that are quick in PyTorch only."""
    return x * factors[:, :, None, None]


class Invert(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, face):
        inversion = self.model.invert(face)
        return (inversion.reconstruction, *(getattr(inversion, name) for name in STATE))


class Edit(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, offset, *state):
        given = dict.fromkeys(Inversion.__dataclass_fields__) | dict(zip(STATE, state, strict=True))
        return self.model.edit(Inversion(**given), offset)[0]


def main(weights, out):
    out.mkdir(parents=True, exist_ok=True)
    model = load(weights)
    side = model.config.encoder.input_size
    rows, columns = torch.meshgrid(torch.linspace(-1, 1, side), torch.linspace(-1, 1, side), indexing="ij")
    face = torch.stack([0.5 * torch.sin(4 * columns), 0.5 * torch.cos(5 * rows), 0.3 * columns * rows])[None]
    face = ((face + 1) * 127.5).round() / 127.5 - 1
    offset = torch.linspace(-0.1, 0.1, model.latent_avg.numel()).view(1, *model.latent_avg.shape)
    options = {"opset_version": 17, "dynamo": False}
    kept = layers.scale_channels
    layers.scale_channels = generator.scale_channels = scale_channels
    with torch.inference_mode():
        inverted, *state = Invert(model)(face)
        edited = Edit(model)(offset, *state)
        torch.onnx.export(
            Invert(model),
            (face,),
            out / "invert.onnx",
            input_names=["face"],
            output_names=["picture", *STATE],
            **options,
        )
        torch.onnx.export(
            Edit(model),
            (offset, *state),
            out / "edit.onnx",
            input_names=["offset", *STATE],
            output_names=["picture"],
            **options,
        )
    layers.scale_channels = generator.scale_channels = kept
    np.save(out / "offset.npy", offset[0].numpy())
    for name, tensor in (("face", face), ("inverted", inverted), ("edited", edited)):
        (out / f"{name}.bin").write_bytes(tensor.contiguous().numpy().astype("<f4").tobytes())


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
