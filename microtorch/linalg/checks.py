"""What all of linalg shares: its error, the checks of operands, and the way to numpy and back."""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.errors import describe, message
from ..engine.record import constant
from ..graph import mode

if TYPE_CHECKING:
    from ..handles.tensor import Tensor


class LinAlgError(RuntimeError):
    """A matrix that has no such inverse or factor (PyTorch: torch.linalg.LinAlgError)."""


def square(name: str, A: Tensor) -> None:
    """Raise unless ``A`` is a square matrix, or a batch of them."""
    if A.array.ndim < 2 or A.array.shape[-1] != A.array.shape[-2]:
        sizes = " by ".join(map(str, A.array.shape[-2:]))
        raise RuntimeError(
            message(
                f"linalg.{name}: A must be batches of square matrices, but they are {sizes} "
                "matrices",
                describe(A),
            )
        )


def by_numpy(name: str, function: Callable[..., Any], *operands: Tensor) -> Any:
    """What numpy's ``function`` makes of float matrices: an array, or a tuple of arrays.

    Its LinAlgError is raised as PyTorch's.
    """
    for t in operands:
        if t.array.dtype not in (np.float32, np.float64):
            raise RuntimeError(
                message(
                    f"linalg.{name}: Expected a floating point tensor as input. Got "
                    f"{t.array.dtype.name}",
                    fix="x.float()",
                )
            )
    try:
        return function(*[t.array for t in operands])
    except np.linalg.LinAlgError as error:
        what = "the input matrix is singular" if "ingular" in str(error) else str(error)
        raise LinAlgError(
            message(f"linalg.{name}: {what}", ", ".join(map(describe, operands)))
        ) from None


def as_tensor(result: Any) -> Tensor:
    """A result as a Tensor without gradient, where it lies; numpy's may be a number."""
    return constant(np.asarray(result) if isinstance(result, (int, np.generic)) else result)


def without_derivative(name: str, function: Callable[..., Any], *operands: Tensor) -> list[Tensor]:
    """The results of a function that has no derivative; raises where one would be needed."""
    if mode.get().grad and any(t.requires_grad for t in operands):
        raise NotImplementedError(
            message(
                f"linalg.{name} has no derivative in microtorch",
                describe(operands[0]),
                fix="detach() the input",
            )
        )
    result = by_numpy(name, function, *operands)
    return [as_tensor(r) for r in (result if isinstance(result, tuple) else (result,))]
