"""Borders around a tensor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...base.errors import describe, message
from ...create.filled import full_like
from ...engine import autocast
from ...engine.operands import element
from ...engine.record import laid
from ...engine.short import single
from ...handles.tensor import Tensor
from ...ops.index import border_op, index_op, place_op

_MODES = ("constant", "reflect", "replicate", "circular")


def pad(
    input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Tensor:
    """Add a border of `value` (0 unless given).

    `pad` is (left, right) of the last dim, then of the one before, and so on; a negative number
    cuts. `mode` "reflect" mirrors the image at its edge, "replicate" repeats the edge,
    "circular" continues at the other end.
    """
    if mode not in _MODES:
        raise NotImplementedError(
            message(f"Unrecognised padding mode {mode}", fix=f"one of {', '.join(_MODES)}")
        )
    if not isinstance(pad, (tuple, list)):
        raise TypeError  # engine/calling.py says what it should be
    if len(pad) % 2:
        raise RuntimeError(
            message(
                f"Padding length must be divisible by 2, but got {tuple(pad)}",
                f"pad: {describe(input)}",
                fix="give (left, right) for each dim, the last dim first",
            )
        )
    sizes = input.array.shape
    if len(pad) // 2 > len(sizes):
        raise RuntimeError(
            message(
                "Padding length should be less than or equal to two times the input dimension "
                f"but got padding length {len(pad)} and input of dimension {len(sizes)}",
                f"pad: {describe(input)} with {tuple(pad)}",
            )
        )
    if isinstance(value, complex) and input.array.dtype.kind != "c":
        raise TypeError(message("pad(): argument 'value' (position 4) must be float, not complex"))
    if mode != "constant":
        if value:
            what = f'Padding mode "{mode}" doesn\'t take in value argument'
            raise RuntimeError(message(what, f"{value=}", fix='mode="constant", or no value'))
        return _padded_by_index(input, pad, mode)
    shape, outer, inner = [], [], []
    for dim, size in enumerate(sizes):
        at = 2 * (len(sizes) - 1 - dim)
        before, after = (pad[at], pad[at + 1]) if at < len(pad) else (0, 0)
        total = size + before + after
        if total < 0 or before < -size or after < -size:
            raise RuntimeError(
                message(
                    f"F.pad: dim {dim} of size {size} cannot lose {-before - after} elements",
                    f"pad: {describe(input)} with {tuple(pad)}",
                )
            )
        shape.append(total)
        outer.append(slice(before if before > 0 else 0, total - after if after > 0 else total))
        inner.append(slice(0 if before > 0 else -before, size if after > 0 else size + after))
    if min(pad, default=0) < 0:
        input = input[tuple(inner)]
    place = tuple(outer)
    if value and input.array.dtype.kind in "iu":
        element(float(value), input.array.dtype)  # raises if it does not fit: it counts as a float
    if not value:
        return single(place_op, input, {"index": place, "shape": tuple(shape), "unique": True})
    output: Tensor = full_like(input.new_empty(shape), value)
    output[place] = input
    return output


def _padded_by_index(input: Tensor, pad: Sequence[int], mode: str) -> Tensor:
    """The other modes: the last dims are read at indices that run over their ends."""
    if mode != "circular":
        input = autocast.wide(input)
    count = len(pad) // 2
    if not 1 <= count <= 3 or input.ndim not in (count + 1, count + 2):
        raise NotImplementedError(
            message(
                f"Padding size {len(pad)} is not supported for {input.ndim}D input tensor.",
                f"mode {mode!r} pads the last {count} dims of an input of {count + 1} or "
                f"{count + 2}, but got {describe(input)}",
            )
        )
    if mode != "circular" and 0 in input.shape[input.ndim - count - 1 :]:
        raise RuntimeError(
            message(
                f"Expected {count + 1}D or {count + 2}D (batch mode) tensor with possibly 0 batch "
                f"size and other non-zero dimensions for input, but got: {list(input.shape)}",
                f"F.pad(mode={mode!r})",
            )
        )
    places: list[np.ndarray] = []
    for i in range(count):
        dim, before, after = input.ndim - 1 - i, pad[2 * i], pad[2 * i + 1]
        n = input.shape[dim]
        most = n - 1 if mode == "reflect" else n
        if mode != "replicate" and max(before, after) > most:
            limit = "the corresponding input dimension" if mode == "reflect" else "n"
            raise RuntimeError(
                message(
                    f"Padding size should be less than {limit}, but got: padding "
                    f"({before}, {after}) at dimension {dim} of input {list(input.shape)}",
                    f"F.pad(mode={mode!r}) can add at most {most} here",
                )
            )
        if mode == "circular" and min(before, after) < 0:  # cut first, then go round what is left
            start, end = max(-before, 0), n - max(-after, 0)
            input = input.narrow(dim, start, end - start)
            n, before, after = end - start, max(before, 0), max(after, 0)
        at = np.arange(-before, n + after)
        if mode == "reflect":
            at = np.abs(at)
            at = np.where(at >= n, 2 * (n - 1) - at, at)
        else:
            at = at % n if mode == "circular" else np.minimum(np.maximum(at, 0), n - 1)
        places.insert(0, at.reshape(-1, *[1] * i))
    index = (*[slice(None)] * (input.ndim - count), *places)
    return laid(single(index_op if mode == "circular" else border_op, input, {"index": index}))
