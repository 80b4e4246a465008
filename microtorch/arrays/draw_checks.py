"""What the arguments of a random draw must be, for the CPU and for devices."""
from __future__ import annotations

import operator
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from ..base.errors import describe, message
from .dtypes import largest, mantissa_bits
from .quiet import quiet

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from ..base.types import Array, DType, Shape


def refuse(what: str, fix: str, kind: type[Exception] = RuntimeError) -> NoReturn:
    raise kind(message(what, fix=fix))


def checked_seed(seed: Any) -> int:
    """A seed in [0, 2**64); negative ones count from the end, as in PyTorch."""
    if isinstance(seed, bool) or not hasattr(seed, "__index__"):
        refuse(f"manual_seed expected an int, but got {type(seed).__name__}", "int(seed)")
    seed = operator.index(seed)
    if not -(2**63) <= seed < 2**64:
        got = f"expected a seed in [-2**63, 2**64), but got {seed}"
        refuse(f"manual_seed: {got}", "seed % 2**64", ValueError)
    return seed % 2**64


def sizes(shape: int | Shape) -> tuple[Shape, int]:
    if type(shape) is not tuple:
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
    n = 1
    for size in shape:
        if size < 0:
            what = f"Trying to create tensor with negative dimension {size}: {list(shape)}"
            raise RuntimeError(message(what, fix="sizes are 0 or more"))
        n *= size
    return shape, n


def not_complex(op: str, dtype: DTypeLike) -> DType:
    dtype = np.dtype(dtype)
    if dtype.kind == "c":
        raise NotImplementedError(
            message(f'"{op}" not implemented for {dtype}', fix="torch.complex(x, y)")
        )
    return dtype


def floating(op: str, dtype: DTypeLike) -> DType:
    dtype = np.dtype(dtype)
    if dtype.kind not in "fV":
        raise NotImplementedError(
            message(
                f'"{op}" not implemented for {dtype}',
                fix="a floating dtype: torch.float16, torch.float32 or torch.float64",
            )
        )
    return dtype


# What the numbers that describe a distribution must be, here and on every device.


def check_uniform(low: float, high: float, dtype: DType) -> None:
    limit = largest(dtype)
    if not low <= high:
        refuse(
            f"uniform_ expects to return a [from, to) range, but found from={low} > to={high}",
            "exchange the bounds",
        )
    if not (-limit <= low and high <= limit and high - low <= limit):
        refuse(
            f"uniform_: from={low}, to={high} or to - from is out of bounds for {dtype}",
            f"bounds and their distance are at most {limit:g}",
        )


def check_normal(std: float) -> None:
    if not std >= 0:
        refuse(f"normal expects std >= 0.0, but found std {std}", "a standard deviation >= 0")


def check_positive(op: str, name: str, value: float) -> None:
    if not value > 0:
        refuse(f"{op} expects {name} > 0.0, but found {name}={value}", f"{name} above 0")


def check_geometric(p: float, dtype: DType) -> None:
    if dtype.kind == "b":
        refuse(
            '"geometric" not implemented for bool',
            "an integer or floating dtype",
            NotImplementedError,
        )
    if not 0 < p < 1:
        refuse(
            f"geometric_ expects p to be in (0, 1), but got p={p}",
            "a probability between 0 and 1, without the ends",
        )


FEW = 16


@quiet
def are_chances(p: Array) -> bool:
    """Are all numbers from 0 to 1? NaN is not."""
    if type(p) is not np.ndarray:  # of another memory, or kind
        return not p.size or bool(0 <= p.min() and p.max() <= 1)
    if p.size <= FEW:  # a list takes a third of the time
        for v in (p if p.ndim == 1 else p.ravel()).tolist():
            if not 0 <= v <= 1:
                return False
        return True
    return bool(np.count_nonzero((p >= 0) & (p <= 1)) == p.size)


def check_chances(p: Array) -> None:
    """RuntimeError for no probabilities. Complex numbers are refused by the draw itself."""
    if p.dtype.kind != "c" and not are_chances(p):
        raise RuntimeError(
            message(
                "Expected p_in >= 0 && p_in <= 1 to be true, but got false.",
                describe(p),
                fix="probabilities: torch.sigmoid(x) makes them of logits",
            )
        )


def check_bernoulli(p: float) -> None:
    if not 0 <= p <= 1:
        refuse(f"bernoulli_ expects p to be in [0, 1], but got p={p}", "a probability")


def check_dropout(p: float) -> None:
    if not 0 <= p <= 1:
        refuse(
            f"dropout probability has to be between 0 and 1, but got {p}",
            "p=0.1 drops a tenth of the elements",
            ValueError,
        )


@cache
def limits(dtype: DType) -> tuple[int, int]:
    """The least and the largest integer of a type."""
    return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)


def check_randint(low: int, high: int, dtype: DType) -> None:
    if low >= high:
        refuse(
            f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}",
            "high is not drawn itself: low < high",
        )
    least, most = (0, 1) if dtype.kind == "b" else (0, 0)
    if dtype.kind in "iu":
        least, most = limits(dtype)
    elif dtype.kind in "fV":
        most = min(int(largest(dtype)), 2**63)
        least = -most
    if low < least or high - 1 > most:
        refuse(
            f"random_: from={low} or to - 1 = {high - 1} is out of bounds for {dtype}",
            "a wider dtype, such as torch.int64",
        )


def check_randperm(n: int, dtype: DType) -> None:
    if n < 0:
        refuse(f"randperm expects n >= 0, but got n={n}", "the number of elements")
    if dtype.kind in "bc":
        raise NotImplementedError(message(f'"randperm" not implemented for {dtype}'))
    exact = 0 if dtype.kind in "iu" else 2 ** (mantissa_bits(dtype) + 1)
    most = (exact or limits(dtype)[1]) + 1
    if n > most and dtype.kind != "V":  # PyTorch has no limit for bfloat16
        refuse(f"randperm: n={n} cannot be greater than {most} for {dtype}", "dtype=torch.int64")


def largest_integer(dtype: DType) -> int:
    """Up to which all integers are values of dtype: what Tensor.random_ draws to."""
    if dtype.kind == "b":
        return 1
    if dtype.kind in "fV":
        return 2 << mantissa_bits(dtype)
    return int(np.iinfo(dtype).max)


def check_multinomial(w: Array, num_samples: int, replacement: bool) -> None:
    if w.ndim not in (1, 2):
        refuse(
            f"multinomial: prob_dist must be 1 or 2 dim, but has shape {w.shape}",
            "(categories,), or (rows, categories)",
        )
    if w.dtype.kind not in "fV":
        refuse(
            f"multinomial only supports floating-point dtypes for input, got: {w.dtype}",
            "weights.float()",
        )
    if num_samples <= 0:
        refuse(f"cannot sample n_sample <= 0 samples, got {num_samples}", "num_samples=1")
    if not replacement and num_samples > w.shape[-1]:
        refuse(
            "cannot sample n_sample > prob_dist.size(-1) samples without replacement: "
            f"{num_samples} of {w.shape}",
            "replacement=True",
        )
    if not np.isfinite(w).all() or (w < 0).any():
        refuse(
            "probability tensor contains either `inf`, `nan` or element < 0",
            "weights are finite and not negative; they need not sum to 1",
        )
    if w.size and not (w.sum(-1) > 0).all():
        refuse(
            "invalid multinomial distribution (sum of probabilities <= 0)",
            "at least one weight of each row above 0",
        )
