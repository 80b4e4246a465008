"""Samples of ops that exist for the sake of their derivatives."""
import numpy as np

from .elementwise import Sample
from .samples import numbers

SAMPLES_RIGHT = {
    "div_floor": [
        Sample(
            (numbers(2, 3), numbers(2, 3) ** 2 + 0.7),
            {},
            lambda x, y: np.floor(x / y),
            lambda torch, x, y: torch.div(x, y, rounding_mode="floor"),
        )
    ],
}
