"""A model as its layers: what a poster of the architecture shows.

The model runs once (nn/calls.py). Each call of a module is a ``Layer`` within the layer that called
it; so is what a ``forward`` does between them (a sum, a concatenation). What flows from layer to
layer is read from the graph. Equal neighbours are folded, and small steps in a row, a
normalisation and its activation, are one layer of two words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from microtorch import nn
from microtorch.base import errors
from microtorch.base.types import Argument, DTypeLike
from microtorch.graph import Node, in_order
from microtorch.nn.calls import Call, Run, products, run
from microtorch.nn.calls import Shapes as Shapes

from .modules import spelled
from .take import public

WHOLE = (nn.RNN, nn.LSTM, nn.GRU, nn.MultiheadAttention)  # whose inside is not the user's


@dataclass(eq=False)
class Layer:
    """``words``: what it does, in parts; ``times``: how often it is repeated, one after the other.

    ``parameters`` and ``multiply_adds`` are those of all its repetitions. ``shared``: its
    parameters are those of an earlier layer, and counted there.
    """

    name: str
    words: list[str]
    shape: tuple[int, ...] | None = None
    parameters: int = 0
    multiply_adds: float = 0.0
    kind: str = "function"  # "module", "function", "input", "output", or "repeat" (of several)
    shared: bool = False
    size: int = 0  # parameters of one repetition, also where they are shared
    times: int = 1
    inside: list[Layer] = field(default_factory=list)
    instead: Layer | None = None  # the equal layer that is shown in its place

    def shown(self) -> Layer:
        layer = self
        while layer.instead is not None:
            layer = layer.instead
        return layer

    def leaves(self) -> Iterator[Layer]:
        """The innermost layers, in the order of the program."""
        if not self.inside:
            yield self
        for layer in self.inside:
            yield from layer.leaves()

    @property
    def small(self) -> bool:
        """A step that is told in one word beside others: without products, and few parameters."""
        plain = not self.multiply_adds and self.kind in ("module", "function") and not self.inside
        return plain and (not self.size or "Norm" in self.words[0])


Flow = set[tuple[Layer, Layer]]  # from which innermost layer to which


@dataclass
class Model:
    """``layers``: input, the model's own layers, output. ``flow``: between the innermost ones."""

    name: str
    layers: list[Layer]
    flow: Flow
    total_params: int = 0
    multiply_adds: int = 0

    def leaves(self) -> list[Layer]:
        return [leaf for layer in self.layers for leaf in layer.leaves()]


def layers_of(
    model: object,
    input_size: Shapes | None,
    input_data: Argument,
    dtypes: Sequence[DTypeLike] | None,
    named: dict[str, Argument],
    depth: int | None,
    fits: Callable[[Model], bool],
) -> Model:
    """The layers of ``model``, which is run once; the other arguments are those of ``summary``.

    ``depth``: None for the deepest that ``fits``. Raises TypeError for what is no module.
    """
    if not isinstance(model, nn.Module):
        what = f"summary() takes a module, but got {type(model).__name__}"
        raise TypeError(errors.message(what, fix="viz.summary(model, (1, 3, 32, 32))"))
    ran = run(model, input_size, input_data, dtypes, named)
    found = read(ran, depth)
    deepest = max(call.depth for call in ran.calls)
    while depth is None and deepest > 1 and not fits(found):
        deepest -= 1
        found = read(ran, deepest)
    found.total_params = sum(p.numel() for p in model.parameters())
    found.multiply_adds = round(ran.calls[0].multiply_adds)
    return found


def read(ran: Run, depth: int | None = None) -> Model:
    """The layers of a run, down to ``depth`` modules below the model; None: all."""
    nodes = in_order([*(t.node for t in ran.outputs), *(n for c in ran.calls for n in c.made)])
    tree = _Tree(ran, nodes, depth)
    root = tree.layer(ran.calls[0])
    inputs = [Layer("input", [], tuple(t.shape), kind="input") for t in ran.inputs]
    for t, layer in zip(ran.inputs, inputs, strict=True):
        tree.home[t.node] = layer
    output = Layer("output", [], kind="output")
    flow = tree.flow()
    flow |= {(home, output) for t in ran.outputs if (home := tree.home.get(t.node)) is not None}
    output.words = [" and ".join(_times(tuple(t.shape)) for t in ran.outputs)]
    own = root.inside or [root]
    model = Model(ran.calls[0].kind, [*inputs, *own, output], flow)
    _drop_constants(model)
    _join(model)
    for layers in every(model.layers):
        _dissolve(layers)
    _join(model)
    fold(model)
    return model


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "scalar"


class _Tree:
    """The calls as layers within layers; ``home``: the innermost layer of each node."""

    def __init__(self, run: Run, nodes: list[Node], depth: int | None):
        self.run, self.depth = run, depth
        self.home: dict[Node, Layer] = {}
        self.of_call: dict[Call, Layer] = {}
        self.parts: dict[Call, list[tuple[int, Call | Node]]] = {c: [] for c in run.calls}
        self.nodes = [n for n in nodes if n.op is not None]
        above: list[Call] = []
        for call in run.calls:
            del above[call.depth :]
            if above:
                self.parts[above[-1]].append((call.begun, call))
            above.append(call)
        by_scope = {c.scope: c for c in run.calls}
        for n in self.nodes:
            path = n.scope.path() if n.scope is not None else ()
            owner = next((by_scope[s] for s in reversed(path) if s in by_scope), run.calls[0])
            self.parts[owner].append((n.seq, n))

    def layer(self, call: Call) -> Layer:
        """A call and what it calls."""
        layer = Layer(
            call.name, [spelled(call.module)], call.shape, call.parameters if call.first else 0,
            call.multiply_adds, "module", not call.first and call.parameters > 0, call.parameters,
        )  # fmt: skip
        self.of_call[call] = layer
        parts = sorted(self.parts[call], key=lambda part: part[0])
        plain = not any(isinstance(part, Call) for _, part in parts)
        if not call.depth and not type(call.module).__module__.startswith(nn.__name__):
            plain = False  # a model of the user's, and not a layer
        deep = self.depth is not None and call.depth >= self.depth
        if plain or deep or isinstance(call.module, WHOLE):
            self._swallow(call, layer)
            return layer
        for _, part in parts:
            layer.inside.append(self.layer(part) if isinstance(part, Call) else self._op(part))
        return layer

    def _swallow(self, call: Call, layer: Layer) -> None:
        """All nodes of a call, and of the calls in it, are at home in one layer."""
        todo = [call]
        while todo:
            for _, part in self.parts[todo.pop()]:
                if isinstance(part, Call):
                    self.of_call[part] = layer
                    todo.append(part)
                else:
                    self.home[part] = layer

    def _op(self, node: Node) -> Layer:
        count = products(node)
        layer = Layer("", [_spelled(node)], tuple(node.shape), multiply_adds=float(count))
        self.home[node] = layer
        return layer

    def flow(self) -> Flow:
        """From layer to layer: along the edges of the graph, and what each call was given."""
        out: Flow = set()
        for n in self.nodes:
            out |= {(self.home[m], self.home[n]) for m in n.inputs if m in self.home}
        for call in self.run.calls:
            layer = self.of_call[call]
            if not layer.inside:
                out |= {(self.home[n], layer) for n in call.received if n in self.home}
        return {(a, b) for a, b in out if a is not b}


def _spelled(node: Node) -> str:
    """The sign or name of an op, with the number that it takes: ``× 0.5``."""
    sign = public(node.op.symbol)
    numbers = [x.value for x in node.inputs if x.op is None and not x.shape and not x.needs]
    if len(node.inputs) == 2 and len(numbers) == 1 and node.op.formula:
        return f"{sign} {float(numbers[0]):.3g}"
    return sign


def every(layers: list[Layer]) -> Iterator[list[Layer]]:
    """Each list of neighbours, inner ones first."""
    for layer in layers:
        yield from every(layer.inside)
    yield layers


def _drop_constants(model: Model) -> None:
    """Leave out what is computed from constants and parameters alone, and in no module."""
    while True:
        fed = {b for _, b in model.flow}
        idle = {
            leaf for leaf in model.leaves()
            if leaf.kind == "function" and leaf not in fed and not leaf.multiply_adds
        }  # fmt: skip
        if not idle:
            return
        model.flow = {(a, b) for a, b in model.flow if a not in idle}
        for layers in every(model.layers):
            layers[:] = [layer for layer in layers if layer not in idle]


def _dissolve(layers: list[Layer]) -> None:
    """Put what a module holds in its place: one layer, or those of an inner ``Sequential``."""
    for layer in layers:
        inside = layer.inside
        for k, inner in reversed(list(enumerate(inside))):
            held = inner.inside
            plain = inner.words == ["Sequential"] and not any(x.inside for x in held)
            if plain or (len(held) == 1 and not held[0].inside):
                for x in held:
                    x.name = f"{inner.name}.{x.name}" if x.name else inner.name
                inside[k : k + 1] = held or [inner]


def _join(model: Model) -> None:
    """Small steps become one, if each has what the one before it made, and nothing else.

    What keeps the shape, as a normalisation and an activation do, joins the product before it.
    """
    sources: dict[Layer, set[Layer]] = {}
    targets: dict[Layer, set[Layer]] = {}
    for a, b in model.flow:
        sources.setdefault(b, set()).add(a)
        targets.setdefault(a, set()).add(b)
    into: dict[Layer, Layer] = {}
    for layers in every(model.layers):
        kept: list[Layer] = []
        last: Layer | None = None
        for layer in layers:
            first = kept[-1] if kept else layer
            alone = last is not None and sources.get(layer) == {last} and targets[last] == {layer}
            after = first.small or (first.multiply_adds > 0 and first.shape == layer.shape)
            if alone and layer.small and not first.inside and after:
                first.words += layer.words
                first.shape = layer.shape
                first.parameters += layer.parameters
                first.size += layer.size
                first.shared = first.shared or layer.shared
                first.name = "" if first.small else first.name
                into[layer] = first
            else:
                kept.append(layer)
            last = layer
        layers[:] = kept
    moved = {(into.get(a, a), into.get(b, b)) for a, b in model.flow}
    model.flow = {(a, b) for a, b in moved if a is not b}


# ---- repetitions ---------------------------------------------------------------------------------
PERIOD = 8  # layers in one repeated block, at most


def fold(model: Model) -> None:
    """Equal blocks, one after the other, become one that says how often it is repeated."""
    for layers in every(model.layers):
        _fold(layers, model.flow)
    order = {leaf: k for k, leaf in enumerate(model.leaves())}
    moved = {(a.shown(), b.shown()) for a, b in model.flow}
    model.flow = {(a, b) for a, b in moved if order[a] < order[b]}


def _fold(layers: list[Layer], flow: Flow) -> None:
    marks = [_mark(layer) for layer in layers]
    out: list[Layer] = []
    i = 0
    while i < len(layers):
        period, times = _longest(layers, marks, i, flow)
        block = layers[i : i + period]
        if times > 1:
            block = [_repeated(layers[i : i + period * times], period)]
        out += block
        i += period * times
    layers[:] = out


def _mark(layer: Layer) -> object:
    """What two layers must share to be equal."""
    inside = tuple(map(_mark, layer.inside))
    if layer.kind in ("input", "output"):
        return id(layer)
    return layer.kind, tuple(layer.words), layer.shape, layer.size, layer.times, inside


def _longest(layers: list[Layer], marks: list[object], i: int, flow: Flow) -> tuple[int, int]:
    """(period, times) of the repetition at place i that saves most rows; (1, 1) where none does."""
    best, saved = (1, 1), 1
    for period in range(1, min(PERIOD, (len(layers) - i) // 2) + 1):
        times = 1
        block = marks[i : i + period]
        while marks[i + times * period : i + (times + 1) * period] == block:
            times += 1
        rows = sum(1 for layer in layers[i : i + period] for _ in layer.leaves())
        if (times - 1) * rows <= saved:
            continue
        starts = range(i, i + times * period, period)
        blocks = [[f for x in layers[k : k + period] for f in x.leaves()] for k in starts]
        if _regular(blocks, flow):
            best, saved = (period, times), (times - 1) * rows
    return best


def _regular(blocks: list[list[Layer]], flow: Flow) -> bool:
    """Does every block get what it gets from the one before, and from the same layers outside?

    The first has nothing before it: what the others get from there, it gets from outside, or, as
    the first state of a recurrence, not at all.
    """
    place = {leaf: (k, p) for k, block in enumerate(blocks) for p, leaf in enumerate(block)}
    inner: list[set[tuple[int, int]]] = [set() for _ in blocks]
    before: list[set[tuple[int, int]]] = [set() for _ in blocks]
    outside: list[set[tuple[Layer, int]]] = [set() for _ in blocks]
    for a, b in flow:
        if (to := place.get(b.shown())) is None:
            continue
        k, p = to
        source = place.get(a.shown())
        if source is None:
            outside[k].add((a.shown(), p))
        elif source[0] == k:
            inner[k].add((source[1], p))
        elif source[0] == k - 1:
            before[k].add((source[1], p))
        else:
            return False
    first = {p for _, p in outside[0] - outside[1]}
    rest = all((before[k], outside[k]) == (before[1], outside[1]) for k in range(1, len(blocks)))
    begun = outside[1] <= outside[0] and first <= {p for _, p in before[1]}
    return rest and begun and all(x == inner[0] for x in inner)


def _repeated(layers: list[Layer], period: int) -> Layer:
    """The first block in the place of all."""
    times = len(layers) // period
    for k, layer in enumerate(layers):
        for mine, first in zip(layer.leaves(), layers[k % period].leaves(), strict=True):
            mine.instead = None if k < period else first
    total = sum(layer.parameters for layer in layers)
    products = sum(layer.multiply_adds for layer in layers)
    first, last = layers[0], layers[period - 1]
    if period > 1:
        size = sum(layer.size for layer in layers[:period])
        block = Layer("", ["repeated"], last.shape, total, products, "repeat", size=size)
        block.times, block.inside = times, layers[:period]
        return block
    if first.name and layers[-1].name != first.name:
        first.name = f"{first.name}–{layers[-1].name}"
    first.parameters, first.multiply_adds, first.times = total, products, first.times * times
    return first
