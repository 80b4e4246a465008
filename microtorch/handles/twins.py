"""The in-place twins of functions: ``add_``, ``clamp_`` and their like, made when first named.

One of an op writes the op's result over the operand (``inplace.apply_inplace``). One of a function
that is made of several ops computes apart, and copies.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np

from ..backends.table import HotTable
from ..base import errors
from ..base.naming import named
from ..base.promises import Promises
from ..engine.calling import operands_given
from ..engine.checks import watch
from ..engine.handle import Handle, NotDense
from ..engine.kept import KEPT
from ..engine.op import Op
from ..engine.record import constant
from ..engine.registry import REGISTRY
from ..graph import mode, tick
from ..notation import formulas
from ..ops.arguments import tensors_only
from ..ops.elementwise import ALIASES, ELEMENTWISE, OF_OPS, PARTS, TENSORS_ONLY
from ..ops.node_names import rename
from ..ops.surface import METHODS, OVER
from . import in_turn
from .inplace import (
    apply_inplace,
    check_cast,
    check_leaf,
    check_shape,
    computed_over,
    copy_op,
    dated,
    put_straight,
    straight,
    type_name,
    written_over,
)  # fmt: skip
from .methods import promise_methods
from .overlaps import check_overlap
from .put import copied_into, copy_, fill_, zero_
from .views import lead, without_hooks
from .whole import is_whole, recording, requiring

if TYPE_CHECKING:
    from ..base.types import Argument, Number
    from .tensor import Tensor

OPS = (
    *(name for name in formulas.TABLE if name not in PARTS), *formulas.COMPARISONS, "floor_divide",
    "copysign", "digamma", "erfinv", "gcd", "heaviside", "i0", "igamma", "igammac", "lcm", "lgamma",
    "nextafter", "bitwise_left_shift", "bitwise_right_shift",
    "logical_and", "logical_or", "logical_xor", "logical_not",
    "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not",
)  # fmt: skip
COMPOSED = (  # of functions made of several ops
    "addbmm", "addcdiv", "addcmul", "addmm", "addmv", "addr", "baddbmm", "clamp", "clamp_max",
    "clamp_min", "clip", "conj_physical", "cumprod", "cumsum", "index_add", "index_copy",
    "index_fill", "index_put", "index_reduce", "ldexp", "lerp", "logit", "masked_fill",
    "masked_scatter", "mvlgamma",
    "nan_to_num", "polygamma", "put", "renorm", "round", "scatter", "scatter_add",
    "scatter_reduce", "sgn", "square", "tril", "triu",
)  # fmt: skip
BY_ELEMENT = frozenset(
    "add sub div addcdiv addcmul clamp clamp_max clamp_min clip ldexp lerp".split()
)
# not compared: what they read, they read before they write, or PyTorch does not ask
UNCHECKED = ("masked_fill", "masked_scatter", "index_fill", "ldexp")
WITH_OPTIONS = ("add", "sub", "div")
SAME = {  # as another method
    "subtract_": "sub_", "divide_": "div_", "true_divide_": "div_", "absolute_": "abs_",
    "__iadd__": "add_", "__isub__": "sub_", "__imul__": "mul_", "__itruediv__": "div_",
    "__ipow__": "pow_", "__imod__": "remainder_", "__ifloordiv__": "floor_divide_",
    "__iand__": "bitwise_and_", "__ior__": "bitwise_or_", "__ixor__": "bitwise_xor_",
    "__ilshift__": "bitwise_left_shift_", "__irshift__": "bitwise_right_shift_",
}  # fmt: skip


def _twin(name: str) -> Callable[..., Tensor]:
    """The method ``name``: the in-place twin of a function, or of another method."""
    own = name[:-1]
    if name in SAME:
        return IN_PLACE[SAME[name]]
    if own == "abs":
        return _abs_(_of_op(REGISTRY["abs"]))
    if own in WITH_OPTIONS:
        return _with_options(own)
    return _composed(own) if own in COMPOSED else _of_op(REGISTRY[OF_OPS.get(own, own)])


def _abs_(of_real: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """``abs_``, which complex numbers do not have: their absolute values are real."""

    def method(self: Tensor) -> Tensor:
        if self.dtype.is_complex:
            what = "In-place abs is not supported for complex tensors."
            raise RuntimeError(errors.message(what, errors.describe(self), fix="x.abs()"))
        return of_real(self)

    return named(method, "abs_", of_real.__doc__, __wrapped__=of_real)


def _of_op(op: Op, optional: Callable[..., Tensor] | None = None) -> Callable[..., Tensor]:
    """``optional``: the method with more arguments than the op's."""
    name, n, own = f"{op.name}_", op.arity - 1, op.name
    function = ELEMENTWISE[own] if own in ELEMENTWISE and op.differentiable else None
    # how the result lies does not matter: it is copied
    kernels, small, into = op.row_kernels, HotTable(own, "small"), HotTable(own, "into")
    tensors = own in TENSORS_ONLY

    def method(input: Tensor, *others: Any, **attrs: Any) -> Tensor:
        try:
            if attrs or len(others) != n:
                if optional is not None:
                    return optional(input, *others, **attrs)
                (input, *rest), attrs = operands_given(
                    name, op.parameters, n + 1, (input, *others), attrs
                )
                others = tuple(rest)
            if tensors:
                for x in others:
                    tensors_only(name, other=x)
            if function is not None and straight(input, others):
                if computed_over(into[input.node.dev], input, others, attrs, op, own):
                    return input
                if n == 1 and isinstance(others[0], Handle) and not attrs:
                    other, dev = others[0], input.node.dev
                    kernel = kernels[dev] if other.node.dev is dev else None
                    if kernel is not None and written_over(small[dev], input, other, own):
                        return input
                    try:
                        out = None if kernel is None else kernel(input.array, other.array)
                    except (RuntimeWarning, ValueError):  # apply_inplace says why, or does it
                        out = None
                else:
                    out = function(input, *others, **attrs).array
                if out is not None and put_straight(input, out, own):
                    return input
            return apply_inplace(op, input, others, attrs or None)
        except NotDense as met:
            return met.tensor.in_place(name, input, others, attrs)

    doc = f"In-place {op.name}: the result replaces this tensor's elements."
    # the op's operands are the method's parameters (scripts/stubs.py)
    return named(method, name, doc, op=op)


def _composed(name: str) -> Callable[..., Tensor]:
    """The in-place form of a function made of several ops: computed apart, then copied."""
    function, whole = METHODS[name], name.startswith(("index_", "scatter", "put"))
    fused = REGISTRY[name] if name in ("addcdiv", "addcmul") else None  # C has it, in one pass
    into, over = HotTable(name, "into"), OVER.get(name)

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if kwargs and kwargs.get("dtype") not in (None, getattr(self, "dtype", None)):
            raise RuntimeError(
                errors.message(
                    f"Bad in-place call: input tensor dtype {self.dtype} and output tensor dtype "
                    f"{kwargs['dtype']} should match",
                    f"{name}_ of {errors.describe(self)}",
                    fix=f"x.{name}(..., dtype=...) makes a new tensor",
                )
            )
        try:
            plain = straight(self, (*args, *kwargs.values()) if kwargs else args, whole)
        except NotDense as met:
            return met.tensor.in_place(f"{name}_", self, args, kwargs)
        if plain:
            if over is not None and dated(self, name, over, self, *args, **kwargs):
                return self
            if fused is not None and all([isinstance(x, Handle) for x in args]):
                c = into[self.node.dev]
                small = type(v := kwargs.get("value", 1)) in (int, float) and -6e4 < v < 6e4
                if c and small and computed_over(c, self, args, kwargs, fused, name):
                    return self
            if put_straight(self, function(self, *args, **kwargs).array, name):
                return self
        check_leaf(self, name)
        if is_whole(self) and mode.get().grad:
            with recording(False):
                return method(self, *args, **kwargs)
        operands = () if name in UNCHECKED else (*args, *kwargs.values())
        check_overlap(self.array, operands, name, self if whole else False)
        with without_hooks(self):
            # on a copy, for what a derivative reads of the old value is about to be overwritten
            needs = [x for x in (self, *args, *kwargs.values()) if getattr(x, "requires_grad", 0)]
            result = function(self.clone() if needs else self, *args, **kwargs)
            values = in_turn.by_name(name, self.array, args, kwargs)
            if name in BY_ELEMENT:
                values = in_turn.one_after_another(self.array, args, lambda x, *elements: function(
                    *[constant(v) if isinstance(v, np.ndarray) else v for v in (x, *elements)],
                    **kwargs,
                ).array)
            if values is not None:
                result.array = result.node.value = values
            check_cast(result.array.dtype, self, name)
            check_shape(result.array, self, name, (self, *args))
        shown = None if result.node.op is None else result.node.name()
        copied_into(self, result, name)
        op = result.node.op
        if shown is not None and any(op.reads_out):
            lead(result.node, -1, ref(self.node))
        if shown is not None and ("out" in KEPT.get(name, "") or any(-1 in w for w in op.watched)):
            watch(result.node, (self.node,), tick())
        if shown is None:
            title = f"{name.title().replace('_', '')}Backward1"
            return requiring(self, *args, *kwargs.values(), name=title)
        return self if self.node.op is not copy_op else rename(self, shown)

    # __wrapped__ has the signature that help() shows
    return named(method, f"{name}_", f"In-place {name}.", __wrapped__=function)


def float_power_(self: Tensor, exponent: Tensor | Number) -> Tensor:
    """In-place float_power, of a float64 tensor, or of a complex128 one."""
    both = [x for x in (self, exponent) if getattr(x, "is_complex", bool)()]
    needed = "ComplexDouble" if both or isinstance(exponent, complex) else "Double"
    if type_name(self.array.dtype) != needed:
        raise RuntimeError(
            errors.message(
                f"the base given to float_power_ has dtype {type_name(self.array.dtype)} but the "
                f"operation's result requires dtype {needed}",
                fix="write it out of place",
            )
        )
    return _composed("float_power")(self, exponent)


def _scaled(general: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """``add_`` with a factor, as a step of gradient descent: the common case in one pass."""
    op = REGISTRY["add_scaled"]
    kernels, into = op.row_kernels, HotTable(op.name, "into")

    def method(self: Tensor, *others: Argument, **options: Argument) -> Tensor:
        alpha = options.get("alpha")
        small = type(alpha) is float and -6e4 < alpha < 6e4  # any dtype holds it
        if small and len(others) == len(options) == 1 and straight(self, others):
            other, dev = others[0], self.node.dev
            kernel = kernels[dev] if isinstance(other, Handle) and other.node.dev is dev else None
            if kernel is not None and other.array.shape == self.array.shape:
                if computed_over(into[dev], self, others, options, op, "add"):
                    return self
                try:
                    out = kernel(self.array, other.array, alpha=alpha)
                except NotImplementedError:  # of complex numbers
                    return general(self, *others, **options)
                if put_straight(self, out, "add"):
                    return self
        return general(self, *others, **options)

    return method


def _with_options(name: str) -> Callable[..., Tensor]:
    """The in-place form of an op whose function also has options (``alpha``, ``rounding_mode``)."""
    optional = _composed(name)
    method = _of_op(REGISTRY[name], _scaled(optional) if name == "add" else optional)
    del vars(method)["op"]  # its parameters are those of the function
    return named(method, f"{name}_", f"In-place {name}.", __wrapped__=METHODS[name])


# the in-place twin of every elementwise op, and the methods that exist only in place
IN_PLACE: Promises[Callable[..., Tensor]] = Promises(apart=True)
IN_PLACE.promise(
    [f"{a}_" for op in OPS if op != "where" for a in (op, *ALIASES.get(op, ()))], _twin
)
IN_PLACE.promise([*(f"{name}_" for name in COMPOSED), *SAME], _twin)
IN_PLACE.update(copy_=copy_, fill_=fill_, zero_=zero_, float_power_=float_power_)
promise_methods(IN_PLACE.names(), IN_PLACE.__getitem__)
