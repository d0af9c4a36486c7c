"""The sliders: everything that is known of each, once.

Their order is that of all tensors with a row for each slider: first those of the labels, then those of measures.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch

from .landmarks import BROWS, EYES, MOUTH, apart, eye_distance

APPEARANCE, EXEMPLARS = "appearance", "exemplars"  # the teachers


@dataclasses.dataclass(frozen=True, kw_only=True)
class Slider:
    """What it shows is told either by a `label`, a column of index.csv, or by a `measure` of landmarks."""

    name: str
    title: str
    group: str
    ends: tuple[float, float]  # lower and upper, in standard deviations over the training pictures
    folded: bool = False  # the page shows it on demand only
    label: str | None = None
    measure: Callable | None = None
    emphasis: float = 1.0  # how much farther than the fit a standard deviation goes: noise in labels flattens the fit
    turns_head: bool = False  # else the head stays where it is
    teachers: tuple[str, str] = (APPEARANCE, APPEARANCE)  # of the lower and of the upper end
    shares: tuple[float, float] = (0.5, 0.5)  # of the edits in training, by end: more for those that draw most
    focus: slice | None = None  # landmarks in whose middle it draws most
    shown: tuple[int, int] | None = None  # landmarks whose distance tells how much of it a face shows already
    turned: tuple[float, float] | None = None  # turns of the head between which what it draws fades to nothing


SLIDERS = (
    Slider(
        name="smile",
        title="Smile",
        group="Expression",
        ends=(-1.5, 2.0),
        label="smile_est",
        teachers=(APPEARANCE, EXEMPLARS),
        shares=(2.0, 7.0),
        focus=MOUTH,
        shown=(48, 54),
    ),
    Slider(
        name="age",
        title="Age",
        group="Age & identity",
        ends=(-2.5, 2.5),
        label="age_est",
        emphasis=1.6,
        teachers=(EXEMPLARS, EXEMPLARS),
        shares=(1.25, 4.0),
        turned=(0.3, 0.5),
    ),
    Slider(name="gender", title="Feminine", group="Age & identity", ends=(-2.2, 2.2), label="female_est"),
    Slider(name="yaw", title="Turn", group="Pose", ends=(-1.5, 1.5), label="yaw", turns_head=True),
    Slider(name="pitch", title="Nod", group="Pose", ends=(-2.5, 2.5), label="pitch", emphasis=2.0, turns_head=True),
    Slider(
        name="glasses",
        title="Glasses",
        group="Accessories",
        ends=(0.0, 1.0),
        label="glasses_est",
        shares=(0.0, 1.0),
        focus=EYES,
    ),
    Slider(
        name="mouth",
        title="Open mouth",
        group="Expression",
        ends=(-1.2, 1.6),
        measure=lambda face: apart(face, [61, 62, 63], [67, 66, 65]),
        teachers=(APPEARANCE, EXEMPLARS),
        shares=(0.5, 1.5),
        focus=MOUTH,
    ),
    Slider(
        name="eyes",
        title="Open eyes",
        group="Expression",
        ends=(-2.0, 2.0),
        measure=lambda face: apart(face, [37, 38, 43, 44], [41, 40, 47, 46]),
        focus=EYES,
    ),
    Slider(
        name="brows",
        title="Raise brows",
        group="Expression",
        ends=(-2.0, 2.0),
        measure=lambda face: (face[:, EYES].mean(1) - face[:, BROWS].mean(1))[:, 1],
        focus=BROWS,
    ),
    Slider(
        name="slim",
        title="Slim face",
        group="Shape",
        ends=(-2.0, 2.0),
        measure=lambda face: -apart(face, [3, 4, 5], [13, 12, 11]),
    ),
)
ROWS = {slider.name: row for row, slider in enumerate(SLIDERS)}
LABELLED = tuple(slider for slider in SLIDERS if slider.label)
MEASURED = tuple(slider for slider in SLIDERS if slider.measure)
COMPONENTS = {
    "group": "Explore",
    "folded": True,
}  # where the page shows principal components, which have no slider here


def by_name(name: str) -> Slider:
    return SLIDERS[ROWS[name]]


def measured(landmarks):
    """The measures of landmarks [n,68,2], in distances between the eyes, [n,4]."""
    unit = eye_distance(landmarks)
    return torch.stack([slider.measure(landmarks) / unit for slider in MEASURED], 1)
