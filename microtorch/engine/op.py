"""The declaration of an op: ``Op``, and what is derived from it.

**The contract of a derivative** (vector-Jacobian product, "vjp"): one function per input,

    vjp(F, g, out, *inputs, **attrs) -> contribution to that input's gradient

``F`` is a namespace of ops: the backend (raw arrays) in an ordinary backward, the Tensor functions
under ``create_graph=True``. The same code serves both, so every op has derivatives of any order.
``saves`` says, per vjp, which of ``x y z ...`` (inputs) and ``out`` it reads; the others are given
as nodes and offer only ``.shape``, ``.ndim`` and ``.dtype``. A contribution may have the broadcast
shape: the engine sums it down to the input's shape.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays.memory_order import giving_rows, in_order
from ..backends import KernelTable, definitions
from ..backends.table import HotTable, layouts, real_only, uncopied
from ..base import errors
from ..graph import ABSENT, Node
from ..notation import expr, formulas
from ..notation.formulas import LETTERS
from .apply import apply
from .registry import NODE_EDGES, NODE_NAMES, REGISTRY
from .saved import saved_members
from .vjps import VjpTable, conjugated

if TYPE_CHECKING:
    from ..base.types import Attrs, Backend, Gradient, Kernel, Shape, Slices, Static, Vjp
    from ..handles.tensor import Tensor

SYMBOLS = {
    "neg": "−", "matmul": "@", "sub": "−", "mul": "×", "add": "+", "div": "/", "pow": "**",
}  # fmt: skip


class Op:
    """The declaration of an op. See the module's docstring for the contract of its functions."""

    finds_freed = False  # does the derivative itself raise where it reads what was freed?
    # derived, beside what __init__ is given
    reads: tuple[tuple[int, ...], ...]  # per vjp, the inputs that it reads
    reads_out: tuple[bool, ...]  # per vjp, does it read the output?
    # per vjp, the inputs by which it has a derivative, if only 0: those that it reads, and of those
    # that it keeps the ones that another reads (PyTorch's takes them, as it computes all at once)
    leads_to: tuple[tuple[int, ...], ...]
    # per vjp, the inputs (-1: the output) that must not be overwritten while it is to come
    watched: Sequence[tuple[int, ...]]
    saved_inputs: frozenset[int]  # the inputs that some vjp reads
    reads_anything: bool  # does a derivative read what a freed node has no more?
    node: type[Node]  # the class of what is recorded
    # (node, g, grads) -> None: handles/scalar.py makes it when first used
    scalar_backward: Kernel

    # written out: to import `dataclasses` and make this class took a twentieth of the import
    def __init__(
        self, name: str,
        forward: Callable[..., Any] | Formula | None,  # (F, *arrays, **attrs) -> the value
        # one derivative per input, or None
        vjps: Sequence[Vjp | Formula | None] = (),
        *, saves: Sequence[str] = (),  # per vjp, what it reads of `x y z ... out`
        # one function (F, g, node) -> contributions in place of vjps, where they share work
        joint: Callable[..., Any] | None = None,
        # how operand types combine. "same": promoted to one dtype, which the result has; "float":
        # likewise, and integers become the default float; "bool": promoted, and the result is bool;
        # "match": must be the same; "keep": not looked at
        result: str = "keep",
        unpromoted: int = 0,  # so many leading operands keep their dtype
        # raises for operands it refuses
        check: Callable[[Op, Sequence[Tensor]], None] | None = None,
        # (op, operands, attrs, e): what to raise for a kernel's error e; None: explain_broadcast
        explain: Callable[..., Exception] = ABSENT,
        view: bool = False,  # may the result share its input's memory?
        # does the result lie in memory as the operands do (arrays/memory_order.py), and not in
        # rows? None: if they are promoted as those of elementwise ops
        ordered: bool | None = None,
        projection: bool = False,  # does it pick one output of a multi-output node?
        # of any number of inputs: the declaration for n
        family: Callable[[int], Op] | None = None,
        # the declaration for operands of which some are masks, where it is another
        of_masks: Callable[[Op, Sequence[Tensor]], Op] | None = None,
        attributes: bool = True,  # may it have static arguments?
        # what PyTorch's derivatives keep besides, each or (one text) all: overwritten, backward
        # refuses
        keeps: str | Sequence[str] = "",
        # is the result x[index], which shows no element of x twice? Then backward adds g there
        lays: bool = False,
        reads_nothing: bool = False,  # a joint derivative that works after the node was freed
        # has the derivative a derivative of 0 where it reads a value for a choice only? Else it has
        # none there, as PyTorch's does not (recorded.py)
        ties: bool = True,
        # may an output that the derivative reads be overwritten? It is computed again from the
        # inputs, which are saved
        renews: bool = False,
        # does the derivative look for places that PyTorch's keeps? Then nobody may write the inputs
        looks: bool = False,
        # what its derivatives are for complex numbers. "holomorphic": every factor of g conjugated
        # (backends/complex.py); "own": as declared, since the vjps are linear in real and imaginary
        # part, or have the conjugates in them; "none": the op refuses complex numbers. By default
        # "own" for an op whose vjps read no values, for it is linear
        complex: str = "",
        # for readers. The value, and per input its derivative, in words or mathematics
        formula: str = "", rule: Sequence[str | None] = (), torch_name: str = "",
        # for readers that spell an op out in scalars: how many products one element of the result
        # adds up, by the operands' shapes (None: one), and the slices of the inputs that the
        # element at a place reads, by place and shapes (None: all of them)
        terms: Callable[..., int] | None = None,
        part: Callable[..., Slices | None] | None = None,
        register: bool = True,
    ) -> None:  # fmt: skip
        self.name, self.result, self.unpromoted = name, result, unpromoted
        self.vjps, self.joint, self.view, self.projection = tuple(vjps), joint, view, projection
        self.check, self.family, self.of_masks, self.lays = check, family, of_masks, lays
        self.attributes, self.ties, self.renews, self.looks = attributes, ties, renews, looks
        self.formula, self.terms = formula, terms
        self.rule = tuple(rule) or (None,) * len(self.vjps)
        self.explain = explaining(explain_broadcast if explain is ABSENT else explain)
        self.part = part or (by_broadcasting if name in formulas.TABLE else None)
        self._derive(saves, keeps)
        self.reads_anything = self.reads_anything and not reads_nothing
        self.complex = complex or ("own" if self.vjps and not self.reads_anything else "none")
        shown_as = torch_name or "".join(map(str.capitalize, name.split("_")))
        self.node = self._node_class(shown_as, forward)
        if ordered is None:
            ordered = name in formulas.TABLE or result in ("same", "float", "bool")
        if ordered or name in formulas.TABLE:
            layouts[name] = in_order if ordered else giving_rows
        if register:
            self._register(forward)

    def _derive(self, saves: Sequence[str], keeps: str | Sequence[str]) -> None:
        """What follows from what was given."""
        name = self.name
        self.differentiable = bool(self.vjps) or self.joint is not None
        self.apart = self.joint is not None or self.lays
        self.floating, self.symbol = self.result == "float", SYMBOLS.get(name, name)
        letters = [set(s.split()) for s in saves] or [set[str]() for _ in self.vjps]
        self.reads = tuple(map(_places, letters))
        self.reads_out = tuple("out" in s for s in letters)
        self.leads_to, self.watched = _kept(letters, keeps)
        self.saved_inputs = frozenset(i for read in self.reads for i in read)
        self.reads_anything = bool(self.saved_inputs or any(self.reads_out) or self.joint)
        self.kernels, self.hot_kernels = KernelTable(name), HotTable(name)
        self.row_kernels = HotTable(name, "any")
        self.vjp_kernels = VjpTable(self)

    def _register(self, forward: Callable[..., Any] | Formula | None) -> None:
        """Let the op be found by its name."""
        name = self.name
        if REGISTRY.made(name):
            raise ValueError(f"op '{name}' is declared twice")
        REGISTRY[name] = self
        definitions[name] = forward
        if self.view:
            uncopied.add(name)
        if self.complex == "none":
            real_only.add(name)

    def _node_class(self, torch_name: str, forward: object) -> type[Node]:
        """The class of this op's nodes, with PyTorch's name and attributes.

        One name is that of all ops that have no derivative.

        ``needs`` is a constant of the class, for what is recorded needs gradient; so is ``attrs``
        where an op has none.
        """
        members = {"__slots__": (), "op": self, "needs": True, "__module__": __name__}
        if not self.attributes:
            members["attrs"] = None
        members |= saved_members(self, forward, self.attributes)
        refuses = bool(self.vjps) and all([getattr(v, "refuses", False) for v in self.vjps])
        return type("NotImplemented" if refuses else f"{torch_name}Backward0", (Node,), members)

    @classmethod
    def elementwise(cls, name: str, **options: Any) -> Op:
        """The op of a row of formulas.py; ``options`` are further arguments of ``Op``."""
        forward, vjps = formulas.TABLE[name]
        inputs = ", ".join(LETTERS[: len(vjps)])
        static = formulas.ARGUMENTS.get(name, {})
        keywords = "".join(f", {k}" if v is None else f", {k}={v}" for k, v in static.items())
        letters = set(LETTERS[: len(vjps)]) | {"out"}
        return cls(
            name,
            Formula(forward, f"F, {inputs}{keywords}", name),
            [
                Formula(v, f"F, g, out, {inputs}{keywords}", f"{name} vjp {i}") if v else None
                for i, v in enumerate(vjps)
            ],
            saves=[" ".join(expr.names(v) & letters) if v else "" for v in vjps],
            result=result_kind(forward, static),
            formula=forward,
            rule=vjps,
            torch_name=formulas.TORCH_NAMES.get(name, ""),
            attributes=bool(static),
            complex=(
                "holomorphic"
                if name in formulas.HOLOMORPHIC
                else "own" if name in formulas.NOT_HOLOMORPHIC else "none"
            ),
            **options,
        )

    def __repr__(self) -> str:
        return f"Op({self.name!r})"

    def named(self, name: str) -> type[Node]:
        """The class of nodes of this op that are shown as ``name``: a subclass of ``node``."""
        if name not in self.other_names:
            members = {"__slots__": (), "__module__": __name__}
            self.other_names[name] = type(name, (self.node,), members)
        return self.other_names[name]

    def shown_as(self, name: str) -> Op:
        """This op, to run it for a function for which PyTorch shows ``name``."""
        op = Op.__new__(type(self))
        vars(op).update(vars(self))
        op.node = self.named(name)
        return op

    @cached_property
    def other_names(self) -> dict[str, type[Node]]:
        return {self.node.__name__: self.node}

    def __call__(self, *inputs: Any, **attrs: Any) -> Tensor:
        """Run the op on Tensors."""
        return apply(self, inputs, attrs or None)

    # compiled when first needed (cached_property, not __getattr__: a class with that reads every
    # attribute four times slower)
    @cached_property
    def derivatives(self) -> tuple[Any, ...]:
        """The vjps as functions on arrays or Tensors."""
        return tuple([v.compile() if type(v) is Formula else v for v in self.vjps])

    def derivatives_on(self, dev: Backend) -> Sequence[Any]:
        """The vjps for a result that lies on ``dev``: of complex numbers, with conjugates."""
        if dev.conjugates and self.complex == "holomorphic":
            return self.conjugated
        return self.derivatives

    @cached_property
    def conjugated(self) -> tuple[Any, ...]:
        """The vjps of a holomorphic function of complex numbers."""
        other = formulas.COMPLEX.get(self.name)
        rules = self.derivatives if other is None else [
            t and Formula(t, v.parameters, v.name).compile()
            for t, v in zip(other, self.vjps, strict=True)
            if isinstance(v, Formula)
        ]
        return tuple([v and conjugated(v) for v in rules])

    @cached_property
    def tied(self) -> bool:
        """Does a derivative read a value for a choice only, as far as can be told?"""
        arrays = {*LETTERS, "out"}
        for v in self.vjps:
            if isinstance(v, Formula):
                if v.flat or expr.for_choices_only(v.text) & arrays:
                    return True
            elif v is not None:
                return True
        return False

    @cached_property
    def names(self) -> Callable[[Node], str] | None:
        """PyTorch's name of a node, where it depends on the node."""
        return NODE_NAMES.get(self.name) if REGISTRY.get(self.name) is self else None

    @cached_property
    def edges(self) -> Callable[[Sequence[Node]], Sequence[Node]] | None:
        """The inputs as PyTorch lists them, where we have others, or another order.

        It lists none that has no derivative: an index, a mask.
        """
        if REGISTRY.get(self.name) is self and self.name in NODE_EDGES:
            return NODE_EDGES[self.name]
        kept = [i for i, vjp in enumerate(self.vjps) if vjp is not None]
        if len(kept) == len(self.vjps):
            return None
        return lambda inputs: [inputs[i] for i in kept if i < len(inputs)]

    @cached_property
    def scalar(self) -> Callable[..., float]:
        """The value as a function of floats."""
        return expr.compile_scalar(self.formula, self._parameters(), self.name)

    @cached_property
    def scalar_derivatives(self) -> tuple[Any, ...]:
        """The vjps as functions of floats, called as ``derivatives`` are."""
        parameters, name = f"F, g, out, {self._parameters()}", f"{self.name} vjp"
        texts = [v.text if isinstance(v, Formula) else None for v in self.vjps]
        return tuple([t and expr.compile_scalar(t, parameters, name) for t in texts])

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """What a user's call names: the operands, then the static arguments."""
        names = formulas.OPERANDS.get(self.name, ("input", "other", "third"))
        return (*names[: self.arity], *formulas.ARGUMENTS.get(self.name, ()))

    @cached_property
    def arity(self) -> int:
        """How many operands it has; comparisons and logic, without derivatives, do not say."""
        letters = expr.names(self.formula) & set("xyz") if self.formula else ()
        return len(self.vjps) or len(letters) or getattr(getattr(np, self.name, None), "nin", 1)

    def _parameters(self) -> str:
        static = [f"{k}={v}" for k, v in formulas.ARGUMENTS.get(self.name, {}).items()]
        return ", ".join([*LETTERS[: len(self.vjps)], *static])


def _places(letters: set[str]) -> tuple[int, ...]:
    """Which inputs some of the letters ``x y z ... out`` name."""
    return tuple(map(LETTERS.index, sorted(letters - {"out"})))


def _kept(
    reads: Sequence[set[str]], keeps: str | Sequence[str]
) -> tuple[tuple[tuple[int, ...], ...], Sequence[tuple[int, ...]]]:
    """``Op.leads_to`` and ``Op.watched``, of what each derivative reads, and keeps besides.

    PyTorch's rule: what one derivative reads of the inputs is kept for that one. What several read,
    and an output, is kept for all of them.
    """
    besides = [keeps] * len(reads) if isinstance(keeps, str) else keeps
    kept = [s.union(k.split()) for s, k in zip(reads, besides, strict=True)]
    read = set[str]().union(*reads)
    every = [k for one in kept for k in one]
    common = {k for k in every if k == "out" or every.count(k) > 1}
    return tuple([_places(k & read) for k in kept]), [
        tuple(sorted(-1 if k == "out" else LETTERS.index(k) for k in common | one)) for one in kept
    ]


def passed_on(F: object, g: Gradient, *rest: object, **attrs: object) -> Gradient:
    """The vjp of a sum: backward knows it, and does not call it."""
    return g


class Formula:
    """A formula, compiled when first needed: compiling all would slow every import."""

    __slots__ = ("name", "parameters", "text")

    def __init__(self, text: str, parameters: str, name: str):
        self.text, self.parameters, self.name = text, parameters, name

    @property
    def flat(self) -> bool:
        """Is it the derivative of a step? It is 0 also where g is infinite or NaN."""
        return self.text == "0 * g"

    def compile(self) -> Callable[..., Any]:
        if self.flat:
            return lambda F, g, *inputs, **attrs: F.zero(g)
        if self.text == "g":
            return passed_on
        return expr.compile_python(self.text, self.parameters, self.name)


def result_kind(formula: str, static: Static) -> str:
    """"same" if a formula, with these static arguments, maps integers to integers; else "float"."""
    return "same" if expr.keeps_integers(formula, static.values()) else "float"


def by_broadcasting(place: Shape, *shapes: Shape) -> Slices:
    """The element of each input that an elementwise op reads for the element at ``place``."""
    one = [slice(i, i + 1) for i in place]
    return [
        tuple([one[i] if n > 1 else slice(0, 1) for i, n in enumerate(s, len(place) - len(s))])
        for s in shapes
    ]


# ---- explaining what went wrong ------------------------------------------------------------------
def explaining(explain: Callable[..., Exception]) -> Callable[..., Exception]:
    """``explain``, which need not think of an array for which there is no room."""

    def explained(op: Op, tensors: Sequence[Any], attrs: Attrs, e: Exception) -> Exception:
        full = isinstance(e, MemoryError)
        return errors.no_memory(e) if full else explain(op, tensors, attrs, e)

    return explained


def explain_broadcast(op: Op, tensors: Sequence[Any], attrs: Attrs, e: Exception) -> Exception:
    """numpy's error in PyTorch's class and words, with shapes, the user's line and a fix."""
    if isinstance(e, np.exceptions.AxisError):
        return errors.dim_error(e.axis or 0, e.ndim or 0, op.name)
    if isinstance(e, ValueError) and "broadcast" in str(e) and len(tensors) > 1:
        return errors.broadcast_error(op.name, list(tensors))
    kind = (
        IndexError
        if isinstance(e, IndexError)
        else NotImplementedError
        if isinstance(e, TypeError)
        else RuntimeError
    )
    text = f"{op.name}: {e}"
    if isinstance(e, TypeError) and "ufunc" in text:  # numpy has no loop for these dtypes
        text = f"\"{op.name}\" not implemented for '{tensors[0].array.dtype.name}'"
    return kind(
        errors.message(
            text, "operands: " + ", ".join(errors.describe(t) for t in tensors), shown(attrs)
        )
    )


def shown(attrs: Attrs) -> str:
    return "with " + ", ".join(f"{k}={v!r}" for k, v in attrs.items()) if attrs else ""
