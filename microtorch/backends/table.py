"""From an op's name to its definition, and from a backend to its kernel of an op."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from weakref import WeakValueDictionary

from ..base.promises import Promises

if TYPE_CHECKING:
    from ..base.types import Argument, Backend, Kernel

LARGE = 1 << 15  # elements from which a backend may have another kernel (several threads)
# bytes of one operand times those of another, from which a backend may have another kernel if they
# broadcast: a result of 8,000 numbers has as much, or one of 800 and a row
SPREAD = 1 << 17
# functions for which the C core's tables pay sooner (backends/core/choice.py)
SOONER = frozenset("cos exp expm1 log log1p sin sqrt tanh".split())
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

# name -> forward(F, *arrays, **attrs), or a formula to compile to one; filled by Op and `defines`
definitions: Promises[Any] = Promises()
# kernels that return a view, write into their arguments, or depend on their dtype: nobody may hand
# them converted copies
uncopied: set[str] = set()
real_only: set[str] = set()  # ops that complex numbers do not have
# kernels that are the same for all dtypes on the CPU, and are called without F
shared: dict[str, Argument] = {}
# how to run a kernel (kernel, operands, options), if the operands decide how the result lies in
# memory
layouts: dict[str, Argument] = {}


def is_among(name: str, marked: set[str]) -> bool:
    """Is a kernel one of those that its declaration marks?"""
    definitions.get(name)  # which declares it, if that was put off
    return name in marked


def laying(kernel: Kernel, run: Kernel) -> Kernel:
    """A kernel that ``run`` runs. One that is written down (static/recorder.py) knows how: ``run``
    has to see the arrays that it is called with in the end."""
    if hasattr(kernel, "laid"):
        laid: Kernel = kernel.laid(run)
        return laid
    return lambda *operands, **options: run(kernel, operands, options)


def large_from(name: str) -> int:
    """How many elements the operands of a kernel have at least that is asked for as `large`."""
    return 1 << 11 if name in SOONER else LARGE


def definition(name: str) -> Kernel:
    """The declared ``forward(F, *arrays, **attrs)`` of an op."""
    forward = definitions[name]
    if hasattr(forward, "compile"):  # a formula
        forward = definitions[name] = forward.compile()
    return forward


def defines(forward: F) -> F:
    """A decorator: ``forward(F, ...)`` defines the kernel of its name, which is no op.

    An optimizer's step is one.
    """
    definitions[forward.__name__] = forward
    uncopied.add(forward.__name__)
    return forward


class BackendTable(dict["Backend", T]):
    """What an op looked up, by backend. A dict, because every call of an op looks there."""

    # those that looked something up, by id, and only as long as the op lives
    all: ClassVar[WeakValueDictionary[int, BackendTable[Any]]] = WeakValueDictionary()

    def __init__(self, name: str):
        self.name = name

    def __setitem__(self, backend: Backend, found: T) -> None:
        BackendTable.all[id(self)] = self
        super().__setitem__(backend, found)

    @staticmethod
    def filled() -> list[BackendTable[Any]]:
        """The tables that looked something up, also while other threads go on looking up."""
        found = [table() for table in BackendTable.all.valuerefs()]
        return [table for table in found if table is not None]


def forget(backend: Backend) -> None:
    """Every table looks up again what it wants of ``backend``, whose kernels have changed."""
    for table in BackendTable.filled():
        table.pop(backend, None)


class KernelTable(BackendTable["Kernel"]):
    """Backend -> its kernel of one op. ``size``: "small", the one for such arrays only; "any": for
    all; both for operands in rows; "into": what writes over an array (``Reference.into``).
    """

    def __init__(self, name: str, size: str = ""):
        super().__init__(name)
        self.size = size

    def __missing__(self, backend: Backend) -> Kernel:
        name = self.name
        for_all, held = self.size in ("", "any"), vars(backend)
        kernel = getattr(backend, name) if for_all else getattr(backend, self.size)(name)
        # what is recorded does not know yet which of its values lie in rows
        if name in layouts and (not self.size or hasattr(kernel, "laid")):
            kernel = laying(kernel, layouts[name])
        if not hasattr(backend, "passing"):  # one that does not outlive a transform
            self[backend] = kernel
        if vars(backend) is not held:  # another thread has begun, or ended, a recording
            self.pop(backend, None)
        return kernel


class HotTable(BackendTable["Kernel | None"]):
    """As ``KernelTable``, but None where the operands first need ``apply``.

    They need promotion on a backend of mixed dtypes, and casts where ``send_to_apply`` said so; and
    the absolute value of complex numbers is of another dtype than they. ``cold``: what stands for
    None.
    """

    aside: ClassVar[bool] = False  # do all ops go the general way? (engine/packing.py)

    def __init__(self, name: str, size: str = "", cold: Kernel | None = None):
        super().__init__(name)
        self.kernels, self.cold = KernelTable(name, size), cold

    def __missing__(self, backend: Backend) -> Kernel | None:
        if self.aside or hasattr(backend, "passing"):
            return self.cold
        held = vars(backend)
        cold = backend is backend.rest or self.name in _to_apply or self.name in backend.changing
        kernel = self[backend] = self.cold if cold else self.kernels[backend]
        if vars(backend) is not held:
            self.pop(backend, None)
        return kernel


_to_apply: set[str] = set()


def send_to_apply(names: Iterable[str]) -> None:
    """From now on the hot paths leave the ops of these names, and no others, to ``apply``."""
    names = set(names)
    changed = names ^ _to_apply
    _to_apply.clear()
    _to_apply.update(names)
    for table in BackendTable.filled():
        if isinstance(table, HotTable) and table.name in changed:
            table.clear()
