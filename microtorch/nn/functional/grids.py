"""Images read at given points: sampling grids of affine maps (Jaderberg et al. 2015).

A grid holds, for each output element, where to read the input: x, y (and z) from -1, the first
element, to 1, the last one. With `align_corners` these are the centres of the outermost elements,
else their outer edges.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from ...arrays.dtypes import int64
from ...base.errors import describe, message, warn
from ...create.counted import linspace
from ...create.filled import ones
from ...engine.argument_types import check_type
from ...engine.record import laid
from ...handles.tensor import Tensor
from ...ops.join import stack
from ...ops.select import where
from .resampling import cubic

SAMPLING = ("bilinear", "nearest", "bicubic")
OUTSIDE = ("zeros", "border", "reflection")


def _warn_default(align_corners: bool | None) -> bool:
    if align_corners is None:
        warn(
            "Default grid_sample and affine_grid behavior has changed to align_corners=False since "
            "1.3.0. Please specify align_corners=True if the old behavior is desired. See the "
            "documentation of grid_sample for details.",
        )
    return bool(align_corners)


def affine_grid(
    theta: Tensor, size: Sequence[int], align_corners: bool | None = None
) -> Tensor:
    """The grid of the affine maps `theta` (N, 2, 3) or (N, 3, 4), for images of shape `size`.

    `size` is (N, C, H, W) or (N, C, D, H, W). The result, (N, H, W, 2) or (N, D, H, W, 3), is for
    grid_sample.
    """
    corners = _warn_default(align_corners)
    check_type("affine_grid", "size", "Sequence[int]", tuple(size))
    size = tuple(int(m) for m in size)
    n = len(size) - 2
    if not theta.is_floating_point():
        raise ValueError(
            message(f"Expected theta to have floating point type, but got {theta.dtype}")
        )
    if n not in (2, 3):
        raise NotImplementedError(
            message(
                "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, "
                f"respectively. Got size {size}."
            )
        )
    if theta.ndim != 3 or tuple(theta.shape[1:]) != (n, n + 1):
        raise ValueError(
            message(
                f"Expected a batch of {n}D affine matrices of shape Nx{n}x{n + 1} for size {size}. "
                f"Got {tuple(theta.shape)}."
            )
        )
    if min(size) <= 0:
        raise ValueError(message(f"Expected non-zero, positive output size. Got {size}"))
    if corners and min(size[2:]) == 1:
        warn(
            "Since version 1.3.0, affine_grid behavior has changed for unit-size grids when "
            "align_corners=True. This is not an intended use case of affine_grid. See the "
            "documentation of affine_grid for details."
        )
    axes = []
    for i, m in enumerate(size[2:]):
        line = linspace(-1, 1, m, dtype=theta.dtype, device=theta.device)
        line = line * 0 if m == 1 else line
        line = line if corners else line * ((m - 1) / m)
        axes.append(line.reshape([-1 if i == j else 1 for j in range(n)]).expand(*size[2:]))
    one = ones(size[2:], dtype=theta.dtype, device=theta.device)
    base = stack([*reversed(axes), one], -1).reshape(1, -1, n + 1)
    grid = base @ theta.transpose(1, 2)
    return grid.reshape(size[0], *size[2:], n)


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """`input` read at the points of `grid`: (N, C, H, W) at (N, H', W', 2) to (N, C, H', W').

    Or volumes (N, C, D, H, W) at (N, D', H', W', 3). `mode`: "bilinear" (of volumes trilinear),
    "nearest", or "bicubic" (images only). `padding_mode`: what lies outside is 0 ("zeros"), the
    nearest element ("border"), or mirrored ("reflection").
    """
    if mode not in SAMPLING:
        raise ValueError(
            message(
                "nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or "
                f"'bicubic', but got: '{mode}'"
            )
        )
    if padding_mode not in OUTSIDE:
        raise ValueError(
            message(
                "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or "
                f"'reflection', but got: '{padding_mode}'"
            )
        )
    corners = _warn_default(align_corners)
    n = input.ndim - 2
    _check(input, grid, n, mode)
    sizes = tuple(input.shape[2:])
    # the grid's last dimension is (x, y, z), the input's are (z, y, x)
    points = [_unnormalized(grid.select(-1, n - 1 - i), m, corners) for i, m in enumerate(sizes)]
    if mode == "bicubic":
        return laid(_bicubic(input, points, sizes, padding_mode, corners))
    points = [
        _inside(x, m, padding_mode, corners) for x, m in zip(points, sizes, strict=True)
    ]
    if mode == "nearest":
        # the grid gets the gradient of rounding: zeros, not none. The derivative of sign is 0.
        weight = None
        if grid.requires_grad:
            weight = stack([x.sign() for x in points]).sum(0).nan_to_num() * 0 + 1
        return laid(_read(input, [x.detach().round() for x in points], sizes, weight))
    lows = [x.detach().floor() for x in points]
    ahead = [x - low for x, low in zip(points, lows, strict=True)]
    total = None
    for corner in itertools.product((0, 1), repeat=n):
        weight = None
        for step, a in zip(corner, ahead, strict=True):
            part = a if step else 1 - a
            weight = part if weight is None else weight * part
        at = [low + step for low, step in zip(lows, corner, strict=True)]
        term = _read(input, at, sizes, weight)
        total = term if total is None else total + term
    assert total is not None
    return laid(total)


def _unnormalized(x: Tensor, size: int, corners: bool) -> Tensor:
    """Places from 0 to size - 1, for coordinates from -1 to 1."""
    if corners:
        return (x + 1) / 2 * (size - 1)
    return ((x + 1) * size - 1) / 2


def _inside(x: Tensor, size: int, padding_mode: str, corners: bool) -> Tensor:
    """Places moved into the image; "zeros" leaves them."""
    if padding_mode == "zeros":
        return x
    if padding_mode == "reflection":
        low, high = (0.0, size - 1.0) if corners else (-0.5, size - 0.5)
        x = _reflected(x, low, high)
    inner = (x > 0) & (x < size - 1)
    return where(inner, x, x.detach().nan_to_num(nan=0.0).clamp(0, size - 1))


def _reflected(x: Tensor, low: float, high: float) -> Tensor:
    """Places mirrored at both ends until they lie between them."""
    span = high - low
    if span == 0:
        return x * 0
    x = x - low
    x = where(x < 0, -x, x)
    flips = (x.detach() / span).floor()
    rest = x - flips * span
    return where(flips % 2 == 0, rest + low, span - rest + low)


def _read(
    input: Tensor, at: Sequence[Tensor], sizes: tuple[int, ...], weight: Tensor | None = None
) -> Tensor:
    """The elements at whole places (N, *out), 0 where there are none, times a weight.

    A weight of NaN, which a coordinate of NaN or infinity gives, stays one outside, too.
    """
    batch, channels = input.shape[:2]
    valid, flat = None, None
    for x, m in zip(at, sizes, strict=True):
        here = (x >= 0) & (x <= m - 1)
        index = where(here, x, x.new_zeros(())).to(int64)
        valid = here if valid is None else valid & here
        flat = index if flat is None else flat * m + index
    assert valid is not None and flat is not None
    rows = input.reshape(batch, channels, math.prod(sizes))
    out_shape = tuple(flat.shape[1:])
    count = math.prod(out_shape)
    places = flat.reshape(batch, 1, count).expand(batch, channels, count)
    out = rows.gather(2, places).reshape(batch, channels, *out_shape)
    out = where(valid.unsqueeze(1), out, out.new_zeros(()))
    return out if weight is None else out * weight.unsqueeze(1)


def _bicubic(
    input: Tensor,
    points: Sequence[Tensor],
    sizes: tuple[int, ...],
    padding_mode: str,
    corners: bool,
) -> Tensor:
    """Sixteen elements around each point; padding moves them one by one."""
    lows = [x.detach().floor() for x in points]
    rows, columns = (
        cubic(x - low, -0.75) for x, low in zip(points, lows, strict=True)
    )
    total = None
    for i, down in enumerate(rows):
        for j, across in enumerate(columns):
            at = [
                _inside(low + (k - 1), m, padding_mode, corners).detach()
                for low, k, m in zip(lows, (i, j), sizes, strict=True)
            ]
            term = _read(input, at, sizes, down * across)
            total = term if total is None else total + term
    assert total is not None
    return total


def _check(input: Tensor, grid: Tensor, n: int, mode: str) -> None:
    given = f"grid_sample: input {describe(input)}, grid {describe(grid)}"
    if n not in (2, 3) or grid.ndim != input.ndim:
        raise RuntimeError(
            message(
                "grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, "
                f"but got input with sizes {list(input.shape)} and grid with sizes "
                f"{list(grid.shape)}",
                given,
            )
        )
    if input.shape[0] != grid.shape[0]:
        raise RuntimeError(
            message(
                "grid_sampler(): expected grid and input to have same batch size, but got input "
                f"with sizes {list(input.shape)} and grid with sizes {list(grid.shape)}",
                given,
            )
        )
    if grid.shape[-1] != n:
        raise RuntimeError(
            message(
                f"grid_sampler(): expected grid to have size {n} in last dimension, but got grid "
                f"with sizes {list(grid.shape)}",
                given,
            )
        )
    if 0 in input.shape[2:]:
        raise RuntimeError(
            message(
                "grid_sampler(): expected input to have non-empty spatial dimensions", given
            )
        )
    if n == 3 and mode == "bicubic":
        raise RuntimeError(
            message("grid_sampler(): bicubic interpolation only supports 4D input", given)
        )
    if input.dtype != grid.dtype:
        raise RuntimeError(
            message(
                "grid_sampler(): expected input and grid to have the same dtype, but input has "
                f"{input.dtype} and grid has {grid.dtype}",
                given,
                fix="grid.to(input.dtype)",
            )
        )


def grid_sampler(
    input: Tensor,
    grid: Tensor,
    interpolation_mode: int,
    padding_mode: int,
    align_corners: bool,
) -> Tensor:
    """grid_sample, whose modes are given by number, in the order of its documentation."""
    return grid_sample(
        input, grid, SAMPLING[interpolation_mode], OUTSIDE[padding_mode], bool(align_corners)
    )


def affine_grid_generator(theta: Tensor, size: Sequence[int], align_corners: bool) -> Tensor:
    """affine_grid under the name that it has in torch."""
    return affine_grid(theta, size, bool(align_corners))
