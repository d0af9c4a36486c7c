"""SDIC networks in PyTorch, sized by the weights manifest's config."""

from .config import ModelConfig
from .model import Inversion, Sdic

__all__ = ["Inversion", "ModelConfig", "Sdic"]
