"""torch.poisson, torch.binomial and the samples of Gamma and Dirichlet, with their gradients.

A sample x of a distribution function P(x; a) moves with the parameter a so that P stays as it is:

    dx/da = - (∂P/∂a) / (∂P/∂x)

the implicit reparameterization (M. Figurnov, S. Mohamed and A. Mnih, Implicit reparameterization
gradients, 2018). ∂P/∂a has no closed form here; path_gradients.py approximates the quotient.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from ..arrays import rejection
from ..autograd.function import Function, once_differentiable
from ..base.errors import DeviceError, describe, message
from ..engine.record import constant
from ..engine.whole import whole
from ..kinds.batched import each
from ..kinds.draws import asking as _draw
from ..kinds.dual import primal_of
from ..ops.arguments import tensors_only
from ..ops.settled import settled
from . import path_gradients

if TYPE_CHECKING:
    from ..autograd.function import FunctionCtx
    from ..base.types import Array
    from ..create.random import Generator
    from ..handles.tensor import Tensor


def _array(name: str, x: Tensor, argument: str = "input") -> Array:
    """What is computed with: what is drawn has no tangent, and vmap a value for each sample."""
    tensors_only(name, **{argument: x})
    array = primal_of(x.array)
    if type(array) is not np.ndarray and not hasattr(array, "level"):
        raise DeviceError(
            message(
                f"{name} is computed on the CPU only, but got {describe(x)}",
                fix=f"torch.{name}(x.cpu()).to(x.device)",
            )
        )
    return cast("Array", array)


def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Counts whose means are the elements of `input`, in its shape and floating dtype."""
    drawn = whole("poisson", _poisson, input, generator=generator)
    return settled("poisson", drawn.array, input, zero=0)


def _poisson(input: Tensor, generator: Generator | None) -> Tensor:
    return constant(_draw("poisson", rejection.poisson)(_array("poisson", input), generator))


def binomial(count: Tensor, prob: Tensor, generator: Generator | None = None) -> Tensor:
    """Successes among `count` trials, each of probability `prob`; the two broadcast."""
    drawn = whole("binomial", _binomial, count, prob, generator=generator)
    return settled("binomial", drawn.array, count, prob)


def _binomial(count: Tensor, prob: Tensor, generator: Generator | None) -> Tensor:
    arrays = _array("binomial", count, "count"), _array("binomial", prob, "prob")
    return constant(_draw("binomial", rejection.binomial)(*arrays, generator))


def _sample_dirichlet(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Points of the simplex for concentrations (..., k), without a gradient."""
    drawn = whole("sample_dirichlet", _drawn, input, generator=generator)
    return settled("_sample_dirichlet", drawn.array, input)


def _drawn(input: Tensor, generator: Generator | None) -> Tensor:
    array = _array("_sample_dirichlet", input)
    return constant(_draw("dirichlet", rejection.dirichlet)(array, generator))


def _standard_gamma_grad(input: Tensor, output: Tensor) -> Tensor:
    """d output / d input of ``output = torch._standard_gamma(input)``."""
    return whole("standard_gamma_grad", _gamma_grad, input, output)


def _gamma_grad(input: Tensor, output: Tensor) -> Tensor:
    return constant(each(path_gradients.gamma, *[primal_of(x.array) for x in (input, output)]))


def _dirichlet_grad(x: Tensor, alpha: Tensor, total: Tensor) -> Tensor:
    """d x / d alpha of x ~ Beta(alpha, total - alpha)."""
    return whole("dirichlet_grad", _beta_grad, x, alpha, total)


def _beta_grad(x: Tensor, alpha: Tensor, total: Tensor) -> Tensor:
    arrays = [primal_of(t.array) for t in (x, alpha, total)]
    return constant(each(path_gradients.beta, *arrays))


def _gamma(concentration: Tensor, generator: Generator | None) -> Tensor:
    array = _array("_standard_gamma", concentration)
    return constant(_draw("gamma", rejection.standard_gamma)(array, generator))


class StandardGamma(Function):
    @staticmethod
    def forward(ctx: FunctionCtx, concentration: Tensor, generator: Generator | None) -> Tensor:
        x = whole("standard_gamma", _gamma, concentration, generator=generator)
        ctx.save_for_backward(x, concentration)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, g: Tensor) -> tuple[Tensor, None]:
        x, concentration = ctx.saved_tensors
        return g * _standard_gamma_grad(concentration, x), None


def _standard_gamma(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Gamma samples of rate 1 and the concentrations `input`; they carry a gradient."""
    return StandardGamma.apply(input, generator)


class _Dirichlet(Function):
    @staticmethod
    def forward(ctx: FunctionCtx, concentration: Tensor) -> Tensor:
        x = _sample_dirichlet(concentration)
        ctx.save_for_backward(x, concentration)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, g: Tensor) -> Tensor:
        """If x_j grows by d, the others shrink in proportion, by x_i d / (1 - x_j) each.

        (The factor 1 / (1 - x_j) is in `_dirichlet_grad`.)
        """
        x, concentration = ctx.saved_tensors
        total = concentration.sum(-1, True).expand_as(concentration)
        return _dirichlet_grad(x, concentration, total) * (g - (x * g).sum(-1, True))


def dirichlet(concentration: Tensor) -> Tensor:
    """Points of the simplex for concentrations (..., k), with their gradient."""
    return _Dirichlet.apply(concentration)
