"""Edited training pictures after examples: what a real smile, and real age, do to skin and mouth, laid on other
faces.

Expression ratio images (Liu, Shan, Zhang 2001): two photos of one person are brought to one shape; the quotient of
their light holds the folds that the edit brings, and any other face multiplied by it shows them too. What a mouth
shows when it opens is lent by one person and takes on the light of the face.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F

from ..editing.motion import controls, grid, sample, spline, spots_of
from ..landmarks import BROWS, EYES, LEFT_EYE, RIGHT_EYE, eye_distance, frontal, mirrored, shown, turn
from ..sliders import ROWS, by_name
from .appearance import Appearance, with_head_still
from .maps import (
    axis,
    blur,
    coherence,
    column,
    face_mask,
    flipped,
    gauges,
    inside,
    inside_face,
    light,
    mean_under,
    mean_under_signed,
    read,
    skin_mask,
    smooth,
    spread,
    unit,
    wrinkled_mask,
)
from .mouth import BRIM, TEETH_SHOWN, across, edges, mouth_gap, mouth_spots, mouth_width, teeth_shade

DARK = 0.04  # added to shades before their logarithm: black has no ratio
LENT = "134"  # who lends the mouth
SMILING = ("009", "026", "062", "099", "117", "134", "094", "097")  # people who lend the folds of their smiles
ELDER = "08074.webp"  # the training picture of who lends the wrinkles
PARTED = 0.09  # distance of the lips, in distances between the eyes, from which a smile shows teeth
WRINKLE = 0.022  # width of the blur that parts wrinkles from the shape of a face, in picture sides
PORE = 0.008  # and of that which parts pores from wrinkles
AGED = 1.1  # how strong the wrinkles are at the end of the slider, to those of that face
SPOTTED = 2.4  # and how strong spots and pores are
SPOT = 0.08  # logarithm of light that a spot does not exceed: darker ones look like dirt on another face
SHINE = 0.5  # how much is kept of spots that are brighter, the sweat of that face,
GLOW = 0.25  # and of what is bright between wrinkles, which looks embossed on another face
FADED = 0.5  # how much of the appearance model's change of colour joins them
BROAD = 1.25  # how much farther a whole smile moves the face than those of people who were asked to smile
FOLDING = 0.5  # how strong the folds are, to the mean of those people: stronger ones look less like smiles
WARM = torch.tensor([0.75, 1.0, 1.15])  # folds darken red least
SIDE = 256  # a picture's side in the unit of what is told in pixels


def to_shape(images, landmarks, shape):
    """Images [n,3,S,S] with landmarks [n,68,2] warped to the face of `shape` [68,2]."""
    at = controls(shape[None]).expand(len(images), -1, -1)
    return sample(images, spline(at, controls(landmarks) - at)).clamp(-1, 1)


class Opening(NamedTuple):
    """Where an opening mouth is, for every pixel. Heights are in SIDEths of the picture."""

    u: torch.Tensor  # across the mouth, from 0 to 1, [n,S,S]
    v: torch.Tensor  # down it, from 0 to 1, [n,S,S]
    high: torch.Tensor  # how high it is there, [n,S,S]
    gap: torch.Tensor  # how high it is in the middle, [n]
    cover: torch.Tensor  # opacity of what is laid into it, [n,1,S,S]


class Exemplars:
    """Teachers of single sliders. `displacements` holds those of landmarks, [68,2] per unit, of the sliders
    whose motion they need; that of the smile replaces the appearance model's. `shown` says, of a slider, between which
    distances of its two landmarks a face goes from showing nothing of it to showing all."""

    def __init__(self, tensors: dict, device="cpu"):
        self.held = {name: tensor.float().to(device) for name, tensor in tensors.items()}
        self.shape = self.held["shape"]
        self.displacements = {name: self.held[f"{name}_shifts"] for name in ("smile", "mouth")}
        self.shown = {"smile": tuple(round(end, 3) for end in self.held["smile_range"].tolist())}

    def tensors(self):
        return {name: tensor.half() if tensor.numel() > 1000 else tensor for name, tensor in self.held.items()}

    # -- fitting

    @classmethod
    def fit(cls, images, landmarks, rows, appearance: Appearance, size: int, portraits, elder):
        """From clean pictures [n,3,s,s], their landmarks and rows of clean512.csv; `portraits` are pictures and
        landmarks of people who smile in all kinds of light, `elder` those of somebody old."""
        find = {(r["source"], r["person"], r["expression"]): i for i, r in enumerate(rows) if r["split"] != "heldout"}
        people = [person for source, person, expression in find if source == "london" and expression == "neutral"]
        before = torch.tensor([find["london", person, "neutral"] for person in people])
        after = torch.tensor([find["london", person, "smiling"] for person in people])
        shape = appearance.shape.cpu().float()
        held = {"shape": shape, "gauges": gauges(shape, size)}
        toothy = mouth_gap(landmarks[after]) > PARTED
        # Who has a wide mouth does not smile yet: the range begins above most calm mouths. It ends below most smiles:
        # a smile that is less broad than others is a whole one.
        wide = mouth_width(landmarks[before]).quantile(0.8), mouth_width(landmarks[after[toothy]]).quantile(0.15)
        held["smile_range"] = torch.stack(wide)
        displacements = cls.smile_displacements(landmarks[before[toothy]], landmarks[after[toothy]], shape)
        held["smile_shifts"] = BROAD * displacements / by_name("smile").ends[1]
        chosen = [people.index(person) for person in SMILING]
        held["smile_ratio"] = cls.smile_ratio(images, landmarks, before[chosen], after[chosen], shape, size)
        lent = find["london", LENT, "smiling"]
        held["mouth"], held["edges"] = cls.mouth(images[lent : lent + 1], landmarks[lent]), edges(shape)
        held["mouth_shifts"] = appearance.displacements[ROWS["mouth"]].float()
        held["teeth"] = cls.teeth(*portraits, held, shape)
        held["skin"] = skin_mask(shape, size)
        held["age_detail"], held["age_spots"] = cls.age_detail(*elder, shape, size)
        return cls(held)

    @staticmethod
    def smile_displacements(before, after, shape):
        displacements = []
        for a, b in zip(before, after, strict=True):
            displacements += [with_head_still(b - a, a), with_head_still(mirrored(b) - mirrored(a), mirrored(a))]
        displacements = torch.stack(displacements).sort(0).values
        trim = len(displacements) // 5
        return with_head_still(displacements[trim : len(displacements) - trim].mean(0), shape)

    @staticmethod
    def smile_ratio(images, landmarks, before, after, shape, size):
        """Logarithm of a smile's change of light on the mean face, [1,3,S,S]."""
        pair = [unit(to_shape(images[i], landmarks[i], shape)) for i in (before, after)]
        ratio = (pair[1] + DARK).log() - (pair[0] + DARK).log()
        small = F.interpolate(ratio, size=(size, size), mode="area")
        mask = face_mask(shape, size)[None]
        for eye in (RIGHT_EYE, LEFT_EYE):
            mask = mask * (1 - spread(inside(shape[eye], size), 0.008))
        mask = mask * (1 - spread(inside(shape[60:68], size), 0.008))
        brows = shape[BROWS, 1].mean()
        mask = mask * smooth(grid(size, "cpu")[..., 1], brows - 0.01, brows + 0.03) * inside_face(shape, 0.92, size)
        ridge = spread(inside(shape[[27, 32, 33, 34]], size), 0.02)
        mask = mask * (1 - 0.8 * ridge)
        small = small - mean_under_signed(mask, small)
        small = (small + flipped(small, shape)) / 2
        grey = light(small)
        grey = torch.where(grey < 0, grey * WARM.view(1, 3, 1, 1), grey)
        return (FOLDING * grey.mean(0, keepdim=True)).clamp(-0.6, 0.6) * mask

    @staticmethod
    def mouth(image, landmarks):
        """The lent mouth, upright between its lips and in units of its own teeth, [1,3,HIGH,WIDE]."""
        mouth = unit(read(image, mouth_spots(landmarks)[None]))
        return mouth / teeth_shade(mouth)[:, :, None, None]

    @staticmethod
    def teeth(images, landmarks, held, shape):
        """Regression of the shade of teeth on the light of a face, [6,3]."""
        keep = (mouth_gap(landmarks) > PARTED + 0.03) & (mouth_width(landmarks) > 0.9)
        rows, shades = [], []
        for i in keep.nonzero()[:, 0].split(16):
            place = shape_fields(landmarks[i], shape)
            rows.append(light_features(unit(images[i]), held["gauges"].expand(len(i), -1, -1, -1), place)[0])
            mouths = torch.cat([unit(read(images[j : j + 1], mouth_spots(landmarks[j])[None])) for j in i])
            shades.append(teeth_shade(mouths).log())
        rows, shades = torch.cat(rows), torch.cat(shades)
        gram = rows.T @ rows + 0.5 * torch.diag(torch.tensor([0.0] + [1.0] * (rows.shape[1] - 1)))
        return torch.linalg.solve(gram, rows.T @ shades)

    @staticmethod
    def age_detail(images, landmarks, shape, size):
        """Wrinkles of an old face on the mean face, and its spots, as logarithms of light, [1,1,S,S] each."""
        logs = (unit(to_shape(images, landmarks, shape)) + DARK).log()
        logs = F.interpolate(logs, size=(size, size), mode="bicubic", align_corners=False)
        detail = light(logs - blur(logs, WRINKLE))
        across, down = grid(size, "cpu").unbind(-1)
        # Below the eyes, the clearer side serves both.
        eyes = shape[EYES, 1].mean()
        below, right = smooth(down, eyes - 0.02, eyes + 0.02), across > axis(shape)

        def clearer(detail):
            return torch.lerp(detail, torch.where(right, flipped(detail, shape), detail), below)

        along = smooth(coherence(detail), 0.15, 0.5)
        lines, spots = detail * along, SPOT * (detail * (1 - along) / SPOT).tanh()
        lines = torch.where(lines > 0, GLOW * lines, lines)
        folds = light(blur(logs, WRINKLE) - blur(logs, 0.06))
        lines = clearer((lines + 0.4 * folds).clamp(-0.5, 0.25))
        nose = spread(inside(shape[[27, 31, 32, 33, 34, 35]], size), 0.02)
        lines = lines * wrinkled_mask(shape, size) * (1 - 0.8 * nose)
        spots = clearer(torch.where(spots > 0, SHINE * spots, spots))
        spots = spots - mean_under_signed(skin_mask(shape, size), spots)
        chin = shape[[4, 12], 1].mean()  # that and the upper lip show a beard
        lip = spread(inside(shape[[48, 51, 54, 57, 33]], size), 0.03)
        return lines, spots * (1 - smooth(down, chin - 0.03, chin + 0.01)) * (1 - lip)

    # -- editing

    @torch.no_grad()
    def edited(self, name, images, landmarks, motion, place, strengths, base):
        """Images [n,3,S,S], each moved by `strengths` [n] of the slider; `motion` and `place` are the fields of
        that, and `base` is the appearance model's own picture."""
        with torch.autocast(images.device.type, enabled=False):
            *parts, base = (a.float() for a in (images, landmarks, motion, place, strengths, base))
            if name == "age":
                return self.age(*parts, base)
            return {"smile": self.smile, "mouth": self.opened}[name](*parts)

    def map(self, name, images):
        """A map of the mean face for every one of the images, at their size."""
        held, size = self.held[name], images.shape[-1]
        if held.shape[-1] != size:
            held = F.interpolate(held, size=(size, size), mode="area" if held.shape[-1] > size else "bilinear")
        return held.expand(len(images), -1, -1, -1)

    def age(self, images, landmarks, motion, place, strengths, base):
        """Older: wrinkles, spots, part of the appearance model's change of colour. Younger: without fine detail."""
        seen = unit(sample(images, motion)).clamp(0, 1)
        up, down = (column(strengths / end).clamp_min(0) for end in reversed(by_name("age").ends))
        skin = sample(self.map("skin", images), place).clamp(0, 1)
        own = (seen + DARK).log()
        soft = blur(own, WRINKLE)
        # The face that lends them looks at the camera: on a profile its lines look embossed.
        gate = skin * self.like_skin(soft, place) * column(frontal(landmarks, *by_name("age").turned))
        lines = sample(self.map("age_detail", images), place)
        warm = WARM.to(lines.device).view(1, 3, 1, 1)
        lines = 0.3 * (lines / 0.3).tanh() * self.near(landmarks, place, images.shape[-1]) * warm
        lines = lines * (1 - 0.5 * smooth(light(seen), 0.6, 1.0))  # on the palest skin they look carved
        spots = sample(self.map("age_spots", images), place) * warm
        # New wrinkles cross the face's own, which get weaker; its pores stay.
        old = own + up * gate * (AGED * lines + SPOTTED * spots - 0.3 * light(blur(own, PORE) - soft))
        detail = own - blur(own, 0.012)
        young = detail / (1 + (detail / 0.12).square())  # edges stay
        out = (old - down * gate * 0.8 * young).exp() - DARK
        out = out + FADED * up.clamp(0, 1) * blur(unit(base) - seen, 0.012)
        return out.clamp(0, 1) * 2 - 1

    def near(self, landmarks, place, size: int):
        """1, but less on the far side of a turned face, [n,1,S,S]."""
        aside = column(turn(landmarks))
        across = spots_of(place, size)[..., 0].unsqueeze(1) - self.shape[27, 0]
        far = (across * aside.sign() / 0.12).clamp(0, 1)
        return 1 - far * smooth(aside.abs(), 0.1, 0.35)

    def like_skin(self, logs, place):
        """How much every pixel is like the cheeks, by smooth logarithms of colour: 0 for hair and other covers."""
        weights = sample(self.map("gauges", logs)[:, :2], place).clamp(0, 1).sum(1, keepdim=True)
        away = logs - mean_under_signed(weights, logs)
        grey = light(away)
        tint = (away - grey).square().sum(1, keepdim=True)
        return (-((grey / 0.7).square() ** 2) - tint / 0.3**2).exp()

    def smile(self, images, landmarks, motion, place, strengths):
        """A smile: its folds, its teeth."""
        grow = column(strengths / by_name("smile").ends[1])
        seen = unit(sample(images, motion)).clamp(0, 1)
        ratio = sample(self.map("smile_ratio", images), place)
        bright = smooth(light(seen), 0.55, 1.0)  # what is bright already must not glow
        ratio = torch.where(ratio > 0, ratio * (1 - 0.7 * bright), ratio) * self.near(
            landmarks, place, images.shape[-1]
        )
        out = (seen + DARK) * (grow * ratio).exp() - DARK
        opening = self.opening(images, landmarks, place, strengths[:, None, None] * self.displacements["smile"])
        # A mouth that opens a little shows the ends of the upper teeth.
        row = 1 - (1 - opening.v) * grow[:, 0].clamp(0, 1) ** 0.7
        dim = 0.8 + 0.2 * smooth(opening.gap / 9, 0, 1)  # little light reaches between lips that just part
        teeth = self.lit_teeth(seen, place, opening, row) * column(dim)
        return torch.lerp(out, teeth, opening.cover).clamp(0, 1) * 2 - 1

    def opened(self, images, landmarks, motion, place, strengths):
        """A mouth that opens without a smile: the ends of the upper teeth, and the dark."""
        seen = unit(sample(images, motion)).clamp(0, 1)
        opening = self.opening(images, landmarks, place, strengths[:, None, None] * self.displacements["mouth"])
        high = 0.075 * column(eye_distance(landmarks))[:, 0] * SIDE  # of what shows of the teeth
        down = opening.v * opening.high / high
        teeth = 0.92 * self.lit_teeth(seen, place, opening, 0.5 + 0.38 * down.clamp(0, 1.2))
        features, _ = light_features(seen, self.map("gauges", images), place)
        dark = features.new_tensor([0.34, 0.15, 0.14]) * light(features[:, 1:4].exp())
        tongue = 0.35 + 0.9 * smooth(opening.v, 0.4, 1.1)[:, None]
        inner = torch.lerp(teeth, dark[:, :, None, None] * tongue, smooth(down, 0.75, 1.2)[:, None])
        return torch.lerp(seen, inner, opening.cover).clamp(0, 1) * 2 - 1

    def opening(self, images, landmarks, place, displacements):
        """Where a mouth is that opens as landmarks move by `displacements` [n,68,2]."""
        held, where = self.held, spots_of(place, images.shape[-1])
        u, upper, lower = across(where, self.shape, held["edges"])
        tall = (lower - upper).clamp_min(1e-4)
        v = (where[..., 1] - upper) / tall
        moved = landmarks + displacements
        gap, before = (mouth_gap(p) * eye_distance(p) * SIDE for p in (moved, landmarks))
        high = gap[:, None, None] * tall / (held["edges"][1] - held["edges"][0]).amax()
        deep = torch.minimum(v, 1 - v) * high
        broad = torch.minimum(u, 1 - u) * SIDE * (self.shape[54, 0] - self.shape[48, 0])
        cover = smooth(torch.minimum(deep, broad), -0.6, 0.8)[:, None]
        # Who shows teeth already keeps them.
        kept = shown(landmarks, TEETH_SHOWN["points"], *TEETH_SHOWN["range"])
        cover = cover * column(smooth(gap - before, 0.3, 2.0) * (1 - kept))
        return Opening(u, v, high, gap, cover)

    def lit_teeth(self, seen, place, opening, row):
        """Teeth of the lent mouth, read at `row` (0 the upper lip, 1 the lower), in the light of the faces `seen`."""
        spots = torch.stack([2 * opening.u - 1, 2 * (row + BRIM) / (1 + 2 * BRIM) - 1], -1)
        mouth = self.held["mouth"].expand(len(seen), -1, -1, -1)
        mouth = F.grid_sample(mouth, spots, mode="bicubic", padding_mode="border", align_corners=False)
        features, slope = light_features(seen, self.map("gauges", seen), place)
        shade = (features @ self.held["teeth"]).exp()
        cheeks = light(features[:, 1:4].exp())
        shade = torch.maximum(shade, cheeks * (0.7 * cheeks + 0.3).clamp(0, 1)).clamp(0.05, 0.96)
        across = (opening.u - 0.5)[:, None] * column(slope)
        below = smooth(opening.v * opening.high / 3 + 0.3, 0, 1)[:, None]  # the upper lip throws a shadow
        return mouth * shade[:, :, None, None] * across.exp() * (0.8 + 0.2 * below)


def shape_fields(landmarks, shape):
    """Where unmoved faces lie on `shape`, [n,2,GRID,GRID]."""
    at = controls(landmarks)
    return spline(at, controls(shape[None]).expand(len(at), -1, -1) - at)


def light_features(pictures, weights, place):
    """What tells how bright teeth would be, [n,6], and how the light falls off across the mouth, [n]."""
    weights = sample(weights, place).clamp(0, 1)
    a, b, eye = weights.split(1, 1)
    cheeks = mean_under(a + b, pictures)
    bright = mean_under(a + b, light(pictures), 8)
    whites = mean_under(eye, light(pictures), 8)
    sides = [mean_under(side, light(pictures)).log() for side in (a, b)]
    logs = torch.cat([cheeks, bright, whites], 1).log()
    return F.pad(logs, (1, 0), value=1.0), (0.35 * (sides[1] - sides[0])[:, 0]).clamp(-0.5, 0.5)
