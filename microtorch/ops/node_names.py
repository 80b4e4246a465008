"""PyTorch's names of backward nodes (``grad_fn``), where they are not the op's name in CamelCase.

A name of an op is a text, or a function of the node where PyTorch has several: one for the sum over
all elements, one for that over a dimension. It is called when somebody looks at the node. A
*function* made of several ops has PyTorch's name for it on its last node: ``rename`` is called
where the result is new, and the node stays what it is otherwise.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..engine.handle import Handle
from ..engine.record import Number
from ..engine.registry import NODE_EDGES, NODE_NAMES

if TYPE_CHECKING:
    from ..base.types import Tree
    from ..graph import Node

# ---- of ops --------------------------------------------------------------------------------------
def _dims(all_of_them: str, some: str) -> Callable[[Node], str]:
    return lambda node: all_of_them if (node.attrs or {}).get("dim") is None else some


def _is_number(node: Node) -> bool:
    """Was it a Python number?"""
    return isinstance(node, Number)


def _pow(node: Node) -> str:
    base, exponent = node.inputs
    return f"PowBackward{0 if _is_number(exponent) else 2 if _is_number(base) else 1}"


def _matmul(node: Node) -> str:
    names = {(2, 2): "Mm", (1, 1): "Dot", (2, 1): "Mv"}
    x, y = [v.ndim for v in node.inputs]
    if (x, y) == (1, 2):
        return "SqueezeBackward4"
    return f"{names.get((x, y), 'UnsafeView')}Backward0"


def _linear(node: Node) -> str:
    n, bias = node.inputs[0].ndim, len(node.inputs) > 2
    if n == 2:
        return "AddmmBackward0" if bias else "MmBackward0"
    if bias:
        return "ViewBackward0"
    return "UnsafeViewBackward0" if n > 2 else "SqueezeBackward4"


def _index(node: Node) -> str:
    """A basic index is a chain of views, one for each entry; the last one is what is seen."""
    for part in reversed((node.attrs or {})["index"]):
        if part is None:
            return "UnsqueezeBackward0"
        if type(part) is int:
            return "SelectBackward0"
        if type(part) is slice and part not in (slice(None), slice(0, None), slice(0, None, 1)):
            return "SliceBackward0"
    return "AliasBackward0"


def _by_number(name: str) -> Callable[[Node], str]:
    return lambda node: f"{name}Backward{int(not _is_number(node.inputs[1]))}"


OPS: dict[str, Callable[[Node], str]] = {
    "fmod": _by_number("Fmod"),
    "remainder": _by_number("Remainder"),
    "sum": _dims("SumBackward0", "SumBackward1"),
    "mean": _dims("MeanBackward0", "MeanBackward1"),
    "prod": lambda node: f"ProdBackward{int(node.inputs[0].ndim > 1)}",
    "pow": _pow,
    "sub": lambda node: "RsubBackward1" if _is_number(node.inputs[0]) else "SubBackward0",
    # PyTorch multiplies a number by the reciprocal
    "div": lambda node: "MulBackward0" if _is_number(node.inputs[0]) else "DivBackward0",
    "lerp": lambda node: f"LerpBackward{int(not _is_number(node.inputs[2]))}",
    "matmul": _matmul,
    "linear": _linear,
    "slice": _index,
    "select": _index,
    # a copy, where the memory's layout allows no view
    "reshape": lambda node: f"{'View' if node.storage is not None else 'UnsafeView'}Backward0",
    "clamp": lambda node: "ClampBackward1",
    "clamp_min": lambda node: "ClampBackward1",
    "clamp_max": lambda node: "ClampBackward1",
    "median": lambda node: "MedianBackward1",
    "nanmedian": lambda node: "NanmedianBackward1",
    "median_of_all": lambda node: f"{(node.attrs or {})['name'].capitalize()}Backward0",
    "div_floor": lambda node: "DivBackward2",
    "div_trunc": lambda node: "DivBackward2",
    "log1p": lambda node: "Log1PBackward0",
    "deg2rad": lambda node: "Deg2RadBackward0",
    "rad2deg": lambda node: "Rad2DegBackward0",
    "square": lambda node: "PowBackward0",
    "relu6": lambda node: "HardtanhBackward0",
    "selu": lambda node: "EluBackward0",
    "softsign": lambda node: "DivBackward0",
    "prelu": lambda node: "PreluKernelBackward0",
    "entr": lambda node: "SpecialEntrBackward0",
    "xlog1py": lambda node: "SpecialXlog1PyBackward0",
    "zeta": lambda node: "SpecialZetaBackward0",
}

# ---- of functions made of several ops ------------------------------------------------------------
FUNCTIONS = {
    name: f"{''.join(part.capitalize() for part in name.split('_'))}Backward0"
    for name in (
        "addbmm addcdiv addcmul addmm addmv addr aminmax baddbmm block_diag cdist dist "
        "index_add index_copy index_fill index_reduce index_select ldexp masked_fill "
        "masked_scatter masked_select nan_to_num nansum put renorm repeat roll rot90 "
        "scatter_add scatter_reduce segment_reduce select_scatter sgn slice_scatter "
        "diagonal_scatter std_mean take trace unbind var_mean bmm "
        # of torch.nn.functional
        "binary_cross_entropy binary_cross_entropy_with_logits channel_shuffle embedding_bag glu "
        "hardshrink huber_loss multi_margin_loss multilabel_margin_loss pixel_shuffle "
        "pixel_unshuffle smooth_l1_loss soft_margin_loss softshrink threshold"
    ).split()
} | {
    "tile": "RepeatBackward0", "split": "SplitBackward0", "chunk": "SplitBackward0",
    "cross": "LinalgCrossBackward0",
    "adaptive_max_pool2d": "AdaptiveMaxPool2DBackward0", "smooth_l1_loss": "SmoothL1LossBackward0",
    "scatter": "ScatterBackward0",
    "clamp_min": "ClampMinBackward0", "clamp_max": "ClampMaxBackward0",
}  # fmt: skip


def _pad(args: Sequence[Any], kwargs: dict[str, Any]) -> str | None:
    given = dict(zip(("input", "pad", "mode"), args, strict=False)) | kwargs
    mode, n = given.get("mode", "constant"), len(given["pad"]) // 2
    if mode == "constant":
        return "ConstantPadNdBackward0"
    kind = {"reflect": "Reflection", "replicate": "Replication"}.get(mode)
    return None if kind is None else f"{kind}Pad{n}DBackward0"


def _interpolate(args: Sequence[Any], kwargs: dict[str, Any]) -> str:
    mode = kwargs.get("mode", args[3] if len(args) > 3 else "nearest")
    kind = {"nearest-exact": "NearestExact"}.get(mode, mode.capitalize())
    n = args[0].array.ndim - 2 if args else kwargs["input"].array.ndim - 2
    return f"Upsample{kind}{n}DBackward0"


def _extreme(name: str) -> Callable[[Sequence[Any], dict[str, Any]], str | None]:
    return lambda args, kwargs: name if len(args) == 1 and not kwargs else None


# the names that depend on the arguments; None: that of the last op
BY_ARGUMENTS: dict[str, Callable[[Sequence[Any], dict[str, Any]], str | None]] = {
    "pad": _pad, "interpolate": _interpolate,
    "max": _extreme("MaxBackward1"), "min": _extreme("MinBackward1"),
}  # fmt: skip


def rename(result: Tree, name: str, arguments: Sequence[Any] = ()) -> Tree:
    """Show the node of a result as ``name``, unless it is the node of an argument."""
    given = None
    for one in result if isinstance(result, tuple) else (result,):
        if isinstance(one, Handle) and (op := one.node.op) is not None and not op.projection:
            if given is None:
                given = [a.node for a in arguments if isinstance(a, Handle)]
            if one.node not in given:
                one.node.__class__ = op.named(name)
    return result


def naming(name: str) -> Callable[..., Tree] | None:
    """What gives a result's node PyTorch's name for the function; None if it has none here."""
    choose = BY_ARGUMENTS.get(name)
    fixed = FUNCTIONS.get(name)
    if fixed is None and choose is None:
        return None

    def name_it(result: Tree, args: Sequence[Any], kwargs: dict[str, Any]) -> Tree:
        shown = fixed if choose is None else choose(args, kwargs)
        return result if shown is None else rename(result, shown, args)

    return name_it


# ---- the inputs in PyTorch's order ---------------------------------------------------------------
def _number_last(inputs: Sequence[Node]) -> Sequence[Node]:
    """2 * x is x * 2."""
    return sorted(inputs, key=_is_number)


def _no_number(inputs: Sequence[Node]) -> Sequence[Node]:
    """x ** 2 and 2 - x have no edge for the number."""
    return [node for node in inputs if not _is_number(node)]


EDGES: dict[str, Callable[[Sequence[Node]], Sequence[Node]]] = {
    "add": _number_last,
    "mul": _number_last,
    "div": _number_last,
    "sub": lambda inputs: inputs[1:] if _is_number(inputs[0]) else inputs,
    "pow": _no_number,
    "remainder": _no_number,
    "fmod": _no_number,
    "where": lambda inputs: inputs[1:],  # none for the condition
    "linear": lambda inputs: (*inputs[2:], *inputs[:2]),  # addmm: the bias first
}


NODE_NAMES.update(OPS)
NODE_EDGES.update(EDGES)
