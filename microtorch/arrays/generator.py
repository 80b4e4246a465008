"""Random numbers that equal PyTorch's, bit for bit, for the same seed (CPU; arrays in, arrays out).

One idea carries the file: a sample is a pure function of the next few 32-bit draws of a Mersenne
Twister, so equal draws taken in an equal order give equal numbers. numpy has the same twister; what
is PyTorch's own is how many draws a number costs and what is done with them:

* a float32 uniform is the low 24 bits of one draw, a float64 uniform the low 53 bits of two (high
  word first);
* fewer than 16 normals come in Box-Muller pairs of float64 uniforms, and the second of a pair waits
  in the generator for the next call; 16 or more are made in blocks of 8 cosines and 8 sines, the
  last 16 of them drawn anew when the size is no multiple of 16;
* integers are `draw % range`, from two draws once the range reaches 2**28; a permutation is
  Fisher-Yates.

The last bit agrees too, with PyTorch 2.13 on x86-64 Linux: rounding.py says how (PyTorch built for
other processors may round the blocks of float32 normals differently, from the same draws). An array
is filled in memory order: to fill a permuted tensor as PyTorch does, pass the shape of its storage.

A shuffling DataLoader consumes, per `iter(loader)`, in this order: one `random(())` for the seed of
workers, from the loader's generator (with num_workers=0, and without shuffling, too); then, when
the sampler has no generator, a second one from the default generator for
`Generator().manual_seed(seed)`, whose `randperm(n)` is the order. A sampler with a generator uses
that one, and draws a second `randperm(n)`, of which it takes num_samples % n, at the epoch's end.
"""

from __future__ import annotations

import math
import operator
import os
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.errors import message
from .draw_checks import (
    check_bernoulli,
    check_dropout,
    check_geometric,
    check_multinomial,
    check_normal,
    check_positive,
    check_randint,
    check_randperm,
    check_uniform,
    checked_seed,
    floating,
    largest_integer,
    sizes,
)  # fmt: skip
from .dtypes import mantissa_bits
from .rounding import each, exp_or_inf, fma, log32, log_or_inf, sincos32

if TYPE_CHECKING:  # numpy.typing is slow to import
    from numpy.typing import ArrayLike, DTypeLike, NDArray
    from typing_extensions import Self

Shape = int | tuple[int, ...]

DEFAULT_SEED = 67280421310721
_BLOCK = 16
_CHUNK = 8192 // 8  # blocks per step of the float32 transform: the work arrays stay in the cache
_SMALL_PERMUTATION = (2**32 - 1) // 20
_TWO_PI = 2.0 * math.pi

# The bytes of torch.Generator.get_state(): each word of the twister takes 64 bits, as in PyTorch.
_STATE = np.dtype([
    ("seed", "<u8"), ("left", "<i4"), ("seeded", "<i4"), ("next", "<u8"), ("key", "<u8", (624,)),
    ("normal_x", "<f8"), ("normal_y", "<f8"), ("normal_rho", "<f8"), ("normal_is_valid", "<i4"),
    ("pad0", "<i4"), ("float_normal", "<f4"), ("float_is_valid", "u1"), ("pad1", "u1", (3,)),
])  # fmt: skip


class Generator:
    """A source of random draws with its own state: MT19937, as torch.Generator(device="cpu").

    The state is the twister's 624 words, the position in them, and perhaps one normal sample kept
    for the next call. A new generator has the seed 67280421310721, as PyTorch's has.
    """

    __slots__ = ("__weakref__", "_fresh", "_legacy", "_seed", "_spare", "_twister", "device")

    def __init__(self, device: Any = "cpu") -> None:
        if str(device).partition(":")[0] != "cpu":
            raise RuntimeError(
                message(
                    f"Generator: device {str(device)!r} has no generator; expected 'cpu'",
                    fix="torch.Generator()",
                )
            )
        self.device = device
        self._twister: Any = None
        self._legacy: Any = None
        self.manual_seed(DEFAULT_SEED)

    def _start(self) -> None:
        """Make the twister when it is first needed: numpy.random takes long to import."""
        self._twister = np.random.MT19937(0)
        # RandomState shares the twister: its `seed` is the reference initialisation, its `randint`
        # the quickest draw of many.
        self._legacy = np.random.RandomState(self._twister)
        self._legacy.seed(self._seed & 0xFFFFFFFF)

    def manual_seed(self, seed: int) -> Self:
        """Restart from `seed` in [-2**63, 2**64), negative meaning seed + 2**64; returns self.

        Only the low 32 bits reach the twister, so seeds that differ by 2**32 give equal numbers, as
        in PyTorch. Raises RuntimeError when seed is not an integer, ValueError when it is out of
        range.
        """
        self._seed = checked_seed(seed)
        if self._legacy is not None:
            self._legacy.seed(self._seed & 0xFFFFFFFF)
        self._fresh = True
        self._spare: float | None = None
        return self

    def seed(self) -> int:
        """Seed from the operating system's entropy; returns the 64-bit seed."""
        return self.manual_seed(int.from_bytes(os.urandom(8), "little")).initial_seed()

    def initial_seed(self) -> int:
        """The seed last set, in [0, 2**64)."""
        return self._seed

    def get_state(self) -> NDArray[np.uint8]:
        """The whole state as (5056,) uint8, the same bytes as PyTorch's get_state()."""
        return _pack(self)

    def set_state(self, new_state: ArrayLike) -> None:
        """Continue from a (5056,) uint8 state of `get_state`, PyTorch's included.

        RuntimeError when it is invalid.
        """
        _unpack(self, new_state)

    def clone_state(self) -> Self:
        """A second generator in the same state; both then draw the same numbers independently."""
        clone = type(self)(self.device)
        _unpack(clone, _pack(self))
        return clone

    def get_offset(self) -> int:
        raise RuntimeError(
            message("CPU Generator does not use offset", fix="get_state() holds its position")
        )

    def set_offset(self, offset: int) -> None:
        raise RuntimeError(message("CPU Generator does not use offset", fix="set_state()"))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.device,), _pack(self)

    def __setstate__(self, state: NDArray[np.uint8]) -> None:
        _unpack(self, state)

    def draw32(self, n: int) -> NDArray[np.uint32]:
        """The next n draws, (n,) uint32."""
        if n:
            self._fresh = False
        if self._twister is None:
            self._start()
        if n < 1024:
            return self._twister.random_raw(n).astype(np.uint32)
        return self._legacy.randint(0, 2**32, n, dtype=np.uint32)

    def draw64(self, n: int) -> NDArray[np.uint64]:
        """n numbers of two draws each, the first draw in the high word; (n,) uint64."""
        pairs = self.draw32(2 * n).astype("<u4", copy=False).view("<u8")
        return (pairs << np.uint64(32)) | (pairs >> np.uint64(32))


def _pack(g: Generator) -> NDArray[np.uint8]:
    if g._twister is None:
        g._start()
    twister: Any = g._twister.state["state"]
    state = np.zeros((), _STATE)
    state["seed"], state["seeded"], state["key"] = g._seed, 1, twister["key"]
    # PyTorch counts both up and down; only a generator that never drew has next == 0.
    state["next"], state["left"] = (0, 1) if g._fresh else (twister["pos"], 625 - twister["pos"])
    if g._spare is not None:
        state["normal_y"], state["normal_is_valid"] = g._spare, 1
    return np.frombuffer(state.tobytes(), np.uint8).copy()


def _unpack(g: Generator, new_state: ArrayLike) -> None:
    array = np.asarray(getattr(new_state, "array", new_state))
    if array.dtype != np.uint8:
        raise TypeError(
            message(
                f"RNG state must be a torch.ByteTensor (uint8), but got {array.dtype}",
                fix="a state that get_state() returned",
            )
        )
    if array.size != _STATE.itemsize:
        raise RuntimeError(
            message(
                f"Expected an RNG state of {_STATE.itemsize} bytes, but got {array.size}",
                fix="a state that get_state() returned",
            )
        )
    state = np.frombuffer(array.tobytes(), _STATE)[0]
    left, following = int(state["left"]), int(state["next"])
    unused = (left, following) == (1, 0)
    if state["seeded"] != 1 or not (unused or 1 <= following == 625 - left <= 624):
        raise RuntimeError(
            message("Invalid mt19937 state", fix="a state that get_state() returned")
        )
    key = state["key"].astype(np.uint32)
    position = following or 624
    if g._twister is None:
        g._start()
    g._twister.state = {"bit_generator": "MT19937", "state": {"key": key, "pos": position}}
    g._seed, g._fresh = int(state["seed"]), following == 0
    g._spare = float(state["normal_y"]) if state["normal_is_valid"] else None


# Arguments ----------------------------------------------------------------------------------------


def _rounded(values: NDArray[np.float64], dtype: np.dtype[Any], shape: Shape) -> NDArray[Any]:
    """float64 to dtype; float16 by way of float32, as PyTorch's Half does.

    What exceeds dtype becomes infinite.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if dtype.itemsize == 2:
            return values.astype(np.float32).astype(dtype).reshape(shape)
        return values.astype(dtype).reshape(shape)


# Uniform, normal ----------------------------------------------------------------------------------


def _unit(g: Generator, n: int, dtype: Any) -> NDArray[Any]:
    """n uniforms in [0, 1): 24 bits of a draw for float32 and float16, 53 of two for float64."""
    if dtype == np.float64:
        return (g.draw64(n) & np.uint64(2**53 - 1)).astype(np.float64) * 2.0**-53
    return (g.draw32(n) & np.uint32(2**24 - 1)).astype(np.float32) * np.float32(2.0**-24)


def uniform(
    shape: Shape,
    dtype: DTypeLike = np.float32,
    low: float = 0.0,
    high: float = 1.0,
    generator: Generator | None = None,
) -> NDArray[Any]:
    """Uniform on [low, high): torch.rand, Tensor.uniform_."""
    shape, n = sizes(shape)
    dtype = floating("uniform", dtype)
    check_uniform(low, high, dtype)
    work = np.float64 if dtype == np.float64 else np.float32
    first, last = work(low), work(high)
    unit = _unit(generator or default_generator, n, dtype)
    out = fma(unit, float(last - first), float(first)).astype(dtype, copy=False)
    if (low, high) != (0, 1) or dtype.itemsize == 2:
        out[out == dtype.type(high)] = dtype.type(low)  # rounding may reach the open end
    return out.reshape(shape)


def _box_muller(u: NDArray[Any], mean: float, std: float) -> NDArray[Any]:
    """Normals from u, (16 k,) uniforms.

    Of each 16, eight radii and eight angles give eight cosines and eight sines.
    """
    pairs = u.reshape(-1, 2, 8)
    out = np.empty_like(pairs)
    if u.dtype == np.float64:
        radius = np.sqrt(-2.0 * each(math.log, 1.0 - pairs[:, 0])).reshape(-1, 8)
        angle = _TWO_PI * pairs[:, 1]
        out[:, 0] = radius * each(math.cos, angle).reshape(-1, 8)
        out[:, 1] = radius * each(math.sin, angle).reshape(-1, 8)
    else:
        for i in range(0, len(pairs), _CHUNK):
            part = pairs[i : i + _CHUNK]
            radius = np.sqrt(np.float32(-2) * log32(np.float32(1) - part[:, 0]))
            sin, cos = sincos32(np.float32(_TWO_PI) * part[:, 1])
            np.multiply(radius, cos, out=out[i : i + _CHUNK, 0])
            np.multiply(radius, sin, out=out[i : i + _CHUNK, 1])
    return fma(out.reshape(-1), float(u.dtype.type(std)), float(u.dtype.type(mean)))


def _serial_normals(g: Generator, n: int, mean: float, std: float) -> NDArray[np.float64]:
    """n normals one after the other, in float64; an odd one out waits in the generator."""
    out: list[float] = []
    if n and g._spare is not None:
        out.append(g._spare)
        g._spare = None
    missing = n - len(out)
    u = _unit(g, missing + missing % 2, np.float64).tolist()
    for i in range(0, missing, 2):
        radius, angle = math.sqrt(-2.0 * math.log1p(-u[i + 1])), _TWO_PI * u[i]
        out += radius * math.cos(angle), radius * math.sin(angle)
    if missing % 2:
        g._spare = out.pop()
    return fma(np.array(out, np.float64), std, mean)


def normal(
    shape: Shape,
    dtype: DTypeLike = np.float32,
    mean: float = 0.0,
    std: float = 1.0,
    generator: Generator | None = None,
    contiguous: bool = True,
) -> NDArray[Any]:
    """Normal with mean and std: torch.randn, Tensor.normal_.

    contiguous=False is for filling a tensor that is not contiguous, which PyTorch does one by one
    at every size.
    """
    shape, n = sizes(shape)
    dtype = floating("normal", dtype)
    check_normal(std)
    g = generator or default_generator
    if n < _BLOCK or not contiguous:
        return _rounded(_serial_normals(g, n, float(mean), float(std)), dtype, shape)
    out = np.empty(n, dtype)
    rest = n % _BLOCK
    out[: n - rest] = _box_muller(_unit(g, n - rest, dtype), mean, std)
    if rest:
        if dtype.itemsize != 2:
            _unit(g, rest, dtype)  # PyTorch first fills the whole buffer, then overwrites its end
        out[-_BLOCK:] = _box_muller(_unit(g, _BLOCK, dtype), mean, std)
    return out.reshape(shape)


def normal_tensors(
    mean: NDArray[Any] | float, std: NDArray[Any] | float, generator: Generator | None = None
) -> NDArray[Any]:
    """torch.normal(mean, std) where either or both are arrays that broadcast.

    The dtype is mean's, else std's.
    """
    if not isinstance(std, np.ndarray):
        mean = np.asarray(mean)
        return normal(mean.shape, mean.dtype, 0.0, float(std), generator) + mean
    if std.size and not (std >= 0).all():
        raise RuntimeError(
            message(
                f"normal expects all elements of std >= 0.0, but found {std.min()}",
                fix="a standard deviation is 0 or more",
            )
        )
    dtype = mean.dtype if isinstance(mean, np.ndarray) else std.dtype
    out = normal(np.broadcast_shapes(np.shape(mean), std.shape), dtype, 0.0, 1.0, generator)
    out *= std
    out += mean
    return out


def trunc_normal(
    shape: Shape,
    dtype: DTypeLike = np.float32,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> NDArray[Any]:
    """Normal restricted to [a, b] by rejection: torch.nn.init.trunc_normal_, with its warning.

    Normals are proposed when enough of them fall in [a, b], else uniforms on it. Every round
    redraws the whole array.
    """
    dtype = floating("trunc_normal", dtype)
    if mean < a - 2 * std or mean > b + 2 * std:
        text = "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
        warnings.warn(text + "The distribution of values may be incorrect.", stacklevel=3)
    above = math.erf((b - mean) / std / math.sqrt(2.0))
    inside = (above - math.erf((a - mean) / std / math.sqrt(2.0))) / 2
    if inside > 0.3:
        low, high = float(dtype.type(a)), float(dtype.type(b))
        out = normal(shape, dtype, mean, std, generator)
        while (outside := (out < low) | (out > high)).any():
            out = np.where(outside, normal(shape, dtype, mean, std, generator), out)
        return out
    peak = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2

    def rejected(candidates: NDArray[Any]) -> NDArray[np.bool_]:
        log_ratio = ((candidates - mean) / std) ** 2 * -0.5 - peak
        with np.errstate(divide="ignore"):
            return np.log(uniform(shape, dtype, generator=generator)) > log_ratio

    out = uniform(shape, dtype, a, b, generator)
    pending = rejected(out)
    while pending.any():
        candidates = uniform(shape, dtype, a, b, generator)
        out = np.where(pending, candidates, out)
        pending &= rejected(candidates)
    return out


# Other continuous distributions: float64 arithmetic, rounded to dtype at the end ------------------


def exponential(
    shape: Shape,
    dtype: DTypeLike = np.float32,
    lambd: float = 1.0,
    generator: Generator | None = None,
) -> NDArray[Any]:
    """Exponential with rate lambd > 0, mean 1 / lambd: Tensor.exponential_."""
    shape, n = sizes(shape)
    dtype = floating("exponential", dtype)
    check_positive("exponential_", "lambda", lambd)
    u = _unit(generator or default_generator, n, np.float64)
    return _rounded(-1.0 / lambd * each(math.log1p, -u), dtype, shape)


def log_normal(
    shape: Shape,
    dtype: DTypeLike = np.float32,
    mean: float = 1.0,
    std: float = 2.0,
    generator: Generator | None = None,
) -> NDArray[Any]:
    """exp of a normal with mean and std: Tensor.log_normal_."""
    shape, n = sizes(shape)
    dtype = floating("log_normal", dtype)
    check_positive("log_normal_", "std", std)
    samples = _serial_normals(generator or default_generator, n, float(mean), float(std))
    return _rounded(each(exp_or_inf, samples), dtype, shape)


def cauchy(
    shape: Shape,
    dtype: DTypeLike = np.float32,
    median: float = 0.0,
    sigma: float = 1.0,
    generator: Generator | None = None,
) -> NDArray[Any]:
    """Cauchy around median with scale sigma: Tensor.cauchy_."""
    shape, n = sizes(shape)
    dtype = floating("cauchy", dtype)
    check_positive("cauchy_", "sigma", sigma)
    u = _unit(generator or default_generator, n, np.float64)
    samples = fma(each(math.tan, math.pi * (u - 0.5)), float(sigma), float(median))
    return _rounded(samples, dtype, shape)


# Discrete distributions ---------------------------------------------------------------------------


def geometric(
    shape: Shape, dtype: DTypeLike = np.float32, p: float = 0.5, generator: Generator | None = None
) -> NDArray[Any]:
    """Trials up to and including the first success: Tensor.geometric_, of any dtype but bool."""
    shape, n = sizes(shape)
    check_geometric(p, np.dtype(dtype))
    u = _unit(generator or default_generator, n, np.float64)
    return _rounded(np.ceil(each(log_or_inf, u) / math.log1p(-p)), np.dtype(dtype), shape)


def bernoulli(
    p: NDArray[Any] | float,
    shape: Shape | None = None,
    dtype: DTypeLike = np.float32,
    generator: Generator | None = None,
) -> NDArray[Any]:
    """1 with probability p, else 0: Tensor.bernoulli_(p), torch.bernoulli(p).

    p: a Python number, which costs one float64 uniform per element; or an array that broadcasts to
    shape (default: its own), which costs uniforms of its precision. A 0-d array is an array here,
    as a 0-d tensor is a tensor.
    """
    g = generator or default_generator
    if not isinstance(p, np.ndarray):
        p = float(p)
        check_bernoulli(p)
        shape, n = sizes(() if shape is None else shape)
        hits = (g.draw64(n) & np.uint64(2**53 - 1)) < np.uint64(math.ceil(p * 2.0**53))
        return hits.astype(dtype).reshape(shape)
    floating("bernoulli_tensor_cpu_p_", p.dtype)
    shape, n = sizes(p.shape if shape is None else shape)
    if n and not ((p >= 0) & (p <= 1)).all():
        raise RuntimeError(
            message(
                f"bernoulli expects all p in [0, 1], but found values in [{p.min()}, {p.max()}]",
                fix="probabilities: torch.sigmoid(x) makes them of logits",
            )
        )
    return (_unit(g, n, p.dtype).reshape(shape) < np.broadcast_to(p, shape)).astype(dtype)


def dropout_noise(
    shape: Shape, dtype: DTypeLike = np.float32, p: float = 0.5, generator: Generator | None = None
) -> NDArray[Any]:
    """The factors of dropout: bernoulli(1 - p) / (1 - p). p = 0 and p = 1 consume no draws."""
    dtype = floating("dropout", dtype)
    check_dropout(p)
    if p == 0 or p == 1:
        return np.full(shape, 1 - p, dtype)
    noise = bernoulli(1 - p, shape, dtype, generator)
    if dtype.itemsize == 2:  # 1 - p is not rounded to 16 bits
        return (noise.astype(np.float32) / np.float32(1 - p)).astype(dtype)
    noise /= dtype.type(1 - p)
    return noise


def random(
    shape: Shape,
    dtype: DTypeLike = np.int64,
    low: int | None = None,
    high: int | None = None,
    generator: Generator | None = None,
) -> NDArray[Any]:
    """Tensor.random_: integers on [low, high).

    On [low, largest] without high, and without both on [0, largest]. The largest is the greatest
    integer of dtype; 2**24 for float32, 2**53 for float64, 2**11 for float16.
    """
    shape, n = sizes(shape)
    dtype = np.dtype(dtype)
    g = generator or default_generator
    largest = largest_integer(dtype)
    if low is None and high is None:
        wide = dtype in (np.int64, np.float64)
        draws = g.draw64(n) if wide else g.draw32(n)
        return (draws % draws.dtype.type(largest + 1)).astype(dtype).reshape(shape)
    low = 0 if low is None else operator.index(low)
    if high is None and low == -(2**63):
        return g.draw64(n).view(np.int64).astype(dtype).reshape(shape)
    high = largest + 1 if high is None else operator.index(high)
    return randint(shape, low, high, dtype, g)


def randint(
    shape: Shape,
    low: int,
    high: int,
    dtype: DTypeLike = np.int64,
    generator: Generator | None = None,
) -> NDArray[Any]:
    """Integers on [low, high): torch.randint, Tensor.random_, of any dtype that can hold them."""
    shape, n = sizes(shape)
    dtype = np.dtype(dtype)
    low, high = operator.index(low), operator.index(high)
    check_randint(low, high, dtype)
    if dtype.kind in "fV":
        low, high = _representable(low, high, dtype)
    span = high - low
    g = generator or default_generator
    if span < 2**28:
        values = (g.draw32(n) % np.uint32(span)).astype(np.int64) + low
    else:
        values = (g.draw64(n) % np.uint64(span) + np.uint64(low % 2**64)).view(np.int64)
    return values.astype(dtype).reshape(shape)


def _representable(low: int, high: int, dtype: np.dtype[Any]) -> tuple[int, int]:
    """The bounds moved inwards until no integer between them rounds out of [low, high)."""
    bits = mantissa_bits(dtype)
    above, below = int(dtype.type(low + 1)), int(dtype.type(high - 1))
    if above < low:
        low = above + (1 << (abs(low + 1).bit_length() - 1 - bits))
    if below >= high:
        high = below - (1 << (abs(high - 1).bit_length() - 1 - bits))
    if low >= high:
        raise RuntimeError(
            message(
                f"random_: no value of {dtype} lies in the range",
                f"from={low} >= to={high} after rounding",
                fix="a wider dtype, such as torch.float64",
            )
        )
    return low, high


def randperm(
    n: int, dtype: DTypeLike = np.int64, generator: Generator | None = None
) -> NDArray[Any]:
    """A permutation of 0 ... n - 1, (n,): torch.randperm."""
    dtype = np.dtype(dtype)
    check_randperm(n, dtype)
    g = generator or default_generator
    if n >= _SMALL_PERMUTATION:
        return _large_randperm(n, g).astype(dtype)
    places = np.arange(n - 1)
    targets = g.draw32(max(n - 1, 0)) % (n - places).astype(np.uint32) + places
    if n > 1000:
        return _swapped(targets, n).astype(dtype)
    order = list(range(n))
    for i, j in enumerate(targets.tolist()):
        order[i], order[j] = order[j], order[i]
    return np.array(order, dtype)


def _swapped(targets: NDArray[Any], n: int) -> NDArray[np.int64]:
    """0 ... n - 1 after a swap of place i with place targets[i] >= i, for each i in turn.

    Step i takes to its place what lies at targets[i]. The last step that wrote there left what it
    had at its own place; that had been written by an earlier step, and so on, down to a place that
    no step had written. All steps follow these chains at once.
    """
    steps = np.arange(len(targets))
    moved = targets > steps
    origin = np.arange(n)
    origin[targets[moved]] = steps[moved]  # of several steps that wrote a place, the last one stays
    while not np.array_equal(further := origin[origin], origin):
        origin = further
    ranked = np.sort(targets.astype(np.int64) << 32 | steps)  # by place, and then by step
    place, step = ranked >> 32, ranked & 0xFFFFFFFF
    again = np.flatnonzero(place[1:] == place[:-1])
    order = np.append(targets, origin[n - 1])
    order[step[again + 1]] = origin[step[again]]
    return order


def _large_randperm(n: int, g: Generator) -> NDArray[np.int64]:
    """Fisher-Yates inside out with 64-bit draws, for which `draw % n` is not visibly uneven."""
    order = np.empty(n, np.int64)
    view = order.data
    for start in range(0, n, 2**20):
        places = np.arange(start, min(start + 2**20, n), dtype=np.uint64)
        targets = (g.draw64(len(places)) % (places + np.uint64(1))).tolist()
        for i, j in enumerate(targets, start):
            view[i] = i
            view[i], view[j] = view[j], i
    return order


def multinomial(
    weights: ArrayLike,
    num_samples: int,
    replacement: bool = False,
    generator: Generator | None = None,
) -> NDArray[np.int64]:
    """Category numbers drawn in proportion to weights: torch.multinomial.

    weights (k,) or (rows, k); the result is (..., num_samples) int64. Without replacement: the
    num_samples largest of weights / exponential samples (the order of ties, which zero weights
    produce once all others are used up, is not PyTorch's). So for one sample with replacement, too;
    for several, inversion of the cumulative sum.
    """
    w = np.asarray(weights)
    check_multinomial(w, num_samples, replacement)
    if w.size == 0:
        return np.empty((*w.shape[:-1], num_samples), np.int64)
    g = generator or default_generator
    if not replacement or num_samples == 1:
        with np.errstate(divide="ignore", invalid="ignore"):
            score = w / exponential(w.shape, w.dtype, 1.0, g)
        if num_samples == 1:
            return score.argmax(-1, keepdims=True)
        return np.argsort(-score, axis=-1, kind="stable")[..., :num_samples]
    rows = w.reshape(-1, w.shape[-1])
    rows = rows.astype(np.float32) if w.dtype.itemsize == 2 else rows
    out = np.empty((len(rows), num_samples), np.int64)
    for row, samples in zip(rows, out, strict=True):
        cumulative = np.cumsum(row, dtype=row.dtype)
        cumulative /= cumulative[-1]
        cumulative[-1] = 1
        places = _unit(g, num_samples, np.float64)
        samples[:] = np.searchsorted(cumulative.astype(np.float64), places)
    return out.reshape(*w.shape[:-1], num_samples)


# what torch.manual_seed seeds besides: the generators of devices
followers: list[Callable[[int], Any]] = []
default_generator = Generator()
default_generator.seed()
