"""Pictures as data, as in torchvision: `datasets`, with real handwritten digits; `transforms`."""

from . import datasets, transforms

__all__ = ["datasets", "transforms"]
