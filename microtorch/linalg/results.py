"""The results of functions that have several, under the names of ``torch.return_types``."""
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ..handles.tensor import Tensor


class slogdet(NamedTuple):
    sign: Tensor
    logabsdet: Tensor


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
