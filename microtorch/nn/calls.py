"""The calls of modules in one run of a model: in which order, what came out, how many products.

The model runs once, in evaluation mode, on the given input or on random numbers, which leave the
generator as it was. Everything is read from that run and from its graph, whatever the program is
that calls the layers. Multiply-adds are those of products and convolutions, also those that no
layer makes; additions, activations and normalisations are not counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from .. import graph
from ..arrays.dtypes import float32
from ..autograd import enable_grad
from ..base.errors import describe, message
from ..create.filled import zeros
from ..create.random import get_rng_state, set_rng_state
from ..handles.tensor import Tensor
from ..ops.costs import multiply_adds
from ..ops.surface import FUNCTIONS
from .layers.rnn import GRU, LSTM, RNN
from .modes import modes_kept
from .module import Module

if TYPE_CHECKING:
    from ..base.types import Argument, DTypeLike
    from ..graph import Node, Scope

Shapes = Sequence[int] | Sequence[Sequence[int]]


class Call:
    """One call of a module."""

    def __init__(
        self, module: Module, path: str, depth: int, first: bool, scope: Scope | None
    ) -> None:
        self.module, self.path, self.depth = module, path, depth
        self.name = path.rpartition(".")[2]
        self.first = first  # is it the module's first call? Parameters are counted once
        self.scope = scope  # that of the nodes which it makes
        self.begun = graph.tick()  # on the clock of the graph
        self.received: list[Node] = []  # what it was called with
        self.made: list[Node] = []  # what came out
        self.kind = type(module).__name__
        self.own = sum(p.numel() for p in module._parameters.values() if p is not None)
        self.parameters = sum(p.numel() for p in module.parameters())
        self.shape: tuple[int, ...] | None = None
        self.bytes = 0
        self.multiply_adds = 0.0
        self.leaf = True  # did it call no other module?


class Run(NamedTuple):
    """``calls``: in the order in which they began; the model's own is the first."""

    calls: list[Call]
    inputs: list[Tensor]
    outputs: list[Tensor]


def run(
    model: Module,
    input_size: Shapes | None = None,
    input_data: Argument = None,
    dtypes: Sequence[DTypeLike] | None = None,
    named: dict[str, Argument] | None = None,
) -> Run:
    """Run ``model`` once and watch its calls; afterwards it is as it was.

    ``input_size``: the shape of the input, or a list of shapes; ``dtypes`` then are their dtypes.
    Or ``input_data``: a tensor, or a list or tuple of arguments. ``named``: passed on to forward.
    Raises ValueError where neither or both are given.
    """
    if (input_size is None) == (input_data is None) and not (input_size is None and named):
        raise ValueError(
            message(
                "summary() needs either input_size or input_data",
                fix="summary(model, (1, 3, 32, 32)): the shape with the batch dimension",
            )
        )
    calls: list[Call] = []
    state = get_rng_state()
    try:
        given = _given(input_data) if input_size is None else _made(model, input_size, dtypes)
        with _watched(model, calls), enable_grad():
            args = tuple([_recorded(a) for a in given])
            output = model(*args, **named or {})
    finally:
        set_rng_state(state)
    outputs = _tensors(output)
    _count_products([*(t.node for t in outputs), *(n for c in calls for n in c.made)], calls)
    inputs = [a for a in (*args, *(named or {}).values()) if isinstance(a, Tensor)]
    return Run(calls, inputs, outputs)


def _given(data: Argument) -> tuple[Argument, ...]:
    if data is None:
        return ()
    return tuple(data) if isinstance(data, (list, tuple)) else (data,)


def _made(
    model: Module, input_size: Shapes, dtypes: Sequence[DTypeLike] | None
) -> tuple[Tensor, ...]:
    """Inputs of the given shapes, where the model's parameters lie."""
    sizes: Argument = input_size
    if isinstance(sizes, (int, Tensor)):
        what = f"summary(): input_size is a shape, but got {describe(sizes)}"
        raise TypeError(message(what, fix="(1, 3, 32, 32), or input_data=x"))
    flat = all(isinstance(n, int) for n in sizes)
    shapes = [tuple(sizes)] if flat else [tuple(size) for size in sizes]
    kinds = list(dtypes) if dtypes is not None else [float32] * len(shapes)
    if len(kinds) != len(shapes):
        raise ValueError(message(f"summary(): {len(shapes)} inputs, but {len(kinds)} dtypes"))
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
def _watched(model: Module, rows: list[Call]) -> Iterator[None]:
    """In the block each call of a module of `model` adds one. Afterwards all is as before."""
    names = {module: path for path, module in model.named_modules()}
    open_rows: list[Call] = []
    seen: set[Module] = set()
    handles = []
    frozen = [p for p in model.parameters() if not p.requires_grad and p.is_floating_point()]

    def begin(module: Module, args: Argument) -> None:
        scope = graph.mode.get().scope
        row = Call(module, names[module], len(open_rows), module not in seen, scope)
        row.received = [t.node for t in _tensors(args)]
        seen.add(module)
        if open_rows:
            open_rows[-1].leaf = False
        open_rows.append(row)
        rows.append(row)

    def end(module: Module, args: Argument, output: Argument) -> Argument:
        row = open_rows.pop()
        tensors = _tensors(output)
        row.bytes = sum(t.nbytes for t in tensors)
        row.shape = tuple(tensors[0].shape) if tensors else None
        if isinstance(module, (RNN, LSTM, GRU)) and args and isinstance(args[0], Tensor):
            steps = math.prod(args[0].shape[:-1])
            row.multiply_adds = float(steps) * sum(
                p.numel() for p in module.parameters() if p.ndim == 2
            )
        if isinstance(output, Tensor) and output.node.seq < row.begun:  # as a Dropout does here
            output = output.view(output.shape)  # so that it stands in the graph
            tensors = [output]
        row.made = [t.node for t in tensors]
        return output

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


def _count_products(todo: list[Node], rows: list[Call]) -> None:
    """Add the multiply-adds of each node to the modules in whose calls it was made."""
    calls: dict[Module, list[Call]] = {}
    for row in rows:
        calls.setdefault(row.module, []).append(row)
    recurrent = {row.module: row.multiply_adds for row in rows if row.multiply_adds}
    seen: set[Node] = set()
    while todo:
        node = todo.pop()
        if node in seen:
            continue
        seen.add(node)
        todo += node.inputs
        n = products(node)
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


def _around(row: Call, rows: list[Call]) -> Iterator[Call]:
    """The rows of the calls that this call is in."""
    depth = row.depth
    for other in reversed(rows[: rows.index(row)]):
        if other.depth < depth:
            depth = other.depth
            yield other


def products(node: Node) -> int:
    """Multiply-adds of one node."""
    if node.op is None:
        return 0
    equation = (node.attrs or {}).get("equation", "")
    return multiply_adds(node.op.name, node.shape, [x.shape for x in node.inputs], equation)
