#!/usr/bin/env python3
"""Stage 4: compensation and edits on crops of inversions computed once, which gives a CPU many cheap steps.

First DICN and the layers after the injection learn to rebuild crops of photos. Then the feature editor, the plans of the
sliders and, slowly, those layers learn to draw what the teachers want of edits, most often where the slider draws most.
Encoder, DIPN, codes and directions of the codes stay.
"""

from __future__ import annotations

import contextlib

import numpy as np
import torch

from sdic import run
from sdic.appearance import SLIDERS
from sdic.data import Sampler
from sdic.edits import Editable, Editor, edit_weight, noisy, print_left
from sdic.layers import warp
from sdic.losses import face_weight, reconstruction_loss
from sdic.motion import sample
from sdic.perceptual import Features, perceptual_loss

MARGIN = 2  # cells at a crop's border that see padding, left out of the loss
PHOTOS, EDITED, EDITS = 640, 480, 5  # photos rebuilt; photos edited, and edits of each
EDITS_FROM = 0.25  # of the minutes
REBUILT = 0.25  # of the crops after that
REAL_SHARE = 0.65
PERCEPT = {"rebuilt": 0.2, "edited": 0.5}
RATES = {"DICN": 6e-4, "generator": 4e-4, "editor": 8e-4, "changes": 2e-3}
SETTLED = 0.3  # factor on the generator's rate once edits are learned
# Where sliders draw most: the middle of some points.
PLACES = {"smile": range(48, 68), "mouth": range(48, 68), "eyes": range(36, 48), "brows": range(17, 27), "glasses": range(36, 48)}
AT_PLACE = 0.75  # of the crops of such sliders


def cells(config) -> int:
    """Cells of the injection layer in a crop's side."""
    return config.inject_size // 2


class Windows:
    """Crops of batches of maps at any resolution, at places in cells of the injection layer."""

    def __init__(self, config, ids, corners):
        self.config, self.ids, self.corners = config, ids, corners

    def alike(self):
        """The same crops of one map."""
        return Windows(self.config, [0] * len(self.ids), self.corners)

    def __call__(self, whole):
        scale = whole.shape[-1] / self.config.inject_size
        side = int(cells(self.config) * scale)
        parts = [whole[i, :, int(y * scale) : int(y * scale) + side, int(x * scale) : int(x * scale) + side]
                 for i, (y, x) in zip(self.ids, self.corners)]
        return torch.stack(parts).float().contiguous(memory_format=torch.channels_last)


@contextlib.contextmanager
def noise_cut(decoder, cut: Windows):
    """The noise maps after the injection layer as crops see them."""
    maps = dict(decoder.noises.named_buffers())
    alike = cut.alike()
    for name, noise in maps.items():
        if noise.shape[-1] >= cut.config.inject_size:
            setattr(decoder.noises, name, alike(noise))
    yield
    for name, noise in maps.items():
        setattr(decoder.noises, name, noise)


def corners(config, centres, rng):
    """Upper left corners [n,2], rows first, of crops around centres [n,2] in picture sides, x first; anywhere for NaN."""
    most = config.inject_size - cells(config)
    found = []
    for x, y in centres:
        spot = rng.integers(most + 1, size=2) if np.isnan(x) else np.array([y, x]) * config.inject_size - most / 2 + rng.normal(0, 2, 2)
        found.append(np.clip(spot, 0, most) // 2 * 2)  # the picture so far is half as fine
    return np.array(found, int)


@torch.no_grad()
def inverted(setup, model: Editable, images):
    """Features, picture so far, codes and map of the plain inversion of photos."""
    with setup.autocast():
        codes = model.encode(images).float()
        features, skip = model.decoder.head(codes)
        initial = model.decoder.tail(features, skip, codes)
        discrepancy = model.DIP(model.seen(images), model.shown(initial.float()))
    return features.float(), skip.float(), codes, discrepancy.float()


def stored(rows):
    """The tensors of all rows, joined by column."""
    return [torch.cat([row[i] for row in rows]) for i in range(len(rows[0]))]


@torch.no_grad()
def cached_photos(setup, model, sampler, count: int):
    rows = []
    for _ in range(-(-count // sampler.batch)):
        images, _ = sampler()
        features, skip, codes, found = inverted(setup, model, images)
        rows.append([t.bfloat16() for t in (images, features, skip, found)] + [codes])
    return stored(rows)


@torch.no_grad()
def cached_edits(setup, model: Editable, editor: Editor, sampler, count: int, rng):
    """Photos edited by random sliders: the photo moved, the wanted picture, its weight, M(F), what the codes add, pictures so
    far, where plans lie, codes before and after, the sliders, their steps, and what to look at."""
    face, rows = face_weight(setup.faces.size), []
    for _ in range(-(-count // sampler.batch)):
        images, points, labels = sampler.drawn(editor)
        features, skip, codes, found = inverted(setup, model, images)
        with setup.autocast():
            compensated = model.SAF.compensate(found, features).float()
        for _ in range(EDITS):
            which, steps = editor.drawn(len(images), rng)
            steps = editor.effective(points, which, steps)
            move, _, wanted = editor.wanted(images, points, which, steps, labels)
            seen_move, seen_place = editor.appearance.fields(noisy(points), which, steps)
            edited_codes = codes + steps[:, None, None] * model.edits.directions[which]
            with setup.autocast():
                added, added_skip = model.decoder.head(edited_codes)
            moved_skip = warp(skip, seen_move)
            centres = torch.full((len(images), 2), float("nan"))
            for i, slider in enumerate(which.tolist()):
                if (place := PLACES.get(SLIDERS[slider])) is not None:
                    centres[i] = points[i, list(place)].mean(0)
            rows.append([
                sample(images, move).bfloat16(), wanted.bfloat16(), edit_weight(face, images, wanted).bfloat16(),
                warp(compensated, seen_move).bfloat16(), (added.float() - features).bfloat16(), moved_skip.bfloat16(),
                (added_skip.float() - skip).bfloat16(), seen_place, codes, edited_codes, which, steps, centres,
            ])
    return stored(rows)


def main():
    setup = run.Setup(__doc__, stage="crops", needs=("compensation",))
    config = setup.budget.model
    model, features = Editable(config), Features()
    editor = Editor.load(setup.work, setup.faces)
    run.take(model, run.load(setup.inputs[0])["average"])
    model.edits.follow(editor.appearance)
    average = run.Average(model, 0.995)
    model.eval().requires_grad_(False)
    learned = {"DICN": model.SAF.feature_parameters(), "generator": model.decoder.tail_parameters(), "editor": [*model.feature_editor.parameters()],
               "changes": [model.edits.changes]}
    for parameter in (p for part in learned.values() for p in part):
        parameter.requires_grad_(True)
    optimiser = torch.optim.Adam([{"params": learned[n], "lr": r} for n, r in RATES.items()], betas=(0.9, 0.99), fused=True)
    parts = {"net": model, "average": average.module, "optimiser": optimiser}
    step = state["step"] if (state := setup.resume(parts)) else 0
    rng = np.random.default_rng(setup.seed + step)
    sampler = Sampler(setup.faces, setup.batch, REAL_SHARE, setup.seed + step)
    check = setup.faces.split(val=True, real=True)[:32]
    small = 1 if setup.minutes > 1 else 40  # times fewer, for a trial
    margin, face = MARGIN * config.image_size // config.inject_size, face_weight(config.image_size)
    photos = cached_photos(setup, model, sampler, PHOTOS // small)
    print(f"{len(photos[0])} photos inverted", flush=True)
    edits = None
    setup.restart_clock()

    def inner(crops):
        return crops.float()[..., margin:-margin, margin:-margin]

    def compared(kind: str, out, wanted, weight):
        """Losses of crops."""
        out, wanted, weight = inner(out), inner(wanted), inner(weight)
        with setup.autocast(), torch.no_grad():
            taps = features(wanted)
        with setup.autocast():
            percept = perceptual_loss(features(out), taps)
        return reconstruction_loss(out, wanted, weight), PERCEPT[kind] * percept

    def rebuilt():
        ids = rng.integers(len(photos[0]), size=setup.batch)
        spots = corners(config, np.full((setup.batch, 2), np.nan), rng)
        cut = Windows(config, ids, spots)
        photo, plain, skip, found = (cut(t) for t in photos[:4])
        weight = cut.alike()(face)
        with setup.autocast(), noise_cut(model.decoder, cut):
            compensated = model.SAF.compensate(found, plain)
            out = model.decoder.tail(compensated, skip, photos[4][ids])
        kept = 0.01 * (compensated - plain).float().square().mean()
        return compared("rebuilt", out, photo, weight), kept

    def edited():
        moved_photo, wanted, weight, moved, added, skip, added_skip, place, codes, edited_codes, which, steps, centres = edits
        ids = rng.integers(len(moved_photo), size=setup.batch)
        looked = centres[ids].numpy().copy()
        looked[rng.random(len(ids)) > AT_PLACE] = np.nan
        cut = Windows(config, ids, corners(config, looked, rng))
        plans = steps[ids][:, None, None, None] * model.edits.changes[which[ids]]
        plan = Windows(config, range(len(ids)), cut.corners)(warp(plans, place[ids]))
        base, skip, step_skip = cut(moved), cut(skip), cut(added_skip)
        with setup.autocast(), noise_cut(model.decoder, cut):
            change = model.feature_editor(base, plan) if model.feature_editor else plan
            out = model.decoder.tail(base + cut(added) + change, skip + step_skip, edited_codes[ids])
            with torch.no_grad():
                unedited = model.decoder.tail(base, skip, codes[ids])
        seen = (cut(moved_photo) + out.float() - unedited.float()).clamp(-1, 1)
        return compared("edited", seen, cut(wanted), cut(weight)), 0.0

    while setup.clock.tick():
        rate, editing = setup.clock.rate(), setup.clock.progress > EDITS_FROM
        if editing and edits is None:
            spent = setup.clock.spent
            run.take(model, average.module.state_dict())
            edits = cached_edits(setup, model, editor, sampler, EDITED // small, rng)
            print(f"{len(edits[0])} edits prepared", flush=True)
            setup.clock = run.Clock(setup.workers, setup.minutes, spent)
        for group, name in zip(optimiser.param_groups, RATES):
            factor = {"DICN": 0.0, "generator": SETTLED}.get(name, 1.0) if editing else 1.0
            group["lr"] = RATES[name] * rate * factor
        kind = "edited" if editing and rng.random() > REBUILT else "rebuilt"
        (pixels, percept), kept = edited() if kind == "edited" else rebuilt()
        run.descend(optimiser, pixels + percept + kept, clip=1.0)
        step += 1
        setup.settle(model, average, step)
        setup.report(step, {kind: pixels, "percept": percept}, every=100)
        setup.checkpoint(parts, {"step": step})
    if setup.checkpoint(parts, {"step": step}, last=True):
        setup.print_fidelity(average.module, check)
        print_left(average.module, editor, setup.faces.images(check), editor.points_of(check))


if __name__ == "__main__":
    main()
