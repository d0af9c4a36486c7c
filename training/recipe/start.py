"""Begins from a finished weights directory in place of the stage `autoencoder`: networks of any sizes, and of its
sliders what has the sizes of the budget's model. Writes autoencoder.pt in the work folder, unless it is there.
"""

from __future__ import annotations

import pathlib

import torch

from .. import arguments, checkpoints, weights
from ..budgets import BUDGETS
from ..editing.directions import offset
from ..editing.edits import Editable
from ..networks.config import ModelConfig
from ..sliders import ROWS


@torch.no_grad()
def begun(config: ModelConfig, folder: pathlib.Path) -> Editable:
    """The model that is trained on."""
    known, manifest, tensors = weights.load_model(folder)
    model = Editable(config)
    checkpoints.grow(model, known)
    for entry in manifest["directions"]:
        if (row := ROWS.get(entry["name"])) is None:
            continue
        learned = [(model.edits.directions[row], offset(manifest, tensors, entry["name"], 1.0))]
        if "change" in entry:
            learned.append((model.edits.changes[row], tensors[entry["change"]]))
        for mine, theirs in learned:
            if mine.shape == theirs.shape:
                mine.copy_(theirs)
    if "face_shape" in manifest:
        model.edits.layout.copy_(tensors[manifest.get("plan_shape", manifest["face_shape"])])
    return model


def start(config: ModelConfig, folder: pathlib.Path, work: pathlib.Path):
    state = work / "autoencoder.pt"
    if not state.exists():
        checkpoints.save(state, {"average": begun(config, folder).state_dict()})


def main():
    args = arguments.parser(__doc__, "budget", "work", "weights").parse_args()
    start(BUDGETS[args.budget].model, args.weights, args.work)


if __name__ == "__main__":
    main()
