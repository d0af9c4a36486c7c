"""SDIC networks in PyTorch, sized by the weights manifest's config."""

from .config import CARS, FACE, ModelConfig
from .model import Inversion, Sdic

__all__ = ["CARS", "FACE", "Inversion", "ModelConfig", "Sdic"]
