"""Random numbers that cost an unknown number of draws: gamma, Dirichlet, Poisson, binomial.

For a seed they are PyTorch's on the CPU: the same algorithms take the same draws in the same order,
element by element, and round where PyTorch rounds. Arrays in, arrays out. Here the parameters are
checked and rounded; accepting.py has the loops.

* gamma: G. Marsaglia and W. W. Tsang, A simple method for generating gamma variables (2000), of
  concentration + 1 where that is below 1;
* Poisson: W. Hörmann, The transformed rejection method for generating Poisson random variables
  (1993), and below a rate of 10 products of uniforms;
* binomial: W. Hörmann, The generation of binomial random variates (1993), algorithm BTRS, and below
  a mean of 10 sums of geometric numbers.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..base.errors import message
from . import generator as source
from .draw_checks import floating

if TYPE_CHECKING:
    from ..base.types import Array
    from .generator import Generator

_THIRD = np.float32(1) / np.float32(3)  # a constant of float32 in PyTorch


# ---- gamma, Dirichlet ----------------------------------------------------------------------------
def standard_gamma(concentration: Array, generator: Generator | None = None) -> Array:
    """Gamma of rate 1: torch._standard_gamma, in concentration's shape and dtype."""
    dtype = floating("gamma_cpu", concentration.dtype)
    return np.maximum(_gamma(concentration, generator).astype(dtype), np.finfo(dtype).tiny)


def _gamma(concentration: Array, generator: Generator | None) -> Array:
    """In float64, of parameters that are rounded in concentration's dtype."""
    a = np.asarray(concentration)
    small = a < 1
    if (a < 0).any():
        raise RuntimeError(
            message(
                f"gamma: expected concentrations >= 0, but found {a.min():g}",
                fix="torch.nn.functional.softplus(x) makes them of any numbers",
            )
        )
    with np.errstate(divide="ignore", over="ignore"):
        powers = a.dtype.type(1) / a
    shifted = np.where(small, a + a.dtype.type(1), a)
    columns = _columns(a, shifted - a.dtype.type(_THIRD), powers)
    chosen = source.drawn_from(generator)
    return chosen.serial_draw("gammas", columns).reshape(a.shape)


def _columns(*parameters: Array) -> Array:
    """(parameters, n) of float64."""
    return np.stack([np.asarray(p, np.float64).ravel() for p in parameters])


def dirichlet(concentration: Array, generator: Generator | None = None) -> Array:
    """Points of the simplex, along the last dimension: torch._sample_dirichlet.

    Gammas, computed in float64 against underflow, over their sum.
    """
    dtype = floating("dirichlet", concentration.dtype)
    gammas = np.maximum(
        _gamma(concentration.astype(np.float64), generator), np.finfo(np.float64).tiny
    )
    ratio = (gammas / gammas.sum(-1, keepdims=True)).astype(dtype)
    below_one = np.nextafter(dtype.type(1), dtype.type(0))
    return np.minimum(below_one, np.maximum(np.finfo(dtype).tiny, ratio))


# ---- Poisson -------------------------------------------------------------------------------------
def poisson(rate: Array, generator: Generator | None = None) -> Array:
    """Counts of the given rates, in their shape and dtype: torch.poisson."""
    dtype = floating("poisson_cpu", rate.dtype)
    if not (rate >= 0).all():
        raise RuntimeError(
            message(
                "invalid Poisson rate, expected rate to be non-negative",
                fix="torch.nn.functional.softplus(x) makes rates of any numbers",
            )
        )
    chosen = source.drawn_from(generator)
    out = chosen.draw("poisson", rate.size, _columns(rate)[0])
    return out.astype(dtype).reshape(rate.shape)


# ---- binomial ------------------------------------------------------------------------------------
def binomial(count: Array, prob: Array, generator: Generator | None = None) -> Array:
    """Successes among `count` trials of probability `prob`: torch.binomial.

    The arrays broadcast and have one floating dtype.
    """
    dtype = floating("binomial_cpu", prob.dtype)
    count, prob = np.broadcast_arrays(count, prob)
    if count.dtype != dtype:
        raise RuntimeError(
            message(
                f"Found dtype {count.dtype} but expected {dtype}",
                "binomial: count and prob have one floating dtype",
                fix="count.type_as(prob)",
            )
        )
    most = prob > 0.5  # then failures are counted
    rare = np.where(most, (1.0 - prob.astype(np.float64)).astype(dtype), prob)
    # what the two algorithms read, rounded in dtype, as PyTorch's is
    with np.errstate(all="ignore"):
        mean, one = count * rare, dtype.type(1)
        parameters = (
            np.sqrt(mean * (one - rare)),  # the standard deviation
            rare / (one - rare),  # the odds
            np.floor((count + one) * rare),  # the mode
            np.log1p(-rare),
        )
    chosen = source.drawn_from(generator)
    out = chosen.draw("binomial", count.size, _columns(count, prob, rare, mean, *parameters))
    return out.astype(dtype).reshape(count.shape)
