"""Random numbers made on the device (random.cl): for one seed the same on every device, but not those of the CPU.

PyTorch's CPU generator is a Mersenne Twister, one number after another; a device needs all at once, so numbers come from a
counter (Philox). ``Draws`` has the functions of generator.py that make arrays, under their names.
"""
from __future__ import annotations

import math
import operator
import os
from typing import Any

import numpy as np

from ...arrays import generator as host
from ...base.errors import message
from .array import Array
from .elementwise import C_TYPES, F32, empty
from .runtime import Runtime, text_of

I64 = np.dtype(np.int64)


class Generator(host.Generator):
    """The state of a device's random numbers: a seed, and how many draws were made. A draw fills one array."""

    __slots__ = ("draws",)

    def __init__(self, device: Any) -> None:
        self.device, self.draws = device, 0
        self._seed = host.DEFAULT_SEED

    def manual_seed(self, seed: int) -> Generator:
        """Restart from ``seed``, an integer in [-2**63, 2**64)."""
        seed = operator.index(seed)
        if not -(2**63) <= seed < 2**64:
            raise ValueError(f"manual_seed: expected a seed in [-2**63, 2**64), but got {seed}; try seed % 2**64")
        self._seed, self.draws = seed % 2**64, 0
        return self

    def seed(self) -> int:
        """Seed from the operating system's entropy; returns the seed."""
        return self.manual_seed(int.from_bytes(os.urandom(8), "little")).initial_seed()

    def get_state(self) -> Any:
        """Seed and number of draws as 16 bytes, (16,) uint8 on the host."""
        return np.frombuffer(np.array([self._seed, self.draws], "<u8").tobytes(), np.uint8).copy()

    def set_state(self, new_state: Any) -> None:
        """Continue from a state of ``get_state``."""
        state = np.asarray(new_state)
        if state.dtype != np.uint8 or state.shape != (16,):
            raise RuntimeError(message(f"RNG state is wrong size: expected (16,) uint8, got {state.dtype} {state.shape}"))
        self._seed, self.draws = (int(v) for v in np.frombuffer(state.tobytes(), "<u8"))

    def clone_state(self) -> Generator:
        """A second generator in the same state."""
        clone = Generator(self.device)
        clone._seed, clone.draws = self._seed, self.draws
        return clone

    def get_offset(self) -> int:
        """How many arrays were drawn since the seed was set."""
        return self.draws

    def set_offset(self, offset: int) -> None:
        self.draws = operator.index(offset)

    def __reduce__(self) -> Any:
        return _generator, (self.device, self._seed, self.draws)


def _generator(device: Any, seed: int, draws: int) -> Generator:
    made = Generator(device).manual_seed(seed)
    made.draws = draws
    return made


class Draws:
    """The functions of generator.py for arrays on one device. ``generator``: one of this device, or None for its own."""

    def __init__(self, runtime: Runtime, dev: Any):
        self.runtime, self.dev = runtime, dev
        self.default = Generator(runtime.device).manual_seed(host.default_generator.initial_seed())
        host.followers.append(self.default.manual_seed)  # torch.manual_seed seeds this one, too

    def _run(self, name: str, shape: Any, dtype: Any, low: Any, high: Any, generator: Any) -> Array:
        g = self.default if generator is None else generator
        if not isinstance(g, Generator) or g.device != self.runtime.device:
            raise RuntimeError(message(f"Expected a '{self.runtime.device}' device type for generator but found '{g.device}'",
                                       fix=f"torch.Generator(device='{self.runtime.device}')"))
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        dtype = np.dtype(dtype)
        if dtype.char == "e":
            return self._run(name, shape, F32, low, high, generator).astype(dtype)
        out = empty(self.runtime, shape, dtype)
        draw, g.draws = g.draws, g.draws + 1
        if out.size:
            c = C_TYPES[dtype.char]
            number = "l" if name == "integers" else {"float": "f", "double": "d"}[c]
            key = (name, dtype.char)
            kernel = self.runtime.built.get(key)
            if kernel is None:
                wide = "#define WIDE\n" if c == "double" or name == "integers" else ""
                text = f"{self.runtime.opening(c, functions=name == 'normal')}\n{wide}{text_of('random')}"
                if name == "integers":
                    text = text[: text.index("__kernel void uniform")] + text[text.index("// integers in") :]
                kernel = self.runtime.built[key] = self.runtime.kernel(text, name, "ill" + number * 2 + "b", name)
            kernel.each((out.size,), out.size, _signed(g.initial_seed()), draw, low, high, out.buffer)
        return out

    # ---- distributions ------------------------------------------------------------------------------------------------
    def uniform(self, shape: Any, dtype: Any = F32, low: float = 0.0, high: float = 1.0, generator: Any = None) -> Array:
        """Uniform on [low, high)."""
        if not low <= high:
            raise RuntimeError(f"uniform_ expects to return a [from, to) range, but found from={low} > to={high}")
        return self._run("uniform", shape, _floating("uniform", dtype), low, high, generator)

    def normal(self, shape: Any, dtype: Any = F32, mean: float = 0.0, std: float = 1.0, generator: Any = None,
               contiguous: bool = True) -> Array:  # fmt: skip
        """Normal with ``mean`` and ``std``."""
        if not std >= 0:
            raise RuntimeError(f"normal expects std >= 0.0, but found std {std}")
        return self._run("normal", shape, _floating("normal", dtype), mean, std, generator)

    def normal_tensors(self, mean: Any, std: Any, generator: Any = None) -> Array:
        """Normal numbers, one for each element of ``mean`` and ``std`` (either may be a number)."""
        like = mean if isinstance(mean, Array) else std
        shape = np.broadcast_shapes(*[v.shape for v in (mean, std) if isinstance(v, Array)])
        return self.normal(shape, like.dtype, generator=generator) * std + mean

    def randint(self, shape: Any, low: int, high: int, dtype: Any = I64, generator: Any = None) -> Array:
        """Integers in [low, high)."""
        if not low < high:
            raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
        d = np.dtype(dtype)
        count = _signed((int(high) - int(low)) % 2**64)
        out = self._run("integers", shape, I64 if d.kind == "f" else d, int(low), count, generator)
        return out.astype(d, copy=False)

    def random(self, shape: Any, dtype: Any = I64, low: Any = None, high: Any = None, generator: Any = None) -> Array:
        """Integers in [low, high); without ``high``, up to the largest that the dtype holds exactly."""
        d = np.dtype(dtype)
        largest = 1 if d.kind == "b" else np.iinfo(d).max if d.kind in "iu" else 2 << np.finfo(d).nmant
        low = 0 if low is None else operator.index(low)
        return self.randint(shape, low, int(largest) + 1 if high is None else operator.index(high), d, generator)

    def randperm(self, n: int, dtype: Any = I64, generator: Any = None) -> Array:
        """A random order of 0..n-1: the order that sorts n random 64-bit numbers."""
        return np.argsort(self._run("integers", (n,), I64, 0, 0, generator)).astype(dtype, copy=False)

    def bernoulli(self, p: Any, shape: Any = None, dtype: Any = F32, generator: Any = None) -> Array:
        """1 with probability ``p`` (a number or an array), else 0."""
        if isinstance(p, Array):
            shape = p.shape if shape is None else shape
            return self.dev.lt(self.uniform(shape, p.dtype, generator=generator), p).astype(dtype)
        if not 0 <= p <= 1:
            raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p}")
        return self.dev.lt(self.uniform(shape, F32, generator=generator), float(p)).astype(dtype)

    def dropout_noise(self, shape: Any, dtype: Any = F32, p: float = 0.5, generator: Any = None) -> Array:
        """What dropout multiplies by: bernoulli(1 - p) / (1 - p)."""
        if not 0 <= p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        if p in (0, 1):
            return self.dev.full(shape, 1 - p, np.dtype(dtype))
        return self.bernoulli(1 - p, shape, dtype, generator) / (1 - p)

    def exponential(self, shape: Any, dtype: Any = F32, lambd: float = 1.0, generator: Any = None) -> Array:
        """Exponential with rate ``lambd``: -log(1 - u) / lambd."""
        if not lambd > 0:
            raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd}")
        return self.dev.log1p(-self.uniform(shape, _floating("exponential", dtype), generator=generator)) / -float(lambd)

    def log_normal(self, shape: Any, dtype: Any = F32, mean: float = 1.0, std: float = 2.0, generator: Any = None) -> Array:
        return self.dev.exp(self.normal(shape, dtype, mean, std, generator))

    def cauchy(self, shape: Any, dtype: Any = F32, median: float = 0.0, sigma: float = 1.0, generator: Any = None) -> Array:
        angle = (self.uniform(shape, _floating("cauchy", dtype), generator=generator) - 0.5) * math.pi
        return self.dev.tan(angle) * float(sigma) + float(median)

    def geometric(self, shape: Any, dtype: Any, p: float, generator: Any = None) -> Array:
        """How many trials until the first success of probability ``p``."""
        if not 0 < p < 1:
            raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p}")
        u = self.uniform(shape, F32, generator=generator)
        return self.dev.maximum(self.dev.ceil(self.dev.log1p(-u) / math.log1p(-p)), 1.0).astype(dtype)

    def multinomial(self, weights: Array, num_samples: int, replacement: bool = False, generator: Any = None) -> Array:
        """Category numbers in proportion to ``weights`` (k,) or (rows, k): the first to arrive in a race of exponential times."""
        if weights.ndim not in (1, 2) or weights.dtype.kind != "f":
            raise RuntimeError(f"multinomial: prob_dist must be 1 or 2 dim and floating, but is {weights.dtype} {weights.shape}")
        if num_samples <= 0 or (not replacement and num_samples > weights.shape[-1]):
            how = "with" if replacement else "without"
            raise RuntimeError(f"cannot sample {num_samples} samples of {weights.shape} {how} replacement")
        if not self.dev.logical_and(self.dev.isfinite(weights), self.dev.ge(weights, 0.0)).all():
            raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
        if not self.dev.gt(weights.sum(-1), 0.0).all():
            raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
        if replacement:
            many = weights.reshape((*weights.shape[:-1], 1, weights.shape[-1]))
            shape = (*weights.shape[:-1], num_samples, weights.shape[-1])
            return np.argmax(many / self.exponential(shape, weights.dtype, 1.0, generator), -1)
        times = self.exponential(weights.shape, weights.dtype, 1.0, generator) / weights
        return np.argsort(times, -1)[..., :num_samples].copy()


def _signed(bits: int) -> int:
    return bits - 2**64 if bits >= 2**63 else bits


def _floating(op: str, dtype: Any) -> np.dtype:
    d = np.dtype(dtype)
    if d.kind != "f":
        raise NotImplementedError(message(f'"{op}" not implemented for \'{d.name}\'', fix="a floating dtype"))
    return d
