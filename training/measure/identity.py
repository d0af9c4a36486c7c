"""How far edits leave the person, by dlib's face recognition: distances between the faces of two folders of pictures
of aligned faces that have the same names, mean and largest.

The models come with the package face_recognition_models (public domain).
"""

from __future__ import annotations

import argparse
import pathlib
import sys
import sysconfig

import dlib
import numpy as np
import torch
from PIL import Image

from ..data.faces import from_bytes, to_bytes

SAME_PERSON = 0.6  # distance below which dlib takes two faces for one person
SIDE = 256  # pictures are enlarged to this


def shipped(kind, file: str):
    """One of dlib's models, from the package that has them."""
    models = pathlib.Path(sysconfig.get_paths()["purelib"]) / "face_recognition_models" / "models"
    return kind(str(models / file))


def usual_box():
    """Where dlib's detector puts its box on a face in FFHQ framing."""
    return dlib.rectangle(*(round(SIDE * share) for share in (0.22, 0.3, 0.78, 0.86)))


class Recogniser:
    def __init__(self):
        self.landmarks = shipped(dlib.shape_predictor, "shape_predictor_5_face_landmarks.dat")
        self.net = shipped(dlib.face_recognition_model_v1, "dlib_face_recognition_resnet_model_v1.dat")
        self.box = usual_box()

    def describe(self, images):
        """Images [n,3,S,S] in [-1,1] of aligned faces -> descriptors [n,128]."""
        found = []
        for image in images:
            pixels = dlib.resize_image(to_bytes(image), SIDE, SIDE)
            chip = dlib.get_face_chip(pixels, self.landmarks(pixels, self.box), size=150)
            found.append(self.net.compute_face_descriptor(chip))
        return np.array(found)


def distances(a, b):
    return np.linalg.norm(a - b, axis=1)


def in_folder(folder: pathlib.Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def opened(folder: pathlib.Path, names: list[str]):
    """Pictures [3,H,W] in [-1,1], one at a time."""
    for name in names:
        with Image.open(folder / name) as picture:
            pixels = np.array(picture.convert("RGB"))
        yield from_bytes(torch.from_numpy(pixels)[None])[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=pathlib.Path, help="folder of pictures of aligned faces")
    parser.add_argument("after", type=pathlib.Path, help="folder of pictures of the same names")
    args = parser.parse_args()
    names = in_folder(args.before)
    if not names or names != in_folder(args.after):
        sys.exit(f"{args.before} and {args.after} need pictures of the same names, and nothing else")
    recogniser = Recogniser()
    before, after = (recogniser.describe(opened(folder, names)) for folder in (args.before, args.after))
    found = distances(before, after)
    print(f"{len(names)} faces: mean {found.mean():.3f}, largest {found.max():.3f} (one person: below {SAME_PERSON})")


if __name__ == "__main__":
    main()
