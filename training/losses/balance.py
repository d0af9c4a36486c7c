"""How much adversaries count beside a loss, as in VQGAN (Esser et al., CVPR 2021)."""

from __future__ import annotations

import torch

LIMIT = 20.0  # of an adversarial weight
RAMP = 200  # steps until adversaries count in full


def ramp(step: int, like):
    """How much adversaries count at a step, a number on the device of a tensor."""
    return torch.full((), min(1.0, (step + 1) / RAMP), device=like.device)


def balanced(picture, loss, adversaries, known: int, layer):
    """Gradient at pictures [n,3,S,S] of a loss on the first `known` of them and of adversarial losses `(loss,
    share)`, each weighted so that its gradient at the weights of the generator's last `layer` is `share` times as
    long as the loss's."""

    def length(slope):
        slope = torch.cat([slope[:known], torch.zeros_like(slope[known:])])
        return torch.autograd.grad(picture, layer, slope, retain_graph=True)[0].norm()

    (total,) = torch.autograd.grad(loss, picture, retain_graph=True)
    own = length(total)
    for adversary, share in adversaries:
        (slope,) = torch.autograd.grad(adversary, picture, retain_graph=True)
        weight = (share * own / (length(slope) + 1e-12)).clamp(max=LIMIT)
        total = total + torch.nan_to_num(weight) * slope
    return total
