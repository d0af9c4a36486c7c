"""Stage 4: compensation and edits on crops of inversions computed once, which gives a CPU many cheap steps.

First DICN and the layers after the injection learn to rebuild crops of photos. Then the feature editor, the plans
of the sliders and, slowly, those layers learn to draw what the teachers want of edits, most often where the slider
draws most. Encoder, DIPN, codes and directions of the codes stay. With `--plans`, the networks do, too: of a finished
model, the plans of some sliders alone are learned anew.
"""

from __future__ import annotations

import contextlib
import copy
from typing import NamedTuple

import numpy as np
import torch

from ... import checkpoints
from ...editing.edits import Editable, in_photo, planned
from ...editing.motion import sample
from ...losses.features import Features, perceptual_loss
from ...losses.reconstruction import face_weight, reconstruction_loss
from ...networks.layers import warp
from ...sliders import ROWS, SLIDERS
from ...teachers.editor import SHARES, Editor, edit_weight
from ..edited import EditedStage, keep_codes, plain_inversion
from ..loop import train
from ..optimiser import Optimiser, placed

MARGIN = 2  # cells at a crop's border that see padding, left out of the loss
EDITS = 5  # of each photo that is edited
EDITS_FROM = 0.25  # of the stage
EDITS_LAST = 0.2  # of the stage, before other photos are edited
REBUILT = 0.15  # of the crops after that
PERCEPT = {"rebuilt": 0.2, "edited": 0.5}
PLANS_RATE = 1e-2  # where plans are learned alone
RATES = {"DICN": 6e-4, "generator": 4e-4, "editor": 8e-4, "detail": 6e-3, "changes": 3e-3}
EDITING_FACTORS = {"DICN": 0.0, "generator": 0.3}  # on the rates once edits are learned
AT_FOCUS = 0.75  # of the crops of sliders that have one
CLOSE = 0.5  # of the steps with edits, that look at the middle of the crops, enlarged: single teeth are small


class Photos(NamedTuple):
    """Photos and their plain inversions."""

    photo: torch.Tensor
    initial_feature: torch.Tensor
    initial_skip: torch.Tensor
    discrepancy: torch.Tensor
    codes: torch.Tensor


class EditedPhotos(NamedTuple):
    """Photos edited by a slider each."""

    moved_photo: torch.Tensor
    wanted: torch.Tensor
    weight: torch.Tensor  # of the pixels
    cover: torch.Tensor  # where they draw what the photo does not show
    moved_feature: torch.Tensor  # F, moved
    added_feature: torch.Tensor  # what the edited codes add to it
    moved_skip: torch.Tensor  # the picture so far, moved
    added_skip: torch.Tensor
    place: torch.Tensor  # where plans lie
    codes: torch.Tensor
    offset_codes: torch.Tensor  # w, and what the slider adds
    which: torch.Tensor  # the sliders
    planned: torch.Tensor  # strengths of what they draw
    centres: torch.Tensor  # what to look at, NaN for anything


class Crops:
    """Crops of batches of maps at any resolution, at corners in cells of the injection layer."""

    def __init__(self, config, ids, corners):
        self.config, self.ids, self.corners = config, ids, corners

    def alike(self):
        """The same crops of one map."""
        return Crops(self.config, [0] * len(self.ids), self.corners)

    def of_each(self):
        """The same crops of maps that were chosen already."""
        return Crops(self.config, range(len(self.ids)), self.corners)

    def __call__(self, whole):
        scale = whole.shape[-1] / self.config.inject_size
        side = int(cells(self.config) * scale)
        parts = []
        for i, (y, x) in zip(self.ids, self.corners, strict=True):
            top, left = int(y * scale), int(x * scale)
            parts.append(whole[i, :, top : top + side, left : left + side])
        return torch.stack(parts).float().contiguous(memory_format=torch.channels_last)


def inner(crops, border: int):
    return crops[..., border:-border, border:-border] if border else crops


def cells(config) -> int:
    """Cells of the injection layer in a crop's side."""
    return config.inject_size * 3 // 8


@contextlib.contextmanager
def noise_cut(decoder, crops: Crops):
    """The noise maps after the injection layer as crops see them."""
    maps = dict(decoder.noises.named_buffers())
    alike = crops.alike()
    for name, noise in maps.items():
        if noise.shape[-1] >= crops.config.inject_size:
            setattr(decoder.noises, name, alike(noise))
    yield
    for name, noise in maps.items():
        setattr(decoder.noises, name, noise)


def corners(config, centres, rng):
    """Upper left corners [n,2], rows first, of crops around centres [n,2] in picture sides, x first; anywhere for
    NaN."""
    most = config.inject_size - cells(config)
    found = []
    for x, y in centres:
        if np.isnan(x):
            spot = rng.integers(most + 1, size=2)
        else:
            spot = np.array([y, x]) * config.inject_size - most / 2 + rng.normal(0, 2, 2)
        found.append(np.clip(spot, 0, most) // 2 * 2)  # the picture so far is half as fine
    return np.array(found, int)


def joined(kind, rows):
    """The tensors of all rows, joined by column."""
    return kind(*(torch.cat(column) for column in zip(*rows, strict=True)))


class CropStage(EditedStage):
    name = "crops"
    needs = ("autoencoder", "dipn", "compensation")
    decay = 0.995
    real_share = 0.65
    check = 32
    report_every = 100
    measured_often = False
    replayed = False
    judges = {}

    @staticmethod
    def add_arguments(parser):
        parser.add_argument("--plans", nargs="+", choices=ROWS, default=[], help="sliders; nothing else learns")

    def __init__(self, job):
        self.job, plans = job, job.args.plans
        self.model, self.features = placed(Editable(job.config), job.device), Features().to(job.device)
        self.editor = Editor.load(job.work, job.faces)
        if plans:
            self.editor.shares = SHARES * [slider.name in plans for slider in SLIDERS for _ in slider.ends]
        self.edits_from, self.rebuilt_share = (0.0, 0.0) if plans else (EDITS_FROM, REBUILT)
        for path in job.inputs:  # of `compensation` all, where it was run; else what was begun from, and its map
            checkpoints.take_average(self.model, path)
        keep_codes(self.model)
        self.model.edits.follow(self.editor)
        self.model.eval().requires_grad_(False)
        self.begun = copy.deepcopy(self.model.decoder)
        rates = {"changes": PLANS_RATE} if plans else RATES
        self.optimisers = {"optimiser": Optimiser(self.groups(rates), betas=(0.9, 0.99))}
        self.margin = MARGIN * job.config.image_size // job.config.inject_size
        self.face = face_weight(job.config.image_size, job.device)

    def begin(self, seed: int):
        super().begin(seed)
        self.photos, self.edits, self.renewed = None, None, -1.0
        if self.rebuilt_share:
            self.photos = self.cached_photos(self.job.budget.cached[0])
            print(f"{len(self.photos.photo)} photos inverted", flush=True)

    @property
    def editing(self) -> bool:
        return self.clock.progress >= self.edits_from

    def factors(self):
        return EDITING_FACTORS if self.editing else {}

    def draw(self, step: int):
        """Which kind of crop; the crops themselves are cut as they are needed."""
        if self.editing and self.clock.progress > self.renewed + EDITS_LAST:
            with self.clock.paused():
                if self.edits is None:
                    checkpoints.take(self.model, self.average.state_dict())
                self.edits = None  # their memory is needed
                self.edits = self.cached_edits(self.job.budget.cached[1])
            self.renewed = self.clock.progress
            print(f"{len(self.edits.wanted)} edits prepared", flush=True)
        edited = self.editing and self.rng.random() >= self.rebuilt_share
        return ("edited" if edited else "rebuilt",)

    def learn(self, variant: str):
        (pixels, percept), kept = self.edited() if variant == "edited" else self.rebuilt()
        self.optimisers["optimiser"].descend(pixels + percept + kept, clip=1.0)
        return {variant: pixels, "percept": percept}

    # -- inversions computed once

    def inverted(self, images):
        """Plain inversions of photos."""
        with self.job.autocast():
            codes, feature, skip, _, discrepancy = plain_inversion(self.model, images)
        return codes, feature.float(), skip.float(), discrepancy.float()

    @torch.no_grad()
    def cached_photos(self, count: int) -> Photos:
        rows = []
        for _ in range(-(-count // self.sampler.batch)):
            images, _ = self.sampler()
            codes, feature, skip, discrepancy = self.inverted(images)
            rows.append([*(t.bfloat16() for t in (images, feature, skip, discrepancy)), codes])
        return joined(Photos, rows)

    @torch.no_grad()
    def cached_edits(self, count: int) -> EditedPhotos:
        """Photos edited by random sliders."""
        model, rows = self.model, []
        for _ in range(-(-count // self.sampler.batch)):
            images, landmarks = self.sampler.drawn(self.editor)
            codes, feature, skip, discrepancy = self.inverted(images)
            with self.job.autocast():
                compensated_feature = model.SAF.compensate(discrepancy, feature).float()
            inversion = codes, feature, skip, compensated_feature
            rows += [self.cached_edit(images, landmarks, *inversion) for _ in range(EDITS)]
        return joined(EditedPhotos, rows)

    def cached_edit(self, images, landmarks, codes, feature, skip, compensated_feature):
        editor = self.editor
        which, strengths = editor.drawn(landmarks, self.rng)
        # The networks see an edit exactly where the teacher does: what lies elsewhere each time is learned as a blur.
        motion, place, wanted = editor.wanted(images, landmarks, which, strengths)
        cover = editor.cover(landmarks, place, which, strengths)
        offset_codes = codes + self.model.edits.offset(which, strengths)
        with self.job.autocast():
            edited_feature, edited_skip = self.model.decoder.head(offset_codes)
        centres = torch.full((len(images), 2), float("nan"))
        for i, row in enumerate(which.tolist()):
            if SLIDERS[row].focus:
                centres[i] = landmarks[i, SLIDERS[row].focus].mean(0)
        return EditedPhotos(
            moved_photo=sample(images, motion).bfloat16(),
            wanted=wanted.bfloat16(),
            weight=edit_weight(self.face, images, wanted, cover).bfloat16(),
            cover=cover.bfloat16(),
            moved_feature=warp(compensated_feature, motion).bfloat16(),
            added_feature=(edited_feature.float() - feature).bfloat16(),
            moved_skip=warp(skip, motion).bfloat16(),
            added_skip=(edited_skip.float() - skip).bfloat16(),
            place=place,
            codes=codes,
            offset_codes=offset_codes,
            which=which,
            planned=planned(landmarks, which, strengths),
            centres=centres,
        )

    # -- losses of crops

    def compared(self, kind: str, out, wanted, weight):
        """Losses of crops within their margin."""
        out, wanted, weight = (inner(crops.float(), self.margin) for crops in (out, wanted, weight))
        border = out.shape[-1] // 4 if kind == "edited" and self.rng.random() < CLOSE else 0
        looks = [inner(crops, border) for crops in (out, wanted)]
        with self.job.autocast(), torch.no_grad():
            taps = self.features(looks[1])
        with self.job.autocast():
            percept = perceptual_loss(self.features(looks[0]), taps)
        return reconstruction_loss(out, wanted, weight), PERCEPT[kind] * percept

    def rebuilt(self):
        config, model, batch = self.job.config, self.model, self.job.batch
        ids = self.rng.integers(len(self.photos.photo), size=batch)
        crops = Crops(config, ids, corners(config, np.full((batch, 2), np.nan), self.rng))
        photo, feature, skip, discrepancy = (crops(whole) for whole in self.photos[:4])
        weight, codes = crops.alike()(self.face), self.photos.codes[ids]
        m = max(1, batch // 3)  # crops whose plain reconstruction is kept as it is
        with self.job.autocast(), noise_cut(model.decoder, crops):
            compensated_feature = model.SAF.compensate(discrepancy, feature)
            out = model.decoder.tail(compensated_feature, skip, codes)
        first = Crops(config, ids[:m], crops.corners[:m])
        with self.job.autocast(), noise_cut(model.decoder, first), noise_cut(self.begun, first):
            plain_and_begun = self.plain_and_begun(feature[:m], skip[:m], codes[:m])
        kept = reconstruction_loss(*plain_and_begun, weight[:m])
        kept = kept + 0.01 * (compensated_feature - feature).float().square().mean()
        return self.compared("rebuilt", out, photo, weight), kept

    def edited(self):
        config, model, edits = self.job.config, self.model, self.edits
        ids = self.rng.integers(len(edits.wanted), size=self.job.batch)
        centres = edits.centres[ids].numpy().copy()
        centres[self.rng.random(len(ids)) > AT_FOCUS] = np.nan
        crops = Crops(config, ids, corners(config, centres, self.rng))
        slid = edits.which[ids], edits.planned[ids]
        plan, finest = (
            crops.of_each()(warp(plans, edits.place[ids]))
            for plans in (model.edits.change(*slid), model.edits.finest(*slid))
        )
        feature, skip, added_skip = crops(edits.moved_feature), crops(edits.moved_skip), crops(edits.added_skip)
        with self.job.autocast(), noise_cut(model.decoder, crops):
            face = model.feature_editor.face(edits.moved_feature[ids]).float() if model.feature_editor else None
            change, *parts = model.draw(feature, plan, face, finest)
            edited_feature = feature + crops(edits.added_feature) + change
            out = model.decoder.tail(edited_feature, skip + added_skip, edits.offset_codes[ids])
            out = model.finished(out, *parts, crops(edits.cover))
            unedited = model.decoder.tail(feature, skip, edits.codes[ids])
        photo = crops(edits.moved_photo)
        seen = in_photo(photo, None, out.float(), unedited.float(), crops(edits.cover), config)
        return self.compared("edited", seen, crops(edits.wanted), crops(edits.weight)), 0.0


if __name__ == "__main__":
    train(CropStage)
