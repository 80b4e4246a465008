"""Distributions of matrices: Wishart, and LKJ of the Cholesky factors of correlations."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..arrays import dtypes
from ..base.errors import message, warn
from ..create.counted import arange
from ..create.data import tensor
from ..create.filled import randn, tril_indices
from ..engine.whole import known
from ..handles.size import Size
from ..linalg import slogdet
from ..linalg.older import cholesky_inverse, cholesky_solve
from ..ops.arguments import everywhere
from ..ops.arrange import broadcast_shapes
from ..ops.join import cat
from . import constraints
from .distribution import EMPTY, Distribution, parameters
from .exp_family import ExponentialFamily
from .gammas import Beta, Chi2
from .multivariate_normal import MATRICES, ByMatrix, log_diagonal, only
from .utils import NUMBER, broadcast_all, lazy_property

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..handles.tensor import Tensor
    from .constraints import Constraint
    from .utils import Real

LOG_2 = math.log(2)


def multivariate_digamma(x: Tensor, p: int) -> Tensor:
    """The derivative of mvlgamma by x."""
    if not everywhere(x.gt((p - 1) / 2)):
        raise AssertionError(message("Wrong domain for multivariate digamma function."))
    steps = arange(p, dtype=x.dtype, device=x.device) / 2
    return (x.unsqueeze(-1) - steps).digamma().sum(-1)


class Wishart(ByMatrix, ExponentialFamily):
    """What n = `df` normal vectors of covariance Σ sum to: Σ xᵢ xᵢᵀ; n may be any number > p - 1.

    Sampled by Bartlett's decomposition: chi-squared numbers on the diagonal of a triangular matrix,
    normal ones below.
    """

    support = constraints.positive_definite
    has_rsample = True
    _mean_carrier_measure = 0

    @property
    def arg_constraints(self) -> dict[str, Constraint]:
        return {**MATRICES, "df": constraints.greater_than(self.event_shape[-1] - 1)}

    def __init__(
        self,
        df: Real,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        matrices = only(
            covariance_matrix=covariance_matrix,
            precision_matrix=precision_matrix,
            scale_tril=scale_tril,
        )
        if len(matrices) != 1:
            raise AssertionError(
                message(
                    "Exactly one of covariance_matrix or precision_matrix or scale_tril "
                    "may be specified."
                )
            )
        (param,) = matrices.values()
        if param.dim() < 2:
            raise ValueError(
                message(
                    "scale_tril must be at least two-dimensional, "
                    "with optional leading batch dimensions"
                )
            )
        if isinstance(df, NUMBER):
            batch_shape = param.shape[:-2]
            self.df = tensor(df, dtype=param.dtype, device=param.device)
        else:
            batch_shape = Size(broadcast_shapes(param.shape[:-2], df.shape))
            self.df = df.expand(batch_shape)
        event_shape = param.shape[-2:]
        p = event_shape[-1]
        if self.df.le(p - 1).any():
            raise ValueError(
                message(f"Value of df={df} expected to be greater than ndim - 1 = {p - 1}.")
            )
        self._keep(matrices, batch_shape)
        if self.df.lt(p).any():
            warn(
                "Low df values detected. Singular samples are highly likely to occur "
                "for ndim - 1 < df < ndim.",
            )
        super().__init__(batch_shape, event_shape, validate_args=validate_args)
        self._factor(matrices)
        steps = arange(p, dtype=param.dtype, device=param.device)
        degrees = self.df.unsqueeze(-1) - steps
        self._dist_chi2 = Chi2(df=degrees.expand((*batch_shape, p)))

    @lazy_property
    def precision_matrix(self) -> Tensor:
        return self._broadcast(cholesky_inverse(self._unbroadcasted_scale_tril))

    def _per_matrix(self, x: Tensor) -> Tensor:
        return x.expand(self._batch_shape)[..., None, None]

    @property
    def mean(self) -> Tensor:
        return self._per_matrix(self.df) * self.covariance_matrix

    @property
    def mode(self) -> Tensor:
        """NaN for df <= p + 1."""
        factor = self.df - self._event_shape[-1] - 1
        return self._per_matrix(factor.masked_fill(factor <= 0, math.nan)) * self.covariance_matrix

    @property
    def variance(self) -> Tensor:
        v = self.covariance_matrix
        diagonal = v.diagonal(dim1=-2, dim2=-1)
        products = diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2)
        return self._per_matrix(self.df) * (v.pow(2) + products)

    def _bartlett(self, sample_shape: Size) -> Tensor:
        p = self._event_shape[-1]
        eps = dtypes.finfo(self._unbroadcasted_scale_tril.dtype).eps
        noise = self._dist_chi2.rsample(sample_shape).sqrt().clamp(min=eps).diag_embed()
        rows, columns = tril_indices(p, p, offset=-1)
        noise[..., rows, columns] = randn(
            (*sample_shape, *self._batch_shape, p * (p - 1) // 2),
            dtype=noise.dtype,
            device=noise.device,
        )
        factor = self._unbroadcasted_scale_tril @ noise
        return factor @ factor.transpose(-2, -1)

    def rsample(self, sample_shape: Sequence[int] = EMPTY) -> Tensor:
        """Draws anew, up to ten times, what is singular in rounding.

        Of the first draw it is the others that are drawn anew, as in PyTorch, whose numbers for a
        seed are these.
        """
        sample = self._bartlett(Size(sample_shape))
        again = self._any(self.support.check(sample))
        for _ in range(10):
            flags = known(again)
            count = int(flags.sum())
            if not count:
                break
            new = self._bartlett(Size((count,)))
            if flags.all() and not self._batch_shape:  # all of them, as a rule
                sample = new.reshape(sample.shape)
                again = self._any(~self.support.check(sample))
                continue
            sample[again] = new
            again[again.clone()] = self._any(~self.support.check(new))
        return sample

    def _any(self, flags: Tensor) -> Tensor:
        """... of a batch."""
        return flags.flatten(-len(self._batch_shape)).any(-1) if self._batch_shape else flags

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_sample(value)
        nu, p, lower = self.df, self._event_shape[-1], self._unbroadcasted_scale_tril
        trace = cholesky_solve(value, lower).diagonal(dim1=-2, dim2=-1).sum(-1)
        return (
            -nu * (p * LOG_2 / 2 + log_diagonal(lower))
            - (nu / 2).mvlgamma(p)
            + (nu - p - 1) / 2 * slogdet(value).logabsdet
            - trace / 2
        )

    def entropy(self) -> Tensor:
        nu, p = self.df, self._event_shape[-1]
        half_log_det = log_diagonal(self._unbroadcasted_scale_tril)
        return (
            (p + 1) * (p * LOG_2 / 2 + half_log_det)
            + (nu / 2).mvlgamma(p)
            - (nu - p - 1) / 2 * multivariate_digamma(nu / 2, p)
            + nu * p / 2
        )

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return -self.precision_matrix / 2, (self.df - self._event_shape[-1] - 1) / 2

    def _log_normalizer(self, *natural_params: Tensor) -> Tensor:
        x, y = natural_params
        p = self._event_shape[-1]
        k = y + (p + 1) / 2
        return k * (-slogdet(-2 * x).logabsdet + LOG_2 * p) + k.mvlgamma(p)


class LKJCholesky(Distribution):
    """Cholesky factors L of `dim` x `dim` correlation matrices, det(L Lᵀ)^(concentration - 1).

    With concentration 1, L Lᵀ is uniform over correlation matrices. Sampled by the onion method (D.
    Lewandowski, D. Kurowicka and H. Joe, Generating random correlation matrices based on vines and
    extended onion method, 2009, section 3.2): of each row, a beta variable says how much of the
    unit sphere lies below the diagonal.
    """

    arg_constraints = parameters(concentration=constraints.positive)
    support = constraints.corr_cholesky

    def __init__(
        self, dim: int, concentration: Real = 1.0, validate_args: bool | None = None
    ) -> None:
        if dim < 2:
            raise ValueError(
                message(
                    f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}."
                )
            )
        self.dim = dim
        (self.concentration,) = broadcast_all(concentration)
        like = self.concentration
        steps = arange(dim - 1, dtype=like.dtype, device=like.device)
        steps = cat([steps.new_zeros((1,)), steps])
        marginal = like + 0.5 * (dim - 2)
        self._beta = Beta(steps + 0.5, marginal.unsqueeze(-1) - 0.5 * steps)
        shape = self._beta.batch_shape[-1:]
        super().__init__(like.shape, shape + shape, validate_args)

    def sample(self, sample_shape: Sequence[int] = EMPTY) -> Tensor:
        y = self._beta.sample(sample_shape).unsqueeze(-1)
        shape = self._extended_shape(sample_shape)
        normals = randn(shape, dtype=y.dtype, device=y.device).tril(-1)
        lengths = normals.norm(dim=-1, keepdim=True)
        lengths[..., 0, :] = 1.0  # of the first row, which has nothing below the diagonal
        w = y.sqrt() * (normals / lengths)
        diagonal = (1 - (w**2).sum(-1)).clamp(min=dtypes.finfo(w.dtype).tiny).sqrt()
        return w + diagonal.diag_embed()

    def log_prob(self, value: Tensor) -> Tensor:
        """L's diagonal to powers that count the Jacobian from L to L Lᵀ, too (Stan's manual)."""
        self._check_sample(value)
        eta, n = self.concentration, self.dim
        diagonal = value.diagonal(dim1=-1, dim2=-2)[..., 1:]
        order = 2 * (eta - 1).unsqueeze(-1) + n - arange(2, n + 1, device=eta.device)
        alpha = eta + 0.5 * (n - 1)
        # log of the constant on page 1999, with the powers of π that mvlgamma leaves out
        constant = 0.5 * (n - 1) * math.log(math.pi) + (alpha - 0.5).mvlgamma(n - 1)
        return (order * diagonal.log()).sum(-1) - (constant - alpha.lgamma() * (n - 1))
