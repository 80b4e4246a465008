"""What all of linalg shares: its error, the checks of operands, and the way to numpy and back."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays.dtypes import TORCH_TYPES
from ..autograd.function import Function, FunctionCtx
from ..base.errors import describe, message
from ..engine.handle import Handle
from ..engine.record import constant
from ..engine.whole import unrepeatable, whole, writers
from ..graph import mode
from ..kinds.batched import each
from ..kinds.dual import primal_of, with_tangent
from ..ops.arguments import not_floating

if TYPE_CHECKING:
    from ..base.types import Argument, Array
    from ..handles.tensor import Tensor


class LinAlgError(RuntimeError):
    """A matrix that has no such inverse or factor (PyTorch: torch.linalg.LinAlgError)."""


# functions whose integers PyTorch refuses in its kernel only, of this name
KERNELS = {
    "eigh": "linalg_eigh_cpu", "eigvalsh": "linalg_eigh_cpu", "lu": "lu_cpu", "lu_factor": "lu_cpu",
    "lu_factor_ex": "lu_cpu", "solve_triangular": "triangular_solve_cpu",
}  # fmt: skip


# ---- operands ------------------------------------------------------------------------------------
def matrices(name: str, A: Tensor) -> None:
    """Raise unless ``A`` is a matrix, or a batch of them."""
    if not hasattr(A, "array"):
        raise TypeError(
            message(f"linalg.{name}: argument 'A' must be Tensor, not {type(A).__name__}")
        )
    if A.array.ndim < 2:
        raise RuntimeError(
            message(
                f"linalg.{name}: The input tensor A must have at least 2 dimensions.", describe(A)
            )
        )


def square(name: str, A: Tensor) -> None:
    """Raise unless ``A`` is a square matrix, or a batch of them."""
    matrices(name, A)
    if A.array.shape[-1] != A.array.shape[-2]:
        sizes = " by ".join(map(str, A.array.shape[-2:]))
        raise RuntimeError(
            message(
                f"linalg.{name}: A must be batches of square matrices, but they are {sizes} "
                "matrices",
                describe(A),
                fix="torch.linalg.pinv(A)" if name == "inv" else "",
            )
        )


def floating(name: str, *operands: Tensor) -> None:
    """Raise unless all operands are of one dtype: float32, float64, or one of complex numbers."""
    for t in operands:
        d = t.array.dtype
        if d.kind in "fcV" and d.itemsize >= 4:
            continue
        kind = TORCH_TYPES[d.name]
        if d.kind not in "fcV":
            if name in KERNELS:
                raise not_floating(KERNELS[name], t)
            what = f"Expected a floating point or complex tensor as input. Got {kind}"
            raise RuntimeError(message(f"linalg.{name}: {what}", describe(t), fix="x.float()"))
        what = f"Low precision dtypes not supported. Got {kind}"
        raise RuntimeError(message(f"linalg.{name}: {what}", describe(t), fix="x.float()"))
    if len(operands) > 1 and len({t.array.dtype for t in operands}) > 1:
        kinds = " and ".join(TORCH_TYPES[t.array.dtype.name] for t in operands)
        raise RuntimeError(
            message(
                f"linalg.{name}: Expected the operands to have the same dtype, but got {kinds}",
                fix="convert one: x.to(y.dtype)",
            )
        )


def broadcast_batches(name: str, A: Tensor, B: Tensor) -> tuple[Tensor, Tensor]:
    """Both operands with the batch dimensions (all but the last two) of both."""
    a, b = A.array.shape, B.array.shape
    if a[:-2] == b[:-2]:
        return A, B
    try:
        batch = np.broadcast_shapes(a[:-2], b[:-2])
    except ValueError:
        raise RuntimeError(
            message(
                f"linalg.{name}: the batch dimensions {a[:-2]} and {b[:-2]} do not broadcast",
                f"{describe(A)}, {describe(B)}",
            )
        ) from None
    return A.expand(*batch, *a[-2:]), B.expand(*batch, *b[-2:])


# ---- to numpy and back ---------------------------------------------------------------------------
def by_numpy(
    name: str, function: Callable[..., Any], *operands: Tensor, **settings: Argument
) -> Any:
    """What numpy's ``function`` makes of matrices: an array, or a tuple of arrays.

    ``settings`` are given to it, too. Its LinAlgError is raised as PyTorch's.
    """
    floating(name, *operands)
    try:
        if writers:  # a recording sees one step
            if any(isinstance(x, Handle) for x in settings.values()):
                unrepeatable(f"{name} reads a tensor among its settings")
            def on_tensors(*xs: Tensor, **settings: Argument) -> Argument:
                return _tensors(function(*[x.array for x in xs], **settings))

            found = whole(name, on_tensors, *operands, **settings)
            return tuple([t.array for t in found]) if isinstance(found, tuple) else found.array
        arrays = [t.array for t in operands]
        if all([type(a) is np.ndarray for a in arrays]):  # as mostly
            return function(*arrays, **settings)
        return each(partial(function, **settings), *map(primal_of, arrays))
    except np.linalg.LinAlgError as error:
        what = "the input matrix is singular" if "ingular" in str(error) else str(error)
        if "converge" in what:
            what = "The algorithm failed to converge: " + what
        raise LinAlgError(
            message(f"linalg.{name}: {what}", ", ".join(map(describe, operands)))
        ) from None


NO_SETTINGS: dict[str, Argument] = {}


class Found:
    """What ``by_numpy`` makes of matrices, for a Function whose caller needs some of it, too.

    ``results`` are those of the ``operands``. The Function's forward takes them by calling this;
    where it runs again, on other matrices, it gets what these give. ``hermitian``: one triangle
    is read, and the gradient is that of moves of both. ``settings``: what else ``function`` is
    given.
    """

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        *operands: Tensor,
        hermitian: bool = False,
        settings: Mapping[str, Argument] = NO_SETTINGS,
    ):
        self.name, self.function, self.hermitian = name, function, hermitian
        self.settings = settings
        self.results = self._held = by_numpy(name, function, *operands, **settings)

    def __call__(self, *operands: Tensor) -> Argument:
        held, self._held = self._held, None
        if held is not None:
            return held
        if self.hermitian:
            operands = tuple((A + A.mH) / 2 for A in operands)
        return by_numpy(self.name, self.function, *operands, **self.settings)

    def outputs(self, function: type[Function], *operands: Tensor) -> Any:
        """What ``function.apply`` gives. Where nothing is recorded, its forward gives that alone.
        """
        grad = mode.get().grad
        for t in operands:
            if (grad and t.node.needs) or type(t.array) is not np.ndarray:
                return function.apply(*operands, self)
        return function.forward(FunctionCtx(()), *operands, self)


def _tensors(found: Argument) -> Argument:
    return tuple(map(as_tensor, found)) if isinstance(found, tuple) else as_tensor(found)


def as_tensor(result: Any) -> Tensor:
    """A result as a Tensor without gradient, where it lies; numpy's may be a number."""
    if type(result) is not np.ndarray and isinstance(result, (int, np.generic)):
        result = np.asarray(result)
    return constant(result)


def records(*operands: Tensor) -> bool:
    """Is a gradient recorded through one of the operands, or does a tangent come with one?"""
    grad = mode.get().grad
    for t in operands:
        if (grad and t.requires_grad) or with_tangent(t.array):
            return True
    return False


def without_derivative(name: str, function: Callable[..., Any], *operands: Tensor) -> list[Tensor]:
    """The results of a function that has no derivative; raises where one would be needed."""
    if records(*operands):
        raise NotImplementedError(
            message(
                f"linalg.{name} has no derivative in microtorch",
                describe(operands[0]),
                fix="detach() the input",
            )
        )
    result = by_numpy(name, function, *operands)
    return [as_tensor(r) for r in (result if isinstance(result, tuple) else (result,))]


def identity(n: int, like: Tensor, columns: int | None = None) -> Tensor:
    """The matrix with ones on its diagonal, of the dtype of ``like`` and on its device."""
    return constant(np.eye(n, columns, dtype=like.array.dtype), like.node.dev)


def raise_singular(
    name: str, A: Tensor, info: Array, what: str, error: type[Exception] = LinAlgError,
    fix: str = "",
) -> None:  # fmt: skip
    """Raise if one of the numbers in ``info`` is not 0.

    They are those of LAPACK: the 1-based place where the algorithm failed. ``{info}`` in ``what``
    stands for the first of them.
    """
    if not info.any():
        return
    at = int(np.flatnonzero(info)[0])
    where = f"(Batch element {at}): " if info.ndim else ""
    text = what.format(info=int(info.ravel()[at]))
    raise error(message(f"linalg.{name}: {where}{text}", describe(A), fix=fix))
