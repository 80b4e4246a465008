"""Weight normalisation, spectral normalisation and orthogonal matrices, as parametrizations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ... import linalg
from ...arrays.dtypes import finfo
from ...autograd import no_grad
from ...base.errors import message
from ...create.filled import eye, zeros_like
from ...handles.tensor import Tensor
from ...linalg.older import geqrf
from ...ops.join import cat
from ...ops.surface import FUNCTIONS
from .. import functional as F
from ..layers import conv
from ..module import Module
from . import parametrize
from .norms import norm_except

if TYPE_CHECKING:
    from ...base.types import Argument

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]


def _tensor_of(module: Module, name: str) -> Tensor:
    tensor = getattr(module, name, None)
    if not isinstance(tensor, Tensor):
        raise ValueError(
            message(f"Module '{module}' has no parameter or buffer with name '{name}'")
        )
    return tensor


# ---- weight norm (Salimans and Kingma 2016): w = g v / ‖v‖ ---------------------------------------


class _WeightNorm(Module):
    """Length and direction apart: `original0` is g, `original1` is v."""

    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return weight_v * (weight_g / norm_except(weight_v, self.dim))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return norm_except(weight, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Parametrize `name` by a length for each index of `dim`, and a direction.

    With dim=None there is one length for the whole tensor.
    """
    parametrize.register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def from_old_names(state_dict: dict[str, Argument], prefix: str, *rest: Argument) -> None:
        """Files of the old weight_norm call them weight_g and weight_v."""
        old = (f"{prefix}{name}_g", f"{prefix}{name}_v")
        if all(key in state_dict for key in old):
            for i, key in enumerate(old):
                state_dict[f"{prefix}parametrizations.{name}.original{i}"] = state_dict.pop(key)

    module._register_load_state_dict_pre_hook(from_old_names)
    return module


# ---- spectral norm (Miyato et al. 2018): w / (the largest singular value) ------------------------


class _SpectralNorm(Module):
    """Divides by the largest singular value, which power iteration estimates.

    Each reading in training mode iterates; `_u` and `_v` are the singular vectors so far.
    """

    def __init__(
        self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12
    ) -> None:
        super().__init__()
        ndim = weight.ndim
        if not -ndim <= dim < ndim:
            raise IndexError(
                message(
                    f"Dimension out of range (expected to be in range of [-{ndim}, {ndim - 1}] but "
                    f"got {dim})"
                )
            )
        if n_power_iterations <= 0:
            raise ValueError(
                message(
                    "Expected n_power_iterations to be positive, but got "
                    f"n_power_iterations={n_power_iterations}"
                )
            )
        self.dim = dim if dim >= 0 else dim + ndim
        self.eps = eps
        if ndim > 1:
            self.n_power_iterations = n_power_iterations
            matrix = self._matrix(weight.detach())
            height, width = matrix.shape
            u = matrix.new_empty(height).normal_(0, 1)
            v = matrix.new_empty(width).normal_(0, 1)
            self.register_buffer("_u", F.normalize(u, dim=0, eps=eps))
            self.register_buffer("_v", F.normalize(v, dim=0, eps=eps))
            self._iterate(matrix, 15)

    def _matrix(self, weight: Tensor) -> Tensor:
        """The weight as (size of dim, all others)."""
        if self.dim != 0:
            weight = weight.movedim(self.dim, 0)
        return weight.flatten(1)

    def _iterate(self, matrix: Tensor, times: int) -> None:
        with no_grad():
            for _ in range(times):
                self._u.copy_(F.normalize(matrix.mv(self._v), dim=0, eps=self.eps))
                self._v.copy_(F.normalize(matrix.mH.mv(self._u), dim=0, eps=self.eps))

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = self._matrix(weight)
        if self.training:
            self._iterate(matrix, self.n_power_iterations)
        u, v = self._u.clone(), self._v.clone()  # the next iteration writes into them
        return weight / u.vdot(matrix.mv(v))

    def right_inverse(self, value: Tensor) -> Tensor:
        return value  # the original is then not divided


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Divide `name` by its largest singular value, as a matrix of (size of dim, all others).

    `dim` is 0 if not given, 1 for transposed convolutions.
    """
    weight = _tensor_of(module, name)
    if dim is None:
        dim = 1 if isinstance(module, conv._ConvTransposeNd) else 0
    return parametrize.register_parametrization(
        module, name, _SpectralNorm(weight, n_power_iterations, dim, eps)
    )


# ---- orthogonal matrices -------------------------------------------------------------------------

_MAPS = ("matrix_exp", "cayley", "householder")


class _Orthogonal(Module):
    """A matrix with orthonormal columns (rows, if it is wider than tall) from any matrix.

    matrix_exp: exp(S) of S = A - Aᴴ, A a lower triangle; cayley: (I + S/2)(I - S/2)⁻¹;
    householder: a product of reflections, of real matrices only. With `use_trivialization` it is
    multiplied by `base`, so that training may start at any orthogonal matrix.
    """

    base: Tensor | None

    def __init__(
        self, weight: Tensor, orthogonal_map: str, *, use_trivialization: bool = True
    ) -> None:
        super().__init__()
        if weight.is_complex() and orthogonal_map == "householder":
            raise ValueError(
                message(
                    "The householder parametrization does not support complex tensors.",
                    fix='orthogonal_map="matrix_exp", or "cayley"',
                )
            )
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Tensor) -> Tensor:
        wide = X.shape[-2] < X.shape[-1]
        if wide:
            X = X.mT
        n, k = X.shape[-2:]
        if self.orthogonal_map == "householder":
            A = X.tril(-1)
            tau = 2.0 / (1.0 + (A * A).sum(dim=-2))
            # the diagonal of X holds signs, which are not trained
            signs = X.detach().diagonal(dim1=-2, dim2=-1).int().unsqueeze(-2)
            Q: Tensor = linalg.householder_product(A, tau) * signs
        else:
            A = X.tril()
            if n != k:  # as the first columns of a square matrix
                A = cat([A, A.new_zeros((*A.shape[:-1], n - k))], dim=-1)
            S = A - A.mH
            if self.orthogonal_map == "matrix_exp":
                Q = linalg.matrix_exp(S)
            else:
                unit = eye(n, dtype=S.dtype, device=S.device)
                Q = linalg.solve(unit - S * 0.5, unit + S * 0.5)
            Q = Q[..., :k] if n != k else Q
        if "base" in self._buffers:
            assert self.base is not None
            Q = self.base @ Q
        return Q.mT if wide else Q

    def right_inverse(self, Q: Tensor) -> Tensor:
        with no_grad():
            return self._from(Q)

    def _from(self, Q: Tensor) -> Tensor:
        if Q.shape != self.shape:
            raise ValueError(
                message(
                    f"Expected a matrix or batch of matrices of shape {self.shape}. Got "
                    f"a tensor of "
                    f"shape {Q.shape}."
                )
            )
        given = Q
        wide = Q.shape[-2] < Q.shape[-1]
        if wide:
            Q = Q.mT
        n, k = Q.shape[-2:]
        if "base" not in self._buffers:
            if self.orthogonal_map != "householder":
                raise NotImplementedError(
                    message(
                        "It is not possible to assign to the matrix exponential or the Cayley "
                        "parametrizations when use_trivialization=False."
                    )
                )
            A, tau = geqrf(Q)
            A.diagonal(dim1=-2, dim2=-1).sign_()
            # a reflection that LAPACK left out has tau exactly 0
            A.diagonal(dim1=-2, dim2=-1)[tau == 0.0] *= -1
            return A.mT if wide else A
        if n == k:
            Q = Q.clone() if _is_orthogonal(Q) else _make_orthogonal(Q)
        else:
            others = FUNCTIONS["randn"]((*Q.shape[:-1], n - k), dtype=Q.dtype, device=Q.device)
            Q = _make_orthogonal(cat([Q, others], dim=-1))
        self.base = Q
        minus_unit = zeros_like(given)  # all three maps give the unit matrix for it
        minus_unit.diagonal(dim1=-2, dim2=-1).fill_(-1.0)
        return minus_unit


def _is_orthogonal(Q: Tensor) -> bool:
    n, k = Q.shape[-2:]
    unit = eye(k, dtype=Q.dtype, device=Q.device)
    return (Q.mH @ Q).allclose(unit.expand(*Q.shape[:-2], k, k), atol=10 * n * finfo(Q.dtype).eps)


def _make_orthogonal(A: Tensor) -> Tensor:
    """The orthogonal factor of A = QR with a positive diagonal of R."""
    X, tau = geqrf(A)
    Q: Tensor = linalg.householder_product(X, tau)
    return Q * X.diagonal(dim1=-2, dim2=-1).sgn().unsqueeze(-2)


def orthogonal(
    module: Module,
    name: str = "weight",
    orthogonal_map: str | None = None,
    *,
    use_trivialization: bool = True,
) -> Module:
    """Keep the matrix (or batch of matrices) `name` orthogonal: WᵀW = I, or WWᵀ = I if wide.

    `orthogonal_map` is "matrix_exp" (the default for square matrices), "cayley" or "householder"
    (the default for others).
    """
    weight = _tensor_of(module, name)
    if weight.ndim < 2:
        raise ValueError(
            message(
                f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} dimensions."
            )
        )
    if orthogonal_map is None:
        square = weight.shape[-2] == weight.shape[-1]
        orthogonal_map = "matrix_exp" if square else "householder"
    if orthogonal_map not in _MAPS:
        raise ValueError(
            message(
                'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". '
                f"Got: {orthogonal_map}"
            )
        )
    made = _Orthogonal(weight, orthogonal_map, use_trivialization=use_trivialization)
    return parametrize.register_parametrization(module, name, made, unsafe=True)
