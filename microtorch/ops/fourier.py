"""Discrete Fourier transforms: three ops, by numpy.fft. ``torch.fft`` is made of them.

    c2c    X[k] = s Σₜ x[t] exp(∓2πi k t / n)      both ways, of complex or of real numbers
    r2c    the first n//2 + 1 of these, of real numbers: the others are their conjugates
    c2r    back from such a half, to n real numbers

A transform is linear, X = s F x, so its derivative is the conjugate transpose: s Fᴴ, which is the
transform in the other direction with the same factor s. Half spectra leave out what repeats.
So r2c followed by a loss reads each middle value once, where the transform back would count it
twice: it is halved. Conversely c2r counts middle values twice, and so their gradients are doubled.
The values at frequency 0, and for even n at n/2, stand for themselves.

``scale`` is s, by name: "none" (1), "root" (1/√n), "count" (1/n), where n is the number of points
of all the dimensions together. PyTorch's ``norm`` names it by direction (fft/transforms.py).
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from ..arrays import dtypes
from ..engine.op import Op
from .complex import is_complex

if TYPE_CHECKING:
    from ..base.types import Array, Gradient, Namespace, Operand, Shape

Norm = Literal["backward", "ortho", "forward"]

# numpy names the factor by where it stands: for a transform forward, and for one back
FORWARD: dict[str, Norm] = {"none": "backward", "root": "ortho", "count": "forward"}
BACK: dict[str, Norm] = {"none": "forward", "root": "ortho", "count": "backward"}


def _c2c(F: Namespace, x: Array, dims: Shape, scale: str, inverse: bool) -> Array:
    if not dims:
        return x.astype(dtypes.complex_type(x.dtype)) if x.dtype.kind != "c" else x.copy()
    if inverse:
        return np.fft.ifftn(x, axes=dims, norm=BACK[scale])
    return np.fft.fftn(x, axes=dims, norm=FORWARD[scale])


def _c2c_vjp(
    F: Namespace, g: Gradient, out: Operand, x: Operand, dims: Shape, scale: str, inverse: bool
) -> Gradient:
    back = F.fft_c2c(g, dims=dims, scale=scale, inverse=not inverse)
    return back if is_complex(x) else F.real(back)


def _r2c(F: Namespace, x: Array, dims: Shape, scale: str) -> Array:
    return np.fft.rfftn(x, axes=dims, norm=FORWARD[scale])


def _r2c_vjp(
    F: Namespace, g: Gradient, out: Operand, x: Operand, dims: Shape, scale: str
) -> Gradient:
    n = x.shape[dims[-1]]
    return F.fft_c2r(g * _repeats(g, dims[-1], n, 0.5), dims=dims, scale=scale, size=n)


def _c2r(F: Namespace, x: Array, dims: Shape, scale: str, size: int) -> Array:
    sizes = [*(x.shape[d] for d in dims[:-1]), size]
    return np.fft.irfftn(x, sizes, dims, norm=BACK[scale])


def _c2r_vjp(
    F: Namespace, g: Gradient, out: Operand, x: Operand, dims: Shape, scale: str, size: int
) -> Gradient:
    half = F.fft_r2c(g, dims=dims, scale=scale)
    return half * _repeats(half, dims[-1], size, 2.0)


def _repeats(half: Operand, dim: int, n: int, weight: float) -> Array:
    """``weight`` for the values of a half spectrum that stand for two, 1 for the others."""
    d = getattr(half.dtype, "numpy", half.dtype)
    weights = np.full(half.shape[dim], weight, dtypes.real_type(d))
    weights[0] = 1
    if n % 2 == 0:
        weights[-1] = 1
    return weights.reshape([-1 if i == dim else 1 for i in range(half.ndim)])


c2c = Op(
    "fft_c2c",
    _c2c,
    vjps=(_c2c_vjp,),
    rule=("the transform of g in the other direction",),
    torch_name="FftC2C",
)
r2c = Op(
    "fft_r2c",
    _r2c,
    vjps=(_r2c_vjp,),
    rule=("the transform of g back, what repeats halved",),
    torch_name="FftR2C",
)
c2r = Op(
    "fft_c2r",
    _c2r,
    vjps=(_c2r_vjp,),
    rule=("the half transform of g, what repeats doubled",),
    torch_name="FftC2R",
)
