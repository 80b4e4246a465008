"""Gradient checking: analytic derivatives against central finite differences.

    numeric[j] = (f(x + eps e_j) - f(x - eps e_j)) / (2 eps)

A complex number counts as two real ones, its parts: the real and the imaginary part of each result
are differentiated by the real and by the imaginary part of each input.

``gradgradcheck`` applies the same to the function that computes the gradients, and so checks second
derivatives.
"""
from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..arrays.dtypes import real_parts
from ..backends import host
from ..base import errors
from ..engine.record import constant
from ..handles.tensor import Tensor
from .grad_mode import enable_grad, no_grad

if TYPE_CHECKING:
    from ..base.types import Argument, Array
    from ..handles.scalar import Scalar

Inputs: TypeAlias = "Tensor | Scalar | Sequence[Any]"  # what func takes: all of it, or one


def grad(*arguments: Argument, **options: Argument) -> Argument:
    """``torch.autograd.grad``, whose file, and that of backward, is imported when first needed."""
    from . import gradients

    return gradients.grad(*arguments, **options)


class GradcheckError(RuntimeError):
    """An analytic gradient differs from the numeric one; the message says where and how much."""


def gradcheck(
    func: Callable[..., Any],
    inputs: Inputs,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Do the gradients of ``func(*inputs)`` agree with finite differences of step ``eps``?

    ``check_forward_ad``: compare the derivatives of forward mode, too. ``check_backward_ad=False``:
    only these. ``check_batched_grad``: compare gradients for several vectors at once with those
    one by one.

    If not, RuntimeError (or False) names output, input, element, numeric and analytic value of the
    worst mismatch. So do other faults: no output carries a gradient, but they change; the gradient
    is not 0 where that of the output is; two times backward differ by more than ``nondet_tol``.
    ValueError means that no input requires gradient. UserWarning: an input is not in double
    precision; in float32 differences of a small step drown in its rounding error.
    """
    try:
        _check(
            func, _tuple(inputs), eps, atol, rtol, check_backward_ad, check_forward_ad,
            check_batched_grad, nondet_tol,
        )  # fmt: skip
    except (GradcheckError, ValueError):
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Inputs,
    grad_outputs: Inputs | None = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """gradcheck of the gradients of ``func``: second derivatives.

    Each gradient that carries none itself must not change. ``grad_outputs`` default to fixed random
    numbers. ``check_fwd_over_rev``: these derivatives by forward mode, too;
    ``check_rev_over_rev=False``: only so.
    """
    inputs = _tuple(inputs)
    with enable_grad():
        outputs = _outputs(func(*inputs))
    rng = np.random.default_rng(0)
    if grad_outputs is None:
        seeds = tuple(
            constant(_random(rng, y), y.node.dev).requires_grad_()
            for y in outputs
        )
    else:
        seeds = _tuple(grad_outputs)
    n = len(inputs)
    chosen = [i for i, x in enumerate(inputs) if _needs(x)]

    def gradients(*args: Any) -> tuple[Tensor, ...]:
        xs, gs = args[:n], args[n:]
        ys = _outputs(func(*xs))
        found = grad(ys, [xs[i] for i in chosen], gs, create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None) or (xs[chosen[0]] * 0,)

    settings: dict[str, Any] = {"eps": eps, "atol": atol, "rtol": rtol}
    settings["raise_exception"] = raise_exception
    if not outputs:  # what func computes has no gradient, and need not have one
        return gradcheck(func, inputs, **settings)
    try:
        with enable_grad():
            _check_unchanging(gradients, (*inputs, *seeds), eps)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return gradcheck(
        gradients, (*inputs, *seeds), **settings, nondet_tol=nondet_tol,
        check_batched_grad=check_batched_grad, check_forward_ad=check_fwd_over_rev,
        check_backward_ad=check_rev_over_rev,
    )  # fmt: skip


def _tuple(inputs: Inputs) -> tuple[Any, ...]:
    return tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)


def _random(rng: np.random.Generator, like: Tensor) -> Array:
    """Normal random numbers in the shape of ``like``, complex if it is."""
    out: Array = np.asarray(rng.standard_normal(like.array.shape))
    return out + 1j * rng.standard_normal(out.shape) if like.is_complex() else out


def _needs(x: object) -> bool:
    return isinstance(x, Tensor) and x.requires_grad


def _results(result: object) -> list[Tensor]:
    """All outputs as Tensors. Raises AttributeError for anything else, as PyTorch does."""
    from ..handles.scalar import Scalar  # when first needed

    found = []
    for k, y in enumerate(result if isinstance(result, (tuple, list)) else [result]):
        y = Scalar.stack([y]) if isinstance(y, Scalar) else y
        if not isinstance(y, Tensor):
            what = f"'{type(y).__name__}' object has no attribute 'requires_grad'"
            raise AttributeError(errors.message(what, f"output {k} of func is no tensor"))
        found.append(y)
    return found


def _outputs(result: object) -> list[Tensor]:
    """The outputs that carry a gradient."""
    return [y for y in _results(result) if y.requires_grad]


def _constants(result: object) -> list[Tensor]:
    """The outputs that could carry a gradient, and do not."""
    number = [y for y in _results(result) if y.is_floating_point() or y.is_complex()]
    return [y for y in number if not y.requires_grad]


def _check(
    func: Callable[..., Any], inputs: tuple[Any, ...], eps: float, atol: float, rtol: float,
    backward: bool = True, forward: bool = False, batched: bool = False, nondet_tol: float = 0.0,
) -> None:  # fmt: skip
    chosen = [(i, x) for i, x in enumerate(inputs) if _needs(x)]
    if not chosen:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of them "
            "have requires_grad=True."
        )
    for i, x in chosen:
        if x.array.dtype not in (np.float64, np.complex128):
            errors.warn(
                f"gradcheck: input {i} is {errors.describe(x)}; finite differences of step {eps:g} "
                "drown in its rounding error. Use double precision: "
                "x.double().detach().requires_grad_()",
            )
        if 0 in x.stride() and x.numel() > 1:
            raise GradcheckError(
                f"The {i}th input has a dimension with stride 0. gradcheck only supports inputs "
                "that are non-overlapping to be able to compute the numerical gradients correctly. "
                "Call .contiguous() on the input before passing it to gradcheck."
            )
    from .gradcheck_modes import batched_as_single, forward_jacobian  # they need kinds of numbers

    with enable_grad():
        outputs = _outputs(func(*inputs))
    if not outputs:
        _check_unchanging(func, inputs, eps)
    columns = {i: forward_jacobian(func, inputs, i, _outputs) for i, _ in chosen if forward}
    for k, y in enumerate(outputs):
        if batched and (where := batched_as_single(y, [x for _, x in chosen])):
            raise GradcheckError(f"gradients computed at once (vmap) differ: output {k}, {where}")
        for i, x in chosen if forward else ():
            numeric = _numeric(func, inputs, x, k, eps, y)
            _compare(numeric, columns[i][k], k, i, x, y, atol, rtol)
        if not backward:
            continue
        analytic = _analytic(y, [x for _, x in chosen])
        again = _analytic(y, [x for _, x in chosen])
        for (i, x), a, b in zip(chosen, analytic, again, strict=True):
            numeric = _numeric(func, inputs, x, k, eps, y)
            _compare(numeric, a, k, i, x, y, atol, rtol)
            if np.nanmax(np.abs(a - b), initial=0) > nondet_tol:
                raise GradcheckError(
                    "Backward is not reentrant, i.e., running backward with same input and "
                    "grad_output multiple times gives different values, although analytical "
                    f"gradient matches numerical gradient: output {k}, input {i}. "
                    f"The tolerance for nondeterminism was {nondet_tol}."
                )
    if backward and outputs:
        _check_proportional(outputs, chosen)


def _check_unchanging(func: Callable[..., Any], inputs: tuple[Any, ...], eps: float) -> None:
    """Raise if an output that carries no gradient changes with an input that asks for one."""
    for k, y in enumerate(_constants(func(*inputs))):
        for i, x in enumerate(inputs):
            if _needs(x) and _numeric(func, inputs, x, k, eps, y, _constants).any():
                raise GradcheckError(
                    "Numerical gradient for function expected to be zero: "
                    f"{errors.describe(y)} carries no gradient, but changes with input {i}"
                )


def _check_proportional(outputs: list[Tensor], chosen: list[tuple[int, Tensor]]) -> None:
    """Raise if a gradient is not 0 where those of the outputs are."""
    zeros = [constant(np.zeros_like(host(y.array)), y.node.dev) for y in outputs]
    found = grad(outputs, [x for _, x in chosen], zeros, retain_graph=True, allow_unused=True)
    for (i, _), g in zip(chosen, found, strict=True):
        if g is not None and host(g.array).any():  # NaN is not 0 either
            raise GradcheckError(
                f"backward not multiplied by grad_output: the gradient of input {i} is not 0 where "
                "those of all outputs are"
            )


def _analytic(y: Tensor, xs: Sequence[Tensor]) -> list[Array]:
    """Jacobians dy/dx as arrays (parts of y, parts of x): one backward per part of the output."""
    n = len(real_parts(host(y.array)))
    jacobians = [np.zeros((n, len(real_parts(host(x.array))))) for x in xs]
    for j in range(n):
        seed = np.zeros(y.array.size, y.array.dtype)
        real_parts(seed)[j] = 1
        found = grad(
            y,
            xs,
            constant(seed.reshape(y.array.shape), y.node.dev),
            retain_graph=True,
            allow_unused=True,
        )
        for jacobian, g in zip(jacobians, found, strict=True):
            if g is not None:
                jacobian[j] = real_parts(host(g.array))
    return jacobians


def _numeric(
    func: Callable[..., Any], inputs: tuple[Any, ...], x: Tensor, k: int, eps: float, like: Tensor,
    outputs: Callable[[Any], list[Tensor]] = _outputs,
) -> Array:  # fmt: skip
    """The same Jacobian by central differences, moving the elements of x in place and back.

    Of the k-th of ``outputs``, which is a tensor as ``like`` is.
    """
    units = (eps, eps * 1j) if x.is_complex() else (eps,)
    jacobian = np.zeros((len(real_parts(host(like.array))), len(units) * x.array.size))

    def value() -> Array:
        """func may itself call autograd.grad."""
        with enable_grad():
            y = outputs(func(*inputs))[k]
        with no_grad():
            return real_parts(host(y.array)).copy()

    steps = itertools.product(np.ndindex(x.array.shape), units)
    for j, (place, step) in enumerate(steps):
        old = x.array[place].copy()
        x.array[place] = old + step
        up = value()
        x.array[place] = old - step
        down = value()
        x.array[place] = old
        jacobian[:, j] = (up - down) / (2 * eps)
    return jacobian


def _place(t: Tensor, part: int) -> tuple[Any, str]:
    """The index of the element that a part belongs to, and which part it is."""
    which = ""
    if t.is_complex():
        part, second = divmod(part, 2)
        which = (".real", ".imag")[second]
    at = np.unravel_index(part, t.array.shape) if t.array.ndim else ()
    return tuple(int(v) for v in at), which


def _compare(
    numeric: Array, analytic: Array, k: int, i: int, x: Tensor, y: Tensor, atol: float, rtol: float
) -> None:
    wrong = ~np.isclose(analytic, numeric, rtol=rtol, atol=atol, equal_nan=True)
    if not wrong.any():
        return
    worst = np.unravel_index(
        np.argmax(np.where(wrong, np.abs(analytic - numeric), -1)), wrong.shape
    )
    out_at, out_part = _place(y, int(worst[0]))
    in_at, in_part = _place(x, int(worst[1]))
    raise GradcheckError(
        f"Jacobian mismatch for output {k} with respect to input {i}: {int(wrong.sum())} of "
        f"{wrong.size} entries differ.\n"
        f"  worst: d output{k}{list(out_at)}{out_part} / d input{i}{list(in_at)}{in_part} at input "
        f"value {host(x.array)[in_at]:g}\n"
        f"  numerical: {numeric[worst]:.9g}\n"
        f"  analytical: {analytic[worst]:.9g}\n"
        f"  output {k} is {errors.describe(y)}, made by {y.node.name()} at {y.node.where()}"
    )
