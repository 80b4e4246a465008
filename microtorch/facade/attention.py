"""``torch.nn.attention``: the choice of a kernel, remembered; attention is computed in one way."""
from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..base.errors import message
from ..nn import MultiheadAttention  # old files name these two here
from ..nn.layers.linear import NonDynamicallyQuantizableLinear
from .cuda_backend import _kernels

__all__ = ["MultiheadAttention", "NonDynamicallyQuantizableLinear", "SDPBackend", "sdpa_kernel"]


class SDPBackend(enum.Enum):
    """What PyTorch can compute ``scaled_dot_product_attention`` with."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


_NAMES = {
    SDPBackend.MATH: "math",
    SDPBackend.FLASH_ATTENTION: "flash",
    SDPBackend.EFFICIENT_ATTENTION: "mem_efficient",
    SDPBackend.CUDNN_ATTENTION: "cudnn",
}


@contextmanager
def sdpa_kernel(
    backends: Sequence[SDPBackend] | SDPBackend, set_priority: bool = False
) -> Iterator[None]:
    """In the block, ``torch.backends.cuda.flash_sdp_enabled()`` and its like answer as chosen.

    AssertionError for anything but SDPBackends.
    """
    chosen = [backends] if isinstance(backends, SDPBackend) else backends
    if not isinstance(chosen, (list, tuple)) or not all(isinstance(b, SDPBackend) for b in chosen):
        raise AssertionError(
            message(
                "Backend must be an instance of SDPBackend or a list of SDPBackend instances",
                f"backends={backends!r}",
            )
        )
    before = dict(_kernels)
    _kernels.update({name: backend in chosen for backend, name in _NAMES.items()})
    try:
        yield
    finally:
        _kernels.update(before)
