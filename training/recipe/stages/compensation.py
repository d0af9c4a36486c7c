"""Stage 3: DICN, the layers after the injection, feature editor and sliders on whole pictures, by what a visitor
sees.

Encoder, DIPN and the layers before the injection are frozen, and so is DICN's latent branch, which leaves codes as
they are: with it the training diverged. First everything is reconstructed. Then part of every batch is edited by a
slider: the photo with the edit in it must come out as the picture that the teachers make of it, and pass for real
with judges of the whole face, the eyes and the mouth.
"""

from __future__ import annotations

import copy

import torch

from ... import checkpoints
from ...editing.edits import Editable, in_photo
from ...editing.motion import sample
from ...losses.balance import balanced, ramp
from ...losses.features import perceptual_loss
from ...losses.judges import Judges
from ...losses.reconstruction import face_weight, reconstruction_loss
from ...networks import Inversion
from ...teachers.editor import Editor, edit_weight
from ..edited import EditedStage, keep_codes, plain_inversion
from ..loop import train
from ..optimiser import Optimiser, Steady, placed

RATES = {"DICN": 8e-4, "generator": 5e-4, "editor": 1e-3, "directions": 1e-3, "detail": 6e-3, "changes": 3e-3}
JUDGE_RATE = 3e-4
EDITS_FROM = 0.25  # of the stage; until then all pictures are reconstructed
REBUILT, EDITED = "rebuilt", "edited"  # variants of a step
PERCEPT = 0.5
ADVERSARIAL = {REBUILT: 0.05, EDITED: 0.25}  # lengths of the judges' gradients, in lengths of the other losses'
STATISTICS_FROM = 16  # pictures per step; smaller batches keep the normalisations' statistics


class Compensation(EditedStage):
    name = "compensation"
    needs = ("autoencoder", "dipn")
    decay = 0.998
    real_share = 0.65
    guarded = "compensated, dB"

    def __init__(self, job):
        self.job = job
        model, self.judge = Editable(job.config), Judges().to(job.device)
        self.editor = Editor.load(job.work, job.faces)
        for path in job.inputs:
            found = checkpoints.load(path)
            checkpoints.take(model, found["average"])
            if "judge" in found:
                self.judge.judges.load_state_dict(found["judge"], strict=False)  # close-ups are new
        keep_codes(model)
        self.model = model = placed(model, job.device)
        model.edits.follow(self.editor)
        model.eval().requires_grad_(False)
        self.begun = copy.deepcopy(model.decoder)
        if job.batch >= STATISTICS_FROM:
            model.SAF.train()
        judging = {"judge": (self.judge.learned(), JUDGE_RATE)}
        self.optimisers = {
            "optimiser": Optimiser(self.groups(RATES), betas=(0.8, 0.99)),
            "judge_optimiser": Steady(judging, betas=(0.5, 0.99)),
        }
        self.judges = {"judge": self.judge.judges}
        self.face = face_weight(job.config.image_size, job.device)

    @property
    def rebuilt_of_edited(self) -> int:
        """Of the pictures of a step with edits, those that are rebuilt, the first ones."""
        return max(1, self.job.batch // 4)

    @torch.no_grad()
    def draw(self, step: int):
        editor = self.editor
        images, landmarks = self.sampler.drawn(editor)
        if self.clock.progress <= EDITS_FROM:
            return REBUILT, images, ramp(step, images)
        n = self.rebuilt_of_edited
        photos, landmarks = images[n:], landmarks[n:]
        which, strengths = editor.drawn(landmarks, self.rng)
        # The networks see an edit exactly where the teacher does: what lies elsewhere each time is learned as a blur.
        motion, place, target = editor.wanted(photos, landmarks, which, strengths)
        cover = editor.cover(landmarks, place, which, strengths)
        slide = landmarks, motion, place, which, strengths
        return EDITED, images, ramp(step, images), sample(photos, motion), target, cover, *slide

    def learn(self, variant: str, images, ramp, *edits):
        job, model, judge = self.job, self.model, self.judge
        n = self.rebuilt_of_edited if edits else len(images)
        m = max(1, n // 2)  # pictures whose plain reconstruction is kept as it is
        with job.autocast():
            with torch.no_grad():
                codes, initial_feature, initial_skip, initial, discrepancy = plain_inversion(model, images)
            compensated_feature, compensated_codes = model.SAF(discrepancy, initial_feature, codes)
            compensated_codes = compensated_codes.float()
            lower_feature, lower_skip = model.decoder.head(compensated_codes)
            plain_and_begun = self.plain_and_begun(initial_feature[:m], initial_skip[:m], codes[:m])
            rebuilt = model.decoder.tail(compensated_feature[:n], lower_skip[:n], compensated_codes[:n])
        outs, wanted, weight = [rebuilt.float()], [images[:n]], [self.face.expand(n, -1, -1, -1)]
        if edits:
            moved, target, cover, *slide = edits
            parts = (
                codes,
                initial,
                initial_feature,
                discrepancy,
                compensated_feature,
                compensated_codes,
                lower_feature,
                lower_skip,
            )
            inversion = Inversion(*(part[n:] for part in parts), reconstruction=None)
            with job.autocast():
                edited, unedited = model.slide(inversion, *slide, cover)
            outs.append(in_photo(moved, None, edited.float(), unedited.float(), cover, job.config))
            wanted.append(target)
            weight.append(edit_weight(self.face, images[n:], target, cover))
        out, wanted, weight = torch.cat(outs), torch.cat(wanted), torch.cat(weight)

        with job.autocast():
            taps = judge.taps(out)
            with torch.no_grad():
                real_taps = judge.taps(images)
                wanted_taps = judge.features(wanted)
            judge_loss = judge.loss(real_taps, taps)
        self.optimisers["judge_optimiser"].descend(judge_loss)

        with job.autocast():
            percept = perceptual_loss(judge.features(out), wanted_taps)
            fooled = judge.fooled(taps)
        pixels = reconstruction_loss(out, wanted, weight)
        kept = reconstruction_loss(*plain_and_begun)
        kept = kept + 0.01 * (compensated_feature - initial_feature).float().square().mean()
        adversaries = [(fooled, ramp * ADVERSARIAL[variant])]
        slope = balanced(out, pixels + PERCEPT * percept, adversaries, len(out), model.decoder.last_weight)
        self.optimisers["optimiser"].descend_along([out, kept], [slope, None], clip=1.0)
        return {"pixels": pixels, "percept": percept, "fooled": fooled, "judge": judge_loss, "kept": kept}


if __name__ == "__main__":
    train(Compensation)
