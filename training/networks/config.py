"""Sizes of the SDIC networks: the `config` object of a weights manifest."""

from __future__ import annotations

import dataclasses
import json
import math


@dataclasses.dataclass(frozen=True)
class EncoderConfig:
    input_size: int = 256
    units: tuple[int, ...] = (3, 4, 14, 3)
    widths: tuple[int, ...] = (64, 128, 256, 512)
    head_width: int = 512


@dataclasses.dataclass(frozen=True)
class DipnConfig:
    features: tuple[int, ...] = (16, 24, 32, 96, 160)
    descriptor: int = 24
    volume: int = 8


@dataclasses.dataclass(frozen=True)
class DicnConfig:
    stem: int = 32
    middle: int = 64
    latent_map: int = 64
    condition: int | None = None  # channels of condition_shift3; None: as many as styles


@dataclasses.dataclass(frozen=True)
class EditorConfig:
    """Of the feature editor: channels inside it, and of the plans that sliders bring. A plan has `fold` x `fold`
    cells for each of the feature's. With `detail` channels, plans as fine as the picture are drawn into that, too."""

    width: int = 40
    plan: int = 24
    fold: int = 1
    detail: int = 0
    covering: int = 0  # channels of what is drawn under covers; 0 for a model that draws nothing else there


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Field names and meaning are those of the JSON manifest; the defaults are the sizes of the published face
    model."""

    image_size: int = 1024
    crop: tuple[int, int] | None = None
    style_dim: int = 512
    channels: tuple[int, ...] = (512, 512, 512, 512, 512, 256, 128, 64, 32)
    mapping_layers: int = 0
    inject_size: int = 64
    encoder: EncoderConfig = EncoderConfig()
    dipn: DipnConfig = DipnConfig()
    dicn: DicnConfig = DicnConfig()
    editor: EditorConfig | None = None  # None: sliders change the features themselves

    @property
    def styles(self) -> int:
        """Number of style vectors in W+."""
        return 2 * int(math.log2(self.image_size)) - 2

    @property
    def inject_conv(self) -> int:
        """Index into `decoder.convs` of the layer whose output is compensated."""
        return 2 * (int(math.log2(self.inject_size)) - 3)

    @property
    def inject_channels(self) -> int:
        return self.channels[int(math.log2(self.inject_size)) - 2]

    @property
    def change_shape(self) -> tuple[int, int, int]:
        """Shape of what a slider brings to the injection layer."""
        if self.editor is None:
            return self.inject_channels, self.inject_size, self.inject_size
        return self.editor.plan, self.editor.fold * self.inject_size, self.editor.fold * self.inject_size

    def to_json(self) -> dict:
        data = json.loads(json.dumps(dataclasses.asdict(self)))
        if self.dicn.condition is None:
            del data["dicn"]["condition"]
        if self.editor is None:
            del data["editor"]
        else:
            for part in ("detail", "covering"):
                if not data["editor"][part]:
                    del data["editor"][part]
        return data

    @classmethod
    def from_json(cls, data: dict) -> ModelConfig:
        parts = {"encoder": EncoderConfig, "dipn": DipnConfig, "dicn": DicnConfig, "editor": EditorConfig}

        def build(kind, fields):
            return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()})

        data = {k: build(parts[k], v) if k in parts else v for k, v in data.items()}
        return build(cls, data)
