"""Tensors of random numbers, and the default generator.

The numbers equal those of PyTorch on the CPU for the same seed (arrays/generator.py).
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..arrays import dtypes, generator
from ..arrays.device import device as device_of
from ..backends import home
from ..base.errors import describe, message
from ..base.naming import named
from ..engine.record import constant
from ..handles.inplace import check_leaf
from ..handles.methods import bind_methods
from ..handles.tensor import Tensor
from ..handles.views import write
from .finish import export, finish


# ---- random --------------------------------------------------------------------------------------
@export
class Generator(generator.Generator):
    """A source of random numbers of one's own:

    ``torch.Generator().manual_seed(0)``, for ``generator=``.
    """

    __slots__ = ()

    def __new__(cls, device: Any = "cpu") -> Any:
        """One for tensors on ``device``:

        "cpu", or "opencl", whose numbers are others (backends/opencl/random.py).
        """
        if device_of(device).type == "opencl":
            from ..backends.opencl.random import Generator

            return Generator(home(device, dtypes.F32).device)
        return super().__new__(cls)

    def __init__(self, device: Any = "cpu") -> None:
        super().__init__(device_of(device))

    def get_state(self) -> Any:
        """The state as a uint8 tensor, for ``set_state``."""
        return constant(super().get_state())


generator.default_generator = Generator()


generator.default_generator.seed()


@export
def manual_seed(seed: int) -> Generator:
    """Seed the default generator: the same seed gives the same numbers, here and in PyTorch."""
    for follow in generator.followers:
        follow(int(seed))
    return generator.default_generator.manual_seed(int(seed))


@export
def seed() -> int:
    """Seed the default generator from the operating system; returns the seed."""
    return generator.default_generator.seed()


@export
def initial_seed() -> int:
    """The default generator's seed."""
    return generator.default_generator.initial_seed()


@export
def get_rng_state() -> Tensor:
    """The default generator's state, a uint8 tensor."""
    return generator.default_generator.get_state()


@export
def set_rng_state(new_state: Tensor) -> None:
    """Put the default generator into a state from get_rng_state."""
    generator.default_generator.set_state(new_state)


@export
def randint(
    low: int,
    high: Any = None,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Random integers in [low, high), int64 unless asked otherwise:

    ``randint(10, (2, 3))``, ``randint(3, 10, (2, 3))``.
    """
    if size is None:
        low, high, size = 0, low, high
    if not isinstance(size, (tuple, list)):
        raise TypeError(
            message(
                f"randint() takes a size such as (2, 3), but got {size!r}",
                fix="torch.randint(10, (2, 3))",
            )
        )
    d = dtypes.I64 if dtype is None else dtypes.as_numpy(dtype)
    dev = home(_where(device, generator), d)
    return finish(
        dev.draws.randint(tuple(size), low, high, d, generator), dev.device, requires_grad
    )


@export
def randint_like(input: Tensor, low: int, high: int | None = None, *, dtype: Any = None) -> Tensor:
    """randint in input's shape and dtype."""
    low, high = (0, low) if high is None else (low, high)
    d, dev = input.array.dtype if dtype is None else dtypes.as_numpy(dtype), input.node.dev
    return constant(dev.draws.randint(input.array.shape, low, high, d), dev)


@export
def randperm(
    n: int, *, generator: Generator | None = None, dtype: Any = None, device: Any = None
) -> Tensor:
    """A random permutation of 0..n-1."""
    d = dtypes.I64 if dtype is None else dtypes.as_numpy(dtype)
    dev = home(_where(device, generator), d)
    return finish(dev.draws.randperm(n, d, generator), dev.device, False)


def _where(device: Any, generator: Any) -> Any:
    """The device asked for; without a word, the generator's (PyTorch would raise for one that is
    not on the CPU).
    """
    return generator.device if device is None and generator is not None else device


@export
def normal(
    mean: Any,
    std: Any = 1.0,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
) -> Tensor:
    """Normal random numbers; ``mean`` and ``std`` are numbers (with ``size``) or tensors."""
    if isinstance(mean, Tensor) or isinstance(std, Tensor):
        m, s = (v.array if isinstance(v, Tensor) else v for v in (mean, std))
        dev = next(v for v in (mean, std) if isinstance(v, Tensor)).node.dev
        return constant(dev.draws.normal_tensors(m, s, generator), dev)
    if size is None:
        raise TypeError(
            message(
                "normal() with a number for mean and std needs size=",
                fix="torch.normal(0.0, 1.0, size=(2, 3))",
            )
        )
    d = dtypes.default_numpy() if dtype is None else dtypes.as_numpy(dtype)
    dev = home(_where(device, generator), d)
    return constant(dev.draws.normal(tuple(size), d, mean, std, generator), dev)


@export
def bernoulli(
    input: Tensor, p: float | None = None, *, generator: Generator | None = None
) -> Tensor:
    """0 or 1 with the probability of a 1 given by each element of ``input`` (or by ``p``)."""
    array = input.array
    if p is None and array.size and not (0 <= array.min() and array.max() <= 1):
        raise RuntimeError(
            message("Expected p_in >= 0 && p_in <= 1 to be true, but got false.", describe(input))
        )
    return constant(
        input.node.dev.draws.bernoulli(
            array if p is None else p, array.shape, array.dtype, generator
        ),
        input.node.dev,
    )


@export
def multinomial(
    input: Tensor,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Indices drawn with probabilities proportional to the (rows of) non-negative ``input``."""
    return constant(
        input.node.dev.draws.multinomial(input.array, num_samples, replacement, generator),
        input.node.dev,
    )


def _fill(name: str, draw: Callable[..., Any], doc: str) -> None:
    def method(
        self: Tensor, *args: Any, generator: Generator | None = None, **kwargs: Any
    ) -> Tensor:
        check_leaf(self, name[:-1])
        write(self, draw(self, *args, generator=generator, **kwargs), name[:-1])
        return self

    bind_methods({name: named(method, name, doc)})


def _uniform(t: Any, a: float = 0.0, b: float = 1.0, **k: Any) -> Any:
    return t.node.dev.draws.uniform(t.array.shape, t.array.dtype, a, b, **k)


def _normal(t: Any, mean: float = 0.0, std: float = 1.0, **k: Any) -> Any:
    return t.node.dev.draws.normal(
        t.array.shape, t.array.dtype, mean, std, contiguous=t.array.flags.c_contiguous, **k
    )


def _random(t: Any, from_: int | None = None, to: int | None = None, **k: Any) -> Any:
    if to is None and from_ is not None:
        from_, to = 0, from_
    return t.node.dev.draws.random(t.array.shape, t.array.dtype, from_, to, **k)


def _bernoulli(t: Any, p: Any = 0.5, **k: Any) -> Any:
    return t.node.dev.draws.bernoulli(
        p.array if isinstance(p, Tensor) else p, t.array.shape, t.array.dtype, **k
    )


_fill("uniform_", _uniform, "Fill with uniform random numbers from [a, b).")


_fill("normal_", _normal, "Fill with normal random numbers.")


_fill(
    "random_",
    _random,
    "Fill with random integers from [from, to), by default over the dtype's whole range.",
)


_fill(
    "bernoulli_", _bernoulli, "Fill with 0 and 1; ``p`` (number or tensor) is the probability of 1."
)


_fill(
    "exponential_",
    lambda t, lambd=1.0, **k: t.node.dev.draws.exponential(
        t.array.shape, t.array.dtype, lambd, **k
    ),
    "Fill with exponential random numbers.",
)


_fill(
    "log_normal_",
    lambda t, mean=1.0, std=2.0, **k: t.node.dev.draws.log_normal(
        t.array.shape, t.array.dtype, mean, std, **k
    ),
    "Fill with log-normal random numbers.",
)


_fill(
    "cauchy_",
    lambda t, median=0.0, sigma=1.0, **k: t.node.dev.draws.cauchy(
        t.array.shape, t.array.dtype, median, sigma, **k
    ),
    "Fill with Cauchy random numbers.",
)


_fill(
    "geometric_",
    lambda t, p, **k: t.node.dev.draws.geometric(t.array.shape, t.array.dtype, p, **k),
    "Fill with geometric random numbers.",
)


bind_methods({"bernoulli": bernoulli, "multinomial": multinomial})


