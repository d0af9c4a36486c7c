"""Checkpoints in the work folder, and what is taken from them."""

from __future__ import annotations

import pathlib
import sys

import torch
from torch import nn

from .networks import Sdic


def save(path: pathlib.Path, state: dict):
    """Writes through a temporary file, so that an interrupted save leaves the old one."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.rename(path)


def load(path: pathlib.Path, device="cpu") -> dict:
    if not path.exists():
        sys.exit(f"{path}: no such checkpoint; run the stage of train.sh, or the line of prepare.sh, that writes it")
    return torch.load(path, map_location=device, weights_only=True)


def convert(value, dtype: torch.dtype):
    """The same state with its tensors of floats, but not single numbers, in another type."""
    if isinstance(value, torch.Tensor):
        return value.to(dtype) if value.is_floating_point() and value.dim() else value
    if isinstance(value, dict):
        return {key: convert(part, dtype) for key, part in value.items()}
    return [convert(part, dtype) for part in value] if isinstance(value, (list, tuple)) else value


def take(module: nn.Module, trained: dict):
    """Loads what a stage trained into a module; what only one of the two has is left alone."""
    own = module.state_dict()
    module.load_state_dict(own | {name: tensor for name, tensor in trained.items() if name in own})


def take_average(module: nn.Module, path: pathlib.Path) -> nn.Module:
    """The module with the averaged parameters of a stage's checkpoint."""
    take(module, load(path)["average"])
    return module


def grow(model: Sdic, trained: Sdic):
    """Begins from a model of other sizes: the common corner of every tensor; styles that it lacks begin as its
    last."""
    trained.move_average(torch.zeros_like(trained.latent_avg))
    known, last = trained.state_dict(), trained.config.styles - 1
    with torch.no_grad():
        for name, mine in model.state_dict().items():
            parts = name.split(".")
            if parts[:2] == ["encoder", "styles"]:
                name = ".".join([*parts[:2], str(min(int(parts[2]), last)), *parts[3:]])
            theirs = known.get(name)
            if theirs is not None and theirs.dim() == mine.dim():
                corner = tuple(slice(min(a, b)) for a, b in zip(mine.shape, theirs.shape, strict=True))
                mine[corner] = theirs[corner]
