"""The frequencies of a spectrum, and its order with frequency 0 in the middle."""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..base.errors import message
from ..create.finish import chosen, finish
from ..engine.argument_types import check_type
from ..engine.out import into
from ..ops.arguments import dim_of
from ..ops.surface import FUNCTIONS

if TYPE_CHECKING:
    from ..base.types import Array, DeviceLike, Dims, DTypeLike
    from ..handles.tensor import Tensor


def fftfreq(
    n: int, d: float = 1.0, *, out: Tensor | None = None, dtype: DTypeLike | None = None,
    device: DeviceLike | None = None, requires_grad: bool = False, layout: object = None,
) -> Tensor:  # fmt: skip
    """The frequencies of ``fft`` of ``n`` points a distance ``d`` apart, in cycles per unit of d.

    0, 1, ..., (n-1)//2, -(n//2), ..., -1, each divided by n d.
    """
    half = (_count("fftfreq", n) + 1) // 2
    k = np.arange(-(n // 2), half, dtype=np.float64)
    in_order = np.concatenate((k[n // 2 :], k[: n // 2]))
    return _made("fftfreq", in_order, n, d, out, dtype, device, requires_grad)


def rfftfreq(
    n: int, d: float = 1.0, *, out: Tensor | None = None, dtype: DTypeLike | None = None,
    device: DeviceLike | None = None, requires_grad: bool = False, layout: object = None,
) -> Tensor:  # fmt: skip
    """The frequencies of ``rfft`` of ``n`` points: 0, 1, ..., n//2, each divided by n d."""
    k = np.arange(_count("rfftfreq", n) // 2 + 1, dtype=np.float64)
    return _made("rfftfreq", k, n, d, out, dtype, device, requires_grad)


def _count(name: str, n: object) -> int:
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)):
        raise TypeError(
            message(
                f"fft_{name}(): argument 'n' (position 1) must be int, not {type(n).__name__}"
            )
        )
    if n < 0:
        raise RuntimeError(
            message(f"Trying to create tensor with negative dimension {n}: [{n}]", name)
        )
    return int(n)


def _made(
    name: str, k: Array, n: int, d: float, out: Tensor | None, dtype: DTypeLike | None,
    device: DeviceLike | None, requires_grad: bool,
) -> Tensor:  # fmt: skip
    check_type(f"fft_{name}", "d", "float", d)
    wanted = chosen(dtype if out is None or dtype is not None else out.dtype)
    if wanted.kind not in "fc":
        raise RuntimeError(
            message(f"{name} requires a floating point or complex dtype", f"dtype={dtype}")
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        values = (k * (np.float64(1) / np.float64(n * d))).astype(wanted)
    result = finish(values, device, requires_grad)
    if out is None:
        return result
    written: Tensor = into(out, lambda: result, (), {})
    return written


def fftshift(input: Tensor, dim: Dims = None) -> Tensor:
    """The spectrum with frequency 0 in the middle, along ``dim`` (all if None)."""
    return _rolled("fftshift", input, dim, 0)


def ifftshift(input: Tensor, dim: Dims = None) -> Tensor:
    """Undo fftshift: frequency 0 comes first again."""
    return _rolled("ifftshift", input, dim, 1)


def _rolled(name: str, input: Tensor, dim: Dims, up: int) -> Tensor:
    ndim = input.array.ndim
    given = tuple(range(ndim)) if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    dims = [dim_of(d, ndim, name) for d in given]
    by = [(input.array.shape[d] + up) // 2 for d in dims]
    rolled: Tensor = FUNCTIONS["roll"](input, by, dims)
    return rolled
