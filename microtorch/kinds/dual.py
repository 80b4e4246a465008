"""Dual numbers: a + b ε with ε² = 0, so that f(a + b ε) = f(a) + f'(a) b ε.

``value`` is a, ``tangent`` is b (None: 0). The derivative that a kernel multiplies b with is the
one that backward uses:

- elementwise ops: the formula ``g * f'(x)`` of formulas.py, with b in the place of g
- linear ops (views, sums, joins): the op itself
- products: the product rule
- all others: the transposed derivative, transposed again. A vjp is linear in g, so the derivative
  of ``g -> vjp(g)`` in direction b is the Jacobian times b.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.errors import message
from ..engine.apply import apply
from ..engine.backward import contributions, run
from ..engine.leaf import leaf
from ..engine.op import Op
from ..engine.record import constant
from ..engine.recorded import RECORDED
from ..engine.registry import REGISTRY
from ..graph import Mode, mode
from ..handles.memory import is_locked, owner, repeats_itself
from ..notation import formulas
from .level import Kind, KindBackend, Level, writable

if TYPE_CHECKING:
    from ..base.types import AnyArray, Array


class Dual(Kind):
    """An array of dual numbers."""

    __slots__ = ("tangent",)
    words = "forward mode"

    tangent: Array | None

    def __init__(self, level: Level, value: Array, tangent: Array | None):
        self.level, self.value, self.tangent, self.shape = level, value, tangent, value.shape

    def without_tangents(self) -> AnyArray:
        value: AnyArray = self.value
        return value.without_tangents() if isinstance(value, Kind) else value

    def around(self, inner: Callable[[Any, int], Any]) -> AnyArray:
        tangent = None if self.tangent is None else inner(self.tangent, 0)
        return Dual(self.level, inner(self.value, 0), tangent)

    def part(self, which: int) -> Array:
        """The primal value (0) or the tangent (1)."""
        if which == 0:
            return self.value
        if self.tangent is None:
            zero: Array = self.dev.inner.full(self.shape, 0, self.dtype)
            return zero
        return self.tangent

    def make_room(self) -> None:
        """Give a constant tangents of 0, which can be overwritten."""
        zero: Array = self.dev.inner.full(self.shape, 0, self.dtype)
        self.tangent = laid_as(zero, self.value)

    def get(self) -> Array:
        """The primal numbers in host memory: for printing."""
        value: AnyArray = self.value
        out: Array = value.get() if hasattr(value, "get") else value
        return out

    def item(self) -> AnyArray:
        return self.value.item()

    def tolist(self) -> AnyArray:
        return self.value.tolist()

    def __array__(self, dtype: AnyArray = None, copy: bool | None = None) -> Array:
        if self.tangent is None or self.level.ended:
            return np.array(self.value, dtype, copy=copy)
        raise RuntimeError(
            message(
                "Can't call numpy() on Tensor that has a tangent: its derivative would be lost",
                fix="torch.autograd.forward_ad.unpack_dual(x).primal.numpy()",
            )
        )

    def __setitem__(self, index: AnyArray, value: AnyArray) -> None:
        if self.dev.mine(value):
            writable(self.value)[index] = value.value
            if value.tangent is not None:
                if self.tangent is None:
                    self.make_room()
                writable(self.tangent)[index] = value.tangent
            elif self.tangent is not None:
                writable(self.tangent)[index] = 0
        else:
            writable(self.value)[index] = value
            if self.tangent is not None:
                writable(self.tangent)[index] = 0

    def suffixes(self) -> list[str]:
        """What is printed behind the primal values."""
        hidden = self.tangent is None or self.level.ended
        return [] if hidden else [f"tangent={constant(self.tangent)}"]

    def shown(self) -> str | None:
        """How a tensor of it is printed; None: as its primal values, and the suffixes."""
        if not isinstance(self.value, Kind):
            return None
        return ", ".join([repr(constant(self.value))[:-1], *self.suffixes()]) + ")"

    def __repr__(self) -> str:
        return repr(constant(self))


class DualBackend(KindBackend):
    """Kernels by op name on dual numbers."""

    name = "dual"
    memory = Dual

    def of(self, dtype: AnyArray) -> AnyArray:
        # whole numbers and bools have no derivative: they stay what they are below
        inner = self.inner.of(dtype)
        return self.level.backend(inner) if dtype.kind in "fcV" else inner

    @property
    def rest(self) -> AnyArray:
        return self.level.backend(self.inner.rest)

    @property
    def draws(self) -> AnyArray:
        return Primals(self.inner.draws)

    def array(self, x: AnyArray) -> AnyArray:
        if self.mine(x):
            return x
        x = self.inner.array(x)
        return Dual(self.level, x, None) if x.dtype.kind in "fcV" else x

    def __getattr__(self, name: str) -> AnyArray:
        if name.startswith("__") or name.endswith(("_vjps", "_step", "_vjp0", "_vjp1", "_vjp2")):
            raise AttributeError(name)
        return partial(self.computed, getattr(self.inner, name), name)

    def computed(
        self, kernel: Callable[..., Any], name: str, /, *args: AnyArray, **attrs: AnyArray
    ) -> AnyArray:
        """A kernel's value, and its derivative in direction of the operands' tangents."""
        primals = [x.value if self.mine(x) else x for x in args]
        tangents = [x.tangent if self.mine(x) else None for x in args]
        out = kernel(*primals, **_values(self, attrs))
        if all(t is None for t in tangents):
            return self._wrapped(out, None)
        if getattr(out, "dtype", None) is None or out.dtype.kind not in "fcV":
            return out
        out, op = self.inner.array(out), REGISTRY.get(name)
        t = self._derivative(name, op, kernel, primals, tangents, out, attrs)
        if t is not None:
            t = self.inner.array(t)
            if out.dtype.itemsize == 2 and t.dtype != out.dtype:  # beside a number that is exact
                t = self.inner.cast(t, dtype=out.dtype)
            if op is not None and not _shares(out, primals):  # else both are views
                if not _is_apart(t, tangents):
                    t = t.copy()  # (x + 1).mul_(2) writes the tangent of the sum, not that of x
                t = laid_as(t, out)
        return self._wrapped(out, t)

    def _wrapped(self, out: AnyArray, tangent: AnyArray) -> AnyArray:
        if isinstance(out, (tuple, list)):
            return type(out)([self._wrapped(x, None) for x in out])
        return self.array(out) if tangent is None else Dual(self.level, out, tangent)

    def _derivative(
        self, name: str, op: Op | None, kernel: AnyArray, primals: list[Any], tangents: list[Any],
        out: Array, attrs: dict[str, Any],
    ) -> Array | None:  # fmt: skip
        inner: AnyArray = self.inner
        if name == "zero":
            return None
        if name in LINEAR:
            given = [
                inner.full(x.shape, 0, x.dtype) if t is None and _floating(x) else x if t is None
                else t for x, t in zip(primals, tangents, strict=True)
            ]  # fmt: skip
            return inner.array(kernel(*given, **attrs))
        if op is None:
            raise self.refusal(name)
        kinds = {x.dtype.kind for x in primals if hasattr(x, "dtype")}
        conjugates = op.complex == "own" and "c" in kinds
        if name in formulas.TABLE and not conjugates:
            total = None
            for vjp, t in zip(op.derivatives, tangents, strict=False):
                if vjp is not None and t is not None:
                    d = vjp(inner, t, out, *primals, **attrs)
                    total = d if total is None else total + d
            if total is None or total.shape == out.shape:
                return total
            return inner.clone(inner.expand(total, shape=out.shape))
        if name == "matmul":
            return self._product(kernel, primals, tangents, attrs)
        if name == "linear":
            total = self._product(kernel, primals[:2], tangents[:2], attrs)
            if len(tangents) > 2 and tangents[2] is not None:
                bias = tangents[2]
                total = inner.expand(bias, shape=out.shape) if total is None else total + bias
            return total
        return transposed_twice(op, inner, primals, tangents, attrs)

    @staticmethod
    def _product(
        kernel: AnyArray, primals: list[Any], tangents: list[Any], attrs: dict[str, Any]
    ) -> AnyArray:
        total: AnyArray = None
        for i, t in enumerate(tangents):
            if t is not None:
                d = kernel(*[t if j == i else x for j, x in enumerate(primals)], **attrs)
                total = d if total is None else total + d
        return total

    def by_numpy(self, function: Callable[..., Any], args: AnyArray, named: AnyArray) -> AnyArray:
        """A function of numpy's on the primal values.

        What is computed beside the ops (indices, checks) has no derivative in reverse mode either.
        Where it has one, it is linear, or refused.
        """
        out = function(*_values(self, args), **_values(self, named))
        if not _floating(out) or not _has_tangents(self, (args, named)):
            return out
        if function not in LINEAR_IN_NUMPY:
            raise self.refusal(f"numpy.{getattr(function, '__name__', function)}")
        t = function(*_values(self, args, 1), **_values(self, named, 1))
        return Dual(self.level, self.inner.array(out), self.inner.array(t))

    @staticmethod
    def refusal(name: str) -> NotImplementedError:
        return NotImplementedError(
            message(
                f"Trying to use forward AD with {name} that does not support it because it has not "
                "been implemented yet.",
                fix="torch.autograd.functional.jvp takes two reverse passes, and no rule",
            )
        )


Dual.backend = DualBackend

# ops that are linear in all their floating operands together, and kernels that are
LINEAR = frozenset(
    "slice select index getitem place index_put cast clone tril triu diagonal diagonal_backward "
    "reshape squeeze unsqueeze transpose t permute expand flip roll cat stack cumsum sum mean copy "
    "spread unfold fold unfold_dimension as_strided avg_pool2d avg_spread adaptive_avg_pool2d "
    "adaptive_spread copy_slices gather scatter_sum scatter embedding embedding_sum max min median "
    "nanmedian mode kthvalue sort topk cummax cummin neg conj real imag complex view_as_real "
    "view_as_complex scale_gradient".split()
)

# functions of numpy that kernels call on arrays
LINEAR_IN_NUMPY = (np.flip, np.squeeze, np.stack, np.concatenate)


class Primals:
    """The functions that draw, for dual numbers: what is drawn has no derivative."""

    def __init__(self, draws: AnyArray):
        self._draws = draws

    def __getattr__(self, name: str) -> AnyArray:
        draw = getattr(self._draws, name)
        return lambda *args, **options: draw(*map(primal_of, args), **options)


def primal_of(x: AnyArray) -> AnyArray:
    """An array without tangents: for who knows the derivative of what is computed from it."""
    return x.without_tangents() if isinstance(x, Kind) else x


def with_tangent(x: AnyArray) -> bool:
    """Has an array a derivative in any level?"""
    while isinstance(x, Kind):
        if isinstance(x, Dual) and x.tangent is not None:
            return True
        x = x.value
    return False


def has_tangent(x: AnyArray, level: Level) -> bool:
    """Has an array a derivative in ``level``?"""
    while isinstance(x, Kind):
        if isinstance(x, Dual) and x.level is level:
            return x.tangent is not None
        x = x.value
    return False


def _is_apart(t: AnyArray, others: Iterable[Any]) -> bool:
    """Is ``t`` memory of its own, which may be written?"""
    mine = list(_parts(t))
    if any(is_locked(x) or repeats_itself(x) for x in mine):
        return False
    return not _shares(t, others)


def _shares(t: AnyArray, others: Iterable[Any]) -> bool:
    """Does ``t`` show memory of one of the ``others``?"""
    theirs = {id(owner(x)) for other in others if hasattr(other, "dtype") for x in _parts(other)}
    return not theirs.isdisjoint([id(owner(x)) for x in _parts(t)])


def laid_as(t: AnyArray, x: AnyArray) -> AnyArray:
    """``t``, the tangent of ``x``, in x's order of memory.

    So that what is a view of the one is a view of the other: a write through it reaches both.
    """
    if t.strides == x.strides or (t.flags.c_contiguous and x.flags.c_contiguous):
        return t
    order = sorted(range(x.ndim), key=lambda d: -abs(x.strides[d]))
    turned = t.transpose(order)
    if turned.flags.c_contiguous:
        return t
    return turned.copy(order="C").transpose([order.index(d) for d in range(x.ndim)])


def _parts(x: AnyArray) -> Iterator[Array]:
    """The plain arrays that an array is made of."""
    if isinstance(x, Kind):
        yield from _parts(x.value)
        yield from _parts(getattr(x, "tangent", None))
    elif x is not None:
        yield x


def _floating(x: AnyArray) -> bool:
    return hasattr(x, "dtype") and x.dtype.kind in "fcV"


def _values(dev: DualBackend, value: AnyArray, part: int = 0) -> AnyArray:
    """Nested arguments with primal values in place of the level's arrays; or tangents (1)."""
    if dev.mine(value):
        return value.part(part)
    if isinstance(value, dict):
        return {k: _values(dev, v, part) for k, v in value.items()}
    if type(value) in (tuple, list):
        return type(value)([_values(dev, v, part) for v in value])
    return value * 0 if part and _floating(value) else value


def _has_tangents(dev: DualBackend, value: AnyArray) -> bool:
    """Has one of the nested arguments a tangent of the level?"""
    if isinstance(value, (dict, tuple, list)):
        inner = value.values() if isinstance(value, dict) else value
        return any(_has_tangents(dev, v) for v in inner)
    return dev.mine(value) and value.tangent is not None


def transposed_twice(
    op: Op, inner: AnyArray, primals: Sequence[Any], tangents: Sequence[Any], attrs: dict[str, Any]
) -> Array | None:
    """The Jacobian of an op times the tangents of its operands, from its vjps alone.

    ``d_i = vjp_i(u)`` is recorded as a function of ``u``; one pass back from the ``d_i``, with the
    tangents as gradients, ends at ``u`` with the sum of J_i t_i. None if it does not depend on u.
    """
    now = mode.get()
    dtype = next(t.dtype for t in tangents if t is not None)  # that of Python's numbers beside it
    try:
        mode.set(Mode(True))
        primals = [x if hasattr(x, "dtype") else inner.full((), x, dtype) for x in primals]
        inputs = [constant(x, inner.of(x.dtype)) for x in primals]
        for x, t in zip(inputs, tangents, strict=True):
            if t is not None:
                leaf(x)
        y = apply(op, inputs, attrs or None)
        if not y.node.needs:
            return None
        u = constant(inner.full(y.array.shape, 0, y.array.dtype), y.node.dev)
        leaf(u)
        parts = contributions(y.node, u, RECORDED)
        # the inputs as they are on the graph: casts may stand between
        ways = [
            (d.node, t) for d, t in zip(parts, tangents, strict=False)
            if d is not None and t is not None and d.node.needs
        ]  # fmt: skip
        if not ways:
            return None
        mode.set(Mode(False))
        found = run([d for d, _ in ways], [t for _, t in ways], targets=frozenset({u.node}))
        out: AnyArray = found.get(u.node)
        return out.array if hasattr(out, "node") else out
    finally:
        mode.set(now)
