"""What a node has saved, under PyTorch's names: ``grad_fn._saved_self``, ``_saved_dim``, ...

``_raw_saved_self`` is the place itself, on which hooks can be set that pack the tensor.
"""
from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from ..base.errors import message
from ..notation.formulas import ARGUMENTS, LETTERS
from .checks import freed_error
from .record import Number, handle

if TYPE_CHECKING:
    from ..graph import Node
    from ..handles.tensor import Tensor
    from .op import Op

# PyTorch's names of the inputs, where they are not self and other
INPUTS = {
    "pow": "self exponent", "matmul": "self mat2", "linear": "mat1 mat2 bias",
    "where": "condition self other", "lerp": "self end weight", "prelu": "self weight",
    "clamp_between": "self min max",
    "conv2d": "input weight bias", "conv_transpose2d": "input weight bias",
    "layer_norm": "input weight bias", "batch_norm": "input weight bias",
    "group_norm": "input weight bias",
    "fixed_norm": "input running_mean running_var weight bias", "mse_loss": "self target",
    "nll_loss": "self target weight", "embedding": "weight indices", "gather": "self index",
    "scatter": "self index src", "scatter_reduce": "self index src",
} | dict.fromkeys(
    "max min median nanmedian mode kthvalue sort topk cummax cummin".split(), "self indices"
)  # fmt: skip
NO_ATTRIBUTES = frozenset({"b", "g", "index", "order", "dtype", "squeeze", "source", "base"})
SHOWN = {"kernel": "kernel_size", "ndim": "normalized_dims", "p": "ord"}  # of static arguments


def name_of(op: str, i: int, n: int) -> str:
    """PyTorch's name of input ``i`` of ``n``, as far as there is a rule."""
    if op in INPUTS:
        return INPUTS[op].split()[i]
    return ("self", "other")[i] if n <= 2 else ("self", "tensor1", "tensor2", *LETTERS[3:])[i]


def saved_members(op: Op, forward: Any, attributes: bool) -> dict[str, Any]:
    """The attributes of the class of an op's nodes that say what is saved."""
    members: dict[str, Any] = {}
    places = {name_of(op.name, i, len(op.vjps)): i for i in sorted(op.saved_inputs)}
    if any(op.reads_out):
        places["result"] = -1
    for name, i in places.items():
        members[f"_saved_{name}"] = _saved(i)
        members[f"_raw_saved_{name}"] = _place(i)
    code = getattr(forward, "__code__", None)
    names = list(ARGUMENTS.get(op.name, ()))
    if attributes and code is not None:
        names += code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
    for name in names:
        if name not in LETTERS and name not in NO_ATTRIBUTES:
            members[f"_saved_{SHOWN.get(name, name)}"] = _attribute(name)
    return members


# the same few of all ops: made once
@cache
def _saved(i: int) -> property:
    words = "The output" if i < 0 else f"Input {i}"
    return property(lambda node: read(node, i), doc=f"{words}, which the derivative reads.")


@cache
def _place(i: int) -> property:
    return property(lambda node: SavedTensor(node, i), doc="The place where it is saved.")


def read(node: Node, i: int) -> Tensor | float:
    """Input ``i`` of a node (-1: its output) as it was saved; a number, if the user gave one."""
    if node.saved is None:
        raise freed_error(node)
    packed = None if node.hooks is None else node.hooks.packed
    if packed is not None and i in packed:
        opened: Tensor = packed[i].open()
        return opened
    if i < 0:
        return handle(node.value, node)
    x = node.inputs[i]
    if isinstance(x, Number):
        return node.saved[i].item()
    user = getattr(x, "handle", None)  # of a leaf: the user's own tensor
    t = user() if user is not None else None
    return t if t is not None and t.array is node.saved[i] else handle(node.saved[i], x)


@cache
def _attribute(name: str) -> property:
    return property(lambda node: (node.attrs or {}).get(name), doc=f"The argument {name}.")


class SavedTensor:
    """The place where a node saves one tensor (``grad_fn._raw_saved_self``)."""

    def __init__(self, node: Node, place: int):
        self.node, self.place = node, place

    def register_hooks(self, pack_hook: Callable[[Any], Any], unpack_hook: Callable[[Any], Any]
                       ) -> None:  # fmt: skip
        """Replace the saved tensor by ``pack_hook(tensor)``; backward calls ``unpack_hook``."""
        from .packing import Pair, pack_one

        node = self.node
        if node.saved is None:
            raise freed_error(node)
        if node.hooks is not None and node.hooks.packed and self.place in node.hooks.packed:
            raise RuntimeError(
                message(
                    "Calling register_hooks on a saved tensor whose hooks have already been set. "
                    "Hint: only one pair of hooks is allowed at a time."
                )
            )
        pack_one(node, self.place, Pair(pack_hook, unpack_hook))
