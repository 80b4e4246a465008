"""A model as a table: each layer with the shape of its output, its parameters, multiply-adds.

    print(microtorch.summary(model, (1, 1, 28, 28)))

The model runs once, in evaluation mode, on random numbers that leave the generator as it was. The
layers are those that were called, in the order of the calls, whatever the program is that calls
them. Multiply-adds are read from the graph of this run: products and convolutions, also those that
no layer makes. Additions, activations and normalisations are not counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..arrays.dtypes import float32
from ..autograd import enable_grad
from ..base.errors import message
from ..create.filled import zeros
from ..create.random import get_rng_state, set_rng_state
from ..handles.tensor import Tensor
from ..nn.layers.rnn import GRU, LSTM, RNN
from ..nn.modes import modes_kept
from ..nn.module import Module
from ..ops.surface import FUNCTIONS

if TYPE_CHECKING:
    from ..base.types import Argument, DTypeLike
    from ..graph import Node

__all__ = ["Summary", "summary"]

Shapes = Sequence[int] | Sequence[Sequence[int]]


class Row:
    """One call of a module."""

    def __init__(self, module: Module, name: str, depth: int, first: bool) -> None:
        self.module, self.name, self.depth = module, name, depth
        self.first = first  # is it the module's first call? Parameters are counted once
        self.kind = type(module).__name__
        self.own = sum(p.numel() for p in module._parameters.values() if p is not None)
        self.parameters = sum(p.numel() for p in module.parameters())
        self.shape: tuple[int, ...] | None = None
        self.bytes = 0
        self.multiply_adds = 0.0
        self.leaf = True  # did it call no other module?


class Summary:
    """The rows and totals of a table; `str()` writes it, and a notebook shows it.

    `total_params`, `trainable_params`, `multiply_adds` (numbers of), `param_bytes`,
    `output_bytes` (of all layers that call no others: what a training step keeps at least).
    """

    def __init__(self, model: Module, rows: list[Row], input_bytes: int, depth: int) -> None:
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
    if (input_size is None) == (input_data is None) and not (input_size is None and kwargs):
        raise ValueError(
            message(
                "summary() needs either input_size or input_data",
                fix="summary(model, (1, 3, 32, 32)): the shape with the batch dimension",
            )
        )
    rows: list[Row] = []
    state = get_rng_state()
    try:
        given = _given(input_data) if input_size is None else _made(model, input_size, dtypes)
        with _watched(model, rows), enable_grad():
            args = tuple([_recorded(a) for a in given])
            output = model(*args, **kwargs)
    finally:
        set_rng_state(state)
    _count_products(_tensors(output), rows)
    inputs = [a for a in (*args, *kwargs.values()) if isinstance(a, Tensor)]
    return Summary(model, rows, sum(t.nbytes for t in inputs), depth)


def _given(data: Argument) -> tuple[Argument, ...]:
    if data is None:
        return ()
    return tuple(data) if isinstance(data, (list, tuple)) else (data,)


def _made(
    model: Module, input_size: Shapes, dtypes: Sequence[DTypeLike] | None
) -> tuple[Tensor, ...]:
    """Inputs of the given shapes, where the model's parameters lie."""
    sizes: Argument = input_size
    flat = all(isinstance(n, int) for n in sizes)
    shapes = [tuple(sizes)] if flat else [tuple(size) for size in sizes]
    kinds = list(dtypes) if dtypes is not None else [float32] * len(shapes)
    if len(kinds) != len(shapes):
        raise ValueError(f"summary(): {len(shapes)} inputs, but {len(kinds)} dtypes")
    device = next((p.device for p in model.parameters()), None)
    out = []
    for shape, dtype in zip(shapes, kinds, strict=True):
        x = zeros(shape, dtype=dtype, device=device)
        if x.is_floating_point():
            x = FUNCTIONS["rand"](shape, device=device).to(dtype)
        out.append(x)
    return tuple(out)


def _recorded(x: Argument) -> Argument:
    """The input, such that all that is computed from it is recorded."""
    if isinstance(x, Tensor) and x.is_floating_point():
        return x.detach().requires_grad_()
    return x


@contextmanager
def _watched(model: Module, rows: list[Row]) -> Iterator[None]:
    """In the block each call of a module of `model` adds a row. Afterwards all is as before."""
    names = {module: path for path, module in model.named_modules()}
    open_rows: list[Row] = []
    seen: set[Module] = set()
    handles = []
    frozen = [p for p in model.parameters() if not p.requires_grad and p.is_floating_point()]

    def begin(module: Module, args: Argument) -> None:
        row = Row(module, names[module].rpartition(".")[2], len(open_rows), module not in seen)
        seen.add(module)
        if open_rows:
            open_rows[-1].leaf = False
        open_rows.append(row)
        rows.append(row)

    def end(module: Module, args: Argument, output: Argument) -> None:
        row = open_rows.pop()
        tensors = _tensors(output)
        row.bytes = sum(t.nbytes for t in tensors)
        row.shape = tuple(tensors[0].shape) if tensors else None
        if isinstance(module, (RNN, LSTM, GRU)) and args and isinstance(args[0], Tensor):
            steps = math.prod(args[0].shape[:-1])
            row.multiply_adds = float(steps) * sum(
                p.numel() for p in module.parameters() if p.ndim == 2
            )

    with modes_kept(model):
        try:
            model.eval()
            for p in frozen:
                p.requires_grad_()
            for module in names:
                handles.append(module.register_forward_pre_hook(begin, prepend=True))
                handles.append(module.register_forward_hook(end))
            yield
        finally:
            for handle in handles:
                handle.remove()
            for p in frozen:
                p.requires_grad_(False)


def _tensors(value: Argument) -> list[Tensor]:
    """The tensors in a nest of lists, tuples and dicts."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [t for item in value for t in _tensors(item)]
    return []


def _count_products(outputs: list[Tensor], rows: list[Row]) -> None:
    """Add the multiply-adds of each node to the modules in whose calls it was made."""
    calls: dict[Module, list[Row]] = {}
    for row in rows:
        calls.setdefault(row.module, []).append(row)
    recurrent = {row.module: row.multiply_adds for row in rows if row.multiply_adds}
    todo, seen = [t.node for t in outputs], set()
    while todo:
        node = todo.pop()
        if node in seen:
            continue
        seen.add(node)
        todo += node.inputs
        n = _products(node)
        if not n:
            continue
        inside = [scope.module() for scope in node.scope.path()] if node.scope else []
        if any(module in recurrent for module in inside):
            continue  # counted by their weights: a fused layer is one node
        for module in inside:
            for row in calls.get(module, ()):
                row.multiply_adds += n / len(calls[module])
        if rows and rows[0].module not in inside:
            rows[0].multiply_adds += n
    for row in rows:
        if row.module in recurrent:
            for outer in _around(row, rows):
                outer.multiply_adds += row.multiply_adds


def _around(row: Row, rows: list[Row]) -> Iterator[Row]:
    """The rows of the calls that this call is in."""
    depth = row.depth
    for other in reversed(rows[: rows.index(row)]):
        if other.depth < depth:
            depth = other.depth
            yield other


def _products(node: Node) -> int:
    """Multiply-adds of one node."""
    if node.op is None:
        return 0
    shapes = [x.shape for x in node.inputs]
    size = math.prod(node.shape)
    name = node.op.name
    if name in ("linear", "matmul"):
        return size * shapes[0][-1]
    if name.startswith("conv_transpose"):
        return math.prod(shapes[0]) * math.prod(shapes[1][1:])
    if name.startswith("conv"):
        return size * math.prod(shapes[1][1:])
    return 0
