"""Judges that tell real pictures from drawn ones by ImageNet features, as in Projected GAN (Sauer et al., NeurIPS
2021)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations

from .discriminator import Augment
from .features import WIDTHS, Features

WIDTH = 64  # channels of the judge's heads
SCALE = 6.0  # of the features, about
# Parts of an aligned face that the judge looks at twice as large: left, top and side, in picture sides.
CLOSE_UPS = {"eyes": (0.3125, 0.28125, 0.375), "mouth": (0.3125, 0.5, 0.375)}


def views(images, close_ups: bool):
    """What the judges look at: the whole pictures, then the close-ups, enlarged twice."""
    size, found = images.shape[-1], [images]
    for left, top, side in CLOSE_UPS.values() if close_ups else ():
        x, y, part = (round(size * share) for share in (left, top, side))
        close = images[..., y : y + part, x : x + part]
        found.append(F.interpolate(close, scale_factor=2, mode="bilinear", align_corners=False))
    return found


class Mixing(nn.Module):
    """Fixed random layers that mix the maps across channels and scales, so that no head can look away from some of
    them: as in Projected GAN. Maps of WIDTHS channels, finest first -> maps of WIDTH channels."""

    def __init__(self):
        super().__init__()
        self.across = nn.ModuleList(nn.Conv2d(width, WIDTH, 1, bias=False) for width in WIDTHS)
        self.down = nn.ModuleList(nn.Conv2d(WIDTH, WIDTH, 3, 1, 1, bias=False) for _ in WIDTHS[1:])
        for conv in (*self.across, *self.down):
            nn.init.kaiming_normal_(conv.weight, nonlinearity="linear")
        self.requires_grad_(False)

    def forward(self, taps):
        maps = [conv(tap / SCALE) for conv, tap in zip(self.across, taps, strict=True)]
        for i in reversed(range(len(self.down))):
            coarse = F.interpolate(
                self.down[i](maps[i + 1]), size=maps[i].shape[2:], mode="bilinear", align_corners=False
            )
            maps[i] = (maps[i] + coarse) * 0.5**0.5
        return maps


class Judge(nn.Module):
    """Heads on features of one view: patch logits, real or drawn."""

    def __init__(self):
        super().__init__()
        norm = parametrizations.spectral_norm
        self.mixing = Mixing()

        def head(downs):
            layers = []
            for _ in range(downs):
                layers += [norm(nn.Conv2d(WIDTH, WIDTH, 4, 2, 1)), nn.LeakyReLU(0.2)]
            return nn.Sequential(
                *layers, norm(nn.Conv2d(WIDTH, WIDTH, 3, 1, 1)), nn.LeakyReLU(0.2), norm(nn.Conv2d(WIDTH, 1, 3, 1, 1))
            )

        self.heads = nn.ModuleList(head(len(WIDTHS) - 1 - i) for i in range(len(WIDTHS)))

    def forward(self, taps):
        """Logits of the patches of every map, [n,1,h,w] each; above 0 is real."""
        return [head(tap) for head, tap in zip(self.heads, self.mixing(taps), strict=True)]


class Judges(nn.Module):
    """A judge for every view; what they look at is augmented first, by light, colour, shift and cut-out."""

    def __init__(self, close_ups: bool = True, augment: float = 0.4):
        super().__init__()
        self.features, self.close_ups = Features(), close_ups
        self.judges = nn.ModuleList(Judge() for _ in range(1 + len(CLOSE_UPS) * close_ups))
        self.augment = Augment(p=augment)

    def learned(self):
        return [p for p in self.judges.parameters() if p.requires_grad]

    def taps(self, images):
        return [self.features(self.augment(view)) for view in views(images, self.close_ups)]

    def logits(self, taps):
        return [logits for judge, part in zip(self.judges, taps, strict=True) for logits in judge(part)]

    def loss(self, real_taps, taps):
        """What the heads learn from: hinge loss of real against drawn pictures."""
        real, drawn = self.logits(real_taps), self.logits([[tap.detach() for tap in view] for view in taps])
        return sum(
            F.relu(1 - a.float()).mean() + F.relu(1 + b.float()).mean() for a, b in zip(real, drawn, strict=True)
        ) / len(real)

    def fooled(self, taps):
        """What drawn pictures are trained to lower."""
        logits = self.logits(taps)
        return -sum(part.float().mean() for part in logits) / len(logits)
