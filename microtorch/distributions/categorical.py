"""Choices among categories: numbers of them, one-hot vectors, counts."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..arrays import dtypes
from ..base.errors import message
from ..create.counted import arange
from ..create.filled import eye, full, ones_like, zeros
from ..create.random import multinomial
from ..handles.size import Size
from ..nn.functional import one_hot
from ..ops.shape import broadcast_tensors
from . import constraints
from .counts import Binomial
from .distribution import EMPTY, Distribution
from .odds import Odds, given
from .utils import broadcast_all, lazy_property

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..handles.tensor import Tensor
    from .constraints import Constraint

SIMPLEX: dict[str, Constraint] = {
    "probs": constraints.simplex,
    "logits": constraints.real_vector,
}


class Categorical(Odds):
    """A number of 0 ... k - 1, for `probs` or `logits` (..., k), which need not be normalized."""

    arg_constraints = SIMPLEX
    has_enumerate_support = True
    _binary = False

    def __init__(
        self,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        ((name, _),) = given(probs, logits).items()
        weights = logits if probs is None else probs
        assert weights is not None  # given() has seen to it
        if weights.dim() < 1:
            raise ValueError(message(f"`{name}` parameter must be at least one-dimensional."))
        if name == "probs":
            normalized = weights / weights.sum(-1, keepdim=True)
        else:
            normalized = weights - weights.logsumexp(dim=-1, keepdim=True)
        self.__dict__[name] = normalized
        self._num_events = normalized.shape[-1]
        super().__init__(normalized.shape[:-1], validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> Constraint:
        return constraints.integer_interval(0, self._num_events - 1)

    @property
    def mean(self) -> Tensor:
        """NaN: categories have no mean."""
        shape, like = self._batch_shape, self._param
        return full(shape, math.nan, dtype=like.dtype, device=like.device)

    @property
    def mode(self) -> Tensor:
        return self.probs.argmax(-1)

    @property
    def variance(self) -> Tensor:
        return self.mean

    def sample(self, sample_shape: Sequence[int] = EMPTY) -> Tensor:
        shape = Size(sample_shape)
        rows = self.probs.detach().reshape(-1, self._num_events)
        return multinomial(rows, shape.numel(), True).T.reshape(self._extended_shape(shape))

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_sample(value)
        index, logits = broadcast_tensors(value.long().unsqueeze(-1), self.logits)
        return logits.gather(-1, index[..., :1]).squeeze(-1)

    def entropy(self) -> Tensor:
        logits = self.logits.clamp(min=dtypes.finfo(self.logits.dtype).min)
        return -(logits * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        values = arange(self._num_events, device=self._param.device)
        values = values.view((-1,) + (1,) * len(self._batch_shape))
        return values.expand((-1, *self._batch_shape)) if expand else values


class OfCategorical(Distribution):
    """A distribution of vectors that is built on a Categorical, and has its parameters."""

    arg_constraints = SIMPLEX
    _categorical: Categorical

    @property
    def probs(self) -> Tensor:
        return self._categorical.probs

    @property
    def logits(self) -> Tensor:
        return self._categorical.logits

    @property
    def _param(self) -> Tensor:
        return self._categorical._param

    @property
    def param_shape(self) -> Size:
        return self._categorical.param_shape

    def _build_on(self, categorical: Categorical, validate_args: bool | None) -> None:
        self._categorical = categorical
        event_shape = categorical.param_shape[-1:]
        Distribution.__init__(self, categorical.batch_shape, event_shape, validate_args)


class OneHotCategorical(OfCategorical):
    """A Categorical whose samples are one-hot vectors."""

    support = constraints.one_hot
    has_enumerate_support = True

    def __init__(
        self,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self._build_on(Categorical(probs, logits), validate_args)

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def mode(self) -> Tensor:
        return self._one_hot(self.probs.argmax(-1))

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    def _one_hot(self, numbers: Tensor) -> Tensor:
        return one_hot(numbers, self._categorical._num_events).type_as(self._param)

    def sample(self, sample_shape: Sequence[int] = EMPTY) -> Tensor:
        return self._one_hot(self._categorical.sample(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_sample(value)
        return self._categorical.log_prob(value.max(-1)[1])

    def entropy(self) -> Tensor:
        return self._categorical.entropy()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        n, like = self.event_shape[0], self._param
        values = eye(n, dtype=like.dtype, device=like.device)
        values = values.view((n, *[1] * len(self.batch_shape), n))
        return values.expand((n, *self.batch_shape, n)) if expand else values


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """Its samples' gradient is taken for that of `probs` (Y. Bengio et al., 2013)."""

    has_rsample = True

    def rsample(self, sample_shape: Sequence[int] = EMPTY) -> Tensor:
        return self.sample(sample_shape) + (self.probs - self.probs.detach())


class Multinomial(OfCategorical):
    """How often each category is chosen in `total_count` choices."""

    def __init__(
        self,
        total_count: int = 1,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(total_count, int):
            raise NotImplementedError(message("inhomogeneous total_count is not supported"))
        self.total_count = total_count
        self._build_on(Categorical(probs, logits), validate_args)

    @lazy_property
    def _binomial(self) -> Binomial:
        return Binomial(total_count=self.total_count, probs=self.probs)

    @constraints.dependent_property(is_discrete=True, event_dim=1)
    def support(self) -> Constraint:
        return constraints.multinomial(self.total_count)

    @property
    def mean(self) -> Tensor:
        return self.probs * self.total_count

    @property
    def variance(self) -> Tensor:
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Sequence[int] = EMPTY) -> Tensor:
        chosen = self._categorical.sample((self.total_count, *sample_shape))
        chosen = chosen.movedim(0, -1)
        counts = zeros(self._extended_shape(sample_shape), dtype=dtypes.int64)
        counts.scatter_add_(-1, chosen, ones_like(chosen))
        return counts.type_as(self._param)

    def entropy(self) -> Tensor:
        n = self.total_count
        support = self._binomial.enumerate_support(expand=False)[1:]
        chances = self._binomial.log_prob(support).exp()
        factorials = (chances * (support + 1).lgamma()).sum([0, -1])
        return n * self._categorical.entropy() - math.lgamma(n + 1) + factorials

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_sample(value)
        logits, value = broadcast_all(self.logits, value)
        never = (value == 0) & (logits == -math.inf)
        powers = (logits.masked_fill(never, 0) * value).sum(-1)
        return (value.sum(-1) + 1).lgamma() - (value + 1).lgamma().sum(-1) + powers
