"""One number for all dimensions, or one for each: PyTorch's torch.nn.modules.utils."""

from __future__ import annotations

from collections.abc import Callable, Iterable


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
