"""Devices, queues, memory and compiled programs: all that talks to OpenCL (by pyopencl) is here.

An OpenCL *platform* is a driver (an "ICD", installable client driver, which the loader finds in
/etc/OpenCL/vendors). A platform offers *devices*. Each device has one ``Runtime``: a context, one
in-order queue, a pool of buffers, and the programs built so far. The queue runs kernels in the
order in which they were enqueued, so a buffer may go back to the pool as soon as Python forgets it:
whoever gets it next enqueues later.

A program is OpenCL C text. It is built when first needed and kept (``Runtime.program``). Between
processes pyopencl keeps the binaries on disk, and so do most drivers.
"""
from __future__ import annotations

import glob
import os
import re
import threading
import warnings
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import cache, wraps
from inspect import unwrap
from types import ModuleType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import numpy as np

from ...arrays.device import device
from ...base.errors import DeviceError, OutOfMemoryError, message

if TYPE_CHECKING:
    from pyopencl import Device, Program
    from pyopencl.tools import PooledBuffer

    from .backend import OpenCL

HERE = os.path.dirname(os.path.abspath(__file__))
INSTALL = ("Debian, Ubuntu: apt install pocl-opencl-icd (runs on the CPU); for a GPU, the OpenCL "
           "driver of its vendor")  # fmt: skip
_runtimes: dict[int, Runtime] = {}
_lock = threading.Lock()


# ---- what is there -------------------------------------------------------------------------------
@cache
def pyopencl() -> ModuleType:
    """The module pyopencl. Raises DeviceError if it does not import. A program on the CPU never
    needs it, so nothing imports it before a device is asked for."""
    try:
        import pyopencl
    except Exception as error:  # a half-installed driver raises anything
        what = "the OpenCL backend needs Python's package pyopencl, which does not import"
        fix = 'pip install "microtorch[opencl]"'
        raise DeviceError(message(f"{what}: {error}", fix=fix)) from None
    return pyopencl


@cache
def devices() -> tuple[Device, ...]:
    """All OpenCL devices of all drivers: GPUs, others, CPUs. Raises DeviceError where there is
    none, with what was tried."""
    cl = pyopencl()
    found: list[Device] = []
    tried = []
    try:
        platforms = cl.get_platforms()
    except cl.Error as error:
        platforms, tried = [], [f"the loader found no driver ({error})"]
    for platform in platforms:
        try:
            there = platform.get_devices()
        except cl.Error as error:
            tried.append(f"{platform.name}: {error}")
        else:
            found += there
            tried.append(f"{platform.name}: {len(there)} device(s)")
    if not found:
        folder = os.environ.get("OCL_ICD_VENDORS", "/etc/OpenCL/vendors")
        names = sorted(os.path.basename(p) for p in glob.glob(os.path.join(folder, "*.icd")))
        files = f"driver files (ICDs) in {folder}: {', '.join(names) or 'none'}"
        raise DeviceError(message("no OpenCL device was found", *tried, files, fix=INSTALL))
    gpu, cpu = cl.device_type.GPU, cl.device_type.CPU
    return tuple(sorted(found, key=lambda d: (d.type & gpu == 0, d.type & cpu != 0)))


def device_names() -> list[str]:
    """The names that the drivers give their devices, in the order of ``devices``."""
    return [d.name.strip() for d in devices()]


def runtime_for(index: int | None = None) -> Runtime:
    """The runtime of device ``index`` (None: the first), started if it was not. Raises DeviceError
    if there is no such device."""
    index = index or 0
    found = _runtimes.get(index)
    if found is None:
        with _lock:
            if index not in _runtimes:
                there = devices()
                if index >= len(there):
                    names = [f"opencl:{i} is {name}" for i, name in enumerate(device_names())]
                    what = f"device 'opencl:{index}' is not available"
                    raise DeviceError(message(what, ", ".join(names), fix="'opencl' is the first"))
                _runtimes[index] = Runtime(index, there[index])
            found = _runtimes[index]
    return found


def started() -> list[Runtime]:
    """The runtimes of the devices that were used so far."""
    return list(_runtimes.values())


# ---- one device ----------------------------------------------------------------------------------
class Runtime:
    """One device: its queue, its memory, its programs, and the backends of the arrays on it."""

    def __init__(self, index: int, cl_device: Device, on_cpu: bool | None = None):
        """``on_cpu``: kernels for a CPU, or for a GPU (None: for what the device is)."""
        cl = pyopencl()
        from pyopencl.tools import ImmediateAllocator, MemoryPool

        self.cl, self.cl_device, self.device = cl, cl_device, device("opencl", index)
        self.name = cl_device.name.strip()
        is_cpu = bool(cl_device.type & cl.device_type.CPU)
        self.on_cpu = is_cpu if on_cpu is None else on_cpu
        fp64 = getattr(cl_device, "double_fp_config", 0)
        self.doubles = "cl_khr_fp64" in cl_device.extensions or bool(fp64)
        # On a CPU a work-item is a loop over a block of elements, which becomes vector code, and
        # functions are those that do (see `opening`).
        self.block = 1024 if self.on_cpu else 1
        self.groups: dict[int, tuple[int, ...]] = (
            {1: (1,), 2: (1, 1)} if self.on_cpu else {1: (256,), 2: (64, 1)}
        )
        self.own_functions = self.on_cpu and self.doubles
        try:
            self.context = cl.Context([cl_device])
            self.queue = cl.CommandQueue(self.context)
        except cl.Error as error:
            what = f"device 'opencl:{index}' ({self.name}) does not start: {error}"
            raise DeviceError(message(what, fix=INSTALL)) from None
        self.pool = MemoryPool(ImmediateAllocator(self.queue))
        self.enqueue = cl.enqueue_nd_range_kernel
        # sizes and offsets are int in the kernels
        self.largest = min(cl_device.max_mem_alloc_size, 4 * (2**31 - 1))
        # -cl-fp32-correctly-rounded-divide-sqrt: without it a GPU's x / y may be 2.5 units in the
        # last place off. -w: no warnings, which some drivers would count on the user's screen.
        rounds = cl.device_fp_config.CORRECTLY_ROUNDED_DIVIDE_SQRT
        exact = bool(cl_device.single_fp_config & rounds)
        self.options = ["-cl-std=CL1.2", "-w"]
        self.options += ["-cl-fp32-correctly-rounded-divide-sqrt"] * exact
        self._programs: dict[str, Program] = {}
        self.sources: dict[str, str] = {}  # kernel -> the text it was built from, for `source`
        # function marked @once -> key -> what it built
        self.built: defaultdict[Callable[..., Any], dict[tuple[Any, ...], Any]] = defaultdict(dict)
        # dtype -> backend; backend.py fills it when the device is first used
        self.backends: Mapping[np.dtype, OpenCL] = {}

    # ---- memory ----------------------------------------------------------------------------------
    def allocate(self, nbytes: int) -> PooledBuffer:
        """A buffer from the pool. Raises OutOfMemoryError with the numbers."""
        if nbytes > self.largest:
            raise self.exhausted(nbytes, f"one buffer may have at most {self.largest:,} bytes here")
        try:
            return self.pool.allocate(nbytes or 1)
        except self.cl.Error as error:
            raise self.exhausted(nbytes, str(error)) from None

    def exhausted(self, nbytes: int, why: str) -> OutOfMemoryError:
        used, all_of_it = self.pool.active_bytes, self.cl_device.global_mem_size
        where = f"on {self.device} ({self.name})"
        return OutOfMemoryError(
            message(
                f"OpenCL out of memory. Tried to allocate {nbytes:,} bytes {where}",
                f"in use: {used:,} of {all_of_it:,} bytes; {why}",
                fix="a smaller batch; del what is no longer needed; "
                "torch.no_grad() where no gradient is needed",
            )
        )

    # ---- programs --------------------------------------------------------------------------------
    def program(self, text: str, name: str) -> Program:
        """The built program of ``text``; ``name`` is for messages. Raises RuntimeError with the
        compiler's log."""
        found = self._programs.get(text)
        if found is not None:
            return found
        self.sources[name] = text
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pyopencl warns of a build log that is not empty
            try:
                built: Program = self.cl.Program(self.context, text).build(self.options)
            except self.cl.Error as error:
                raise self.unbuildable(text, name, error) from None
        self._programs[text] = built
        return built

    def unbuildable(self, text: str, name: str, error: Exception) -> RuntimeError:
        """The error for a program that does not build."""
        here = f"{self.device} ({self.name})"
        if re.search(r"\bT half\b", text) and "cl_khr_fp16" not in self.cl_device.extensions:
            what = f"the OpenCL kernel '{name}' needs a device that computes with float16"
            return RuntimeError(message(what, f"{here} lacks cl_khr_fp16", fix="x.float()"))
        what = f"the OpenCL kernel '{name}' does not build on {here}"
        fix = f"the text: microtorch.backends.opencl.source('{name}')"
        return RuntimeError(message(what, str(error).strip(), fix=fix))

    def kernel(self, text: str, name: str, title: str = "") -> Kernel:
        """Kernel ``name`` of the program ``text``, which ``source`` shows under ``title``."""
        return Kernel(self, self.program(text, title or name), name, argument_types(text, name))

    def opening(self, kind: str, functions: bool = False, vectors: int = 1) -> str:
        """What a program that computes in C type ``kind`` begins with: T, EACH, and what prelude.cl
        has for T. With ``functions`` those of functions.cl, where they are better than the
        driver's; with ``vectors`` an exp of so many numbers, too."""
        parts = [f"#define T {kind}\n#define BLOCK {self.block}"]
        if kind in ("float", "double"):
            parts.append("#define FLOATING")
        if functions and kind == "float" and self.own_functions:
            for v in dict.fromkeys(("", vectors if vectors > 1 else "")):
                types = f"#define F float{v}\n#define BITS as_uint{v}\n#define NUMBER as_float{v}\n"
                parts.append(types + text_of("exp"))
            parts += [text_of("float"), text_of("functions")]
        return "\n".join([*parts, text_of("prelude")])

    # ---- the queue -------------------------------------------------------------------------------
    def synchronize(self) -> None:
        """Wait for all that was enqueued."""
        try:
            self.queue.finish()
        except self.cl.Error as error:
            raise self.failed("synchronize", error) from None

    def failed(self, what: str, error: Exception) -> RuntimeError:
        """The error for a launch or a transfer that OpenCL refused: memory, a lost device, or what
        the driver says."""
        text = str(error)
        memory = ("OUT_OF_RESOURCES", "MEM_OBJECT_ALLOCATION_FAILURE", "OUT_OF_HOST_MEMORY")
        if any(word in text for word in memory):
            return self.exhausted(0, f"{what}: {text}")
        here = f"{self.device} ({self.name})"
        lost = ("DEVICE_NOT_AVAILABLE", "INVALID_COMMAND_QUEUE", "INVALID_CONTEXT")
        if any(word in text for word in lost):
            fix = "restart the program: what lay in the device's memory is gone"
            return DeviceError(message(f"device {here} was lost: {text}", f"in {what}", fix=fix))
        return RuntimeError(message(f"OpenCL error in {what} on {here}: {text}"))


# ---- kernels -------------------------------------------------------------------------------------
class Kernel:
    """A compiled kernel: ``kernel(global sizes, local sizes, *arguments)`` enqueues it. The first
    global size is rounded up to whole groups."""

    __slots__ = ("kernel", "name", "queue", "runtime", "set_args")

    def __init__(
        self, runtime: Runtime, program: Program, name: str, types: list[np.dtype | None]
    ):
        self.runtime, self.name, self.queue = runtime, name, runtime.queue
        self.kernel = runtime.cl.Kernel(program, name)
        self.kernel.set_scalar_arg_dtypes(types)
        self.set_args = self.kernel.set_args

    def __call__(self, size: tuple[int, ...], local: tuple[int, ...], *arguments: object) -> None:
        runtime = self.runtime
        first = local[0]
        try:
            self.set_args(*arguments)
            whole = -(-size[0] // first) * first
            runtime.enqueue(self.queue, self.kernel, (whole, *size[1:]), local)
        except runtime.cl.Error as error:
            raise runtime.failed(self.name, error) from None

    def each(self, size: tuple[int, ...], *arguments: object) -> None:
        """Enqueue a kernel whose text says EACH (prelude.cl) for the first of the sizes."""
        runtime = self.runtime
        blocks = -(-size[0] // runtime.block)
        self((blocks, *size[1:]), runtime.groups[len(size)], *arguments)


_NUMBERS = {"int": np.int32, "long": np.int64, "float": np.float32, "double": np.float64}


def argument_types(text: str, name: str) -> list[np.dtype | None]:
    """What kernel ``name`` of a program takes, in order: the type of a number, None for a buffer.

    Read from the kernel's own parameters, so that they are declared in one place. A macro that
    stands for parameters or for a type is looked up among the program's.
    """
    macros = dict(re.findall(r"^#define (\w+) ((?:.*\\\n)*.*)$", text, re.M))
    found = re.search(rf"\bvoid {name}\s*\(([^)]*)\)", text)
    if found is None:
        raise ValueError(f"the program has no kernel '{name}'")
    written = [macros.get(p.strip(), p).replace("\\\n", " ") for p in found[1].split(",")]
    types: list[np.dtype | None] = []
    for parameter in ",".join(written).split(","):
        words = [macros.get(word, word) for word in parameter.split()]
        number = next((np.dtype(_NUMBERS[word]) for word in words if word in _NUMBERS), None)
        types.append(None if "*" in parameter else number)
    return types


@cache
def text_of(name: str) -> str:
    """The text of ``kernels/<name>.cl``."""
    with open(os.path.join(HERE, "kernels", f"{name}.cl"), encoding="utf-8") as file:
        return file.read()


# ---- building once -------------------------------------------------------------------------------
P = ParamSpec("P")
Built = TypeVar("Built")


def once(
    build: Callable[Concatenate[Runtime, P], Built]
) -> Callable[Concatenate[Runtime, P], Built]:
    """A decorator: ``build(runtime, *key)`` runs once per device and key, and its answer is kept
    in ``runtime.built``."""

    @wraps(build)
    def look_up(runtime: Runtime, /, *key: P.args, **names: P.kwargs) -> Built:
        built: dict[tuple[Any, ...], Built] = runtime.built[build]
        place = (*key, *names.items())
        try:
            return built[place]
        except KeyError:
            found = built[place] = build(runtime, *key, **names)
            return found

    return look_up


def forget(runtime: Runtime, function: Callable[..., Any]) -> None:
    """Drop what a function marked ``@once`` has built on a device."""
    runtime.built.pop(unwrap(function), None)


# ---- questions -----------------------------------------------------------------------------------
def is_available() -> bool:
    """Is there a device with an OpenCL driver? If not, ``reason()`` says what is missing."""
    return not reason()


def reason() -> str:
    """Why OpenCL cannot be used here; an empty string if it can."""
    try:
        devices()
    except DeviceError as error:
        return str(error)
    return ""


def source(name: str, index: int = 0) -> str:
    """The OpenCL C text of the kernels built last for op ``name`` on a device.

    Names are as "mul", "mul_vjp0" or "matmul". Raises KeyError if none has run yet.
    """
    sources = runtime_for(index).sources
    if name not in sources:
        so_far = ", ".join(sorted(sources)) or "none"
        raise KeyError(f"no kernel of '{name}' has run on opencl:{index} yet; so far: {so_far}")
    return sources[name]
