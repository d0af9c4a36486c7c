"""The budgets of train.sh: model sizes, devices, minutes per stage, pictures per step."""

from __future__ import annotations

import dataclasses

from sdic.config import DicnConfig, DipnConfig, EditorConfig, EncoderConfig, ModelConfig


@dataclasses.dataclass(frozen=True)
class Budget:
    """`minutes` and `batch` (per worker and step) by stage; `real_share` of a batch are real photos; with the `critic`,
    StyleGAN2's discriminator judges beside those on ImageNet features."""

    model: ModelConfig
    device: str
    minutes: dict[str, float]
    batch: dict[str, int]
    real_share: float = 0.5
    critic: bool = True


MODEL_128 = ModelConfig(
    image_size=128,
    style_dim=256,
    channels=(256, 256, 192, 128, 64, 32),
    inject_size=64,
    encoder=EncoderConfig(input_size=128, units=(2, 2, 3, 2), widths=(16, 64, 128, 192), head_width=64),
    dipn=DipnConfig(features=(8, 12, 16, 24, 32), descriptor=4, volume=4),
    dicn=DicnConfig(stem=16, middle=32, latent_map=32),
    editor=EditorConfig(width=32, plan=16),
)

# The same at twice the resolution; encoder, DIPN and DICN look at half of it, as the authors' do at a quarter.
MODEL_256 = dataclasses.replace(MODEL_128, image_size=256, channels=(256, 256, 192, 128, 96, 40, 24))

# Every stage in seconds on any machine, to see that the scripts run; the result is noise.
TINY_MODEL = ModelConfig(
    image_size=64,
    style_dim=32,
    channels=(32, 32, 16, 16, 8),
    inject_size=16,
    encoder=EncoderConfig(input_size=32, units=(1, 1, 1, 1), widths=(8, 8, 16, 16), head_width=16),
    dipn=DipnConfig(features=(4, 4, 4, 8, 8), descriptor=4, volume=2),
    dicn=DicnConfig(stem=4, middle=8, latent_map=8),
    editor=EditorConfig(width=8, plan=4),
)

STAGES = ("autoencoder", "dipn", "compensation", "crops", "classifier")


def by_stage(*values):
    return dict(zip(STAGES, values))


BUDGETS = {
    "cpu": Budget(MODEL_128, "cpu", minutes=by_stage(100, 5, 60, 60, 5), batch=by_stage(8, 5, 4, 6, 32), critic=False),
    "gpu": Budget(MODEL_256, "cuda", minutes=by_stage(8, 1.3, 10, 60, 1), batch=by_stage(96, 128, 64, 6, 64)),
    "tiny": Budget(TINY_MODEL, "cpu", minutes=by_stage(0.2, 0.2, 0.3, 0.2, 0.2), batch=by_stage(4, 4, 4, 4, 8)),
}
