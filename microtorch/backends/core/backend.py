"""``Core``: one class per family of kernels, each in a file named like its C file.

A method has the name and the arguments of its op; what C declines (a layout, a dtype) goes to the
op's definition.
"""
from __future__ import annotations

from functools import cached_property

from .along import Along
from .casts import Casts
from .convolution import Convolution
from .distances import Distances
from .elementwise import Elementwise
from .embedding import Embedding
from .halves import Halves
from .library import Kernels
from .loss import Losses
from .normalisation import Normalisation
from .optimizers import Optimizers
from .products import Products
from .recurrent import Recurrent
from .reductions import Reductions
from .scans import Scans
from .special import Special
from .whole import Whole


class Core(
    Products, Convolution, Reductions, Along, Scans, Distances, Losses, Normalisation,
    Embedding, Halves, Optimizers, Recurrent, Special, Elementwise,
):  # fmt: skip
    """The CPU backend of float32 and float64 arrays, with C's kernels."""

    name = "core"

    @cached_property
    def kernels(self) -> Kernels:
        """The hand-written C kernels for arrays of this dtype."""
        return Kernels(self.dtype)


class Rest(Whole, Casts):
    """The backend of all other dtypes: whole numbers and masks in C where it has them (whole.py),
    the rest in numpy, with several threads (ufuncs.py).
    """
