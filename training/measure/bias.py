"""Measures whether a weights directory does better for some people than for others: groups by skin tone, by age, and
by the labels of gender and ethnicity. Writes a section of the report, and replaces an older one.

python -m training.measure.bias --data DATA --work WORK --weights weights --out training/report.md
"""

from __future__ import annotations

import collections
import dataclasses
import math
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

from .. import arguments, checkpoints
from ..data.faces import SIDE, Faces, read_rows, reduced, to_bytes
from ..editing.directions import direction, effective
from ..landmarks import read_landmarks
from ..sliders import ROWS
from .classifier import Classifier
from .identity import Recogniser, distances
from .report import Page, Retoucher, opened
from .skin import AGES, TONES, age_group, cielab, face_of, skins, tone_of, tones, typology_angle

HEADING = "## Skin tone and age"
LEAST = 8  # faces of a group that is compared
LEAST_LABELLED = 20  # and of one by the labels of gender and ethnicity
GIVEN = 0.5  # share of the smile that a face must still get to count: who smiles already gets less
SHUFFLES, RESAMPLES = 5000, 2000
SIGNIFICANT = 0.05


# -- groups and chance


def interval(values, rng):
    """Mean and half the width of its 95 % interval, by drawing the faces again."""
    drawn = values[rng.integers(0, len(values), (RESAMPLES, len(values)))].mean(1)
    low, high = np.percentile(drawn, (2.5, 97.5))
    return values.mean(), (high - low) / 2


def chance(values, groups, sources, rng) -> float:
    """How often shuffled groups are as far apart as these: faces change groups within their source only."""
    values = values.astype(float)
    of_source = [np.flatnonzero(sources == source) for source in np.unique(sources)]
    for at in of_source:
        values[at] -= values[at].mean()
    _, number = np.unique(groups, return_inverse=True)
    count = np.bincount(number)

    def apart():
        return (np.bincount(number, values) ** 2 / count).sum()

    found, as_far = apart(), 0
    for _ in range(SHUFFLES):
        for at in of_source:
            number[at] = rng.permutation(number[at])
        as_far += apart() >= found * (1 - 1e-9)
    return (1 + as_far) / (1 + SHUFFLES)


def beyond_expected(values, causes, sources):
    """Values [n] less what a linear fit over the faces, with a constant for each source, expects from some causes
    [n,k]."""
    known = np.concatenate([causes, sources[:, None] == np.unique(sources)], 1).astype(float)
    return values - known @ np.linalg.lstsq(known, values)[0]


def beyond_chance(shares: dict) -> set:
    """The keys whose share of chance stays below the limit after Holm's correction for their number."""
    found = set()
    for i, key in enumerate(sorted(shares, key=shares.get)):
        if shares[key] * (len(shares) - i) >= SIGNIFICANT:
            break
        found.add(key)
    return found


# -- faces


@dataclasses.dataclass
class People:
    """Faces that one table is about, and what is known of each."""

    title: str
    photos: torch.Tensor  # [n,3,256,256]
    landmarks: torch.Tensor  # [n,68,2]
    known: dict[str, np.ndarray]  # by name: source, age, gender, ethnicity

    def groupings(self, angles) -> dict[str, np.ndarray]:
        """By name, the group of each face, empty where it has none."""
        return {
            "skin tone": np.array([tone_of(angle) for angle in angles]),
            "age": np.array([age_group(years) for years in self.known["age"]]),
            "gender label": self.known["gender"],
            "ethnicity label": self.known["ethnicity"],
        }


def known_of(rows):
    def years(row):
        try:
            return float(row.get("age_est") or row.get("age") or "nan")
        except ValueError:
            return math.nan

    labels = {name: np.array([row.get(name) or "" for row in rows]) for name in ("source", "gender", "ethnicity")}
    return labels | {"age": np.array([years(row) for row in rows])}


class Collection:
    """The faces of the data set."""

    def __init__(self, data: pathlib.Path, work: pathlib.Path):
        self.data, self.work = data, work
        self.rows = read_rows(data / "index.csv")
        self.faces = Faces(work / "faces.npy", data / "index.csv", SIDE)

    def picked(self, title: str, ids) -> People:
        rows = [self.rows[i] for i in ids]
        landmarks = read_landmarks(self.work / "points.csv", [row["file"] for row in rows])
        return People(title, self.faces.images(ids), landmarks, known_of(rows))

    def held_out(self) -> People:
        """The real val portraits, with the neutral photos of the London people nobody trains on."""
        people = self.picked("Real portraits, held out", self.faces.split(val=True, real=True))
        rows = read_rows(self.data / "clean512.csv")
        rows = [row for row in rows if row["split"] == "heldout" and row["expression"] == "neutral"]
        files = [row["file"] for row in rows]
        known, theirs = people.known, known_of(rows)
        return People(
            people.title,
            torch.cat([people.photos, opened(self.work / "clean" / file for file in files)]),
            torch.cat([people.landmarks, read_landmarks(self.work / "clean-points.csv", files)]),
            {name: np.concatenate([known[name], theirs[name]]) for name in known},
        )

    def made(self) -> People:
        return self.picked("Machine-made portraits, held out", self.faces.split(val=True, real=False))

    def trained(self, count: int, rng) -> People:
        """Real training portraits, up to `count` of each skin tone."""
        ids = self.faces.split(val=False, real=True)
        landmarks = read_landmarks(self.work / "points.csv", [self.rows[i]["file"] for i in ids])
        tone = [tone_of(tones(self.faces.images([i]), at[None])[0]) for i, at in zip(ids, landmarks, strict=True)]
        shuffled = rng.permutation(len(ids))
        drawn = np.concatenate([[i for i in shuffled if tone[i] == name][:count] for name in TONES]).astype(int)
        return self.picked("Real portraits that were trained on", ids[np.sort(drawn)])


# -- measurements


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a table: how its values are named and shown."""

    title: str
    places: int
    signed: bool = False


REBUILT = {
    "compensated": Column("compensated, dB", 1),
    "beyond": Column("beyond expected, dB", 2, signed=True),
    "face beyond": Column("face beyond expected, dB", 2, signed=True),
    "lighter": Column("skin lighter, L*", 1, signed=True),
    "identity": Column("identity", 2),
    "identity share": Column("of strangers", 2),
}
EDITED = {
    "smile": Column("smile read", 2, signed=True),
    "smile identity": Column("smile, identity", 2),
    "age": Column("age read", 2, signed=True),
    "age identity": Column("age, identity", 2),
    "age lighter": Column("age, skin lighter, L*", 1, signed=True),
}


class Measure:
    """What is measured of a face, by the names of the columns."""

    def __init__(self, weights: pathlib.Path, work: pathlib.Path):
        self.retoucher = Retoucher(weights)
        self.classifier = Classifier().eval().requires_grad_(False)
        checkpoints.take_average(self.classifier, work / "classifier.pt")
        self.recogniser = Recogniser()

    def read(self, photos, name: str):
        return self.classifier(photos)[:, ROWS[name]].numpy()

    def blurred(self, photos):
        """As fine as the feature that the compensation goes into."""
        coarse = reduced(photos, self.retoucher.model.config.inject_size)
        return F.interpolate(coarse, size=photos.shape[2:], mode="bicubic", align_corners=False)

    @torch.no_grad()
    def __call__(self, photos, landmarks) -> dict[str, np.ndarray]:
        retoucher = self.retoucher
        inversion = retoucher.invert(photos)
        small, full = reduced(photos, retoucher.size), inversion.reconstruction.clamp(-1, 1)
        blurred = self.blurred(small)
        people = self.recogniser.describe(photos)
        labs, masks = zip(*skins(photos, landmarks), strict=True)
        tone = np.stack([np.median(lab[skin], 0) for lab, skin in zip(labs, masks, strict=True)])
        faces = np.stack([face_of(at, retoucher.size) for at in landmarks.double().numpy()])
        faces = torch.from_numpy(faces)[:, None]

        def lighter(pictures):
            pictures = F.interpolate(pictures, size=photos.shape[2:], mode="bilinear", align_corners=False)
            pixels = (cielab(to_bytes(picture)) for picture in pictures)
            found = [np.median(lab[skin][:, 0]) for lab, skin in zip(pixels, masks, strict=True)]
            return np.array(found) - tone[:, 0]

        def fidelity(pictures, mask):
            """PSNR in dB under a mask [n,1,S,S], [n]."""
            square = ((pictures - small).square() * mask).sum((1, 2, 3)) / (3 * mask.sum((1, 2, 3)))
            return (10 * torch.log10(4 / square)).numpy()

        def away(pictures):
            return distances(people, self.recogniser.describe(pictures))

        found = {
            "angle": typology_angle(tone),
            "people": people,
            "lighter": lighter(full),
            "identity": away(full),
        }
        for part, mask in (("", torch.ones_like(faces)), ("face ", faces)):
            mean = (small * mask).sum((2, 3), keepdim=True) / mask.sum((2, 3), keepdim=True)
            found[f"{part}compensated"] = fidelity(full, mask)
            found[f"{part}blurred"] = fidelity(blurred, mask)
            found[f"{part}plain colour"] = fidelity(mean, mask)
        for name in ("smile", "age"):
            high = retoucher.ends(name)[1]
            edited = retoucher.edited(photos, landmarks, inversion, {name: high})
            given = effective(direction(retoucher.manifest, name), high, landmarks).numpy()
            counts = np.where(given >= GIVEN * high, 1.0, math.nan)
            found[f"{name} given"] = given
            found[name] = counts * (self.read(edited, name) - self.read(photos, name))
            found[f"{name} identity"] = counts * away(edited)
            if name == "age":
                found["age lighter"] = lighter(edited)
        return found

    def of(self, people: People, batch: int = 10) -> dict[str, np.ndarray]:
        parts = []
        for photos, landmarks in zip(people.photos.split(batch), people.landmarks.split(batch), strict=True):
            parts.append(self(photos, landmarks))
            print(f"{people.title}: {len(parts) * batch} of {len(people.photos)} faces", flush=True)
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


# -- the section of the report


def strangers(descriptors):
    """Mean distance of each face to the others, [n]."""
    apart = np.linalg.norm(descriptors[:, None] - descriptors[None], axis=2)
    return apart.sum(1) / max(1, len(descriptors) - 1)


class Comparison:
    """Two tables of one set of faces: how they are rebuilt, and how they are edited."""

    def __init__(self, people: People, values: dict[str, np.ndarray]):
        self.people, self.values, self.rng = people, values, np.random.default_rng(7)
        for part in ("", "face "):
            causes = np.stack([values[f"{part}blurred"], values[f"{part}plain colour"]], 1)
            fidelity = values[f"{part}compensated"].astype(float)
            values[f"{part}beyond"] = beyond_expected(fidelity, causes, people.known["source"])
        self.groupings = people.groupings(values["angle"])
        everybody = np.full(len(people.photos), "all")
        self.shares = {name: self.of_strangers(groups) for name, groups in self.groupings.items()}
        self.shares["all"] = self.of_strangers(everybody)
        self.chances = {}
        for name, groups in self.groupings.items():
            for column in (*REBUILT, *EDITED):
                share = self.chance_of(name, groups, column)
                if share is not None:
                    self.chances[name, column] = share
        self.beyond = beyond_chance(self.chances)

    def of_strangers(self, groups):
        """Identity distances of the compensated faces, in shares of those to others of the group."""
        found = np.full(len(groups), math.nan)
        for group in set(groups) - {""}:
            at = np.flatnonzero(groups == group)
            if len(at) > 1:
                found[at] = self.values["identity"][at] / strangers(self.values["people"][at]).mean()
        return found

    def column(self, name: str, column: str):
        return self.shares[name] if column == "identity share" else self.values[column]

    def order(self, name: str, groups):
        """The groups of a grouping that are shown."""
        if name in ("skin tone", "age"):
            return TONES if name == "skin tone" else AGES
        names, count = np.unique(groups[groups != ""], return_counts=True)
        large = names[count >= LEAST_LABELLED]
        return large.tolist() if len(large) > 1 else []

    def chance_of(self, name: str, groups, column: str):
        """None if there are no two groups to compare."""
        values = self.column(name, column)
        keep = np.isfinite(values) & np.isin(groups, self.order(name, groups))
        names, count = np.unique(groups[keep], return_counts=True)
        keep &= np.isin(groups, names[count >= LEAST])
        if len(np.unique(groups[keep])) < 2:
            return None
        return chance(values[keep], groups[keep], self.people.known["source"][keep], self.rng)

    def cells(self, name: str, at, columns: dict[str, Column]):
        for column, how in columns.items():
            values = self.column(name, column)[at]
            values = values[np.isfinite(values)]
            if len(values) < LEAST:
                yield ""
                continue
            mean, half = interval(values, self.rng)
            signed = "+" if how.signed else ""
            yield f"{mean:{signed}.{how.places}f} ± {half:.{how.places}f}"

    def row(self, name: str, title: str, at, columns: dict[str, Column]):
        counts = [at.sum()]
        if columns is EDITED:
            counts.append(np.isfinite(self.values["smile"][at]).sum())
        return [title, *counts, *self.cells(name, at, columns)]

    def rows(self, columns: dict[str, Column]):
        yield self.row("all", "all", np.full(len(self.people.photos), True), columns)
        for name, groups in self.groupings.items():
            order = self.order(name, groups)
            for group in order:
                yield self.row(name, f"{name}: {group}", groups == group, columns)
            if order:
                shares = (self.told(name, column) for column in columns)
                yield [f"{name}: chance", *[""] * (2 if columns is EDITED else 1), *shares]

    def told(self, name: str, column: str) -> str:
        share = self.chances.get((name, column))
        if share is None:
            return ""
        text = f"{share:.3f}" if share >= 0.001 else "< 0.001"
        return f"**{text}**" if (name, column) in self.beyond else text

    def outcome(self):
        """What differs beyond chance, with the means of the lowest and the highest group."""
        for name, column in self.chances:
            if (name, column) not in self.beyond:
                continue
            values, groups, means = self.column(name, column), self.groupings[name], []
            for group in self.order(name, groups):
                known = values[(groups == group) & np.isfinite(values)]
                if len(known) >= LEAST:
                    means.append((known.mean(), group))
            how = (REBUILT | EDITED)[column]
            ends = (
                f"{group} {mean:{'+' if how.signed else ''}.{how.places}f}" for mean, group in (min(means), max(means))
            )
            yield f"{how.title} by {name}, {', '.join(ends)}"

    def write(self, page: Page):
        page.text(f"### {self.people.title}")
        sources = collections.Counter(self.people.known["source"].tolist())
        counts = ", ".join(f"{count} {source}" for source, count in sorted(sources.items()))
        low, high = (f"{value:.0f}" for value in np.percentile(self.values["angle"], (5, 95)))
        page.text(
            f"{len(self.people.photos)} faces: {counts}. 90 % of the ITAs lie from {low} to {high} degrees.",
            f"{len(self.chances)} comparisons, so about {len(self.chances) * SIGNIFICANT:.0f} shares of chance below",
            f"{SIGNIFICANT} come by chance alone; bold ones stay below it after Holm's correction for their number.",
        )
        for columns in (REBUILT, EDITED):
            header = ["group", "faces", *(["faces, smile"] if columns is EDITED else [])]
            page.table(header + [column.title for column in columns.values()], self.rows(columns))
        found = "; ".join(self.outcome()) or "nothing"
        page.text(f"Beyond chance, with the means of the lowest and of the highest group: {found}.")


def introduction(page: Page, retoucher: Retoucher):
    size, inject = retoucher.size, retoucher.model.config.inject_size
    page.text(HEADING)
    page.text(
        "Written by `training/measure/bias.py`. Skin tone is the individual typology angle (ITA) of the median colour",
        "of the skin of cheeks and forehead in CIELAB: atan2(L* - 50, b*), in degrees. Very light is above 55, light",
        "above 41, intermediate above 28, tan above 10, brown above -30, dark the rest. It is the tone of the",
        "picture, not of the person: light, exposure and white balance move it by whole classes. Age is the estimate",
        "of `index.csv`, whose mean error is 8.3 years, and for the London people what they said. Gender and",
        f"ethnicity are the labels of the sources; groups of less than {LEAST_LABELLED} are left out.",
    )
    page.text(
        f"Compensated: PSNR of the compensated picture at {size} px. Contrast and blur of a photo help it, whoever",
        "is shown. Beyond expected: PSNR less what a linear fit over the faces of the table expects from two others,",
        f"that of the photo blurred to {inject} px, the resolution of the feature that is compensated, and that of",
        "its mean colour. Face beyond expected: the same of errors in the face alone. Skin lighter: L* of the skin",
        "less that in the photo. Identity: distance by dlib's face recognition to the photo; of strangers: in shares",
        "of the mean distance between different people of the group, as dlib tells some groups apart better than",
        "others. Smile and age are at their upper ends. Read: how much the label that the classifier reads rises, in",
        "standard deviations of the training pictures. Who smiles already gets less of a smile, so smile counts only",
        f"faces that get at least {GIVEN:.0%} of it.",
    )
    page.text(
        f"Mean ± half the 95 % interval, by drawing the faces {RESAMPLES} times again; groups of less than {LEAST}",
        f"are only counted. Chance: in which share of {SHUFFLES} shuffles, of faces within their source, groups lie",
        "at least as far apart as here.",
    )


def placed(report: str, section: str) -> str:
    """A report with a section at its end, in place of an older one."""
    before = report.split(f"{HEADING}\n")[0].rstrip("\n")
    return f"{before}\n\n{section}" if before else section


def main():
    parser = arguments.parser(__doc__, "data", "work", "weights", "out")
    parser.add_argument("--drawn", type=int, default=0, help="real training portraits of each skin tone, in a table")
    args = parser.parse_args()
    measure, collection = Measure(args.weights, args.work), Collection(args.data, args.work)
    sets = [collection.held_out(), collection.made()]
    if args.drawn:
        sets.append(collection.trained(args.drawn, np.random.default_rng(3)))
    report = args.out.read_text(encoding="utf-8") if args.out.exists() else ""
    page = Page()
    introduction(page, measure.retoucher)
    for people in sets:
        Comparison(people, measure.of(people)).write(page)
        args.out.write_text(placed(report, "\n".join(page.lines)), encoding="utf-8")


if __name__ == "__main__":
    main()
