"""Images read at places between their elements: ``grid_sample``, and grids of such places.

Source: Jaderberg et al. 2015, "Spatial transformer networks".
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import product

from ...arrays.dtypes import int64
from ...base.errors import describe, message
from ...create.filled import linspace
from ...handles.tensor import Tensor
from ...ops.join import stack
from ...ops.select import where

MODES = ("bilinear", "nearest", "bicubic")
PADDINGS = ("zeros", "border", "reflection")


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """``input`` (N, C, H, W) read at ``grid`` (N, H', W', 2): the result is (N, C, H', W').

    The grid holds places (x, y) from -1 to 1; with `align_corners` these are the centres of the
    outermost elements, else their outer edges. A 5-d input (N, C, D, H, W) takes places
    (x, y, z). `mode`: bilinear (also of volumes), nearest, bicubic (images only). Outside, an image
    is 0, or `padding_mode` continues it: "border", "reflection". Gradient flows to both.
    """
    for name, value, known in (("mode", mode, MODES), ("padding_mode", padding_mode, PADDINGS)):
        if value not in known:
            raise ValueError(
                message(
                    f"nn.functional.grid_sample(): expected {name} to be one of "
                    f"{', '.join(map(repr, known))}, but got: '{value}'"
                )
            )
    if align_corners is None:
        _warn_of_corners("grid_sample")
    _check(input, grid, mode)
    sizes = input.shape[2:]
    # the grid counts x first, the image y
    places = [
        _unnormalised(grid[..., len(sizes) - 1 - i], n, bool(align_corners))
        for i, n in enumerate(sizes)
    ]

    def bounded(x: Tensor, n: int) -> Tensor:
        return _bounded(x, n, padding_mode, bool(align_corners))

    if mode == "bicubic":
        taps = [_cubic_taps(x) for x in places]
        taps = [
            [(bounded(at, n), weight) for at, weight in along]
            for along, n in zip(taps, sizes, strict=True)
        ]
    else:
        taps = [
            (_linear_taps if mode == "bilinear" else _nearest_taps)(bounded(x, n))
            for x, n in zip(places, sizes, strict=True)
        ]
    flat = input.flatten(2)
    total: Tensor | None = None
    for tap in product(*taps):
        part = _read(flat, [at for at, _ in tap], sizes)
        for _, weight in tap:
            if weight is not None:
                part = part * weight.flatten(1).unsqueeze(1)
        part = part.masked_fill(_outside([at for at, _ in tap], sizes), 0)
        total = part if total is None else total + part
    assert total is not None
    return total.unflatten(2, grid.shape[1:-1])


def _check(input: Tensor, grid: Tensor, mode: str) -> None:
    got = f"input {describe(input)}, grid {describe(grid)}"
    n = input.ndim
    if input.dtype is not grid.dtype:
        what = "grid_sampler(): expected input and grid to have same dtype"
    elif n not in (4, 5) or n != grid.ndim:
        what = (
            "grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, but "
            f"got input with sizes {list(input.shape)} and grid with sizes {list(grid.shape)}"
        )
    elif input.shape[0] != grid.shape[0]:
        what = (
            "grid_sampler(): expected grid and input to have same batch size, but got input with "
            f"sizes {list(input.shape)} and grid with sizes {list(grid.shape)}"
        )
    elif grid.shape[-1] != n - 2:
        what = (
            f"grid_sampler(): expected grid to have size {n - 2} in last dimension, but got grid "
            f"with sizes {list(grid.shape)}"
        )
    elif 0 in input.shape[2:]:
        what = (
            "grid_sampler(): expected input to have non-empty spatial dimensions, but input has "
            f"sizes {list(input.shape)}"
        )
    elif n == 5 and mode == "bicubic":
        what = "grid_sampler(): bicubic interpolation only supports 4D input"
    else:
        return
    raise RuntimeError(message(what, got))


def _warn_of_corners(name: str) -> None:
    warnings.warn(
        f"Default {name} and affine_grid behavior has changed to align_corners=False since 1.3.0. "
        "Please specify align_corners=True if the old behavior is desired. See the documentation "
        f"of {name} for details.",
        stacklevel=3,
    )


# ---- places --------------------------------------------------------------------------------------
def _unnormalised(x: Tensor, n: int, align_corners: bool) -> Tensor:
    """From [-1, 1] to places counted in elements."""
    return (x + 1) / 2 * (n - 1) if align_corners else ((x + 1) * n - 1) / 2


def _bounded(x: Tensor, n: int, padding_mode: str, align_corners: bool) -> Tensor:
    """Places outside [0, n - 1] brought back inside, unless the image is 0 there."""
    if padding_mode == "zeros":
        return x
    if padding_mode == "reflection":
        low, span = (0.0, n - 1.0) if align_corners else (-0.5, float(n))
        if span:
            from_low = (x - low) * where(x < low, -1.0, x * 0 + 1).detach()
            turns = (from_low / span).floor().detach()
            rest = from_low - turns * span
            x = where(turns % 2 == 0, rest, span - rest) + low
        else:
            x = x * 0
    # a place at or beyond the edge passes no gradient on
    return where((x > 0) & (x < n - 1), x, x.detach().clamp(0, n - 1))


Taps = list[tuple[Tensor, "Tensor | None"]]  # places of elements, and their weights (None: 1)


def _linear_taps(x: Tensor) -> Taps:
    first = x.detach().floor()
    return [(first, first + 1 - x), (first + 1, x - first)]


def _nearest_taps(x: Tensor) -> Taps:
    return [(x.detach().round(), None)]


def _cubic_taps(x: Tensor) -> Taps:
    """Keys' weights with a = -0.75 of the four elements around x."""
    first = x.detach().floor()
    t, a = x - first, -0.75

    def near(d: Tensor) -> Tensor:
        return ((a + 2) * d - (a + 3)) * d * d + 1

    def far(d: Tensor) -> Tensor:
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    weights = (far(t + 1), near(t), near(1 - t), far(2 - t))
    return [(first + i - 1, w) for i, w in enumerate(weights)]


def _read(flat: Tensor, places: Sequence[Tensor], sizes: Sequence[int]) -> Tensor:
    """The elements of ``flat`` (N, C, H W) at the places; any where they lie outside."""
    index: Tensor | None = None
    for at, n in zip(places, sizes, strict=True):
        here = at.nan_to_num(-1).clamp(0, n - 1).to(int64)
        index = here if index is None else index * n + here
    assert index is not None
    chosen = index.flatten(1).unsqueeze(1)
    return flat.gather(2, chosen.expand(-1, flat.shape[1], -1))


def _outside(places: Sequence[Tensor], sizes: Sequence[int]) -> Tensor:
    inside: Tensor | None = None
    for at, n in zip(places, sizes, strict=True):
        here = (at >= 0) & (at <= n - 1)
        inside = here if inside is None else inside & here
    assert inside is not None
    return ~inside.flatten(1).unsqueeze(1)


# ---- grids ---------------------------------------------------------------------------------------
def affine_grid(
    theta: Tensor, size: Sequence[int], align_corners: bool | None = None
) -> Tensor:
    """The places that an affine map sends an image's to, for ``grid_sample``.

    ``theta`` (N, 2, 3) and ``size`` (N, C, H, W) give (N, H, W, 2); (N, 3, 4) and (N, C, D, H, W)
    give (N, D, H, W, 3). Raises ValueError for other shapes.
    """
    if align_corners is None:
        _warn_of_corners("grid_sample")
    if not theta.dtype.is_floating_point:
        raise ValueError(
            message(f"Expected theta to have floating point type, but got {theta.dtype}")
        )
    n = len(size) - 2
    if n not in (2, 3):
        raise NotImplementedError(
            message(
                "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, "
                f"respectively. Got size {tuple(size)}"
            )
        )
    if theta.ndim != 3 or tuple(theta.shape[1:]) != (n, n + 1):
        raise ValueError(
            message(
                f"Expected a batch of {n}D affine matrices of shape Nx{n}x{n + 1} for size "
                f"{tuple(size)}. Got {tuple(theta.shape)}."
            )
        )
    if min(size) <= 0:
        raise ValueError(
            message(f"Expected non-zero, positive output size. Got {tuple(size)}")
        )
    steps = [_centres(m, bool(align_corners), theta) for m in size[2:]]
    spread = [s.reshape([-1] + [1] * (n - 1 - i)).expand(*size[2:]) for i, s in enumerate(steps)]
    parts = spread[::-1]  # x first
    parts.append(parts[0] * 0 + 1)
    base = stack(parts, -1).flatten(0, -2)
    return (base @ theta.transpose(1, 2)).unflatten(1, tuple(size[2:]))


def _centres(n: int, align_corners: bool, like: Tensor) -> Tensor:
    """n places from -1 to 1: the centres of elements, or the ends for align_corners."""
    if n == 1:
        return like.new_zeros(1)
    ends = linspace(-1, 1, n, dtype=like.dtype, device=like.device)
    return ends if align_corners else ends * ((n - 1) / n)
