"""Splits a checkpoint into 16-MiB pieces to carry between machines, and joins them again.

Parameters travel as f16, optimiser state as bf16 (its squares leave the range of f16): half the bytes.
usage: python -m training.remote.pieces split CHECKPOINT.pt FOLDER [PART ...]
       python -m training.remote.pieces join FOLDER CHECKPOINT.pt
With PARTs, such as `average`, only they travel.
"""

from __future__ import annotations

import hashlib
import io
import json
import pathlib
import sys

import torch

from ..checkpoints import convert

PIECE = 16 * 2**20


def split(checkpoint: pathlib.Path, folder: pathlib.Path, parts: list[str]):
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    state = {k: v for k, v in state.items() if k in parts or not parts}
    small = {k: convert(v, torch.bfloat16 if "optimiser" in k else torch.float16) for k, v in state.items()}
    stream = io.BytesIO()
    torch.save(small, stream)
    data = stream.getvalue()
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for start in range(0, len(data), PIECE):
        names.append(f"piece-{start // PIECE:03d}")
        (folder / names[-1]).write_bytes(data[start : start + PIECE])
    index = {"pieces": names, "sha256": hashlib.sha256(data).hexdigest()}
    (folder / "pieces.json").write_text(json.dumps(index) + "\n")


def join(folder: pathlib.Path, checkpoint: pathlib.Path):
    index = json.loads((folder / "pieces.json").read_text())
    data = b"".join((folder / name).read_bytes() for name in index["pieces"])
    if hashlib.sha256(data).hexdigest() != index["sha256"]:
        sys.exit(f"{folder}: the pieces do not add up to the checkpoint; copy them again")
    state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    torch.save(convert(state, torch.float32), checkpoint)


def main():
    match sys.argv[1:]:
        case ["split", checkpoint, folder, *parts]:
            split(pathlib.Path(checkpoint), pathlib.Path(folder), parts)
        case ["join", folder, checkpoint]:
            join(pathlib.Path(folder), pathlib.Path(checkpoint))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
