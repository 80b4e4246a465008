"""The borders of a level: from the numbers outside into it, and out again.

First on arrays. An array may be of younger levels, too, as gradients are that come from a later
transform; these stay outside (``around``). Then the same as ops on Tensors, of which each is the
derivative of another, so that gradients of any order pass. Input and output have different
backends, so they do not run by ``apply``.

Of dual numbers: a gradient inside of the level is itself a dual number. The number that stands in
the place of the tangent is the gradient of the primal value, and the other way round: that is what
the product rule makes of it, (a + bε)(c + dε) = ac + (ad + bc)ε.
"""
from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..base.errors import message
from ..engine.op import Op
from ..engine.record import record
from ..graph import storage_of
from . import carry as carry  # in-place writes know of kinds, once it is imported
from . import rules as rules  # and batches of how ops compute
from .batched import Batch, moved
from .dual import Dual, laid_as
from .level import Kind, Level, dev_of, levels_in

if TYPE_CHECKING:
    from ..base.types import AnyArray, Dim
    from ..graph import Node
    from ..handles.tensor import Tensor


def _younger(x: AnyArray, level: Level) -> bool:
    return isinstance(x, Kind) and x.level.birth > level.birth


# ---- batches of arrays ---------------------------------------------------------------------------
def shared_array(x: AnyArray, level: Level) -> AnyArray:
    """A batch in which all samples share ``x``."""
    if _younger(x, level):
        return x.around(lambda v, _: shared_array(v, level))
    return Batch(level, x.reshape((1, *x.shape)))


def summed_array(x: AnyArray, level: Level) -> AnyArray:
    """The sum over the samples."""
    if _younger(x, level):
        return x.around(lambda v, _: summed_array(v, level))
    if not isinstance(x, Batch) or x.level is not level:
        return dev_of(x).mul(x, x.dtype.type(level.size))
    dev = dev_of(x.value)
    if x.lead == level.size:
        return dev.array(dev.sum(x.value, dim=(0,), keepdim=False))
    return dev.array(dev.mul(x.value.reshape(x.shape), x.dtype.type(level.size)))


def batch_array(x: AnyArray, level: Level, dim: Dim) -> AnyArray:
    """A batch whose samples lie along dimension ``dim`` of ``x``."""
    if _younger(x, level):
        return x.around(lambda v, k: batch_array(v, level, dim + k))
    return Batch(level, moved(dev_of(x), x, dim, 0))


def whole_array(x: AnyArray, level: Level, dim: Dim) -> AnyArray:
    """All samples of a batch, along dimension ``dim``."""
    if _younger(x, level):
        return x.around(lambda v, k: whole_array(v, level, dim + k))
    if not isinstance(x, Batch) or x.level is not level:
        x = Batch(level, x.reshape((1, *x.shape)))
    dev, value = dev_of(x.value), x.value
    if x.lead != level.size:
        value = dev.expand(value, shape=(level.size, *x.shape))
    return moved(dev, value, 0, dim)


# ---- dual arrays ---------------------------------------------------------------------------------
def dual_array(primal: AnyArray, tangent: AnyArray, level: Level) -> AnyArray:
    """primal + tangent ε; None for 0. Both are of the same levels."""
    x = tangent if primal is None else primal
    if _younger(x, level):
        if isinstance(x, Batch):
            parts = [v if v is None else v.value for v in (primal, tangent)]
            leads = {v.shape[0] for v in parts if v is not None}
            if len(leads) > 1:
                parts = [v if v is None else _wide(v, max(leads)) for v in parts]
            return Batch(x.level, dual_array(parts[0], parts[1], level))
        values = [v if v is None else v.value for v in (primal, tangent)]
        tangents = [v if v is None else v.tangent for v in (primal, tangent)]
        of_tangents = None
        if any(t is not None for t in tangents):
            of_tangents = dual_array(tangents[0], tangents[1], level)
        return Dual(x.level, dual_array(values[0], values[1], level), of_tangents)
    if primal is None:
        primal = dev_of(x).full(x.shape, 0, x.dtype)
    return Dual(level, primal, tangent if tangent is None else laid_as(tangent, primal))


def _wide(x: AnyArray, lead: int) -> AnyArray:
    return dev_of(x).expand(x, shape=(lead, *x.shape[1:]))


def part_array(x: AnyArray, level: Level, which: int) -> AnyArray:
    """The primal value (0) or the tangent (1) of dual numbers."""
    if _younger(x, level):
        return x.around(lambda v, _: part_array(v, level, which))
    if isinstance(x, Dual) and x.level is level:
        return x.part(which)
    return x if which == 0 else dev_of(x).full(x.shape, 0, x.dtype)


# ---- as ops on Tensors ---------------------------------------------------------------------------
CROSSINGS: dict[Op, AnyArray] = {}  # of each op: (*arrays, **attrs) -> what it computes


def _crossing(
    op: Op, function: AnyArray, shows: Callable[..., bool] = lambda *arguments: False
) -> AnyArray:
    """``function(x, level, ...)`` on an array or, as ``op``, on a Tensor.

    ``shows(...)``: is the result a view of x's memory?
    """
    CROSSINGS[op] = lambda x, level, arguments: function(x, level, *arguments)

    def crossing(x: AnyArray, level: Level, *arguments: int) -> AnyArray:
        if not hasattr(x, "node"):
            return function(x, level, *arguments)
        array = function(x.array, level, *arguments)
        attrs = {"level": level, "arguments": arguments}
        out = record(op, [x], array, dev_of(array), attrs)
        return _lying_in(x, out, level) if shows(*arguments) else out

    return crossing


def _lying_in(source: Tensor, out: Tensor, level: Level) -> Tensor:
    """``out``, which shows the memory of ``source``: what overwrites the one overwrites the other,
    and backward is to know it.
    """
    if level in levels_in(out.array):
        level.shown[id(out)] = out
    turned, storage = storage_of(out.node).turned, storage_of(source.node)
    storage.turned = storage.turned or turned
    out.node.storage = storage
    return out


def _op(name: str, torch_name: str, rule: str, back: AnyArray) -> Op:
    vjp = lambda F, g, out, x, level, arguments: back(g, level, *arguments)  # noqa: E731
    return Op(name, None, vjps=(vjp,), rule=(rule,), torch_name=torch_name, register=False)


shared: AnyArray = _crossing(
    _op("share_among_samples", "AddBatchDim", "g, summed over the samples",
        lambda g, level: summed(g, level)),
    shared_array, lambda: True,
)  # fmt: skip
summed: AnyArray = _crossing(
    _op("sum_of_samples", "SumOfSamples", "g, for each sample", lambda g, level: shared(g, level)),
    summed_array,
)
into_batch: AnyArray = _crossing(
    _op("into_batch", "AddBatchDim", "g, with the samples in a dimension",
        lambda g, level, dim: out_of_batch(g, level, dim)),
    batch_array, lambda dim: True,
)  # fmt: skip
out_of_batch: AnyArray = _crossing(
    _op("out_of_batch", "RemoveBatchDim", "g, as a batch",
        lambda g, level, dim: into_batch(g, level, dim)),
    whole_array, lambda dim: True,
)  # fmt: skip
part: AnyArray = _crossing(
    _op("dual_part", "UnpackDual", "g, in the other part's place",
        lambda g, level, which: _placed(g, level, 1 - which)),
    part_array, lambda which: which == 0,
)  # fmt: skip


def _placed_array(g: AnyArray, level: Level, which: int) -> AnyArray:
    return dual_array(g, None, level) if which == 0 else dual_array(None, g, level)


_placed: AnyArray = _crossing(
    _op("dual_of_part", "MakeDual", "the other part of g",
        lambda g, level, which: part(g, level, 1 - which)),
    _placed_array,
)  # fmt: skip


def constant_dual(t: Tensor, level: Level) -> Tensor:
    """``t`` as dual numbers whose tangents are 0."""
    if t.array.dtype.kind not in "fcV":  # whole numbers have no derivative
        return t
    array = dual_array(t.array, None, level)
    out = record(dual_op, [t], array, dev_of(array), {"level": level, "entry": True})
    return _lying_in(t, out, level)


def dual(primal: Tensor, tangent: Tensor, level: Level, entry: bool = False) -> Tensor:
    """primal + tangent ε, of tensors of the same levels. ``entry``: they come from outside."""
    array = dual_array(primal.array, tangent.array, level)
    attrs = {"level": level, "entry": entry}
    out = record(dual_op, [primal, tangent], array, dev_of(array), attrs)
    return _lying_in(primal, out, level)


# where backward runs inside of the level, what lies outside receives the gradient itself: with its
# tangent if the program asks for it, without it for a `.grad`, which outlives the level
dual_op = Op(
    "dual",
    None,
    vjps=(
        lambda F, g, out, x, t=None, *, level, entry: (
            g if entry and level.whole else part(g, level, 0 if entry and level.direct else 1)
        ),
        lambda F, g, out, x, t, level, entry: (
            F.zero(t) if entry and level.direct else part(g, level, 0)
        ),
    ),
    rule=("the number in the tangent's place of g", "the number in the primal's place of g"),
    torch_name="MakeDual",
    register=False,
)
CROSSINGS[dual_op] = lambda x, t=None, *, level, entry: dual_array(x, t, level)

Batch.lift = shared
Dual.lift = constant_dual


# ---- roots inside of a level ---------------------------------------------------------------------
@contextmanager
def rooted(
    arrays: Sequence[Any], targets: Collection[Node] | None, tangents: bool
) -> Iterator[None]:
    """Backward from these arrays, to these nodes (None: to the leaves).

    ``tangents``: shall what lies outside of a level receive its gradient with the tangent?

    A root that is a dual number is differentiated as its primal value, and a gradient inside of
    the level is then the gradient with its tangent: no place is exchanged. Raises RuntimeError
    for a root that is a batch, unless the targets are, too: a gradient of all samples together is
    not what each of them asks for.
    """
    levels = {level for array in arrays for level in levels_in(array)}
    if not levels:
        yield
        return
    for level in levels:
        if level.kind is Batch and targets is None:
            raise RuntimeError(
                message(
                    "backward() called inside a functorch transform. This is not supported, please "
                    "use functorch.grad or functorch.vjp instead or call backward() outside of "
                    "functorch transforms."
                )
            )
        for node in targets if level.kind is Batch and targets is not None else ():
            if type(node.value) is not tuple and level not in levels_in(node.value):
                raise RuntimeError(
                    message(
                        "a gradient inside of vmap with respect to a tensor that all samples share",
                        fix="torch.func.grad inside of vmap gives one for each sample; "
                        "torch.autograd.grad after vmap gives the sum",
                    )
                )
        if level.kind is Dual and any(level not in levels_in(array) for array in arrays):
            raise RuntimeError(
                message(
                    "backward from tensors with and without a tangent at once",
                    fix="torch.autograd.forward_ad.unpack_dual(y).primal",
                )
            )
    duals = [level for level in levels if level.kind is Dual and not level.direct]
    for level in duals:
        level.direct, level.whole = True, tangents
    try:
        yield
    finally:
        for level in duals:
            level.direct = level.whole = False
