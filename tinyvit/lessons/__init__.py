"""Lessons: what they call while they run, and the ways to go through them."""

from .audience import figure, predict
from .shelf import shipped

__all__ = ["figure", "predict", "shipped"]
