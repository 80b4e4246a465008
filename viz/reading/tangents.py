"""Forward mode on a recorded graph: the tangents that travel with its values.

One direction of one leaf is chosen, and each op runs once more on dual numbers, with the rules that
``torch.func.jvp`` uses (microtorch/kinds/dual.py). Where several operands move, each also moves
alone: the tangent of the result is the sum of these terms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from microtorch.autograd import no_grad
from microtorch.autograd.custom import CustomOp
from microtorch.autograd.forward_ad import paired, unpacked
from microtorch.backends import cpu
from microtorch.base import errors
from microtorch.engine.record import constant
from microtorch.graph import Node
from microtorch.handles.scalar import Scalar
from microtorch.handles.tensor import Tensor
from microtorch.kinds.dual import LINEAR, Dual
from microtorch.kinds.level import Level, entered

from . import numbers
from .kinds import UNLISTED, inside, of_a_kind, outside
from .measure import Computation, Data, attributes, computed

if TYPE_CHECKING:
    from microtorch.base.types import Argument, DType


class Pushed(NamedTuple):
    """The tangent of each node that moves, and of each of its operands' terms."""

    tangents: dict[int, Data]
    terms: dict[tuple[int, int], Data]


def push(found: Computation, values: Sequence[Data], seeds: Mapping[int, Data]) -> Pushed:
    """Send the tangents ``seeds`` of some leaves through the graph, at these values of all nodes.

    Raises GraphError for an op that forward mode does not have.
    """
    out = Pushed({}, {})
    several: dict[int, list[Data | None]] = {}  # of custom ops: the tangent of each output
    with no_grad(), entered(Dual) as level:
        for i, node in enumerate(found.nodes):
            if i in seeds:
                out.tangents[i] = seeds[i]
                continue
            if node.op is None:
                continue
            inputs = found.inputs[i]
            if node.op.projection and inputs[0] in several:
                t = several[inputs[0]][(node.attrs or {})["index"]]
                if t is not None:
                    out.tangents[i] = out.terms[i, 0] = t
                continue
            moving = {p: out.tangents[j] for p, j in enumerate(inputs) if j in out.tangents}
            if not moving:
                continue
            args = [values[j] for j in inputs]
            if isinstance(node.op, CustomOp):
                several[i] = _custom(node, level, args, moving)
            whole = _derivative(node, level, args, moving, values[i], several.get(i))
            if whole is None:
                continue
            out.tangents[i] = whole
            for p, t in moving.items():
                one = whole if len(moving) == 1 else _alone(node, level, args, p, t, values[i])
                if one is not None:
                    out.terms[i, p] = one
    return out


def held(found: Computation, wrt: Any) -> int | None:
    """The node of a Tensor or Scalar, -1 if it took no part; None for anything else."""
    return found.index(wrt) if isinstance(wrt, (Tensor, Scalar)) else None


def direction_of(value: Data, given: Any, name: str) -> tuple[Data, str]:
    """The tangent of the leaf, and what it is in words.

    Raises TypeError for what holds no real numbers, ValueError for another shape and for numbers
    that are not finite.
    """
    if isinstance(value, float):
        t = 1.0 if given is None else float(_real(given, np.float64, (), name))
        return t, f"∂{name}/∂{name} = 1" if t == 1 else f"∂{name}/∂ε = {numbers.literal(t)}"
    array = np.asarray(value)
    one = np.ones_like(array)
    if given is None:
        if array.size == 1:
            return one, f"∂{name}/∂{name} = 1"
        return one, f"∂{name}/∂ε = 1 for each element"
    if isinstance(given, (int, tuple)) and not isinstance(given, bool) and array.ndim:
        place = given if isinstance(given, tuple) else (given,)
        if len(place) == array.ndim:
            one[...] = 0
            try:
                one[place] = 1
            except IndexError:
                raise ValueError(f"direction={given!r}: {name} has shape {array.shape}") from None
            return one, f"∂{name}/∂ε = 1 for {name}[{', '.join(map(str, place))}], else 0"
    return _real(given, array.dtype, array.shape, name), f"∂{name}/∂ε is the given direction"


def _real(
    given: Argument, dtype: DType | type[np.float64], shape: tuple[int, ...], name: str
) -> np.ndarray:
    """A direction as an array of this dtype and shape."""
    plain = given
    if isinstance(given, Tensor):
        plain = given.detach().cpu().numpy()
    elif isinstance(given, Scalar):
        plain = given.data
    fix = f"a tensor of shape {shape} like {name}" if shape else "a number, such as direction=1.0"
    try:
        array = np.asarray(plain)
    except ValueError:  # rows of different lengths
        what = "direction= has rows of different lengths"
        raise ValueError(errors.message(what, fix=fix)) from None
    if array.dtype.kind not in "biuf":
        what = f"direction= takes real numbers, but got {repr(given)[:60]}"
        if array.dtype.kind == "c":
            what = f"direction= is complex, and {name} moves along the real numbers"
            fix = "give its real part and its imaginary part one after the other: the tangent is "
            fix += "linear in the direction"
        raise TypeError(errors.message(what, fix=fix))
    if not shape and array.size == 1:
        array = array.reshape(())
    if array.shape != shape:
        what = f"direction= has shape {array.shape}, and {name} has {shape}"
        raise ValueError(errors.message(what, fix=fix))
    with np.errstate(over="ignore"):
        towards = array.astype(dtype)
    if not np.isfinite(towards).all():
        bad = towards[~np.isfinite(towards)].ravel()[0]
        what = f"direction= holds {bad}, and a tangent along it would be NaN everywhere"
        raise ValueError(errors.message(what, fix="a direction of finite numbers"))
    return towards


def linear(op: str) -> bool:
    """Is an op its own derivative?"""
    return op in LINEAR


def _alone(
    node: Node, level: Level, args: list[Data], p: int, t: Data, value: Data
) -> Data | None:
    made = _custom(node, level, args, {p: t}) if isinstance(node.op, CustomOp) else None
    return _derivative(node, level, args, {p: t}, value, made)


def _derivative(
    node: Node,
    level: Level,
    args: list[Data],
    moving: Mapping[int, Data],
    value: Data,
    made: list[Data | None] | None,
) -> Data | None:
    """The tangent of a node's value; None where it does not move with its inputs."""
    if made is not None:
        return made[0]
    attrs = attributes(node)
    try:
        if node.op in UNLISTED:  # a border of vmap or of jvp: linear in all that it is given
            return np.asarray(computed(node, [moving.get(p, 0 * a) for p, a in enumerate(args)]))
        if node.op.name == "element":
            return float(np.asarray(moving[0])[attrs["index"]])
        if node.dev is None:
            rules = node.op.scalar_derivatives
            return float(sum(rules[p](None, t, value, *args, **attrs) for p, t in moving.items()))
        plain = [np.asarray(a) for a in args]
        devs = [x.dev for x in node.inputs]
        arrays: list[Any] = [inside(dev, x) for dev, x in zip(devs, plain, strict=True)]
        for p, t in moving.items():
            towards = inside(devs[p], np.asarray(t, plain[p].dtype))
            arrays[p] = Dual(level, arrays[p], towards)
        dev = node.dev if of_a_kind(node.dev) else cpu.of(np.asarray(value).dtype)
        out = node.op.kernels[level.backend(dev)](*arrays, **attrs)
    except (NotImplementedError, AttributeError, TypeError, KeyError) as error:
        raise _refused(node, error) from error
    tangent = getattr(out, "tangent", None)
    return None if tangent is None else np.asarray(outside(tangent))


def _custom(
    node: Node, level: Level, args: list[Data], moving: Mapping[int, Data]
) -> list[Data | None]:
    """The tangents of a custom Function's outputs, by its ``jvp``."""
    attrs, op = node.attrs or {}, node.op
    assert isinstance(op, CustomOp)
    tensors = [constant(np.array(a)) for a in args]
    for p, t in moving.items():
        tensors[p] = paired(tensors[p], constant(np.asarray(t, tensors[p].array.dtype)), level)
    given = list(attrs["arguments"])
    for place, x in zip(attrs["places"], tensors, strict=True):
        given[place] = x
    try:
        made = op.function.apply(*given)
    except Exception as error:  # the user's
        raise _refused(node, error) from error
    found = [unpacked(y, level).tangent if isinstance(y, Tensor) else None
             for y in (made if isinstance(made, tuple) else (made,))]
    return [None if t is None else np.asarray(t.array) for t in found]


def _refused(node: Node, error: Exception) -> errors.GraphError:
    why = str(error).partition("\n")[0] or repr(error)
    what = f"{node.op.name} cannot be stepped in forward mode: {why}"
    fix = 'give its Function a jvp, or step backward: viz.step(loss), mode="reverse"'
    return errors.GraphError(errors.message(what, fix=fix))
