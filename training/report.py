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
from export import drawn_codes, picture
from sdic import run, weights
from sdic.classifier import Classifier
from sdic.data import LABELS, Faces
from sdic.edits import Editor
from sdic.identity import SAME_PERSON, Recogniser, distances
from sdic.losses import outside_face, psnr
from sdic.perceptual import Features

IDENTITY_FACES = 40  # of the val portraits, for the identity kept by each direction
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

    def moved(done, entry, share):
        """The picture edited to a share of the end of the slider's range."""
        amount = share * abs(entry["range"][share > 0])
        parts = (part(manifest, tensors, entry["name"], amount) for part in (weights.shift, weights.motion))
        return model.edit(done, *parts)

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

        lines += ["", "## Directions", "",
                  "Mean label read by the classifier on the 100 real val pictures, compensated and edited, in standard deviations of",
                  "the training labels, at seven strengths across the range; then the label that moves most besides (difference",
                  "between the ends); the mean change outside an ellipse around the face at the upper end (L1, of 255); and the identity",
                  "distance to the photo at the lower end, half the range either side, and the upper end. Change made: how much of",
                  "the change that the appearance model makes to the photo the edit makes at the upper end (projection), and what",
                  "is left between the two changes (energy, of the wanted change's; 1 for no edit).", "",
                  "| direction | range | label read at -1, -2/3, -1/3, 0, 1/3, 2/3, 1 of the range | moves besides | outside | identity distance at -1, -1/2, 1/2, 1 | change made, left |",
                  "|---|---|---|---|---|---|---|"]
        people = recogniser.describe(torch.cat([t for t, _ in kept[True]])[:IDENTITY_FACES])
        outside = outside_face(size)
        for entry in manifest["directions"]:
            if entry["name"] not in LABELS:
                continue
            own, (low, high) = LABELS.index(entry["name"]), entry["range"]
            read, change, far = [], [], []
            photos = torch.cat([target for target, _ in kept[True]])
            full = torch.full((len(photos),), float(high))
            still = torch.zeros(len(photos), dtype=torch.bool)
            wanted = editor.edited(photos, faces.split(val=True, real=True), still, torch.full((len(photos),), own), full) - photos
            made = torch.cat([moved(done, entry, 1) - done.reconstruction for _, done in kept[True]])
            energy = wanted.square().sum()
            share, left = (made * wanted).sum() / energy, (made - wanted).square().sum() / energy
            for strength in (-1, -0.5, 0.5, 1):
                edits = torch.cat([moved(done, entry, strength) for _, done in kept[True]])[:IDENTITY_FACES]
                far.append(f"{distances(people, recogniser.describe(edits)).mean():.2f}")
            for strength in STRENGTHS:
                edits = [moved(done, entry, strength).clamp(-1, 1) for _, done in kept[True]]
                read.append(torch.cat([judge(e) for e in edits]).mean(0))
                if strength == 1:
                    pairs = zip(edits, (done.reconstruction.clamp(-1, 1) for _, done in kept[True]))
                    change = torch.cat([((a - b).abs() * outside).sum((1, 2, 3)) / (3 * outside.sum()) for a, b in pairs])
            read = torch.stack(read)
            gained = read[-1] - read[0]
            other = max((i for i in range(len(LABELS)) if i != own), key=lambda i: abs(float(gained[i])))
            values = ", ".join(f"{float(v):+.2f}" for v in read[:, own])
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
        done = model.invert(photos)
        rows = []
        for i in range(len(photos)):
            single = type(done)(*(getattr(done, f)[i : i + 1] for f in done.__dataclass_fields__))
            for entry in manifest["directions"][:3]:
                rows.append(torch.cat([moved(single, entry, s)[0] for s in STRENGTHS], 2))
        picture(torch.cat(rows, 1)).save(args.out.with_name("report-edits.png"), optimize=True)
    names = ", ".join(e["label"].lower() for e in manifest["directions"][:3])
    lines += ["", "## Edits of generated faces", "", f"Four sample portraits; a row each for {names}, at the seven strengths.", "", "![edits](report-edits.png)", ""]
    args.out.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
