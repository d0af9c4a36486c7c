"""What the stages that learn edits share."""

from __future__ import annotations

import torch
from torch import nn

from ..editing.edits import Editable
from ..measure.fidelity import left
from ..teachers.editor import Editor
from .loop import Stage


def plain_inversion(model: Editable, images):
    """Codes w, G(w), the picture so far, the plain reconstruction and the discrepancy of photos."""
    codes = model.encode(images).float()
    initial_feature, initial_skip = model.decoder.head(codes)
    initial = model.decoder.tail(initial_feature, initial_skip, codes)
    discrepancy = model.DIP(model.seen(images), model.shown(initial.float()))
    return codes, initial_feature, initial_skip, initial, discrepancy


def keep_codes(model: Editable):
    """Has w' be w: DICN's branch of the codes learns in no stage, for it diverged where it did."""
    for branch in (model.SAF.aff1d.att, model.SAF.aff1d.att2):
        nn.init.zeros_(branch[3].weight)


class EditedStage(Stage):
    """A stage of the model with its sliders."""

    model: Editable
    editor: Editor
    begun: nn.Module  # the decoder that it began with

    def plain_and_begun(self, feature, skip, codes):
        """Plain reconstructions, and what they are to stay like."""
        with torch.no_grad():
            begun = self.begun.tail(feature, skip, codes)
        return self.model.decoder.tail(feature, skip, codes).float(), begun.float()

    def groups(self, rates: dict[str, float]) -> dict:
        """The parameters behind the injection, and of the sliders, that learn at these rates."""
        model, editor = self.model, self.model.feature_editor
        finest = [part for part in (editor.detail, editor.covering) if part] if editor else []
        detail = [p for part in finest for p in part.parameters()]
        known = {
            "DICN": model.SAF.feature_parameters(),
            "generator": model.decoder.tail_parameters(),
            "editor": [p for p in editor.parameters() if all(p is not q for q in detail)] if editor else [],
            "detail": detail,
            "directions": [model.edits.directions],
            "changes": [model.edits.changes],
        }
        return {name: (known[name], rate) for name, rate in rates.items()}

    def measure(self, ids):
        values = super().measure(ids)
        images = self.job.faces.images(ids)
        shares = left(self.average, self.editor, images, self.editor.landmarks_of(ids))
        print("val real, left of the change:", *(f"{name} {share:.3f}" for name, share in shares.items()), flush=True)
        return values
