"""Edited training pictures after examples: what a real smile, and real age, do to skin and mouth, laid on other faces.

Expression ratio images (Liu, Shan, Zhang 2001): two photos of one person are brought to one shape; the quotient of
their light holds the folds that the edit brings, and any other face multiplied by it shows them too. What a mouth
shows when it opens is lent by one person and takes on the light of the face.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F

from .appearance import REACH, SLIDERS, Appearance, blur, face_mask, without_motion
from .motion import controls, grid, mirrored, sample, spline

DARK = 0.04  # added to shades before their logarithm: black has no ratio
LENT = "097"  # who lends the mouth
FOLDED = ("009", "026", "062", "099", "117", "134", "094", "097")  # people who lend the folds of their smiles
ELDER = "08074.webp"  # the training picture of who lends the wrinkles
PARTED = 0.09  # distance of the lips, in distances between the eyes, from which a smile shows teeth
WIDE, HIGH, BRIM = 192, 96, 0.2  # cells of a lent mouth, and how much of the lips around it is kept, in gaps
UPPER, LOWER = [48, 61, 62, 63, 54], [48, 60, 67, 66, 65, 64, 54]  # the inner edges of the lips
WRINKLE = 0.022  # width of the blur that parts wrinkles from the shape of a face, in picture sides
AGED = 0.8  # how strong the wrinkles are at the end of the slider, to those of that face
FADED = 0.5  # how much of the appearance model's change of colour joins them
FOLDING = 1.3  # how much stronger than on the mean of those people the folds are
WARM = torch.tensor([0.75, 1.0, 1.15])  # folds darken red least
TABLE = 64  # cells of a curve
SIDE = 256  # a picture's side in the unit of what is told in pixels


def smooth(x, low, high):
    """0 below `low`, 1 above `high`."""
    x = ((x - low) / (high - low)).clamp(0, 1)
    return x * x * (3 - 2 * x)


def column(x):
    return x.view(-1, 1, 1, 1)


def apart(points):
    """Distance between the eyes [n] of points [n,68,2]."""
    return (points[:, 36:42].mean(1) - points[:, 42:48].mean(1)).norm(dim=1)


def mouth_width(points):
    return (points[:, 48] - points[:, 54]).norm(dim=1) / apart(points)


def mouth_gap(points):
    """How far the lips are apart [n], in distances between the eyes."""
    return (points[:, [61, 62, 63]] - points[:, [67, 66, 65]]).norm(dim=2).mean(1) / apart(points)


def edges(points):
    """Inner edges of the lips of one face [68,2], upper and lower: heights at TABLE + 1 places across the mouth."""
    x = torch.linspace(0, 1, TABLE + 1, dtype=torch.double)
    left, right = points[48], points[54]
    found = []
    for which, degree in ((UPPER, 3), (LOWER, 4)):
        knots = ((points[which, 0] - left[0]) / (right[0] - left[0])).double()
        heights = points[which, 1].double()
        weight = torch.ones(len(which), 1, dtype=torch.double)
        weight[[0, -1]] = 100.0  # the corners are met
        powers = torch.arange(degree + 1)
        curve = torch.linalg.lstsq(weight * knots[:, None] ** powers, weight * heights[:, None]).solution
        found.append((x[:, None] ** powers @ curve)[:, 0])
    upper, lower = found
    return torch.stack([upper, torch.maximum(upper, lower)]).float()


def mouth_spots(points):
    """Where the cells of a lent mouth lie on the face of points [68,2], [HIGH,WIDE,2]."""
    left, right = points[48, 0], points[54, 0]
    u = (torch.arange(WIDE) + 0.5) / WIDE
    v = (torch.arange(HIGH) + 0.5) / HIGH * (1 + 2 * BRIM) - BRIM
    upper, lower = F.interpolate(edges(points)[None], size=WIDE, mode="linear", align_corners=False)[0]
    y = upper + (lower - upper) * v[:, None]
    return torch.stack([(left + (right - left) * u).expand_as(y), y], -1)


def read(images, spots):
    """Images [n,c,S,S] at spots [n,h,w,2], in picture sides."""
    return F.grid_sample(images, 2 * spots - 1, mode="bicubic", padding_mode="border", align_corners=False)


def to_shape(images, points, shape):
    """Images [n,3,S,S] with points [n,68,2] warped to the face of `shape` [68,2]."""
    at = controls(shape[None]).expand(len(images), -1, -1)
    return sample(images, spline(at, controls(points) - at)).clamp(-1, 1)


def unit(images):
    return (images + 1) / 2


def light(colour):
    """Luminance [n,1,...] of colours [n,3,...]."""
    share = colour.new_tensor([0.299, 0.587, 0.114]).view(1, 3, *[1] * (colour.dim() - 2))
    return (colour * share).sum(1, keepdim=True)


def mean_under(weight, values, power: float = 1.0):
    """Mean [n,c] of values [n,c,S,S] by weights [n,1,S,S]; a high power asks for the brightest."""
    total = weight.sum((2, 3)).clamp_min(1e-6)
    return ((weight * values.clamp_min(1e-3) ** power).sum((2, 3)) / total) ** (1 / power)


def inside(points, size: int):
    """1 within the polygon of points [P,2], [1,1,S,S]."""
    spots = grid(size, points.device)
    found = torch.zeros(size, size, dtype=torch.bool)
    for a, b in zip(points, points.roll(-1, 0)):
        crosses = (a[1] > spots[..., 1]) != (b[1] > spots[..., 1])
        found ^= crosses & (spots[..., 0] < (b[0] - a[0]) * (spots[..., 1] - a[1]) / (b[1] - a[1]) + a[0])
    return found.float()[None, None]


def spread(mask, radius: float):
    """A mask [1,1,S,S] grown by `radius` picture sides, with a soft edge of the same width."""
    size = mask.shape[-1]
    cells = max(1, round(radius * size))
    return blur(F.max_pool2d(mask, 2 * cells + 1, 1, cells), radius / 2).clamp(0, 1)


def blob(centre, radius: float, size: int):
    return torch.exp(-((grid(size, "cpu") - centre).square().sum(-1) / radius**2))[None, None]


def gauges(shape, size: int):
    """Weights on the mean face that gauge the light: left cheek, right cheek, whites of the eyes, [1,3,S,S]."""
    found = []
    for eye, nose, jaw in ((36, 31, 2), (42, 35, 14)):
        across = 0.7 * shape[eye : eye + 6, 0].mean() + 0.3 * shape[jaw, 0]
        found.append(blob(torch.stack([across, (shape[30, 1] + shape[nose, 1]) / 2]), 0.045, size))
    found.append(sum(inside(shape[eye : eye + 6], size) for eye in (36, 42)))
    return torch.cat(found, 1)


class Opening(NamedTuple):
    """Where an opening mouth is: across and down it from 0 to 1, its height and that of its middle in
    SIDEths of the picture, [n,S,S] and
    [n]; and the opacity of what is laid into it, [n,1,S,S]."""

    u: torch.Tensor
    v: torch.Tensor
    high: torch.Tensor
    gap: torch.Tensor
    cover: torch.Tensor


class Exemplars:
    """Teachers of single sliders. `shapes` holds the shifts [68,2] of the points per unit of those sliders whose motion
    they need; that of the smile replaces the appearance model's. From `low` to `high`, the width of a mouth in
    distances between the eyes says how much of a smile it shows."""

    covers = {"smile", "age", "mouth"}  # upwards
    covers_below = {"age"}  # downwards

    def __init__(self, tensors: dict, device="cpu"):
        self.held = {name: tensor.float().to(device) for name, tensor in tensors.items()}
        self.shape = self.held["shape"]
        self.shapes = {name: self.held[f"{name}_shifts"] for name in ("smile", "mouth")}
        self.low, self.high = self.held["smile_range"].tolist()

    def tensors(self):
        return {name: tensor.half() if tensor.numel() > 1000 else tensor for name, tensor in self.held.items()}

    # -- fitting

    @classmethod
    def fit(cls, images, points, rows, appearance: Appearance, size: int, portraits, elder):
        """From clean pictures [n,3,s,s], their points and rows of clean512.csv; `portraits` are pictures and points of
        people who smile in all kinds of light, `elder` those of somebody
        old."""
        find = {(r["source"], r["person"], r["expression"]): i for i, r in enumerate(rows) if r["split"] != "heldout"}
        people = [person for source, person, expression in find if source == "london" and expression == "neutral"]
        before = torch.tensor([find["london", person, "neutral"] for person in people])
        after = torch.tensor([find["london", person, "smiling"] for person in people])
        shape = appearance.shape.cpu().float()
        held = {"shape": shape, "gauges": gauges(shape, size)}
        toothy = mouth_gap(points[after]) > PARTED
        # Who has a wide mouth does not smile yet: the range begins above most calm mouths.
        wide = mouth_width(points[before]).quantile(0.8), mouth_width(points[after[toothy]]).median()
        held["smile_range"] = torch.stack(wide)
        shifts = cls.smile_shifts(points[before[toothy]], points[after[toothy]], shape)
        held["smile_shifts"] = shifts / REACH["smile"][1]
        chosen = [people.index(person) for person in FOLDED]
        held["smile_ratio"] = cls.smile_ratio(images, points, before[chosen], after[chosen], shape, size)
        lent = find["london", LENT, "smiling"]
        held["mouth"], held["edges"] = cls.mouth(images[lent : lent + 1], points[lent]), edges(shape)
        held["mouth_shifts"] = appearance.shapes[SLIDERS.index("mouth")].float()
        held["teeth"] = cls.teeth(*portraits, held, shape)
        held["skin"] = skin_mask(shape, size)
        held["age_detail"] = cls.age_detail(*elder, shape, size)
        return cls(held)

    @staticmethod
    def smile_shifts(before, after, shape):
        shifts = []
        for a, b in zip(before, after):
            shifts += [without_motion(b - a, a), without_motion(mirrored(b) - mirrored(a), mirrored(a))]
        shifts = torch.stack(shifts).sort(0).values
        trim = len(shifts) // 5
        return without_motion(shifts[trim : len(shifts) - trim].mean(0), shape)

    @staticmethod
    def smile_ratio(images, points, before, after, shape, size):
        """Logarithm of a smile's change of light on the mean face, [1,3,S,S]."""
        pair = [unit(to_shape(images[i], points[i], shape)) for i in (before, after)]
        ratio = (pair[1] + DARK).log() - (pair[0] + DARK).log()
        small = F.interpolate(ratio, size=(size, size), mode="area")
        mask = face_mask(shape, size)[None]
        for feature in (range(36, 42), range(42, 48)):
            mask = mask * (1 - spread(inside(shape[list(feature)], size), 0.008))
        mask = mask * (1 - spread(inside(shape[60:68], size), 0.008))
        brows = shape[17:27, 1].mean()
        mask = mask * smooth(grid(size, "cpu")[..., 1], brows - 0.01, brows + 0.03) * inside_face(shape, 0.92, size)
        ridge = spread(inside(shape[[27, 32, 33, 34]], size), 0.02)
        mask = mask * (1 - 0.8 * ridge)
        small = small - mean_under_signed(mask, small)
        small = (small + flipped(small, shape)) / 2
        grey = light(small)
        grey = torch.where(grey < 0, grey * WARM.view(1, 3, 1, 1), grey)
        return (FOLDING * grey.mean(0, keepdim=True)).clamp(-0.6, 0.6) * mask

    @staticmethod
    def mouth(image, points):
        """The lent mouth, upright between its lips and in units of its own teeth, [1,3,HIGH,WIDE]."""
        mouth = unit(read(image, mouth_spots(points)[None]))
        return mouth / teeth_shade(mouth)[:, :, None, None]

    @staticmethod
    def teeth(images, points, held, shape):
        """Regression of the shade of teeth on the light of a face, [6,3]."""
        keep = (mouth_gap(points) > PARTED + 0.03) & (mouth_width(points) > 0.9)
        rows, shades = [], []
        for i in keep.nonzero()[:, 0].split(16):
            place = shape_fields(points[i], shape)
            rows.append(light_features(unit(images[i]), held["gauges"].expand(len(i), -1, -1, -1), place)[0])
            mouths = torch.cat([unit(read(images[j : j + 1], mouth_spots(points[j])[None])) for j in i])
            shades.append(teeth_shade(mouths).log())
        rows, shades = torch.cat(rows), torch.cat(shades)
        gram = rows.T @ rows + 0.5 * torch.diag(torch.tensor([0.0] + [1.0] * (rows.shape[1] - 1)))
        return torch.linalg.solve(gram, rows.T @ shades)

    @staticmethod
    def age_detail(images, points, shape, size):
        """Wrinkles of an old face on the mean face, as logarithms of light, [1,1,S,S]."""
        logs = (unit(to_shape(images, points, shape)) + DARK).log()
        logs = F.interpolate(logs, size=(size, size), mode="bicubic", align_corners=False)
        detail = light(logs - blur(logs, WRINKLE))
        across, down = grid(size, "cpu").unbind(-1)
        detail = detail * smooth(coherence(detail), 0.15, 0.5)  # lines, not spots and pores
        detail = torch.where(detail > 0, 0.6 * detail, detail)  # light skin between the wrinkles must not glow
        folds = light(blur(logs, WRINKLE) - blur(logs, 0.06))
        detail = (detail + 0.4 * folds).clamp(-0.5, 0.25)
        # Below the eyes, the clearer side serves both.
        halves = torch.where(across > axis(shape), flipped(detail, shape), detail)
        eyes = shape[36:48, 1].mean()
        detail = torch.lerp(detail, halves, smooth(down, eyes - 0.02, eyes + 0.02))
        nose = spread(inside(shape[[27, 31, 32, 33, 34, 35]], size), 0.02)
        return detail * wrinkled_mask(shape, size) * (1 - 0.8 * nose)

    # -- editing

    @torch.no_grad()
    def edited(self, name, images, points, move, place, steps, base):
        """Images [n,3,S,S], each moved by `steps` [n] of the slider; `move` and `place` are the fields of that, and
        `base` is the appearance model's own picture."""
        with torch.autocast(images.device.type, enabled=False):
            images, points, move, place, steps, base = (a.float() for a in (images, points, move, place, steps, base))
            if name == "smile":
                return self.smile(images, points, move, place, steps)
            if name == "mouth":
                return self.opened(images, points, move, place, steps)
            return self.age(images, points, move, place, steps, base)

    def map(self, name, images):
        """A map of the mean face for every one of the images, at their size."""
        held, size = self.held[name], images.shape[-1]
        if held.shape[-1] != size:
            held = F.interpolate(held, size=(size, size), mode="area" if held.shape[-1] > size else "bilinear")
        return held.expand(len(images), -1, -1, -1)

    def age(self, images, points, move, place, steps, base):
        seen = unit(sample(images, move)).clamp(0, 1)
        up, down = column(steps / REACH["age"][1]).clamp_min(0), column(steps / REACH["age"][0]).clamp_min(0)
        skin = sample(self.map("skin", images), place).clamp(0, 1)
        own = (seen + DARK).log()
        soft = blur(own, WRINKLE)
        gate = skin * self.like_skin(soft, place)
        lines = sample(self.map("age_detail", images), place)
        warm = WARM.to(lines.device).view(1, 3, 1, 1)
        lines = 0.3 * (lines / 0.3).tanh() * self.near(points, place, images.shape[-1]) * warm
        lines = lines * (1 - 0.5 * smooth(light(seen), 0.6, 1.0))  # on the palest skin they look carved
        old = own + up * gate * (AGED * lines - 0.3 * light(own - soft))
        detail = own - blur(own, 0.012)
        young = detail / (1 + (detail / 0.12).square())  # edges stay
        out = (old - down * gate * 0.8 * young).exp() - DARK
        out = out + FADED * up.clamp(0, 1) * blur(unit(base) - seen, 0.012)
        return out.clamp(0, 1) * 2 - 1

    def near(self, points, place, size: int):
        """1, but less on the far side of a turned face, [n,1,S,S]."""
        turn = column((points[:, 30, 0] - points[:, 36:48, 0].mean(1)) / apart(points))
        across = wide_field(place, size)[..., 0].unsqueeze(1) - self.shape[27, 0]
        far = (across * turn.sign() / 0.12).clamp(0, 1)
        return 1 - far * smooth(turn.abs(), 0.1, 0.35)

    def like_skin(self, logs, place):
        """How much every pixel is like the cheeks, by smooth logarithms of colour: 0 for hair and other covers."""
        weights = sample(self.map("gauges", logs)[:, :2], place).clamp(0, 1).sum(1, keepdim=True)
        away = logs - mean_under_signed(weights, logs)
        grey = light(away)
        tint = (away - grey).square().sum(1, keepdim=True)
        return (-(grey / 0.7).square() ** 2 - tint / 0.3**2).exp()

    def smile(self, images, points, move, place, steps):
        grow = column(steps / REACH["smile"][1])
        seen = unit(sample(images, move)).clamp(0, 1)
        ratio = sample(self.map("smile_ratio", images), place)
        bright = smooth(light(seen), 0.55, 1.0)  # what is bright already must not glow
        ratio = torch.where(ratio > 0, ratio * (1 - 0.7 * bright), ratio) * self.near(points, place, images.shape[-1])
        out = (seen + DARK) * (grow * ratio).exp() - DARK
        opening = self.opening(images, points, place, steps[:, None, None] * self.shapes["smile"])
        # A mouth that opens a little shows the ends of the upper teeth.
        row = 1 - (1 - opening.v) * grow[:, 0].clamp(0, 1) ** 0.7
        dim = 0.8 + 0.2 * smooth(opening.gap / 9, 0, 1)  # little light reaches between lips that just part
        teeth = self.lit_teeth(seen, place, opening, row) * column(dim)
        return torch.lerp(out, teeth, opening.cover).clamp(0, 1) * 2 - 1

    def opened(self, images, points, move, place, steps):
        """A mouth that opens without a smile: the ends of the upper teeth, and the dark."""
        seen = unit(sample(images, move)).clamp(0, 1)
        opening = self.opening(images, points, place, steps[:, None, None] * self.shapes["mouth"])
        high = 0.075 * column(apart(points))[:, 0] * SIDE  # of what shows of the teeth
        down = opening.v * opening.high / high
        teeth = 0.92 * self.lit_teeth(seen, place, opening, 0.5 + 0.38 * down.clamp(0, 1.2))
        features, _ = light_features(seen, self.map("gauges", images), place)
        dark = features.new_tensor([0.34, 0.15, 0.14]) * light(features[:, 1:4].exp())
        tongue = 0.35 + 0.9 * smooth(opening.v, 0.4, 1.1)[:, None]
        inner = torch.lerp(teeth, dark[:, :, None, None] * tongue, smooth(down, 0.75, 1.2)[:, None])
        return torch.lerp(seen, inner, opening.cover).clamp(0, 1) * 2 - 1

    def opening(self, images, points, place, shifts):
        """Where a mouth is that opens by `shifts` [n,68,2] of the points."""
        held, where = self.held, wide_field(place, images.shape[-1])
        left, right = self.shape[48, 0], self.shape[54, 0]
        u = (where[..., 0] - left) / (right - left)
        tables = held["edges"][None, :, None].expand(len(images), -1, -1, -1)
        spots = torch.stack([2 * u - 1, torch.zeros_like(u)], -1)
        upper, lower = F.grid_sample(tables, spots, padding_mode="border", align_corners=True).unbind(1)
        tall = (lower - upper).clamp_min(1e-4)
        v = (where[..., 1] - upper) / tall
        moved = points + shifts
        gap, before = (mouth_gap(p) * apart(p) * SIDE for p in (moved, points))
        high = gap[:, None, None] * tall / (held["edges"][1] - held["edges"][0]).amax()
        deep = torch.minimum(v, 1 - v) * high
        broad = torch.minimum(u, 1 - u) * SIDE * (right - left)
        cover = smooth(torch.minimum(deep, broad), -0.6, 0.8)[:, None]
        # Who shows teeth already keeps them.
        cover = cover * column(smooth(gap - before, 0.3, 2.0) * (1 - smooth(mouth_gap(points), 0.12, 0.17)))
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


def mean_under_signed(weight, values):
    return (weight * values).sum((2, 3), keepdim=True) / weight.sum((2, 3), keepdim=True)


def teeth_shade(mouths):
    """Shade [n,3] of the brightest teeth of upright mouths [n,3,HIGH,WIDE]."""
    rows = slice(round(HIGH * 0.25), round(HIGH * 0.7))
    part = mouths[:, :, rows, WIDE // 4 : WIDE - WIDE // 4]
    weight = light(part).clamp_min(1e-3) ** 8
    return mean_under(weight / weight.amax((2, 3), keepdim=True), part)


def skin_mask(shape, size: int):
    """1 where the mean face is bare skin, [1,1,S,S]."""
    mask = face_mask(shape, size)[None]
    eyes, lips, nostrils = ((36, 42), (42, 48)), (48, 60), (31, 36)
    for (first, last), margin in ((eyes[0], 0.006), (eyes[1], 0.006), (lips, 0.01), (nostrils, 0.008)):
        feature = range(first, last)
        mask = mask * (1 - spread(inside(shape[list(feature)], size), margin))
    for brow in (range(17, 22), range(22, 27)):
        line = shape[list(brow)]
        mask = mask * (1 - spread(inside(torch.cat([line, (line + torch.tensor([0, 0.018])).flip(0)]), size), 0.01))
    return mask


def axis(shape):
    """Where a face's middle lies across the picture."""
    return shape[[8, 27, 30, 33], 0].mean()


def flipped(maps, shape):
    """Maps [n,c,S,S] of the mean face, mirrored at its own middle."""
    spots = grid(maps.shape[-1], maps.device)
    spots = torch.stack([2 * axis(shape) - spots[..., 0], spots[..., 1]], -1)
    return read(maps, spots[None].expand(len(maps), -1, -1, -1))


def coherence(images):
    """How far the structure around every cell is that of lines, 0..1."""
    wide = F.pad(images, (1, 1, 1, 1), mode="replicate")
    x = wide[..., 1:-1, 2:] - wide[..., 1:-1, :-2]
    y = wide[..., 2:, 1:-1] - wide[..., :-2, 1:-1]
    xx, xy, yy = (blur(a, 0.008) for a in (x * x, x * y, y * y))
    return ((xx - yy).square() + 4 * xy.square()).sqrt() / (xx + yy + 1e-4)


def wrinkled_mask(shape, size: int):
    """skin_mask less the rim of the face, where hair, ears and jaw begin."""
    return skin_mask(shape, size) * inside_face(shape, 0.9, size)


def inside_face(shape, share: float, size: int):
    middle = shape[27:36].mean(0)
    return face_mask(middle + share * (shape - middle), size)[None]


def shape_fields(points, shape):
    """Where unmoved faces lie on `shape`, [n,2,GRID,GRID]."""
    at = controls(points)
    return spline(at, controls(shape[None]).expand(len(at), -1, -1) - at)


def wide_field(field, size: int):
    """The spots [n,S,S,2] that a field of arrows leads to."""
    field = F.interpolate(field, size=(size, size), mode="bicubic", align_corners=False)
    return grid(size, field.device) + field.permute(0, 2, 3, 1)


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
