"""Windows for spectral analysis: ``torch.signal.windows``, and the older ``torch.hann_window`` ...

A symmetric window of M points has the same values from both ends. A periodic one (``sym=False``,
``periodic=True``) is the symmetric one of M + 1 points without its last, so that copies of it join.
The formulas are those of F. J. Harris, "On the use of windows for harmonic analysis" (1978).
"""
from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import dtypes
from ..arrays.layout import layout, strided
from ..base.errors import message, missing
from .finish import check_layout, chosen, export, finish

if TYPE_CHECKING:
    from ..base.types import Array, DeviceLike, DTypeLike
    from ..handles.tensor import Tensor

__all__ = [
    "bartlett", "blackman", "cosine", "exponential", "gaussian", "general_cosine",
    "general_hamming", "hamming", "hann", "kaiser", "nuttall",
]  # fmt: skip
__getattr__ = missing(__name__, __all__)

NUTTALL = (0.3635819, 0.4891775, 0.1365995, 0.0106411)
BLACKMAN = (0.42, 0.5, 0.08)


# ---- the formulas, in float64 --------------------------------------------------------------------
def _last(m: int, sym: bool) -> int:
    """The place of the last point of the symmetric window."""
    return m if not sym and m > 1 else m - 1


def _cosines(m: int, sym: bool, a: Iterable[float]) -> Array:
    """a0 - a1 cos(k) + a2 cos(2 k) - ..., where k runs over one period."""
    k = np.arange(m) * (2 * math.pi / max(_last(m, sym), 1))
    terms = [(-1) ** i * w * np.cos(i * k) for i, w in enumerate(a)]
    return np.ones(m) if m == 1 else np.sum(terms, axis=0)


def _bartlett(m: int, sym: bool) -> Array:
    return 1 - np.abs(np.arange(m) * (2 / max(_last(m, sym), 1)) - 1) if m != 1 else np.ones(1)


def _kaiser(m: int, sym: bool, beta: float) -> Array:
    if m == 1:
        return np.ones(1)
    x = np.arange(m) * (2 / _last(m, sym)) - 1
    return np.i0(beta * np.sqrt(np.maximum(1 - x * x, 0))) / np.i0(beta)


# ---- torch.signal.windows ------------------------------------------------------------------------
Options = Any  # dtype, device, requires_grad, layout: as of all functions that make tensors


def _size(
    name: str, m: int, dtype: DTypeLike | None = None, layout: layout | None = None, **_: object
) -> int:
    if m < 0:
        raise ValueError(message(f"{name} requires non-negative window length, got M={m}"))
    if layout not in (None, strided):
        raise ValueError(
            message(f"{name} is implemented for strided tensors only, got: {layout}")
        )
    d = chosen(dtype)
    if d not in (dtypes.F32, dtypes.F64):
        raise ValueError(
            message(f"{name} expects float32 or float64 dtypes, got: {dtypes.FROM_NUMPY[d]}")
        )
    return m


def _made(
    values: Array,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
    layout: layout | None = None,
    pin_memory: bool = False,
) -> Tensor:
    return finish(values.astype(chosen(dtype)), device, requires_grad)


def general_cosine(
    M: int, *, a: Iterable[float], sym: bool = True, **options: Options
) -> Tensor:
    """A sum of cosines with weights ``a`` and alternating signs."""
    _size("general_cosine", M, **options)
    if not isinstance(a, Iterable):
        raise TypeError(message("Coefficients must be a list/tuple"))
    a = list(a)
    if not a:
        raise ValueError(message("Coefficients cannot be empty"))
    return _made(_cosines(M, sym, a), **options)


def general_hamming(
    M: int, *, alpha: float = 0.54, sym: bool = True, **options: Options
) -> Tensor:
    """alpha - (1 - alpha) cos(2 pi n / (M - 1))."""
    return general_cosine(M, a=[alpha, 1 - alpha], sym=sym, **options)


def hamming(M: int, *, sym: bool = True, **options: Options) -> Tensor:
    """general_hamming with alpha = 0.54."""
    return general_hamming(M, sym=sym, **options)


def hann(M: int, *, sym: bool = True, **options: Options) -> Tensor:
    """The raised cosine (1 - cos(2 pi n / (M - 1))) / 2."""
    return general_hamming(M, alpha=0.5, sym=sym, **options)


def blackman(M: int, *, sym: bool = True, **options: Options) -> Tensor:
    """0.42 - 0.5 cos(k) + 0.08 cos(2 k), k = 2 pi n / (M - 1)."""
    _size("blackman", M, **options)
    return general_cosine(M, a=BLACKMAN, sym=sym, **options)


def nuttall(M: int, *, sym: bool = True, **options: Options) -> Tensor:
    """Nuttall's sum of four cosines, with very low side lobes."""
    return general_cosine(M, a=NUTTALL, sym=sym, **options)


def bartlett(M: int, *, sym: bool = True, **options: Options) -> Tensor:
    """The triangle that is 0 at both ends."""
    return _made(_bartlett(_size("bartlett", M, **options), sym), **options)


def cosine(M: int, *, sym: bool = True, **options: Options) -> Tensor:
    """Half a period of the sine: sin(pi (n + 1/2) / M)."""
    k = np.arange(_size("cosine", M, **options)) + 0.5
    return _made(np.sin(k * (math.pi / max(_last(M, sym) + 1, 1))), **options)


def exponential(
    M: int, *, center: float | None = None, tau: float = 1.0, sym: bool = True, **options: Options
) -> Tensor:
    """exp(-|n - center| / tau); the centre is the middle unless given."""
    _size("exponential", M, **options)
    if tau <= 0:
        raise ValueError(message(f"Tau must be positive, got: {tau} instead."))
    if sym and center is not None:
        raise ValueError(message("Center must be None for symmetric windows"))
    middle = _last(M, sym) / 2 if center is None else center
    return _made(np.exp(-np.abs(np.arange(M) - middle) / tau), **options)


def gaussian(M: int, *, std: float = 1.0, sym: bool = True, **options: Options) -> Tensor:
    """exp(-(n / std)^2 / 2), n counted from the middle."""
    _size("gaussian", M, **options)
    if std <= 0:
        raise ValueError(message(f"Standard deviation must be positive, got: {std} instead."))
    n = np.arange(M) - _last(M, sym) / 2
    return _made(np.exp(-((n / std) ** 2) / 2), **options)


def kaiser(M: int, *, beta: float = 12.0, sym: bool = True, **options: Options) -> Tensor:
    """I0(beta sqrt(1 - x^2)) / I0(beta), x from -1 to 1; I0 is the modified Bessel function."""
    _size("kaiser", M, **options)
    if beta < 0:
        raise ValueError(message(f"beta must be non-negative, got: {beta} instead."))
    return _made(_kaiser(M, sym, beta), **options)


# ---- the older functions -------------------------------------------------------------------------
def _older_size(
    name: str, length: int, dtype: DTypeLike | None = None, layout: layout | None = None,
    **_: object,
) -> int:  # fmt: skip
    check_layout(name, layout)
    if length < 0:
        raise RuntimeError(
            message(f"{name} requires non-negative window_length, got window_length={length}")
        )
    d = chosen(dtype)
    if d.kind != "f":
        raise RuntimeError(
            message(f"{name} expects floating point dtypes, got: {dtypes.FROM_NUMPY[d]}")
        )
    return length


@export
def hann_window(window_length: int, periodic: bool = True, **options: Options) -> Tensor:
    """The raised cosine: see ``torch.signal.windows.hann``."""
    n = _older_size("hann_window", window_length, **options)
    return _made(_cosines(n, not periodic, (0.5, 0.5)), **options)


@export
def hamming_window(
    window_length: int, periodic: bool = True, alpha: float = 0.54, beta: float = 0.46,
    **options: Options,
) -> Tensor:  # fmt: skip
    """alpha - beta cos(2 pi n / (N - 1))."""
    n = _older_size("hamming_window", window_length, **options)
    return _made(_cosines(n, not periodic, (alpha, beta)), **options)


@export
def blackman_window(window_length: int, periodic: bool = True, **options: Options) -> Tensor:
    """See ``torch.signal.windows.blackman``."""
    n = _older_size("blackman_window", window_length, **options)
    return _made(_cosines(n, not periodic, BLACKMAN), **options)


@export
def bartlett_window(window_length: int, periodic: bool = True, **options: Options) -> Tensor:
    """See ``torch.signal.windows.bartlett``."""
    n = _older_size("bartlett_window", window_length, **options)
    return _made(_bartlett(n, not periodic), **options)


@export
def kaiser_window(
    window_length: int, periodic: bool = True, beta: float = 12.0, **options: Options
) -> Tensor:
    """See ``torch.signal.windows.kaiser``."""
    n = _older_size("kaiser_window", window_length, **options)
    return _made(_kaiser(n, not periodic, beta), **options)
