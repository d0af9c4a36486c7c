"""Plans that are laid out on another face draw the same."""

import unittest

import torch

from ..editing.motion import GRID, fields, grid, laid_anew
from ..networks.layers import warp

SIDE = 128


class Layout(unittest.TestCase):
    def test_plans_laid_anew_lie_where_they_lay(self):
        generator = torch.Generator().manual_seed(1)
        columns = torch.arange(68)
        shape = 0.14 + 0.09 * torch.stack([columns % 9, columns // 9], 1)
        other, face = (shape + 0.008 * torch.randn(68, 2, generator=generator) for _ in range(2))
        x, y = grid(SIDE, "cpu").unbind(-1)
        plan = torch.stack([torch.sin(20 * x), torch.cos(15 * y + 5 * x)])[None]
        motion, place, anew = fields(face[None], torch.zeros(1, 68, 2), shape, other)
        self.assertEqual(motion.shape, (1, 2, GRID, GRID))
        self.assertGreater((place - anew).abs().amax(), 0.01)
        before, after = warp(plan, place), warp(laid_anew(plan, shape, other), anew)
        inside = slice(SIDE // 5, -SIDE // 5)
        self.assertLess((before - after)[..., inside, inside].abs().mean(), 0.02)
        self.assertGreater((before - warp(plan, anew))[..., inside, inside].abs().mean(), 0.05)


if __name__ == "__main__":
    unittest.main()
