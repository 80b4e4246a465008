"""Making tensors: from data, filled, counted, and with random numbers.

Random numbers come from ``generator.py`` and equal PyTorch's on the CPU for the same seed.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import dtypes, generator, inplace, ops
from .backends import home
from .device import device as device_of
from .errors import describe, message
from .ops import constant
from .ops.shape import shape_of
from .rounding import fma
from .tensor import Tensor


def _export(f: Any, name: str = "") -> Any:
    ops.FUNCTIONS[name or f.__name__] = f
    return f


def _finish(array: Any, device: Any, requires_grad: bool) -> Tensor:
    t = constant(array, home(device, array.dtype))
    return t.requires_grad_() if requires_grad else t


# ---- from data -----------------------------------------------------------------------------------------------------
@_export
def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False) -> Tensor:
    """A tensor with a copy of ``data``: a number, nested lists, a numpy array, or a tensor.

    Python floats give the default dtype (float32), ints int64, bools bool; arrays keep their dtype.
    Raises ValueError for lists of unequal length, TypeError for what is not a number.
    """
    if isinstance(data, Tensor) and data.device.type != "cpu":
        t = data.detach().to(dtype=dtype, device=device, copy=True)
        return t.requires_grad_() if requires_grad else t
    return _finish(np.array(_array(data, dtype), copy=True), device, requires_grad)


@_export
def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """As ``tensor``, but shares the memory of a numpy array, and returns a tensor itself, where no conversion is needed."""
    if isinstance(data, Tensor):
        return data.to(dtype=dtype, device=device)
    return _finish(_array(data, dtype), device, False)


asarray = _export(as_tensor, "asarray")


@_export
def from_numpy(ndarray: Any) -> Tensor:
    """A tensor on the memory of a numpy array."""
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    dtypes.of(ndarray)
    return constant(ndarray)


def _array(data: Any, dtype: Any) -> Any:
    """``data`` as an array of the dtype asked for, or of the one PyTorch infers."""
    target = None if dtype is None else dtypes.as_numpy(dtype)
    if isinstance(data, Tensor):
        array = data.array
    elif isinstance(data, (np.ndarray, np.generic)):
        array = np.asarray(data)
    else:
        array = _from_lists(data)
        if target is None and array.dtype == np.float64 and not _has_float64(data):
            target = dtypes.default_numpy()
    if target is not None and array.dtype != target:
        array = array.astype(target)
    dtypes.of(array)
    return array


def _from_lists(data: Any) -> Any:
    _check_lists(data, 0)
    plain = _plain(data)
    try:
        array = np.asarray(plain)
    except OverflowError:
        raise ValueError(message("Overflow when unpacking long long", "an integer does not fit in 64 bits")) from None
    if array.dtype.kind not in "biuf":
        if not array.size and array.dtype == object:
            return array.astype(dtypes.default_numpy())
        if array.dtype.kind == "O" and any(isinstance(v, int) and not isinstance(v, bool) for v in array.flat):
            raise ValueError(message("Overflow when unpacking long long", "an integer does not fit in 64 bits"))
        bad = next((v for v in np.asarray(plain, object).flat if not isinstance(v, (int, float, bool, np.number))), data)
        what = "string" if isinstance(bad, str) else type(bad).__name__
        if isinstance(data, str):
            raise TypeError(message("new(): invalid data type 'str'", f"tensor({data!r})"[:120], fix="tensors hold numbers"))
        if isinstance(bad, str):
            raise ValueError(message("too many dimensions 'str'", f"tensor({data!r})"[:120], fix="tensors hold numbers"))
        raise RuntimeError(message(f"Could not infer dtype of {what}", f"found in tensor({data!r})"[:120]))
    return array.astype(dtypes.default_numpy()) if not array.size and array.dtype == np.float64 else array


def _plain(data: Any) -> Any:
    """Nested lists with tensors and Scalars inside replaced by their numbers."""
    if isinstance(data, (list, tuple)):
        return [_plain(v) for v in data]
    if isinstance(data, Tensor):
        return data.array if data.device.type == "cpu" else data.tolist()
    if type(data) in ops.COERCE:
        return float(data)
    return data


def _has_float64(data: Any) -> bool:
    """Does the data contain a float64 that is not a plain Python float (which is only of the default dtype)?"""
    if isinstance(data, (list, tuple)):
        return any(_has_float64(v) for v in data[:1])
    return type(data) not in ops.COERCE and getattr(getattr(data, "array", data), "dtype", None) == np.float64


def _check_lists(data: Any, dim: int) -> int | None:
    """Raise PyTorch's ValueError for ragged nesting; returns the length here."""
    if not isinstance(data, (list, tuple)):
        return None
    lengths = [len(v) if isinstance(v, (list, tuple)) else None for v in data]
    for v, n in zip(data, lengths, strict=True):
        if n != lengths[0] and (n is None or lengths[0] is None):
            raise TypeError(message(f"expected a sequence of equal depth at dim {dim + 1}, but got {type(v).__name__}",
                                    f"tensor({data!r})"[:120]))
        if n != lengths[0]:
            raise ValueError(message(f"expected sequence of length {lengths[0]} at dim {dim + 1} (got {n})",
                                     f"tensor({data!r})"[:120], fix="every row needs the same length"))
    if lengths and lengths[0] is not None:
        for v in data:
            _check_lists(v, dim + 1)
    return len(data)


class _Typed:
    """``torch.FloatTensor`` and its like: PyTorch's old constructors, of data or of sizes; ``isinstance`` works, too."""

    def __init__(self, kind: str, d: Any):
        self.__name__, self.dtype = f"{kind}Tensor", d

    def __call__(self, *data: Any) -> Tensor:
        if len(data) == 1 and not isinstance(data[0], int):
            return tensor(data[0], dtype=self.dtype)
        return constant(np.empty(shape_of(data, self.__name__) if data else (0,), self.dtype.numpy))

    def __instancecheck__(self, x: Any) -> bool:
        return isinstance(x, Tensor) and x.dtype is self.dtype

    def __repr__(self) -> str:
        return f"<class 'torch.{self.__name__}'>"


for _name, _kind in ops.reduce.TORCH_TYPES.items():
    _export(_Typed(_kind, dtypes.FROM_NUMPY[np.dtype(_name)]), f"{_kind}Tensor")


# ---- filled --------------------------------------------------------------------------------------------------------
Make = Callable[..., Any]


def _filled(name: str, make: Make, doc: str, random: bool = False) -> None:
    def create(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, out: Any = None,
               layout: Any = None, pin_memory: bool = False, memory_format: Any = None, **named: Any) -> Tensor:
        draw = {}
        if named:
            size = (named.pop("size"),) if "size" in named else size
            if random and "generator" in named:
                draw["generator"] = named.pop("generator")
            if named:
                raise TypeError(message(f"{name}() got an unexpected keyword argument '{next(iter(named))}'"))
        if out is not None:
            raise TypeError(message(f"{name}(): 'out' is not supported", fix=f"out.copy_(torch.{name}(...))"))
        shape = shape_of(size, name)
        if any(n < 0 for n in shape):
            raise RuntimeError(message(f"Trying to create tensor with negative dimension {min(shape)}: {list(shape)}"))
        d = dtypes.default_numpy() if dtype is None else dtypes.as_numpy(dtype)
        dev = home(device, d)
        return _finish(make(dev, shape, d, **draw), dev.device, requires_grad)

    def like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, memory_format: Any = None,
             layout: Any = None) -> Tensor:
        d = input.array.dtype if dtype is None else dtypes.as_numpy(dtype)
        dev = home(device or input.device, d)
        return _finish(make(dev, input.array.shape, d), dev.device, requires_grad)

    def new(self: Tensor, *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
        d = self.array.dtype if dtype is None else dtypes.as_numpy(dtype)
        dev = home(device or self.device, d)
        return _finish(make(dev, shape_of(size, f"new_{name}"), d), dev.device, requires_grad)

    for suffix, f, what in (("", create, ""), ("_like", like, " in the shape, dtype and device of ``input``")):
        f.__doc__ = doc + what + "."
        globals()[name + suffix] = _export(ops.named(f, name + suffix))
    if name in ("zeros", "ones", "empty"):
        setattr(Tensor, f"new_{name}", ops.named(new, f"new_{name}", doc + " in this tensor's dtype and device."))


empty: Callable[..., Tensor]
zeros: Callable[..., Tensor]
ones: Callable[..., Tensor]
_filled("empty", lambda F, shape, d: F.empty(shape, d), "A tensor whose elements are whatever the memory held")
_filled("zeros", lambda F, shape, d: F.zeros(shape, d), "A tensor of zeros")
_filled("ones", lambda F, shape, d: F.full(shape, 1, d), "A tensor of ones")
_filled("rand", lambda F, shape, d, **k: F.draws.uniform(shape, d, **k), "Uniform random numbers in [0, 1)", random=True)
_filled("randn", lambda F, shape, d, **k: F.draws.normal(shape, d, **k), "Standard normal random numbers", random=True)


@_export
def full(size: Sequence[int], fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of ``size`` filled with one number, of that number's dtype unless given."""
    value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    d = dtypes.of_number(value) if dtype is None else dtypes.as_numpy(dtype)
    shape = shape_of((size,), "full")
    dev = home(device, d)
    return _finish(dev.full(shape, value, d), dev.device, requires_grad)


@_export
def full_like(input: Tensor, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """full(input.shape, fill_value) in input's dtype."""
    return full(input.array.shape, fill_value, dtype=dtype or input.dtype, device=device or input.device,
                requires_grad=requires_grad)


def _new_full(self: Tensor, size: Sequence[int], fill_value: Any, **options: Any) -> Tensor:
    return full(size, fill_value, **{"dtype": self.dtype, "device": self.device, **options})


def _new_tensor(self: Tensor, data: Any, **options: Any) -> Tensor:
    return tensor(data, **{"dtype": self.dtype, "device": self.device, **options})


for _f, _doc in ((_new_full, "full() in this tensor's dtype."), (_new_tensor, "tensor() in this tensor's dtype.")):
    setattr(Tensor, _f.__name__[1:], ops.named(_f, _f.__name__[1:], _doc))


@_export
def eye(n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """The identity matrix (n, m)."""
    return _finish(np.eye(n, m, dtype=dtypes.default_numpy() if dtype is None else dtypes.as_numpy(dtype)), device, requires_grad)


@_export
def arange(start: Any = None, end: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None,
           requires_grad: bool = False) -> Tensor:
    """start, start + step, ... up to but without ``end``; int64 if all are integers, else the default dtype."""
    if end is None:
        start, end = 0, start
    if end is None:
        raise TypeError(message("arange() takes at least an end", fix="torch.arange(10)"))
    start = 0 if start is None else start
    start, end, step = (v.item() if isinstance(v, Tensor) else v for v in (start, end, step))
    if step == 0 or (end - start) * step < 0:
        what = "step must be nonzero" if step == 0 else "upper bound and lower bound inconsistent with step sign"
        raise RuntimeError(message(what, f"arange({start}, {end}, {step})"))
    integers = all(isinstance(v, (int, np.integer)) for v in (start, end, step))
    d = dtypes.as_numpy(dtype) if dtype is not None else dtypes.I64 if integers else dtypes.default_numpy()
    n = int(np.ceil((end - start) / step)) if not integers else len(range(start, end, step))
    return _finish((start + np.arange(n) * step).astype(d), device, requires_grad)


@_export
def linspace(start: Any, end: Any, steps: int, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """``steps`` numbers evenly spaced from ``start`` to ``end``, both included."""
    d = dtypes.default_numpy() if dtype is None else dtypes.as_numpy(dtype)
    if steps < 0:
        raise RuntimeError(message("number of steps must be non-negative", f"linspace(steps={steps})"))
    first, last = (v.item() if isinstance(v, Tensor) else v for v in (start, end))
    if d not in (dtypes.F32, dtypes.F64) or steps < 2:
        return _finish(np.linspace(float(first), float(last), steps).astype(d), device, requires_grad)
    # from both ends to the middle, each number rounded once: PyTorch's numbers, to the last bit
    first, last, half = d.type(first), d.type(last), steps // 2
    step = (last - first) / d.type(steps - 1)
    up = fma(np.arange(half).astype(d), step, first)
    down = fma(np.arange(steps - half - 1, -1, -1).astype(d), -step, last)
    return _finish(np.concatenate([up, down]), device, requires_grad)


@_export
def logspace(start: Any, end: Any, steps: int, base: float = 10.0, *, dtype: Any = None, device: Any = None,
             requires_grad: bool = False) -> Tensor:
    """base ** linspace(start, end, steps)."""
    d = dtypes.default_numpy() if dtype is None else dtypes.as_numpy(dtype)
    return _finish((float(base) ** np.linspace(float(start), float(end), steps)).astype(d), device, requires_grad)


@_export
def tril_indices(row: int, col: int, offset: int = 0) -> Tensor:
    """Row and column indices (2, n) of the lower triangle."""
    return constant(np.stack(np.tril_indices(row, offset, col)).astype(np.int64))


@_export
def triu_indices(row: int, col: int, offset: int = 0) -> Tensor:
    """Row and column indices (2, n) of the upper triangle."""
    return constant(np.stack(np.triu_indices(row, offset, col)).astype(np.int64))


# ---- random --------------------------------------------------------------------------------------------------------
@_export
class Generator(generator.Generator):
    """A source of random numbers of one's own: ``torch.Generator().manual_seed(0)``, for ``generator=``."""

    __slots__ = ()

    def __new__(cls, device: Any = "cpu") -> Any:
        """One for tensors on ``device``: "cpu", or "opencl", whose numbers are others (backends/opencl/random.py)."""
        if device_of(device).type == "opencl":
            from .backends.opencl.random import Generator

            return Generator(home(device, dtypes.F32).device)
        return super().__new__(cls)

    def __init__(self, device: Any = "cpu") -> None:
        super().__init__(device_of(device))

    def get_state(self) -> Any:
        """The state as a uint8 tensor, for ``set_state``."""
        return constant(super().get_state())


generator.default_generator = Generator()
generator.default_generator.seed()


@_export
def manual_seed(seed: int) -> Generator:
    """Seed the default generator: the same seed gives the same numbers, here and in PyTorch."""
    for follow in generator.followers:
        follow(int(seed))
    return generator.default_generator.manual_seed(int(seed))


@_export
def seed() -> int:
    """Seed the default generator from the operating system; returns the seed."""
    return generator.default_generator.seed()


@_export
def initial_seed() -> int:
    """The default generator's seed."""
    return generator.default_generator.initial_seed()


@_export
def get_rng_state() -> Tensor:
    """The default generator's state, a uint8 tensor."""
    return generator.default_generator.get_state()


@_export
def set_rng_state(new_state: Tensor) -> None:
    """Put the default generator into a state from get_rng_state."""
    generator.default_generator.set_state(new_state)


@_export
def randint(low: int, high: Any = None, size: Any = None, *, generator: Generator | None = None, dtype: Any = None,
            device: Any = None, requires_grad: bool = False) -> Tensor:
    """Random integers in [low, high), int64 unless asked otherwise: ``randint(10, (2, 3))``, ``randint(3, 10, (2, 3))``."""
    if size is None:
        low, high, size = 0, low, high
    if not isinstance(size, (tuple, list)):
        raise TypeError(message(f"randint() takes a size such as (2, 3), but got {size!r}", fix="torch.randint(10, (2, 3))"))
    d = dtypes.I64 if dtype is None else dtypes.as_numpy(dtype)
    dev = home(_where(device, generator), d)
    return _finish(dev.draws.randint(tuple(size), low, high, d, generator), dev.device, requires_grad)


@_export
def randint_like(input: Tensor, low: int, high: int | None = None, *, dtype: Any = None) -> Tensor:
    """randint in input's shape and dtype."""
    low, high = (0, low) if high is None else (low, high)
    d, dev = input.array.dtype if dtype is None else dtypes.as_numpy(dtype), input.node.dev
    return constant(dev.draws.randint(input.array.shape, low, high, d), dev)


@_export
def randperm(n: int, *, generator: Generator | None = None, dtype: Any = None, device: Any = None) -> Tensor:
    """A random permutation of 0..n-1."""
    d = dtypes.I64 if dtype is None else dtypes.as_numpy(dtype)
    dev = home(_where(device, generator), d)
    return _finish(dev.draws.randperm(n, d, generator), dev.device, False)


def _where(device: Any, generator: Any) -> Any:
    """The device asked for; without a word, the generator's (PyTorch would raise for one that is not on the CPU)."""
    return generator.device if device is None and generator is not None else device


@_export
def normal(mean: Any, std: Any = 1.0, size: Any = None, *, generator: Generator | None = None, dtype: Any = None,
           device: Any = None) -> Tensor:
    """Normal random numbers; ``mean`` and ``std`` are numbers (with ``size``) or tensors."""
    if isinstance(mean, Tensor) or isinstance(std, Tensor):
        m, s = (v.array if isinstance(v, Tensor) else v for v in (mean, std))
        dev = next(v for v in (mean, std) if isinstance(v, Tensor)).node.dev
        return constant(dev.draws.normal_tensors(m, s, generator), dev)
    if size is None:
        raise TypeError(message("normal() with a number for mean and std needs size=", fix="torch.normal(0.0, 1.0, size=(2, 3))"))
    d = dtypes.default_numpy() if dtype is None else dtypes.as_numpy(dtype)
    dev = home(_where(device, generator), d)
    return constant(dev.draws.normal(tuple(size), d, mean, std, generator), dev)


@_export
def bernoulli(input: Tensor, p: float | None = None, *, generator: Generator | None = None) -> Tensor:
    """0 or 1 with the probability of a 1 given by each element of ``input`` (or by ``p``)."""
    array = input.array
    if p is None and array.size and not (0 <= array.min() and array.max() <= 1):
        raise RuntimeError(message("Expected p_in >= 0 && p_in <= 1 to be true, but got false.", describe(input)))
    return constant(input.node.dev.draws.bernoulli(array if p is None else p, array.shape, array.dtype, generator), input.node.dev)


@_export
def multinomial(input: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None) -> Tensor:
    """Indices drawn with probabilities proportional to the (rows of) non-negative ``input``."""
    return constant(input.node.dev.draws.multinomial(input.array, num_samples, replacement, generator), input.node.dev)


def _fill(name: str, draw: Callable[..., Any], doc: str) -> None:
    def method(self: Tensor, *args: Any, generator: Generator | None = None, **kwargs: Any) -> Tensor:
        inplace.check_leaf(self, name[:-1])
        inplace.write(self, draw(self, *args, generator=generator, **kwargs), name[:-1])
        return self

    setattr(Tensor, name, ops.named(method, name, doc))


def _uniform(t: Any, a: float = 0.0, b: float = 1.0, **k: Any) -> Any:
    return t.node.dev.draws.uniform(t.array.shape, t.array.dtype, a, b, **k)


def _normal(t: Any, mean: float = 0.0, std: float = 1.0, **k: Any) -> Any:
    return t.node.dev.draws.normal(t.array.shape, t.array.dtype, mean, std, contiguous=t.array.flags.c_contiguous, **k)


def _random(t: Any, from_: int | None = None, to: int | None = None, **k: Any) -> Any:
    if to is None and from_ is not None:
        from_, to = 0, from_
    return t.node.dev.draws.random(t.array.shape, t.array.dtype, from_, to, **k)


def _bernoulli(t: Any, p: Any = 0.5, **k: Any) -> Any:
    return t.node.dev.draws.bernoulli(p.array if isinstance(p, Tensor) else p, t.array.shape, t.array.dtype, **k)


_fill("uniform_", _uniform, "Fill with uniform random numbers from [a, b).")
_fill("normal_", _normal, "Fill with normal random numbers.")
_fill("random_", _random, "Fill with random integers from [from, to), by default over the dtype's whole range.")
_fill("bernoulli_", _bernoulli, "Fill with 0 and 1; ``p`` (number or tensor) is the probability of 1.")
_fill("exponential_", lambda t, lambd=1.0, **k: t.node.dev.draws.exponential(t.array.shape, t.array.dtype, lambd, **k),
      "Fill with exponential random numbers.")
_fill("log_normal_", lambda t, mean=1.0, std=2.0, **k: t.node.dev.draws.log_normal(t.array.shape, t.array.dtype, mean, std, **k),
      "Fill with log-normal random numbers.")
_fill("cauchy_", lambda t, median=0.0, sigma=1.0, **k: t.node.dev.draws.cauchy(t.array.shape, t.array.dtype, median, sigma, **k),
      "Fill with Cauchy random numbers.")
_fill("geometric_", lambda t, p, **k: t.node.dev.draws.geometric(t.array.shape, t.array.dtype, p, **k),
      "Fill with geometric random numbers.")
Tensor.bernoulli = bernoulli  # type: ignore[attr-defined]
Tensor.multinomial = multinomial  # type: ignore[attr-defined]
