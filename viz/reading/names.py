"""What the user calls each value: never an ``id()``, and the same in every process.

A name comes from the first of these that has one:

    an explicit ``label``, ``params=`` or ``names=``
    a module's ``named_parameters``
    the variable to which the source line assigns the value
    a variable of the caller that holds it, also in lists, dicts and objects: ``net.layers[0].w[1]``
    what the line that uses the value calls it

An intermediate without a name shows its op.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable, Mapping
from types import CodeType
from typing import Any, TypeAlias

from microtorch import nn
from microtorch.graph import Node, Scope, Site
from microtorch.handles.scalar import Scalar
from microtorch.handles.tensor import Tensor
from microtorch.notation import formulas

from . import derived, source
from .frames import Frame, local_variables

LOOKED_AT = 20_000  # objects searched for variables that hold a value, at most
Given: TypeAlias = "Mapping[str, object] | Iterable[tuple[str, object]] | nn.Module | None"
Pairs: TypeAlias = list[tuple[str, object]]  # names that the user gave, and what they name


class Names:
    """Names for the ``nodes`` of a graph, oldest first; ``name(i)`` and ``site(i)`` by number."""

    def __init__(self, nodes: list[Node], frame: Frame | None = None, given: Pairs | None = None):
        self.nodes = nodes
        self.index = {node: i for i, node in enumerate(nodes)}
        self.sites: dict[tuple[CodeType, int], Site] = {}
        self.explicit = dict(self._explicit(given))
        self.modules: dict[
            nn.Module | None, str
        ] = {}  # module -> path, starting with what the user calls the outermost one
        self.parameters: dict[
            int, tuple[str, str]
        ] = {}  # node -> (path of the owner, its name there)
        self.variables: dict[Node | nn.Module, str] = {}  # Node or Module -> variable of the caller
        if frame is not None:
            self._search(frame)
        self._modules()
        self.found = self._assigned()
        self._repeated()
        self._variables()
        self._operands()

    # ---- positions -------------------------------------------------------------------------------
    def site(self, i: int) -> Site | None:
        """The user's position of a node; each position of the program is looked up once."""
        node = self.nodes[i]
        if node.code is None:
            return None
        key = (node.code, node.lasti)
        site = self.sites.get(key)
        if site is None:
            site = self.sites[key] = Site.of(*key)
        return site

    def _number(self, node: Node | None) -> int:
        """The number of a node; -1 for one of another graph."""
        return -1 if node is None else self.index.get(node, -1)

    def name(self, i: int) -> str:
        if i in self.explicit:
            return self.explicit[i]
        if i in self.parameters:
            return self.parameters[i][1]
        return self.found.get(i, "")

    def viewed(self, i: int) -> str:
        """``x[…]`` for a part of the variable ``x``, ``x.view`` for all of it in another shape, and
        ``x.detach`` for what was cut off from the graph of ``x``.

        A view of what needs no gradient is recorded as a leaf of its own; its memory tells whose.
        """
        node = self.nodes[i]
        if node.op is None and node.storage is not None:
            for holder, name in self.variables.items():
                if isinstance(holder, Node) and holder.storage is node.storage:
                    if node.shape == holder.shape and holder.needs:
                        return f"{name}.detach"
                    whole = math.prod(node.shape) == math.prod(holder.shape)
                    return f"{name}.view" if whole else f"{name}[…]"
        return ""

    # ---- the sources of names --------------------------------------------------------------------
    def _explicit(self, given: Pairs | None) -> Iterable[tuple[int, str]]:
        for i, node in enumerate(self.nodes):
            if isinstance(node, Scalar) and (label := label_of(node)):
                yield i, label
        for name, value in given or ():
            i = self._number(node_of(value))
            if i >= 0:
                yield i, name

    def _modules(self) -> None:
        """The paths of all modules that took part, and the parameters they own."""
        roots: dict[Scope, None] = {}
        for node in self.nodes:
            scope = node.scope
            while scope is not None and scope.parent is not None:
                scope = scope.parent
            if scope is not None:
                roots[scope] = None
        for scope in roots:
            module = scope.module()
            if module is None or module in self.modules:
                continue
            prefix = self.variables.get(module) or self._called(scope)
            for path, inner in module.named_modules(prefix=prefix):
                self.modules.setdefault(inner, path)
                for name, parameter in inner._parameters.items():
                    i = self._number(node_of(parameter))
                    if i >= 0:
                        self.parameters.setdefault(i, (path, name))

    def _called(self, scope: Scope) -> str:
        """What the calling line calls the outermost module, ``net`` in ``net(x)``; or its class."""
        for i, node in enumerate(self.nodes):
            if (
                node.scope is not None
                and node.scope.path()[0] is scope
                and (site := self.site(i)) is not None
            ):
                expression = source.of(site.file).expression(site)
                if isinstance(expression, ast.Call):
                    name = source.text(expression.func)
                    if name and not _is_inside(node, scope):
                        return name
                break
        return scope.label

    def _assigned(self) -> dict[int, str]:
        """Targets of assignments.

        Of several nodes made by one run of one call, the newest is the value assigned.
        """
        newest: dict[tuple[CodeType, int, Scope | int | None], int] = {}
        # position -> its target; is it a call of several ops?
        targets: dict[tuple[CodeType, int], tuple[str, bool]] = {}
        for i, node in enumerate(self.nodes):
            site = self.site(i)
            if site is None or node.code is None:
                continue
            where = (node.code, node.lasti)
            if where not in targets:
                index = source.of(site.file)
                call = index.expression(site)
                composed = site.column is None or isinstance(call, ast.Call)
                targets[where] = index.target(site), composed
            name, composed = targets[where]
            if name:
                run = _call(node) or (None if composed and not _is_op(node) else i)
                newest[node.code, node.lasti, run] = i
        return {i: targets[key[:2]][0] for key, i in newest.items()}

    def _repeated(self) -> None:
        """A name from a line in a loop belongs to many leaves; then ``w[3]`` says more."""
        leaves: dict[str, list[int]] = {}
        for i, name in self.found.items():
            if self.nodes[i].op is None:
                leaves.setdefault(name, []).append(i)
        for several in leaves.values():
            if len(several) > 1:
                for i in several:
                    self.found[i] = self.variables.get(self.nodes[i], self.found[i])

    def _variables(self) -> None:
        for node, name in self.variables.items():
            i = self._number(node) if isinstance(node, Node) else -1
            if i >= 0:
                self.found.setdefault(i, name)

    def _operands(self) -> None:
        """Leaves that only the line which uses them names: ``x`` in ``net(x)`` or ``w @ x``."""
        leaves = {n: k for k, n in self.variables.items() if isinstance(k, Node) and k.op is None}
        given: dict[tuple[Scope, str], int] = {}  # an argument of a module's call is one value
        for i, node in enumerate(self.nodes):
            free = [self.index[x] for x in node.inputs if self.index[x] not in self.parameters]
            if all(
                self._is_number(j) or self.nodes[j].op is not None or self.name(j) for j in free
            ):
                continue
            site = self.site(i)
            if site is None or derived.call(source.of(site.file), site):
                continue
            expression = source.of(site.file).expression(site)
            # of a function made of several ops, a mask is its own, and no argument
            inner = isinstance(expression, ast.Call) and not _calls(expression, node.op.name)
            # the parameters of a module that is gone are operands, but no arguments of its call
            gone = len(free) > 1 and node.scope is not None and node.scope.module() is None
            called = _call(node)
            if called is not None and called is not node.scope and len(free) > 1:
                continue  # made by a module inside of the one that was called, with its arguments
            words = _operands_of(node, expression, called, len(free))
            for j, name in zip(free, words, strict=True):
                if (
                    name
                    and not (gone and self.nodes[j].needs)
                    and not (inner and self.nodes[j].dtype == bool)
                    and leaves.get(name, self.nodes[j]) is self.nodes[j]  # h0 in rnn(x) is not x
                    and self.nodes[j].op is None
                    and not self.name(j)
                    and not self._is_number(j)
                    and (called is None or given.setdefault((called, name), j) == j)
                ):
                    self.found[j] = name

    def _is_number(self, j: int) -> bool:
        """May this be a Python number? Then ``2`` is shown, and not the variable that held it."""
        node = self.nodes[j]
        return node.op is None and not node.needs and node.code is None and not node.shape

    # ---- the caller's variables ------------------------------------------------------------------
    def _search(self, frame: Frame) -> None:
        """Variables of the caller and its module that hold a value or a module; breadth first."""
        own = local_variables(frame)
        wanted = {**own, **{k: v for k, v in frame.f_globals.items() if k not in own}}
        # only names that start with a letter: pytest and comprehensions have "@py_assert1" and ".0"
        queue = [(name, value, 0) for name, value in wanted.items() if name[0].isalpha()]
        seen: set[int] = set()
        for name, value, depth in queue:  # grows while it is walked
            node = node_of(value)
            if node is not None:
                self.variables.setdefault(node, _shorten(name))
            elif isinstance(value, nn.Module):
                self.variables.setdefault(value, name)
            elif depth < 9 and len(queue) < LOOKED_AT and id(value) not in seen:
                seen.add(id(value))
                queue.extend((f"{name}{key}", inner, depth + 1) for key, inner in _contents(value))


def given_names(params: Given = None, names: Given = None) -> Pairs | None:
    """``params=`` and ``names=`` as one list: each is a mapping, pairs, or a Module."""
    pairs: Pairs = []
    for given in (params, names):
        if given is None:
            continue
        for pair in _listed(given):
            if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str)):
                raise TypeError(
                    "params and names are {name: tensor}: dict(model.named_parameters()), "
                    "not a list of tensors"
                )
            pairs.append(pair)
    return pairs or None


def _listed(given: object) -> Iterable[object]:
    if isinstance(given, nn.Module):
        return given.named_parameters()
    if isinstance(given, Mapping):
        return given.items()
    if isinstance(given, Iterable):
        return given
    kind = type(given).__name__
    raise TypeError(f"params and names are {{name: tensor}} or a Module, not {kind}")


def node_of(value: object) -> Node | None:
    """The node behind a Tensor or Scalar."""
    return value.node if isinstance(value, Tensor) else value if isinstance(value, Scalar) else None


def _shorten(name: str, longest: int = 20) -> str:
    """The end of a long path: ``neurons[1].w[0]`` of ``net.layers[0].neurons[1].w[0]``."""
    while len(name) > longest and "." in name:
        name = name.partition(".")[2]
    return name


def label_of(node: Scalar) -> str:
    """``node.label``, read without the search for similar names that an unset attribute starts."""
    slot = Scalar.__dict__.get("_label", Scalar.__dict__["label"])
    try:
        return str(slot.__get__(node, Scalar))
    except AttributeError:
        return ""


OURS = __name__.partition(".reading")[0]


def _contents(value: Any) -> list[tuple[str, object]]:
    if type(value).__module__.startswith(OURS):  # a stepper or a table of an earlier question
        return []
    if type(value) in (list, tuple):
        return [(f"[{i}]", v) for i, v in enumerate(value[:1000])]
    if type(value) is dict:
        return [(f"[{k!r}]", v) for k, v in list(value.items())[:1000] if isinstance(k, (str, int))]
    attributes = getattr(value, "__dict__", None)
    if (
        type(attributes) is dict
        and not isinstance(value, type)
        and type(value).__module__ != "builtins"
    ):
        return [(f".{k}", v) for k, v in attributes.items() if not k.startswith("_")]
    return []


def _operands_of(
    node: Node, expression: ast.AST | None, called: Scope | None, n: int
) -> list[str]:
    """What the line calls the ``n`` operands of ``node``, in the op's order.

    The object of a method is an operand, but not that of a module: ``self`` in ``self.conv(x)``. A
    longer function takes its ``input`` first, wherever its op has it.
    """
    names = source.operands(expression, n, method=called is None)
    declared = formulas.OPERANDS.get(node.op.name, ())
    own = not isinstance(expression, ast.Call) or _calls(expression, node.op.name)
    if own or len(declared) != n:
        return names
    order = sorted(range(n), key=lambda k: declared[k] != "input")
    return [names[order.index(k)] for k in range(n)]


def _calls(call: ast.Call, op: str) -> bool:
    """Is the function that is called, or the method, the op itself?"""
    return getattr(call.func, "attr", getattr(call.func, "id", "")).rstrip("_") == op


def _is_op(node: Node) -> bool:
    """Was the node made by a call of its own op, ``x.tanh()``, and not inside a longer function?"""
    name = node.op.name if node.op is not None else ""
    names = node.code.co_names if node.code is not None else ()
    return (name in names and node.scope is None) or node.op is None


def _is_inside(node: Node, scope: Scope) -> bool:
    """Does the node's line stand in the ``forward`` of the module of ``scope``?"""
    module = scope.module()
    return module is not None and getattr(type(module).forward, "__code__", None) is node.code


def _call(node: Node) -> Scope | None:
    """The module call which the node's line made, so that runs of one line can be told apart."""
    path = node.scope.path() if node.scope is not None else ()
    for depth in range(len(path) - 1, -1, -1):
        if _is_inside(node, path[depth]):
            return path[depth + 1] if depth + 1 < len(path) else None
    return path[0] if path else None
