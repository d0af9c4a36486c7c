"""Measurements of trained models; nothing here takes part in training."""
