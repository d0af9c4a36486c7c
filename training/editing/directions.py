"""Edits by the directions of a weights directory: what the page computes from a manifest and its tensors."""

from __future__ import annotations

import torch

from ..landmarks import beyond_shown
from ..networks import Inversion, Sdic
from .motion import fields


def direction(manifest: dict, name: str) -> dict:
    return next(d for d in manifest["directions"] if d["name"] == name)


def offset(manifest: dict, tensors: dict[str, torch.Tensor], name: str, strength: float) -> torch.Tensor:
    """What a linear direction adds to the codes, [styles,D]."""
    entry = direction(manifest, name)
    start, end = entry["styles"]
    found = torch.zeros_like(tensors["latent_avg"])
    found[start:end] = strength * tensors[entry["tensor"]].expand_as(found)[start:end]
    return found


def effective(entry: dict, strength: float, landmarks):
    """The strengths [n] that faces with landmarks [n,68,2] need to reach that of a slider: less where they show
    part of it already."""
    strengths = torch.full((len(landmarks),), float(strength), device=landmarks.device)
    if "shown" not in entry:
        return strengths
    return beyond_shown(strengths, landmarks, entry["range"][1], entry["shown"]["points"], *entry["shown"]["range"])


def edit(
    model: Sdic,
    manifest: dict,
    tensors: dict[str, torch.Tensor],
    inversion: Inversion,
    strengths: dict[str, float],
    landmarks=None,
):
    """`Sdic.edit` by strengths of linear directions, on faces with the given landmarks [n,68,2] or average ones;
    the motion of the faces comes third, None if they do not move."""
    entries = {name: direction(manifest, name) for name in strengths}
    count = len(inversion.compensated_codes)
    if landmarks is None:
        amounts = {name: torch.full((count,), float(strength)) for name, strength in strengths.items()}
    else:
        amounts = {name: effective(entries[name], strength, landmarks) for name, strength in strengths.items()}

    def total(part):
        known = [(entries[name].get(part), amount) for name, amount in amounts.items()]
        found = [amount.view(-1, *[1] * tensors[tensor].dim()) * tensors[tensor] for tensor, amount in known if tensor]
        return sum(found) if found else None

    added = sum(amount[:, None, None] * offset(manifest, tensors, name, 1.0) for name, amount in amounts.items())
    displacements, change = total("motion"), total("change")
    if displacements is None and change is None:
        return *model.edit(inversion, added), None
    shape = tensors[manifest["face_shape"]]
    landmarks = shape.expand(count, -1, -1) if landmarks is None else landmarks
    still = torch.zeros_like(landmarks)
    motion, place = fields(landmarks, still if displacements is None else displacements, shape)
    motion = None if displacements is None else motion
    return *model.edit(inversion, added, motion, change, place), motion
