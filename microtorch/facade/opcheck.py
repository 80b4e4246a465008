"""``torch.library.opcheck``: is a custom op what its schema and its derivative say?"""
from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays.dtypes import complex128, float64
from ..autograd.grad_mode import no_grad
from ..autograd.gradcheck import gradcheck
from ..autograd.gradients import grad
from ..base.errors import message
from ..handles.tensor import Tensor
from ..kinds import trees
from ..static import compile
from .op_names import find
from .testing import assert_close

if TYPE_CHECKING:
    from ..base.types import Argument, Array, Tree
    from .operators import CustomOpDef

TESTS = (
    "test_schema", "test_autograd_registration", "test_faketensor", "test_aot_dispatch_dynamic"
)  # fmt: skip
CALLS = 4  # of a compiled function; from the third on its program runs


class OpCheckError(Exception):
    """A test of ``opcheck`` failed."""


def opcheck(
    op: str | CustomOpDef, args: tuple[Argument, ...], kwargs: Mapping[str, Argument] | None = None,
    *, test_utils: str | Sequence[str] = TESTS, raise_exception: bool = True,
) -> dict[str, Any]:  # fmt: skip
    """Run tests of an op on these arguments: {name of the test: "SUCCESS", or what it raised}.

    ``test_schema``: it writes to what its schema marks, and to nothing else. ``test_faketensor``:
    the function that ``register_fake`` was given returns outputs of the same shapes and dtypes.
    ``test_autograd_registration``: there is a derivative if an input requires grad.
    ``test_aot_dispatch_dynamic``: gradients under torch.compile are the same. Not asked for by
    default, as in PyTorch: ``test_gradients``, does the derivative agree with finite differences,
    in float64? Raises OpCheckError for the first that fails.
    """
    found, named = find(op), dict(kwargs or {})
    results: dict[str, Any] = {}
    for name in (test_utils,) if isinstance(test_utils, str) else test_utils:
        if name not in CHECKS:
            raise ValueError(message(f"opcheck: no test {name!r}", fix=", ".join(CHECKS)))
        try:
            CHECKS[name](found, args, named)
            results[name] = "SUCCESS"
        except Exception as error:
            if raise_exception:
                raise OpCheckError(
                    f"opcheck(op, ...): {name} failed with {error} (scroll up for stack trace)"
                ) from error
            results[name] = error
    return results


def _copied(tree: Tree) -> Tree:
    def copy(a: Argument) -> Argument:
        return a.detach().clone() if isinstance(a, Tensor) else a

    return trees.mapped(copy, tree)


def _writes(op: CustomOpDef, args: tuple[Argument, ...], named: dict[str, Argument]) -> None:
    given = _copied(args)
    bound, others = op._schema.bind(given, _copied(named))
    before = _copied(bound)
    with no_grad():
        op(*bound, **others)
    for p, old, new in zip(op._schema.positional, before, bound, strict=True):
        pairs = zip(trees.flatten(old)[0], trees.flatten(new)[0], strict=True)
        changed = any(
            isinstance(b, Tensor) and not np.array_equal(_bytes(a), _bytes(b)) for a, b in pairs
        )
        if changed and not p.written:
            raise RuntimeError(
                message(
                    f"Argument {p.name} is not defined as mutable but was mutated",
                    fix="name it in mutates_args, or write to a clone of it",
                )
            )


def _bytes(x: Tensor) -> Array:
    return np.frombuffer(x.detach().cpu().contiguous().numpy().tobytes(), np.uint8)


def _fake(op: CustomOpDef, args: tuple[Argument, ...], named: dict[str, Argument]) -> None:
    if op._fake is None:
        if op.composite:
            return
        raise RuntimeError(
            message(
                f"There was no fake impl registered for {op}. This is necessary for "
                "torch.compile/export/fx tracing to work in PyTorch.",
                fix="register_fake, or leave out test_faketensor: nothing asks for it here",
            )
        )
    with no_grad():
        real, said = op(*_copied(args), **named), op._fake(*_copied(args), **named)
    y, fake = [list(map(_seen, trees.flatten(t)[0])) for t in (real, op._schema.returned(said))]
    if y != fake:
        raise RuntimeError(
            message(
                f"When comparing the output of {op._namespace}.{op._name}.default with that of "
                "the function that register_fake was given, found mismatched tensor metadata: "
                f"{y} and {fake} are not equal!"
            )
        )


def _seen(y: Argument) -> Argument:
    """What is seen of a tensor without its elements. The step of a lone element says nothing."""
    if not isinstance(y, Tensor):
        return y
    strides = tuple([s for n, s in zip(y.shape, y.stride(), strict=True) if n > 1])
    return tuple(y.shape), strides, y.dtype, y.device


def _derivative(op: CustomOpDef, args: tuple[Argument, ...], named: dict[str, Argument]) -> None:
    """There is one, or the ops inside a kernel that is called in the open have theirs."""
    function, xs = _leaves(op, args, named, wide=False)
    if xs and op._backward is None:
        outside = [y for y in function(*xs) if type(y.grad_fn).__name__ == "NotImplemented"]
        if outside or not op._direct:
            op._no_derivative()


def _leaves(
    op: CustomOpDef, args: tuple[Argument, ...], named: dict[str, Argument], wide: bool
) -> tuple[Callable[..., Any], list[Tensor]]:
    """The op as a function of copies of the tensors that require grad, and these copies."""
    leaves, structure = trees.flatten(args)
    places = [i for i, a in enumerate(leaves) if isinstance(a, Tensor) and a.requires_grad]
    xs = [leaves[i].detach().clone() for i in places]
    xs = [x.to(complex128 if x.is_complex() else float64) if wide else x for x in xs]

    def function(*xs: Tensor) -> tuple[Tensor, ...]:
        values = list(leaves)
        for i, x in zip(places, xs, strict=True):
            values[i] = x
        out = trees.flatten(op(*trees.unflatten(values, structure), **named))[0]
        return tuple([y for y in out if isinstance(y, Tensor) and y.requires_grad])

    return function, [x.requires_grad_() for x in xs]


def _compiled(op: CustomOpDef, args: tuple[Argument, ...], named: dict[str, Argument]) -> None:
    function, xs = _leaves(op, args, named, wide=False)
    if not xs or (op._backward is None and not op._direct):
        return
    compiled = compile(function)
    with warnings.catch_warnings():  # of what is not recorded, but runs as it is written
        warnings.simplefilter("ignore")
        for _ in range(CALLS):
            ours = [grad(f(*xs), xs, [y.detach() for y in function(*xs)], allow_unused=True)
                    for f in (function, compiled)]  # fmt: skip
            assert_close(ours[1], ours[0])


def _gradients(op: CustomOpDef, args: tuple[Argument, ...], named: dict[str, Argument]) -> None:
    function, xs = _leaves(op, args, named, wide=True)
    gradcheck(function, xs)


_FUNCTIONS = (_writes, _derivative, _fake, _compiled, _gradients)
CHECKS = dict(zip((*TESTS, "test_gradients"), _FUNCTIONS, strict=True))
