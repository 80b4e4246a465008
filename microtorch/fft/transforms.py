"""The transforms of one dimension and of several, under PyTorch's names and signatures.

    fft    Σₜ x[t] exp(−2πi k t / n)     ifft   the way back
    rfft   of real numbers: the half of the spectrum that does not repeat      irfft  back
    hfft   of half a signal whose other half is its conjugate: a real spectrum ihfft  back

``n`` (``s`` for several dimensions) is the number of points: the input is cut, or zeros follow.
``norm`` says where the factor 1/n stands: "backward" (or None) in the inverse, "forward" in the
other, "ortho" 1/√n in both. Results are complex64 for float32, complex128 for float64, or, of
irfft and hfft, real. Integers become the default dtype; float16 is refused, as PyTorch does on the
CPU.
"""
from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ..arrays import dtypes
from ..arrays.dtypes import TORCH_TYPES
from ..base.errors import describe, dim_error, message
from ..base.naming import named
from ..engine.calling import reading
from ..engine.short import single
from ..ops import fourier
from ..ops.fourier import Norm
from ..ops.surface import FUNCTIONS

if TYPE_CHECKING:
    from ..base.types import Dims, Shape
    from ..handles.tensor import Tensor

SCALE = {"backward": "none", "ortho": "root", "forward": "count"}
SCALE_OF_INVERSE = {"backward": "count", "ortho": "root", "forward": "none"}


# ---- reading arguments ---------------------------------------------------------------------------
def scale_of(norm: str | None, inverse: bool) -> str:
    """The factor of ops/fourier.py that ``norm`` means for a direction."""
    table = SCALE_OF_INVERSE if inverse else SCALE
    if norm is not None and norm not in table:
        raise RuntimeError(
            message(
                f'Invalid normalization mode: "{norm}"', fix="'backward', 'ortho' or 'forward'"
            )
        )
    return table[norm or "backward"]


def floats(name: str, input: Tensor, real: bool = False) -> Tensor:
    """The input as floating point numbers. RuntimeError for float16, or for complex if ``real``."""
    if not hasattr(input, "array"):
        raise TypeError(
            message(
                f"fft_{name}(): argument 'input' (position 1) must be Tensor, not "
                f"{type(input).__name__}",
                fix="torch.tensor(x)",
            )
        )
    d = input.array.dtype
    if real and d.kind == "c":
        raise RuntimeError(
            message(
                f"{name} expects a real input tensor, but got {TORCH_TYPES[d.name]}",
                describe(input),
                fix="x.real, or torch.fft.fft of the complex numbers",
            )
        )
    if d.kind not in "fc":
        return input.to(dtypes.get_default_dtype())
    if d.itemsize < 4:
        raise RuntimeError(
            message(f"Unsupported dtype {TORCH_TYPES[d.name]}", describe(input), fix="x.float()")
        )
    return input


def _one(name: str, input: Tensor, n: object, dim: object) -> tuple[list[int] | None, Shape]:
    """Size and dimension of a transform of one dimension, as those of several."""
    dims = (_dim(dim, input.array.ndim, name),)
    if n is None:
        return None, dims
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)):
        raise TypeError(
            message(f"fft_{name}(): argument 'n' (position 2) must be int, not {type(n).__name__}")
        )
    _check_points(int(n))
    return [int(n)], dims


def _dim(dim: object, ndim: int, name: str) -> int:
    if isinstance(dim, bool) or not isinstance(dim, (int, np.integer)):
        raise TypeError(
            message(f"fft_{name}(): argument 'dim' must be int, not {type(dim).__name__}")
        )
    if not ndim:
        raise IndexError(message(f"Dimension specified as {dim} but tensor has no dimensions"))
    if not -ndim <= dim < ndim:
        raise dim_error(int(dim), ndim, f"fft.{name}")
    return int(dim) % ndim


def _several(name: str, input: Tensor, s: Dims, dim: Dims) -> tuple[list[int] | None, Shape]:
    """Sizes (None: the input's own) and dimensions of a transform of several."""
    ndim = input.array.ndim
    sizes = [s] if isinstance(s, int) else None if s is None else [*s]
    if dim is None:
        if sizes is None:
            return None, tuple(range(ndim))
        if len(sizes) > ndim:
            raise RuntimeError(
                message(
                    f"Got shape with {len(sizes)} values but input tensor only has {ndim} "
                    "dimensions.",
                    describe(input),
                )
            )
        return sizes, tuple(range(ndim - len(sizes), ndim))
    dims = tuple([_dim(d, ndim, name) for d in ((dim,) if isinstance(dim, int) else dim)])
    if len(set(dims)) < len(dims):
        raise RuntimeError(message("FFT dims must be unique", f"fft.{name}(dim={dim})"))
    if sizes is not None and len(sizes) != len(dims):
        raise RuntimeError(
            message(
                "When given, dim and shape arguments must have the same length",
                f"fft.{name}(s={s}, dim={dim})",
            )
        )
    return sizes, dims


def _check_points(n: int) -> None:
    if n < 1:
        raise RuntimeError(
            message(
                f"Invalid number of data points ({n}) specified",
                fix="a transform has at least one point: give n (or s), or a longer input",
            )
        )


def _resized(input: Tensor, sizes: Sequence[int], dims: Shape) -> Tensor:
    """The input cut to ``sizes``, or continued by zeros."""
    for d, n in zip(dims, sizes, strict=True):
        shape = input.array.shape
        if n < shape[d]:
            input = input.narrow(d, 0, n)
        elif n > shape[d]:
            zeros = input.new_zeros((*shape[:d], n - shape[d], *shape[d + 1 :]))
            input = FUNCTIONS["cat"]((input, zeros), d)
    return input


def _with_points(input: Tensor, sizes: list[int] | None, dims: Shape) -> Tensor:
    """The input with the number of points asked for in each dimension; -1 is its own."""
    shape = input.array.shape
    own = [shape[d] for d in dims]
    points = [o if n == -1 else n for n, o in zip(sizes or own, own, strict=True)]
    for n in points:
        _check_points(n)
    return _resized(input, points, dims)


# ---- the three kinds -----------------------------------------------------------------------------
def _whole(
    name: str, input: Tensor, sizes: list[int] | None, dims: Shape, norm: str | None
) -> Tensor:
    inverse = name.startswith("i")
    scale = scale_of(norm, inverse)
    x = _with_points(floats(name, input), sizes, dims)
    return single(fourier.c2c, x, {"dims": dims, "scale": scale, "inverse": inverse})


def _to_half(
    name: str, input: Tensor, sizes: list[int] | None, dims: Shape, norm: str | None
) -> Tensor:
    """rfft, and ihfft: the conjugate of rfft with the factor of an inverse."""
    conjugate = name.startswith("i")
    scale = scale_of(norm, conjugate)
    x = floats(name, input, real=True)
    _check_dims(name, dims)
    out = single(fourier.r2c, _with_points(x, sizes, dims), {"dims": dims, "scale": scale})
    return out.conj() if conjugate else out


def _from_half(
    name: str, input: Tensor, sizes: list[int] | None, dims: Shape, norm: str | None
) -> Tensor:
    """irfft, and hfft: irfft of the conjugate, with the factor of a transform forward."""
    conjugate = name.startswith("h")
    scale = scale_of(norm, not conjugate)
    x = floats(name, input)
    _check_dims(name, dims)
    last = sizes[-1] if sizes is not None and sizes[-1] != -1 else None
    n = 2 * (x.array.shape[dims[-1]] - 1) if last is None else last
    _check_points(n)
    of_input = [*(sizes[:-1] if sizes is not None else [-1] * (len(dims) - 1)), n // 2 + 1]
    x = _with_points(x, of_input, dims)
    if x.array.dtype.kind != "c":
        x = x.to(dtypes.FROM_NUMPY[dtypes.complex_type(x.array.dtype)])
    x = x.conj() if conjugate else x
    return single(fourier.c2r, x, {"dims": dims, "scale": scale, "size": n})


def _check_dims(name: str, dims: Shape) -> None:
    if not dims:
        raise RuntimeError(message(f"{name} must transform at least one axis", f"fft.{name}"))


# ---- PyTorch's functions -------------------------------------------------------------------------
POINTS = "(the input's if None): the input is cut, or zeros follow."
COMMON = """

``norm``: where the factor 1/n stands, "backward" (None: in the inverse), "forward", or "ortho"
(1/√n in both). The precision is the input's. RuntimeError for float16, for less than one point, and
for dimensions given twice; IndexError for one that is not there.
"""


Kind: TypeAlias = "Callable[[str, Tensor, list[int] | None, Shape, str | None], Tensor]"
Transform: TypeAlias = "Callable[..., Tensor]"


def _with_real_out(f: Transform) -> Transform:
    """``f``, whose results are real, with ``out=``; it refuses a complex one, as PyTorch does."""
    run = reading(f)

    @functools.wraps(f)
    def function(*args: object, out: Tensor | None = None, **kwargs: object) -> Tensor:
        if out is not None and out.is_complex():
            what = f"{f.__name__} expects a floating point output tensor, but got "
            kind = TORCH_TYPES[out.array.dtype.name]
            raise RuntimeError(message(what + kind, describe(out)))
        return run(*args, out=out, **kwargs)

    return function


def _declare(name: str, kind: Kind, what: str) -> tuple[Transform, Transform, Transform]:
    """``name``, ``name2`` and ``namen``: over one dimension, over two, over several."""
    two, several = f"{name}2", f"{name}n"

    def one(
        input: Tensor, n: int | None = None, dim: int = -1, norm: Norm | None = None
    ) -> Tensor:
        x = floats(name, input)
        sizes, dims = _one(name, x, n, dim)
        return kind(name, x, sizes, dims, norm)

    def over_two(
        input: Tensor, s: Dims = None, dim: Dims = (-2, -1), norm: Norm | None = None
    ) -> Tensor:
        return over_several(input, s, dim, norm)

    def over_several(
        input: Tensor, s: Dims = None, dim: Dims = None, norm: Norm | None = None
    ) -> Tensor:
        x = floats(several, input)
        return kind(several, x, *_several(several, x, s, dim), norm)

    export = _with_real_out if kind is _from_half else reading
    of_n = f"{what}.\n\nOver the dimension ``dim``, of ``n`` points {POINTS}{COMMON}"
    of_s = f"{what}.\n\nOver the dimensions ``dim``, of ``s`` points {POINTS}{COMMON}"
    return (
        export(named(one, name, of_n)),
        export(named(over_two, two, of_s)),
        export(named(over_several, several, of_s)),
    )


fft, fft2, fftn = _declare(
    "fft", _whole, "The discrete Fourier transform Σₜ x[t] exp(−2πi k t / n)"
)
ifft, ifft2, ifftn = _declare("ifft", _whole, "The inverse of fft")
rfft, rfft2, rfftn = _declare(
    "rfft", _to_half, "The first n//2 + 1 frequencies (of the last dimension) of real numbers"
)
irfft, irfft2, irfftn = _declare(
    "irfft", _from_half, "Real numbers from the half spectrum that rfft gives"
)
hfft, hfft2, hfftn = _declare(
    "hfft", _from_half, "The real spectrum of half a signal whose other half is its conjugate"
)
ihfft, ihfft2, ihfftn = _declare("ihfft", _to_half, "The inverse of hfft")
