"""Relaxed discrete variables, whose samples carry a gradient, and the continuous Bernoulli.

C. J. Maddison, A. Mnih and Y. W. Teh, The concrete distribution, 2017; E. Jang, S. Gu and B. Poole,
Categorical reparameterization with Gumbel-softmax, 2017. The lower the temperature, the closer are
samples to 0 and 1.
"""
from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..base.errors import message
from ..create.data import as_tensor
from ..create.filled import full_like, ones_like, rand, zeros_like
from ..nn.functional import binary_cross_entropy_with_logits
from ..ops.arguments import everywhere
from ..ops.select import where
from . import constraints
from .categorical import SIMPLEX, Categorical, OfCategorical
from .combined import TransformedDistribution
from .counts import CHANCE
from .distribution import EMPTY
from .exp_family import ExponentialFamily
from .odds import Odds, given
from .transformed import of_base
from .transforms import ExpTransform, SigmoidTransform
from .utils import broadcast_all, clamp_probs, lazy_property, logits_to_probs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..handles.tensor import Tensor
    from .utils import Real


class LogitRelaxedBernoulli(Odds):
    """The logit of a RelaxedBernoulli."""

    arg_constraints = CHANCE
    support = constraints.real
    has_rsample = True
    temperature: Tensor

    def __init__(
        self,
        temperature: Tensor,
        probs: Real | None = None,
        logits: Real | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self.temperature = as_tensor(temperature)
        self._declare(validate_args, **given(probs, logits))

    def rsample(self, sample_shape: Sequence[int] = EMPTY) -> Tensor:
        shape = self._extended_shape(sample_shape)
        probs = clamp_probs(self.probs.expand(shape))
        u = clamp_probs(rand(shape, dtype=probs.dtype, device=probs.device))
        noise = u.log() - (-u).log1p() + probs.log() - (-probs).log1p()
        return noise / self.temperature

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_sample(value)
        logits, value = broadcast_all(self.logits, value)
        off = logits - value.mul(self.temperature)
        return self.temperature.log() + off - 2 * off.exp().log1p()


class RelaxedBernoulli(TransformedDistribution):
    """On (0, 1), near 0 or 1; the smaller `temperature`, the nearer."""

    arg_constraints = CHANCE
    support = constraints.unit_interval
    temperature, logits, probs = of_base("temperature"), of_base("logits"), of_base("probs")

    def __init__(
        self,
        temperature: Tensor,
        probs: Real | None = None,
        logits: Real | None = None,
        validate_args: bool | None = None,
    ) -> None:
        base = LogitRelaxedBernoulli(temperature, probs, logits)
        super().__init__(base, SigmoidTransform(), validate_args=validate_args)


class ExpRelaxedCategorical(OfCategorical):
    """The logarithm of a RelaxedOneHotCategorical."""

    support = constraints.real_vector
    has_rsample = True
    temperature: Tensor

    def __init__(
        self,
        temperature: Tensor,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self.temperature = as_tensor(temperature)
        self._build_on(Categorical(probs, logits), validate_args)

    def rsample(self, sample_shape: Sequence[int] = EMPTY) -> Tensor:
        shape = self._extended_shape(sample_shape)
        u = clamp_probs(rand(shape, dtype=self.logits.dtype, device=self.logits.device))
        scores = (self.logits - (-(u.log())).log()) / self.temperature
        return scores - scores.logsumexp(dim=-1, keepdim=True)

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_sample(value)
        k = self._categorical._num_events
        logits, value = broadcast_all(self.logits, value)
        log_scale = full_like(self.temperature, float(k)).lgamma()
        log_scale = log_scale + self.temperature.log() * (k - 1)
        score = logits - value.mul(self.temperature)
        return (score - score.logsumexp(dim=-1, keepdim=True)).sum(-1) + log_scale


class RelaxedOneHotCategorical(TransformedDistribution):
    """Points of the simplex near a corner; the smaller `temperature`, the nearer."""

    arg_constraints = SIMPLEX
    support = constraints.simplex
    temperature, logits, probs = of_base("temperature"), of_base("logits"), of_base("probs")

    def __init__(
        self,
        temperature: Tensor,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        base = ExpRelaxedCategorical(temperature, probs, logits, validate_args=validate_args)
        super().__init__(base, ExpTransform(), validate_args=validate_args)


class ContinuousBernoulli(Odds, ExponentialFamily):
    """On [0, 1], with density proportional to probs^x (1 - probs)^(1 - x).

    For probs within `lims`, where the formulas are 0 / 0, Taylor series about 1/2 take their place
    (G. Loaiza-Ganem and J. P. Cunningham, The continuous Bernoulli, 2019).
    """

    arg_constraints = CHANCE
    support = constraints.unit_interval
    has_rsample = True
    _mean_carrier_measure = 0

    def __init__(
        self,
        probs: Real | None = None,
        logits: Real | None = None,
        lims: tuple[float, float] = (0.499, 0.501),
        validate_args: bool | None = None,
    ) -> None:
        parameter: dict[str, Any] = dict(given(probs, logits))
        if probs is not None:
            (value,) = broadcast_all(probs)
            if validate_args is not None and not everywhere(CHANCE["probs"].check(value)):
                raise ValueError(message("The parameter probs has invalid values"))
            parameter["probs"] = clamp_probs(value)
        self._lims = lims
        self._declare(validate_args, **parameter)

    @lazy_property
    def probs(self) -> Tensor:
        return clamp_probs(logits_to_probs(self.logits, is_binary=True))

    def _outside(self) -> Tensor:
        low, high = self._lims
        return (self.probs <= low) | (self.probs > high)

    def _cut_probs(self) -> Tensor:
        """probs where the formulas hold, and the lower limit elsewhere."""
        return where(self._outside(), self.probs, self._lims[0] * ones_like(self.probs))

    def _cont_bern_log_norm(self) -> Tensor:
        p = self._cut_probs()
        low = where(p <= 0.5, p, zeros_like(p))
        high = where(p >= 0.5, p, ones_like(p))
        width = where(p <= 0.5, (-2.0 * low).log1p(), (2.0 * high - 1.0).log())
        exact = ((-p).log1p() - p.log()).abs().log() - width
        x = (self.probs - 0.5).pow(2)
        series = math.log(2.0) + (4.0 / 3.0 + 104.0 / 45.0 * x) * x
        return where(self._outside(), exact, series)

    @property
    def mean(self) -> Tensor:
        p = self._cut_probs()
        exact = p / (2.0 * p - 1.0) + 1.0 / ((-p).log1p() - p.log())
        x = self.probs - 0.5
        series = 0.5 + (1.0 / 3.0 + 16.0 / 45.0 * x.pow(2)) * x
        return where(self._outside(), exact, series)

    @property
    def variance(self) -> Tensor:
        p = self._cut_probs()
        odds = ((-p).log1p() - p.log()).pow(2)
        exact = p * (p - 1.0) / (1.0 - 2.0 * p).pow(2) + 1.0 / odds
        x = (self.probs - 0.5).pow(2)
        series = 1.0 / 12.0 - (1.0 / 15.0 - 128.0 / 945.0 * x) * x
        return where(self._outside(), exact, series)

    def rsample(self, sample_shape: Sequence[int] = EMPTY) -> Tensor:
        shape = self._extended_shape(sample_shape)
        return self.icdf(rand(shape, dtype=self.probs.dtype, device=self.probs.device))

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_sample(value)
        logits, value = broadcast_all(self.logits, value)
        loss = binary_cross_entropy_with_logits(logits, value, reduction="none")
        return -loss + self._cont_bern_log_norm()

    def cdf(self, value: Tensor) -> Tensor:
        self._check_sample(value)
        p = self._cut_probs()
        exact = (p.pow(value) * (1.0 - p).pow(1.0 - value) + p - 1.0) / (2.0 * p - 1.0)
        inside = where(self._outside(), exact, value)
        above = where(value >= 1.0, ones_like(inside), inside)
        return where(value <= 0.0, zeros_like(inside), above)

    def icdf(self, value: Tensor) -> Tensor:
        p = self._cut_probs()
        q = (-p).log1p()
        exact = ((-p + value * (2.0 * p - 1.0)).log1p() - q) / (p.log() - q)
        return where(self._outside(), exact, value)

    def entropy(self) -> Tensor:
        q, p = (-self.probs).log1p(), self.probs.log()
        return self.mean * (q - p) - self._cont_bern_log_norm() - q

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return (self.logits,)

    def _log_normalizer(self, *natural_params: Tensor) -> Tensor:
        (x,) = natural_params
        low, high = (limit - 0.5 for limit in self._lims)
        outside = (x <= low) | (x > high)
        cut = where(outside, x, low * ones_like(x))
        exact = cut.expm1().abs().log() - cut.abs().log()
        series = 0.5 * x + x.pow(2) / 24.0 - x.pow(4) / 2880.0
        return where(outside, exact, series)
