"""The mouth: how wide and how open it is, and where the cells of a lent mouth lie on a face."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..editing.motion import grid
from ..landmarks import MOUTH, eye_distance, relative
from ..sliders import ROWS, by_name
from .maps import light, mean_under, smooth

WIDE, HIGH, BRIM = 192, 96, 0.2  # cells of a lent mouth, and how much of the lips around it is kept, in gaps
UPPER, LOWER = [48, 61, 62, 63, 54], [48, 60, 67, 66, 65, 64, 54]  # the inner edges of the lips
TABLE = 64  # cells of a curve
ENLARGED = 1.25  # how much larger than that of a smile the mouth is on the face that is drawn on
BETWEEN_LIPS = ("smile", "mouth")  # sliders that draw what is between the lips
OPAQUE_FROM = 4.0  # its opacity at their upper ends, if it grew on beyond 1: a quarter of the way covers wholly
SOFT = -0.003, 0.004  # where that begins and is complete, inward from the lips' edges on the face that is drawn on
TEETH_SHOWN = {"points": (62, 66), "range": (0.12, 0.17)}  # lips apart as far as that keep what they show


def mouth_width(landmarks):
    """Distance of the corners [n], in distances between the eyes, which says how much of a smile a face shows."""
    return relative(landmarks, by_name("smile").shown)


def mouth_gap(landmarks):
    """How far the lips are apart [n], in distances between the eyes."""
    return by_name("mouth").measure(landmarks) / eye_distance(landmarks)


def edges(landmarks):
    """Inner edges of the lips of one face [68,2], upper and lower: heights at TABLE + 1 places across the mouth."""
    x = torch.linspace(0, 1, TABLE + 1, dtype=torch.double)
    left, right = landmarks[48], landmarks[54]
    found = []
    for which, degree in ((UPPER, 3), (LOWER, 4)):
        knots = ((landmarks[which, 0] - left[0]) / (right[0] - left[0])).double()
        heights = landmarks[which, 1].double()
        weight = torch.ones(len(which), 1, dtype=torch.double)
        weight[[0, -1]] = 100.0  # the corners are met
        powers = torch.arange(degree + 1)
        curve = torch.linalg.lstsq(weight * knots[:, None] ** powers, weight * heights[:, None]).solution
        found.append((x[:, None] ** powers @ curve)[:, 0])
    upper, lower = found
    return torch.stack([upper, torch.maximum(upper, lower)]).float()


def across(spots, shape, edges):
    """How far spots [n,S,S,2] lie across the mouth of the face of `shape`, from 0 to 1, and how high its upper and
    lower inner edge are there, each [n,S,S]; `edges` are the curves of that shape."""
    left, right = shape[48, 0], shape[54, 0]
    u = (spots[..., 0] - left) / (right - left)
    tables = edges[None, :, None].expand(len(spots), -1, -1, -1)
    places = torch.stack([2 * u - 1, torch.zeros_like(u)], -1)
    return u, *F.grid_sample(tables, places, padding_mode="border", align_corners=True).unbind(1)


def layout_of(appearance):
    """The face [68,2] on which the model lays out what sliders draw: that of mean shape with a whole smile, and the
    mouth enlarged. Between lips that are all but closed there is no room for teeth."""
    face = appearance.shape + by_name("smile").ends[1] * appearance.displacements[ROWS["smile"]]
    middle = face[MOUTH].mean(0)
    face[MOUTH] = middle + ENLARGED * (face[MOUTH] - middle)
    return face


def cover_of(name: str, shape, size: int):
    """How opaque strength 1 of a slider draws what is between the lips, on the face of `shape` [68,2], [1,1,S,S]."""
    spots = grid(size, shape.device)[None]
    u, upper, lower = across(spots, shape, edges(shape.cpu()).to(shape.device))
    deep = torch.minimum(spots[..., 1] - upper, lower - spots[..., 1])
    broad = torch.minimum(u, 1 - u) * (shape[54, 0] - shape[48, 0])
    within = smooth(torch.minimum(deep, broad), *SOFT)
    return (OPAQUE_FROM * within / by_name(name).ends[1])[None]


def mouth_spots(landmarks):
    """Where the cells of a lent mouth lie on a face of landmarks [68,2], [HIGH,WIDE,2]."""
    left, right = landmarks[48, 0], landmarks[54, 0]
    u = (torch.arange(WIDE) + 0.5) / WIDE
    v = (torch.arange(HIGH) + 0.5) / HIGH * (1 + 2 * BRIM) - BRIM
    upper, lower = F.interpolate(edges(landmarks)[None], size=WIDE, mode="linear", align_corners=False)[0]
    y = upper + (lower - upper) * v[:, None]
    return torch.stack([(left + (right - left) * u).expand_as(y), y], -1)


def teeth_shade(mouths):
    """Shade [n,3] of the brightest teeth of upright mouths [n,3,HIGH,WIDE]."""
    rows = slice(round(HIGH * 0.25), round(HIGH * 0.7))
    part = mouths[:, :, rows, WIDE // 4 : WIDE - WIDE // 4]
    weight = light(part).clamp_min(1e-3) ** 8
    return mean_under(weight / weight.amax((2, 3), keepdim=True), part)
