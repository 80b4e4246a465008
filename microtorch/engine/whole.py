"""Parts of the library that compute with Python's numbers, or by numpy's functions, between.

The place of a maximum in a window, a bag's rows, a sample by rejection: each is a function of a few
arrays, and inside it loops and chooses as it likes. What stands for it in a recording (static/) is
one step, which every run of the program calls again.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..base.types import Operand

    Writer = Callable[[str, Callable[..., Any], tuple[Operand, ...], dict[str, Operand]], Any]

writers: list[Writer] = []  # that write such calls down; the last one does it


def whole(name: str, function: Callable[..., Any], *operands: Operand, **attrs: Operand) -> Any:
    """``function(*operands, **attrs)``, a part of the library that is one step when recorded.

    ``operands`` are Tensors, or None, or sequences of them; ``function`` is then given others on
    the same memory, without a graph. It returns a Tensor without a graph, a tuple of such, or None,
    in memory of its own; what it writes to, the caller dates (``utils.kernels.overwritten``).
    ``attrs`` are compared, and are not read from a Tensor's elements.
    """
    if not writers:
        return function(*operands, **attrs)
    return writers[-1](name, function, operands, attrs)
