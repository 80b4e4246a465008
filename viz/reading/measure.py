"""The Computation: the graph behind a trace, and backward once more, in private.

A picture needs the gradients of intermediates, which backward forgets, and must not touch the
user's ``.grad``. So the graph is copied, node by node, from what it remembers: the structure is
never freed, leaves keep their values, and what lies between is computed again with the same
kernels. On the copy the ordinary engine runs with every node as a target, under which it
accumulates nothing, and reports each contribution.

This is possible as long as no leaf was overwritten in the meantime (``storage.written > node.seq``,
by the clock of the graph); after ``optimizer.step()`` it is not, and ``reason`` says so.

Nodes are known by their number in the trace; only the files of this folder see the nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from microtorch.arrays.device import CPU, device
from microtorch.autograd import no_grad
from microtorch.autograd.custom import CustomOp
from microtorch.autograd.function import forward_again
from microtorch.backends import cpu, host
from microtorch.create.random import get_rng_state, set_rng_state
from microtorch.engine import backward
from microtorch.engine.gradient_hooks import Outputs
from microtorch.engine.rows import Rows
from microtorch.graph import Node, Scope, tick
from microtorch.handles.scalar import Scalar
from microtorch.handles.tensor import Tensor

from . import kinds
from .customs import Customs, Ran, again, custom, output
from .customs import Data as Data
from .kinds import inside, of_a_kind, outside
from .summary import number

if TYPE_CHECKING:
    from microtorch.base.types import Backend

Gradient: TypeAlias = "Data | Outputs"
new = object.__new__


class Computation:
    """The nodes of a trace (oldest first), and what can be computed from them.

    ``root_value``: the value of the last node, if the user's handle still holds it.
    """

    def __init__(self, nodes: list[Node], root_value: Data | None = None):
        self.nodes = nodes
        self.root_value = root_value
        self.many = False  # are there several results, so that no backward starts from the last?
        self.left: dict[int, Data] = {}  # what earlier backwards left in the leaves' .grad
        self.scopes: dict[Scope, int] = {}  # module calls, by their number in the trace
        self._index = {node: i for i, node in enumerate(nodes)}
        self.inputs = [[self._index[x] for x in node.inputs] for node in nodes]
        self.customs = Customs(nodes, self.inputs)

    # ---- as the program ran it -------------------------------------------------------------------
    @cached_property
    def values(self) -> list[Data | None]:
        """Each value, computed again where backward freed it, or where it was overwritten since;
        None where it cannot be known.
        """
        out: list[Data | None] = []
        for node, inputs in zip(self.nodes, self.inputs, strict=True):
            value: Data | None = None
            if parted(node):
                value = out[inputs[0]]
            elif type(node.value) is not tuple and not _written(node):
                value = outside(node.value)
            elif node.op is not None and not any(
                out[i] is None or _overwritten(self.nodes[i], node) for i in inputs
            ):  # freed, or overwritten
                value = self._again(node, inputs, out)
            out.append(value)
        if out and out[-1] is None and self.root_value is not None:
            out[-1] = outside(self.root_value)
        return out

    def _again(self, node: Node, inputs: list[int], values: list[Data | None]) -> Data | None:
        """The value of a node from those of its inputs."""
        if (made := self._made(self._index[node])) is not None:
            ran = self.customs.once(made[0], values)
            return None if ran is None else output(ran, made[1])
        return _recompute(node, [values[i] for i in inputs])

    @cached_property
    def backward(self) -> Backward:
        """Gradients of one scalar root, of every node and every edge."""
        values = self.values
        freed = [i for i, n in enumerate(self.nodes) if custom(n) and n.saved is None]
        return Backward(self.nodes, values, {i: self.customs.once(i, values) for i in freed})

    def release(self) -> None:
        """Forget the arrays; they are computed again when they are asked for."""
        for name in ("values", "backward"):
            self.__dict__.pop(name, None)
        self.customs.release()

    def index(self, tensor: object) -> int:
        """The number of a Tensor's or Scalar's node; -1 if it took no part."""
        node = tensor.node if isinstance(tensor, Tensor) else tensor
        return self._index.get(node, -1) if isinstance(node, Node) else -1

    @cached_property
    def holders(self) -> set[int]:
        """The nodes of several outputs, each of which has a node of its own."""
        picks = [i for i, n in enumerate(self.nodes) if n.op is not None and n.op.projection]
        return {self.inputs[i][0] for i in picks if not parted(self.nodes[self.inputs[i][0]])}

    # ---- once more, with other numbers -----------------------------------------------------------
    def rerun(self, i: int, values: Mapping[int, Data] | Sequence[Data]) -> Data | None:
        """The value of node i from other values of its inputs, in their precision.

        None for a custom Function that does not repeat, and outside of an op's domain.
        """
        node = self.nodes[i]
        inputs = [values[j] for j in self.inputs[i]]
        if parted(node):
            return inputs[0]
        if node.op.projection and parted(node.inputs[0]):
            return np.asarray(inputs[0])[(node.attrs or {})["index"]]
        if (made := self._made(i)) is not None:
            ran = self._ran_on(made[0], values)
            return None if ran is None else output(ran, made[1])
        try:
            if node.op.name == "cast" and np.dtype(node.dtype).kind in "fV":
                if not np.iscomplexobj(inputs[0]):
                    return inputs[0]  # whoever asks in float64 stays there
            if node.op.name == "element" and node.attrs is not None:
                return float(np.asarray(inputs[0])[node.attrs["index"]])
            if node.dev is None:
                return float(node.op.scalar(*inputs, **(node.attrs or {})))
            return computed(node, inputs)
        except (TypeError, KeyError, AttributeError):
            return None

    def whole(self, i: int, g: Gradient) -> Data:
        """A gradient of node i as one array."""
        return whole(g, self.nodes[i])

    def _made(self, i: int) -> tuple[int, int] | None:
        """The custom node that made node i, and which of its outputs it is."""
        node = self.nodes[i]
        if node.op.projection and custom(node.inputs[0]):
            return self.inputs[i][0], (node.attrs or {})["index"]
        return (i, 0) if custom(node) else None

    def _ran_on(self, i: int, values: Mapping[int, Data] | Sequence[Data]) -> Ran | None:
        """The forward of custom node i on other values, if it can be run on them."""
        if not self.customs.repeats(i, self.values):
            return None
        return again(self.nodes[i], [values[j] for j in self.inputs[i]])

    def overwritten(self, j: int, i: int) -> bool:
        """Was leaf j overwritten after node i had used it?"""
        return _overwritten(self.nodes[j], self.nodes[i])

    def backward_at(self, values: Sequence[Data | None], cut: frozenset[int]) -> Backward:
        """Backward where the nodes have other values; those of ``cut`` were given, not computed."""
        ran: dict[int, Ran | None] = {}
        state = get_rng_state()
        for i, node in enumerate(self.nodes):
            arrays = [values[j] for j in self.inputs[i]]
            if isinstance(node.op, CustomOp) and not any(a is None for a in arrays):
                # what it saved belongs to the old values
                ran[i] = forward_again(node, [np.asarray(a) for a in arrays])
        set_rng_state(state)
        return Backward(self.nodes, values, ran, cut=cut, given=True)

    def is_leaf(self, i: int) -> bool:
        return self.nodes[i].op is None

    def gradients_at(self, values: list[Data]) -> dict[int, Gradient]:
        """The gradients where the nodes have other values."""
        customs = [i for i, node in enumerate(self.nodes) if custom(node)]
        ran = {i: self._ran_on(i, values) for i in customs}
        for i in customs:
            if ran[i] is None and self.nodes[i].saved is None:  # else it has what it kept
                ran[i] = self.customs.once(i, self.values)
        return Backward(self.nodes, values, ran).gradients

    def slope(self, i: int, position: int) -> float | None:
        """∂(node i)/∂(operand) by its formula; None where it has none, or these are not numbers."""
        node = self.nodes[i]
        inputs = [number(self.values[j]) for j in self.inputs[i]]
        try:
            vjp: Callable[..., float] = node.op.scalar_derivatives[position]
            return float(vjp(None, 1.0, number(self.values[i]), *inputs, **(node.attrs or {})))
        except (AttributeError, TypeError, KeyError, IndexError):
            return None

    def slopes(self, i: int) -> np.ndarray | None:
        """The derivative of an elementwise op of one real operand, by element; else None."""
        node = self.nodes[i]
        arrays = [self.values[j] for j in (i, *self.inputs[i])]
        if any(np.iscomplexobj(a) for a in arrays if a is not None):
            return None
        try:
            out, x = (np.asarray(host(a), float) for a in arrays)
            vjp = node.op.derivatives[0]
            return np.asarray(vjp(cpu, np.ones_like(x), out, x, **(node.attrs or {})))
        except (TypeError, ValueError, AttributeError):
            return None


def parted(node: Node) -> bool:
    """Does it stand for the parts of its input, each of which has a node of its own?"""
    return isinstance(node.op, CustomOp) and node.op.function.node_parts


def add(a: Gradient, b: Gradient) -> Gradient:
    """The sum of two contributions to one node."""
    return cast("Gradient", cast("Any", a) + b)  # both are of the node's own kind


def whole(g: Gradient, node: Node | None = None) -> Data:
    """A gradient as one array. Those of several outputs are laid end to end, or, where the outputs
    are parts of one array, put in their places; one of a few rows is the whole table's.
    """
    if isinstance(g, Rows):
        return g.dense()
    if isinstance(g, Outputs) and node is not None and parted(node):
        out = np.zeros(node.inputs[0].shape)
        for k, part in g.items():
            out[k] = host(part)
        return out
    return np.concatenate([np.ravel(host(d)) for d in g.values()]) if isinstance(g, Outputs) else g


# ---- forward again -------------------------------------------------------------------------------
def _home(node: Node) -> Backend:
    """The backend on which a node is computed again: the CPU's, also for what lay on a device."""
    here = node.dev is None or of_a_kind(node.dev) or node.dev.device is CPU
    return node.dev if here else cpu.of(node.dtype)


def attributes(node: Node) -> dict[str, Any]:
    """The static arguments of a node, with device arrays (an index) copied to the host."""

    def at_home(v: Any) -> Any:
        return (
            tuple(map(at_home, v))
            if type(v) is tuple
            else CPU
            if isinstance(v, device)
            else host(v)
        )

    given = node.attrs or {}
    at_cpu = node.dev is None or of_a_kind(node.dev) or node.dev.device is CPU
    return given if at_cpu else {k: at_home(v) for k, v in given.items()}


def _overwritten(x: Node, node: Node) -> bool:
    return x.op is None and x.storage is not None and x.storage.written > node.seq


def _written(node: Node) -> bool:
    """Was the result of an op overwritten after it had been made?"""
    return node.op is not None and node.storage is not None and node.storage.written > node.seq


def computed(node: Node, arrays: Sequence[Data | None]) -> Data:
    """What the op of a node computes from these values of its inputs."""
    kernel = kinds.UNLISTED.get(node.op) or node.op.kernels[_home(node)]
    given = [inside(x.dev, a) for x, a in zip(node.inputs, arrays, strict=True)]
    out = outside(kernel(*given, **attributes(node)))
    return out if node.dev is None else np.asarray(out)


def _recompute(node: Node, arrays: list[Data | None]) -> Data | None:
    try:
        out = computed(node, arrays)
    except (TypeError, KeyError, AttributeError):
        return None
    if not isinstance(out, np.ndarray) or out.dtype == node.dtype:
        return out
    return out.astype(node.dtype)


# ---- backward again ------------------------------------------------------------------------------
class Backward:
    """``gradients[i]`` of each node; ``contributions[i, position]`` of each edge into node i.

    Where it is impossible, both are empty and ``reason`` tells why. ``order``: the ops, in the
    order in which backward ran them. ``cut``: nodes whose value does not come from their inputs, so
    that nothing flows further back. ``given``: the values are the caller's own, and it does not
    matter what was overwritten since.
    """

    def __init__(
        self,
        nodes: list[Node],
        values: Sequence[Data | None],
        forwards: Mapping[int, Ran | None] | None = None,
        cut: frozenset[int] = frozenset(),
        given: bool = False,
    ):
        self.forwards, self.cut, self.given = forwards or {}, cut, given
        self.gradients: dict[int, Gradient] = {}
        self.contributions: dict[tuple[int, int], Gradient] = {}
        self.order: list[int] = []
        self.reason = ""
        root = nodes[-1]
        if not root.needs:
            self.reason = "no gradient flows to what was drawn"
        elif root.shape and int(np.prod(root.shape)) != 1:
            shape = tuple(root.shape)
            self.reason = f"backward starts from one number, and this has shape {shape}"
        else:
            try:
                with no_grad():
                    self._run(nodes, values)
            except Exception as error:  # a user's vjp may raise anything; the picture does without
                self.gradients, self.contributions, self.order = {}, {}, []
                what = str(error).splitlines()[0] if str(error) else repr(error)
                self.reason = f"backward cannot be repeated: {what}"

    def _run(self, nodes: list[Node], values: Sequence[Data | None]) -> None:
        copies: list[Node] = []
        index = {node: i for i, node in enumerate(nodes)}
        for node, value in zip(nodes, values, strict=True):
            for x in node.inputs:
                written = node.needs and not self.given and _overwritten(x, node)
                if written and (node.op is None or node.op.reads_anything):
                    what = f"input {index[x]} was overwritten after it had been used"
                    raise RuntimeError(f"{what} (optimizer.step()?)")
            inputs = tuple([copies[index[x]] for x in node.inputs])
            if len(copies) in self.cut:
                copies.append(_replaced(node, value))
                continue
            copies.append(_copy(node, value, inputs, self.forwards.get(len(copies))))
        back = {copy: i for i, copy in enumerate(copies)}

        def observe(copy: Node, g: Gradient, contributions: list[Gradient | None]) -> None:
            i = back[copy]
            self.order.append(i)
            for position, d in enumerate(contributions):
                if d is not None and copy.inputs[position].needs:
                    self.contributions[i, position] = _shown(copy.inputs[position], d)

        root = copies[-1]
        seed = 1.0 if root.dev is None else np.ones(root.shape, root.dtype)
        targets = frozenset(c for c in copies if c.needs)
        captured = backward.run([root], [seed], retain=True, targets=targets, observe=observe)
        self.gradients = {back[copy]: _shown(copy, g) for copy, g in captured.items()}


def _shown(node: Node, g: Gradient) -> Gradient:
    """A gradient of a node that computes with numbers of another kind as one array."""
    if not of_a_kind(node.dev) or isinstance(g, (dict, Rows)):
        return g
    return kinds.gradient(node.dev, g, np.asarray(outside(node.value)))


class _Repeated:
    """The context of a forward that was run once more: its node holds nothing."""

    def __init__(self, ctx: Any):
        self.ctx, self._node = ctx, None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ctx, name)


class Leaf(Node):
    """A leaf of the copy."""

    __slots__ = ()


def _put(copy: Node, **slots: object) -> None:
    """Fill the slots of a node, but for those that are constants of its class.

    A Scalar's ``dev`` is one, and the ``needs`` of every op's node.
    """
    for name, value in slots.items():
        try:
            setattr(copy, name, value)
        except AttributeError:  # "read-only": the same for all nodes of the class
            continue


def _replaced(node: Node, value: Data | None) -> Node:
    """A leaf in the place of a node."""
    copy: Node = new(Scalar) if isinstance(node, Scalar) else Leaf()
    _put(copy, inputs=(), attrs=None, needs=node.needs, op=None, dev=_home(node), saved=())
    _put(copy, seq=tick(), lasti=0, hooks=None, storage=None, scope=None, grad=None, code=None)
    copy.value = (node.shape, node.dtype) if value is None else inside(node.dev, value)
    return copy


def _copy(
    node: Node, value: Data | None, inputs: tuple[Node, ...], ran: Ran | None = None
) -> Node:
    """A node like ``node`` that no user's handle or hook knows.

    ``ran``: of a custom Function that was freed, its forward run once more.
    """
    op = node.op
    copy: Node = (
        new(Scalar) if isinstance(node, Scalar) else op.node() if op is not None else Leaf()
    )
    attrs = None if node.attrs is None else attributes(node)
    _put(copy, inputs=inputs, attrs=attrs, needs=node.needs, op=op, dev=_home(node), saved=())
    _put(copy, seq=tick(), lasti=0, hooks=None, storage=None, scope=None, grad=None, code=None)
    copy.value = (node.shape, node.dtype) if value is None else inside(node.dev, value)
    if op is None or node.dev is None:
        return copy
    if isinstance(op, CustomOp):  # what it saved is its own affair
        if ran is not None:
            copy.attrs = {**(attrs or {}), "ctx": _Repeated(ran[0])}
            return copy
        if node.saved is None:
            what = "its forward raises, or draws random numbers"
            raise RuntimeError(f"what {op.name} had saved was freed, and {what}")
        for s in node.saved or ():
            if s is not None and s.storage is not None and s.storage.written > node.seq:
                raise RuntimeError("a value saved by a custom Function was overwritten")
        copy.saved = node.saved
        return copy
    freed = {i for i, x in enumerate(inputs) if type(x.value) is tuple}
    if (value is None and any(op.reads_out)) or not freed.isdisjoint(op.saved_inputs):
        raise RuntimeError("its values were freed")
    read = op.saved_inputs if op.joint is None else range(len(inputs))
    copy.saved = tuple(
        [x.value if i in read and i not in freed else x for i, x in enumerate(inputs)]
    )
    return copy
