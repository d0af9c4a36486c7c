"""The budgets of train.sh: model sizes, devices, minutes per stage, pictures per step."""

from __future__ import annotations

import dataclasses

from sdic.config import DicnConfig, DipnConfig, EncoderConfig, ModelConfig


@dataclasses.dataclass(frozen=True)
class Budget:
    """`minutes` and `batch` (per worker and step) by stage; `real_share` of a batch are real photos."""

    model: ModelConfig
    device: str
    minutes: dict[str, float]
    batch: dict[str, int]
    real_share: float = 0.5


CPU_MODEL = ModelConfig(
    image_size=128,
    style_dim=256,
    channels=(256, 256, 192, 128, 64, 32),
    inject_size=64,
    encoder=EncoderConfig(input_size=128, units=(2, 2, 3, 2), widths=(16, 64, 128, 192), head_width=64),
    dipn=DipnConfig(features=(8, 12, 16, 24, 32), descriptor=4, volume=4),
    dicn=DicnConfig(stem=16, middle=32, latent_map=32),
)

GPU_MODEL = ModelConfig(
    image_size=256,
    style_dim=512,
    channels=(320, 320, 320, 224, 128, 64, 32),
    mapping_layers=4,
    inject_size=64,
    encoder=EncoderConfig(input_size=256, units=(2, 3, 4, 2), widths=(16, 64, 128, 224), head_width=72),
    dipn=DipnConfig(features=(8, 12, 16, 24, 32), descriptor=4, volume=4),
    dicn=DicnConfig(stem=16, middle=32, latent_map=64),
)

# Every stage in seconds on any machine, to see that the scripts run; the result is noise.
TINY_MODEL = ModelConfig(
    image_size=64,
    style_dim=32,
    channels=(32, 32, 16, 16, 8),
    mapping_layers=2,
    inject_size=16,
    encoder=EncoderConfig(input_size=64, units=(1, 1, 1, 1), widths=(8, 8, 16, 16), head_width=16),
    dipn=DipnConfig(features=(4, 4, 4, 8, 8), descriptor=4, volume=2),
    dicn=DicnConfig(stem=4, middle=8, latent_map=8),
)

BUDGETS = {
    "cpu": Budget(
        CPU_MODEL, "cpu",
        minutes={"autoencoder": 100, "crops": 10, "whole": 70, "edits": 30, "classifier": 5},
        batch={"autoencoder": 8, "crops": 4, "whole": 4, "edits": 4, "classifier": 32},
    ),
    "gpu": Budget(
        GPU_MODEL, "cuda",
        minutes={"generator": 13, "encoder": 5, "whole": 4, "edits": 1, "classifier": 1},
        batch={"generator": 64, "encoder": 48, "whole": 32, "edits": 32, "classifier": 64},
    ),
    "tiny": Budget(
        TINY_MODEL, "cpu",
        minutes={"generator": 0.2, "encoder": 0.2, "autoencoder": 0.2, "crops": 0.2, "whole": 0.2, "edits": 0.2, "classifier": 0.2},
        batch={"generator": 4, "encoder": 4, "autoencoder": 4, "crops": 4, "whole": 4, "edits": 4, "classifier": 8},
    ),
}
