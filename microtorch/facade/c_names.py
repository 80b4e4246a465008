"""`torch._C`: what libraries beside PyTorch call of its compiled part, and no more.

torchmetrics reports there which of its classes are made. Programs of before torch.linalg had its
LinAlgError catch it under its name there.
"""

from __future__ import annotations

from ..linalg import LinAlgError as _LinAlgError  # noqa: F401


def _log_api_usage_once(event: str) -> None:
    """Counts uses inside of PyTorch's owner; here, as in PyTorch elsewhere, nobody is told."""
