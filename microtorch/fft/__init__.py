"""``torch.fft``: discrete Fourier transforms, computed by numpy.fft, with derivatives.

- ``transforms``   fft, rfft, hfft, their inverses, and those of several dimensions
- ``grids``        the frequencies that belong to the results, and their order
- ``short_time``   stft and istft, which PyTorch has in ``torch``

All are made of the three ops of ops/fourier.py.
"""
from __future__ import annotations

from ..base.errors import missing
from ..engine.calling import reading
from .grids import fftfreq, fftshift, ifftshift, rfftfreq
from .transforms import (
    fft,
    fft2,
    fftn,
    hfft,
    hfft2,
    hfftn,
    ifft,
    ifft2,
    ifftn,
    ihfft,
    ihfft2,
    ihfftn,
    irfft,
    irfft2,
    irfftn,
    rfft,
    rfft2,
    rfftn,
)

__all__ = [
    "fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "hfft2", "hfftn", "ifft", "ifft2",
    "ifftn", "ifftshift", "ihfft", "ihfft2", "ihfftn", "irfft", "irfft2", "irfftn", "rfft",
    "rfft2", "rfftfreq", "rfftn",
]  # fmt: skip

fftshift, ifftshift = reading(fftshift, out=False), reading(ifftshift, out=False)
__getattr__ = missing(__name__, __all__)
