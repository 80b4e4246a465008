"""``torch.autograd.functional``: Jacobians, Hessians and their products with vectors.

Reverse mode is ``autograd.grad``, one pass for each row of a Jacobian, or all passes at once
(``vectorize=True``: vmap). Forward mode (``strategy="forward-mode"``) is one pass for each column,
on dual numbers. ``jvp`` and ``hvp`` take two reverse passes: J v is the derivative of ``u -> uᵀJ``
in direction v. With ``strict=True`` an independence that would give zeros raises RuntimeError.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..base import errors
from ..engine.record import constant
from ..handles.tensor import Tensor
from ..kinds.dual import Dual
from ..kinds.level import entered, lifted_to_all
from ..kinds.vmap import vmap
from ..ops.join import stack
from .forward_ad import paired, unpacked
from .grad_mode import enable_grad
from .gradients import grad

if TYPE_CHECKING:
    from ..base.types import Tree

Tensors: TypeAlias = Tensor | tuple[Tensor, ...]  # one or several, as the user likes
STRICT = "This is not allowed in strict mode."
OUTPUTS = "outputs of the user-provided function"


# ---- arguments and results -----------------------------------------------------------------------
def _tuple(given: Tree, what: str, name: str) -> tuple[bool, tuple[Tensor, ...]]:
    """Is a tuple given? And the tensors, checked."""
    several = isinstance(given, tuple)
    for i, x in enumerate(given if several else (given,)):
        if not isinstance(x, Tensor):
            which = f"value at index {i}" if several else f"given {what}"
            raise TypeError(
                errors.message(
                    f"The {what} given to {name} must be either a Tensor or a tuple of Tensors but "
                    f"the {which} has type {type(x)}."
                )
            )
    return several, given if several else (given,)


@enable_grad()  # under no_grad, too
def _fresh(xs: Sequence[Tensor], create_graph: bool) -> tuple[Tensor, ...]:
    """Leaves to differentiate at; under create_graph, views, so that the user's graph continues."""
    xs = [lifted_to_all(x) for x in xs]
    return tuple(
        x.view_as(x) if create_graph and x.requires_grad else _leaf(x) for x in xs
    )


def _leaf(x: Tensor) -> Tensor:
    """A leaf of the same values, and of the same tangents, which detach() would drop."""
    return constant(x.array, x.node.dev).clone().requires_grad_()


def _vectors(v: Tensors, name: str, like: Sequence[Tensor], several: bool) -> tuple[Tensor, ...]:
    """The vectors, each in the shape of what it is multiplied with."""
    vs = _tuple(v, "v", name)[1]
    if len(vs) != len(like):
        text = "The given v should contain a single Tensor."
        if several:
            text = f"v is a tuple of invalid length: should be {len(like)} but got {len(vs)}."
        raise RuntimeError(errors.message(text))
    for i, (v, x) in enumerate(zip(vs, like, strict=True)):
        if v.array.shape != x.array.shape:
            raise RuntimeError(
                errors.message(
                    f"{f'Entry {i} in ' if several else ''}v has invalid size: should be {x.shape} "
                    f"but got {v.shape}."
                )
            )
    return vs


def _ones(name: str, xs: Sequence[Tensor], whose: str) -> tuple[Tensor, ...]:
    """The vector that stands for a missing one: of one element."""
    if len(xs) != 1 or xs[0].array.size != 1:
        raise RuntimeError(
            errors.message(
                f"The vector v can only be None if {whose} a single Tensor with a single element.",
                fix=f"{name}(func, inputs, v)",
            )
        )
    return (constant(xs[0].node.dev.array(np.ones_like(xs[0].array)), xs[0].node.dev),)


def _zeros(x: Tensor) -> Tensor:
    return constant(x.node.dev.array(np.zeros(x.array.shape, x.array.dtype)), x.node.dev)


def _refuse(text: str) -> None:
    raise RuntimeError(errors.message(text))


def _filled(
    grads: Sequence[Tensor | None], like: Sequence[Tensor], strict: bool, create_graph: bool,
    none: str, of: str = "jacobian",
) -> tuple[Tensor, ...]:  # fmt: skip
    """Zeros in place of None; in strict mode the error ``none``, with the place filled in."""
    out = []
    for i, (g, x) in enumerate(zip(grads, like, strict=True)):
        if strict and g is None:
            _refuse(f"{none.format(i)} {STRICT}")
        if strict and create_graph and g is not None and not g.requires_grad:
            _refuse(
                f"The {of} of the user-provided function is independent of input {i}. This is not "
                "allowed in strict mode when create_graph=True."
            )
        out.append(_zeros(x) if g is None else g)
    return tuple(out)


def _check_outputs(ys: Sequence[Tensor], strict: bool) -> None:
    for i, y in enumerate(ys):
        if strict and not y.requires_grad:
            _refuse(
                f"Output {i} of the user-provided function does not require gradients. The outputs "
                "must be computed in a differentiable manner from the input when running in strict "
                "mode."
            )


def _grads(
    ys: Sequence[Tensor | None], xs: Sequence[Tensor], vs: Sequence[Tensor | None] | None = None,
    **options: Any,
) -> tuple[Any, ...]:  # fmt: skip
    """``autograd.grad`` of the outputs that depend on anything."""
    pairs = [
        (y, v) for y, v in zip(ys, vs or [None] * len(ys), strict=True)
        if y is not None and y.requires_grad
    ]  # fmt: skip
    if not pairs:
        return (None,) * len(xs)
    outputs, seeds = zip(*pairs, strict=True)
    return grad(outputs, xs, seeds, allow_unused=True, **options)


def _finished(values: Sequence[Tensor], several: bool, create_graph: bool) -> Tree:
    """Results as the user gets them: without graph unless asked for, alone if only one was given.
    """
    out = tuple(values if create_graph else [constant(t.array, t.node.dev) for t in values])
    return out if several else out[0]


# ---- products with vectors -----------------------------------------------------------------------
def vjp(
    func: Callable[..., Any], inputs: Tensors, v: Tensors | None = None,
    create_graph: bool = False, strict: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """(func(inputs), vᵀJ); ``v`` in the shape of the outputs, None if this is one number."""
    several, xs = _tuple(inputs, "inputs", "vjp")
    xs = _fresh(xs, create_graph)
    with enable_grad():
        many, ys = _tuple(func(*xs), OUTPUTS, "vjp")
        _check_outputs(ys, strict)
    if v is None:
        vs = _ones("vjp", ys, "the user-provided function returns")
    else:
        vs = _vectors(v, "vjp", ys, many)
    found = _grads(ys, xs, vs, create_graph=create_graph)
    none = "The output of the user-provided function is independent of input {}."
    product = _filled(found, xs, strict, create_graph, none)
    return _finished(ys, many, create_graph), _finished(product, several, create_graph)


def jvp(
    func: Callable[..., Any], inputs: Tensors, v: Tensors | None = None,
    create_graph: bool = False, strict: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """(func(inputs), J v): the derivative of func in direction v, which has the inputs' shape."""
    several, xs = _tuple(inputs, "inputs", "jvp")
    xs = _fresh(xs, create_graph)
    if v is None:
        vs = _ones("jvp", xs, "the input to the user-provided function is")
    else:
        vs = _vectors(v, "jvp", xs, several)
    with enable_grad():
        many, ys = _tuple(func(*xs), OUTPUTS, "jvp")
        _check_outputs(ys, strict)
        us = [_zeros(y).requires_grad_() for y in ys]
        rows = _grads(ys, xs, us, create_graph=True)
        for i, row in enumerate(rows):
            if strict and row is None:
                _refuse(
                    "The output of the user-provided function is independent of input "
                    f"{i}. {STRICT}"
                )
            if strict and not row.requires_grad:
                _refuse(
                    f"The gradient with respect to input {i} is independent of the inputs of the "
                    f"user-provided function. {STRICT}"
                )
        found = _grads(rows, us, vs, create_graph=create_graph)
    none = (
        "The gradient with respect to the input is independent of entry {} in the grad_outputs "
        "when using the double backward trick to compute forward mode gradients."
    )
    product = _filled(found, ys, strict, create_graph, none)
    return _finished(ys, many, create_graph), _finished(product, many, create_graph)


def vhp(
    func: Callable[..., Any], inputs: Tensors, v: Tensors | None = None,
    create_graph: bool = False, strict: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """(func(inputs), vᵀH) of a one-element function."""
    return _hessian_product("vhp", func, inputs, v, create_graph, strict)


def hvp(
    func: Callable[..., Any], inputs: Tensors, v: Tensors | None = None,
    create_graph: bool = False, strict: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """(func(inputs), H v) of a one-element function; H is symmetric, so it is vᵀH."""
    return _hessian_product("hvp", func, inputs, v, create_graph, strict)


def _hessian_product(
    name: str, func: Callable[..., Any], inputs: Tensors, v: Tensors | None, create_graph: bool,
    strict: bool,
) -> tuple[Any, Any]:  # fmt: skip
    several, xs = _tuple(inputs, "inputs", name)
    xs = _fresh(xs, create_graph)
    if v is None:
        vs = _ones(name, xs, "the input to the user-provided function is")
    else:
        vs = _vectors(v, name, xs, several)
    with enable_grad():
        y = _one_number(name, func(*xs), strict)
        first = _grads([y], xs, create_graph=True)
        _check_first(first, strict)
        found = _grads(first, xs, vs, create_graph=create_graph)
    none = "The jacobian of the user-provided function is independent of input {}."
    product = _filled(found, xs, strict, create_graph, none, "hessian")
    return _finished([y], False, create_graph), _finished(product, several, create_graph)


def _check_first(first: Sequence[Tensor | None], strict: bool) -> None:
    for i, g in enumerate(first):
        if strict and g is None:
            _refuse(
                f"The output of the user-provided function is independent of input {i}. {STRICT}"
            )
        if strict and g is not None and not g.requires_grad:
            _refuse(
                "While computing the hessian, found that the jacobian of the user-provided "
                f"function with respect to input {i} is independent of the input. This is not "
                "allowed in strict mode. You should ensure that your function is twice "
                "differentiable and that the jacobian depends on the inputs (this would be "
                "violated by a linear function for example)."
            )


def _one_number(name: str, y: Tree, strict: bool) -> Tensor:
    many, ys = _tuple(y, OUTPUTS, name)
    _check_outputs(ys, strict)
    if many:
        _refuse(f"The function given to {name} should return a single Tensor")
    if ys[0].array.size != 1:
        _refuse(
            f"The Tensor returned by the function given to {name} should contain a single element"
        )
    return ys[0].reshape(())


# ---- Jacobians -----------------------------------------------------------------------------------
def jacobian(
    func: Callable[..., Any], inputs: Tensors, create_graph: bool = False, strict: bool = False,
    vectorize: bool = False, strategy: str = "reverse-mode",
) -> Tree:  # fmt: skip
    """d func(inputs) / d inputs, of shape output.shape + input.shape.

    Several inputs give a tuple with one for each; several outputs, a tuple of those. ``vectorize``:
    all passes at once. ``strategy``: "reverse-mode", or (with ``vectorize``) "forward-mode".
    """
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(
            'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your '
            'function has more outputs than inputs, "forward-mode" tends to be more performant. '
            'Otherwise, prefer to use "reverse-mode".'
        )
    several, xs = _tuple(inputs, "inputs", "jacobian")
    start = "torch.autograd.functional.jacobian: "
    if strategy == "forward-mode":
        if create_graph:
            raise NotImplementedError(
                f'{start}`create_graph=True` and `strategy="forward-mode"` are not supported '
                "together (yet). Please either set `create_graph=False` or "
                '`strategy="reverse-mode"`.'
            )
        if strict:
            raise RuntimeError(
                f'{start}`strict=True` and `strategy="forward-mode"` are not supported together '
                '(yet). Please either set `strict=False` or `strategy="reverse-mode"`.'
            )
        if not vectorize:
            raise NotImplementedError(
                "Computing Jacobian using forward-AD or forward-over-reverse Hessian is"
                "only implemented for `vectorize=True`."
            )
        return _forward(func, xs, several)
    xs = _fresh(xs, create_graph)
    with enable_grad():
        many, ys = _tuple(func(*xs), OUTPUTS, "jacobian")
        _check_outputs(ys, strict)
        if strict and vectorize:
            raise RuntimeError(
                f"{start}`strict=True` and `vectorized=True` are not supported together. Please "
                "either set `strict=False` or `vectorize=False`."
            )
        rows_of = _rows_at_once if vectorize else _rows
        blocks = [
            _finished(rows_of(i, y, xs, create_graph, strict), several, create_graph)
            for i, y in enumerate(ys)
        ]
    return tuple(blocks) if many else blocks[0]


def _rows(
    i: int, y: Tensor, xs: Sequence[Tensor], create_graph: bool, strict: bool
) -> list[Tensor]:
    """dy/dx for each x: one backward for each element of y, output number ``i``."""
    rows = []
    for seed in _unit_rows(y):
        found = _grads([y], xs, [seed], retain_graph=True, create_graph=create_graph)
        for k, g in enumerate(found):
            if strict and g is None:
                _refuse(
                    f"Output {i} of the user-provided function is independent of input {k}. "
                    f"{STRICT}"
                )
            if strict and create_graph and not g.requires_grad:
                _refuse(
                    "The jacobian of the user-provided function is independent of input "
                    f"{i}. This is not allowed in strict mode when create_graph=True."
                )
        rows.append([_zeros(x) if g is None else g for g, x in zip(found, xs, strict=True)])
    return [
        _shaped([row[k] for row in rows], (*y.array.shape, *x.array.shape), x)
        for k, x in enumerate(xs)
    ]


def _shaped(rows: list[Tensor], shape: tuple[int, ...], x: Tensor) -> Tensor:
    if not rows:
        return constant(np.zeros(shape, x.array.dtype))
    return stack(rows).reshape(shape)


def _rows_at_once(
    i: int, y: Tensor, xs: Sequence[Tensor], create_graph: bool, strict: bool
) -> list[Tensor]:
    shapes = [(*y.array.shape, *x.array.shape) for x in xs]
    if not y.requires_grad or not y.array.size:
        return [constant(np.zeros(s, x.array.dtype)) for s, x in zip(shapes, xs, strict=True)]
    found = grad(
        y, xs, _unit_rows(y), retain_graph=True, create_graph=create_graph, allow_unused=True,
        is_grads_batched=True,
    )  # fmt: skip
    return [
        constant(np.zeros(s, x.array.dtype)) if g is None else g.reshape(s)
        for g, s, x in zip(found, shapes, xs, strict=True)
    ]


def _unit_rows(x: Tensor) -> Tensor:
    """For each element a tensor in the shape of ``x``: 1 there, 0 elsewhere."""
    n = x.array.size
    return constant(np.eye(n, dtype=x.array.dtype).reshape((n, *x.array.shape)))


def _forward(func: Callable[..., Any], xs: Sequence[Tensor], several: bool) -> Tree:
    """The Jacobian by one forward pass for each element of each input, all at once."""
    form: list[bool] = []
    columns: list[Any] = []
    for k, x in enumerate(xs):

        def along(direction: Tensor, k: int = k) -> tuple[Tensor, ...]:
            with entered(Dual) as level:
                given = [
                    paired(x, direction if i == k else _zeros(x), level) for i, x in enumerate(xs)
                ]
                many, ys = _tuple(func(*given), OUTPUTS, "jacobian")
                form.append(many)
                parts = [unpacked(y, level) for y in ys]
                return tuple([_zeros(p) if t is None else t for p, t in parts])

        found = vmap(along, out_dims=-1)(_unit_rows(x))
        columns.append([y.reshape(*y.array.shape[:-1], *x.array.shape) for y in found])
    out = [block if several else block[0] for block in zip(*columns, strict=True)]
    return tuple(out) if form[0] else out[0]


def hessian(
    func: Callable[..., Any], inputs: Tensors, create_graph: bool = False, strict: bool = False,
    vectorize: bool = False, outer_jacobian_strategy: str = "reverse-mode",
) -> Tree:  # fmt: skip
    """The second derivatives of a one-element function, of shape input.shape + input.shape.

    ``outer_jacobian_strategy``: how the Jacobian of the gradient is computed, as in ``jacobian``.
    """
    several, xs = _tuple(inputs, "inputs", "hessian")
    if outer_jacobian_strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(
            'Expected strategy to be either "forward-mode" or "reverse-mode".'
        )

    def gradient(*args: Tensor) -> Tree:
        args = _fresh(args, True)
        with enable_grad():
            y = _one_number("hessian", func(*args), strict)
            found = _grads([y], args, create_graph=True)
        _check_first(found, strict)
        out = tuple(_zeros(x) if g is None else g for g, x in zip(found, args, strict=True))
        return out if several else out[0]

    return jacobian(
        gradient, xs if several else xs[0], create_graph, strict, vectorize,
        outer_jacobian_strategy,
    )  # fmt: skip
