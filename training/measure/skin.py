"""Where faces show plain skin, its tone and its fine contrast, and the groups of people by tone and by age.

Skin tone is the individual typology angle (ITA), in degrees, of the median colour of the skin of cheeks and forehead
in CIELAB: atan2(L* - 50, b*). It is the tone of the picture: light and white balance move it.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from PIL import Image, ImageDraw

from ..data.faces import to_bytes
from ..landmarks import BROWS, JAW, MIRROR
from ..teachers.maps import blur, light

TONES = ("very light", "light", "intermediate", "tan", "brown", "dark")
TONE_BOUNDS = (55.0, 41.0, 28.0, 10.0, -30.0)  # a tone has angles above its bound, and the last has the rest
AGES = ("below 30", "30 to 39", "40 to 49", "50 and more")
AGE_BOUNDS = (30, 40, 50)  # an age group has years below its bound, and the last has the rest

CHEEK = [1, 2, 3, 48, 31, 40, 41]  # landmarks around it; of the other cheek their mirror images
SHRUNK = 0.75  # a cheek, towards its middle, to stay clear of eye, nose, mouth and edge
FOREHEAD = [19, 20, 23, 24]  # brows that it lies above
FROM, TO = 0.2, 0.55  # how far above, in distances from the nose to the brows
FINE = 0.008  # width of the blur that parts what is fine from the rest, in picture sides
NEAR = 12.0  # L* from that of the cheeks, beyond which a pixel is taken for hair, a highlight or a shadow


def cielab(pixels):
    """L*, a*, b* [...,3] of sRGB bytes [...,3] under D65."""
    unit = np.asarray(pixels, np.float64) / 255
    linear = np.where(unit <= 0.04045, unit / 12.92, ((unit + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]
    )
    share = linear @ to_xyz.T / to_xyz.sum(1)
    x, y, z = np.moveaxis(np.where(share > (6 / 29) ** 3, np.cbrt(share), share * (29 / 6) ** 2 / 3 + 4 / 29), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def typology_angle(lab):
    """The ITA in degrees of colours [...,3]."""
    return np.degrees(np.arctan2(lab[..., 0] - 50, lab[..., 2]))


def tone_of(angle) -> str:
    return TONES[sum(angle <= bound for bound in TONE_BOUNDS)]


def age_group(years: float) -> str:
    """Empty if the age is not known."""
    return "" if math.isnan(years) else AGES[sum(years >= bound for bound in AGE_BOUNDS)]


def filled(polygons, size: int):
    """What lies in any of some polygons [n,2] in picture sides, [S,S]."""
    image = Image.new("1", (size, size))
    draw = ImageDraw.Draw(image)
    for polygon in polygons:
        draw.polygon([tuple(point) for point in (polygon * size).tolist()], fill=1)
    return np.asarray(image)


def above_brows(landmarks, which, share: float):
    up = landmarks[BROWS].mean(0) - landmarks[33]
    return landmarks[which] + share * up


def cheeks(landmarks):
    for which in (CHEEK, MIRROR[CHEEK]):
        middle = landmarks[which].mean(0)
        yield middle + SHRUNK * (landmarks[which] - middle)


def forehead(landmarks):
    return np.concatenate([above_brows(landmarks, FOREHEAD, FROM), above_brows(landmarks, FOREHEAD[::-1], TO)])


def skin_of(lab, landmarks):
    """Where a picture [S,S,3] shows plain skin: cheeks and forehead, without hair, highlights and shadows."""
    cheek = filled(cheeks(landmarks), len(lab))
    middle = np.median(lab[cheek][:, 0])
    return (cheek | filled([forehead(landmarks)], len(lab))) & (np.abs(lab[..., 0] - middle) <= NEAR)


def face_of(landmarks, size: int):
    """The face with its forehead, [S,S]."""
    return filled([np.concatenate([landmarks[JAW], above_brows(landmarks, [25, 23, 20, 18], TO)])], size)


def skins(photos, landmarks):
    """The colours [S,S,3] of each photo in CIELAB, and where it shows plain skin, [S,S]."""
    for photo, at in zip(photos, landmarks.double().numpy(), strict=True):
        lab = cielab(to_bytes(photo))
        yield lab, skin_of(lab, at)


def tones(photos, landmarks):
    """The ITA of faces, [n]."""
    return np.array([typology_angle(np.median(lab[skin], 0)) for lab, skin in skins(photos, landmarks)])


def fine_energy(photos):
    """What is fine in the light of photos [n,3,S,S] in [-1,1], squared, [n,S,S]: its mean under a mask is a variance,
    of a range of 1."""
    shade = light(photos.clamp(-1, 1) / 2)
    return (shade - blur(shade, FINE)).square()[:, 0]


def skin_contrast(photos, landmarks):
    """Standard deviation of what is fine in the skin of faces, [n]."""
    pairs = zip(fine_energy(photos), skins(photos, landmarks), strict=True)
    return np.array([float(fine[torch.from_numpy(skin)].mean().sqrt()) for fine, (_, skin) in pairs])
