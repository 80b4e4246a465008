"""What exceeds a threshold: the generalized Pareto distribution."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..create.filled import ones_like, rand, zeros_like
from ..ops.select import where
from ..ops.surface import FUNCTIONS
from . import constraints
from .distribution import EMPTY, Distribution, parameters
from .location_scale import LOC_SCALE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..handles.tensor import Tensor
    from .constraints import Constraint
    from .utils import Real


class GeneralizedPareto(Distribution):
    """What exceeds `loc`: P(X > x) = (1 + k z)^(-1 / k), k the concentration, z (x - loc) / scale.

    With k = 0 it is the exponential distribution; there the series to k¹ take the formulas' place,
    so that the gradient to k is right. (PyTorch's is 0.)
    """

    arg_constraints = parameters(**LOC_SCALE, concentration=constraints.real)
    has_rsample = True
    loc: Tensor
    scale: Tensor
    concentration: Tensor

    def __init__(
        self, loc: Real, scale: Real, concentration: Real, validate_args: bool | None = None
    ) -> None:
        self._declare(validate_args, loc=loc, scale=scale, concentration=concentration)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Constraint:
        end = self.loc - self.scale / self.concentration
        return constraints.interval(self.loc, where(self.concentration < 0, end, math.inf))

    def _split(self) -> tuple[Tensor, Tensor]:
        """Where the concentration is 0, and the concentration with 1 there."""
        zero = self.concentration.isclose(zeros_like(self.concentration))
        return zero, where(zero, ones_like(self.concentration), self.concentration)

    def rsample(self, sample_shape: Sequence[int] = EMPTY) -> Tensor:
        shape = self._extended_shape(sample_shape)
        return self.icdf(rand(shape, dtype=self.loc.dtype, device=self.loc.device))

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_sample(value)
        z, (zero, k) = (value - self.loc) / self.scale, self._split()
        y = 1 / k + ones_like(z)
        curved = where(y == 0, y, y * (k * z).log1p())
        straight = z + self.concentration * (z - z**2 / 2)
        return -self.scale.log() - where(zero, straight, curved)

    def log_survival_function(self, value: Tensor) -> Tensor:
        """log P(X > value)."""
        self._check_sample(value)
        z, (zero, k) = (value - self.loc) / self.scale, self._split()
        return where(zero, self.concentration * z**2 / 2 - z, -(k * z).log1p() / k)

    def log_cdf(self, value: Tensor) -> Tensor:
        return (-self.log_survival_function(value).exp()).log1p()

    def cdf(self, value: Tensor) -> Tensor:
        return self.log_cdf(value).exp()

    def icdf(self, value: Tensor) -> Tensor:
        zero, k = self._split()
        log_u = FUNCTIONS["log1p"](-value)
        curved = self.loc + self.scale / k * (-k * log_u).expm1()
        straight = self.loc - self.scale * (log_u - self.concentration * log_u**2 / 2)
        return where(zero, straight, curved)

    @property
    def mean(self) -> Tensor:
        """NaN for a concentration of 1 or more."""
        valid = self.concentration < 1
        k = where(valid, self.concentration, 0.5)
        return where(valid, self.loc + self.scale / (1 - k), math.nan)

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        """NaN for a concentration of 1/2 or more."""
        valid = self.concentration < 0.5
        k = where(valid, self.concentration, 0.25)
        return where(valid, self.scale**2 / ((1 - k) ** 2 * (1 - 2 * k)), math.nan)

    def entropy(self) -> Tensor:
        return self.scale.log() + self.concentration + 1
