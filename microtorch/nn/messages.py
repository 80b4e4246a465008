"""What modules say of values, of children that are no modules, and of the layer that raised."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.errors import describe, message
from ..handles.tensor import Tensor

if TYPE_CHECKING:
    from .module import Module


def indent(text: str, spaces: int = 2) -> str:
    """Indent all lines but the first."""
    return text.replace("\n", "\n" + " " * spaces)


def typename(value: object) -> str:
    """What PyTorch's messages call the type of a value: torch.FloatTensor, int."""
    return value.type() if isinstance(value, Tensor) else type(value).__name__


def not_a_module(value: object) -> TypeError:
    """The error for a child that is something else."""
    kind, fix = typename(value), "nn.Parameter holds a tensor, an attribute anything else"
    if isinstance(value, type):
        kind, fix = value.__name__, f"make one by calling the class: {value.__name__}(...)"
    elif isinstance(value, (list, tuple)):
        fix = "give its elements: nn.Sequential(*layers)"
    elif callable(value):
        kind = getattr(value, "__name__", kind)
        fix = f"call {kind}(x) in forward; nn.ReLU() is the module of torch.relu"
    return TypeError(message(f"{kind} is not a Module subclass", f"got {describe(value)}", fix=fix))


def note_path(error: Exception, module: Module) -> None:
    """Add to `error`, once per module it leaves, the path from that module to the one that raised.

    The innermost module starts the record; each module further out puts the name of its child
    in front and rewrites the note, so that the last one to do so shows the whole path.
    """
    where = error.__dict__.get("_raised_in")
    if where is None:
        error.__dict__["_raised_in"] = (module, module, "")
        return
    innermost, child, path = where
    name = next(
        (name for name, m in module.named_modules() if m is child and m is not module), None
    )
    if name is None:
        return
    path = f"{name}.{path}" if path else name
    error.__dict__["_raised_in"] = (innermost, module, path)
    layer = f"{type(innermost).__name__}({innermost.extra_repr()})"
    note = f"raised in {type(module).__name__}.{path}: {layer}"
    if hasattr(error, "add_note"):
        notes = error.__dict__.setdefault("__notes__", [])
        notes[:] = [n for n in notes if not n.startswith("raised in ")] + [note]
    elif error.args and isinstance(error.args[0], str):
        # Python 3.10 has no notes: the text itself has to carry it.
        error.args = (error.args[0].partition("\nraised in ")[0] + "\n" + note, *error.args[1:])
