"""What guards hold: slots, absent names and gradients as containers, and what cannot be watched."""
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..base.types import Operand
    from ..engine.handle import Handle
    from ..graph import Node

# built-in functions, and an attribute, that read what no guard sees
UNSEEN = {
    "globals": "which gives names that are not in its text",
    "eval": "which runs a text", "exec": "which runs a text", "open": "which reads a file",
    "input": "which reads what is typed",
    "_version": "a count that every write changes",
    **dict.fromkeys(
        ("initial_seed", "get_rng_state", "get_num_threads", "get_float32_matmul_precision",
         "are_deterministic_algorithms_enabled", "get_deterministic_debug_mode",
         "is_deterministic_algorithms_warn_only_enabled", "geterr", "geterrcall",
         "flash_sdp_enabled", "mem_efficient_sdp_enabled", "math_sdp_enabled", "cudnn_sdp_enabled"),
        "which reads a setting of the library",
    ),
    **dict.fromkeys(
        ("set_printoptions", "set_num_threads", "use_deterministic_algorithms",
         "set_deterministic_debug_mode", "set_float32_matmul_precision", "set_autocast_dtype",
         "set_autocast_cpu_dtype", "set_autocast_cache_enabled", "set_default_device"),
        "which changes a setting of the library",
    ),
    "isenabled": "which asks of Python's collector, that rests while a call is recorded",
    **dict.fromkeys(("_getframe", "currentframe"), "which reads who calls"),
    "import_module": "which gives modules that are not in its text",
    "__import__": "which gives modules that are not in its text",
}  # fmt: skip


class Slots:
    """The slots of an object, by name."""

    def __init__(self, x: Operand, names: tuple[str, ...]):
        self.x, self.names = x, names

    def __getitem__(self, name: str) -> Operand:
        return getattr(self.x, name, None)


class Has:
    """Does a dict have a key, by key?"""

    def __init__(self, x: Mapping[str, Operand]):
        self.x = x

    def __getitem__(self, key: str) -> bool:
        return key in self.x


class About:
    """A tensor that no step reads: its gradient may appear, and with it an optimizer's work; or a
    hook, which counts later."""

    __slots__ = ("tensor",)

    def __init__(self, tensor: Handle):
        self.tensor = tensor

    def __getitem__(self, key: Operand) -> int:
        node = self.tensor.node
        return (node.grad is not None) + 2 * node.needs + 4 * hooked(node)


def hooked(node: Node) -> int:
    """How many hooks of the user's a tensor has; that its gradient is kept counts as one."""
    h = node.hooks
    if h is None:
        return 0
    return sum(map(len, (h.tensor, h.pre, h.post, h.accumulated))) + h.retain


class TooMuch(Exception):
    """The function can reach more Python values than may be watched at each call."""


class Unwatchable(Exception):
    """The function can reach something whose state cannot be compared."""


class Unnamed(Unwatchable):
    """It reads what its text does not name. A trace, as PyTorch's, holds what that was."""
