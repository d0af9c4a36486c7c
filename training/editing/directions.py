"""Edits by the directions of a weights directory: what the page computes from a manifest and its tensors."""

from __future__ import annotations

import torch

from ..landmarks import beyond_shown, frontal, shown
from ..networks import Inversion, Sdic
from ..networks.layers import warp
from .motion import fields

LEAST = 1e-6  # the share of a plan where no cover lies: nobody sees it, but shares make up 1 there, too


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


def facing(entry: dict, landmarks):
    """How much of what a slider draws faces show, [n]: less of it, or nothing, on turned heads."""
    if landmarks is None or "turned" not in entry:
        return 1.0
    return frontal(landmarks, *entry["turned"])


def opacity(strengths, landmarks, known: dict | None):
    """By how much strengths [n] multiply a cover, [n,1,1,1]: not at all on faces that show already what it draws."""
    share = shown(landmarks, known["points"], *known["range"]) if known else 0.0
    return (strengths.clamp(min=0) * (1 - share)).view(-1, 1, 1, 1)


def layered(plans, covers):
    """Plans [n,P,S,S] on each other, the first on top, each with its cover [n,1,S,S] of 0 to 1: what a spot holds of
    each is as much as is seen there of its cover."""
    behind, total, found = 1.0, 0.0, 0.0
    for plan, cover in zip(plans, covers, strict=True):
        share = behind * cover + LEAST
        behind, total, found = behind * (1 - cover), total + share, found + share * plan
    return found / total


def edit(
    model: Sdic,
    manifest: dict,
    tensors: dict[str, torch.Tensor],
    inversion: Inversion,
    strengths: dict[str, float],
    landmarks=None,
):
    """`Sdic.edit` by strengths of linear directions, on faces with the given landmarks [n,68,2] or average ones.
    Third comes the motion of the faces, None if they do not move, and fourth, None for nothing, where the edit draws
    what a photo does not show, [n,1,S,S]."""
    order = [entry["name"] for entry in manifest["directions"]]
    entries = {name: direction(manifest, name) for name in sorted(strengths, key=order.index)}
    count = len(inversion.compensated_codes)
    if landmarks is None:
        amounts = {name: torch.full((count,), float(strength)) for name, strength in strengths.items()}
    else:
        amounts = {name: effective(entries[name], strength, landmarks) for name, strength in strengths.items()}

    drawn = {name: amount * facing(entries[name], landmarks) for name, amount in amounts.items()}

    def total(part, amounts):
        known = [(entries[name].get(part), amount) for name, amount in amounts.items()]
        found = [amount.view(-1, *[1] * tensors[tensor].dim()) * tensors[tensor] for tensor, amount in known if tensor]
        return sum(found) if found else None

    added = sum(amount[:, None, None] * offset(manifest, tensors, name, 1.0) for name, amount in amounts.items())
    displacements, change = total("motion", amounts), total("change", drawn)
    if displacements is None and change is None:
        return *model.edit(inversion, added), None, None
    given = landmarks  # of an average face it is not said what it shows already
    landmarks = tensors[manifest["face_shape"]].expand(count, -1, -1) if given is None else given
    layout = tensors[manifest.get("plan_shape", manifest["face_shape"])]
    still = torch.zeros_like(landmarks)
    motion, place = fields(landmarks, still if displacements is None else displacements, layout)
    motion = None if displacements is None else motion
    upwards = {name: amount.clamp(min=0) for name, amount in drawn.items()}
    covers = {
        name: opacity(amounts[name], landmarks, None if given is None else known.get("shown"))
        * tensors[known["tensor"]]
        for name, entry in entries.items()
        if (known := entry.get("cover"))
    }
    cover = warp(sum(covers.values()), place).clamp(0, 1) if covers else None
    editor, covered = model.feature_editor, None
    layers = [name for name in covers if "change" in entries[name] and upwards[name].any()]
    if layers and editor and editor.covering:
        plans = (total("change", {name: upwards[name]}) for name in layers)
        covered = layered(plans, (covers[name].clamp(0, 1) for name in layers))
    drawn_over = None if covered is None else cover
    pictures = model.edit(inversion, added, motion, change, place, drawn_over, total("change", upwards), covered)
    return *pictures, motion, cover
