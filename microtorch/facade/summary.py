"""A model as a table: each layer with the shape of its output, its parameters, multiply-adds.

    print(microtorch.summary(model, (1, 1, 28, 28)))

The layers are those that were called, in the order of the calls (nn/calls.py).
``viz.summary`` draws the same as a picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..nn.calls import Call, Shapes, run
from ..nn.module import Module

if TYPE_CHECKING:
    from ..base.types import Argument, DTypeLike

__all__ = ["Summary", "summary"]


class Summary:
    """The rows and totals of a table; `str()` writes it, and a notebook shows it.

    `total_params`, `trainable_params`, `multiply_adds` (numbers of), `param_bytes`,
    `output_bytes` (of all layers that call no others: what a training step keeps at least).
    """

    def __init__(self, model: Module, rows: list[Call], input_bytes: int, depth: int) -> None:
        self.rows, self.depth, self.input_bytes = rows, depth, input_bytes
        parameters = list(model.parameters())
        self.total_params = sum(p.numel() for p in parameters)
        self.trainable_params = sum(p.numel() for p in parameters if p.requires_grad)
        self.param_bytes = sum(t.nbytes for t in [*parameters, *model.buffers()])
        self.output_bytes = sum(row.bytes for row in rows if row.leaf)
        self.multiply_adds = round(rows[0].multiply_adds) if rows else 0

    def __str__(self) -> str:
        cells = [("Layer (type: name)", "Output shape", "Parameters", "Multiply-adds")]
        for row in self.rows:
            if row.depth > self.depth:
                continue
            deepest = row.leaf or row.depth == self.depth
            inside = row.parameters if deepest else row.own
            number = "(again)" if not row.first else f"{inside:,}" if inside else "-"
            sign = "" if row.depth == 0 else "   " * (row.depth - 1) + "└─ "
            label = f"{row.kind}: {row.name}" if row.name else row.kind
            shape = "-" if row.shape is None else str(list(row.shape))
            products = f"{row.multiply_adds:,.0f}" if deepest and row.multiply_adds else "-"
            cells.append((sign + label, shape, number, products))
        widths = [max(len(line[i]) for line in cells) + 2 for i in range(4)]
        rule = "─" * sum(widths)
        lines = [
            a.ljust(widths[0]) + b.ljust(widths[1]) + c.rjust(widths[2]) + d.rjust(widths[3])
            for a, b, c, d in cells
        ]
        fixed = self.total_params - self.trainable_params
        totals = [
            f"parameters     {self.total_params:,} ({self.trainable_params:,} trainable, "
            f"{fixed:,} not)",
            f"multiply-adds  {_short(self.multiply_adds, 1000, '')}",
            f"memory         input {_short(self.input_bytes)}, parameters and buffers "
            f"{_short(self.param_bytes)}, outputs of layers {_short(self.output_bytes)}",
        ]
        return "\n".join([lines[0], rule, *lines[1:], rule, *totals])

    __repr__ = __str__


def _short(n: float, step: int = 1024, unit: str = "B") -> str:
    """A number with three digits and k, M or G."""
    for prefix in ("", "k", "M", "G"):
        if n < step or prefix == "G":
            break
        n /= step
    return f"{n:.3g} {prefix}{unit}".rstrip() if prefix or unit else f"{n:.0f}"


def summary(
    model: Module,
    input_size: Shapes | None = None,
    input_data: Argument = None,
    *,
    dtypes: Sequence[DTypeLike] | None = None,
    depth: int = 3,
    **kwargs: Argument,
) -> Summary:
    """Run `model` once and describe its layers; `print` the result.

    `input_size` is the shape of the input with its batch dimension, (1, 3, 32, 32), or a list of
    shapes if there are several inputs; `dtypes` then are their dtypes, float32 if not given
    (numbers of whole dtypes are 0). Or `input_data` is the input: a tensor, or a list or tuple of
    arguments. `kwargs` are passed on to forward. Layers nested deeper than `depth` are counted
    with the layer that they belong to.
    """
    calls, inputs, _ = run(model, input_size, input_data, dtypes, kwargs)
    return Summary(model, calls, sum(t.nbytes for t in inputs), depth)
