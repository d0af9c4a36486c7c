#!/usr/bin/env python3
"""Measures a weights directory on the val pictures, beside another one if given, and writes report.md and a sheet of edits.

Everything is measured as the page pastes it into a photo of 256 px. The directions are read by the classifier of classify.py
and by dlib's face recognition, neither of which took part in training the model.
"""

from __future__ import annotations

import argparse
import csv
import json
import pathlib
import subprocess
import tempfile

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from appearance import read_points
from sdic import run, weights
from sdic.appearance import SLIDERS
from sdic.classifier import Classifier
from sdic.data import LABELS, Faces, reduced
from sdic.edits import in_photo
from sdic.identity import SAME_PERSON, Recogniser, distances
from sdic.losses import outside_face
from sdic.perceptual import Features, views

SIDE = 256  # of the photos
FACES = 40  # val portraits that are edited
MOUTHS = 60, 80  # calm mouths that get a smile, and real smiles they are compared with
CALM, SMILING = 0.25, 0.75  # smile_est below and above which a face is taken for either
STRENGTHS = (-1.0, -0.5, 0.5, 1.0)  # of the range's ends
SHOWN = ("smile", "age", "brows", "gender", "yaw")  # on the sheet, at the upper end; age at the lower too


class Retoucher:
    """Edits of photos [n,3,256,256] as the page shows them."""

    def __init__(self, folder: pathlib.Path):
        self.known = self.model, self.manifest, _ = weights.load_model(folder)
        self.size = self.model.config.image_size

    @torch.no_grad()
    def __call__(self, photos, points, strengths: dict[str, float], batch: int = 10):
        found = []
        for part, at in zip(photos.split(batch), points.split(batch)):
            edited, unedited, move = weights.edit(*self.known, self.model.invert(reduced(part, self.size)), strengths, at)
            pair = [F.interpolate(p.clamp(-1, 1), size=(SIDE, SIDE), mode="bilinear", align_corners=False) for p in (edited, unedited)]
            found.append(in_photo(part, move, *pair))
        return torch.cat(found)

    def entry(self, name: str) -> dict:
        return weights.direction(self.manifest, name)


def kid(a, b):
    """Kernel distance of two sets of features [n,d], cubic kernel, unbiased; 0 for sets from one source."""
    kernel = lambda x, y: (x @ y.T / x.shape[1] + 1) ** 3
    aa, bb, ab = kernel(a, a), kernel(b, b), kernel(a, b)
    off = lambda k: (k.sum() - k.trace()) / (len(k) * (len(k) - 1))
    return float(off(aa) + off(bb) - 2 * ab.mean())


class Mouths:
    """How real mouths look: features of EfficientNet-Lite0 of the close-up of the mouth, of mean 0 and deviation 1 on the real ones."""

    def __init__(self, real):
        self.net = Features()
        taken = self.raw(real)
        self.mean, self.std = taken.mean(0), taken.std(0) + 1e-3
        self.real = (taken - self.mean) / self.std

    @torch.no_grad()
    def raw(self, photos):
        return torch.cat([self.net(views(part, True)[2])[-1].mean((2, 3)) for part in photos.split(20)]).double()

    def distance(self, photos):
        return kid((self.raw(photos) - self.mean) / self.std, self.real)


def london(data: pathlib.Path, work: pathlib.Path):
    """Photos of the held-out London people, neutral and smiling, [n,3,256,256] each, with the neutral ones' points."""
    with open(data / "clean512.csv", newline="") as f:
        rows = [row for row in csv.DictReader(f) if row["split"] == "heldout"]
    found = {(row["person"], row["expression"]): row["file"] for row in rows}
    people = sorted({person for person, _ in found if (person, "neutral") in found and (person, "smiling") in found})

    def photos(expression):
        pictures = [Image.open(work / "clean" / found[person, expression]).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX) for person in people]
        return torch.from_numpy(np.stack([np.asarray(p) for p in pictures])).permute(0, 3, 1, 2).float() / 127.5 - 1

    return photos("neutral"), photos("smiling"), read_points(work / "clean-points.csv", [found[p, "neutral"] for p in people])


def aligned(program: str, folder: pathlib.Path, files):
    """The first face of each of some pictures, aligned at 256 px, and its points."""
    with tempfile.TemporaryDirectory() as temporary:
        out, faces = pathlib.Path(temporary), []
        (out / "faces").mkdir()
        for i, file in enumerate(files):
            subprocess.run([program, "align", folder / file, "--out", out / str(i), "--size", str(SIDE)], check=True, capture_output=True)
            faces.append(f"{i:02d}.png")
            sorted((out / str(i)).glob("*.png"))[0].rename(out / "faces" / faces[-1])
        subprocess.run([program, "points", out / "faces", "--out", out / "points.csv"], check=True, capture_output=True)
        pixels = np.stack([np.asarray(Image.open(out / "faces" / f).convert("RGB")) for f in faces])
        return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1, read_points(out / "points.csv", faces)


def sheet(retouch: Retoucher, photos, points):
    """A row for each face: the photo, then edits."""
    columns = [photos]
    for name in SHOWN:
        low, high = retouch.entry(name)["range"]
        columns += [retouch(photos, points, {name: amount}) for amount in ((low, high) if name == "age" else (high,))]
    rows = torch.cat([torch.cat(list(column), 1) for column in columns], 2)
    return Image.fromarray(((rows + 1) * 127.5).round().byte().permute(1, 2, 0).contiguous().numpy())


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--data", type=pathlib.Path, required=True, help="folder with index.csv and clean512.csv")
    args.add_argument("--work", type=pathlib.Path, required=True, help="folder of prepare.sh, with classifier.pt")
    args.add_argument("--weights", type=pathlib.Path, required=True, help="weights directory to measure")
    args.add_argument("--before", type=pathlib.Path, help="another, measured beside it")
    args.add_argument("--program", default="sdic", help="the sdic program")
    args.add_argument("--out", type=pathlib.Path, required=True, help="report.md; the sheet goes beside it")
    args = args.parse_args()
    torch.manual_seed(5)
    faces = Faces(args.work / "faces.npy", args.data / "index.csv", SIDE)
    points_of = torch.load(args.work / "appearance.pt", weights_only=True)["points"].float()
    judge = Classifier().eval().requires_grad_(False)
    judge.load_state_dict(run.load(args.work / "classifier.pt")["average"])
    recogniser = Recogniser()
    kinds = {"now": Retoucher(args.weights)} | ({"before": Retoucher(args.before)} if args.before else {})
    now = kinds["now"]
    lines = [f"# Measurements of `{now.manifest['name']}`", "",
             "Written by `training/report.py`; terms and limits are in `weights/MODEL_CARD.md`. "
             + (f"Before: `{kinds['before'].manifest['name']}`, the release before." if args.before else ""), ""]

    def table(*columns):
        lines.extend(["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)])

    def row(*values):
        lines.append("| " + " | ".join(map(str, values)) + " |")

    lines += ["## Reconstruction", "", "100 val portraits of each kind at the size of each model. L1 is of 2, the range of a value; fine detail is the energy",
              "of what is finer than 4 pixels, in shares of the photo's.", ""]
    measured = {(kind, real): run.fidelity(r.model, reduced(faces.images(faces.split(val=True, real=real)), r.size))
                for kind, r in kinds.items() for real in (True, False)}
    table("", *(f"{kind}, {r.size} px, {'real' if real else 'synthetic'}" for kind, r in kinds.items() for real in (True, False)))
    for name in next(iter(measured.values())):
        if all(name in values for values in measured.values()):
            row(name, *(f"{measured[kind, real][name]:.4g}" for kind in kinds for real in (True, False)))
    lines.append("")

    real = faces.split(val=True, real=True)
    smile_est = faces.labels[:, LABELS.index("smile")]
    calm = real[smile_est[real] < CALM][: MOUTHS[0]]
    smiling = real[smile_est[real] > SMILING]
    trained = faces.split(val=False, real=True)
    mouths = Mouths(faces.images(trained[smile_est[trained] > SMILING][-MOUTHS[1] :]))
    neutral, true_smile, london_points = london(args.data, args.work)
    inside = 1 - outside_face(SIDE)
    error = lambda a, b: float(((a - b).abs() * inside).sum() / (3 * inside.sum() * len(a))) * 127.5
    calm_photos, smiling_photos = faces.images(calm), faces.images(smiling)
    lines += ["## Smile", "",
              f"Mouth: kernel distance of EfficientNet-Lite0 features of the mouths of {len(calm)} calm val portraits to {MOUTHS[1]} real smiles; the networks were trained",
              f"to please such features, so read it as a ranking. Pairs: {len(neutral)} held-out people of the London set, the smile at its end on their neutral photo",
              "against their true smile, L1 of 255 within the face, at the best of four strengths. Again: what the slider changes of",
              f"{len(smiling)} faces that smile already, in shares of what it changes of calm ones.", ""]
    table("", "mouth", "London pairs", "again")
    row("no edit", f"{mouths.distance(calm_photos):.2f}", f"{error(neutral, true_smile):.1f}", "")
    for kind, retouch in kinds.items():
        high = retouch.entry("smile")["range"][1]
        edited = retouch(calm_photos, points_of[calm], {"smile": high})
        again = retouch(smiling_photos, points_of[smiling], {"smile": high})
        share = (again - smiling_photos).abs().mean() / (edited - calm_photos).abs().mean()
        pairs = [error(retouch(neutral, london_points, {"smile": high * part}), true_smile) for part in (0.25, 0.5, 0.75, 1.0)]
        row(kind, f"{mouths.distance(edited):.2f}", f"{min(pairs):.1f}", f"{float(share):.2f}")
    lines.append("")

    ids = real[:FACES]
    photos, points, outside = faces.images(ids), points_of[ids], outside_face(SIDE)
    people = recogniser.describe(photos)
    strangers = distances(people, np.roll(people, 1, 0)).mean()
    lines += ["## Sliders", "", f"{FACES} real val portraits. Label read by the classifier at the lower end, without edit, and at the upper end, in standard deviations of the training",
              "pictures; the mean change outside an ellipse around the face at the upper end (L1, of 255); identity distance by dlib's face recognition at",
              f"the ends, mean and largest: below {SAME_PERSON} it takes two faces for one person, and two different people of these pictures are {strangers:.2f} apart.", ""]
    table("slider", "range", "label read", "outside", "identity, lower end", "identity, upper end", *(["before, upper end"] if args.before else []))
    for entry in now.manifest["directions"]:
        name, (low, high) = entry["name"], entry["range"]
        if name not in SLIDERS:
            continue
        ends = [now(photos, points, {name: amount}) for amount in (low, high)]
        read = [torch.cat([judge(part) for part in p.split(20)]).mean(0) for p in (ends[0], photos, ends[1])]
        label = ", ".join(f"{float(r[SLIDERS.index(name)]):+.2f}" for r in read) if name in LABELS else ""
        change = float(((ends[1] - photos).abs() * outside).sum() / (3 * outside.sum() * len(photos))) * 127.5
        far = lambda pictures: (lambda d: f"{d.mean():.2f}, {d.max():.2f}")(distances(people, recogniser.describe(pictures)))
        others = [far(kinds["before"](photos, points, {name: high}))] if args.before and any(d["name"] == name for d in kinds["before"].manifest["directions"]) else []
        row(name, f"{low} to {high}", label, f"{change:.1f}", far(ends[0]), far(ends[1]), *others)

    samples = json.loads((args.weights / "samples" / "samples.json").read_text(encoding="utf-8"))
    shown, shown_points = aligned(args.program, args.weights, [s["file"] for s in samples[::2]])
    sheet(now, shown, shown_points).save(args.out.with_name("report-edits.webp"), quality=90)
    lines += ["", "## Edits of the sample portraits", "", f"Synthetic people of openpeople; the photo, then {', '.join(SHOWN)} at the upper end, age at its lower end too.", "",
              "![edits](report-edits.webp)", ""]
    args.out.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
