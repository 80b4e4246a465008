"""KL divergences of two kinds of distributions. Infinite where q is 0 on a part of p."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .counts import Bernoulli, Binomial, Poisson
from .distribution import Distribution
from .gammas import Beta, Exponential, Gamma
from .kl import infinite_like, register_kl
from .location_scale import Laplace, Normal, Uniform
from .relaxed import ContinuousBernoulli
from .transformed import Gumbel, Pareto
from .utils import EULER

if TYPE_CHECKING:
    from ..handles.tensor import Tensor

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


# ---- infinite ------------------------------------------------------------------------------------
def _infinite(p: Distribution, q: Distribution) -> Tensor:
    """In the shape of the first parameter of p."""
    return infinite_like(getattr(p, next(iter(p.arg_constraints))))


INFINITE: dict[type[Distribution], list[type[Distribution]]] = {
    Beta: [Pareto],
    ContinuousBernoulli: [Pareto],
    Exponential: [Beta, ContinuousBernoulli, Pareto, Uniform],
    Gamma: [Beta, ContinuousBernoulli, Pareto, Uniform],
    Gumbel: [Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform],
    Laplace: [Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform],
    Normal: [Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform],
    Pareto: [Beta, ContinuousBernoulli, Uniform],
    Poisson: [Bernoulli, Binomial],
}
for _p, _qs in INFINITE.items():
    for _q in _qs:
        register_kl(_p, _q)(_infinite)


# ---- from Bernoulli, beta, continuous Bernoulli --------------------------------------------------
@register_kl(Bernoulli, Poisson)
def _bernoulli_poisson(p: Bernoulli, q: Poisson) -> Tensor:
    return -p.entropy() - (p.probs * q.rate.log() - q.rate)


@register_kl(Beta, ContinuousBernoulli)
@register_kl(Uniform, ContinuousBernoulli)
def _unit_continuous_bernoulli(p: Beta | Uniform, q: ContinuousBernoulli) -> Tensor:
    result = -p.entropy() - p.mean * q.logits - (-q.probs).log1p() - q._cont_bern_log_norm()
    if isinstance(p, Uniform):
        result = result.masked_fill((p.high >= 1.0) | (p.low <= 0.0), math.inf)
    return result


@register_kl(Beta, Exponential)
def _beta_exponential(p: Beta, q: Exponential) -> Tensor:
    return -p.entropy() - q.rate.log() + q.rate * p.mean


@register_kl(Beta, Gamma)
def _beta_gamma(p: Beta, q: Gamma) -> Tensor:
    total = p.concentration1 + p.concentration0
    log_mean = p.concentration1.digamma() - total.digamma()
    constants = q.concentration.lgamma() - q.concentration * q.rate.log()
    return -p.entropy() + constants - (q.concentration - 1) * log_mean + q.rate * p.mean


def _to_normal(p: Beta | ContinuousBernoulli, q: Normal) -> Tensor:
    """-H(p) + log(√(2π) s) + the mean of (x - loc)² / (2 s²), s the scale of q."""
    square = q.scale.pow(2)
    moments = (p.variance + p.mean.pow(2)) * 0.5 - q.loc * p.mean + q.loc.pow(2) * 0.5
    return -p.entropy() + 0.5 * (square * 2 * math.pi).log() + moments / square


register_kl(Beta, Normal)(_to_normal)
register_kl(ContinuousBernoulli, Normal)(_to_normal)


@register_kl(Beta, Uniform)
def _beta_uniform(p: Beta, q: Uniform) -> Tensor:
    result = -p.entropy() + (q.high - q.low).log()
    return result.masked_fill((q.low > 0.0) | (q.high < 1.0), math.inf)


@register_kl(ContinuousBernoulli, Exponential)
def _continuous_bernoulli_exponential(p: ContinuousBernoulli, q: Exponential) -> Tensor:
    return -p.entropy() - q.rate.log() + q.rate * p.mean


@register_kl(ContinuousBernoulli, Uniform)
def _continuous_bernoulli_uniform(p: ContinuousBernoulli, q: Uniform) -> Tensor:
    """PyTorch answers infinity also where the intervals have an end in common."""
    result = -p.entropy() + (q.high - q.low).log()
    return result.masked_fill((q.low >= 0.0) | (q.high <= 1.0), math.inf)


# ---- from exponential, gamma ---------------------------------------------------------------------
@register_kl(Exponential, Gamma)
def _exponential_gamma(p: Exponential, q: Gamma) -> Tensor:
    ratio, k = q.rate / p.rate, q.concentration
    return -k * ratio.log() + ratio + k.lgamma() + k * EULER - (1 + EULER)


@register_kl(Exponential, Gumbel)
def _exponential_gumbel(p: Exponential, q: Gumbel) -> Tensor:
    product, ratio = p.rate * q.scale, q.loc / q.scale
    tail = ratio.exp() * product / (product + 1)
    return product.log() - 1 - ratio + tail + product.reciprocal()


@register_kl(Exponential, Normal)
def _exponential_normal(p: Exponential, q: Normal) -> Tensor:
    square, rate2 = q.scale.pow(2), p.rate.pow(2)
    moments = rate2.reciprocal() - q.loc / p.rate + q.loc.pow(2) * 0.5
    return 0.5 * (rate2 * square * 2 * math.pi).log() - 1 + moments / square


@register_kl(Gamma, Exponential)
def _gamma_exponential(p: Gamma, q: Exponential) -> Tensor:
    return -p.entropy() - q.rate.log() + q.rate * p.concentration / p.rate


@register_kl(Gamma, Gumbel)
def _gamma_gumbel(p: Gamma, q: Gumbel) -> Tensor:
    product, ratio, a = p.rate * q.scale, q.loc / q.scale, p.concentration
    entropy = (a - 1) * a.digamma() - a.lgamma() - a
    tail = ratio.exp() * (1 + product.reciprocal()).pow(-a)
    return entropy + product.log() + a / product + tail - ratio


@register_kl(Gamma, Normal)
def _gamma_normal(p: Gamma, q: Normal) -> Tensor:
    square, rate2, a = q.scale.pow(2), p.rate.pow(2), p.concentration
    constants = 0.5 * (rate2 * square * 2 * math.pi).log() - a - a.lgamma()
    moments = 0.5 * (a.pow(2) + a) / rate2 - q.loc * a / p.rate + 0.5 * q.loc.pow(2)
    return constants + (a - 1) * a.digamma() + moments / square


# ---- from Gumbel, Laplace, normal, Pareto --------------------------------------------------------
@register_kl(Gumbel, Normal)
def _gumbel_normal(p: Gumbel, q: Normal) -> Tensor:
    ratio = p.scale / q.scale
    spread = (math.pi * ratio * 0.5).pow(2) / 3
    off = ((p.loc + p.scale * EULER - q.loc) / q.scale).pow(2) * 0.5
    return -(ratio / math.sqrt(2 * math.pi)).log() + spread + off - (EULER + 1)


@register_kl(Laplace, Normal)
def _laplace_normal(p: Laplace, q: Normal) -> Tensor:
    square = q.scale.pow(2)
    ratio = p.scale.pow(2) / square
    off = 0.5 * p.loc.pow(2) - p.loc * q.loc + 0.5 * q.loc.pow(2)
    return -0.5 * (2 * ratio / math.pi).log() + ratio + off / square - 1


@register_kl(Normal, Gumbel)
def _normal_gumbel(p: Normal, q: Gumbel) -> Tensor:
    ours, theirs = p.loc / q.scale, q.loc / q.scale
    ratio = (p.scale / q.scale).pow(2)
    tail = (-ours + 0.5 * ratio + theirs).exp()
    return -ratio.log() * 0.5 + ours - theirs + tail - (0.5 + HALF_LOG_2PI)


@register_kl(Normal, Laplace)
def _normal_laplace(p: Normal, q: Laplace) -> Tensor:
    off = p.loc - q.loc
    z = off / p.scale
    folded = math.sqrt(2 / math.pi) * p.scale * (-0.5 * z.pow(2)).exp()
    distance = folded + off * (math.sqrt(0.5) * z).erf()
    constant = 0.5 * (1 + math.log(0.5 * math.pi))
    return -(p.scale / q.scale).log() + distance / q.scale - constant


@register_kl(Pareto, Exponential)
def _pareto_exponential(p: Pareto, q: Exponential) -> Tensor:
    product, a = p.scale * q.rate, p.alpha
    result = (a / product).log() - a.reciprocal() + a * product / (a - 1) - 1
    return result.masked_fill(a <= 1, math.inf)


@register_kl(Pareto, Gamma)
def _pareto_gamma(p: Pareto, q: Gamma) -> Tensor:
    a, k = p.alpha, q.concentration
    log_mean = p.scale.log() + a.reciprocal()
    constants = a.log() - log_mean + k.lgamma() - k * q.rate.log()
    result = constants + (1 - k) * log_mean + q.rate * a * p.scale / (a - 1) - 1
    return result.masked_fill(a <= 1, math.inf)


@register_kl(Pareto, Normal)
def _pareto_normal(p: Pareto, q: Normal) -> Tensor:
    a, common = p.alpha, p.scale / (p.alpha - 1)
    constants = (math.sqrt(2 * math.pi) * q.scale * a / p.scale).log() - a.reciprocal()
    moments = a * common.pow(2) / (a - 2) + (a * common - q.loc).pow(2)
    result = constants + moments / (2 * q.scale.pow(2)) - 1
    return result.masked_fill(a <= 2, math.inf)


# ---- from uniform --------------------------------------------------------------------------------
def _mean_log(low: Tensor, high: Tensor) -> Tensor:
    """The mean of log(x) over [low, high]."""
    width = high - low
    return (high.xlogy(high) - low.xlogy(low) - width) / width


@register_kl(Uniform, Beta)
def _uniform_beta(p: Uniform, q: Beta) -> Tensor:
    a, b = q.concentration1, q.concentration0
    powers = (a - 1) * _mean_log(p.low, p.high) + (b - 1) * _mean_log(1 - p.high, 1 - p.low)
    result = a.lgamma() + b.lgamma() - (a + b).lgamma() - (p.high - p.low).log() - powers
    return result.masked_fill((p.high > 1.0) | (p.low < 0.0), math.inf)


@register_kl(Uniform, Exponential)
def _uniform_exponential(p: Uniform, q: Exponential) -> Tensor:
    result = q.rate * (p.high + p.low) / 2 - ((p.high - p.low) * q.rate).log()
    return result.masked_fill(p.low < 0.0, math.inf)


@register_kl(Uniform, Gamma)
def _uniform_gamma(p: Uniform, q: Gamma) -> Tensor:
    k = q.concentration
    constants = k.lgamma() - k * q.rate.log() - (p.high - p.low).log()
    result = constants + (1 - k) * _mean_log(p.low, p.high) + q.rate * (p.high + p.low) / 2
    return result.masked_fill(p.low < 0.0, math.inf)


@register_kl(Uniform, Gumbel)
def _uniform_gumbel(p: Uniform, q: Gumbel) -> Tensor:
    ratio = q.scale / (p.high - p.low)
    high, low = (p.high - q.loc) / q.scale, (p.low - q.loc) / q.scale
    return ratio.log() + 0.5 * (high + low) - ratio * ((-high).exp() - (-low).exp())


@register_kl(Uniform, Normal)
def _uniform_normal(p: Uniform, q: Normal) -> Tensor:
    width = p.high - p.low
    off = ((p.high + p.low - 2 * q.loc) / 2).pow(2)
    constants = (math.sqrt(math.pi * 2) * q.scale / width).log()
    return constants + 0.5 * (width.pow(2) / 12 + off) / q.scale.pow(2)


@register_kl(Uniform, Pareto)
def _uniform_pareto(p: Uniform, q: Pareto) -> Tensor:
    log_density = (q.alpha * q.scale.pow(q.alpha) * (p.high - p.low)).log()
    result = _mean_log(p.low, p.high) * (q.alpha + 1) - log_density
    return result.masked_fill(p.low < q.scale, math.inf)
