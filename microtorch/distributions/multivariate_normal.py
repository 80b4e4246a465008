"""Normal distributions of vectors, by a covariance, a precision, a factor, or of low rank."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..base.errors import message
from ..create.filled import eye
from ..handles.size import Size
from ..linalg import cholesky, solve_triangular
from ..linalg.older import cholesky_inverse
from ..ops.arrange import broadcast_shapes
from ..ops.shape import broadcast_tensors
from . import constraints
from .distribution import EMPTY, Distribution, parameters
from .utils import lazy_property, standard_normal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..handles.tensor import Tensor
    from .constraints import Constraint

LOG_2PI = math.log(2 * math.pi)

# one of these three gives the shape of a distribution
MATRICES: dict[str, Constraint] = {
    "covariance_matrix": constraints.positive_definite,
    "precision_matrix": constraints.positive_definite,
    "scale_tril": constraints.lower_cholesky,
}


def log_diagonal(matrix: Tensor) -> Tensor:
    """The sum of the logarithms of the diagonal: half the log determinant of L Lᵀ."""
    return matrix.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def times_vector(matrix: Tensor, vector: Tensor) -> Tensor:
    return (matrix @ vector.unsqueeze(-1)).squeeze(-1)


def mahalanobis(lower: Tensor, x: Tensor) -> Tensor:
    """xᵀ (L Lᵀ)⁻¹ x = |L⁻¹ x|², for L (..., n, n) and x (..., n)."""
    if lower.dim() == 2:  # all vectors at once
        rows = x.reshape(-1, x.shape[-1])
        return solve_triangular(lower, rows.mT, upper=False).pow(2).sum(0).reshape(x.shape[:-1])
    return solve_triangular(lower, x.unsqueeze(-1), upper=False).pow(2).sum((-2, -1))


def precision_to_scale_tril(precision: Tensor) -> Tensor:
    """The Cholesky factor of the inverse, by that of the matrix with both axes reversed."""
    reversed_ = cholesky(precision.flip((-2, -1)))
    inverse = reversed_.flip((-2, -1)).transpose(-2, -1)
    unit = eye(precision.shape[-1], dtype=precision.dtype, device=precision.device)
    return solve_triangular(inverse, unit, upper=False)


class ByMatrix(Distribution):
    """One of covariance, precision and Cholesky factor is given, the others are computed if asked.

    `_unbroadcasted_scale_tril` is the factor, of the batch of the matrix alone.
    """

    _unbroadcasted_scale_tril: Tensor

    def _keep(self, matrices: dict[str, Tensor], batch_shape: Size) -> None:
        for name, matrix in matrices.items():
            self.__dict__[name] = matrix.expand(batch_shape + matrix.shape[-2:])

    def _factor(self, matrices: dict[str, Tensor]) -> None:
        """After the parameters were checked."""
        ((name, matrix),) = matrices.items()
        if name == "covariance_matrix":
            matrix = cholesky(matrix)
        elif name == "precision_matrix":
            matrix = precision_to_scale_tril(matrix)
        self._unbroadcasted_scale_tril = matrix

    def _broadcast(self, matrix: Tensor) -> Tensor:
        return matrix.expand(self._batch_shape + matrix.shape[-2:])

    @lazy_property
    def scale_tril(self) -> Tensor:
        return self._broadcast(self._unbroadcasted_scale_tril)

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        lower = self._unbroadcasted_scale_tril
        return self._broadcast(lower @ lower.mT)

    @lazy_property
    def precision_matrix(self) -> Tensor:
        return self._broadcast(cholesky_inverse(self._unbroadcasted_scale_tril))


def only(**matrices: Tensor | None) -> dict[str, Tensor]:
    return {name: m for name, m in matrices.items() if m is not None}


class MultivariateNormal(ByMatrix):
    """Mean `loc` (..., n), and one of three matrices (..., n, n): Σ, Σ⁻¹, or L with Σ = L Lᵀ.

    `scale_tril` saves work: log_prob and samples use L.
    """

    arg_constraints = parameters(loc=constraints.real_vector, **MATRICES)
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if loc.dim() < 1:
            raise ValueError(message("loc must be at least one-dimensional."))
        matrices = only(
            covariance_matrix=covariance_matrix,
            precision_matrix=precision_matrix,
            scale_tril=scale_tril,
        )
        if len(matrices) != 1:
            raise ValueError(
                message(
                    "Exactly one of covariance_matrix or precision_matrix or scale_tril "
                    "may be specified."
                )
            )
        ((name, matrix),) = matrices.items()
        if matrix.dim() < 2:
            name = "scale_tril matrix" if name == "scale_tril" else name
            raise ValueError(
                message(
                    f"{name} must be at least two-dimensional, with optional leading batch "
                    "dimensions"
                )
            )
        batch_shape = Size(broadcast_shapes(matrix.shape[:-2], loc.shape[:-1]))
        self._keep(matrices, batch_shape)
        self.loc = loc.expand((*batch_shape, -1))
        super().__init__(batch_shape, self.loc.shape[-1:], validate_args=validate_args)
        self._factor(matrices)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        squares = self._unbroadcasted_scale_tril.pow(2).sum(-1)
        return squares.expand(self._batch_shape + self._event_shape)

    def rsample(self, sample_shape: Sequence[int] = EMPTY) -> Tensor:
        noise = standard_normal(self._extended_shape(sample_shape), self.loc.dtype, self.loc.device)
        return self.loc + times_vector(self._unbroadcasted_scale_tril, noise)

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_sample(value)
        squares = mahalanobis(self._unbroadcasted_scale_tril, value - self.loc)
        half_log_det = log_diagonal(self._unbroadcasted_scale_tril)
        return -0.5 * (self._event_shape[0] * LOG_2PI + squares) - half_log_det

    def entropy(self) -> Tensor:
        half_log_det = log_diagonal(self._unbroadcasted_scale_tril)
        entropy = 0.5 * self._event_shape[0] * (1.0 + LOG_2PI) + half_log_det
        return entropy.expand(self._batch_shape)


# ---- low rank ------------------------------------------------------------------------------------
# With W (n, m), m small, and a diagonal D, the capacitance matrix C = I + Wᵀ D⁻¹ W is m x m, and
#   log |W Wᵀ + D| = log |C| + log |D|                                (matrix determinant lemma)
#   (W Wᵀ + D)⁻¹ = D⁻¹ - D⁻¹ W C⁻¹ Wᵀ D⁻¹                              (Woodbury's identity)
class LowRankMultivariateNormal(Distribution):
    """Mean `loc` (..., n), covariance W Wᵀ + D: W is `cov_factor` (..., n, m), D `cov_diag`.

    No n x n matrix is factorized.
    """

    arg_constraints = parameters(
        loc=constraints.real_vector,
        cov_factor=constraints.independent(constraints.real, 2),
        cov_diag=constraints.independent(constraints.positive, 1),
    )
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self,
        loc: Tensor,
        cov_factor: Tensor,
        cov_diag: Tensor,
        validate_args: bool | None = None,
    ) -> None:
        if loc.dim() < 1:
            raise ValueError(message("loc must be at least one-dimensional."))
        event_shape = loc.shape[-1:]
        if cov_factor.dim() < 2:
            raise ValueError(
                message(
                    "cov_factor must be at least two-dimensional, "
                    "with optional leading batch dimensions"
                )
            )
        if cov_factor.shape[-2:-1] != event_shape:
            raise ValueError(
                message(f"cov_factor must be a batch of matrices with shape {event_shape[0]} x m")
            )
        if cov_diag.shape[-1:] != event_shape:
            raise ValueError(
                message(f"cov_diag must be a batch of vectors with shape {event_shape}")
            )
        columns = loc.unsqueeze(-1), cov_factor, cov_diag.unsqueeze(-1)
        try:
            all_locs, self.cov_factor, all_diags = broadcast_tensors(*columns)
        except RuntimeError as e:
            raise ValueError(
                message(
                    f"Incompatible batch shapes: loc {loc.shape}, "
                    f"cov_factor {cov_factor.shape}, cov_diag {cov_diag.shape}"
                )
            ) from e
        self.loc, self.cov_diag = all_locs[..., 0], all_diags[..., 0]
        self._unbroadcasted_cov_factor = cov_factor
        self._unbroadcasted_cov_diag = cov_diag
        w_d = cov_factor.mT / cov_diag.unsqueeze(-2)
        unit = eye(cov_factor.shape[-1], dtype=loc.dtype, device=loc.device)
        self._capacitance_tril = cholesky(w_d @ cov_factor + unit)
        super().__init__(self.loc.shape[:-1], event_shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @lazy_property
    def variance(self) -> Tensor:
        squares = self._unbroadcasted_cov_factor.pow(2).sum(-1) + self._unbroadcasted_cov_diag
        return squares.expand(self._batch_shape + self._event_shape)

    def _broadcast(self, matrix: Tensor) -> Tensor:
        return matrix.expand(self._batch_shape + matrix.shape[-2:])

    @lazy_property
    def scale_tril(self) -> Tensor:
        root = self._unbroadcasted_cov_diag.sqrt().unsqueeze(-1)
        scaled = self._unbroadcasted_cov_factor / root
        unit = eye(scaled.shape[-2], dtype=scaled.dtype, device=scaled.device)
        return self._broadcast(root * cholesky(scaled @ scaled.mT + unit))

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        w = self._unbroadcasted_cov_factor
        return self._broadcast(w @ w.mT + self._unbroadcasted_cov_diag.diag_embed())

    @lazy_property
    def precision_matrix(self) -> Tensor:
        a = self._whitened()
        inverse = self._unbroadcasted_cov_diag.reciprocal().diag_embed()
        return self._broadcast(inverse - a.mT @ a)

    def _w_d(self) -> Tensor:
        """Wᵀ D⁻¹."""
        return self._unbroadcasted_cov_factor.mT / self._unbroadcasted_cov_diag.unsqueeze(-2)

    def _whitened(self) -> Tensor:
        """Of C = L Lᵀ, L⁻¹ Wᵀ D⁻¹."""
        return solve_triangular(self._capacitance_tril, self._w_d(), upper=False)

    def _log_det(self) -> Tensor:
        return 2 * log_diagonal(self._capacitance_tril) + self._unbroadcasted_cov_diag.log().sum(-1)

    def _mahalanobis(self, x: Tensor) -> Tensor:
        outer = (x.pow(2) / self._unbroadcasted_cov_diag).sum(-1)
        return outer - mahalanobis(self._capacitance_tril, times_vector(self._w_d(), x))

    def rsample(self, sample_shape: Sequence[int] = EMPTY) -> Tensor:
        shape = self._extended_shape(sample_shape)
        kind = self.loc.dtype, self.loc.device
        first = standard_normal(shape[:-1] + self.cov_factor.shape[-1:], *kind)
        second = standard_normal(shape, *kind)
        return (
            self.loc
            + times_vector(self._unbroadcasted_cov_factor, first)
            + self._unbroadcasted_cov_diag.sqrt() * second
        )

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_sample(value)
        squares = self._mahalanobis(value - self.loc)
        return -0.5 * (self._event_shape[0] * LOG_2PI + self._log_det() + squares)

    def entropy(self) -> Tensor:
        entropy = 0.5 * (self._event_shape[0] * (1.0 + LOG_2PI) + self._log_det())
        return entropy.expand(self._batch_shape)
