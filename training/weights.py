"""The weights directory: manifest.json beside safetensors shards of at most 16 MiB."""

from __future__ import annotations

import hashlib
import json
import pathlib

import torch
from safetensors.torch import load_file, save

from .networks import ModelConfig, Sdic

SHARD_BYTES = 16 * 2**20 - 2**16  # leaves room for the safetensors header
NETWORKS = ("encoder.", "decoder.", "DIP.", "SAF.", "feature_editor.")
DTYPES = {"f16": torch.float16, "f32": torch.float32}


def model_tensors(model: Sdic) -> dict[str, torch.Tensor]:
    """Every tensor inference reads, under its released name."""
    keep = {}
    for name, tensor in model.state_dict().items():
        wanted = name.startswith(NETWORKS) and not name.endswith("num_batches_tracked")
        if wanted or name == "latent_avg":
            keep[name] = tensor
    return keep


def stored(name: str, tensor: torch.Tensor, dtype: str):
    """The stored form of one tensor: its dtype name in the table and the safetensors entries."""
    tensor = tensor.detach().float().cpu()
    if tensor.numel() < 4096:  # batch-norm statistics and biases: small, and may not fit f16
        dtype = "f32"
    elif dtype == "q8" and not name.endswith(".weight"):
        dtype = "f16"
    if dtype != "q8":
        return dtype, {name: tensor.to(DTYPES[dtype]).contiguous()}
    outputs = next(n for n in tensor.shape if n > 1)
    flat = tensor.reshape(outputs, -1)
    scale = flat.abs().amax(1).clamp(min=1e-12) / 127
    values = (flat / scale[:, None]).round().clamp(-127, 127).to(torch.int8)
    return "q8", {name: values.reshape(tensor.shape).contiguous(), f"{name}.scale": scale.contiguous()}


def write(
    folder: pathlib.Path,
    config: ModelConfig,
    tensors: dict[str, torch.Tensor],
    dtype: str,
    about: dict,
    directions: list[dict],
):
    """Writes shards and manifest; `about` holds name, title, provenance, licence and optional entries."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("shard-*.safetensors"):
        old.unlink()
    table, shards, current, size = [], [], {}, 0

    def flush():
        data = save(current)
        file = f"shard-{len(shards):03d}.safetensors"
        (folder / file).write_bytes(data)
        shards.append({"file": file, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()})
        current.clear()

    for name, tensor in tensors.items():
        kind, entries = stored(name, tensor, dtype)
        extra = sum(t.numel() * t.element_size() for t in entries.values())
        if current and size + extra > SHARD_BYTES:
            flush()
            size = 0
        current.update(entries)
        size += extra
        table.append({"name": name, "shape": list(tensor.shape), "dtype": kind, "shard": len(shards)})
    flush()
    about = dict(about)
    head = {"format": 1, "name": about.pop("name"), "title": about.pop("title"), "config": config.to_json()}
    manifest = {**head, "directions": directions, **about, "shards": shards, "tensors": table}
    (folder / "manifest.json").write_text(readable(manifest) + "\n", encoding="utf-8")


def readable(manifest: dict) -> str:
    """JSON with one line per entry of the lists."""

    def dump(value):
        return json.dumps(value, ensure_ascii=False)

    def entry(value):
        if isinstance(value, list) and value:
            return "[\n  " + ",\n  ".join(map(dump, value)) + "\n ]"
        return dump(value)

    lines = [f" {dump(key)}: {entry(value)}" for key, value in manifest.items()]
    return "{\n" + ",\n".join(lines) + "\n}"


def read(folder: pathlib.Path) -> tuple[dict, dict[str, torch.Tensor]]:
    """The manifest of a weights directory and its tensors in f32."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    entries = {}
    for shard in manifest["shards"]:
        entries |= load_file(folder / shard["file"])
    tensors = {}
    for row in manifest["tensors"]:
        value = entries[row["name"]].float()
        if row["dtype"] == "q8":
            scale = entries[f"{row['name']}.scale"]
            value = (value.view(len(scale), -1) * scale[:, None]).view(value.shape)
        tensors[row["name"]] = value
    return manifest, tensors


def load_model(folder: pathlib.Path) -> tuple[Sdic, dict, dict[str, torch.Tensor]]:
    """The model of a weights directory, its manifest and its tensors."""
    manifest, tensors = read(folder)
    model = Sdic(ModelConfig.from_json(manifest["config"])).eval().requires_grad_(False)
    own = {k: v for k, v in tensors.items() if k.startswith(NETWORKS) or k == "latent_avg"}
    model.load_state_dict(model.state_dict() | own)
    return model, manifest, tensors
