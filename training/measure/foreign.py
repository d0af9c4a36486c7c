"""Writes the networks of a weights directory as a checkpoint of the authors' layout, without sliders, motions and
feature editor: what finds those in models that have none can then be measured on a model that has them.

python -m training.measure.foreign weights OUT.pt
"""

from __future__ import annotations

import argparse
import json
import pathlib

import torch

from ..weights import NETWORKS, read

WITHOUT = "feature_editor."


def checkpoint(folder: pathlib.Path) -> dict:
    """The networks, `latent_avg` beside them, and the sizes, which the layout has no place for, in the options."""
    manifest, tensors = read(folder)
    networks = {k: v for k, v in tensors.items() if k.startswith(NETWORKS) and not k.startswith(WITHOUT)}
    config = {k: v for k, v in manifest["config"].items() if k != "editor"}
    return {"state_dict": networks, "latent_avg": tensors["latent_avg"], "opts": {"config": json.dumps(config)}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    args = parser.parse_args()
    torch.save(checkpoint(args.weights), args.out)


if __name__ == "__main__":
    main()
