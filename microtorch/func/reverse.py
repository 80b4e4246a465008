"""Derivatives backward through the graph: ``grad``, ``grad_and_value``, ``vjp``, ``jacrev``."""
from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..autograd import enable_grad, is_grad_enabled
from ..autograd.gradients import grad as gradients
from ..base.errors import message
from ..handles.tensor import Tensor
from ..kinds import trees
from ..kinds.vmap import vmap
from ..ops.surface import FUNCTIONS
from .arguments import (
    Argnums,
    Leaves,
    basis,
    chosen,
    depends_on_more,
    only_real,
    only_tensors,
    only_tensors_given,
    released,
    tracked,
    with_aux,
    zeros_like,
)
from .captured import own_memory

if TYPE_CHECKING:
    from ..base.types import Tree


def grad(func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Tree:
    """A function that computes the gradient of ``func``, which returns one number.

    With respect to argument ``argnums``, which may be a tensor or nested containers of tensors; of
    several, for a tuple of numbers. ``has_aux``: ``func`` returns (output, aux), and the result is
    (gradient, aux). May be nested: ``grad(grad(f))`` is the second derivative.
    """

    @functools.wraps(func)
    def gradient(*args: Tree, **kwargs: Tree) -> Tree:
        found = _grad_and_value(func, argnums, has_aux, args, kwargs)
        return (found[0], found[1][1]) if has_aux else found[0]

    return gradient


def grad_and_value(
    func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Tree:
    """As ``grad``, but for (gradient, output); with aux, (gradient, (output, aux))."""

    @functools.wraps(func)
    def both(*args: Tree, **kwargs: Tree) -> Tree:
        return _grad_and_value(func, argnums, has_aux, args, kwargs)

    return both


def _grad_and_value(
    func: Callable[..., Any], argnums: Argnums, has_aux: bool, args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> tuple[Any, Any]:  # fmt: skip
    start, recording, leaves = "grad_and_value(f)(*args)", is_grad_enabled(), Leaves()
    numbers = chosen(argnums, len(args))
    with enable_grad():
        inputs, xs, structure = _inputs(args, numbers, argnums, leaves)
        with own_memory((*_others(args, numbers), kwargs)):
            result = func(*inputs, **kwargs)
        output, aux = with_aux(result, has_aux, start)
        if not isinstance(output, Tensor):
            raise RuntimeError(
                message(f"{start}: Expected f(*args) to return a Tensor, got {type(output)}")
            )
        if output.array.ndim:
            raise RuntimeError(
                message(
                    f"{start}: Expected f(*args) to return a scalar Tensor, got tensor with "
                    f"{output.array.ndim} dims. Maybe you wanted to use the vjp or jacrev APIs "
                    "instead?"
                )
            )
        again = recording and depends_on_more([output], leaves)
        found = _gradients([output], xs, None, again, retain=again)
    gradient = trees.unflatten(found, structure)
    value = released(output, leaves, recording)
    if has_aux:
        aux = trees.mapped(lambda t: released(t, leaves, recording), aux)
        return gradient, (value, aux)
    return gradient, value


def _others(args: Sequence[Any], numbers: Sequence[int]) -> list[Any]:
    """The arguments that are not differentiated."""
    return [x for i, x in enumerate(args) if i not in numbers]


def _inputs(
    args: Sequence[Any], numbers: Sequence[int], argnums: Argnums | None, leaves: Leaves
) -> tuple[list[Any], list[Any], trees.Structure]:
    """The arguments, those that are differentiated as flat leaves, and the structure of these."""
    inputs = list(args)
    for i in numbers:
        inputs[i] = trees.mapped(lambda x: tracked(x, leaves), inputs[i])
    wanted = inputs[numbers[0]] if isinstance(argnums, int) else tuple([inputs[i] for i in numbers])
    xs, structure = trees.flatten(wanted)
    only_tensors_given(xs)
    return inputs, xs, structure


def _gradients(
    outputs: Sequence[Tensor], xs: Sequence[Tensor], seeds: Sequence[Tensor] | None,
    create_graph: bool, retain: bool,
) -> list[Tensor]:  # fmt: skip
    pairs = [(y, None if seeds is None else seeds[i]) for i, y in enumerate(outputs)]
    pairs = [(y, g) for y, g in pairs if y.node.needs]
    if not pairs:
        return [zeros_like(x) for x in xs]
    found = gradients(
        [y for y, _ in pairs], xs, [g for _, g in pairs], retain_graph=retain,
        create_graph=create_graph, allow_unused=True,
    )  # fmt: skip
    return [zeros_like(x) if g is None else g for g, x in zip(found, xs, strict=True)]


def vjp(func: Callable[..., Any], *primals: Tree, has_aux: bool = False) -> Tree:
    """(func(*primals), vjp_fn), with aux a third.

    ``vjp_fn(*cotangents)``, one in the form of the output, gives the vector-Jacobian products: one
    for a single primal, else a tuple. It may be called several times.
    """
    return vjp_of(func, primals, None, has_aux)


def vjp_of(
    func: Callable[..., Any], primals: tuple[Any, ...], argnums: Argnums | None, has_aux: bool
) -> Tree:
    """``vjp`` with respect to some of the arguments (None: all)."""
    start, recording, leaves = "vjp(f, *primals)", is_grad_enabled(), Leaves()
    numbers = range(len(primals)) if argnums is None else chosen(argnums, len(primals))
    with enable_grad():
        inputs, xs, structure = _inputs(primals, numbers, argnums, leaves)
        with own_memory(_others(primals, numbers)):
            result = func(*inputs)
        output, aux = with_aux(result, has_aux, start)
        outputs, form = trees.flatten(output)
        only_tensors(outputs, start)
        for y in outputs:
            if y.array.dtype.kind not in "fVc":
                raise RuntimeError(
                    message(
                        "vjp(f, ...): All outputs of f must be floating-point or complex Tensors, "
                        f"got Tensor with dtype {y.dtype}"
                    )
                )
        more = depends_on_more(outputs, leaves)

    def vjp_fn(
        cotangents: Tree, retain_graph: bool = True, create_graph: bool | None = None
    ) -> Tree:
        seeds, given = trees.flatten(cotangents)
        if given != form:
            raise RuntimeError(
                message(
                    "Expected pytree structure of cotangents to be the same as pytree structure of "
                    f"outputs to the function. cotangents: {given}, primal output: {form}"
                )
            )
        on = is_grad_enabled() if create_graph is None else create_graph
        on = on and (more or any(g.node.needs for g in seeds))
        found = _gradients(outputs, xs, seeds, on, retain=retain_graph)
        return trees.unflatten(found, structure)

    out = trees.mapped(lambda t: released(t, leaves, recording), output)
    if not has_aux:
        return out, vjp_fn
    return out, vjp_fn, trees.mapped(lambda t: released(t, leaves, recording), aux)


def jacrev(
    func: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False,
    chunk_size: int | None = None, _preallocate_and_copy: bool = False,
) -> Tree:  # fmt: skip
    """A function that computes the Jacobian of ``func``, one backward pass for each output element.

    Of shape output.shape + input.shape; in the form of the output, and within of the input. All
    passes run at once (vmap), or ``chunk_size`` of them.
    """
    if chunk_size is not None and chunk_size < 1:
        raise ValueError(message("jacrev: `chunk_size` should be greater than 0."))

    @functools.wraps(func)
    def jacobian(*args: Tree) -> Tree:
        numbers = chosen(argnums, len(args))
        wanted = args[numbers[0]] if isinstance(argnums, int) else tuple(args[i] for i in numbers)
        xs, structure = trees.flatten(wanted)
        only_tensors_given(xs)
        only_real("jacrev", "inputs", xs)
        output, vjp_fn, *aux = vjp_of(func, args, argnums, has_aux)
        outputs, form = trees.flatten(output)
        only_real("jacrev", "outputs", outputs)
        rows = trees.unflatten(basis(outputs), form)
        found = vmap(vjp_fn, chunk_size=chunk_size)(rows)
        flat = trees.flatten(found)[0]  # (rows, *input.shape) for each input
        sizes = [y.array.size for y in outputs]
        out = []
        parts = [FUNCTIONS["split"](g, sizes, 0) for g in flat]
        for i, y in enumerate(outputs):
            blocks = [
                p[i].reshape(*y.array.shape, *x.array.shape) for p, x in zip(parts, xs, strict=True)
            ]
            out.append(trees.unflatten(blocks, structure))
        result = trees.unflatten(out, form)
        return (result, aux[0]) if has_aux else result

    return jacobian
