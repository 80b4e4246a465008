"""Normalisation of each element by those of the channels beside it."""

from __future__ import annotations

import numpy as np

from ...base.errors import describe, message
from ...create.data import from_numpy
from ...handles.tensor import Tensor
from .. import functional as F
from ..module import Module


class LocalResponseNorm(Module):
    """x / (k + alpha * m)^beta, where m is the mean of x² over `size` channels around each one.

    (N, C, ...) to the same (Krizhevsky et al. 2012).
    """

    def __init__(
        self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
    ) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input: Tensor) -> Tensor:
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class CrossMapLRN2d(LocalResponseNorm):
    """The older local response norm, of images (N, C, H, W) only: x / (k + alpha / size * s)^beta.

    s is the sum of x² over the channels from c - p + 1 to c + p - 1, with p = (size + 1) // 2. As
    in PyTorch, channel 0 stays in the sum from channel p on, which it should leave there;
    LocalResponseNorm has no such flaw. The gradient is that of this formula; PyTorch's own is
    shifted by a channel.
    """

    def __init__(
        self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1
    ) -> None:
        super().__init__(size, alpha, beta, k)

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim != 4:
            raise ValueError(
                message(
                    f"CrossMapLRN2d: Expected input to be 4D, got {input.ndim}D instead.",
                    describe(input),
                )
            )
        p, at = (self.size + 1) // 2, np.arange(input.shape[1])
        near = np.abs(at[:, None] - at) < p
        near[at >= p, 0] = True
        band = from_numpy(near.astype(input.dtype.numpy)).to(input.device)
        n, c, *size = input.shape
        sums = (band @ (input * input).reshape(n, c, -1)).reshape(n, c, *size)
        return input * (sums * (self.alpha / self.size) + self.k) ** -self.beta
