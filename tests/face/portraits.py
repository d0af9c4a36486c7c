#!/usr/bin/env python3
"""Writes portraits.json: dlib's 68 points of every picture in portraits/, and the FFHQ quad by them.

The quad is the square along which FFHQ itself was cut. The pictures were drawn by a generator of this project. All in
sides of the picture; corners in the order top left, bottom left, bottom right, top right.
Usage: portraits.py (needs dlib-bin, face_recognition_models, numpy and pillow from PyPI; see training/requirements.txt)
"""

import json
import pathlib
import sysconfig

import dlib
import numpy as np
from PIL import Image

SIDE = 512  # portraits are enlarged to this for dlib

here = pathlib.Path(__file__).parent
models = pathlib.Path(sysconfig.get_paths()["purelib"]) / "face_recognition_models" / "models"
predictor = dlib.shape_predictor(str(models / "shape_predictor_68_face_landmarks.dat"))
detector = dlib.get_frontal_face_detector()


def quarter(v):
    return np.array([-v[1], v[0]])


def quad(points):
    """The square of NVlabs/ffhq-dataset's `recreate_aligned_images`."""
    eyes = [points[36:42].mean(0), points[42:48].mean(0)]
    middle, across = (eyes[0] + eyes[1]) / 2, eyes[1] - eyes[0]
    down = (points[48] + points[54]) / 2 - middle
    x = across - quarter(down)
    x *= max(2.0 * np.linalg.norm(across), 1.8 * np.linalg.norm(down)) / np.linalg.norm(x)
    y, centre = quarter(x), middle + 0.1 * down
    return [centre - x - y, centre - x + y, centre + x + y, centre + x - y]


found = {}
for file in sorted((here / "portraits").glob("*.png")):
    pixels = np.array(Image.open(file).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    boxes = detector(pixels)
    if len(boxes) != 1:
        raise SystemExit(f"{file.name}: dlib finds {len(boxes)} faces")
    points = np.array([(p.x + 0.5, p.y + 0.5) for p in predictor(pixels, boxes[0]).parts()]) / SIDE
    found[file.name] = {"quad": np.round(quad(points), 4).tolist(), "points": np.round(points, 4).tolist()}
lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(truth)}" for name, truth in found.items())
(here / "portraits.json").write_text("{\n" + lines + "\n}\n", encoding="utf-8")
