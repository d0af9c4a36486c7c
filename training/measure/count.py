"""Prints parameters and multiply-adds of each network of a budget's model, of an inversion and of an edit."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from .. import arguments
from ..budgets import BUDGETS
from ..networks import Sdic


def giga(function) -> float:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        function()
    return counter.get_total_flops() / 2e9


def main():
    args = arguments.parser(__doc__, "budget").parse_args()
    model = Sdic(BUDGETS[args.budget].model).eval().requires_grad_(False)
    size = model.config.encoder.input_size
    photo = torch.zeros(1, 3, size, size)
    codes = model.encode(photo)
    feature, skip = model.decoder.head(codes)
    calls = {
        "encoder": lambda: model.encode(photo),
        "decoder": lambda: model.decoder(codes),
        "DIP": lambda: model.DIP(photo, photo),
        "SAF": lambda: model.SAF(photo, feature, codes),
    }
    if model.feature_editor:
        plan = torch.zeros(1, *model.config.change_shape)
        calls["feature_editor"] = lambda: model.feature_editor(feature, plan)
    work = {name: giga(call) for name, call in calls.items()}
    again = giga(lambda: model.decoder.tail(feature, skip, codes))  # what an edit that moves the face is compared with
    for name, cost in work.items():
        count = sum(p.numel() for p in getattr(model, name).parameters())
        print(f"{name:14} {count / 1e6:6.2f} M parameters {cost:6.2f} GMAC")
    edit = work["decoder"] + work.pop("feature_editor", 0.0)
    print(f"inversion {sum(work.values()) + work['decoder']:.2f} GMAC, edit {edit:.2f} to {edit + again:.2f} GMAC")


if __name__ == "__main__":
    main()
