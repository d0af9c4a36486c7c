"""Measures a weights directory on the val pictures, beside another one if given, and writes report.md and a sheet
of edits.

Everything is measured as the page pastes it into a photo of 256 px. The directions are read by the classifier and
by dlib's face recognition, neither of which took part in training the model.
"""

from __future__ import annotations

import itertools
import json
import pathlib
import subprocess
import tempfile
import textwrap

import numpy as np
import torch
from PIL import Image

from .. import arguments, checkpoints, weights
from ..data.faces import SIDE, Faces, from_bytes, read_rows, reduced
from ..editing.directions import direction, edit
from ..editing.edits import in_photo
from ..landmarks import read_landmarks
from ..losses.features import Features
from ..losses.judges import CLOSE_UPS, views
from ..networks.layers import resize
from ..sliders import ROWS, by_name
from .classifier import Classifier
from .fidelity import fidelity
from .identity import SAME_PERSON, Recogniser, distances
from .sheet import in_rows
from .skin import fine_energy, skin_contrast

FACES = 40  # val portraits that are edited
MOUTHS = 60, 80  # calm mouths that get a smile, and real smiles they are compared with
DECADES = (0, 30, 40, 50, 60, 70, 120)  # years that bound groups of portraits, to compare aged skin with theirs
CALM, SMILING = 0.25, 0.75  # smile_est below and above which a face is taken for either
STRENGTHS = (0.25, 0.5, 0.75, 1.0)  # of a smile, in shares of the slider's end
WIDTH = 118  # of lines of prose
SELFIE = slice(7, 8)  # of the sample portraits, joins the studio portraits on the sheet
SHEET = ("smile", "age", "brows", "gender", "yaw")  # at the upper end; age at the lower too


class Retoucher:
    """Edits of photos [n,3,256,256] as the page shows them."""

    def __init__(self, folder: pathlib.Path):
        self.known = self.model, self.manifest, _ = weights.load_model(folder)
        self.size = self.model.config.image_size

    def invert(self, photos):
        return self.model.invert(reduced(photos, self.size))

    def edited(self, photos, landmarks, inversion, strengths: dict[str, float]):
        *pair, motion, cover = edit(*self.known, inversion, strengths, landmarks)
        pair = (resize(p, SIDE) for p in pair)
        cover = cover if cover is None else resize(cover, SIDE)
        return in_photo(photos, motion, *pair, cover, self.model.config)

    @torch.no_grad()
    def __call__(self, photos, landmarks, strengths: dict[str, float], batch: int = 10):
        parts = zip(photos.split(batch), landmarks.split(batch), strict=True)
        return torch.cat([self.edited(part, at, self.invert(part), strengths) for part, at in parts])

    def ends(self, name: str) -> tuple[float, float]:
        return direction(self.manifest, name)["range"]

    def knows(self, name: str) -> bool:
        return any(entry["name"] == name for entry in self.manifest["directions"])


def outside_face(size: int):
    """1 outside the ellipse of an aligned face, 0 inside, [1,1,S,S]."""
    at = (torch.arange(size) + 0.5) / size
    return (((at[:, None] - 0.55) / 0.42) ** 2 + ((at[None] - 0.5) / 0.33) ** 2 > 1).float()[None, None]


def mean_change(a, b, mask) -> float:
    """L1 of two batches of pictures under a mask [1,1,S,S], of 255."""
    return float(((a - b).abs() * mask).sum() / (3 * mask.sum() * len(a))) * 127.5


def mouth_contrast(photos) -> float:
    """Standard deviation of what is fine in the close-up of the mouth, of a range of 1."""
    left, top, side = (round(share * photos.shape[-1]) for share in CLOSE_UPS["mouth"])
    fine = fine_energy(photos)[:, top : top + side, left : left + side]
    return float(fine.mean((1, 2)).sqrt().mean())


def kid(a, b):
    """Kernel distance of two sets of features [n,d], cubic kernel, unbiased; 0 for sets from one source."""

    def kernel(x, y):
        return (x @ y.T / x.shape[1] + 1) ** 3

    def off(k):
        return (k.sum() - k.trace()) / (len(k) * (len(k) - 1))

    return float(off(kernel(a, a)) + off(kernel(b, b)) - 2 * kernel(a, b).mean())


class Mouths:
    """How real mouths look: features of EfficientNet-Lite0 of the close-up of the mouth, of mean 0 and deviation 1
    on the real ones."""

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


def opened(files):
    """Pictures of files at 256 px, [n,3,256,256]."""
    pictures = (Image.open(file).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX) for file in files)
    return from_bytes(torch.from_numpy(np.stack([np.asarray(picture) for picture in pictures])))


def london(data: pathlib.Path, work: pathlib.Path):
    """Photos of the held-out London people, neutral and smiling, [n,3,256,256] each, with the neutral ones'
    landmarks."""
    rows = (row for row in read_rows(data / "clean512.csv") if row["split"] == "heldout")
    found = {(row["person"], row["expression"]): row["file"] for row in rows}
    people = sorted({name for name, _ in found if (name, "neutral") in found and (name, "smiling") in found})
    neutral, smiling = ([found[name, expression] for name in people] for expression in ("neutral", "smiling"))
    photos = (opened(work / "clean" / file for file in files) for files in (neutral, smiling))
    return *photos, read_landmarks(work / "clean-points.csv", neutral)


def aligned(program: str, folder: pathlib.Path, files):
    """The first face of each of some pictures, aligned at 256 px, and its landmarks."""

    def run(*command):
        subprocess.run([program, *map(str, command)], check=True, capture_output=True)

    with tempfile.TemporaryDirectory() as temporary:
        out, faces = pathlib.Path(temporary), []
        (out / "faces").mkdir()
        for i, file in enumerate(files):
            run("align", folder / file, "--out", out / str(i), "--size", SIDE)
            faces.append(f"{i:02d}.png")
            sorted((out / str(i)).glob("*.png"))[0].rename(out / "faces" / faces[-1])
        run("points", out / "faces", "--out", out / "points.csv")
        return opened(out / "faces" / face for face in faces), read_landmarks(out / "points.csv", faces)


class Page:
    """Markdown."""

    def __init__(self):
        self.lines = []

    def text(self, *parts: str):
        """A paragraph."""
        self.lines += [*textwrap.wrap(" ".join(parts), WIDTH, break_long_words=False, break_on_hyphens=False), ""]

    def table(self, header, rows):
        self.lines += ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
        self.lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
        self.lines.append("")


class Measurements:
    """The sections of the report."""

    def __init__(self, args):
        self.args, self.page = args, Page()
        self.faces = Faces(args.work / "faces.npy", args.data / "index.csv", SIDE)
        self.landmarks = checkpoints.load(args.work / "appearance.pt")["points"].float()
        self.kinds = {"now": Retoucher(args.weights)}
        if args.before:
            self.kinds["before"] = Retoucher(args.before)
        self.now, self.before = self.kinds["now"], self.kinds.get("before")
        self.real = self.faces.split(val=True, real=True)

    def title(self):
        before = f" Before: `{self.before.manifest['name']}`, the release before." if self.before else ""
        self.page.text(f"# Measurements of `{self.now.manifest['name']}`")
        self.page.text(
            f"Written by `training/measure/report.py`; terms and limits are in `weights/MODEL_CARD.md`.{before}"
        )

    def reconstruction(self):
        self.page.text("## Reconstruction")
        self.page.text(
            f"{len(self.real)} val portraits of each kind at the size of each model. L1 is of 2, the range of a",
            "value; fine detail is the energy of what is finer than 4 pixels, in shares of the photo's.",
        )
        columns = {}
        for kind, retoucher in self.kinds.items():
            for real in (True, False):
                photos = reduced(self.faces.images(self.faces.split(val=True, real=real)), retoucher.size)
                source = "real" if real else "synthetic"
                columns[f"{kind}, {retoucher.size} px, {source}"] = fidelity(retoucher.model, photos)
        first, *others = columns.values()
        names = [name for name in first if all(name in values for values in others)]
        rows = ([name, *(f"{values[name]:.4g}" for values in columns.values())] for name in names)
        self.page.table(["", *columns], rows)

    def smile(self):
        smile_est = self.faces.labels[:, ROWS["smile"]]
        calm = self.real[smile_est[self.real] < CALM][: MOUTHS[0]]
        smiling = self.real[smile_est[self.real] > SMILING]
        trained = self.faces.split(val=False, real=True)
        real_smiles = self.faces.images(trained[smile_est[trained] > SMILING][-MOUTHS[1] :])
        mouths = Mouths(real_smiles)
        neutral, true_smile, neutral_landmarks = london(self.args.data, self.args.work)
        inside = 1 - outside_face(SIDE)
        calm_photos, smiling_photos = self.faces.images(calm), self.faces.images(smiling)
        self.page.text("## Smile")
        self.page.text(
            f"Mouth: kernel distance of EfficientNet-Lite0 features of the mouths of {len(calm)} calm val portraits",
            f"to {len(mouths.real)} real smiles; the networks were trained to please such features, so read it as a",
            "ranking.",
            f"Pairs: {len(neutral)} held-out people of the London set, the smile at its end on their neutral photo",
            "against their true smile, L1 of 255 within the face, at the best of four strengths. Again: what the",
            f"slider changes of {len(smiling)} faces that smile already, in shares of what it changes of calm ones.",
            "Fine: standard deviation, of a range of 1, of what is finer than 2 pixels in the close-up of the mouth;",
            f"of the real smiles it is {mouth_contrast(real_smiles):.4f}.",
        )
        unchanged = mean_change(neutral, true_smile, inside)
        plain = f"{mouth_contrast(calm_photos):.4f}"
        rows = [("no edit", f"{mouths.distance(calm_photos):.2f}", plain, f"{unchanged:.1f}", "")]
        for kind, retouch in self.kinds.items():
            high = retouch.ends("smile")[1]
            edited = retouch(calm_photos, self.landmarks[calm], {"smile": high})
            again = retouch(smiling_photos, self.landmarks[smiling], {"smile": high})
            share = (again - smiling_photos).abs().mean() / (edited - calm_photos).abs().mean()
            smiles = (retouch(neutral, neutral_landmarks, {"smile": high * part}) for part in STRENGTHS)
            best = min(mean_change(smile, true_smile, inside) for smile in smiles)
            mouth = f"{mouths.distance(edited):.2f}", f"{mouth_contrast(edited):.4f}"
            rows.append((kind, *mouth, f"{best:.1f}", f"{float(share):.2f}"))
        self.page.table(("", "mouth", "fine", "London pairs", "again"), rows)

    def age(self):
        ids, trained = self.real[: self.args.faces], self.faces.split(val=False, real=True)
        years = self.faces.labels[trained, ROWS["age"]]
        self.page.text("## Age")
        self.page.text(
            "Standard deviation, of a range of 1, of what is finer than 2 pixels in the skin of cheeks and forehead:",
            f"of {len(trained)} real training portraits by their estimated age, and of {len(ids)} val portraits at",
            "the ends of the slider; means and their standard errors.",
        )

        def told(values):
            return f"{values.mean():.4f} ± {values.std(ddof=1) / np.sqrt(len(values)):.4f}"

        rows = []
        for low, high in itertools.pairwise(DECADES):
            if len(alike := trained[(years >= low) & (years < high)]) > 1:
                contrast = skin_contrast(self.faces.images(alike), self.landmarks[alike])
                rows.append((f"{len(alike)} portraits, {low} to {high - 1}", told(contrast)))
        photos, landmarks = self.faces.images(ids), self.landmarks[ids]
        for kind, retouch in self.kinds.items():
            low, high = retouch.ends("age")
            for amount in (low, 0.0, high):
                shown = retouch(photos, landmarks, {"age": amount}) if amount else photos
                rows.append((f"{kind}, age at {amount:+.1f}", told(skin_contrast(shown, landmarks))))
        self.page.table(("", "skin"), rows)

    def sliders(self):
        classifier = Classifier().eval().requires_grad_(False)
        checkpoints.take_average(classifier, self.args.work / "classifier.pt")
        recogniser, outside = Recogniser(), outside_face(SIDE)
        ids = self.real[: self.args.faces]
        photos, landmarks = self.faces.images(ids), self.landmarks[ids]
        people = recogniser.describe(photos)
        strangers = distances(people, np.roll(people, 1, 0)).mean()
        self.page.text("## Sliders")
        self.page.text(
            f"{len(ids)} real val portraits. Label read by the classifier at the lower end, without edit, and at the",
            "upper end, in standard deviations of the training pictures; the mean change outside an ellipse around",
            "the face at the upper end (L1, of 255); identity distance by dlib's face recognition at the ends, mean",
            f"and largest: below {SAME_PERSON} it takes two faces for one person, and two different people of these",
            f"pictures are {strangers:.2f} apart.",
        )

        def identity(pictures):
            away = distances(people, recogniser.describe(pictures))
            return f"{away.mean():.2f}, {away.max():.2f}"

        def read(pictures, name):
            values = torch.cat([classifier(part) for part in pictures.split(20)]).mean(0)
            return f"{float(values[ROWS[name]]):+.2f}"

        header = ["slider", "range", "label read", "outside", "identity, lower end", "identity, upper end"]
        header += ["before, upper end"] if self.before else []
        rows = []
        for name in (entry["name"] for entry in self.now.manifest["directions"] if entry["name"] in ROWS):
            low, high = self.now.ends(name)
            ends = [self.now(photos, landmarks, {name: amount}) for amount in (low, high)]
            label = ", ".join(read(p, name) for p in (ends[0], photos, ends[1])) if by_name(name).label else ""
            change = f"{mean_change(ends[1], photos, outside):.1f}"
            row = [name, f"{low} to {high}", label, change, *map(identity, ends)]
            if self.before:
                known = self.before.knows(name)
                row.append(identity(self.before(photos, landmarks, {name: high})) if known else "")
            rows.append(row)
        self.page.table(header, rows)

    def sheet(self):
        file = "report-edits.webp"
        folder = self.args.weights
        known = json.loads((folder / "samples" / "samples.json").read_text(encoding="utf-8"))
        shown = [*known[::2], *known[SELFIE]]
        photos, landmarks = aligned(self.args.program, folder, [sample["file"] for sample in shown])
        columns = [photos]
        for name in SHEET:
            low, high = self.now.ends(name)
            ends = (low, high) if name == "age" else (high,)
            columns += [self.now(photos, landmarks, {name: amount}) for amount in ends]
        in_rows(columns).save(self.args.out.with_name(file), quality=90)
        self.page.text("## Edits of the sample portraits")
        self.page.text(
            f"Synthetic people of openpeople; the photo, then {', '.join(SHEET)} at the upper end,",
            "age at its lower end too.",
        )
        self.page.text(f"![edits]({file})")


def main():
    parser = arguments.parser(__doc__, "data", "work", "weights", "out")
    parser.add_argument("--before", type=pathlib.Path, help="another weights directory, measured beside it")
    parser.add_argument("--program", default="sdic", help="the sdic program")
    parser.add_argument("--faces", type=int, default=FACES, help="val portraits that are edited")
    args = parser.parse_args()
    torch.manual_seed(5)
    measurements = Measurements(args)
    measurements.title()
    measurements.reconstruction()
    measurements.smile()
    measurements.age()
    measurements.sliders()
    measurements.sheet()
    args.out.write_text("\n".join(measurements.page.lines), encoding="utf-8")


if __name__ == "__main__":
    main()
