"""Unpacks the training pictures once, to a folder, and decoded to uint8 [count,256,256,3] as .npy, in the order of
index.csv."""

from __future__ import annotations

import io
import multiprocessing
import pathlib
import tarfile

import numpy as np
from PIL import Image

from .. import arguments
from .faces import SIDE, read_rows


def decoded(path: pathlib.Path):
    """A picture's pixels at 256 px."""
    image = Image.open(path).convert("RGB")
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX) if image.width != SIDE else image)


def add_file(tar: tarfile.TarFile, name: str, data: bytes):
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def pack(pictures: pathlib.Path, index: pathlib.Path, out: pathlib.Path):
    """Decodes the pictures that an index names, by all cores."""
    paths = [pictures / row["file"] for row in read_rows(index)]
    if missing := [path for path in paths if not path.exists()]:
        raise SystemExit(f"{pictures}: {len(missing)} pictures of {index} are not there, first {missing[0].name}")
    pixels = np.zeros((len(paths), SIDE, SIDE, 3), np.uint8)
    with multiprocessing.Pool() as pool:
        for i, picture in enumerate(pool.imap(decoded, paths, chunksize=64)):
            pixels[i] = picture
    np.save(out, pixels)


def main():
    args = arguments.parser(__doc__, "data", "work").parse_args()
    pictures = args.work / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    for archive in sorted(args.data.glob("faces256-*.tar")):
        with tarfile.open(archive) as tar:
            for member in tar:
                if member.isfile():
                    name = pathlib.PurePath(member.name).name
                    (pictures / name).write_bytes(tar.extractfile(member).read())
    pack(pictures, args.data / "index.csv", args.work / "faces.npy")


if __name__ == "__main__":
    main()
