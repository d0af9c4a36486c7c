#!/usr/bin/env python3
"""Writes the golden files of this folder: a tiny model, its trace, and single layers.

Everything is computed in PyTorch f32 on one thread from fixed seeds; run again it gives the same files.
usage: make_golden.py      (needs training/requirements.txt)
"""

from __future__ import annotations

import json
import pathlib
import sys
import zlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from training import weights  # noqa: E402
from training.editing import directions as edits  # noqa: E402
from training.editing import motion  # noqa: E402
from training.landmarks import LANDMARKS  # noqa: E402
from training.networks import ModelConfig, Sdic, layers  # noqa: E402
from training.networks.config import DicnConfig, DipnConfig, EditorConfig, EncoderConfig  # noqa: E402
from training.networks.dicn import LatentFusion  # noqa: E402
from training.networks.dipn import ContextFusion  # noqa: E402
from training.networks.encoder import StyleHead, upsample_add  # noqa: E402
from training.networks.feature_editor import FeatureEditor  # noqa: E402
from training.networks.generator import (  # noqa: E402
    Blur,
    FusedLeakyReLU,
    ModulatedConv2d,
    StyledConv,
    ToRGB,
    Upsample,
)

TINY = ModelConfig(
    image_size=32,
    style_dim=24,
    channels=(20, 14, 10, 6),
    inject_size=16,
    encoder=EncoderConfig(input_size=64, units=(1, 2, 2, 1), widths=(6, 8, 12, 18), head_width=12),
    dipn=DipnConfig(features=(4, 5, 6, 8, 10), descriptor=4, volume=2),
    dicn=DicnConfig(stem=5, middle=7, latent_map=12),
    editor=EditorConfig(width=8, plan=3, fold=2, detail=2, covering=2),
)


def random(name: str, *shape: int) -> torch.Tensor:
    """Standard normal values that depend on the name only."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(zlib.crc32(name.encode())))


def fill(module: nn.Module, prefix: str) -> nn.Module:
    """Deterministic values that keep activations near unit scale and make every parameter count."""
    norms = {n for n, m in module.named_modules() if hasattr(m, "running_mean")}
    transposed = {n for n, m in module.named_modules() if isinstance(m, (nn.ConvTranspose2d, nn.ConvTranspose3d))}
    equalised = {n for n, m in module.named_modules() if hasattr(m, "scale")}
    prelus = {n for n, m in module.named_modules() if isinstance(m, layers.PReLU)}
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            owner, _, leaf = name.rpartition(".")
            if leaf == "num_batches_tracked":
                continue
            values = random(prefix + name, *tensor.shape)
            if leaf == "running_mean":
                values = 0.1 * values
            elif leaf == "running_var":
                values = (0.2 * values).exp()
            elif owner in norms:
                values = 1 + 0.2 * values if leaf == "weight" else 0.1 * values
            elif owner in prelus:
                values = 0.25 + 0.05 * values
            elif owner.endswith("noise"):
                values = 0.1 * values
            elif leaf == "bias":
                values = 0.1 * values + (1.0 if owner.endswith("modulation") else 0.0)
            elif "noise_" in leaf or leaf in ("input", "latent_avg") or owner in equalised:
                values = 0.5 * values if "to_rgb" in owner else values
            else:
                axis = 0 if owner in transposed else 1
                taps = tensor[0, 0].numel() / (2 ** (tensor.dim() - 2) if owner in transposed else 1)
                values = values * (1.3 / (tensor.shape[axis] * taps) ** 0.5)
            tensor.copy_(values)
    return module.eval()


def test_image(size: int) -> torch.Tensor:
    """A smooth coloured pattern [1,3,S,S] of exact 8-bit values in [-1,1]."""
    at = torch.linspace(0, 1, size)
    y, x = at[:, None], at[None]
    planes = [torch.sin(9 * x + 4 * y), torch.cos(7 * y - 3 * x), torch.sin(20 * x * y) * torch.cos(5 * x)]
    image = torch.stack([p * 0.4 + 0.1 * (i - 1) for i, p in enumerate(planes)])[None]
    return ((image + 1) * 127.5).round() / 127.5 - 1


def tiny_model():
    """The tiny weights directory and the trace of every intermediate that helps to find a mistake."""
    model = fill(Sdic(TINY), "tiny.")
    # Landmarks on a grid that is not quite even, moved together: a motion that folds is held back, unlike here.
    columns = torch.arange(LANDMARKS)
    shape = 0.14 + 0.09 * torch.stack([columns % 9, columns // 9], 1) + 0.01 * random("shape", LANDMARKS, 2)
    extra = {
        "directions.tilt": random("tilt", 1, TINY.style_dim),
        "directions.tilt.motion": 0.1 * (shape - 0.5) @ random("motion", 2, 2) + 0.002 * random("jitter", LANDMARKS, 2),
        "directions.tilt.change": random("change", *TINY.change_shape),
        "directions.tilt.cover": random("cover", TINY.image_size, TINY.image_size),
        "directions.bend": random("bend", TINY.styles, TINY.style_dim),
        "basis.comp": F.normalize(random("comp", 4, 1, TINY.style_dim), dim=2),
        "basis.mean": 0.1 * random("mean", 1, TINY.style_dim),
        "basis.std": 1 + 0.2 * random("std", 4).abs(),
        "face.shape": shape,
        "plan.shape": shape + 0.02 * random("layout", LANDMARKS, 2),
    }
    directions = [
        {"name": "tilt", "label": "Tilt", "group": "Pose", "kind": "linear", "tensor": "directions.tilt",
         "motion": "directions.tilt.motion", "change": "directions.tilt.change", "range": [-3, 3],
         "cover": {"tensor": "directions.tilt.cover", "shown": {"points": [0, 8], "range": [3.0, 30.0]}},
         "styles": [0, TINY.styles]},
        {"name": "bend", "label": "Bend", "group": "Expression", "kind": "linear", "tensor": "directions.bend",
         "change": "directions.tilt.change", "turned": [0.1, 0.2], "range": [-2, 2], "styles": [1, 4]},
        {"name": "third", "label": "Third component", "group": "Explore", "kind": "ganspace", "basis": "basis",
         "component": 2, "styles": [2, 5], "range": [-4, 4]},
    ]
    about = {
        "name": "golden-tiny", "face_shape": "face.shape", "plan_shape": "plan.shape",
        "title": "Tiny random model for tests",
        "provenance": "Random values from tests/golden/make_golden.py; not trained.", "licence": "MIT OR Apache-2.0",
    }
    tensors = weights.model_tensors(model) | extra
    weights.write(HERE / "tiny", TINY, tensors, "f32", about, directions)

    image = test_image(TINY.encoder.input_size)
    trace = {"image": image}
    hooks = []

    def keep(name, module):
        def hook(_module, _inputs, output):
            trace.setdefault(name, output.detach().clone())

        hooks.append(module.register_forward_hook(hook))

    dip, hourglass = model.DIP, model.DIP.hourglass_fusion
    for i in model.encoder.taps:
        keep(f"encoder.body.{i}", model.encoder.body[i])
    keep("decoder.conv1", model.decoder.conv1)
    keep("decoder.convs.0", model.decoder.convs[0])
    keep("decoder.to_rgbs.0", model.decoder.to_rgbs[0])
    for branch in ("feature1", "feature2"):
        for level in ("fe4", "fe5"):
            keep(f"DIP.{branch}.{level}", getattr(getattr(dip, branch), level))
    for level in ("deconv8_4", "deconv4_2"):
        keep(f"DIP.feature_up.{level}", getattr(dip.feature_up, level))
    for name, module in hourglass.named_children():
        keep(f"DIP.hourglass_fusion.{name}", module)
    keep("SAF.semantic", model.SAF.semantic)
    keep("SAF.att", model.SAF.att)
    keep("SAF.aff1d.sen", model.SAF.aff1d.sen)
    inversion = model.invert(image)
    for hook in hooks:
        hook.remove()
    _, p2, p1 = model.encoder.pyramid(image)
    volume, _ = dip.descriptors(image, layers.resize(inversion.initial.clamp(-1, 1), TINY.encoder.input_size))
    trace |= {
        "encoder.p2": p2, "encoder.p1": p1, "DIP.volume": volume,
        "codes": inversion.codes, "initial.full": inversion.initial, "g_inject": inversion.initial_feature,
        "discrepancy": inversion.discrepancy, "wp": inversion.compensated_codes, "residual": inversion.residual,
        "shift": inversion.injected_residual, "reconstruction": inversion.reconstruction,
    }

    def offset(kind: str, strength: float):
        found = torch.zeros_like(inversion.compensated_codes)
        entry = next(d for d in directions if d["name"] == kind)
        start, end = entry["styles"]
        if entry["kind"] == "linear":
            found[:, start:end] += strength * extra[entry["tensor"]].expand(TINY.styles, -1)[start:end]
        else:
            comp, std = extra["basis.comp"][entry["component"]], extra["basis.std"][entry["component"]]
            at = ((inversion.compensated_codes[0, 0] - extra["basis.mean"][0]) * comp[0]).sum() / std
            found[:, start:end] += (strength - at) * comp * std
        return found

    strengths = {"tilt": 1.5, "bend": -1.0, "third": 2.0}
    landmarks = shape[None] + 0.01 * random("points", 1, LANDMARKS, 2)
    about["directions"] = directions

    def edit(landmarks=None, **strengths):
        return edits.edit(model, about, tensors, inversion, strengths, landmarks)

    trace["points"] = landmarks
    trace["edit.tilt"], trace["unedited.tilt"], trace["motion.tilt"], cover = edit(landmarks, tilt=1.5)
    trace["cover.tilt"] = cover
    trace["own.tilt"] = layers.warp(image, trace["motion.tilt"], TINY.image_size)
    trace["average.tilt"], *_ = edit(tilt=1.5)
    trace["edit.bend"], *_ = edit(landmarks, bend=-1.0)
    trace["edit.tilt+bend"], trace["unedited.tilt+bend"], *_ = edit(tilt=1.5, bend=-1.0)
    # Under the cover of one, the plan of the other is not drawn.
    trace["edit.both up"], *_ = edit(landmarks, tilt=1.5, bend=1.0)
    trace["edit.third"], _ = model.edit(inversion, offset("third", strengths["third"]))
    trace["edit.none"], _ = model.edit(inversion, torch.zeros_like(inversion.compensated_codes))
    # The published rule for one direction: the residual itself on top of the edited G_R.
    edited_codes = inversion.compensated_codes + offset("tilt", 1.5)
    feature, skip = model.decoder.head(edited_codes)
    trace["published.tilt"] = model.decoder.tail(feature + inversion.residual, skip, edited_codes)
    # A model without a feature editor adds a change as it is.
    model.feature_editor = None
    plain = random("plain", TINY.inject_channels, TINY.inject_size, TINY.inject_size)
    tensors["directions.tilt.change"] = trace["plain"] = plain
    trace["plain.tilt"], *_ = edit(landmarks, tilt=1.5)
    trace = {k: v.detach().squeeze(0).contiguous() for k, v in trace.items()}
    save_file(trace, HERE / "tiny_trace.safetensors", metadata={"edits": json.dumps(strengths)})
    return trace


def layer_cases():
    """Single layers as `<case>.in[.k]`, `<case>.weight.<parameter>` and `<case>.out`."""
    out = {}

    def case(name, module, *inputs):
        fill(module, name)
        result = module(*inputs)
        for i, tensor in enumerate(inputs):
            out[f"{name}.in" if len(inputs) == 1 else f"{name}.in.{i}"] = tensor
        for key, tensor in module.state_dict().items():
            if not key.endswith("num_batches_tracked"):
                out[f"{name}.weight.{key}"] = tensor
        several = isinstance(result, tuple)
        out.update({f"{name}.out.{i}": part for i, part in enumerate(result)} if several else {f"{name}.out": result})

    def plain(name, function, *inputs):
        for i, tensor in enumerate(inputs):
            out[f"{name}.in" if len(inputs) == 1 else f"{name}.in.{i}"] = tensor
        out[f"{name}.out"] = function(*inputs)

    x = random("x", 2, 6, 8, 8)
    style = random("style", 2, 10)
    case("modulated", ModulatedConv2d(6, 5, 3, 10), x, style)
    case("modulated_up", ModulatedConv2d(6, 5, 3, 10, upsample=True), x, style)
    case("modulated_rgb", ModulatedConv2d(6, 3, 1, 10, demodulate=False), x, style)
    case("styled_up", StyledConv(6, 5, 10, upsample=True), x, style, random("noise", 1, 1, 16, 16))
    case("to_rgb", ToRGB(6, 10), x, style, random("skip", 2, 3, 4, 4))
    case("fused_leaky_relu", FusedLeakyReLU(6), x)
    plain("blur", Blur(), random("blur", 2, 6, 9, 9))
    plain("upsample", Upsample(), random("rgb", 2, 3, 5, 5))
    case("equal_linear", layers.EqualLinear(10, 7), style)
    case("mapping_layer", layers.EqualLinear(10, 10, lr_mul=0.01, activate=True), style)
    case("equal_conv", layers.EqualConv2d(6, 4), x)
    case("basic_conv", layers.BasicConv(6, 5, stride=2), x)
    case("basic_conv_transposed", layers.BasicConv(6, 5, 4, 2, 1, transposed=True), x)
    volume = random("volume", 2, 4, 6, 8, 10)
    case("basic_conv3d", layers.BasicConv(4, 5, stride=2, dims=3), volume)
    case("basic_conv3d_flat", layers.BasicConv(4, 5, (1, 5, 5), padding=(0, 2, 2), dims=3), volume)
    case("basic_conv3d_transposed", layers.BasicConv(4, 3, 4, 2, 1, dims=3, transposed=True), volume)
    case("conv3d_transposed_plain", layers.BasicConv(4, 1, 4, 2, 1, dims=3, transposed=True, norm=False), volume)
    case("context_fusion", ContextFusion(4, 6), volume, random("features", 2, 6, 8, 10))
    case("bottleneck_subsampled", layers.Bottleneck(6, 6, 2), x)
    case("bottleneck_projected", layers.Bottleneck(6, 20, 2), x)
    case("bottleneck_plain", layers.Bottleneck(6, 6, 1, squeeze=False), x)
    case("squeeze_excite", layers.SqueezeExcite(20), random("se", 2, 20, 5, 5))
    case("style_head", StyleHead(6, 5, 10, 8), x)
    plain("upsample_add", upsample_add, random("coarse", 2, 6, 4, 4), x)
    # Smooth, as fields are: at a side that does not divide GRID, f32 is not enough between the cells of white noise.
    field = 0.3 * layers.resize(random("motion", 1, 2, 16, 16), motion.GRID)
    plain("warp", layers.warp, random("warped", 1, 3, 6, 6), field)
    shape = 0.5 + 0.15 * random("shape", 1, LANDMARKS, 2)
    landmarks = shape + 0.03 * random("points", 1, LANDMARKS, 2)
    shifts = 0.03 * random("shifts", 1, LANDMARKS, 2)
    plain("fields", lambda p, s, t: torch.cat(motion.fields(p, s, t[0]), 1), landmarks, shifts, shape)
    plain("resize_down", lambda t: layers.resize(t, 5), x)
    plain("resize_up", lambda t: layers.resize(t, 13), x)
    plain("resize_half", lambda t: layers.resize(t, 4), x)
    case("feature_editor", FeatureEditor(TINY), random("injected", 2, 10, 8, 8), random("plan", 2, 3, 16, 16))
    # Three plans of one face, on each other.
    plans, covers = random("plans", 3, 2, 6, 6), random("covers", 3, 1, 6, 6).clamp(0, 1)
    plain("layered", lambda p, c: edits.layered(p.split(1), c.split(1)), plans, covers)
    case("latent_fusion", LatentFusion(12, 6), random("condition", 2, 12, 10), random("codes", 2, 6, 10))
    return {k: v.detach().clone(memory_format=torch.contiguous_format) for k, v in out.items()}


def main():
    torch.set_num_threads(1)
    with torch.no_grad():
        trace = tiny_model()
        save_file(layer_cases(), HERE / "layers.safetensors")
    for name, tensor in trace.items():
        print(f"{name:40} {tuple(tensor.shape)!s:20} rms {tensor.square().mean().sqrt():.3f}")


if __name__ == "__main__":
    main()
