"""``torch.autograd.functional``: Jacobians, Hessians and their products with vectors.

Everything is built on ``autograd.grad``. A Jacobian-vector product comes from two reverse passes
(the derivative of ``u -> uᵀJ`` in direction v), so no forward-mode rules are needed.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..base import errors
from ..engine.record import constant
from ..handles.tensor import Tensor
from .grad_mode import enable_grad
from .gradients import grad


def _prepare(inputs: Any) -> tuple[bool, tuple[Tensor, ...]]:
    several = isinstance(inputs, (tuple, list))
    xs = tuple(inputs) if several else (inputs,)
    for x in xs:
        if not isinstance(x, Tensor):
            raise TypeError(
                errors.message(f"The inputs must be Tensors, but got {type(x).__name__}")
            )
    return several, xs


def _fresh(xs: tuple[Tensor, ...], create_graph: bool) -> tuple[Tensor, ...]:
    return tuple(
        x.view_as(x) if create_graph and x.requires_grad else x.detach().clone().requires_grad_()
        for x in xs
    )


def _zeros(g: Any, x: Tensor) -> Tensor:
    return constant(np.zeros(x.array.shape, x.array.dtype), x.node.dev) if g is None else g


def _check_sizes(vs: Any, like: Any) -> None:
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
    return values if several else values[0]


def _stack(rows: list[Tensor], shape: tuple[int, ...]) -> Tensor:
    from ..ops.join import stack

    return stack(rows).reshape(shape) if rows else constant(np.zeros(shape))


def jacobian(func: Callable[..., Any], inputs: Any, create_graph: bool = False) -> Any:
    """d func(inputs) / d inputs, of shape output.shape + input.shape (a tuple of them, per output
    and per input, if several).
    """
    several, xs = _prepare(inputs)
    xs = _fresh(xs, create_graph)
    with enable_grad():
        result = func(*xs)
    many = isinstance(result, (tuple, list))
    table = []
    for y in result if many else (result,):
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
            rows.append(tuple(_zeros(g, x) for g, x in zip(found, xs, strict=True)))
        table.append(
            _like(
                several,
                tuple(
                    _stack([r[i] for r in rows], (*y.array.shape, *x.array.shape))
                    for i, x in enumerate(xs)
                ),
            )
        )
    return _like(many, tuple(table))


def hessian(func: Callable[..., Any], inputs: Any, create_graph: bool = False) -> Any:
    """Second derivatives of a one-element function, of shape input.shape + input.shape."""
    several, xs = _prepare(inputs)

    def gradient(*args: Any) -> Any:
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
        return _like(several, tuple(_zeros(g, x) for g, x in zip(found, args, strict=True)))

    return jacobian(gradient, inputs if several else xs[0], create_graph)


def vjp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False
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
    return out, _like(several, tuple(_zeros(g, x) for g, x in zip(found, xs, strict=True)))


def jvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False
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
        product = (
            grad(total, u, create_graph=create_graph, allow_unused=True)[0]
            if total is not None
            else None
        )
    return (y if create_graph else _detached(y)), _zeros(product, y)


def vhp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False
) -> tuple[Any, Any]:
    """(func(inputs), vᵀH) of a one-element function."""
    return hvp(func, inputs, v, create_graph)


def hvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False
) -> tuple[Any, Any]:
    """(func(inputs), H v) of a one-element function:

    H is symmetric, so one extra reverse pass does it.
    """
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
        several, tuple(_zeros(g, x) for g, x in zip(found, xs, strict=True))
    )


def _detached(y: Any) -> Any:
    return tuple(t.detach() for t in y) if isinstance(y, (tuple, list)) else y.detach()
