"""How a tensor looks in the terminal: PyTorch's text, character for character.

A script that prints a loss or a weight should print the same thing here as under PyTorch, so that
outputs can be compared by eye and by `diff`. The text is made in three steps, all on raw numpy
arrays:

1. *Select.* Above `threshold` elements, only the first and last `edgeitems` of each axis are kept.
   Nothing is formatted before that, so printing a million elements costs as much as printing 36.
2. *Cells.* The whole tensor gets one notation, so that columns line up: integers for whole-numbered
   floats (`2.`), scientific if the magnitudes spread too far (more than 1000 to 1, above 1e8 or
   below 1e-4), else fixed point. Of complex numbers, the real and the imaginary parts each get one.
3. *Nest.* Cells are packed into lines and brackets. What the numbers do not show follows (`dtype`,
   `grad_fn`, ...).

A float column is as wide as its nonzero finite values need. `-0.`, nan and inf may need more, and
then stick out of the column, in PyTorch as here.
"""
from __future__ import annotations

import contextlib
import math
import operator
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..base.types import Array, DType, Shape


@dataclass(frozen=True)
class _Options:
    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_PROFILES: dict[str, dict[str, float]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
}

# replaced as a whole, never changed in place: a print that is under way keeps the options it
# started with
_options = _Options()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors print. An option left at None keeps its value, except `sci_mode`.

    precision: digits after the point (4). threshold: number of elements above which only the edges
    are shown (1000). edgeitems: elements kept at each end of an axis (3). linewidth: where lines
    break (80). profile: "default", "short" or "full", applied before the other options. sci_mode:
    True or False forces or forbids scientific notation, None chooses by the data; as in PyTorch,
    each call sets it anew. Raises ValueError for an unknown profile or a negative count, and then
    changes nothing.
    """
    global _options
    if profile is not None and profile not in _PROFILES:
        raise ValueError(
            f"set_printoptions: unknown profile {profile!r}, expected one of {', '.join(_PROFILES)}"
        )
    changes: dict[str, Any] = {} if profile is None else dict(_PROFILES[profile])
    for name, value in (("precision", precision), ("edgeitems", edgeitems)):
        if value is not None:
            if operator.index(value) < 0:
                raise ValueError(f"set_printoptions: {name} must be 0 or more, got {value}")
            changes[name] = value
    if threshold is not None:
        changes["threshold"] = threshold
    if linewidth is not None:
        changes["linewidth"] = linewidth
    _options = replace(_options, **changes, sci_mode=sci_mode)


def get_printoptions() -> dict[str, Any]:
    """The current options as a dict; `set_printoptions(**get_printoptions())` changes nothing."""
    return asdict(_options)


@contextlib.contextmanager
def printoptions(**options: Any) -> Iterator[None]:
    """`with printoptions(precision=2):` sets options for a block, as `set_printoptions` does."""
    global _options
    before = _options
    try:
        set_printoptions(**options)
        yield
    finally:
        _options = before


def tensor_repr(
    array: Array,
    *,
    grad_fn_name: str | None = None,
    requires_grad: bool = False,
    default_dtype: DType | type[np.floating[Any]] = np.float32,
    device: str = "cpu",
    cls: str = "tensor",
    more: Sequence[str] = (),
) -> str:
    """`repr(t)` of a tensor with these values: `tensor([1., 2.], grad_fn=<MulBackward0>)`.

    array: any shape; any dtype. grad_fn_name: class name of the graph node; None
    for a leaf, which shows `requires_grad=True` if it does. default_dtype: the float dtype that is
    not shown, as int64 and bool are not. device: shown unless "cpu". cls: the word before the
    parenthesis, a subclass's own name. more: further suffixes, as "tangent=1.0".
    """
    options = _options
    prefix = f"{cls}("
    suffixes = []
    if device != "cpu":
        suffixes.append(f"device='{device}'")
    # the shape is shown where the values do not show it, and so is the dtype: "[]" could hold
    # integers
    if (array.ndim != 1) if array.size == 0 else (options.edgeitems == 0):
        suffixes.append(f"size={array.shape}")
    known = array.size > 0 and array.dtype in (np.int64, np.bool_)
    if array.dtype.kind == "c":
        known = array.size > 0 and array.real.dtype == default_dtype
    if array.dtype != default_dtype and not known:
        suffixes.append(f"dtype=torch.{array.dtype.name}")
    if grad_fn_name is not None:
        suffixes.append(f"grad_fn=<{grad_fn_name}>")
    elif requires_grad:
        suffixes.append("requires_grad=True")
    suffixes += more
    text = prefix + _values(array, len(prefix), options)
    return _append_suffixes(text, suffixes, len(prefix), options.linewidth)


def tensor_format(array: Array, spec: str, *, cls: str = "Tensor") -> str:
    """`format(t, spec)`, as in f"{loss:.4f}": a 0-d tensor is formatted as a Python number.

    Raises TypeError for any other shape. (There an empty spec means `str(t)`, which the caller
    makes, because it needs the graph.)
    """
    if array.ndim == 0:
        return format(array.item(), spec)
    raise TypeError(
        f"unsupported format string passed to {cls}.__format__: {spec!r} formats one number, but "
        f"this tensor has shape {array.shape}; reduce or index it to one element, or choose digits "
        "with set_printoptions(precision=...)"
    )


def _values(array: Array, indent: int, options: _Options) -> str:
    if array.size == 0:
        return "[]"
    edge, shown = options.edgeitems, array
    cut = [array.size > options.threshold and size > 2 * edge for size in array.shape]
    if any(cut):
        kept = [
            [*range(edge), *range(size - edge, size)] if is_cut else range(size)
            for size, is_cut in zip(array.shape, cut, strict=True)
        ]
        # one indexing step for all axes: copies the kept elements and no others
        shown = array[np.ix_(*kept)]
    cells, width = _cells(shown, options)
    if array.ndim == 0:
        return cells[0]
    return _nest(iter(cells), width, shown.shape, cut, indent, options)


def _cells(array: Array, options: _Options) -> tuple[list[str], int]:
    """(The text of each element in row-major order, padded to one width; that width)."""
    if array.dtype.kind == "c":  # each part has a notation of its own
        (real, wide), (imag, more) = (_cells(part, options) for part in (array.real, array.imag))
        signed = [i if i[0] in "+-" else f"+{i}" for i in map(str.lstrip, imag)]
        cells = [f"{r}{i}j" for r, i in zip(real, signed, strict=True)]
        return cells, wide + more + len("j")
    values = array.ravel().tolist()
    if array.dtype.kind not in "fV":
        cells = [str(value) for value in values]
        width = max(map(len, cells), default=1)
    else:
        counts = [value != 0 and math.isfinite(value) for value in values]
        magnitudes = [abs(value) for value, counted in zip(values, counts, strict=True) if counted]
        spec = _float_spec(magnitudes, options)
        cells = [format(value, spec) for value in values]
        width = max(
            (len(cell) for cell, counted in zip(cells, counts, strict=True) if counted), default=1
        )
    return [cell.rjust(width) for cell in cells], width


def _float_spec(magnitudes: list[float], options: _Options) -> str:
    """The format spec that suits all magnitudes (nonzero, finite)."""
    if not magnitudes:
        return "#.0f"
    smallest, largest = min(magnitudes), max(magnitudes)
    scientific = options.sci_mode
    if scientific is None:
        scientific = largest / smallest > 1000.0 or largest > 1.0e8 or smallest < 1.0e-4
    if scientific:
        return f".{options.precision}e"
    if all(value.is_integer() for value in magnitudes):
        return "#.0f"  # with a point: `2.`
    return f".{options.precision}f"


def _nest(
    cells: Iterator[str],
    width: int,
    shape: Shape,
    cut: list[bool],
    indent: int,
    options: _Options,
) -> str:
    """Brackets around one sub-tensor, whose cells the iterator gives.

    `cut[0]`: its middle rows are left out.
    """
    if len(shape) > 1:
        rows = [
            _nest(cells, width, shape[1:], cut[1:], indent + 1, options) for _ in range(shape[0])
        ]
        if cut[0]:
            rows.insert(options.edgeitems, "...")
        # one blank line between matrices, two between stacks of matrices, and so on
        return "[" + ("," + "\n" * (len(shape) - 1) + " " * (indent + 1)).join(rows) + "]"
    row = list(islice(cells, shape[0]))
    if cut[0]:
        row.insert(options.edgeitems, " ..." if options.edgeitems else "...")
    per_line = max(1, math.floor((options.linewidth - indent) / (width + len(", "))))
    lines = [", ".join(row[i : i + per_line]) for i in range(0, len(row), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def _append_suffixes(text: str, suffixes: list[str], indent: int, linewidth: int) -> str:
    """Close the parenthesis after the suffixes, each on the current line if it fits there."""
    # two more than the last line's length: PyTorch breaks lines there
    column = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if column + len(suffix) + 2 > linewidth:
            text += ",\n" + " " * indent + suffix
            column = indent + len(suffix)
        else:
            text += ", " + suffix
            column += len(suffix) + 2
    return text + ")"
