"""What distributions share: broadcasting, probabilities and logits, lazy attributes."""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar, overload

from ..arrays import dtypes
from ..autograd import enable_grad
from ..base.errors import broadcast_error, message
from ..create.counted import arange
from ..create.data import tensor
from ..create.filled import empty, zeros
from ..handles.tensor import Tensor
from ..ops.arrange import broadcast_shapes

if TYPE_CHECKING:
    from ..base.types import DeviceLike, Number, Shape

Real: TypeAlias = "Tensor | float"  # a parameter as a user gives it

__all__ = [
    "broadcast_all",
    "clamp_probs",
    "lazy_property",
    "logits_to_probs",
    "probs_to_logits",
    "tril_matrix_to_vec",
    "vec_to_tril_matrix",
]

EULER = 0.57721566490153286060  # the Euler-Mascheroni constant
euler_constant = EULER
NUMBER = (bool, int, float)


def broadcast_all(*values: Tensor | Number) -> tuple[Tensor, ...]:
    """Tensors of one shape. A number takes dtype and device of the first tensor, if there is one.

    Raises ValueError for what is neither number nor tensor.
    """
    first = next((v for v in values if isinstance(v, Tensor)), None)
    tensors = []
    for v in values:
        if isinstance(v, Tensor):
            tensors.append(v)
        elif not isinstance(v, NUMBER):
            raise ValueError(
                message(
                    "Input arguments must all be instances of Number, "
                    "torch.Tensor or objects implementing __torch_function__."
                )
            )
        elif first is None:
            tensors.append(tensor(v, dtype=dtypes.get_default_dtype()))
        else:
            tensors.append(tensor(v, dtype=first.dtype, device=first.device))
    if len(tensors) > 1:
        try:
            shape = broadcast_shapes(*[t.shape for t in tensors])
        except RuntimeError:
            raise broadcast_error("broadcast_all", tensors) from None
        tensors = [t if t.shape == shape else t.expand(shape) for t in tensors]
    return tuple(tensors)


def standard_normal(
    shape: Shape, dtype: dtypes.dtype | None, device: DeviceLike | None
) -> Tensor:
    return empty(shape, dtype=dtype, device=device).normal_()


def sum_rightmost(value: Tensor, dims: int) -> Tensor:
    """The sum over the last `dims` dimensions."""
    return value.reshape((*value.shape[:-dims], -1)).sum(-1) if dims else value


# PyTorch's names of the two, which libraries import
_standard_normal, _sum_rightmost = standard_normal, sum_rightmost


def clamp_probs(probs: Tensor) -> Tensor:
    """Probabilities moved into [eps, 1 - eps], with the eps of their dtype."""
    eps = dtypes.finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def logits_to_probs(logits: Tensor, is_binary: bool = False) -> Tensor:
    """Probabilities of log odds (binary), or of log probabilities along the last dimension."""
    return logits.sigmoid() if is_binary else logits.softmax(-1)


def probs_to_logits(probs: Tensor, is_binary: bool = False) -> Tensor:
    """Log odds (binary), or log probabilities; 0 and 1 are moved inwards by eps first."""
    clamped = clamp_probs(probs)
    return clamped.log() - (-clamped).log1p() if is_binary else clamped.log()


T = TypeVar("T")
R = TypeVar("R")


class lazy_property(Generic[T, R]):
    """An attribute that a method computes when it is first read, and that is kept then.

    It is computed with gradient, whoever reads it first.
    """

    def __init__(self, wrapped: Callable[[T], R]) -> None:
        self.wrapped = wrapped
        self.__doc__ = wrapped.__doc__

    @overload
    def __get__(self, instance: None, kind: type[T]) -> lazy_property[T, R]: ...
    @overload
    def __get__(self, instance: T, kind: type[T]) -> R: ...
    def __get__(self, instance: T | None, kind: type[T]) -> lazy_property[T, R] | R:
        if instance is None:
            return self
        with enable_grad():
            value = self.wrapped(instance)
        instance.__dict__[self.wrapped.__name__] = value
        return value


def _below(n: int, diag: int, like: Tensor) -> Tensor:
    """A mask (n, n): on and below the diagonal number `diag`."""
    places = arange(n, device=like.device)
    return places < places.view(-1, 1) + (diag + 1)


def tril_matrix_to_vec(mat: Tensor, diag: int = 0) -> Tensor:
    """The lower triangle of matrices (..., n, n) up to diagonal `diag`, row after row."""
    n = mat.shape[-1]
    if not -n <= diag < n:
        raise ValueError(message(f"diag ({diag}) provided is outside [{-n}, {n - 1}]."))
    return mat[..., _below(n, diag, mat)]


def vec_to_tril_matrix(vec: Tensor, diag: int = 0) -> Tensor:
    """Lower triangular matrices of which tril_matrix_to_vec makes `vec`."""
    length = vec.shape[-1]
    step = 1 + 2 * diag  # n² + step · n = 2 · length + |diag| · (diag + 1)
    exact = (-step + (step**2 + 8 * length + 4 * abs(diag) * (diag + 1)) ** 0.5) / 2
    n = round(exact)
    if abs(n - exact) > dtypes.finfo(vec.dtype).eps:
        raise ValueError(
            message(
                f"The size of last dimension is {length} which cannot be expressed as "
                "the lower triangular part of a square D x D matrix."
            )
        )
    mat = zeros((*vec.shape[:-1], n, n), dtype=vec.dtype, device=vec.device)
    mat[..., _below(n, diag, vec)] = vec
    return mat


def origin(cls: type, name: str) -> type:
    """The class from which `cls` has its attribute `name`."""
    return next(c for c in cls.__mro__ if name in vars(c))
