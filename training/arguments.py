"""The arguments that commands share."""

from __future__ import annotations

import argparse
import pathlib

from .budgets import BUDGETS

SHARED = {
    "budget": {"choices": BUDGETS, "required": True, "help": "sizes, minutes and batches; see budgets.py"},
    "data": {"help": "folder of the data set: index.csv, clean512.csv and archives of pictures"},
    "index": {"help": "index.csv of the training pictures"},
    "work": {"help": "folder of packed pictures and checkpoints"},
    "weights": {"help": "weights directory"},
    "out": {"help": "where the result goes"},
}


def parser(description: str, *names: str) -> argparse.ArgumentParser:
    """A parser of the named arguments, which are all required."""
    found = argparse.ArgumentParser(description=description)
    for name in names:
        found.add_argument(
            f"--{name}", **({"type": pathlib.Path, "required": True} if name != "budget" else {}) | SHARED[name]
        )
    return found


def add_state(found: argparse.ArgumentParser):
    found.add_argument("--state", default="crops.pt", help="checkpoint in the work folder")
