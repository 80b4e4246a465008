"""The declaration of an op: ``Op``, and what is derived from it.

**The contract of a derivative** (vector-Jacobian product, "vjp"): one function per input,

    vjp(F, g, out, *inputs, **attrs) -> contribution to that input's gradient

``F`` is a namespace of ops: the backend (raw arrays) in an ordinary backward, the Tensor functions under
``create_graph=True``. The same code serves both, so every op has derivatives of any order. ``saves`` says, per vjp, which
of ``x y z ...`` (inputs) and ``out`` it reads; the others are given as nodes and offer only ``.shape``, ``.ndim`` and ``.dtype``.
A contribution may have the broadcast shape: the engine sums it down to the input's shape.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from .. import errors, expr, formulas
from ..backends import KernelTable, definitions
from ..formulas import LETTERS
from ..graph import Node

REGISTRY: dict[str, Op] = {}
SYMBOLS = {"neg": "−", "matmul": "@", "sub": "−", "mul": "×", "add": "+", "div": "/", "pow": "**"}


class Op:
    """The declaration of an op. See the module's docstring for the contract of ``forward`` and ``vjps``.

    ``result``: how operand types combine. ``"same"``: promoted to one dtype, which the result has; ``"float"``: likewise,
    integers become the default float; ``"bool"``: promoted, the result is bool; ``"match"``: must be the same; ``"keep"``: not
    looked at. ``view``: the result may share its input's memory. ``joint``: one function ``(F, g, node) -> contributions``
    in place of ``vjps``, for ops whose parts share work. ``projection``: the op picks one output of a multi-output node.
    ``attributes``: may it have static arguments? ``family``: for an op of any number of inputs, the declaration for n of
    them. ``rule``: per input, what the derivative is, in words or mathematics, where there is no formula.

    For who spells an op out in scalars: ``terms(*shapes)`` is how many products one element of the result adds up (None: one);
    ``part(place, *shapes)`` the slices of the inputs that the element at ``place`` reads, or None where it reads everywhere.
    """

    def __init__(
        self,
        name: str,
        forward: Callable[..., Any],
        vjps: Sequence[Callable[..., Any] | None] = (),
        *,
        saves: Sequence[str] = (),
        joint: Callable[..., Any] | None = None,
        result: str = "keep",
        view: bool = False,
        projection: bool = False,
        formula: str = "",
        rule: Sequence[str | None] = (),
        torch_name: str = "",
        explain: Callable[..., Exception] | None = None,
        family: Callable[[int], Op] | None = None,
        attributes: bool = True,
        terms: Callable[..., int] | None = None,
        part: Callable[..., Any] | None = None,
        register: bool = True,
    ):
        self.name = name
        self.vjps = tuple(vjps)
        self.joint = joint
        self.differentiable = bool(vjps) or joint is not None
        self.result, self.view, self.projection = result, view, projection
        self.formula, self.rule = formula, tuple(rule) or (None,) * len(self.vjps)
        self.symbol = SYMBOLS.get(name, name)
        self.explain = explain or explain_broadcast
        self.family = family
        self.attributes = attributes
        self.terms, self.part = terms, part or (part_by_broadcasting if name in formulas.TABLE else None)
        # which inputs, by position, and whether `out`: per vjp, and for any
        reads = [set(s.split()) for s in saves] or [set[str]() for _ in self.vjps]
        self.reads = tuple(tuple(LETTERS.index(r) for r in sorted(read - {"out"})) for read in reads)
        self.reads_out = tuple("out" in read for read in reads)
        self.saved_inputs = frozenset(i for read in self.reads for i in read)
        self.reads_anything = bool(self.saved_inputs) or any(self.reads_out) or joint is not None
        self.kernels = KernelTable(name)
        self.large_kernels = KernelTable(name, large=True)
        self.vjp_kernels = VjpTable(self)
        torch_name = torch_name or "".join(part.capitalize() for part in name.split("_"))
        # `needs` is a constant of the class: what is recorded needs gradient; so is `attrs` where an op has none
        members: dict[str, Any] = {"__slots__": (), "op": self, "needs": True, "__module__": __name__}
        if not attributes:
            members["attrs"] = None
        self.node = type(f"{torch_name}Backward0", (Node,), members)
        if register:
            if name in REGISTRY:
                raise ValueError(f"op '{name}' is declared twice")
            REGISTRY[name] = self
            definitions[name] = forward

    @classmethod
    def elementwise(cls, name: str) -> Op:
        """The op of a row of formulas.py."""
        forward, vjps = formulas.TABLE[name]
        inputs = ", ".join(LETTERS[: len(vjps)])
        static = formulas.ARGUMENTS.get(name, {})
        keywords = "".join(f", {k}" if v is None else f", {k}={v}" for k, v in static.items())
        letters = set(LETTERS[: len(vjps)]) | {"out"}
        return cls(
            name,
            Formula(forward, f"F, {inputs}{keywords}", name),
            [v and Formula(v, f"F, g, out, {inputs}{keywords}", f"{name} vjp {i}") for i, v in enumerate(vjps)],
            saves=[" ".join(expr.names(v) & letters) if v else "" for v in vjps],
            result=result_kind(forward, static),
            formula=forward,
            rule=vjps,
            torch_name=formulas.TORCH_NAMES.get(name, ""),
            attributes=bool(static),
        )

    def __repr__(self) -> str:
        return f"Op({self.name!r})"

    def __call__(self, *inputs: Any, **attrs: Any) -> Any:
        """Run the op on Tensors (``ops.apply``)."""
        from . import apply

        return apply(self, inputs, attrs or None)

    # compiled when first needed (cached_property, not __getattr__: a class with that reads every attribute four times slower)
    @cached_property
    def derivatives(self) -> tuple[Any, ...]:
        """The vjps as functions on arrays or Tensors."""
        return tuple([v.compile() if type(v) is Formula else v for v in self.vjps])

    @cached_property
    def scalar(self) -> Callable[..., float]:
        """The value as a function of floats."""
        return expr.compile_scalar(self.formula, self._parameters(), self.name)

    @cached_property
    def scalar_derivatives(self) -> tuple[Any, ...]:
        """The vjps as functions of floats."""
        parameters = f"g, out, {self._parameters()}"
        return tuple([v and expr.compile_scalar(v.text, parameters, f"{self.name} vjp") for v in self.vjps])

    def _parameters(self) -> str:
        static = [f"{k}={v}" for k, v in formulas.ARGUMENTS.get(self.name, {}).items()]
        return ", ".join([*LETTERS[: len(self.vjps)], *static])


class VjpTable(KernelTable):
    """Backend -> the op's vjps on its arrays.

    A backend's class may have a kernel for one vjp, ``<op>_vjp<i>``, or for all of them, ``<op>_vjps``, which returns as many
    contributions; else it is the declared vjp. Kernels take what a vjp takes, without F, and must agree with it (the registry
    test compares them). They answer None where they decline (a layout, a dtype, a shape that they are not made for).
    """

    def __init__(self, op: Op):
        super().__init__(op.name)
        self.op = op

    def __missing__(self, backend: Any) -> Any:
        op = self.op
        joint = getattr(type(backend), f"{op.name}_vjps", None)
        if joint is not None:
            self[backend] = Joint(joint, op.derivatives)
            return self[backend]
        kernels = [v and getattr(backend, f"{op.name}_vjp{i}", None) for i, v in enumerate(op.vjps)]
        self[backend] = tuple([_first(k, f) if k else f for k, f in zip(kernels, op.derivatives, strict=True)])
        return self[backend]


class Joint(Sequence[Callable[..., Any]]):
    """The vjps of an op, as one kernel computes them. Each iteration, which is one step of backward, runs the kernel at most once:
    for the first vjp that is called. The others hand out what it returned."""

    def __init__(self, kernel: Callable[..., Any], declared: Sequence[Callable[..., Any]]):
        self.kernel, self.declared = kernel, declared

    def __len__(self) -> int:
        return len(self.declared)

    def __getitem__(self, i: Any) -> Any:
        return [*self][i]

    def __iter__(self) -> Iterator[Callable[..., Any]]:
        found: list[Any] = []  # empty until the kernel has run

        def part(i: int) -> Callable[..., Any]:
            def vjp(F: Any, *arguments: Any, **attrs: Any) -> Any:
                if not found:
                    found.append(self.kernel(F, *arguments, **attrs))
                return self.declared[i](F, *arguments, **attrs) if found[0] is None else found[0][i]

            return vjp

        return map(part, range(len(self)))


def _first(kernel: Callable[..., Any], declared: Callable[..., Any]) -> Callable[..., Any]:
    if hasattr(kernel, "with_F"):  # it never declines, and saves the call between
        return kernel.with_F

    def vjp(F: Any, *arguments: Any, **attrs: Any) -> Any:
        d = kernel(*arguments, **attrs)
        return declared(F, *arguments, **attrs) if d is None else d

    return vjp


class Formula(NamedTuple):
    """A formula that is compiled when first needed: compiling all of them would slow every import."""

    text: str
    parameters: str
    name: str

    def compile(self) -> Callable[..., Any]:
        return expr.compile_python(self.text, self.parameters, self.name)


_EXACT = frozenset({"abs", "sign", "maximum", "minimum", "where", "floor", "ceil", "round", "trunc", "fmod", "remainder"})


def result_kind(formula: str, static: Mapping[str, Any] = {}) -> str:
    """ "same" if a formula maps integers to integers, else "float"; a property of the formula and its numbers."""
    exact = expr.functions(formula) <= _EXACT and "/" not in formula and "." not in formula
    return "same" if exact and not any(isinstance(v, float) for v in static.values()) else "float"


def part_by_broadcasting(place: tuple[int, ...], *shapes: tuple[int, ...]) -> list[tuple[slice, ...]]:
    """The element of each input that an elementwise op reads for the element at ``place``."""
    one = [slice(i, i + 1) for i in place]
    return [tuple([one[i] if n > 1 else slice(0, 1) for i, n in enumerate(s, len(place) - len(s))]) for s in shapes]


# ---- explaining what went wrong ------------------------------------------------------------------------------------
def explain_broadcast(op: Op, tensors: Sequence[Any], attrs: dict[str, Any], e: Exception) -> Exception:
    """numpy's error in PyTorch's class and words, with shapes, the user's line and a fix."""
    if isinstance(e, np.exceptions.AxisError):
        return errors.dim_error(e.axis, e.ndim or 0, op.name)
    if isinstance(e, ValueError) and "broadcast" in str(e) and len(tensors) > 1:
        return errors.broadcast_error(op.name, list(tensors))
    kind = IndexError if isinstance(e, IndexError) else NotImplementedError if isinstance(e, TypeError) else RuntimeError
    text = f"{op.name}: {e}"
    if isinstance(e, TypeError) and "ufunc" in text:  # numpy has no loop for these dtypes
        text = f"\"{op.name}\" not implemented for '{tensors[0].array.dtype.name}'"
    return kind(
        errors.message(text, "operands: " + ", ".join(errors.describe(t) for t in tensors), shown(attrs))
    )


def shown(attrs: dict[str, Any]) -> str:
    return "with " + ", ".join(f"{k}={v!r}" for k, v in attrs.items()) if attrs else ""
