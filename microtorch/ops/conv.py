"""The convolutions of one to three dimensions, and their transposes: arguments as PyTorch reads
them.

The ops and their derivatives are in conv_ops.py, those of volumes in volumes.py. A sequence (N, C,
L) is an image of one row.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..arrays.dtypes import TORCH_TYPES
from ..base.errors import ShapeError, describe, message, warn
from ..engine.record import constant
from ..engine.registry import REGISTRY
from ..engine.short import several
from .conv_ops import conv2d_op, conv_transpose2d_op
from .join import cat
from .shape import reshape
from .surface import public
from .windows import from_images, image_attrs, numbers, sizes_text, to_images

if TYPE_CHECKING:
    from ..base.types import Attrs, Padding, Pair
    from ..handles.tensor import Tensor


# ---- reading arguments ---------------------------------------------------------------------------
def same(kernel: Sequence[int], dilation: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """The padding that keeps the size at stride 1; the odd element goes to the end."""
    total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return tuple((t // 2, t - t // 2) for t in total)


C_TYPES = {"float32": "float", "float64": "double", "float16": "c10::Half"}


def check(
    op: str, input: Tensor, weight: Tensor, bias: Tensor | None, n: int, groups: int,
    transposed: bool = False,
) -> None:  # fmt: skip
    """Raise unless the ranks, dtypes and channels of an n-d convolution's operands fit."""
    x, w = input.array, weight.array

    def got() -> str:
        given = f"input {describe(x)}, weight {describe(w)}"
        return given if bias is None else f"{given}, bias {describe(bias)}"

    if x.ndim not in (n + 1, n + 2):
        raise ShapeError(
            message(
                f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to {op}, but got input "
                f"of size: {list(x.shape)}",
                got(),
                fix=f"the layout is (batch, channels, {layout(n)}): "
                "see unsqueeze, reshape, permute",
            )
        )
    if w.ndim != n + 2:
        raise ShapeError(
            message(f"{op}: expected a weight of {n + 2} dimensions, but got {w.ndim}", got())
        )
    if x.dtype.kind not in "fiucV":
        raise NotImplementedError(
            message(
                f"\"{op}\" not implemented for '{TORCH_TYPES[x.dtype.name]}'",
                got(),
                fix="x.float()",
            )
        )
    for name, y in (("weight", w), ("bias", None if bias is None else bias.array)):
        if y is not None and y.dtype != x.dtype:
            theirs, ours = (C_TYPES.get(d.name, d.name) for d in (x.dtype, y.dtype))
            raise RuntimeError(
                message(
                    f"Input type ({theirs}) and {name} type ({ours}) should be the same",
                    got(),
                    fix="x.to(layer.weight.dtype)",
                )
            )
    if groups <= 0:
        raise RuntimeError(
            message("non-positive groups is not supported", f"{op}: groups={groups}")
        )
    channels, first = x.shape[-n - 1], w.shape[0]
    if first < groups or first % groups:
        size = f"[{list(w.shape)}]" if first >= groups else list(w.shape)  # as PyTorch prints it
        raise ShapeError(
            message(
                f"Given groups={groups}, expected weight to be "
                f"{'at least' if first < groups else 'divisible by'} {groups} at dimension 0, but "
                f"got weight of size {size} instead",
                got(),
            )
        )
    expected = first if transposed else w.shape[1] * groups
    if channels != expected:
        raise ShapeError(
            message(
                f"Given {f'transposed={int(transposed)}' if transposed else f'groups={groups}'}, "
                f"weight of size {list(w.shape)}, expected input{list(x.shape)} to have {expected} "
                f"channels, but got {channels} channels instead",
                got(),
                fix=f"channels are dimension {x.ndim - n - 1} of the input"
                + (
                    f"; permute({', '.join(map(str, _channels_last(x.ndim, n)))}) moves them there"
                    if x.shape[-1] == expected
                    else f", so make the layer with in_channels={channels}"
                ),
            )
        )
    no_image = transposed and n < 3 and 0 in x.shape[-n:]
    if 0 in w.shape[2 - transposed :] or no_image:
        raise ShapeError(
            message(
                f"{op}: kernel, channels and images should be greater than zero, but got a weight "
                f"of size {list(w.shape)}",
                got(),
            )
        )
    outputs = w.shape[1] * groups if transposed else first
    if bias is not None and bias.array.shape != (outputs,):
        raise ShapeError(
            message(
                f"Given weight of size {list(w.shape)}, expected bias to be 1-dimensional with "
                f"{outputs} elements, but got bias of size {list(bias.array.shape)} instead",
                got(),
            )
        )


def layout(n: int) -> str:
    """The n spatial dimensions in words."""
    return ("length", "height, width", "depth, height, width")[n - 1]


def _channels_last(ndim: int, n: int) -> list[int]:
    order = list(range(ndim))
    order.insert(ndim - n - 1, order.pop())
    return order


def geometry_of(
    op: str, input: Tensor, weight: Tensor, n: int, stride: Pair, padding: Padding, dilation: Pair,
    groups: int,
) -> Attrs:  # fmt: skip
    """The attrs of a convolution. Raises unless the kernel fits in the padded input."""
    kernel, size = weight.array.shape[2:], input.array.shape[-n:]
    given = stride, padding, dilation
    key = op, kernel, size, groups, *given, *map(type, given)  # True is no 1
    try:
        return dict(_known[key])
    except (KeyError, TypeError):  # a list is no key
        pass
    steps, dilations = numbers(stride, n, "stride", op, 1), numbers(dilation, n, "dilation", op, 1)
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise RuntimeError(
                message(
                    f"Invalid padding string: '{padding}'",
                    f"{op}()",
                    fix="'same', 'valid', or numbers",
                )
            )
        if padding == "same" and any(s != 1 for s in steps):
            near = tuple((k - 1) // 2 for k in kernel)
            raise RuntimeError(
                message(
                    "padding='same' is not supported for strided convolutions",
                    f"{op}: stride={stride}",
                    fix=f"give the padding in numbers, such as {near}",
                )
            )
        odd = [d * (k - 1) % 2 for k, d in zip(kernel, dilations, strict=True)]
        if padding == "same" and any(odd):
            warn(
                "Using padding='same' with even kernel lengths and odd dilation may require a "
                "zero-padded copy of the input be created"
            )
        around = same(kernel, dilations) if padding == "same" else ((0, 0),) * n
    else:
        around = tuple((p, p) for p in numbers(padding, n, "padding", op))
    padded = [s + sum(p) for s, p in zip(size, around, strict=True)]
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilations, strict=True)]
    if any(r > s for r, s in zip(reach, padded, strict=True)):
        raise ShapeError(
            message(
                f"Calculated padded input size per channel: {sizes_text(padded)}. Kernel size: "
                f"{sizes_text(reach)}. Kernel size can't be greater than actual input size",
                f"{op}: input {describe(input)}, weight {describe(weight)}, padding={padding}, "
                f"dilation={dilation}",
                fix="a larger input, a smaller kernel, fewer poolings before, or padding",
            )
        )
    attrs = {"stride": steps, "padding": around, "dilation": dilations, "groups": groups}
    if list not in key:
        if len(_known) > 1000:
            _known.clear()
        _known[key] = attrs
    return dict(attrs)


_known: dict[Any, Attrs] = {}  # the geometries of convolutions that there were


# ---- the functions -------------------------------------------------------------------------------
def _conv(
    n: int, input: Tensor, weight: Tensor, bias: Tensor | None, stride: Pair, padding: Padding,
    dilation: Pair, groups: int,
) -> Tensor:  # fmt: skip
    name = NAMES[n]
    check(name, input, weight, bias, n, groups)
    attrs = geometry_of(name, input, weight, n, stride, padding, dilation, groups)
    op = conv2d_op if n < 3 else REGISTRY[name]
    if n == 1:
        weight, attrs = weight.unsqueeze(-2), image_attrs(attrs)
    operands = (weight,) if bias is None else (weight, bias)
    if n > 1 and input.array.ndim == n + 2:
        return several(op, (input, *operands), attrs)
    out = several(op, (to_images(input, n), *operands), attrs)
    return from_images(out, input, n, view=input.array.ndim == n + 1)


NAMES = ("", "conv1d", "conv2d", "conv3d")


@public(method=False)
def conv2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Pair = 1,
    padding: Padding = 0, dilation: Pair = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """Slide ``weight`` (O, C / groups, kh, kw) over ``input`` (N, C, H, W): out is (N, O, H', W').

    out[n, o, y, x] = bias[o] + Σ input[n, c, y * stride + i * dilation - padding, ...] * weight[o,
    c, i, j], and H' = (H + 2 padding - dilation (kh - 1) - 1) // stride + 1. An unbatched input is
    (C, H, W). ``stride``, ``padding``, ``dilation``: an int or a pair; ``padding`` also "valid" (0)
    or "same". With ``groups``, each group of output channels sees one group of input channels.
    """
    return _conv(2, input, weight, bias, stride, padding, dilation, groups)


@public(method=False)
def conv1d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Pair = 1,
    padding: Padding = 0, dilation: Pair = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """conv2d with one dimension: input (N, C, L) or (C, L), weight (O, C / groups, k)."""
    return _conv(1, input, weight, bias, stride, padding, dilation, groups)


@public(method=False)
def conv3d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Pair = 1,
    padding: Padding = 0, dilation: Pair = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """conv2d with one dimension more: input (N, C, D, H, W) or (C, D, H, W).

    ``weight`` is (O, C / groups, kd, kh, kw).
    """
    return _conv(3, input, weight, bias, stride, padding, dilation, groups)


def transposed_geometry(
    op: str, n: int, input: Tensor, weight: Tensor, stride: Pair, padding: Pair,
    output_padding: Pair, groups: int, dilation: Pair,
) -> tuple[Attrs, Callable[[Tensor, Tensor | None], Tensor] | None]:  # fmt: skip
    """The attrs of a transposed convolution, and what is left to do with its result.

    That is something only where output_padding reaches the stride (it may, below the dilation):
    there, the rows beyond the last window are zeros, and the bias is added to them, too.
    """
    x, kernel = input.array, weight.array.shape[2:]
    steps, dilations = numbers(stride, n, "stride", op, 1), numbers(dilation, n, "dilation", op, 1)
    around = numbers(padding, n, "padding", op)
    extra = numbers(output_padding, n, "output_padding", op)
    if any(e >= s and e >= d for e, s, d in zip(extra, steps, dilations, strict=True)):
        raise RuntimeError(
            message(
                "output padding must be smaller than either stride or dilation",
                f"{op}: output_padding={output_padding}, stride={stride}, dilation={dilation}",
                fix="output_padding chooses among the sizes that the stride rounds to one",
            )
        )
    full = [
        (m - 1) * s + d * (k - 1) + 1
        for m, s, d, k in zip(x.shape[-n:], steps, dilations, kernel, strict=True)
    ]
    size = tuple(f - 2 * p + e for f, p, e in zip(full, around, extra, strict=True))
    if min(size) <= 0:
        raise ShapeError(
            message(
                f"Given input size per channel: {sizes_text(x.shape[-n:])}. Calculated output size "
                f"per channel: {sizes_text(size)}. Output size is too small",
                f"{op}: padding={padding}",
                fix="less padding",
            )
        )
    pads = tuple((p, p) for p in around)
    attrs: Attrs = {"stride": steps, "padding": pads, "dilation": dilations, "groups": groups}
    if all(e < s for e, s in zip(extra, steps, strict=True)):
        return {"size": size, **attrs}, None
    attrs["padding"] = tuple((p, max(p - e, 0)) for p, e in zip(around, extra, strict=True))
    covered = tuple(f - sum(p) for f, p in zip(full, attrs["padding"], strict=True))

    def finish(out: Tensor, bias: Tensor | None) -> Tensor:
        for i in range(n):
            rows = size[i] - covered[i]
            if rows:
                shape = list(out.array.shape)
                shape[2 + i] = rows
                beyond = constant(out.node.dev.zeros(shape, out.array.dtype), out.node.dev)
                out = cat([out, beyond], 2 + i)
        return out if bias is None else out + reshape(bias, -1, *(1,) * n)

    return {"size": covered, **attrs}, finish


def _transpose(
    n: int, input: Tensor, weight: Tensor, bias: Tensor | None, stride: Pair, padding: Pair,
    output_padding: Pair, groups: int, dilation: Pair,
) -> Tensor:  # fmt: skip
    op = f"conv_transpose{n}d"
    check(op, input, weight, bias, n, groups, transposed=True)
    attrs, beyond = transposed_geometry(
        op, n, input, weight, stride, padding, output_padding, groups, dilation
    )
    image = to_images(input, n)
    if n == 1:
        weight, attrs = weight.unsqueeze(-2), image_attrs(attrs)
    back = conv_transpose2d_op if n < 3 else REGISTRY[op]
    if beyond is not None:
        out = several(back, (image, weight), attrs)
        out = beyond(out.squeeze(-2) if n == 1 else out, bias)
        return out if input.array.ndim == n + 2 else out.squeeze(0)
    operands = (image, weight) if bias is None else (image, weight, bias)
    out = several(back, operands, attrs)
    return from_images(out, input, n, view=input.array.ndim == n + 1)


@public(method=False)
def conv_transpose2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Pair = 1,
    padding: Pair = 0, output_padding: Pair = 0, groups: int = 1, dilation: Pair = 1,
) -> Tensor:  # fmt: skip
    """The transpose (as of a matrix) of conv2d, which enlarges images if the stride is over 1.

    Input (N, C, H, W) or (C, H, W), weight (C, O / groups, kh, kw), and H' = (H - 1) stride - 2
    padding + dilation (kh - 1) + output_padding + 1.
    """
    return _transpose(
        2, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


@public(method=False)
def conv_transpose1d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Pair = 1,
    padding: Pair = 0, output_padding: Pair = 0, groups: int = 1, dilation: Pair = 1,
) -> Tensor:  # fmt: skip
    """conv_transpose2d with one dimension: input (N, C, L) or (C, L), weight (C, O / groups, k)."""
    return _transpose(
        1, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


@public(method=False)
def conv_transpose3d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Pair = 1,
    padding: Pair = 0, output_padding: Pair = 0, groups: int = 1, dilation: Pair = 1,
) -> Tensor:  # fmt: skip
    """conv_transpose2d with one dimension more: input (N, C, D, H, W) or (C, D, H, W).

    ``weight`` is (C, O / groups, kd, kh, kw).
    """
    return _transpose(
        3, input, weight, bias, stride, padding, output_padding, groups, dilation
    )
