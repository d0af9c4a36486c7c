"""How close a model comes to photos, and its edits to what the teachers want. Images are [n,3,S,S] in [-1,1]."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..editing.edits import Editable, in_photo
from ..networks import Sdic
from ..sliders import SLIDERS
from ..teachers.editor import Editor


def psnr(a, b):
    """Per-image PSNR in dB of 8-bit pictures, [n]."""
    return 10 * torch.log10(4 / (a.clamp(-1, 1) - b).square().mean((1, 2, 3)))


def correlation(a, b):
    """Of all values of two batches, less the mean of each picture's channels."""
    a, b = (x - x.mean((2, 3), keepdim=True) for x in (a, b))
    return (a * b).sum() / (a.square().sum() * b.square().sum()).sqrt()


def grid(x):
    """How much pictures repeat every two pixels: standard deviation of the means over the four phases."""
    return F.pixel_unshuffle(x.mean((0, 1), keepdim=True), 2).mean((0, 2, 3)).std()


def fine(a, b):
    """Energy of detail finer than 4 pixels, in shares of another batch's."""

    def high(x):
        return (x - F.avg_pool2d(F.pad(x, (2, 1, 2, 1), mode="reflect"), 4, 1)).square().sum()

    return high(a.clamp(-1, 1)) / high(b)


@torch.no_grad()
def fidelity(model: Sdic, photos) -> dict[str, float]:
    """How close inversions come to photos, and how well DIPN's map shows what the plain ones lack."""
    inversions = [model.invert(part) for part in photos.split(16)]
    names = "initial", "reconstruction", "discrepancy"
    plain, full, found = (torch.cat([getattr(inversion, name) for inversion in inversions]) for name in names)
    small, size = model.seen(photos), model.config.encoder.input_size
    lost = small - model.shown(plain)
    values = {
        "plain, dB": psnr(plain, photos).mean(),
        "compensated, dB": psnr(full, photos).mean(),
        f"compensated at {size} px, dB": psnr(model.seen(full), small).mean(),
        "map correlation": correlation(found, lost),
        "L1 lost": lost.abs().mean(),
        "L1 left by the map": (lost - found).abs().mean(),
        "grid": grid(found - lost),
        "fine detail plain": fine(plain, photos),
        f"fine detail plain at {size} px": fine(model.seen(plain.clamp(-1, 1)), small),
        "fine detail compensated": fine(full, photos),
    }
    return {name: float(value) for name, value in values.items()}


@torch.no_grad()
def left(model: Editable, editor: Editor, photos, landmarks) -> dict[str, float]:
    """What is left, by name, of the change that the upper end of every slider should make to photos: energy, of
    the wanted change's; 1 for no edit."""
    found, inversion = {}, model.invert(photos)
    for row, slider in enumerate(SLIDERS):
        which = torch.full((len(photos),), row, device=photos.device)
        highest = torch.full((len(photos),), slider.ends[1], device=photos.device)
        strengths = editor.effective(landmarks, which, highest)
        motion, place, wanted = editor.wanted(photos, landmarks, which, strengths)
        cover = editor.cover(landmarks, place, which, strengths)
        pair = model.slide(inversion, landmarks, motion, place, which, strengths, cover)
        made = in_photo(photos, motion, *pair, cover, model.config)
        found[slider.name] = float((made - wanted).square().sum() / (wanted - photos).square().sum())
    return found
