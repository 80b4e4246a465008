"""``torch.utils.flop_counter``: how many additions and multiplications a run takes, by module.

    with FlopCounterMode() as counter:
        model(x).sum().backward()      # prints a table at the end
    counter.get_total_flops()

Counted are products of matrices and convolutions (ops/costs.py), two operations for each pair of
numbers, forward and backward, wherever they are computed on the CPU: in recurrent layers and in
attention as well. What PyTorch computes there by kernels of its own, and products with vectors, it
does not count.
"""
from __future__ import annotations

import weakref
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from ..base.columns import table
from ..base.errors import missing
from ..nn import global_hooks
from ..ops.costs import multiply_adds
from ..static.clock import Timed, clock

if TYPE_CHECKING:
    from ..base.types import Argument
    from ..graph import RemovableHandle
    from ..nn.module import Module

__all__ = ["FlopCounterMode"]

GLOBAL = "Global"


class FlopCounterMode:
    """Counts what runs inside the block.

    ``depth``: how many levels of modules the table shows; ``display``: print it at the end.
    ``mods`` is accepted: modules are found as they are called.
    """

    def __init__(
        self,
        mods: Argument = None,
        depth: int = 2,
        display: bool = True,
        custom_mapping: Argument = None,
    ) -> None:
        self.depth, self.display = depth, display
        self._reset()
        self._handles: list[RemovableHandle] = []

    def _reset(self) -> None:
        self._counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._inside: list[str] = []  # the modules that run, by their paths
        self._paths: dict[Module, str] = {}
        # the modules in which a result was computed, by the array's id: its derivative is theirs
        self._makers: dict[int, tuple[str, ...]] = {}

    def __enter__(self) -> FlopCounterMode:
        self._reset()
        self._handles = [
            global_hooks.register_module_forward_pre_hook(self._begin),
            global_hooks.register_module_forward_hook(self._end, always_call=True),
        ]
        clock.start(self._count)
        return self

    def __exit__(self, *error: object) -> None:
        clock.stop(self._count)
        for handle in self._handles:
            handle.remove()
        if self.display:
            print(self.get_table())

    # ---- while it runs ---------------------------------------------------------------------------
    def _begin(self, module: Module, args: Argument) -> None:
        if not self._inside:
            root = type(module).__name__
            for name, inner in module.named_modules():
                self._paths[inner] = f"{root}.{name}" if name else root
        unknown = f"{self._inside[-1]}.{type(module).__name__}" if self._inside else ""
        self._inside.append(self._paths.get(module, unknown))

    def _end(self, module: Module, args: Argument, output: Argument) -> None:
        self._inside.pop()

    def _count(self, timed: Timed) -> None:
        made, inside = timed.made, tuple(self._inside)
        if timed.kind in ("vjp", "vjps"):
            _, out, *operands = timed.arguments
            inside, result = self._makers.get(id(out), ()), np.shape(out)
        else:
            operands, result = list(timed.arguments), np.shape(made)
            if inside and isinstance(made, np.ndarray):
                self._makers[id(made)] = inside
                weakref.finalize(made, self._makers.pop, id(made), None).atexit = False
        shapes = [x.shape for x in operands if isinstance(x, np.ndarray)]
        if shapes:
            equation = timed.attrs.get("equation", "")
            flops = 2 * _times(timed) * multiply_adds(timed.op, result, shapes, equation)
            for path in dict.fromkeys((GLOBAL, *inside)) if flops else ():
                self._counts[path][timed.title] += flops

    # ---- what was counted ------------------------------------------------------------------------
    def get_total_flops(self) -> int:
        """All of them."""
        return sum(self._counts[GLOBAL].values())

    def get_flop_counts(self) -> dict[str, dict[str, int]]:
        """By path of a module ("Net.layer.0"; "Global": all) and by op ("linear backward")."""
        return {path: dict(counts) for path, counts in self._counts.items() if counts}

    def get_table(self, depth: int | None = None) -> str:
        """The counts as a table, modules down to ``depth``, else the counter's."""
        depth = self.depth if depth is None else depth
        total = self.get_total_flops()
        rows = [("Module", "FLOP", "% Total")]
        paths = [path for path in self._counts if path != GLOBAL and path.count(".") < depth]
        outermost = [path for path in paths if "." not in path]
        if sum(sum(self._counts[path].values()) for path in outermost) != total or not outermost:
            rows += _rows(GLOBAL, self._counts[GLOBAL], total)
        places = {path: i for i, path in enumerate(self._paths.values())}
        for path in sorted(paths, key=lambda path: places.get(path, len(places))):
            rows += _rows(path, self._counts[path], total)
        return table(rows)


def _times(timed: Timed) -> int:
    """How often the op's own products are multiplied: a bias has no part in them."""
    if timed.kind == "vjps":
        return sum(derivative is not None for derivative in timed.made[:2])
    return 1 if timed.by is None or timed.by < 2 or timed.op == "einsum" else 0


def _rows(path: str, counts: dict[str, int], total: int) -> list[tuple[str, str, str]]:
    found = [(path, sum(counts.values())), *((f" - {op}", n) for op, n in counts.items())]
    return [(name, _short(n), f"{100 * n / max(total, 1):.2f}%") for name, n in found]


def _short(n: int) -> str:
    for unit, size in (("T", 10**12), ("B", 10**9), ("M", 10**6), ("K", 10**3)):
        if n >= size:
            return f"{n / size:.3f}{unit}"
    return str(n)


__getattr__ = missing("torch.utils.flop_counter", __all__)
