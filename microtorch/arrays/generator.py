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

The twister and these formulas are in fills.py, and once more in C (ext/random.c); continuous.py and
discrete.py give them arguments and shapes. The last bit agrees too, with PyTorch 2.13 on x86-64
Linux: rounding.py says how (PyTorch built for other processors may round the blocks of float32
normals differently, from the same draws). An array is filled in memory order: to fill a permuted
tensor as PyTorch does, pass the shape of its storage (memory_order.py).

A shuffling DataLoader consumes, per `iter(loader)`, in this order: one `random(())` for the seed of
workers, from the loader's generator (with num_workers=0, and without shuffling, too); then, when
the sampler has no generator, a second one from the default generator for
`Generator().manual_seed(seed)`, whose `randperm(n)` is the order. A sampler with a generator uses
that one, and draws a second `randperm(n)`, of which it takes num_samples % n, at the epoch's end.
"""

from __future__ import annotations

import os
from _thread import allocate_lock
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.errors import message
from . import fills
from .draw_checks import checked_seed

if TYPE_CHECKING:  # numpy.typing is slow to import
    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Self

DEFAULT_SEED = 67280421310721

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

    __slots__ = ("__weakref__", "_lock", "_seed", "_spare", "_state", "device")

    def __init__(self, device: Any = "cpu") -> None:
        if str(device).partition(":")[0] != "cpu":
            raise RuntimeError(
                message(
                    f"Generator: device {str(device)!r} has no generator; expected 'cpu'",
                    fix="torch.Generator()",
                )
            )
        self.device = device
        self._lock = allocate_lock()  # two threads that draw at once get different numbers
        self.manual_seed(DEFAULT_SEED)

    def manual_seed(self, seed: int) -> Self:
        """Restart from `seed` in [-2**63, 2**64), negative meaning seed + 2**64; returns self.

        Only the low 32 bits reach the twister, so seeds that differ by 2**32 give equal numbers, as
        in PyTorch. Raises RuntimeError when seed is not an integer, ValueError when it is out of
        range.
        """
        self._seed = checked_seed(seed)
        self._state: fills.State | None = None  # made when a number is first asked for
        self._spare = np.zeros(2)  # a normal that waits for the next call, and whether there is one
        return self

    def state(self) -> fills.State:
        """The twister's words and how many are used (fills.py): the array itself, not a copy."""
        if self._state is None:
            self._state = fills.in_use.seeded(self._seed & 0xFFFFFFFF)
        return self._state

    def draw(self, what: str, n: int, *numbers: Any) -> NDArray[Any]:
        """The next n numbers of kind ``what``, a method of `fills.Fills`, which takes them so."""
        with self._lock:
            state = self._state
            if state is None:
                state = self.state()
            made: NDArray[Any] = getattr(fills.in_use, what)(state, n, *numbers)
            return made

    def fill(self, what: str, out: NDArray[Any], *numbers: Any) -> NDArray[Any]:
        """``out``, an array in rows, filled with numbers of kind ``what``."""
        with self._lock:
            state = self._state
            if state is None:
                state = self.state()
            getattr(fills.in_use, what)(state, out, *numbers)
            return out

    def serial_normal(
        self, out: NDArray[Any], mean: float, std: float, power: bool = False
    ) -> NDArray[Any]:
        """``out`` filled with normals one after the other; an odd one waits in the generator."""
        return self.fill("serial_normal", out, mean, std, power, self._spare)

    def serial_draw(self, what: str, columns: NDArray[np.float64]) -> NDArray[Any]:
        """A number for each of the n columns, by draws among which are such normals."""
        return self.draw(what, columns.shape[1], columns, self._spare)

    @property
    def spare(self) -> tuple[float, int]:
        """The normal number that waits for the next call, and whether there is one."""
        return float(self._spare[0]), int(self._spare[1])

    def seed(self) -> int:
        """Seed from the operating system's entropy; returns the 64-bit seed."""
        return self.manual_seed(int.from_bytes(os.urandom(8), "little")).initial_seed()

    def initial_seed(self) -> int:
        """The seed last set, in [0, 2**64)."""
        return self._seed

    def get_state(self) -> NDArray[np.uint8]:
        """The whole state as (5056,) uint8, the same bytes as PyTorch's get_state()."""
        return _pack(self)

    def set_state(self, new_state: ArrayLike) -> Self:
        """Continue from a (5056,) uint8 state of `get_state`, PyTorch's included.

        RuntimeError when it is invalid.
        """
        _unpack(self, new_state)
        return self

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
        return self.draw("draws", n)

    def draw64(self, n: int) -> NDArray[np.uint64]:
        """n numbers of two draws each, the first draw in the high word; (n,) uint64."""
        return self.draw("draws64", n)


def _pack(g: Generator) -> NDArray[np.uint8]:
    twister = g.state()
    used = int(twister[fills.WORDS])
    state = np.zeros((), _STATE)
    state["seed"], state["seeded"], state["key"] = g._seed, 1, twister[: fills.WORDS]
    # PyTorch counts both up and down; only a generator that never drew has next == 0
    state["next"], state["left"] = used, 625 - used if used else 1
    if g._spare[1]:
        state["normal_y"], state["normal_is_valid"] = g._spare[0], 1
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
    g._seed = int(state["seed"])
    g._state = np.append(state["key"], following).astype(np.uint32)
    valid = state["normal_is_valid"] != 0
    g._spare = np.array([state["normal_y"], 1.0]) if valid else np.zeros(2)


# what torch.manual_seed seeds besides: the generators of devices
followers: list[Callable[[int], Any]] = []
default_generator = Generator()
default_generator.seed()


def drawn_from(generator: Any) -> Generator:
    """The generator to draw from: the default one for None. TypeError for what is none."""
    if generator is None:
        return default_generator
    if not isinstance(generator, Generator):
        what = f"argument 'generator' must be torch.Generator, not {type(generator).__name__}"
        raise TypeError(message(what, fix="torch.Generator().manual_seed(seed)"))
    return generator
