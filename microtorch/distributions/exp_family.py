"""Exponential families: p(x; θ) = exp(⟨t(x), θ⟩ - F(θ) + k(x))."""
from __future__ import annotations

from typing import TYPE_CHECKING

from .. import autograd
from .distribution import Distribution
from .utils import sum_rightmost

if TYPE_CHECKING:
    from ..handles.tensor import Tensor

__all__ = ["ExponentialFamily"]


class ExponentialFamily(Distribution):
    """A distribution that knows its natural parameters θ and its log normalizer F.

    Entropy and KL divergence follow from F and its gradient, the mean of t(x), which autograd finds
    (F. Nielsen and R. Nock, Entropies and cross-entropies of exponential families, 2010).
    """

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        raise NotImplementedError

    def _log_normalizer(self, *natural_params: Tensor) -> Tensor:
        raise NotImplementedError

    @property
    def _mean_carrier_measure(self) -> float:
        """The mean of k(x)."""
        raise NotImplementedError

    def entropy(self) -> Tensor:
        """F(θ) - ⟨θ, ∇F(θ)⟩ - the mean of k(x)."""
        carrier = self._mean_carrier_measure
        natural = [p.detach().requires_grad_() for p in self._natural_params]
        normalizer = self._log_normalizer(*natural)
        slopes = autograd.grad(normalizer.sum(), natural, create_graph=True)
        result = normalizer - carrier
        for theta, slope in zip(natural, slopes, strict=True):
            extra = theta.dim() - len(self._batch_shape)
            result = result - sum_rightmost(theta * slope, extra)
        return result
