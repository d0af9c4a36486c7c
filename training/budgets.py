"""The budgets of train.sh: model sizes, devices, how long stages take, pictures per step."""

from __future__ import annotations

import dataclasses

import torch

from .networks.config import DicnConfig, DipnConfig, EditorConfig, EncoderConfig, ModelConfig

STAGES = ("autoencoder", "dipn", "compensation", "crops", "classifier")


@dataclasses.dataclass(frozen=True)
class Budget:
    """`minutes` or, for runs that come out the same anywhere, `steps`, and the `batch` (per worker and step) are
    by stage; those without are not run. With the `critic`, StyleGAN2's discriminator judges beside those on
    ImageNet features."""

    model: ModelConfig
    device: str
    batch: dict[str, int]
    minutes: dict[str, float] | None = None
    steps: dict[str, int] | None = None
    critic: bool = True
    kept: int = 800  # inversions that `dipn` learns from at a time on a CPU
    cached: tuple[int, int] = (640, 250)  # photos whose inversions `crops` rebuilds and edits

    def available_device(self) -> torch.device:
        """A CPU, where stages can at least be tried, if there is no such GPU."""
        if self.device != "cpu" and not torch.cuda.is_available():
            print("no GPU found: this runs on the CPU, for a trial only", flush=True)
            return torch.device("cpu")
        return torch.device(self.device)


MODEL_128 = ModelConfig(
    image_size=128,
    style_dim=256,
    channels=(256, 256, 192, 128, 64, 32),
    inject_size=64,
    encoder=EncoderConfig(input_size=128, units=(2, 2, 3, 2), widths=(16, 64, 128, 192), head_width=64),
    dipn=DipnConfig(features=(8, 12, 16, 24, 32), descriptor=4, volume=4),
    dicn=DicnConfig(stem=16, middle=32, latent_map=32),
    editor=EditorConfig(width=32, plan=8, fold=2),
)

# The same at twice the resolution; encoder, DIPN and DICN look at half of it, as the authors' do at a quarter.
# Plans lie at the resolution of the picture, and are drawn into that, too.
MODEL_256 = dataclasses.replace(
    MODEL_128,
    image_size=256,
    channels=(256, 256, 192, 128, 96, 40, 24),
    editor=EditorConfig(width=32, plan=3, fold=4, detail=8, covering=8),
)

# Every stage in seconds on any machine, to see that the scripts run; the result is noise.
TINY_MODEL = ModelConfig(
    image_size=64,
    style_dim=32,
    channels=(32, 32, 16, 16, 8),
    inject_size=16,
    encoder=EncoderConfig(input_size=32, units=(1, 1, 1, 1), widths=(8, 8, 16, 16), head_width=16),
    dipn=DipnConfig(features=(4, 4, 4, 8, 8), descriptor=4, volume=2),
    dicn=DicnConfig(stem=4, middle=8, latent_map=8),
    editor=EditorConfig(width=8, plan=2, fold=4, detail=2, covering=2),
)


def by_stage(*values):
    return dict(zip(STAGES, values, strict=True))


BUDGETS = {
    "cpu": Budget(MODEL_128, "cpu", minutes=by_stage(100, 5, 60, 60, 5), batch=by_stage(8, 5, 4, 6, 32), critic=False),
    "gpu": Budget(MODEL_256, "cuda", minutes=by_stage(8, 1.3, 10, 60, 1), batch=by_stage(64, 128, 64, 6, 64)),
    "refine": Budget(
        MODEL_256,
        "cpu",
        minutes={"dipn": 25, "crops": 45, "classifier": 1},
        batch={"dipn": 8, "crops": 6, "classifier": 64},
    ),
    "tiny": Budget(
        TINY_MODEL, "cpu", steps=by_stage(28, 56, 14, 24, 80), batch=by_stage(4, 4, 4, 6, 8), kept=16, cached=(16, 12)
    ),
}
