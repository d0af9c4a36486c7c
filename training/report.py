#!/usr/bin/env python3
"""Measures a weights directory on the val pictures and writes report.md and a sheet of edited generated faces.

The directions are read by the classifier of classify.py and by dlib's face recognition, neither of which took part in
training the model.
"""

from __future__ import annotations

import argparse
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from budgets import BUDGETS
from appearance import landmarks
from export import drawn_codes, picture
from sdic import run, weights
from sdic.appearance import SLIDERS, measured
from sdic.classifier import Classifier
from sdic.data import LABELS, Faces
from sdic.edits import Editor, in_photo
from sdic.identity import SAME_PERSON, Recogniser, distances
from sdic.losses import outside_face, psnr
from sdic.perceptual import Features

IDENTITY_FACES = 40  # of the val portraits, for the identity kept by each direction
SHOWN = 4  # directions on the sheet
STRENGTHS = (-1.0, -2 / 3, -1 / 3, 0.0, 1 / 3, 2 / 3, 1.0)  # of the range's ends


def gaussian(x, sigma: float = 1.5):
    taps = torch.exp(-((torch.arange(11) - 5.0) ** 2) / (2 * sigma**2))
    taps = taps / taps.sum()
    channels = x.shape[1]
    x = F.conv2d(x, taps.view(1, 1, 11, 1).expand(channels, 1, 11, 1), groups=channels)
    return F.conv2d(x, taps.view(1, 1, 1, 11).expand(channels, 1, 1, 11), groups=channels)


def ssim_terms(a, b):
    """Luminance-contrast-structure and contrast-structure per image, 11-tap Gaussian window, range 2."""
    ma, mb = gaussian(a), gaussian(b)
    va, vb, cov = gaussian(a * a) - ma * ma, gaussian(b * b) - mb * mb, gaussian(a * b) - ma * mb
    structure = (2 * cov + 0.06**2) / (va + vb + 0.06**2)
    luminance = (2 * ma * mb + 0.02**2) / (ma * ma + mb * mb + 0.02**2)
    return (luminance * structure).mean((1, 2, 3)), structure.mean((1, 2, 3))


def ms_ssim(a, b):
    """Four scales (128-px pictures are too small for five), the published weights renormalised."""
    shares = torch.tensor([0.0448, 0.2856, 0.3001, 0.2363])
    shares = shares / shares.sum()
    total = 1.0
    for level, share in enumerate(shares):
        full, structure = ssim_terms(a, b)
        total = total * (full if level == 3 else structure).clamp(min=0) ** share
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    return total


def measures(out, target):
    out = out.clamp(-1, 1)
    return {
        "PSNR, dB": psnr(out, target), "SSIM": ssim_terms(out, target)[0], "MS-SSIM": ms_ssim(out, target),
        "L1, of 255": (out - target).abs().mean((1, 2, 3)) * 127.5,
    }


def frechet(a, b):
    """Fréchet distance between Gaussians fitted to two sets of features [n,d]."""
    ca, cb = (np.cov(x, rowvar=False) for x in (a, b))
    values, vectors = np.linalg.eigh(ca)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ cb @ root), 0, None)).sum()
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(ca) + np.trace(cb) - 2 * cross)


def strangers(recogniser, pairs):
    """Mean identity distance of different people."""
    known = recogniser.describe(torch.cat([target for target, _ in pairs])[:IDENTITY_FACES])
    return distances(known, np.roll(known, 1, 0)).mean()


def inverted(model, faces, ids, batch: int = 20):
    for part in np.array_split(ids, -(-len(ids) // batch)):
        target = faces.images(part)
        yield target, model.invert(target)


class Retoucher:
    """Edits of photos as the page shows them."""

    def __init__(self, model, manifest, tensors):
        self.known = model, manifest, tensors

    def __call__(self, photo, done, points, entry, share):
        """The photos edited to a share of the end of the slider's range."""
        amount = share * abs(entry["range"][share > 0])
        edited, unedited, move = weights.edit(*self.known, done, {entry["name"]: amount}, points)
        return in_photo(photo, move, edited, unedited)


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--budget", choices=BUDGETS, required=True)
    args.add_argument("--index", type=pathlib.Path, required=True, help="index.csv of the pictures")
    args.add_argument("--work", type=pathlib.Path, required=True, help="folder of packed pictures and classifier.pt")
    args.add_argument("--weights", type=pathlib.Path, required=True, help="weights directory to measure")
    args.add_argument("--out", type=pathlib.Path, required=True, help="report.md; the sheet goes beside it")
    args = args.parse_args()
    torch.manual_seed(5)
    model, manifest, tensors = weights.load_model(args.weights)
    size = model.config.image_size
    faces = Faces(args.work / f"faces{size}.npy", args.index)
    recogniser, features, editor = Recogniser(), Features(), Editor.load(args.work / "appearance.pt", faces)
    judge = Classifier().eval().requires_grad_(False)
    judge.load_state_dict(run.load(args.work / "classifier.pt")["average"])

    retouched = Retoucher(model, manifest, tensors)
    lines = [f"# Measurements of `{manifest['name']}`", "", "Written by `training/report.py`; terms and limits are in `weights/MODEL_CARD.md`.", ""]

    lines += ["## Reconstruction", "", "| val pictures | picture | PSNR, dB | SSIM | MS-SSIM (4 scales) | L1, of 255 | identity distance |", "|---|---|---|---|---|---|---|"]
    kept = {}
    with torch.no_grad():
        for label, real in (("100 real", True), ("100 synthetic", False)):
            pairs = [(t, d) for t, d in inverted(model, faces, faces.split(val=True, real=real))]
            kept[real] = pairs
            for kind in ("initial", "reconstruction"):
                rows = [measures(getattr(done, kind), target) for target, done in pairs]
                means = {k: torch.cat([r[k] for r in rows]).mean() for k in rows[0]}
                name = "plain" if kind == "initial" else "compensated"
                far = np.concatenate([distances(recogniser.describe(target), recogniser.describe(getattr(done, kind))) for target, done in pairs])
                values = [f"{v:.2f}" if "," in k else f"{v:.3f}" for k, v in means.items()]
                lines.append(f"| {label} | {name} | " + " | ".join(values) + f" | {far.mean():.2f} |")
        lines += ["", f"Identity distance: between photo and picture by dlib's face recognition; below {SAME_PERSON} it takes them for one person.",
                  f"Two different people of these pictures are {strangers(recogniser, kept[True]):.2f} apart."]

        lines += ["", "## Sliders", "",
                  "Edits as the page shows them, on the photo's own pixels, of the 100 real val pictures with dlib's points. Mean label",
                  "read by the classifier, or for the sliders of shape the measure of the points that dlib finds then, in standard",
                  "deviations of the training pictures, at seven strengths across the range; then the label that the classifier sees move",
                  "most besides (difference between the ends); the mean change outside an ellipse around the face at the",
                  "upper end (L1, of 255); and the identity distance to the photo at the lower end, half the range either side, and the",
                  "upper end. Change made: how much of the change that the appearance model makes to the photo the edit makes at the",
                  "upper end (projection), and what is left between the two changes (energy, of the wanted change's; 1 for no edit).", "",
                  "| slider | range | read at -1, -2/3, -1/3, 0, 1/3, 2/3, 1 of the range | moves besides | outside | identity distance at -1, -1/2, 1/2, 1 | change made, left |",
                  "|---|---|---|---|---|---|---|"]
        photos, ids = torch.cat([target for target, _ in kept[True]]), faces.split(val=True, real=True)
        people, points = recogniser.describe(photos[:IDENTITY_FACES]), editor.points_of(ids)
        outside = outside_face(size)
        usual = measured(editor.points_of(faces.split(val=False)))

        def found(pictures):
            pixels = ((pictures + 1) * 127.5).round().byte().permute(0, 2, 3, 1).contiguous()
            return (measured(landmarks(pixels)) - usual.mean(0)) / usual.std(0)

        def edited(entry, share):
            parts = zip(kept[True], points.split([len(target) for target, _ in kept[True]]))
            return torch.cat([retouched(*pair, part, entry, share) for pair, part in parts])

        for entry in manifest["directions"]:
            if entry["name"] not in SLIDERS:
                continue
            own, (low, high) = SLIDERS.index(entry["name"]), entry["range"]
            pictures = {share: edited(entry, share) for share in (*STRENGTHS, -0.5, 0.5)}
            which, steps = torch.full((len(ids),), own), torch.full((len(ids),), float(high))
            wanted = editor.wanted(photos, points, which, steps)[2] - photos
            made = pictures[1.0] - photos
            energy = wanted.square().sum()
            share, left = (made * wanted).sum() / energy, (made - wanted).square().sum() / energy
            change = (made.abs() * outside).sum((1, 2, 3)) / (3 * outside.sum())
            far = [distances(people, recogniser.describe(pictures[share][:IDENTITY_FACES])).mean() for share in (-1.0, -0.5, 0.5, 1.0)]
            far = [f"{distance:.2f}" for distance in far]
            read = [torch.cat([judge(part) for part in pictures[share].split(20)]).mean(0) for share in STRENGTHS]
            read = torch.stack(read)
            gained = read[-1] - read[0]
            other = max((i for i in range(len(LABELS)) if i != own), key=lambda i: abs(float(gained[i])))
            if own < len(LABELS):
                values = read[:, own]
            else:
                values = torch.stack([found(pictures[share]).mean(0)[own - len(LABELS)] for share in STRENGTHS])
            values = ", ".join(f"{float(v):+.2f}" for v in values)
            lines.append(
                f"| {entry['name']} | {low} to {high} | {values} | {LABELS[other]} {float(gained[other]):+.2f} | {change.mean() * 127.5:.1f} | {', '.join(far)} | {share:.2f}, {left:.2f} |"
            )

        codes = torch.cat([done.codes for real in (True, False) for _, done in kept[real]])
        targets = torch.cat([t for real in (True, False) for t, _ in kept[real]])
        plain = torch.cat([done.initial for real in (True, False) for _, done in kept[real]]).clamp(-1, 1)
        full = torch.cat([done.reconstruction for real in (True, False) for _, done in kept[real]]).clamp(-1, 1)
        feature = lambda x: torch.cat([features(part)[-1].mean((2, 3)) for part in x.split(50)]).double().numpy()
        train = feature(faces.images(np.random.default_rng(1).choice(faces.split(val=False), 2000, replace=False)))
        drawn = torch.cat([model.decoder(part)[0] for part in drawn_codes(codes, 1000).split(50)]).clamp(-1, 1)
        values = [f"{frechet(feature(x), train):.2f}" for x in (targets, plain, full, drawn)]
        lines += ["", "## Distance of the pictures", "",
                  "Fréchet distance of EfficientNet-Lite0 features (112 means of its block 10 for 128-px pictures) to 2,000 training pictures;",
                  "the model was trained to match these features, so read it as a ranking, lower being closer.", "",
                  f"| {len(codes)} val pictures | their plain reconstructions | their compensated reconstructions | 1,000 drawn from a Gaussian of the val codes |",
                  "|---|---|---|---|", "| " + " | ".join(values) + " |"]

        samples = [np.array(Image.open(args.weights / s["file"]).convert("RGB")) for s in manifest["samples"][:4]]
        photos = torch.from_numpy(np.stack(samples)).permute(0, 3, 1, 2).float() / 127.5 - 1
        done, points = model.invert(photos), landmarks(np.stack(samples))
        columns = []
        for share in STRENGTHS:
            rows = [retouched(photos, done, points, entry, share) for entry in manifest["directions"][:SHOWN]]
            columns.append(torch.cat(list(torch.stack(rows, 1).flatten(0, 1)), 1))
        picture(torch.cat(columns, 2)).save(args.out.with_name("report-edits.png"), optimize=True)
    names = ", ".join(e["label"].lower() for e in manifest["directions"][:SHOWN])
    lines += ["", "## Edits of generated faces", "", f"Four sample portraits; a row each for {names}, at the seven strengths.", "", "![edits](report-edits.png)", ""]
    args.out.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
