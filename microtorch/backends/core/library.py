"""The compiled module: loading it, or saying why it is not there; its threads and instruction set.

Kernels are functions of sizes, numbers and arrays (`called`; ext/calls.h). C reads the array object
itself and checks what the kernel's declaration says: type and number of elements, contiguous,
aligned, outputs apart from inputs (ext/arrays.h). A call returns True, or False if an array is not
as declared: then nothing was done, and the caller takes numpy's way.

All else of ``lib`` is called by way of cffi, and takes ``id(array)``.
"""
from __future__ import annotations

import ctypes
import os
import sys
import zlib
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy._core import multiarray

from ...arrays.dtypes import F32, F64, I64, on_bfloat16
from ...notation import formulas

if TYPE_CHECKING:
    from ...base.types import Array, DType, Kernel, Operand

lib: Any = None
ffi: Any = None
reason = ""  # why the core is not available; empty if it is
_announced = False
_num_threads = 1  # what was asked for; the core may have fewer
_REBUILD = "install microtorch again, or in a checkout run python ext/build_core.py"
ISAS = ("avx512", "avx2", "baseline")  # from the best down, as ext/dispatch.c counts them
SUFFIXES = {F32: "f32", F64: "f64"}
# whole numbers, of which some kernels are compiled for each width
INTEGERS = {
    I64: "i64", np.dtype(np.int32): "i32", np.dtype(np.int16): "i16", np.dtype(np.uint8): "u8"
}


def _load() -> str:
    """Import the module into ``lib`` and ``ffi``. Returns why this failed, or an empty string."""
    global lib, ffi
    try:
        from ..._core import ffi as loaded_ffi
        from ..._core import lib as loaded
    except ModuleNotFoundError as error:
        if not (error.name or "").endswith("._core"):  # cffi's own runtime is missing
            return f"Python's cffi package is missing ({error}): pip install cffi"
        return (
            "microtorch._core was not built, as happens when there is no C compiler at "
            "installation; install one (Debian, Ubuntu: apt install gcc libc6-dev python3-dev), "
            "then microtorch again, or in a checkout run python ext/build_core.py"
        )
    except ImportError as error:
        return (f"microtorch._core was built but does not load ({error}); "
                "install microtorch again to rebuild it")  # fmt: skip
    rows = formulas.TABLE, formulas.ARGUMENTS, formulas.VALUES
    if loaded.FORMULAS != zlib.crc32(repr(rows).encode()):
        return f"microtorch._core was compiled from formulas that have changed since; {_REBUILD}"
    problem = _learn_layout(loaded, loaded_ffi)
    if not problem:
        lib, ffi = loaded, loaded_ffi
        on_bfloat16.append(lambda dtype: lib.know_bfloat16(id(dtype)))
    return problem


def _learn_layout(loaded: Any, loaded_ffi: Any) -> str:
    """Tell C the layout of an array object, and check that it reads there what numpy says."""
    if sys.implementation.name != "cpython":
        return f"the C core reads CPython's objects, and this is {sys.implementation.name}"
    kinds = (np.float32, np.float64, np.int64, np.uint8, np.bool_, np.uint32, np.uint16,
             np.int32, np.int16, np.float16)
    types = [id(np.dtype(d)) for d in kinds]
    loaded.set_layout(object.__basicsize__, tuple.__basicsize__, id(np.ndarray), id(tuple), types)
    for array in (np.zeros((3, 5), np.float32), np.zeros((4, 6))[::2, ::-3]):
        seen = loaded_ffi.new("intptr_t[8]")
        loaded.probe(id(array), seen)
        data = array.__array_interface__["data"][0]
        if list(seen) != [data, array.flags.num, 2, id(array.dtype), *array.shape, *array.strides]:
            return (f"numpy {np.__version__} lays out its arrays in a way that this core does not "
                    f"know; {_REBUILD}")  # fmt: skip
    return ""


reason = _load()


def keep_freed_memory() -> None:
    """Have malloc keep up to 64 MiB of freed memory for the next arrays, half of it in large pages.

    glibc returns the memory of a large array to the system at once. The next array then costs a
    page fault for every 4 KiB: a third of the training step of a small convolutional network.
    Freeing one block of almost 32 MiB, which is never touched, raises glibc's threshold
    (mallopt(3), M_MMAP_THRESHOLD). A second block then comes from the heap, and numpy asks for
    pages of 2 MiB for it (madvise(2), MADV_HUGEPAGE), as for every array of 4 MiB or more. Smaller
    arrays will lie there: a chain of operations on 2 MB takes half the time. On other systems this
    does nothing.
    """
    for _ in range(2):
        np.empty((1 << 25) - (1 << 16), np.uint8)


SET_HANDLER, GET_HANDLER = 304, 305  # places in numpy's table of C functions


def align_arrays() -> None:
    """Have numpy's arrays of 16 KiB or more begin on a cache line, as the kernels' vectors do.

    By a memory handler (NEP 49; ext/lines.c), which holds in the context that imports microtorch;
    other threads go on with numpy's own. If someone has set another one, it stays.
    """
    if multiarray.get_handler_name() != "default_allocator":
        return
    python, address = ctypes.pythonapi, ctypes.c_void_p
    read, make = python.PyCapsule_GetPointer, python.PyCapsule_New
    name_of = python.PyCapsule_GetName
    read.restype, read.argtypes = address, [ctypes.py_object, address]
    make.restype, make.argtypes = ctypes.py_object, [address] * 3
    name_of.restype, name_of.argtypes = address, [ctypes.py_object]
    table = ctypes.cast(read(multiarray._ARRAY_API, None), ctypes.POINTER(address))
    get = ctypes.PYFUNCTYPE(ctypes.py_object)(table[GET_HANDLER])
    set_ = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(table[SET_HANDLER])
    before = get()
    # a capsule keeps no copy of its name, and arrays are freed after this module: numpy's own text
    name = name_of(before)
    handler = lib.line_handler(read(before, name))
    if handler:
        set_(make(handler, name, None))


def is_available() -> bool:
    """Whether the compiled module is there; if not, ``reason`` says why."""
    return lib is not None


def announce() -> None:
    """If the C core is missing, say so and why, on standard error and once per process."""
    global _announced
    if lib is None and not _announced:
        _announced = True
        print(
            f"microtorch: running on numpy without the C core: {reason}. "
            "(MICROTORCH_BACKEND=reference silences this.)",
            file=sys.stderr,
        )


def required() -> Any:
    """The module. Raises RuntimeError, with the reason, if it is not there."""
    if lib is None:
        raise RuntimeError(f"the C core is not available: {reason}")
    return lib


# ---- instruction set and threads -----------------------------------------------------------------
def isas() -> list[str]:
    """The compiled instruction sets that this processor has, best first."""
    return [name for k, name in enumerate(ISAS) if lib is not None and lib.isa_supported(k)]


def use_isa(name: str) -> None:
    """Take the kernels of one instruction set. At import it is the best, or MICROTORCH_ISA's.

    Raises ValueError for a name that is not in ``isas()``.
    """
    global isa
    if name not in isas():
        there = ", ".join(isas())
        raise ValueError(
            f"this processor, or this build, has no '{name}' kernels; there are: {there}"
        )
    required().use_isa(ISAS.index(name))
    isa = name


def default_num_threads() -> int:
    """MICROTORCH_NUM_THREADS, else OMP_NUM_THREADS, else how many CPUs this process may use.

    Raises ValueError if MICROTORCH_NUM_THREADS is not a positive integer.
    """
    asked = os.environ.get("MICROTORCH_NUM_THREADS", "")
    if asked and not (asked.isdecimal() and int(asked) > 0):
        raise ValueError(f"MICROTORCH_NUM_THREADS must be a positive integer, but is '{asked}'")
    # OpenMP's variable has a number for each level of nesting
    asked = asked or os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def set_num_threads(n: int) -> None:
    """Let long loops run on up to ``n`` threads, the caller's included.

    Without the core the number is remembered and has no effect.
    """
    global _num_threads
    _num_threads = n
    if lib is not None:
        lib.set_threads(n)


def get_num_threads() -> int:
    """On how many threads long loops run: as set, or fewer if the system gives no more."""
    return lib.get_threads() if lib is not None else _num_threads


Made = TypeVar("Made")


def place_of(cls: type, slot: str) -> int:
    """Where in the memory of an object of ``cls`` a slot lies; 0 if that cannot be told."""
    if lib is None:
        return 0
    thing: object = new(cls)
    mark = object()
    setattr(thing, slot, mark)
    return int(lib.place_of(id(thing), id(mark), cls.__basicsize__))


def taught(name: str, objects: tuple[Any, ...], places: Sequence[int], written: Made) -> Made:
    """The function of ext/objects.h that does what ``written`` says; without a core, ``written``.

    ``objects`` and ``places`` of slots are what it needs of Python's, in the order in which C names
    them. There is one such function; a later call gives it others.
    """
    made: list[Made] = []
    if lib is not None and all(places):
        lib.teach(id(made), name.encode(), id(objects), [*places], len(places))
    return made[0] if made else written


set_num_threads(default_num_threads())
isa = ""  # the one in use
# for the classes of tensors and nodes, in C at half of the time
new = object.__new__ if TYPE_CHECKING else taught("new", (), (), object.__new__)
if lib is not None:
    use_isa(os.environ.get("MICROTORCH_ISA") or isas()[0])
    lib.use_copies(-1)
    keep_freed_memory()
    align_arrays()


# ---- kernels and methods -------------------------------------------------------------------------
def ran(kernel: Kernel, *arguments: Array | float | None) -> bool:
    """Call C with sizes and arrays. Only the last array is written. If C declines them, once more
    with others that are contiguous.
    """
    return kernel(*arguments) or kernel(
        *[np.ascontiguousarray(a) if isinstance(a, np.ndarray) else a for a in arguments[:-1]],
        arguments[-1],
    )


Method = TypeVar("Method", bound=Callable[..., Any])


def calls(*kernels: str) -> Callable[[Method], Method]:
    """Declare the C kernels that a method calls, if they do not have the method's name.

    This is how `source` finds the text of ``linear``, whose kernel is ``matmul``. Calls of the
    method are not affected.
    """

    def declare(method: Method) -> Method:
        vars(method)["calls"] = kernels
        return method

    return declare


class kernel_of:
    """A kernel that is made once per backend, by a method that has all it needs in variables.

    A method would read them from ``self`` at every call: a quarter of the time of a small sum.
    """

    def __init__(self, make: Callable[[Any], Callable[..., Any]]):
        self.make, self.calls = make, getattr(make, "calls", ())
        self.__doc__ = make.__doc__

    def __get__(self, backend: Operand, owner: type) -> Operand:
        if backend is None:
            return self
        kernel = self.make(backend)
        setattr(backend, self.make.__name__, kernel)
        return kernel


@cache
def called(name: str) -> Kernel:
    """The kernel of this name, such as "sum_f32". AttributeError if there is none."""
    made: list[Kernel] = []
    required().add_kernel(id(made), name.encode())
    if not made:
        raise AttributeError(f"the C core has no kernel {name}")
    return made[0]


class Kernels:
    """The C kernels for one dtype: ``Kernels(F32).sum(...)`` calls sum_f32."""

    def __init__(self, dtype: DType):
        self._suffix = SUFFIXES.get(dtype) or INTEGERS[dtype]

    def __getattr__(self, name: str) -> Any:
        function = called(f"{name}_{self._suffix}")
        setattr(self, name, function)
        return function
