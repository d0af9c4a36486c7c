"""The two budgets of train.sh: model sizes, minutes per stage, batch sizes."""

from __future__ import annotations

from sdic.config import DicnConfig, DipnConfig, EncoderConfig, ModelConfig

CPU_MODEL = ModelConfig(
    image_size=128,
    style_dim=256,
    channels=(256, 256, 192, 128, 64, 32),
    inject_size=32,
    encoder=EncoderConfig(input_size=128, units=(2, 2, 3, 2), widths=(16, 64, 128, 192), head_width=64),
    dipn=DipnConfig(features=(8, 12, 16, 24, 32), descriptor=4, volume=4),
    dicn=DicnConfig(stem=16, middle=32, latent_map=32),
)
