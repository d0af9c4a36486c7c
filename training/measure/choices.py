"""Prints what single choices of the recipe are worth, each alone, beside what they replaced: f32 and bf16 on this
processor, what is left of fine detail in training pictures of 128 px, and the 68 landmarks of the bundled mesh beside
those of dlib.
"""

from __future__ import annotations

import math
import time

import dlib
import torch

from .. import arguments, checkpoints
from ..budgets import BUDGETS
from ..data.faces import SIDE, Faces, Sampler, reduced, to_bytes
from ..landmarks import eye_distance
from ..networks import Sdic
from .identity import shipped, usual_box
from .skin import fine_energy

SIZE = 128  # pictures whose detail is looked at
PICTURES = 200
STEPS = 4  # that are timed; the fastest counts


def pictures_per_second(half: bool, batch: int = 4) -> float:
    """Of training encoder and generator of 256 px on one thread."""
    torch.set_num_threads(1)
    model = Sdic(BUDGETS["gpu"].model)
    photos = torch.rand(batch, 3, SIZE, SIZE) * 2 - 1
    best = math.inf
    for _ in range(STEPS):
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            picture, *_ = model.decoder(model.encode(photos))
        picture.float().square().mean().backward()
        best = min(best, time.perf_counter() - start)
    return batch / best


def detail_left(faces: Faces) -> tuple[float, float]:
    """Energy of what is fine in training pictures of 128 px that are moved a little, in shares of what it is in those
    that are not: all moved bilinearly at 128 px, and half of them as the sampler does it."""
    images = faces.images(faces.split(val=False, real=True)[:PICTURES])
    small = reduced(images, SIZE)
    before, _ = Sampler(faces, PICTURES, 1.0, 1).misaligned(small, still=0.0, mode="bilinear")
    now, _ = Sampler(faces, PICTURES, 1.0, 1).misaligned(images)
    plain, *moved = (float(fine_energy(reduced(part, SIZE)).mean()) for part in (small, before, now))
    return tuple(energy / plain for energy in moved)


def apart_from_dlib(photos, landmarks):
    """Mean distance of landmarks [n,68,2] from those of dlib, in distances between the eyes, [n]."""
    predictor, box = shipped(dlib.shape_predictor, "shape_predictor_68_face_landmarks.dat"), usual_box()
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
