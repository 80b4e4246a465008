"""PyTorch's torch.nn.modules.utils: one number for all dimensions or one for each; and a prefix."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


def _ntuple(n: int, name: str = "parse") -> Callable[[object], tuple[object, ...]]:
    """A function that makes n of one value, and a tuple of several."""

    def parse(x: object) -> tuple[object, ...]:
        return tuple(x) if isinstance(x, Iterable) else (x,) * n

    parse.__name__ = name
    return parse


_single, _pair = _ntuple(1, "_single"), _ntuple(2, "_pair")
_triple, _quadruple = _ntuple(3, "_triple"), _ntuple(4, "_quadruple")


def _reverse_repeat_tuple(t: Iterable[object], n: int) -> tuple[object, ...]:
    """(a, b) as (b, b, a, a) for n = 2: what functional.pad takes."""
    return tuple(x for x in reversed(tuple(t)) for _ in range(n))


def consume_prefix_in_state_dict_if_present(state_dict: dict[str, Any], prefix: str) -> None:
    """Take `prefix` off the names of a state dict, in place, also of what it says of versions.

    So the state of a DataParallel's module, whose names begin with "module.", fits the module.
    """
    for name in [name for name in state_dict if name.startswith(prefix)]:
        state_dict[name.removeprefix(prefix)] = state_dict.pop(name)
    versions = getattr(state_dict, "_metadata", {})
    for name in [name for name in versions if f"{name}.".startswith(prefix)]:
        versions[name[len(prefix) :]] = versions.pop(name)
