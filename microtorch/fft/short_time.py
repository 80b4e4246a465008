"""The spectrum of a signal as it changes with time: ``torch.stft`` and its inverse.

    stft    X[k, m] = Σₜ w[t] x[m hop + t] exp(−2πi k t / n_fft)       frequency k, frame m
    istft   x[t] = Σ_m w[t − m hop] x_m[t − m hop] / Σ_m w[t − m hop]²

where x_m is the inverse transform of frame m. The second undoes the first (Griffin and Lim, "Signal
estimation from modified short-time Fourier transform", 1984), if no sum of squares is 0.
"""
from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import dtypes
from ..base.errors import describe, message, warn
from ..engine.entering import called
from ..engine.record import constant
from ..nn.functional.padding import pad
from ..ops.arguments import owned
from ..ops.surface import FUNCTIONS
from .transforms import fft, ifft, irfft, rfft

if TYPE_CHECKING:
    from ..handles.tensor import Tensor


@partial(called, out=False)
def stft(
    input: Tensor, n_fft: int, hop_length: int | None = None, win_length: int | None = None,
    window: Tensor | None = None, center: bool = True, pad_mode: str = "reflect",
    normalized: bool = False, onesided: bool | None = None, return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Tensor:  # fmt: skip
    """The short-time Fourier transform of signals (length) or (batch, length).

    The result is (batch, frequencies, frames). A frame of ``n_fft`` points is multiplied by the
    ``window`` (of ``win_length`` points, in its middle; ones if None) and transformed, then
    the next begins ``hop_length`` points later (n_fft // 4 if None). With ``center`` the signal is
    first continued by n_fft // 2 points on both sides, as ``pad_mode`` says, so that frame m has
    point m * hop_length in its middle. ``normalized`` divides by the root of n_fft. ``onesided``
    leaves out the frequencies above n_fft // 2, which repeat if signal and window are real: the
    default then. Without ``return_complex`` the real and the imaginary parts are a last dimension
    of size 2. ``align_to_window``, without ``center``, lets the window of the first frame begin
    with the signal, where else the frame does.
    """
    hop, length = _lengths("stft", n_fft, hop_length, win_length)
    if center and align_to_window is not None:
        raise RuntimeError(
            message("stft align_to_window should only be set when center = false")
        )
    x = input
    if x.array.dtype.kind not in "fc":
        _refuse("stft", "expected a tensor of floating point or complex values", x)
    if x.array.ndim > 2:
        _refuse("stft", "expected a 1D or 2D tensor", x)
    if center:
        border = n_fft // 2
        shape = (*(1,) * (3 - x.array.ndim), *x.array.shape)
        x = pad(x.reshape(shape), (border, border), pad_mode).reshape(*input.shape[:-1], -1)
    _check_frames(x, n_fft, hop, length, window)
    is_complex = x.is_complex() or (window is not None and window.is_complex())
    if return_complex is None and not is_complex:
        raise RuntimeError(
            message(
                "stft requires the return_complex parameter be given for real inputs, and will "
                "further require that return_complex=True in a future PyTorch release.",
                describe(input),
                fix="torch.stft(..., return_complex=True)",
            )
        )
    half = _onesided(onesided, is_complex)
    if align_to_window and n_fft > length:
        border = n_fft - length
        x = pad(x, (border // 2, border - border // 2))
    frames = x.unfold(-1, n_fft, hop)
    if window is None:
        warn(
            "A window was not provided. A rectangular window will be applied,"
            "which is known to cause spectral leakage. Other windows such as torch.hann_window or "
            "torch.hamming_window are recommended to reduce spectral leakage. To suppress this "
            "warning and use a rectangular window, explicitly set "
            "`window=torch.ones(n_fft, device=<device>)`.",
        )
    if window is None and length < n_fft:
        window = _ones(x, length)
    if window is not None:
        frames = frames * _padded(window, n_fft)
    transform = rfft if half else fft
    out: Tensor = transform(frames, norm="ortho" if normalized else None).transpose(-1, -2)
    if return_complex is not False and (return_complex or is_complex):
        return out
    if not is_complex:
        warn(
            "stft with return_complex=False is deprecated. In a future pytorch release, stft will "
            "return complex tensors for all inputs, and return_complex=False will raise an error."
            "\nNote: you can still call torch.view_as_real on the complex output to recover the "
            "old return format.",
        )
    parts: Tensor = FUNCTIONS["view_as_real"](out)
    return parts


def _check_frames(x: Tensor, n_fft: int, hop: int, length: int, window: Tensor | None) -> None:
    """RuntimeError unless frames and window fit the signal."""
    points = x.array.shape[-1] if x.array.ndim else None
    if points is None:
        wrong = "expected a 1D or 2D tensor"
    elif not 0 < n_fft <= points:
        wrong = f"expected 0 < n_fft < {points}, but got n_fft={n_fft}"
    elif hop <= 0:
        wrong = f"expected hop_length > 0, but got hop_length={hop}"
    elif not 0 < length <= n_fft:
        wrong = f"expected 0 < win_length <= n_fft, but got win_length={length}"
    elif window is not None and window.array.shape != (length,):
        wrong = (
            f"expected a 1D window tensor of size equal to win_length={length}, but got window "
            f"with size {list(window.array.shape)}"
        )
    else:
        return
    _refuse("stft", wrong, x)


@partial(called, out=False)
def istft(
    input: Tensor, n_fft: int, hop_length: int | None = None, win_length: int | None = None,
    window: Tensor | None = None, center: bool = True, normalized: bool = False,
    onesided: bool | None = None, length: int | None = None, return_complex: bool = False,
) -> Tensor:  # fmt: skip
    """The signals of which ``input`` (frequencies, frames), or a batch of such, is the stft.

    The arguments are those that were given to ``stft``. ``onesided`` is found from the number of
    frequencies if None. The result has ``length`` points: cut, or zeros follow. It is real unless
    ``return_complex``. Raises RuntimeError where the windows leave a point out.
    """
    hop, win_length = _lengths("istft", n_fft, hop_length, win_length)
    if not input.is_complex():
        raise RuntimeError(
            message(
                "istft requires a complex-valued input tensor matching the output from stft with "
                "return_complex=True.",
                describe(input),
                fix="torch.view_as_complex(x)",
            )
        )
    if window is None:
        warn(
            "A window was not provided. A rectangular window will be applied."
            "Please provide the same window used by stft to make the inversion lossless."
            "To suppress this warning and use a rectangular window, explicitly set "
            "`window=torch.ones(n_fft, device=<device>)`.",
        )
    if input.array.ndim < 2:
        raise IndexError(
            message(
                "istft: expected a tensor (frequencies, frames) or (batch, frequencies, frames)",
                describe(input),
            )
        )
    if input.array.ndim > 3:
        _refuse("istft", "expected a tensor with 2 or 3 dimensions", input)
    if not input.array.size:
        _refuse("istft", "input tensor cannot be empty.", input)
    if onesided is None:
        onesided = input.array.shape[-2] != n_fft
    frequencies = n_fft // 2 + 1 if onesided else n_fft
    if input.array.shape[-2] != frequencies:
        what = "n_fft / 2 + 1 when onesided=True" if onesided else "n_fft when onesided=False"
        _refuse(
            "istft",
            "expected the frequency dimension (3rd to the last) of the input tensor to match "
            f"{what}, but got {input.array.shape[-2]}",
            input,
        )
    if not 0 < hop <= win_length:
        _refuse("istft", "expected 0 < hop_length <= win_length", input)
    if not 0 < win_length <= n_fft:
        _refuse("istft", "expected 0 < win_length <= n_fft", input)
    if window is not None and window.array.shape != (win_length,):
        _refuse(
            "istft", "Invalid window shape. window has to be 1D and length of `win_length`", input
        )
    if return_complex:
        _onesided(onesided, True)  # raises where it is
    elif window is not None and window.is_complex():
        raise RuntimeError(
            message("Complex windows are incompatible with return_complex=False", describe(window))
        )
    w = _padded(_ones(input, win_length) if window is None else window, n_fft)
    x = (input if input.array.ndim == 3 else input.unsqueeze(0)).transpose(-1, -2)
    norm = "ortho" if normalized else None
    frames = (ifft(x, norm=norm) if return_complex else irfft(x, n_fft, norm=norm)) * w
    count = x.array.shape[1]
    total = n_fft + hop * (count - 1)
    start = n_fft // 2 if center else 0
    end = start + length if length is not None else total - start
    y = _overlapped(frames, hop, total)[:, start:end]
    weight = _overlapped((w * w).expand(1, count, n_fft), hop, total)[:, start:end]
    least = np.abs(weight.array).min(initial=np.inf)
    if least < 1e-11:
        raise RuntimeError(
            message(
                f"istft: window overlap add min: {least:g}",
                "no window, or only where it is 0, covers one of the points",
                fix="center=True, a smaller hop_length, or another window",
            )
        )
    y = y / weight
    if end > total:
        warn(
            "The length of signal is shorter than the length parameter. Result is being padded "
            "with zeros in the tail. Please check your center and hop_length settings.",
        )
        y = pad(y, (0, end - total))
    return y if input.array.ndim == 3 else owned(y.squeeze(0))


def _lengths(name: str, n_fft: int, hop: int | None, win: int | None) -> tuple[int, int]:
    if not isinstance(n_fft, int) or isinstance(n_fft, bool):
        raise TypeError(
            message(f"{name}(): argument 'n_fft' must be int, not {type(n_fft).__name__}")
        )
    return n_fft // 4 if hop is None else hop, n_fft if win is None else win


def _refuse(name: str, what: str, x: Tensor) -> None:
    raise RuntimeError(message(f"{name}: {what}", describe(x)))


def _onesided(onesided: bool | None, is_complex: bool) -> bool:
    if onesided and is_complex:
        raise RuntimeError(
            message(
                "Cannot have onesided output if window or input is complex",
                fix="onesided=False",
            )
        )
    return not is_complex if onesided is None else onesided


def _ones(like: Tensor, n: int) -> Tensor:
    d = dtypes.FROM_NUMPY[dtypes.real_type(like.array.dtype)]
    return like.new_ones((n,), dtype=d)


def _padded(window: Tensor, n: int) -> Tensor:
    """The window in the middle of ``n`` points."""
    missing = n - window.array.shape[0]
    left = missing // 2
    return pad(window, (left, missing - left)) if missing else window


def _overlapped(frames: Tensor, hop: int, total: int) -> Tensor:
    """Frames (batch, frames, points) added up where they lie in the signal."""
    batch, count, n = frames.array.shape
    place = (np.arange(count)[:, None] * hop + np.arange(n)).ravel()
    index = constant(place, frames.node.dev.of(place.dtype))
    return frames.new_zeros((batch, total)).index_add(1, index, frames.reshape(batch, -1))
