"""What a stage works with: its arguments, data and device."""

from __future__ import annotations

import sys

import torch

from .. import arguments
from ..budgets import BUDGETS
from ..data.faces import Faces
from .optimiser import bf16_is_faster
from .workers import Workers


class Job:
    """`inputs` are the checkpoints of those stages in `needs` that have been run, in that order."""

    def __init__(self, name: str, needs: tuple[str, ...], parser):
        args = self.args = parser.parse_args()
        budget = self.budget = BUDGETS[args.budget]
        self.config, self.device = budget.model, budget.available_device()
        if self.device.type == "cpu":
            torch.set_num_threads(1)
        else:
            torch.set_float32_matmul_precision("high")
        self.workers = Workers()
        self.batch = args.batch or budget.batch[name]
        self.steps = None if args.minutes else args.steps or (budget.steps or {}).get(name)
        self.minutes = None if self.steps else args.minutes or budget.minutes[name]
        self.seed = args.seed + 1000 * self.workers.rank
        torch.manual_seed(args.seed)
        self.work, self.state = args.work, args.work / f"{name}.pt"
        self.inputs = [path for stage in needs if (path := args.work / f"{stage}.pt").exists()]
        if needs and not self.inputs:
            sys.exit(f"{args.work}: no checkpoint of stage {' or '.join(needs)}; run that stage of train.sh first")
        self.faces = Faces(args.work / "faces.npy", args.index, self.config.image_size, self.device)
        # Of runs that shall come out the same, no measured time may decide.
        self.half = self.device.type == "cuda" or (not self.steps and bf16_is_faster())

    def autocast(self):
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.half)


def parser(description: str):
    """The arguments of every stage."""
    found = arguments.parser(description, "budget", "index", "work")
    found.add_argument("--minutes", type=float, help="instead of the budget's")
    found.add_argument("--steps", type=int, help="instead of minutes: then a run comes out the same on any machine")
    found.add_argument("--batch", type=int, help="pictures per step instead of the budget's")
    found.add_argument("--seed", type=int, default=1)
    return found
