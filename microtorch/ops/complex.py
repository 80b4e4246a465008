"""Complex numbers: their parts, conjugates, angles, and tensors made of two real ones.

With g the gradient ∂L/∂x + i ∂L/∂y of a result (backends/complex.py):

    real, imag          g, i g
    conj                conj(g)
    complex(x, y)       the real part of g, and its imaginary part
    angle               i g / conj(z)

``conj`` is computed at once. In PyTorch it is a view that is conjugated when it is read, so there
a write to ``x.conj()`` also changes ``x``.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..arrays import dtypes
from ..arrays.pairs import of_pairs, pairs
from ..base.errors import describe, message
from ..engine.op import Op
from ..engine.short import several, single
from .arguments import tensors_only
from .surface import public

if TYPE_CHECKING:
    from ..base.types import Array, Gradient, Namespace, Operand
    from ..handles.tensor import Tensor


def is_complex(x: Operand) -> bool:
    """Are the elements of an array, a Tensor or a node complex?"""
    return getattr(x.dtype, "numpy", x.dtype).kind == "c"


def _refuse_real(name: str, input: Tensor) -> None:
    if input.array.dtype.kind != "c":
        raise RuntimeError(
            message(
                f"{name} is not implemented for tensors with non-complex dtypes.", describe(input)
            )
        )


# ---- conjugates ----------------------------------------------------------------------------------
conj_op = Op(
    "conj",
    lambda F, x: np.conjugate(x) if x.dtype.kind == "c" else x,
    vjps=(lambda F, g, out, x: F.conj(g),),
    rule=("conj(g)",),
    attributes=False,
)


@public()
def conj(input: Tensor) -> Tensor:
    """x − iy for x + iy. A real tensor is returned as it is."""
    return single(conj_op, input, {}) if input.array.dtype.kind == "c" else input


@public()
def conj_physical(input: Tensor) -> Tensor:
    """x − iy for x + iy, in new memory. Real numbers are returned as they are."""
    return conj(input) if input.array.dtype.kind == "c" else input


@public(aliases=("resolve_neg",))
def resolve_conj(input: Tensor) -> Tensor:
    """``input`` itself: nothing here waits to be conjugated or negated."""
    tensors_only("resolve_conj", input=input)
    return input


@public(aliases=("is_neg",))
def is_conj(input: Tensor) -> bool:
    """False: nothing here waits to be conjugated or negated."""
    tensors_only("is_conj", input=input)
    return False


# ---- parts ---------------------------------------------------------------------------------------
real_op = Op(
    "real",
    lambda F, x: x.real,
    vjps=(lambda F, g, out, x: F.cast(g, dtype=x.dtype),),
    rule=("g",),
    view=True,
    attributes=False,
    torch_name="Real",
)
imag_op = Op(
    "imag",
    lambda F, x: x.imag,
    vjps=(lambda F, g, out, x: F.cast(g, dtype=x.dtype) * 1j,),
    rule=("i g",),
    view=True,
    attributes=False,
    torch_name="Imag",
)


@public(method=False)
def real(input: Tensor) -> Tensor:
    """The real parts, a view that may be written. A real tensor is returned as it is."""
    return single(real_op, input, {}) if input.array.dtype.kind == "c" else input


@public(method=False)
def imag(input: Tensor) -> Tensor:
    """The imaginary parts, a view that may be written. RuntimeError for a real tensor."""
    _refuse_real("imag", input)
    return single(imag_op, input, {})


view_as_real_op = Op(
    "view_as_real",
    lambda F, x: pairs(x),
    vjps=(lambda F, g, out, x: F.complex(*_parts_of(F, g)),),
    rule=("g[..., 0] + i g[..., 1]",),
    view=True,
    attributes=False,
)
view_as_complex_op = Op(
    "view_as_complex",
    lambda F, x: of_pairs(x),
    vjps=(lambda F, g, out, x: F.stack(F.real(g), F.imag(g), dim=g.ndim),),
    rule=("(real part of g, imaginary part of g)",),
    view=True,
    attributes=False,
)


def _parts_of(F: Namespace, g: Gradient) -> list[Gradient]:
    at = (slice(None),) * (g.ndim - 1)
    return [F.getitem(g, index=(*at, i)) for i in (0, 1)]


@public()
def view_as_real(input: Tensor) -> Tensor:
    """A view of complex numbers as real ones, the two parts in a new last dimension of size 2."""
    if input.array.dtype.kind != "c":
        what = "view_as_real is only supported for complex tensors"
        raise RuntimeError(message(what, describe(input)))
    return single(view_as_real_op, input, {})


@public()
def view_as_complex(input: Tensor) -> Tensor:
    """A view of real numbers as complex ones: the last dimension has the two parts."""
    x = input.array
    if x.dtype.kind != "f":
        raise RuntimeError(
            message(
                "view_as_complex is only supported for floating point tensors, but got a tensor of "
                f"scalar type: {dtypes.TORCH_TYPES[x.dtype.name]}"
            )
        )
    input.node.dev.of(dtypes.complex_type(x.dtype))  # raises where a device has none
    steps = [s // x.itemsize for s in x.strides]
    if not x.ndim:
        raise RuntimeError(message("Input tensor must have one or more dimensions"))
    if x.shape[-1] != 2:
        raise RuntimeError(message("Tensor must have a last dimension of size 2", describe(input)))
    if steps[-1] != 1 and x.size:
        what = "Tensor must have a last dimension with stride 1"
        raise RuntimeError(message(what, describe(input), fix="x.contiguous()"))
    if any(s % 2 and n > 1 for s, n in zip(steps[:-1], x.shape[:-1], strict=True)):
        what = "Tensor must have a stride divisible by 2 for all but last dimension"
        raise RuntimeError(message(what, describe(input), fix="x.contiguous()"))
    return single(view_as_complex_op, input, {})


# ---- from two real tensors -----------------------------------------------------------------------
def _join(F: Namespace, x: Array, y: Array) -> Array:
    x, y = np.broadcast_arrays(x, y)
    out = np.asarray(np.add(x, y, dtype=dtypes.complex_type(x.dtype)))  # lies as they do
    out.real, out.imag = x, y
    return out


complex_op = Op(
    "complex",
    _join,
    vjps=(lambda F, g, out, x, y: F.real(g), lambda F, g, out, x, y: F.imag(g)),
    rule=("the real part of g", "the imaginary part of g"),
    attributes=False,
    ordered=True,
)


def _both_floating(one: Tensor, two: Tensor, names: tuple[str, str]) -> None:
    a, b = one.array.dtype, two.array.dtype
    kinds = [dtypes.TORCH_TYPES[d.name] for d in (a, b)]
    if a.kind != "f" or b.kind != "f":
        raise RuntimeError(
            message(
                "Expected both inputs to be Half, Float or Double tensors but got "
                f"{kinds[0]} and {kinds[1]}",
                f"{names[0]} {describe(one)}, {names[1]} {describe(two)}",
                fix="x.float()",
            )
        )
    if a != b:
        raise RuntimeError(
            message(
                f"Expected object of scalar type {kinds[0]} but got scalar type {kinds[1]} for "
                "second argument",
                f"{names[0]} {describe(one)}, {names[1]} {describe(two)}",
                fix="convert one: y.to(x.dtype)",
            )
        )


@public(method=False)
def complex(real: Tensor, imag: Tensor) -> Tensor:
    """``real + i imag``: complex64 of two float32 tensors, complex128 of two of float64."""
    _both_floating(real, imag, ("real", "imag"))
    real.node.dev.of(dtypes.complex_type(real.array.dtype))  # raises where a device has none
    return several(complex_op, (real, imag))


@public(method=False)
def polar(abs: Tensor, angle: Tensor) -> Tensor:
    """The complex numbers of these absolute values and angles: ``abs (cos angle + i sin angle)``.
    """
    _both_floating(abs, angle, ("abs", "angle"))
    abs, angle = abs.clone(), angle.clone()  # PyTorch keeps the result, and these may be written
    return complex(abs * angle.cos(), abs * angle.sin())


# ---- size and direction --------------------------------------------------------------------------
def _angle(F: Namespace, x: Array) -> Array:
    if x.dtype.kind == "c":
        return np.angle(x)
    return np.where(x != x, x, np.where(x < 0, x.dtype.type(np.pi), x.dtype.type(0)))


def _angle_vjp(F: Namespace, g: Gradient, out: Operand, x: Operand) -> Gradient:
    return F.where(x == 0, 0, g * 1j / F.conj(x)) if is_complex(x) else F.zero(g)


angle_op = Op(
    "angle",
    _angle,
    vjps=(_angle_vjp,),
    ties=False,
    saves=("x",),
    result="float",
    rule=("i g / conj(x)",),
    complex="own",
    attributes=False,
)


@public()
def angle(input: Tensor) -> Tensor:
    """The angle of complex numbers, in (−π, π]; of real ones, 0 or π (negative numbers)."""
    return several(angle_op, (input,))
