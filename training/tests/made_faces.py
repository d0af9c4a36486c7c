"""A training set of drawn faces: the files that DATA holds and what `sdic points` finds in them, made within
seconds.

A face is drawn from its labels. Its 68 landmarks are those the drawing was made by, so no face has to be found.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import pathlib
import tarfile

import numpy as np
from PIL import Image, ImageDraw

from ..data.faces import SIDE
from ..data.pack import add_file
from ..landmarks import LANDMARKS
from ..sliders import LABELLED
from ..teachers.exemplars import ELDER, LENT, SMILING

CLEAN_SIDE = 512
TRAINED, CHECKED = 48, 12  # drawn faces of each source, real and synthetic, to train on and to check with
HELD_OUT = 3  # pairs of people nobody trains on
EYES, BROWS = (range(36, 42), range(42, 48)), (range(17, 22), range(22, 27))
FINER = 2  # times larger than the picture, a face is drawn
BLACK, WHITE = (20, 16, 18), (236, 232, 226)


@dataclasses.dataclass
class Person:
    """What a face looks like: the labels of index.csv, and colours."""

    age: float
    gender: float
    smile: float
    glasses: float
    yaw: float
    pitch: float
    skin: tuple[int, ...]
    hair: tuple[int, ...]
    background: tuple[int, ...]
    wide: float = 1.0

    @classmethod
    def drawn(cls, rng: np.random.Generator, **known):
        """Somebody by chance, `known` as given."""
        pale = rng.uniform(0.55, 1.0)
        values = {
            "age": rng.uniform(18, 75), "gender": rng.random(), "smile": rng.random(),
            "glasses": float(rng.random() < 0.2), "yaw": rng.normal(0, 0.2), "pitch": rng.normal(0, 0.15),
            "skin": tuple(int(c * pale) for c in (232, 188, 158)),
            "hair": tuple(int(c * rng.uniform(0.2, 1)) for c in (150, 110, 70)),
            "background": tuple(int(c) for c in rng.integers(60, 220, 3)), "wide": rng.uniform(0.93, 1.07),
        }  # fmt: skip
        return cls(**values | known)

    def landmarks(self) -> np.ndarray:
        """The 68 points of iBUG 300-W, x first, in picture sides."""
        angle = np.linspace(np.pi, 0, 17)
        jaw = np.stack([0.5 + 0.27 * self.wide * np.cos(angle), 0.5 + 0.35 * np.sin(angle)], 1)

        def arc(left, right, height, rise, count):
            t = np.linspace(0, 1, count)
            return np.stack([left + (right - left) * t, height - rise * 4 * t * (1 - t)], 1)

        brows = [arc(0.29, 0.45, 0.415, 0.02, 5), arc(0.55, 0.71, 0.415, 0.02, 5)]
        bridge = np.stack([np.full(4, 0.5), np.linspace(0.48, 0.6, 4)], 1)
        nostrils = arc(0.455, 0.545, 0.62, -0.012, 5)
        eyes = []
        for middle in (0.38, 0.62):
            t = np.pi - np.arange(6) * np.pi / 3
            eyes.append(np.stack([middle + 0.037 * np.cos(t), 0.48 - 0.016 * np.sin(t)], 1))
        half, lift, gap = 0.085 + 0.03 * self.smile, 0.025 * self.smile, 0.004 + 0.035 * self.smile**2
        left, right, middle = 0.5 - half, 0.5 + half, 0.715 + lift / 2
        corner = middle - lift
        mouth = np.concatenate(
            [
                arc(left, right, corner, -(lift - gap / 2 - 0.014), 7),
                arc(right, left, corner, -(lift + gap / 2 + 0.02), 7)[1:6],
                arc(left + 0.01, right - 0.01, corner, -(lift - gap / 2), 5),
                arc(right - 0.01, left + 0.01, corner, -(lift + gap / 2), 5)[1:4],
            ]
        )
        points = np.concatenate([jaw, *brows, bridge, nostrils, *eyes, mouth])
        near = 1 - ((points - [0.5, 0.55]) ** 2).sum(1) / 0.2  # the middle of a face turns farthest
        return points + near[:, None] * np.array([0.1 * self.yaw, -0.1 * self.pitch])

    def picture(self, size: int, rng: np.random.Generator) -> Image.Image:
        """The face, aligned."""
        side = size * FINER
        image = Image.new("RGB", (side, side), self.background)
        draw = ImageDraw.Draw(image)
        at = [tuple(side * value for value in point) for point in self.landmarks()]
        unit = side / 256

        def line(which, colour, width):
            draw.line([at[i] for i in which], fill=colour, width=max(1, round(width * unit)), joint="curve")

        def ellipse(box, **how):
            draw.ellipse([side * value for value in box], **how)

        def shade(factor):
            return tuple(min(255, int(c * factor)) for c in self.skin)

        low = 0.72 + 0.2 * self.gender  # long hair
        ellipse((0.17, 0.08, 0.83, low), fill=self.hair)
        draw.rectangle([0.38 * side, 0.8 * side, 0.62 * side, side], fill=shade(0.85))
        ellipse((0.23, 0.2, 0.77, 0.75), fill=self.skin)
        draw.polygon(at[:17], fill=self.skin)
        for middle in (at[1], at[15]):
            x, y = middle[0] / side, middle[1] / side
            ellipse((x - 0.02, y - 0.05, x + 0.02, y + 0.05), fill=shade(0.9))
        for eye in EYES:
            draw.polygon([at[i] for i in eye], fill=WHITE)
            x, y = np.mean([at[i] for i in eye], 0) / side
            ellipse((x - 0.013, y - 0.013, x + 0.013, y + 0.013), fill=BLACK)
        for brow in BROWS:
            line(brow, tuple(c // 2 for c in self.hair), 4)
        line(range(27, 31), shade(0.88), 3)
        line(range(31, 36), shade(0.7), 3)
        draw.polygon([at[i] for i in range(48, 60)], fill=(int(self.skin[0] * 0.85), 70, 80))
        draw.polygon([at[i] for i in range(60, 68)], fill=WHITE if self.smile > 0.5 else BLACK)
        for fold in range(int(max(0, self.age - 40) / 7)):
            y = 0.3 + 0.015 * fold
            draw.arc(
                [0.35 * side, y * side, 0.65 * side, (y + 0.04) * side], 200, 340, fill=shade(0.75), width=round(unit)
            )
        if self.glasses > 0.5:
            for eye in EYES:
                x, y = np.mean([at[i] for i in eye], 0) / side
                ellipse((x - 0.085, y - 0.06, x + 0.085, y + 0.06), outline=BLACK, width=round(3 * unit))
        pixels = np.asarray(image.resize((size, size), Image.Resampling.BOX), np.float32)
        light = 1 + 0.15 * rng.uniform(-1, 1) * np.linspace(-1, 1, size)[None, :, None]
        return Image.fromarray((pixels * light + rng.normal(0, 3, pixels.shape)).clip(0, 255).astype(np.uint8))


def encoded(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "WEBP", quality=90, method=0)
    return stream.getvalue()


def write_table(path: pathlib.Path, rows: list[dict]):
    with open(path, "w", newline="") as f:
        table = csv.DictWriter(f, rows[0])
        table.writeheader()
        table.writerows(rows)


def write_landmarks(path: pathlib.Path, faces: dict[str, np.ndarray]):
    """As `sdic points` does."""
    names = [f"{axis}{i}" for i in range(LANDMARKS) for axis in "xy"]
    rows = []
    for file, landmarks in faces.items():
        values = (f"{value:.5f}" for value in landmarks.flatten())
        rows.append({"file": file, **dict(zip(names, values, strict=True)), "presence": 20.0})
    write_table(path, rows)


def write_faces(archive: pathlib.Path, table: pathlib.Path, people: dict[str, Person], size: int, rng):
    """Pictures of people, and their landmarks."""
    with tarfile.open(archive, "w") as tar:
        for file, person in people.items():
            add_file(tar, file, encoded(person.picture(size, rng)))
    write_landmarks(table, {file: person.landmarks() for file, person in people.items()})


def training_faces(rng: np.random.Generator):
    """People, and their rows of index.csv."""
    people, rows = {}, []
    for source in ("real", "synthetic-a"):
        for split, count in (("train", TRAINED), ("val", CHECKED)):
            for i in range(count):
                file, known = f"{source}-{split}-{i:03}.webp", {"smile": (0.1, 0.5, 0.99)[i % 3]}
                if i % 3 == 2:
                    known["yaw"] = rng.normal(0, 0.05)  # who smiles looks at us
                if (source, split, i) == ("real", "train", 0):
                    file, known = ELDER, {"age": 80.0, "smile": 0.1, "yaw": 0.0, "glasses": 0.0}
                person = people[file] = Person.drawn(rng, **known)
                labels = {slider.label: getattr(person, slider.name) for slider in LABELLED}
                rows.append({"file": file, "split": split, "source": source, **labels})
    return people, rows


def clean_faces(rng: np.random.Generator):
    """People of the London set, neutral and smiling, and their rows of clean512.csv."""
    people, rows = {}, []
    held_out = [f"9{i:02}" for i in range(HELD_OUT)]
    for name in sorted({*SMILING, LENT, *held_out}):
        person = Person.drawn(rng, yaw=0.0, pitch=0.0, glasses=0.0)
        split = "heldout" if name in held_out else "train"
        for expression, smile in (("neutral", rng.uniform(0, 0.2)), ("smiling", 1.0)):
            file = f"london-{name}-{expression}.webp"
            people[file] = dataclasses.replace(person, smile=smile)
            rows.append({"file": file, "source": "london", "person": name, "expression": expression, "split": split})
    return people, rows


def write(data: pathlib.Path, work: pathlib.Path, seed: int = 1):
    """DATA as train.sh wants it, and in WORK the landmarks, as prepare.sh would have them found."""
    rng = np.random.default_rng(seed)
    for folder in (data, work):
        folder.mkdir(parents=True, exist_ok=True)
    people, rows = training_faces(rng)
    write_table(data / "index.csv", rows)
    write_faces(data / "faces256-0.tar", work / "points.csv", people, SIDE, rng)
    people, rows = clean_faces(rng)
    write_table(data / "clean512.csv", rows)
    write_faces(data / "clean512.tar", work / "clean-points.csv", people, CLEAN_SIDE, rng)
