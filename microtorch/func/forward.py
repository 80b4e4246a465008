"""Derivatives forward, on dual numbers: ``jvp``, ``linearize``, ``jacfwd``; and ``hessian``."""
from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..autograd.forward_ad import paired, unpacked
from ..base.errors import message
from ..handles.tensor import Tensor
from ..kinds import trees
from ..kinds.dual import Dual
from ..kinds.level import Level, entered
from ..kinds.vmap import vmap
from ..ops.surface import FUNCTIONS
from .arguments import (
    Argnums,
    basis,
    chosen,
    only_real,
    only_tensors,
    only_tensors_given,
    with_aux,
    zeros_like,
)
from .captured import own_memory
from .reverse import jacrev

if TYPE_CHECKING:
    from ..base.types import Tree

START = "jvp(f, primals, tangents)"


def jvp(
    func: Callable[..., Any], primals: Tree, tangents: Tree, *, strict: bool = False,
    has_aux: bool = False,
) -> Tree:  # fmt: skip
    """(func(*primals), J · tangents), with aux a third: the derivative in one direction.

    ``primals`` and ``tangents`` are tuples of the same form. ``strict``: raise RuntimeError for an
    output that does not depend on the inputs; else its derivative is zeros.
    """
    return jvp_of(func, primals, tangents, None, strict, has_aux)


def jvp_of(
    func: Callable[..., Any], primals: Tree, tangents: Tree, argnums: Argnums | None, strict: bool,
    has_aux: bool,
) -> Tree:  # fmt: skip
    """``jvp`` in a direction of some of the arguments (None: all)."""
    if not isinstance(primals, tuple):
        raise RuntimeError(
            message(
                f"{START}: Expected primals to be a tuple. E.g. it should be valid to call "
                "f(*primals)."
            )
        )
    numbers = range(len(primals)) if argnums is None else chosen(argnums, len(primals))
    xs, form = trees.flatten(tuple([primals[i] for i in numbers]))
    ts, given = trees.flatten(tangents)
    if form != given:
        raise RuntimeError(
            message(
                f"{START}: Expected primals and tangents to have the same python structure. For "
                "example, if primals is a tuple of 3 tensors, tangents also must be. Got primals "
                f"with structure {form} and tangents with structure {given}"
            )
        )
    for values, name in ((xs, "primals"), (ts, "tangents")):
        if not values:
            raise RuntimeError(message(f"{START}: Expected {name} to contain at least one Tensor."))
        for v in values:
            if not isinstance(v, Tensor):
                raise RuntimeError(
                    message(f"{START}: Expected {name} to only contain Tensors, got {type(v)}")
                )
    with entered(Dual) as level:
        duals = trees.unflatten([paired(x, t, level) for x, t in zip(xs, ts, strict=True)], form)
        inputs = list(primals)
        for i, d in zip(numbers, duals, strict=True):
            inputs[i] = d
        with own_memory(inputs):
            result = func(*inputs)
        output, aux = with_aux(result, has_aux, START)
        outputs, structure = trees.flatten(output)
        only_tensors(outputs, START)
        parts = [_parts(y, level, strict) for y in outputs]
        if has_aux:
            aux = trees.mapped(lambda t: _parts(t, level)[0] if isinstance(t, Tensor) else t, aux)
    out = tuple([trees.unflatten([p[k] for p in parts], structure) for k in (0, 1)])
    return (*out, aux) if has_aux else out


def _parts(y: Tensor, level: Level, strict: bool = False) -> tuple[Tensor, Tensor]:
    """The primal value and the tangent of an output."""
    primal, tangent = unpacked(y, level)
    if tangent is not None:
        return primal, tangent
    if strict:
        raise RuntimeError(
            message(
                "jvp(f, primals, tangents, strict=True): The output of f is independent of the "
                "inputs. This is not allowed with strict=True."
            )
        )
    return primal, zeros_like(primal)


def linearize(func: Callable[..., Any], *primals: Tree) -> tuple[Any, Callable[..., Any]]:
    """(func(*primals), jvp_fn): ``jvp_fn(*tangents)`` is J · tangents at the primals.

    Each call of ``jvp_fn`` runs ``func`` anew.
    """

    def jvp_fn(*tangents: Tree) -> Tree:
        return jvp(func, primals, tangents)[1]

    return func(*primals), jvp_fn


def jacfwd(
    func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False, *,
    randomness: str = "error",
) -> Tree:  # fmt: skip
    """A function that computes the Jacobian of ``func``, one forward pass for each input element.

    Of shape output.shape + input.shape; in the form of the output, and within of the input. All
    passes run at once (vmap).
    """

    @functools.wraps(func)
    def jacobian(*args: Tree) -> Tree:
        numbers = chosen(argnums, len(args))
        xs, form = trees.flatten(tuple([args[i] for i in numbers]))
        only_tensors_given(xs)
        only_real("jacfwd", "inputs", xs)
        rows = trees.unflatten(basis(xs), form)

        def push(directions: Tree) -> Tree:
            found = jvp_of(func, args, directions, argnums, False, has_aux)
            return (found[1], found[2]) if has_aux else found[1]

        found = vmap(push, randomness=randomness)(rows)
        aux = None
        if has_aux:
            found, aux = found
            aux = trees.mapped(lambda t: t[0], aux)
        outputs, structure = trees.flatten(found)
        only_real("jacfwd", "outputs", outputs)
        sizes = [x.array.size for x in xs]
        out = []
        for y in outputs:
            blocks = FUNCTIONS["split"](y.movedim(0, -1), sizes, -1)
            shaped = [
                b.reshape(*b.array.shape[:-1], *x.array.shape)
                for b, x in zip(blocks, xs, strict=True)
            ]
            block = trees.unflatten(shaped, form)
            out.append(block[0] if isinstance(argnums, int) else block)
        result = trees.unflatten(out, structure)
        return (result, aux) if has_aux else result

    return jacobian


def hessian(func: Callable[..., Any], argnums: Argnums = 0) -> Tree:
    """A function that computes the second derivatives: the forward Jacobian of the backward one."""
    return jacfwd(jacrev(func, argnums), argnums)
