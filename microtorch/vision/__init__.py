"""Pictures as data: `datasets` (with real handwritten digits in the package) and `transforms`, after torchvision."""

from . import datasets, transforms

__all__ = ["datasets", "transforms"]
