"""Tensors of random numbers, and the default generator.

For the same seed they are the numbers of PyTorch on the CPU (arrays/generator.py).
"""
from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from types import EllipsisType
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..arrays import continuous, draw_checks, dtypes, generator
from ..arrays import draws as source
from ..arrays.device import device as device_of
from ..arrays.memory_order import in_memory_order, outermost_first
from ..backends import defines, home
from ..base.errors import broadcast_error, describe, message
from ..engine.calling import reading
from ..engine.record import constant
from ..engine.whole import whole
from ..graph import storage_of
from ..handles.inplace import check_leaf, put_straight, store, straight
from ..handles.tensor import Tensor
from ..handles.views import renew_views
from ..ops.arguments import refuse_complex
from ..ops.settled import settled
from ..ops.surface import METHODS
from .finish import chosen, export, finish

if TYPE_CHECKING:
    from ..arrays.memory_format import memory_format
    from ..base.types import Array, Backend, DeviceLike, DTypeLike, Number, Shape


@export
class Generator(generator.Generator):
    """A source of random numbers, for ``generator=``: ``torch.Generator().manual_seed(0)``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<torch._C.Generator object at {id(self):#x}>"

    def __new__(cls, device: DeviceLike = "cpu") -> Any:
        """One for tensors on ``device``.

        On "opencl" the numbers are others (backends/opencl/random.py).
        """
        if device_of(device).type == "opencl":
            from ..backends.opencl.random import Generator

            return Generator(home(device, dtypes.F32).device)
        return super().__new__(cls)

    def __init__(self, device: DeviceLike = "cpu") -> None:
        super().__init__(device_of(device))

    def get_state(self) -> Tensor:  # type: ignore[override]  # arrays/ knows no tensors
        """The state as a uint8 tensor, for ``set_state``."""
        return constant(super().get_state())


# ---- the default generator -----------------------------------------------------------------------
# the one that arrays/ draws from since the start: from here on with the methods of users
default_generator = cast("Generator", generator.default_generator)
default_generator.__class__ = Generator


@export
def manual_seed(seed: int) -> Generator:
    """Seed the default generator: the same seed gives the same numbers, here and in PyTorch."""
    for follow in generator.followers:
        follow(int(seed))
    default_generator.manual_seed(int(seed))
    return default_generator


@export
def seed() -> int:
    """Seed the default generator from the operating system; returns the seed."""
    return default_generator.seed()


@export
def initial_seed() -> int:
    """The default generator's seed."""
    return default_generator.initial_seed()


@export
def get_rng_state() -> Tensor:
    """The default generator's state, a uint8 tensor."""
    state: Tensor = whole("get_rng_state", default_generator.get_state)
    return state


@export
def set_rng_state(new_state: Tensor) -> None:
    """Put the default generator into a state from get_rng_state."""
    whole("set_rng_state", _continue_from, new_state)


def _continue_from(new_state: Tensor) -> None:
    default_generator.set_state(new_state)


# ---- new tensors ---------------------------------------------------------------------------------
@export
def randint(
    low: int = 0,
    high: int | Sequence[int] | None = None,
    size: Sequence[int] | None = None,
    *,
    generator: Generator | None = None,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Random integers in [low, high), int64 unless asked otherwise.

    ``randint(3, 10, (2, 3))``, and from 0 ``randint(10, (2, 3))``.
    """
    if size is None:
        size = cast("Sequence[int]", high)  # checked next
        low, high = 0, low
    elif high is None:  # randint(10, size=(2, 3))
        low, high = 0, low
    if not isinstance(size, (tuple, list)):
        raise TypeError(
            message(
                f"randint() takes a size such as (2, 3), but got {size!r}",
                fix="torch.randint(10, (2, 3))",
            )
        )
    d = chosen(dtype, dtypes.I64)
    dev = home(_where(device, generator), d)
    drawn = dev.draws.randint(tuple(size), low, high, d, generator)
    return finish(drawn, dev.device, requires_grad)


@export
def randint_like(
    input: Tensor,
    low: int = 0,
    high: int | None = None,
    *,
    generator: Generator | None = None,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
    memory_format: memory_format | None = None,
) -> Tensor:
    """randint in input's shape, dtype and device."""
    low, high = (0, low) if high is None else (low, high)
    d, dev = chosen(dtype, input.array.dtype), input.node.dev
    dev = dev if device is None else home(device, d)
    draw = dev.draws.randint
    drawn = in_memory_order(input.array, lambda shape: draw(shape, low, high, d, generator))
    return finish(drawn, dev.device, requires_grad)


@export
def randperm(
    n: int,
    *,
    generator: Generator | None = None,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """A random permutation of 0..n-1."""
    d = chosen(dtype, dtypes.I64)
    dev = home(_where(device, generator), d)
    return finish(dev.draws.randperm(n, d, generator), dev.device, requires_grad)


def _where(device: DeviceLike | None, generator: Generator | None) -> DeviceLike | None:
    """The device asked for, else the generator's. (PyTorch raises for one not on the CPU.)"""
    return generator.device if device is None and generator is not None else device


@export
def normal(
    mean: Tensor | Number,
    std: Tensor | Number = 1.0,
    size: Shape | None = None,
    *,
    generator: Generator | None = None,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Normal random numbers; ``mean`` and ``std`` are tensors, or numbers and ``size`` is given."""
    if isinstance(std, complex) or (isinstance(std, Tensor) and std.is_complex()):
        what = "normal expects standard deviation to be non-complex"
        raise RuntimeError(message(what, f"std: {describe(std)}", fix="std.abs()"))
    if isinstance(mean, Tensor) or isinstance(std, Tensor):
        if size is not None or dtype is not None or device is not None:
            what = "normal() takes size, dtype and device beside two numbers only"
            raise TypeError(message(what, fix="tensors say all three: torch.normal(mean, std)"))
        m, s = (v.array if isinstance(v, Tensor) else v for v in (mean, std))
        dev = next(v for v in (mean, std) if isinstance(v, Tensor)).node.dev
        given = [v for v in (mean, std) if isinstance(v, Tensor)]
        try:
            drawn = dev.draws.normal_tensors(m, s, generator)
        except ValueError:
            raise broadcast_error("normal", given) from None
        which = 3 if len(given) > 1 else 1 if given[0] is mean else 2
        return settled("normal", drawn, *given, zero=which)
    if size is None:
        raise TypeError(
            message(
                "normal() with a number for mean and std needs size=",
                fix="torch.normal(0.0, 1.0, size=(2, 3))",
            )
        )
    d = chosen(dtype)
    dev = home(_where(device, generator), d)
    t = constant(dev.draws.normal(tuple(size), d, mean, std, generator), dev)
    return t.requires_grad_() if requires_grad else t


@export
def bernoulli(
    input: Tensor, p: float | None = None, *, generator: Generator | None = None
) -> Tensor:
    """0 or 1, where each element of ``input`` (or ``p``) is the probability of a 1."""
    array = input.array
    dev, chance = input.node.dev, array if p is None else p
    if p is None and type(array) is not np.ndarray:  # of which the draw looks at each itself
        dev.check_chances(array)
    if dev.halves and p is None and type(array) is np.ndarray:  # numpy compares them one by one
        wide = dev.wide
        drawn = dev.draws.bernoulli(wide.widen(array), array.shape, wide.dtype, generator)
        drawn = wide.narrow(drawn, array.dtype)
    else:
        drawn = dev.draws.bernoulli(chance, array.shape, array.dtype, generator)
    # with p PyTorch has no derivative for the input, of which only the shape is read
    return settled("bernoulli", drawn, input, zero=0 if p is None else -1)


@defines
def check_chances(F: Backend, p: Array) -> None:
    """RuntimeError for no probability. A kernel, so that a recorded program asks at each call."""
    draw_checks.check_chances(p)


@export
def multinomial(
    input: Tensor,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Indices drawn with probabilities proportional to the (rows of) non-negative ``input``."""
    dev = input.node.dev
    return constant(dev.draws.multinomial(input.array, num_samples, replacement, generator), dev)


METHODS.update({f.__name__: reading(f, out=False) for f in (bernoulli, multinomial)})


# ---- filling a tensor ----------------------------------------------------------------------------
# whether the common way will do for some numbers, and that way
COMMON: dict[str, Any] = {
    "uniform": (continuous.plain_uniform, continuous.fill_uniform),
    "normal": (continuous.plain_normal, continuous.fill_normal),
}


def fills(draw: Callable[..., Array]) -> Callable[..., Array]:
    """A decorator: ``draw(self, ...)`` makes the numbers of the in-place method of its name.

    Of numbers by position alone, those of COMMON are drawn where they are to lie.
    """
    name, drawn = draw.__name__[:-1], reading(draw, out=False)
    plain, fill = COMMON.get(name, (None, None))

    @functools.wraps(draw)
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        alone = not kwargs and straight(self, args)
        if (
            alone and plain is not None and len(args) <= 2 and self.array.flags.c_contiguous
            and self.node.dev.draws is source  # else a vmap asks what is drawn
        ):  # fmt: skip
            for x in args:
                if type(x) is not float and type(x) is not int:
                    break
            else:
                if plain((a := self.array).dtype, *args):
                    storage = self.node.storage or storage_of(self.node)
                    storage.wrote(name)  # before it is done, as in write()
                    fill(a, *args)
                    if storage.views:
                        renew_views(self)
                    return self
        if not alone:
            check_leaf(self, name)
        numbers = drawn(self, *args, **kwargs)
        if alone and put_straight(self, numbers, name):
            return self
        given = [self, *[x for x in (*args, *kwargs.values()) if isinstance(x, Tensor)]]
        which = len(given) - 1
        if name == "bernoulli":  # PyTorch's overloads: by a tensor 1, by a number 2
            which = 2 - which
        elif name == "random":  # by two bounds 0, by one 1, by none 2
            which = 2 - len(args) - ("to" in kwargs)
        return store(self, settled(name, numbers, *given, zero=which), name)

    METHODS[f"{name}_"] = method
    return draw


def draw_for(self: Tensor, kind: str, *numbers: Any, **options: Any) -> Array:
    """The array of random numbers that fills ``self``, in the order of its memory."""
    x, draw = self.array, getattr(self.node.dev.draws, kind)
    if x.flags.c_contiguous:
        return draw(x.shape, x.dtype, *numbers, **options)
    return in_memory_order(x, lambda shape: draw(shape, x.dtype, *numbers, **options))


@fills
def uniform_(
    self: Tensor, from_: float = 0.0, to: float = 1.0, *, generator: Generator | None = None
) -> Array:
    """Fill with uniform random numbers from [from_, to)."""
    return draw_for(self, "uniform", from_, to, generator=generator)


@fills
def normal_(
    self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None
) -> Array:
    """Fill with normal random numbers."""
    options = {"contiguous": self.array.flags.c_contiguous, "generator": generator}
    return draw_for(self, "normal", mean, std, **options)


@fills
def random_(
    self: Tensor,
    from_: int | None = None,
    to: int | EllipsisType | None = ...,
    *,
    generator: Generator | None = None,
) -> Array:
    """Fill with random integers from [from_, to), or with one number, from [0, from_).

    With none, over the dtype's whole range; with ``to`` None from ``from_`` to its end.
    """
    if to is ... and from_ is not None:
        from_, to = 0, from_
    to = None if to is ... else to
    return draw_for(self, "random", from_, to, generator=generator)


@fills
def bernoulli_(
    self: Tensor, p: Tensor | float = 0.5, *, generator: Generator | None = None
) -> Array:
    """Fill with 0 and 1; ``p`` (number or tensor) is the probability of 1."""
    x, draws = self.array, self.node.dev.draws

    def coins(shape: Shape) -> Array:
        chance = p.array if isinstance(p, Tensor) else p
        if isinstance(p, Tensor) and not x.flags.c_contiguous:
            chance = np.broadcast_to(p.array, x.shape).transpose(outermost_first(x))
        return draws.bernoulli(chance, shape, x.dtype, generator=generator)

    return in_memory_order(x, coins)


@fills
def exponential_(
    self: Tensor, lambd: float = 1.0, *, generator: Generator | None = None
) -> Array:
    """Fill with exponential random numbers of rate ``lambd``."""
    return draw_for(self, "exponential", lambd, generator=generator)


@fills
def log_normal_(
    self: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Generator | None = None
) -> Array:
    """Fill with log-normal random numbers; ``mean`` and ``std`` are those of the logarithm."""
    return draw_for(self, "log_normal", mean, std, generator=generator)


@fills
def cauchy_(
    self: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Generator | None = None
) -> Array:
    """Fill with Cauchy random numbers."""
    return draw_for(self, "cauchy", median, sigma, generator=generator)


@fills
def geometric_(self: Tensor, p: float, *, generator: Generator | None = None) -> Array:
    """Fill with geometric random numbers: trials until the first success, of probability ``p``."""
    refuse_complex("geometric_cpu", self)
    return draw_for(self, "geometric", p, generator=generator)
