"""``torch.autograd.functional``: Jacobians, Hessians and their products with vectors.

Everything is built on ``autograd.grad``. A Jacobian-vector product takes two reverse passes (J v is
the derivative of ``u -> uᵀJ`` in direction v), so no rules of forward mode are needed.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from ..base import errors
from ..engine.record import constant
from ..handles.tensor import Tensor
from .grad_mode import enable_grad
from .gradients import grad

Tensors: TypeAlias = Tensor | tuple[Tensor, ...] | list[Tensor]  # one or several, as the user likes


def _prepare(inputs: Tensors) -> tuple[bool, tuple[Tensor, ...]]:
    """Are several given? And they themselves, checked."""
    xs = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    for x in xs:
        if not isinstance(x, Tensor):
            raise TypeError(
                errors.message(f"The inputs must be Tensors, but got {type(x).__name__}")
            )
    return isinstance(inputs, (tuple, list)), xs


def _fresh(xs: tuple[Tensor, ...], create_graph: bool) -> tuple[Tensor, ...]:
    """Leaves to differentiate at; under create_graph, views, so that the user's graph continues."""
    return tuple(
        x.view_as(x) if create_graph and x.requires_grad else x.detach().clone().requires_grad_()
        for x in xs
    )


def _or_zeros(g: Tensor | None, x: Tensor) -> Tensor:
    return constant(np.zeros(x.array.shape, x.array.dtype), x.node.dev) if g is None else g


def _check_sizes(vs: Sequence[Tensor], like: Sequence[Tensor]) -> None:
    if len(vs) != len(like):
        raise RuntimeError(
            errors.message(
                f"v must have {len(like)} tensors, one for each it is multiplied with, but has "
                f"{len(vs)}"
            )
        )
    for v, x in zip(vs, like, strict=True):
        if v.array.shape != x.array.shape:
            raise RuntimeError(
                errors.message(f"v has invalid size: should be {x.shape} but got {v.shape}.")
            )


def _like(several: bool, values: tuple[Any, ...]) -> Any:
    """One value where one input was given, a tuple where several were."""
    return values if several else values[0]


def _stack(rows: list[Tensor], shape: tuple[int, ...]) -> Tensor:
    from ..ops.join import stack

    return stack(rows).reshape(shape) if rows else constant(np.zeros(shape))


def jacobian(func: Callable[..., Any], inputs: Tensors, create_graph: bool = False) -> Any:
    """d func(inputs) / d inputs, of shape output.shape + input.shape.

    Several inputs give a tuple with one for each; several outputs, a tuple of those.
    """
    several, xs = _prepare(inputs)
    xs = _fresh(xs, create_graph)
    with enable_grad():
        result = func(*xs)
    many = isinstance(result, (tuple, list))
    outputs = result if many else (result,)
    return _like(many, tuple(_like(several, _jacobians(y, xs, create_graph)) for y in outputs))


def _jacobians(y: Tensor, xs: tuple[Tensor, ...], create_graph: bool) -> tuple[Tensor, ...]:
    """dy/dx for each x: one backward per element of y."""
    rows: list[tuple[Tensor, ...]] = []
    for j in range(y.array.size):
        seed = np.zeros(y.array.size, y.array.dtype)
        seed[j] = 1
        found: tuple[Any, ...] = (None,) * len(xs)
        if y.requires_grad:
            found = grad(
                y,
                xs,
                constant(seed.reshape(y.array.shape), y.node.dev),
                retain_graph=True,
                create_graph=create_graph,
                allow_unused=True,
            )
        rows.append(tuple(_or_zeros(g, x) for g, x in zip(found, xs, strict=True)))
    return tuple(
        _stack([row[i] for row in rows], (*y.array.shape, *x.array.shape))
        for i, x in enumerate(xs)
    )


def hessian(func: Callable[..., Any], inputs: Tensors, create_graph: bool = False) -> Any:
    """The second derivatives of a one-element function, of shape input.shape + input.shape."""
    several, xs = _prepare(inputs)

    def gradient(*args: Tensor) -> Any:
        y = func(*args)
        if y.array.size != 1:
            raise RuntimeError(
                errors.message(
                    "The Tensor returned by the function given to hessian should contain a single "
                    "element",
                    errors.describe(y),
                )
            )
        found = grad(y.sum(), args, create_graph=True, allow_unused=True)
        return _like(several, tuple(_or_zeros(g, x) for g, x in zip(found, args, strict=True)))

    return jacobian(gradient, inputs if several else xs[0], create_graph)


def vjp(
    func: Callable[..., Any], inputs: Tensors, v: Tensors | None = None, create_graph: bool = False
) -> tuple[Any, Any]:
    """(func(inputs), vᵀJ)."""
    several, xs = _prepare(inputs)
    xs = _fresh(xs, create_graph)
    with enable_grad():
        y = func(*xs)
    if v is None and (isinstance(y, (tuple, list)) or y.array.size != 1):
        raise RuntimeError(
            errors.message(
                "The vector v can only be None if the user-provided function returns a single "
                "Tensor with a single element.",
                fix="vjp(func, inputs, v) with v in the shape of the output",
            )
        )
    if v is not None:
        _check_sizes(_prepare(v)[1], y if isinstance(y, (tuple, list)) else (y,))
    found = grad(y, xs, v, create_graph=create_graph, allow_unused=True)
    out = y if create_graph else _detached(y)
    return out, _like(several, tuple(_or_zeros(g, x) for g, x in zip(found, xs, strict=True)))


def jvp(
    func: Callable[..., Any], inputs: Tensors, v: Tensors | None = None, create_graph: bool = False
) -> tuple[Any, Any]:
    """(func(inputs), J v): the derivative of func in direction v."""
    _, xs = _prepare(inputs)
    if v is None and any(x.array.size != 1 for x in xs):
        raise RuntimeError(
            errors.message(
                "The vector v can only be None if the input to the user-provided function is a "
                "single Tensor with a single element."
            )
        )
    vs = _prepare(v)[1] if v is not None else tuple(constant(np.ones_like(x.array)) for x in xs)
    _check_sizes(vs, xs)
    xs = _fresh(xs, create_graph)
    with enable_grad():
        y = func(*xs)
        u = constant(np.zeros_like(y.array)).requires_grad_()
        rows = grad(y, xs, u, create_graph=True, allow_unused=True)
        total = None
        for g, direction in zip(rows, vs, strict=True):
            if g is not None:
                term = (g * direction).sum()
                total = term if total is None else total + term
        product = None
        if total is not None:
            (product,) = grad(total, u, create_graph=create_graph, allow_unused=True)
    return (y if create_graph else _detached(y)), _or_zeros(product, y)


def vhp(
    func: Callable[..., Any], inputs: Tensors, v: Tensors | None = None, create_graph: bool = False
) -> tuple[Any, Any]:
    """(func(inputs), vᵀH) of a one-element function."""
    return hvp(func, inputs, v, create_graph)


def hvp(
    func: Callable[..., Any], inputs: Tensors, v: Tensors | None = None, create_graph: bool = False
) -> tuple[Any, Any]:
    """(func(inputs), H v) of a one-element function; one more reverse pass, as H is symmetric."""
    several, xs = _prepare(inputs)
    vs = _prepare(v)[1] if v is not None else tuple(constant(np.ones_like(x.array)) for x in xs)
    _check_sizes(vs, xs)
    xs = _fresh(xs, create_graph)
    with enable_grad():
        y = func(*xs)
        first = grad(y, xs, create_graph=True, allow_unused=True)
        total = sum(
            ((g * d).sum() for g, d in zip(first, vs, strict=True) if g is not None),
            start=constant(np.zeros(())),
        )
        found = (
            grad(total, xs, create_graph=create_graph, allow_unused=True)
            if total.requires_grad
            else (None,) * len(xs)
        )
    return (y if create_graph else _detached(y)), _like(
        several, tuple(_or_zeros(g, x) for g, x in zip(found, xs, strict=True))
    )


def _detached(y: Any) -> Any:
    return tuple(t.detach() for t in y) if isinstance(y, (tuple, list)) else y.detach()
