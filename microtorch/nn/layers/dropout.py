"""Dropout as layers: noise while training, nothing in evaluation."""

from __future__ import annotations

from ...base.errors import message
from ...handles.tensor import Tensor
from .. import functional as F
from ..module import Module


class _DropoutNd(Module):
    """What all share: the probability."""

    _shown = ("p", "inplace")

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(
                message(
                    f"dropout probability has to be between 0 and 1, but got {p}",
                    fix="p=0.1 drops a tenth of the elements",
                )
            )
        self.p = p
        self.inplace = inplace


class Dropout(_DropoutNd):
    """While training, elements become 0 with probability `p`, the others grow by 1 / (1 - p)."""

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(_DropoutNd):
    """While training, whole channels of (N, C, L) become 0 with probability `p`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_DropoutNd):
    """While training, whole channels of (N, C, H, W) become 0 with probability `p`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(_DropoutNd):
    """While training, whole channels of (N, C, D, H, W) become 0 with probability `p`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(_DropoutNd):
    """Dropout that keeps mean 0 and variance 1; see functional.alpha_dropout."""

    def forward(self, input: Tensor) -> Tensor:
        return F.alpha_dropout(input, self.p, self.training)


class FeatureAlphaDropout(_DropoutNd):
    """AlphaDropout of whole channels of (N, C, ...)."""

    def forward(self, input: Tensor) -> Tensor:
        return F.feature_alpha_dropout(input, self.p, self.training)
