"""Yes or no, and how often: Bernoulli, binomial, geometric, negative binomial, Poisson."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..arrays import dtypes
from ..autograd import no_grad
from ..base.errors import message
from ..create.counted import arange
from ..create.filled import empty, zeros_like
from ..create.random import bernoulli
from ..nn.functional import binary_cross_entropy_with_logits, logsigmoid
from . import constraints, sampling
from .distribution import EMPTY, parameters
from .exp_family import ExponentialFamily
from .gammas import Gamma
from .odds import Odds, given
from .utils import broadcast_all, lazy_property

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..handles.tensor import Tensor
    from .constraints import Constraint
    from .utils import Real

CHANCE: dict[str, Constraint] = {
    "probs": constraints.unit_interval,
    "logits": constraints.real,
}


def _numbers(n: int, like: Tensor, batch: Sequence[int], expand: bool) -> Tensor:
    """0 ... n - 1 along a new first dimension."""
    values = arange(n, dtype=like.dtype, device=like.device)
    values = values.view((-1,) + (1,) * len(batch))
    return values.expand((-1, *batch)) if expand else values


class Bernoulli(Odds, ExponentialFamily):
    """1 with chance `probs`, or log odds `logits`; else 0."""

    arg_constraints = CHANCE
    support = constraints.boolean
    has_enumerate_support = True
    _mean_carrier_measure = 0

    def __init__(
        self,
        probs: Real | None = None,
        logits: Real | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self._declare(validate_args, **given(probs, logits))

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def mode(self) -> Tensor:
        """NaN for an even chance."""
        mode = (self.probs >= 0.5).type_as(self.probs)
        return mode.masked_fill(self.probs == 0.5, math.nan)

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Sequence[int] = EMPTY) -> Tensor:
        with no_grad():
            return bernoulli(self.probs.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_sample(value)
        logits, value = broadcast_all(self.logits, value)
        return -binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self) -> Tensor:
        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")

    def enumerate_support(self, expand: bool = True) -> Tensor:
        return _numbers(2, self._param, self._batch_shape, expand)

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return (self.probs.logit(),)

    def _log_normalizer(self, *natural_params: Tensor) -> Tensor:
        (x,) = natural_params
        return x.exp().log1p()


class Geometric(Odds):
    """Failures before the first success, of chance `probs` in (0, 1]."""

    arg_constraints = CHANCE
    support = constraints.nonnegative_integer

    def __init__(
        self,
        probs: Real | None = None,
        logits: Real | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self._declare(validate_args, **given(probs, logits))
        if self._validate_args and probs is not None:
            value = self.probs
            invalid = value[~(value > 0)]
            if invalid.numel():
                raise ValueError(
                    message(
                        "Expected parameter probs "
                        f"({type(value).__name__} of shape {tuple(value.shape)}) "
                        f"of distribution {self!r} "
                        f"to be positive but found invalid values:\n{invalid.detach()}"
                    )
                )

    @property
    def mean(self) -> Tensor:
        return 1.0 / self.probs - 1.0

    @property
    def mode(self) -> Tensor:
        return zeros_like(self.probs)

    @property
    def variance(self) -> Tensor:
        return (1.0 / self.probs - 1.0) / self.probs

    def sample(self, sample_shape: Sequence[int] = EMPTY) -> Tensor:
        p = self.probs
        with no_grad():
            u = empty(self._extended_shape(sample_shape), dtype=p.dtype, device=p.device)
            u.uniform_(dtypes.finfo(p.dtype).tiny, 1)
            return (u.log() / (-p).log1p()).floor()

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_sample(value)
        value, probs = broadcast_all(value, self.probs)
        sure = (probs == 1) & (value == 0)
        return value * (-probs.masked_fill(sure, 0)).log1p() + self.probs.log()

    def entropy(self) -> Tensor:
        return (
            binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")
            / self.probs
        )


class Counted(Odds):
    """`total_count` and a chance, which broadcast, in the dtype of the chance."""

    total_count: Tensor

    def _count(
        self, total_count: Real, probs: Real | None, logits: Real | None, validate: bool | None
    ) -> None:
        ((name, chance),) = given(probs, logits).items()
        count, chance = broadcast_all(total_count, chance)
        both = {"total_count": count.type_as(chance), name: chance}
        self._declare(validate, **both)


class Binomial(Counted):
    """Successes among `total_count` trials of chance `probs`, or of log odds `logits`."""

    arg_constraints = parameters(total_count=constraints.nonnegative_integer, **CHANCE)
    has_enumerate_support = True

    def __init__(
        self,
        total_count: Real = 1,
        probs: Real | None = None,
        logits: Real | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self._count(total_count, probs, logits, validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> Constraint:
        return constraints.integer_interval(0, self.total_count)

    @property
    def mean(self) -> Tensor:
        return self.total_count * self.probs

    @property
    def mode(self) -> Tensor:
        return ((self.total_count + 1) * self.probs).floor().clamp(max=self.total_count)

    @property
    def variance(self) -> Tensor:
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Sequence[int] = EMPTY) -> Tensor:
        shape = self._extended_shape(sample_shape)
        with no_grad():
            return sampling.binomial(self.total_count.expand(shape), self.probs.expand(shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """log C(n, k) + k · logit - n · log(1 + exp(logit)), the last without overflow."""
        self._check_sample(value)
        n, logits = self.total_count, self.logits
        # max(logit, 0), with a gradient of 1/2 at 0
        positive = (logits.clamp(min=0) + logits - logits.clamp(max=0)) / 2
        normalizer = n * positive + n * (-logits.abs()).exp().log1p() - (n + 1).lgamma()
        return value * logits - (value + 1).lgamma() - (n - value + 1).lgamma() - normalizer

    def _one_count(self, method: str) -> int:
        n = int(self.total_count.max())
        if self.total_count.min() != n:
            raise NotImplementedError(
                message(f"Inhomogeneous total count not supported by `{method}`.")
            )
        return n

    def entropy(self) -> Tensor:
        self._one_count("entropy")
        log_prob = self.log_prob(self.enumerate_support(False))
        return -(log_prob.exp() * log_prob).sum(0)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        n = self._one_count("enumerate_support")
        return _numbers(1 + n, self._param, self._batch_shape, expand)


class NegativeBinomial(Counted):
    """Successes, each of chance `probs`, before failure number `total_count`."""

    arg_constraints = parameters(
        total_count=constraints.greater_than_eq(0),
        probs=constraints.half_open_interval(0.0, 1.0),
        logits=constraints.real,
    )
    support = constraints.nonnegative_integer

    def __init__(
        self,
        total_count: Real,
        probs: Real | None = None,
        logits: Real | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self._count(total_count, probs, logits, validate_args)

    @property
    def mean(self) -> Tensor:
        return self.total_count * self.logits.exp()

    @property
    def mode(self) -> Tensor:
        return ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0.0)

    @property
    def variance(self) -> Tensor:
        return self.mean / (-self.logits).sigmoid()

    @lazy_property
    def _gamma(self) -> Gamma:
        """A Poisson variable whose rate has this distribution is negative binomial."""
        return Gamma(self.total_count, (-self.logits).exp(), validate_args=False)

    def sample(self, sample_shape: Sequence[int] = EMPTY) -> Tensor:
        with no_grad():
            return sampling.poisson(self._gamma.sample(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_sample(value)
        n = self.total_count
        powers = n * logsigmoid(-self.logits) + value * logsigmoid(self.logits)
        normalizer = -(n + value).lgamma() + (1.0 + value).lgamma() + n.lgamma()
        return powers - normalizer.masked_fill(n + value == 0.0, 0.0)


class Poisson(ExponentialFamily):
    """Events that happen at the mean `rate`: rate^k exp(-rate) / k!"""

    arg_constraints = parameters(rate=constraints.nonnegative)
    support = constraints.nonnegative_integer
    rate: Tensor

    def __init__(self, rate: Real, validate_args: bool | None = None) -> None:
        self._declare(validate_args, rate=rate)

    @property
    def mean(self) -> Tensor:
        return self.rate

    @property
    def mode(self) -> Tensor:
        return self.rate.floor()

    @property
    def variance(self) -> Tensor:
        return self.rate

    def sample(self, sample_shape: Sequence[int] = EMPTY) -> Tensor:
        with no_grad():
            return sampling.poisson(self.rate.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_sample(value)
        rate, value = broadcast_all(self.rate, value)
        return value.xlogy(rate) - rate - (value + 1).lgamma()

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return (self.rate.log(),)

    def _log_normalizer(self, *natural_params: Tensor) -> Tensor:
        (x,) = natural_params
        return x.exp()
