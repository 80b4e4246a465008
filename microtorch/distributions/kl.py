"""KL divergences: the table of pairs, and the pairs of one kind.

KL(p || q) is the mean of log p(x) - log q(x) over x ~ p, here in closed form. A pair is a function
registered for two classes; it serves their subclasses, too.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from .. import autograd
from ..base.errors import message, warn
from ..create.filled import full_like
from ..linalg import solve_triangular
from ..nn.functional import softplus
from ..ops.arrange import broadcast_shapes
from .categorical import Categorical, OneHotCategorical
from .combined import Independent, TransformedDistribution
from .counts import Bernoulli, Binomial, Geometric, Poisson
from .distribution import Distribution
from .exp_family import ExponentialFamily
from .gammas import Beta, Dirichlet, Exponential, Gamma
from .location_scale import Cauchy, Laplace, Normal, Uniform
from .multivariate_normal import (
    LowRankMultivariateNormal,
    MultivariateNormal,
    log_diagonal,
    mahalanobis,
)
from .relaxed import ContinuousBernoulli
from .transformed import Gumbel, HalfNormal, Pareto
from .utils import EULER, sum_rightmost

if TYPE_CHECKING:
    from ..handles.tensor import Tensor

__all__ = ["kl_divergence", "register_kl"]

Pair: TypeAlias = tuple[type[Distribution], type[Distribution]]
F = TypeVar("F", bound="Callable[..., Tensor]")

_KL_REGISTRY: dict[Pair, Callable[..., Tensor]] = {}
_KL_MEMOIZE: dict[Pair, Callable[..., Tensor] | None] = {}


def register_kl(type_p: type[Distribution], type_q: type[Distribution]) -> Callable[[F], F]:
    """A decorator: ``f(p, q)`` computes the divergence of the two classes and their subclasses.

    A class from which distributions inherit beside Distribution may be named, too.
    """
    for name, kind in (("type_p", type_p), ("type_q", type_q)):
        if not isinstance(kind, type):
            raise TypeError(
                message(f"Expected {name} to be a Distribution subclass but got {kind}")
            )

    def decorator(fun: F) -> F:
        _KL_REGISTRY[type_p, type_q] = fun
        _KL_MEMOIZE.clear()
        return fun

    return decorator


def _closest(pairs: list[Pair], first: int) -> Pair:
    """The pair that no other is more special than, decided by the class number `first` first."""
    best = pairs[0]
    for pair in pairs[1:]:
        for i in (first, 1 - first):
            if pair[i] is not best[i]:
                if issubclass(pair[i], best[i]):
                    best = pair
                break
    return best


def _dispatch(
    type_p: type[Distribution], type_q: type[Distribution]
) -> Callable[..., Tensor] | None:
    pairs = [(p, q) for p, q in _KL_REGISTRY if issubclass(type_p, p) and issubclass(type_q, q)]
    if not pairs:
        return None
    left, right = _closest(pairs, 0), _closest(pairs, 1)
    if _KL_REGISTRY[left] is not _KL_REGISTRY[right]:
        warn(
            f"Ambiguous kl_divergence({type_p.__name__}, {type_q.__name__}). "
            f"Please register_kl({left[0].__name__}, {right[1].__name__})",
            RuntimeWarning,
        )
    return _KL_REGISTRY[left]


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """KL(p || q), of shape batch_shape. Raises NotImplementedError where no pair is registered."""
    pair = type(p), type(q)
    if pair not in _KL_MEMOIZE:
        _KL_MEMOIZE[pair] = _dispatch(*pair)
    fun = _KL_MEMOIZE[pair]
    if fun is None:
        raise NotImplementedError(
            message(
                "No KL(p || q) is implemented for p type "
                f"{type(p).__name__} and q type {type(q).__name__}"
            )
        )
    return fun(p, q)


def infinite_like(x: Tensor) -> Tensor:
    return full_like(x, math.inf)


# ---- discrete ------------------------------------------------------------------------------------
@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p: Bernoulli, q: Bernoulli) -> Tensor:
    ones = p.probs * (softplus(-q.logits) - softplus(-p.logits))
    ones = ones.masked_fill(q.probs == 0, math.inf).masked_fill(p.probs == 0, 0)
    zeros = (1 - p.probs) * (softplus(q.logits) - softplus(p.logits))
    zeros = zeros.masked_fill(q.probs == 1, math.inf).masked_fill(p.probs == 1, 0)
    return ones + zeros


@register_kl(Binomial, Binomial)
def _binomial(p: Binomial, q: Binomial) -> Tensor:
    if (p.total_count < q.total_count).any():
        raise NotImplementedError(
            message("KL between Binomials where q.total_count > p.total_count is not implemented")
        )
    each = p.probs * (p.logits - q.logits) + (-p.probs).log1p() - (-q.probs).log1p()
    return (p.total_count * each).masked_fill(p.total_count > q.total_count, math.inf)


@register_kl(Categorical, Categorical)
def _categorical(p: Categorical, q: Categorical) -> Tensor:
    t = p.probs * (p.logits - q.logits)
    t = t.masked_fill(q.probs == 0, math.inf).masked_fill(p.probs == 0, 0)
    return t.sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot(p: OneHotCategorical, q: OneHotCategorical) -> Tensor:
    return _categorical(p._categorical, q._categorical)


@register_kl(Geometric, Geometric)
def _geometric(p: Geometric, q: Geometric) -> Tensor:
    return -p.entropy() - (-q.probs).log1p() / p.probs - q.logits


@register_kl(Poisson, Poisson)
def _poisson(p: Poisson, q: Poisson) -> Tensor:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


# ---- continuous ----------------------------------------------------------------------------------
@register_kl(ExponentialFamily, ExponentialFamily)
def _exponential_family(p: ExponentialFamily, q: ExponentialFamily) -> Tensor:
    """F(q) - F(p) - ⟨q - p, ∇F(p)⟩: the Bregman divergence of the log normalizer."""
    if type(p) is not type(q):
        raise NotImplementedError(
            message(
                "The cross KL-divergence between different exponential families cannot "
                "be computed using Bregman divergences"
            )
        )
    ours = [theta.detach().requires_grad_() for theta in p._natural_params]
    theirs = q._natural_params
    normalizer = p._log_normalizer(*ours)
    slopes = autograd.grad(normalizer.sum(), ours, create_graph=True)
    result = q._log_normalizer(*theirs) - normalizer
    for a, b, slope in zip(ours, theirs, slopes, strict=True):
        result = result - sum_rightmost((b - a) * slope, len(q.event_shape))
    return result


@register_kl(Beta, Beta)
def _beta(p: Beta, q: Beta) -> Tensor:
    p1, p0, q1, q0 = p.concentration1, p.concentration0, q.concentration1, q.concentration0
    sum_p, sum_q = p1 + p0, q1 + q0
    constants = q1.lgamma() + q0.lgamma() + sum_p.lgamma()
    constants = constants - (p1.lgamma() + p0.lgamma() + sum_q.lgamma())
    slopes = (p1 - q1) * p1.digamma() + (p0 - q0) * p0.digamma()
    return constants + slopes + (sum_q - sum_p) * sum_p.digamma()


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def _continuous_bernoulli(p: ContinuousBernoulli, q: ContinuousBernoulli) -> Tensor:
    own = p._cont_bern_log_norm() + (-p.probs).log1p()
    return p.mean * (p.logits - q.logits) + own - q._cont_bern_log_norm() - (-q.probs).log1p()


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p: Dirichlet, q: Dirichlet) -> Tensor:
    a, b = p.concentration, q.concentration
    total = a.sum(-1)
    constants = total.lgamma() - b.sum(-1).lgamma() - (a.lgamma() - b.lgamma()).sum(-1)
    return constants + ((a - b) * (a.digamma() - total.digamma().unsqueeze(-1))).sum(-1)


@register_kl(Exponential, Exponential)
def _exponential(p: Exponential, q: Exponential) -> Tensor:
    ratio = q.rate / p.rate
    return -ratio.log() + ratio - 1


@register_kl(Gamma, Gamma)
def _gamma(p: Gamma, q: Gamma) -> Tensor:
    a, b = p.concentration, q.concentration
    constants = b * (p.rate / q.rate).log() + b.lgamma() - a.lgamma()
    return constants + (a - b) * a.digamma() + (q.rate - p.rate) * (a / p.rate)


@register_kl(Gumbel, Gumbel)
def _gumbel(p: Gumbel, q: Gumbel) -> Tensor:
    ratio, ours, theirs = p.scale / q.scale, p.loc / q.scale, q.loc / q.scale
    tail = (theirs + (1 + ratio).lgamma() - ours).exp()
    return -ratio.log() - theirs + ours + ratio * EULER + tail - (1 + EULER)


@register_kl(Normal, Normal)
def _normal(p: Normal, q: Normal) -> Tensor:
    ratio = (p.scale / q.scale).pow(2)
    off = ((p.loc - q.loc) / q.scale).pow(2)
    return 0.5 * (ratio + off - 1 - ratio.log())


@register_kl(HalfNormal, HalfNormal)
def _half_normal(p: HalfNormal, q: HalfNormal) -> Tensor:
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(Laplace, Laplace)
def _laplace(p: Laplace, q: Laplace) -> Tensor:
    ratio, off = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + off / q.scale + ratio * (-off / p.scale).exp() - 1


@register_kl(Cauchy, Cauchy)
def _cauchy(p: Cauchy, q: Cauchy) -> Tensor:
    """F. Chyzak and F. Nielsen, A closed-form formula for ... Cauchy distributions, 2019."""
    squares = (p.scale + q.scale).pow(2) + (p.loc - q.loc).pow(2)
    return squares.log() - (4 * p.scale * q.scale).log()


@register_kl(Pareto, Pareto)
def _pareto(p: Pareto, q: Pareto) -> Tensor:
    ratio = q.alpha / p.alpha
    result = q.alpha * (p.scale / q.scale).log() - ratio.log() + ratio - 1
    return result.masked_fill(p.scale < q.scale, math.inf)


@register_kl(Uniform, Uniform)
def _uniform(p: Uniform, q: Uniform) -> Tensor:
    result = ((q.high - q.low) / (p.high - p.low)).log()
    return result.masked_fill((q.low > p.low) | (q.high < p.high), math.inf)


# ---- vectors -------------------------------------------------------------------------------------
Gaussian: TypeAlias = MultivariateNormal | LowRankMultivariateNormal


def _squares(matrix: Tensor) -> Tensor:
    """tr(X Xᵀ)."""
    return matrix.pow(2).sum((-2, -1))


def _gaussian(p: Gaussian, q: Gaussian) -> Tensor:
    """Half of log |Σq| - log |Σp| + tr(Σq⁻¹ Σp) + dᵀ Σq⁻¹ d - n, where d is from mean to mean."""
    if p.event_shape != q.event_shape:
        low = isinstance(p, LowRankMultivariateNormal) or isinstance(q, LowRankMultivariateNormal)
        both = low and type(p) is type(q)
        kind = "Low Rank " if both else "(Low Rank) " if low else ""
        raise ValueError(
            message(
                f"KL-divergence between two {kind}Multivariate Normals with "
                "different event shapes cannot be computed"
            )
        )
    if isinstance(p, LowRankMultivariateNormal):
        root = p._unbroadcasted_cov_diag.sqrt()
        factors = [p._unbroadcasted_cov_factor, root.diag_embed()]  # Σp is the sum of F Fᵀ
        log_det_p = p._log_det()
    else:
        factors = [p._unbroadcasted_scale_tril]
        log_det_p = 2 * log_diagonal(p._unbroadcasted_scale_tril)
    off = q.loc - p.loc
    if isinstance(q, LowRankMultivariateNormal):
        log_det_q, distance = q._log_det(), q._mahalanobis(off)
        white, inverse_root = q._whitened(), q._unbroadcasted_cov_diag.rsqrt().unsqueeze(-1)
        traces = [_squares(f * inverse_root) - _squares(white @ f) for f in factors]
    else:
        lower = q._unbroadcasted_scale_tril
        log_det_q, distance = 2 * log_diagonal(lower), mahalanobis(lower, off)
        traces = []
        for f in factors:
            batch = broadcast_shapes(lower.shape[:-2], f.shape[:-2])
            left, right = (m.expand((*batch, *m.shape[-2:])) for m in (lower, f))
            traces.append(_squares(solve_triangular(left, right, upper=False)))
    trace = traces[0] if len(traces) == 1 else traces[0] + traces[1]
    return 0.5 * (log_det_q - log_det_p + trace + distance - p.event_shape[0])


for _p in (MultivariateNormal, LowRankMultivariateNormal):
    for _q in (MultivariateNormal, LowRankMultivariateNormal):
        register_kl(_p, _q)(_gaussian)


# ---- made of others ------------------------------------------------------------------------------
@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed(p: TransformedDistribution, q: TransformedDistribution) -> Tensor:
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError(
            message("KL between transformed distributions is implemented for equal transforms only")
        )
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(Independent, Independent)
def _independent(p: Independent, q: Independent) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError(
            message(
                "KL between Independents is implemented for equal reinterpreted_batch_ndims only"
            )
        )
    result = kl_divergence(p.base_dist, q.base_dist)
    return sum_rightmost(result, p.reinterpreted_batch_ndims)
