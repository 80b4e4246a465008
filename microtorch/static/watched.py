"""What guards hold: slots, absent names and gradients as containers, and what cannot be watched."""
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..base.types import Operand
    from ..engine.handle import Handle

# built-in functions, and an attribute, that read what no guard sees
UNSEEN = {
    "globals": "which gives names that are not in its text",
    "eval": "which runs a text", "exec": "which runs a text", "open": "which reads a file",
    "input": "which reads what is typed",
    "_version": "a count that every write changes",
    **dict.fromkeys(
        ("initial_seed", "get_rng_state", "get_num_threads", "get_float32_matmul_precision",
         "are_deterministic_algorithms_enabled"), "which reads a setting of the library",
    ),
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
    """A tensor that no step reads: its gradient may appear, and with it an optimizer's work."""

    __slots__ = ("tensor",)

    def __init__(self, tensor: Handle):
        self.tensor = tensor

    def __getitem__(self, key: Operand) -> int:
        node = self.tensor.node
        return (node.grad is not None) + 2 * node.needs


class TooMuch(Exception):
    """The function can reach more Python values than may be watched at each call."""


class Unwatchable(Exception):
    """The function can reach something whose state cannot be compared."""
