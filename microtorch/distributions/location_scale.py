"""Normal, Cauchy, Laplace, Student's t, uniform and von Mises."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..arrays import dtypes
from ..autograd import no_grad
from ..create.filled import empty, full, rand, zeros, zeros_like
from ..create.random import normal
from ..engine.whole import whole
from ..ops.select import where
from ..ops.surface import FUNCTIONS
from . import constraints
from .distribution import EMPTY, Distribution, parameters
from .exp_family import ExponentialFamily
from .gammas import Chi2
from .utils import broadcast_all, lazy_property, standard_normal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..handles.tensor import Tensor
    from .constraints import Constraint
    from .utils import Real

LOC_SCALE: dict[str, Constraint] = {"loc": constraints.real, "scale": constraints.positive}


class LocationScale(Distribution):
    """loc + scale · Z: two parameters that broadcast, over all numbers."""

    arg_constraints = LOC_SCALE
    support = constraints.real
    has_rsample = True
    loc: Tensor
    scale: Tensor

    def __init__(self, loc: Real, scale: Real, validate_args: bool | None = None) -> None:
        self._declare(validate_args, loc=loc, scale=scale)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc


class Normal(LocationScale, ExponentialFamily):
    """Mean `loc`, standard deviation `scale`."""

    _mean_carrier_measure = 0

    @property
    def stddev(self) -> Tensor:
        return self.scale

    @property
    def variance(self) -> Tensor:
        return self.scale.pow(2)

    def sample(self, sample_shape: Sequence[int] = EMPTY) -> Tensor:
        shape = self._extended_shape(sample_shape)
        with no_grad():
            return normal(self.loc.expand(shape), self.scale.expand(shape))

    def rsample(self, sample_shape: Sequence[int] = EMPTY) -> Tensor:
        noise = standard_normal(self._extended_shape(sample_shape), self.loc.dtype, self.loc.device)
        return self.loc + noise * self.scale

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_sample(value)
        squares = -((value - self.loc) ** 2) / (2 * self.scale**2)
        return squares - self.scale.log() - math.log(math.sqrt(2 * math.pi))

    def cdf(self, value: Tensor) -> Tensor:
        self._check_sample(value)
        z = (value - self.loc) * self.scale.reciprocal() / math.sqrt(2)
        return 0.5 * (1 + z.erf())

    def icdf(self, value: Tensor) -> Tensor:
        return self.loc + self.scale * FUNCTIONS["erfinv"](2 * value - 1) * math.sqrt(2)

    def entropy(self) -> Tensor:
        return 0.5 + 0.5 * math.log(2 * math.pi) + self.scale.log()

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        square = self.scale.pow(2)
        return self.loc / square, -0.5 * square.reciprocal()

    def _log_normalizer(self, *natural_params: Tensor) -> Tensor:
        x, y = natural_params
        return -0.25 * x.pow(2) / y + 0.5 * (-math.pi / y).log()


class Cauchy(LocationScale):
    """Median `loc`, half the width at half the maximum `scale`."""

    @property
    def mean(self) -> Tensor:
        return self._everywhere(math.nan)

    @property
    def variance(self) -> Tensor:
        return self._everywhere(math.inf)

    def _everywhere(self, value: float) -> Tensor:
        return full(self._batch_shape, value, dtype=self.loc.dtype, device=self.loc.device)

    def rsample(self, sample_shape: Sequence[int] = EMPTY) -> Tensor:
        shape = self._extended_shape(sample_shape)
        noise = empty(shape, dtype=self.loc.dtype, device=self.loc.device).cauchy_()
        return self.loc + noise * self.scale

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_sample(value)
        z = (value - self.loc) / self.scale
        return -math.log(math.pi) - self.scale.log() - (z**2).log1p()

    def cdf(self, value: Tensor) -> Tensor:
        self._check_sample(value)
        return ((value - self.loc) / self.scale).atan() / math.pi + 0.5

    def icdf(self, value: Tensor) -> Tensor:
        return FUNCTIONS["tan"](math.pi * (value - 0.5)) * self.scale + self.loc

    def entropy(self) -> Tensor:
        return math.log(4 * math.pi) + self.scale.log()


class Laplace(LocationScale):
    """Two exponential tails around `loc`, each of mean `scale`."""

    @property
    def variance(self) -> Tensor:
        return 2 * self.scale.pow(2)

    @property
    def stddev(self) -> Tensor:
        return math.sqrt(2) * self.scale

    def rsample(self, sample_shape: Sequence[int] = EMPTY) -> Tensor:
        shape = self._extended_shape(sample_shape)
        u = empty(shape, dtype=self.loc.dtype, device=self.loc.device)
        u.uniform_(dtypes.finfo(self.loc.dtype).eps - 1, 1)
        return self.loc - self.scale * u.sign() * (-u.abs()).log1p()

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_sample(value)
        return -(2 * self.scale).log() - (value - self.loc).abs() / self.scale

    def cdf(self, value: Tensor) -> Tensor:
        self._check_sample(value)
        off = value - self.loc
        return 0.5 - 0.5 * off.sign() * (-off.abs() / self.scale).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        term = value - 0.5
        return self.loc - self.scale * term.sign() * (-2 * term.abs()).log1p()

    def entropy(self) -> Tensor:
        return 1 + (2 * self.scale).log()


class StudentT(LocationScale):
    """Student's t of `df` degrees of freedom, moved by `loc` and stretched by `scale`."""

    arg_constraints = parameters(df=constraints.positive, **LOC_SCALE)
    df: Tensor

    def __init__(
        self,
        df: Real,
        loc: Real = 0.0,
        scale: Real = 1.0,
        validate_args: bool | None = None,
    ) -> None:
        df, loc, scale = broadcast_all(df, loc, scale)
        self._chi2 = Chi2(df)
        self._declare(validate_args, df=df, loc=loc, scale=scale)

    @property
    def mean(self) -> Tensor:
        return self.loc.masked_fill(self.df <= 1, math.nan)

    @property
    def variance(self) -> Tensor:
        safe = where(self.df > 2, self.df, 3.0)
        finite = self.scale.pow(2) * safe / (safe - 2)
        return finite.masked_fill(self.df <= 2, math.inf).masked_fill(self.df <= 1, math.nan)

    def rsample(self, sample_shape: Sequence[int] = EMPTY) -> Tensor:
        x = standard_normal(self._extended_shape(sample_shape), self.df.dtype, self.df.device)
        z = self._chi2.rsample(sample_shape)
        return self.loc + self.scale * (x * (z / self.df).rsqrt())

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_sample(value)
        y = (value - self.loc) / self.scale
        normalizer = (
            self.scale.log()
            + 0.5 * self.df.log()
            + 0.5 * math.log(math.pi)
            + (0.5 * self.df).lgamma()
            - (0.5 * (self.df + 1.0)).lgamma()
        )
        return -0.5 * (self.df + 1.0) * (y**2.0 / self.df).log1p() - normalizer

    def entropy(self) -> Tensor:
        half, above = 0.5 * self.df, 0.5 * (self.df + 1)
        log_beta = half.lgamma() + math.lgamma(0.5) - above.lgamma()
        slope = above * (above.digamma() - half.digamma())
        return self.scale.log() + slope + 0.5 * self.df.log() + log_beta


class Uniform(Distribution):
    """Uniform on [low, high)."""

    has_rsample = True
    low: Tensor
    high: Tensor

    def __init__(self, low: Real, high: Real, validate_args: bool | None = None) -> None:
        self._declare(validate_args, low=low, high=high)

    @property
    def arg_constraints(self) -> dict[str, Constraint]:
        return {
            "low": constraints.less_than(self.high),
            "high": constraints.greater_than(self.low),
        }

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Constraint:
        return constraints.interval(self.low, self.high)

    @property
    def mean(self) -> Tensor:
        return (self.high + self.low) / 2

    @property
    def mode(self) -> Tensor:
        return math.nan * self.high

    @property
    def stddev(self) -> Tensor:
        return (self.high - self.low) / 12**0.5

    @property
    def variance(self) -> Tensor:
        return (self.high - self.low).pow(2) / 12

    def rsample(self, sample_shape: Sequence[int] = EMPTY) -> Tensor:
        shape = self._extended_shape(sample_shape)
        u = rand(shape, dtype=self.low.dtype, device=self.low.device)
        return self.low + u * (self.high - self.low)

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_sample(value)
        inside = self.low.le(value).type_as(self.low).mul(self.high.gt(value).type_as(self.low))
        return inside.log() - (self.high - self.low).log()

    def cdf(self, value: Tensor) -> Tensor:
        self._check_sample(value)
        return ((value - self.low) / (self.high - self.low)).clamp(min=0, max=1)

    def icdf(self, value: Tensor) -> Tensor:
        return value * (self.high - self.low) + self.low

    def entropy(self) -> Tensor:
        return (self.high - self.low).log()


# ---- on the circle -------------------------------------------------------------------------------
# log I0 and log I1, modified Bessel functions: M. Abramowitz and I. Stegun, Handbook of
# mathematical functions, 9.8.1 to 9.8.4; lowest power first
_I0_SMALL = (1.0, 3.5156229, 3.0899424, 1.2067492, 0.2659732, 0.360768e-1, 0.45813e-2)
_I0_LARGE = (
    0.39894228, 0.1328592e-1, 0.225319e-2, -0.157565e-2, 0.916281e-2, -0.2057706e-1,
    0.2635537e-1, -0.1647633e-1, 0.392377e-2,
)  # fmt: skip
_I1_SMALL = (0.5, 0.87890594, 0.51498869, 0.15084934, 0.2658733e-1, 0.301532e-2, 0.32411e-3)
_I1_LARGE = (
    0.39894228, -0.3988024e-1, -0.362018e-2, 0.163801e-2, -0.1031555e-1, 0.2282967e-1,
    -0.2895312e-1, 0.1787654e-1, -0.420059e-2,
)  # fmt: skip
_COEFFICIENTS = ((_I0_SMALL, _I0_LARGE), (_I1_SMALL, _I1_LARGE))


def _polynomial(x: Tensor, coefficients: Sequence[float]) -> Tensor:
    result = zeros_like(x)
    for c in reversed(coefficients):
        result = c + x * result
    return result


def _log_bessel(x: Tensor, order: int) -> Tensor:
    """log of I0 or I1, for x > 0."""
    below, above = _COEFFICIENTS[order]
    small = _polynomial((x / 3.75) ** 2, below)
    small = (x.abs() * small if order else small).log()
    large = x - 0.5 * x.log() + _polynomial(3.75 / x, above).log()
    return where(x < 3.75, small, large)


def _von_mises(r: Tensor, kappa: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Samples around 0, by rejection (Best and Fisher 1979)."""
    done = zeros(shape, dtype=dtypes.bool, device=r.device)
    x = zeros(shape, dtype=r.dtype, device=r.device)
    while not done.all():
        u1, u2, u3 = rand((3, *shape), dtype=r.dtype, device=r.device).unbind()
        z = (math.pi * u1).cos()
        f = (1 + r * z) / (r + z)
        c = kappa * (r - f)
        accept = ((c * (2 - c) - u2) > 0) | ((c / u2).log() + 1 - c >= 0)
        x = where(accept, (u3 - 0.5).sign() * f.acos(), x)
        done = done | accept
    return x


class VonMises(LocationScale):
    """Angles around `loc`, in radians; `concentration` plays the part of 1 / variance.

    Values are taken modulo 2π. Mean and variance are the circular ones. Sampled by rejection (D. J.
    Best and N. I. Fisher, Efficient simulation of the von Mises distribution, 1979), in float64.
    """

    arg_constraints = parameters(loc=constraints.real, concentration=constraints.positive)
    has_rsample = False
    concentration: Tensor

    def __init__(self, loc: Real, concentration: Real, validate_args: bool | None = None) -> None:
        self._declare(validate_args, loc=loc, concentration=concentration)

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_sample(value)
        normalizer = math.log(2 * math.pi) + _log_bessel(self.concentration, 0)
        return self.concentration * (value - self.loc).cos() - normalizer

    @lazy_property
    def variance(self) -> Tensor:
        k = self.concentration
        return 1 - (_log_bessel(k, 1) - _log_bessel(k, 0)).exp()

    @lazy_property
    def _proposal_r(self) -> Tensor:
        kappa = self.concentration.double()
        tau = 1 + (1 + 4 * kappa**2).sqrt()
        rho = (tau - (2 * tau).sqrt()) / (2 * kappa)
        return where(kappa < 1e-5, 1 / kappa + kappa, (1 + rho**2) / (2 * rho))

    def sample(self, sample_shape: Sequence[int] = EMPTY) -> Tensor:
        shape = self._extended_shape(sample_shape)
        with no_grad():
            x = whole("von_mises", _von_mises, self._proposal_r, self.concentration.double(),
                      shape=tuple(shape))  # fmt: skip
            turned = (x + math.pi + self.loc.double()) % (2 * math.pi) - math.pi
            return turned.type_as(self.loc)
