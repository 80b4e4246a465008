"""Distributions made of others: with more event dimensions, transformed, mixed."""
from __future__ import annotations

from typing import TYPE_CHECKING

from ..autograd import no_grad
from ..base.errors import message
from ..ops.gather import gather
from . import constraints
from .categorical import Categorical
from .distribution import EMPTY, Distribution
from .transforms import ComposeTransform, Transform
from .utils import sum_rightmost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..handles.size import Size
    from ..handles.tensor import Tensor
    from .constraints import Constraint
    from .utils import Real

NONE: dict[str, Constraint] = {}


class Independent(Distribution):
    """A distribution whose last `reinterpreted_batch_ndims` dimensions of the batch are one event.

    ``Independent(Normal(loc, scale), 1)`` is a normal of vectors with a diagonal covariance: its
    log_prob is the sum of those of the elements.
    """

    arg_constraints = NONE
    has_rsample = True  # of an instance: if the base has it

    def __init__(
        self,
        base_distribution: Distribution,
        reinterpreted_batch_ndims: int,
        validate_args: bool | None = None,
    ) -> None:
        batch, event = base_distribution.batch_shape, base_distribution.event_shape
        if reinterpreted_batch_ndims > len(batch):
            raise ValueError(
                message(
                    "Expected reinterpreted_batch_ndims <= len(base_distribution.batch_shape), "
                    f"actual {reinterpreted_batch_ndims} vs {len(batch)}"
                )
            )
        cut = len(batch) - reinterpreted_batch_ndims
        self.base_dist = base_distribution
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        self.has_rsample = base_distribution.has_rsample
        self.has_enumerate_support = (
            base_distribution.has_enumerate_support and not reinterpreted_batch_ndims
        )
        super().__init__(batch[:cut], batch[cut:] + event, validate_args=validate_args)

    @constraints.dependent_property
    def support(self) -> Constraint:
        support, more = self.base_dist.support, self.reinterpreted_batch_ndims
        return constraints.independent(support, more) if more else support

    @property
    def mean(self) -> Tensor:
        return self.base_dist.mean

    @property
    def mode(self) -> Tensor:
        return self.base_dist.mode

    @property
    def variance(self) -> Tensor:
        return self.base_dist.variance

    def sample(self, sample_shape: Sequence[int] = EMPTY) -> Tensor:
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape: Sequence[int] = EMPTY) -> Tensor:
        return self.base_dist.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        return sum_rightmost(self.base_dist.log_prob(value), self.reinterpreted_batch_ndims)

    def entropy(self) -> Tensor:
        return sum_rightmost(self.base_dist.entropy(), self.reinterpreted_batch_ndims)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        if self.reinterpreted_batch_ndims > 0:
            raise NotImplementedError(
                message("Enumeration over cartesian product is not implemented")
            )
        return self.base_dist.enumerate_support(expand=expand)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_dist}, {self.reinterpreted_batch_ndims})"


class TransformedDistribution(Distribution):
    """What the transforms, one after the other, make of the samples of a distribution.

    log p(y) = log p(x) - log |dy/dx|, with x = t.inv(y). Normalizing flows are this.
    """

    arg_constraints = NONE
    has_rsample = True  # of an instance: if the base has it

    def __init__(
        self,
        base_distribution: Distribution,
        transforms: Transform | list[Transform],
        validate_args: bool | None = None,
    ) -> None:
        if isinstance(transforms, Transform):
            self.transforms = [transforms]
        elif isinstance(transforms, list):
            if not all(isinstance(t, Transform) for t in transforms):
                raise ValueError(message("transforms must be a Transform or a list of Transforms"))
            self.transforms = transforms
        else:
            raise ValueError(
                message(f"transforms must be a Transform or list, but was {transforms}")
            )
        base_shape = base_distribution.batch_shape + base_distribution.event_shape
        base_dims = len(base_distribution.event_shape)
        all_ = ComposeTransform(self.transforms)
        inner, outer = all_.domain.event_dim, all_.codomain.event_dim
        if len(base_shape) < inner:
            raise ValueError(
                message(
                    "base_distribution needs to have shape with size at least "
                    f"{inner}, but got {base_shape}."
                )
            )
        # parameters of the transforms may broadcast the base; its batch may become an event
        shape = all_.forward_shape(base_shape)
        widened = all_.inverse_shape(shape)
        if base_shape != widened:
            base_distribution = base_distribution.expand(widened[: len(widened) - base_dims])
        if inner > base_dims:
            base_distribution = Independent(base_distribution, inner - base_dims)
        self.base_dist = base_distribution
        self.has_rsample = base_distribution.has_rsample
        cut = len(shape) - max(outer, base_dims + outer - inner)
        super().__init__(shape[:cut], shape[cut:], validate_args=validate_args)

    def _expanded(self, name: str, value: object, batch_shape: Size) -> object:
        if name != "base_dist":
            return super()._expanded(name, value, batch_shape)
        shape = batch_shape + self.event_shape
        for t in reversed(self.transforms):
            shape = t.inverse_shape(shape)
        return self.base_dist.expand(shape[: len(shape) - len(self.base_dist.event_shape)])

    @constraints.dependent_property(is_discrete=False)
    def support(self) -> Constraint:
        if not self.transforms:
            return self.base_dist.support
        support = self.transforms[-1].codomain
        more = len(self.event_shape) - support.event_dim
        return constraints.independent(support, more) if more > 0 else support

    def sample(self, sample_shape: Sequence[int] = EMPTY) -> Tensor:
        with no_grad():
            return self._transformed(self.base_dist.sample(sample_shape))

    def rsample(self, sample_shape: Sequence[int] = EMPTY) -> Tensor:
        return self._transformed(self.base_dist.rsample(sample_shape))

    def _transformed(self, x: Tensor) -> Tensor:
        for t in self.transforms:
            x = t(x)
        return x

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_sample(value)
        event_dim = len(self.event_shape)
        slopes: Tensor | float = 0.0
        y = value
        for t in reversed(self.transforms):
            x = t.inv(y)
            event_dim += t.domain.event_dim - t.codomain.event_dim
            slope = t.log_abs_det_jacobian(x, y)
            slopes = slopes - sum_rightmost(slope, event_dim - t.domain.event_dim)
            y = x
        extra = event_dim - len(self.base_dist.event_shape)
        return slopes + sum_rightmost(self.base_dist.log_prob(y), extra)

    def _flipped(self, p: Tensor) -> Tensor:
        """1 - p, where the transforms fall altogether."""
        sign: Real = 1
        for t in self.transforms:
            sign = sign * t.sign
        return p if isinstance(sign, int) and sign == 1 else sign * (p - 0.5) + 0.5

    def cdf(self, value: Tensor) -> Tensor:
        for t in reversed(self.transforms):
            value = t.inv(value)
        if self._validate_args:
            self.base_dist._validate_sample(value)
        return self._flipped(self.base_dist.cdf(value))

    def icdf(self, value: Tensor) -> Tensor:
        return self._transformed(self.base_dist.icdf(self._flipped(value)))


class MixtureSameFamily(Distribution):
    """A Categorical chooses which of the components, its last batch dimension, a sample is from.

    log p(x) = logsumexp_k (log weight_k + log p_k(x)), so that a mixture is fitted by gradient.
    """

    arg_constraints = NONE

    def __init__(
        self,
        mixture_distribution: Categorical,
        component_distribution: Distribution,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(mixture_distribution, Categorical):
            raise ValueError(
                message(
                    " The Mixture distribution needs to be an "
                    " instance of torch.distributions.Categorical"
                )
            )
        if not isinstance(component_distribution, Distribution):
            raise ValueError(
                message(
                    "The Component distribution needs to be an "
                    "instance of torch.distributions.Distribution"
                )
            )
        self._mixture_distribution = mixture_distribution
        self._component_distribution = component_distribution
        ours, theirs = mixture_distribution.batch_shape, component_distribution.batch_shape[:-1]
        for m, c in zip(reversed(ours), reversed(theirs), strict=False):
            if m != 1 and c != 1 and m != c:
                raise ValueError(
                    message(
                        f"`mixture_distribution.batch_shape` ({ours}) is not compatible with "
                        f"`component_distribution.batch_shape`({theirs})"
                    )
                )
        weights = mixture_distribution.logits.shape[-1]
        components = component_distribution.batch_shape[-1]
        if weights != components:
            raise ValueError(
                message(
                    f"`mixture_distribution component` ({weights}) does not equal "
                    f"`component_distribution.batch_shape[-1]` ({components})"
                )
            )
        event_shape = component_distribution.event_shape
        self._event_ndims = len(event_shape)
        super().__init__(theirs, event_shape, validate_args=validate_args)

    @constraints.dependent_property
    def support(self) -> Constraint:
        return constraints.MixtureSameFamilyConstraint(self._component_distribution.support)

    @property
    def mixture_distribution(self) -> Categorical:
        return self._mixture_distribution

    @property
    def component_distribution(self) -> Distribution:
        return self._component_distribution

    def _weights(self) -> Tensor:
        """The weights, with dimensions for the batch and for an event."""
        weights = self._mixture_distribution.probs
        own = len(self._mixture_distribution.batch_shape)
        missing = 0 if own == 1 else len(self.batch_shape) - own
        shape = weights.shape
        ones = [1] * missing
        return weights.reshape((*shape[:-1], *ones, shape[-1], *[1] * self._event_ndims))

    @property
    def mean(self) -> Tensor:
        each = self._weights() * self._component_distribution.mean
        return each.sum(-1 - self._event_ndims)

    @property
    def variance(self) -> Tensor:
        """The mean of the variances, and the variance of the means."""
        weights, components = self._weights(), self._component_distribution
        off = (components.mean - self._pad(self.mean)).pow(2.0)
        dim = -1 - self._event_ndims
        return (weights * components.variance).sum(dim) + (weights * off).sum(dim)

    def _pad(self, x: Tensor) -> Tensor:
        return x.unsqueeze(-1 - self._event_ndims)

    def cdf(self, value: Tensor) -> Tensor:
        each = self._component_distribution.cdf(self._pad(value))
        return (each * self._mixture_distribution.probs).sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_sample(value)
        each = self._component_distribution.log_prob(self._pad(value))
        return (each + self._mixture_distribution.logits.log_softmax(-1)).logsumexp(-1)

    def sample(self, sample_shape: Sequence[int] = EMPTY) -> Tensor:
        with no_grad():
            dim = len(sample_shape) + len(self.batch_shape)
            chosen = self._mixture_distribution.sample(sample_shape)
            candidates = self._component_distribution.sample(sample_shape)
            index = chosen.reshape((*chosen.shape, *[1] * (self._event_ndims + 1)))
            index = index.expand((*chosen.shape, 1, *self.event_shape))
            return gather(candidates, dim, index).squeeze(dim)

    def __repr__(self) -> str:
        mixture, components = self._mixture_distribution, self._component_distribution
        return f"MixtureSameFamily(\n  {mixture},\n  {components})"
