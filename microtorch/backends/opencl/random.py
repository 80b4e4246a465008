"""Random numbers made on the device (random.cl): for one seed the same on every device, but not
those of the CPU.

PyTorch's CPU generator is a Mersenne Twister, one number after another. A device needs all at once,
so its numbers come from a counter (Philox). ``Draws`` has the functions of generator.py that make
arrays, under their names.
"""
from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ...arrays import draw_checks as checks
from ...arrays import generator as host
from ...arrays.device import device
from ...arrays.dtypes import F32, I64
from ...base.errors import message
from .array import Array
from .layout import Shape
from .memory import C_TYPES, empty
from .reduce import arg_extreme, argsort
from .runtime import Kernel, Runtime, once, text_of

if TYPE_CHECKING:
    from numpy.typing import DTypeLike
    from typing_extensions import Self

    from .backend import OpenCL

Sizes = int | Shape


class Generator(host.Generator):
    """The state of a device's random numbers: a seed, and how many draws were made. A draw fills
    one array."""

    __slots__ = ("draws",)

    def __init__(self, device: device) -> None:
        self.device, self.draws = device, 0
        self._seed = host.DEFAULT_SEED

    def manual_seed(self, seed: int) -> Generator:
        """Restart from ``seed``, an integer in [-2**63, 2**64)."""
        self._seed, self.draws = checks.checked_seed(seed), 0
        return self

    def get_state(self) -> np.ndarray:
        """Seed and number of draws as 16 bytes, (16,) uint8 on the host."""
        state = np.array([self._seed, self.draws], "<u8")
        return np.frombuffer(state.tobytes(), np.uint8).copy()

    def set_state(self, new_state: Any) -> Self:
        """Continue from a state of ``get_state``."""
        state = np.asarray(new_state)
        if state.dtype != np.uint8 or state.shape != (16,):
            what = f"expected (16,) uint8, got {state.dtype} {state.shape}"
            raise RuntimeError(message(f"RNG state is wrong size: {what}"))
        self._seed, self.draws = (int(v) for v in np.frombuffer(state.tobytes(), "<u8"))
        return self

    def clone_state(self) -> Generator:
        """A second generator in the same state."""
        return _generator(self.device, self._seed, self.draws)

    def get_offset(self) -> int:
        """How many arrays were drawn since the seed was set."""
        return self.draws

    def set_offset(self, offset: int) -> None:
        self.draws = operator.index(offset)

    def __reduce__(self) -> tuple[Any, ...]:
        return _generator, (self.device, self._seed, self.draws)


def _generator(device: device, seed: int, draws: int) -> Generator:
    made = Generator(device).manual_seed(seed)
    made.draws = draws
    return made


@once
def kernel_of(runtime: Runtime, name: str, dtype: np.dtype) -> Kernel:
    """Kernel ``name`` of random.cl: "uniform", "normal" or "integers"."""
    c = C_TYPES[dtype.char]
    integers = name == "integers"
    opening = runtime.opening(c, functions=name == "normal")
    wide = "#define WIDE\n" if c == "double" or integers else ""
    kind = "#define INTEGERS\n" if integers else ""
    return runtime.kernel(f"{opening}\n{wide}{kind}{text_of('random')}", name)


class Draws:
    """The functions of generator.py for arrays on one device. ``generator``: one of this device, or
    None for its own."""

    def __init__(self, runtime: Runtime, F: OpenCL):
        self.runtime, self.F = runtime, F
        seed = host.default_generator.initial_seed()
        self.default = Generator(runtime.device).manual_seed(seed)
        host.followers.append(self.default.manual_seed)  # torch.manual_seed seeds this one, too

    def _fill(
        self, name: str, shape: Sizes, dtype: np.dtype, low: float, high: float,
        generator: host.Generator | None,
    ) -> Array:  # fmt: skip
        """An array of the numbers of kernel ``name``, whose parameters are ``low`` and ``high``."""
        g, here = self.default if generator is None else generator, self.runtime.device
        if not isinstance(g, Generator) or g.device != here:
            what = f"Expected a '{here}' device type for generator but found '{g.device}'"
            raise RuntimeError(message(what, fix=f"torch.Generator(device='{here}')"))
        shape, _ = checks.sizes(shape)
        if dtype.char == "e":
            return self._fill(name, shape, F32, low, high, generator).astype(dtype)
        out = empty(self.runtime, shape, dtype)
        draw, g.draws = g.draws, g.draws + 1
        if out.size:
            kernel = kernel_of(self.runtime, name, dtype)
            numbers = (_signed(g.initial_seed()), draw, low, high)
            kernel.each((out.size,), out.size, *numbers, out.buffer)
        return out

    # ---- floating --------------------------------------------------------------------------------
    def uniform(
        self, shape: Sizes, dtype: DTypeLike = F32, low: float = 0.0, high: float = 1.0,
        generator: host.Generator | None = None,
    ) -> Array:  # fmt: skip
        """Uniform on [low, high)."""
        d = checks.floating("uniform", dtype)
        checks.check_uniform(low, high, d)
        return self._fill("uniform", shape, d, low, high, generator)

    def normal(
        self, shape: Sizes, dtype: DTypeLike = F32, mean: float = 0.0, std: float = 1.0,
        generator: host.Generator | None = None, contiguous: bool = True,
    ) -> Array:  # fmt: skip
        """Normal with ``mean`` and ``std``."""
        checks.check_normal(std)
        d = checks.floating("normal", dtype)
        return self._fill("normal", shape, d, mean, std, generator)

    def normal_tensors(
        self, mean: Array | float, std: Array | float, generator: host.Generator | None = None
    ) -> Array:
        """Normal numbers, one for each element of ``mean`` and ``std`` (either may be a number)."""
        arrays = [v for v in (mean, std) if isinstance(v, Array)]
        shape = np.broadcast_shapes(*[v.shape for v in arrays])
        return self.normal(shape, arrays[0].dtype, generator=generator) * std + mean

    def exponential(
        self, shape: Sizes, dtype: DTypeLike = F32, lambd: float = 1.0,
        generator: host.Generator | None = None,
    ) -> Array:  # fmt: skip
        """Exponential with rate ``lambd``: -log(1 - u) / lambd."""
        checks.check_positive("exponential_", "lambda", lambd)
        u = self.uniform(shape, checks.floating("exponential", dtype), generator=generator)
        out: Array = self.F.log1p(-u) / -float(lambd)
        return out

    def log_normal(
        self, shape: Sizes, dtype: DTypeLike = F32, mean: float = 1.0, std: float = 2.0,
        generator: host.Generator | None = None,
    ) -> Array:  # fmt: skip
        checks.check_positive("log_normal_", "std", std)
        d = checks.floating("log_normal", dtype)
        out: Array = self.F.exp(self.normal(shape, d, mean, std, generator))
        return out

    def cauchy(
        self, shape: Sizes, dtype: DTypeLike = F32, median: float = 0.0, sigma: float = 1.0,
        generator: host.Generator | None = None,
    ) -> Array:  # fmt: skip
        checks.check_positive("cauchy_", "sigma", sigma)
        u = self.uniform(shape, checks.floating("cauchy", dtype), generator=generator)
        out: Array = self.F.tan((u - 0.5) * math.pi) * float(sigma) + float(median)
        return out

    # ---- integers --------------------------------------------------------------------------------
    def randint(
        self, shape: Sizes, low: int, high: int, dtype: DTypeLike = I64,
        generator: host.Generator | None = None,
    ) -> Array:  # fmt: skip
        """Integers in [low, high)."""
        d, low, high = np.dtype(dtype), operator.index(low), operator.index(high)
        checks.check_randint(low, high, d)
        count = _signed((high - low) % 2**64)
        stored = I64 if d.kind == "f" else d
        out = self._fill("integers", shape, stored, low, count, generator)
        return out.astype(d, copy=False)

    def random(
        self, shape: Sizes, dtype: DTypeLike = I64, low: int | None = None, high: int | None = None,
        generator: host.Generator | None = None,
    ) -> Array:  # fmt: skip
        """Integers in [low, high); without ``high``, up to the largest that the dtype holds
        exactly."""
        d = np.dtype(dtype)
        low = 0 if low is None else low
        high = checks.largest_integer(d) + 1 if high is None else high
        return self.randint(shape, low, high, d, generator)

    def randperm(
        self, n: int, dtype: DTypeLike = I64, generator: host.Generator | None = None
    ) -> Array:
        """A random order of 0..n-1: the order that sorts n random 64-bit numbers."""
        checks.check_randperm(n, np.dtype(dtype))
        keys = self._fill("integers", (n,), I64, 0, 0, generator)
        return argsort(keys).astype(dtype, copy=False)

    # ---- by probabilities ------------------------------------------------------------------------
    def bernoulli(
        self, p: Array | float, shape: Sizes | None = None, dtype: DTypeLike = F32,
        generator: host.Generator | None = None,
    ) -> Array:  # fmt: skip
        """1 with probability ``p`` (a number or an array), else 0."""
        if isinstance(p, Array):
            shape = p.shape if shape is None else shape
            return (self.uniform(shape, p.dtype, generator=generator) < p).astype(dtype)
        checks.check_bernoulli(p)
        u = self.uniform(() if shape is None else shape, F32, generator=generator)
        return (u < float(p)).astype(dtype)

    def dropout_noise(
        self, shape: Shape, dtype: DTypeLike = F32, p: float = 0.5,
        generator: host.Generator | None = None,
    ) -> Array:  # fmt: skip
        """What dropout multiplies by: bernoulli(1 - p) / (1 - p)."""
        checks.check_dropout(p)
        if p in (0, 1):
            return self.F.full(shape, 1 - p, dtype)
        return self.bernoulli(1 - p, shape, dtype, generator) / (1 - p)

    def geometric(
        self, shape: Sizes, dtype: DTypeLike, p: float, generator: host.Generator | None = None
    ) -> Array:
        """How many trials until the first success of probability ``p``."""
        checks.check_geometric(p, np.dtype(dtype))
        u = self.uniform(shape, F32, generator=generator)
        trials: Array = self.F.ceil(self.F.log1p(-u) / math.log1p(-p))
        out: Array = self.F.maximum(trials, 1.0)
        return out.astype(dtype)

    def multinomial(
        self, weights: Array, num_samples: int, replacement: bool = False,
        generator: host.Generator | None = None,
    ) -> Array:  # fmt: skip
        """Category numbers in proportion to ``weights`` (k,) or (rows, k): the first to arrive in a
        race of exponential times."""
        checks.check_multinomial(cast("Any", weights), num_samples, replacement)
        shape, dtype = weights.shape, weights.dtype
        if replacement:
            rates = weights.reshape((*shape[:-1], 1, shape[-1]))
            times = self.exponential((*shape[:-1], num_samples, shape[-1]), dtype, 1.0, generator)
            return arg_extreme(rates / times, True, -1, False)
        arrivals = self.exponential(shape, dtype, 1.0, generator) / weights
        return argsort(arrivals)[..., :num_samples].copy()


def _signed(bits: int) -> int:
    """64 bits as a long of OpenCL C."""
    return bits - 2**64 if bits >= 2**63 else bits
