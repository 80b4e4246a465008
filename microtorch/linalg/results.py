"""The results of functions that have several, under the names of ``torch.return_types``."""
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ..handles.tensor import Tensor


class slogdet(NamedTuple):
    sign: Tensor
    logabsdet: Tensor


class eig(NamedTuple):
    eigenvalues: Tensor
    eigenvectors: Tensor


class eigh(NamedTuple):
    eigenvalues: Tensor
    eigenvectors: Tensor


class qr(NamedTuple):
    Q: Tensor
    R: Tensor


class svd(NamedTuple):
    U: Tensor
    S: Tensor
    Vh: Tensor


class lstsq(NamedTuple):
    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor


class inv_ex(NamedTuple):
    inverse: Tensor
    info: Tensor


class solve_ex(NamedTuple):
    result: Tensor
    info: Tensor


class cholesky_ex(NamedTuple):
    L: Tensor
    info: Tensor


class lu(NamedTuple):
    P: Tensor
    L: Tensor
    U: Tensor


class lu_factor(NamedTuple):
    LU: Tensor
    pivots: Tensor


class lu_factor_ex(NamedTuple):
    LU: Tensor
    pivots: Tensor
    info: Tensor


class ldl_factor(NamedTuple):
    LD: Tensor
    pivots: Tensor


class ldl_factor_ex(NamedTuple):
    LD: Tensor
    pivots: Tensor
    info: Tensor


class svd_with_v(NamedTuple):  # torch.svd: V, not its transpose
    U: Tensor
    S: Tensor
    V: Tensor


class geqrf(NamedTuple):
    a: Tensor
    tau: Tensor


class triangular_solve(NamedTuple):
    solution: Tensor
    cloned_coefficient: Tensor


class slogdet_of_torch(NamedTuple):
    sign: Tensor
    logabsdet: Tensor


class qr_of_torch(NamedTuple):
    Q: Tensor
    R: Tensor


class lu_unpack(NamedTuple):
    P: Tensor
    L: Tensor
    U: Tensor


svd_with_v.__name__, slogdet_of_torch.__name__, qr_of_torch.__name__ = "svd", "slogdet", "qr"
# of functions of torch, the others of torch.linalg
_OLDER = (svd_with_v, geqrf, triangular_solve, slogdet_of_torch, qr_of_torch, lu_unpack)


def name_of(kind: type) -> str:
    """A result's name in ``torch.return_types``."""
    return f"{'' if kind in _OLDER else 'linalg_'}{kind.__name__}"


def _shown(self: tuple[Tensor, ...]) -> str:
    kind = type(self)
    fields = ",\n".join([f"{n}={x!r}" for n, x in zip(kind.__annotations__, self, strict=True)])
    return f"torch.return_types.{name_of(kind)}(\n{fields})"


KINDS = [x for x in globals().values() if isinstance(x, type) and issubclass(x, tuple)]
for _kind in KINDS:
    type.__setattr__(_kind, "__repr__", _shown)
