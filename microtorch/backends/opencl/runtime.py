"""Devices, queues, memory and compiled programs: all that talks to OpenCL (through pyopencl) is here.

An OpenCL *platform* is a driver (an "ICD", installable client driver, found by the loader in /etc/OpenCL/vendors); a
platform offers *devices*. Per device there is one ``Runtime``: a context, one in-order queue, a pool of buffers and the
programs built so far. The queue runs kernels in the order in which they were enqueued, so a buffer may go back to the pool
as soon as Python forgets it: whoever gets it next enqueues later.

A program is OpenCL C text. It is built when first needed and kept (``Runtime.program``); between processes pyopencl keeps
the binaries on disk, and so do most drivers.
"""
from __future__ import annotations

import glob
import os
import re
import threading
import warnings
from functools import cache
from typing import Any

from ...device import device
from ...errors import DeviceError, OutOfMemoryError, message

HERE = os.path.dirname(os.path.abspath(__file__))
INSTALL = "Debian, Ubuntu: apt install pocl-opencl-icd (runs on the CPU); for a GPU, the OpenCL driver of its vendor"
_runtimes: dict[int, Runtime] = {}
_lock = threading.Lock()


# ---- what is there -------------------------------------------------------------------------------------------------
@cache
def pyopencl() -> Any:
    """The module pyopencl. Raises DeviceError if it cannot be imported. Imported late: a program on the CPU never needs it."""
    try:
        import pyopencl
    except Exception as error:  # a half-installed driver raises anything
        raise DeviceError(
            message(f"the OpenCL backend needs Python's package pyopencl, which does not import: {error}",
                    fix="pip install 'microtorch[opencl]'")
        ) from None
    return pyopencl


@cache
def devices() -> tuple[Any, ...]:
    """All OpenCL devices of all drivers, GPUs first. Raises DeviceError where there is none, with what was tried."""
    cl = pyopencl()
    found, tried = [], []
    try:
        platforms = cl.get_platforms()
    except cl.Error as error:
        platforms, tried = [], [f"the loader found no driver ({error})"]
    for platform in platforms:
        try:
            found += platform.get_devices()
        except cl.Error as error:
            tried.append(f"{platform.name}: {error}")
        else:
            tried.append(f"{platform.name}: {len(platform.get_devices())} device(s)")
    if not found:
        folder = os.environ.get("OCL_ICD_VENDORS", "/etc/OpenCL/vendors")
        names = ", ".join(sorted(os.path.basename(p) for p in glob.glob(os.path.join(folder, "*.icd")))) or "none"
        raise DeviceError(message("no OpenCL device was found", *tried, f"driver files (ICDs) in {folder}: {names}", fix=INSTALL))
    return tuple(sorted(found, key=lambda d: d.type & cl.device_type.GPU == 0))


def runtime(index: int | None = None) -> Runtime:
    """The runtime of device ``index`` (None: the first). Raises DeviceError if there is no such device."""
    index = index or 0
    found = _runtimes.get(index)
    if found is None:
        with _lock:
            if index not in _runtimes:
                there = devices()
                if index >= len(there):
                    names = ", ".join(f"opencl:{i} is {d.name.strip()}" for i, d in enumerate(there))
                    raise DeviceError(message(f"device 'opencl:{index}' is not available", names, fix="'opencl' is the first"))
                _runtimes[index] = Runtime(index, there[index])
            found = _runtimes[index]
    return found


def started() -> list[Runtime]:
    """The runtimes of the devices that were used so far."""
    return list(_runtimes.values())


# ---- one device ----------------------------------------------------------------------------------------------------
class Runtime:
    """One device: its queue, its memory, its programs, and the backend objects (lanes) for arrays on it."""

    def __init__(self, index: int, cl_device: Any, on_cpu: bool | None = None):
        """``on_cpu``: kernels for a CPU, or for a GPU (None: for what the device is)."""
        cl = pyopencl()
        from pyopencl.tools import ImmediateAllocator, MemoryPool

        self.cl, self.cl_device, self.device = cl, cl_device, device("opencl", index)
        self.name = cl_device.name.strip()
        self.on_cpu = cl_device.type & cl.device_type.CPU != 0 if on_cpu is None else on_cpu
        self.doubles = "cl_khr_fp64" in cl_device.extensions or bool(getattr(cl_device, "double_fp_config", 0))
        # a CPU: work-items that are loops over a block of elements, and functions that become vector code (see `opening`)
        self.block, self.groups = (1024, {1: (1,), 2: (1, 1)}) if self.on_cpu else (1, {1: (256,), 2: (64, 1)})
        self.own_functions = self.on_cpu and self.doubles
        try:
            self.context = cl.Context([cl_device])
            self.queue = cl.CommandQueue(self.context)
        except cl.Error as error:
            raise DeviceError(message(f"device 'opencl:{index}' ({self.name}) does not start: {error}", fix=INSTALL)) from None
        self.pool = MemoryPool(ImmediateAllocator(self.queue))
        self.enqueue = cl.enqueue_nd_range_kernel
        self.largest = min(cl_device.max_mem_alloc_size, 4 * (2**31 - 1))  # sizes and offsets are int in the kernels
        # -cl-fp32-correctly-rounded-divide-sqrt: without it a GPU's x / y may be 2.5 units in the last place off
        exact = cl_device.single_fp_config & cl.device_fp_config.CORRECTLY_ROUNDED_DIVIDE_SQRT
        # -w: no warnings, which some drivers would count on the user's screen
        self.options = ["-cl-std=CL1.2", "-w"] + ["-cl-fp32-correctly-rounded-divide-sqrt"] * bool(exact)
        self._programs: dict[str, Any] = {}
        self.sources: dict[str, str] = {}  # kernel name -> the text it was built from, for `source`
        self.built: dict[Any, Any] = {}  # kernels that are no formulas, by what they were built for
        self._backend: Any = None

    def backend(self) -> Any:
        """The backend objects of this device (backend.py)."""
        if self._backend is None:
            from .backend import lanes

            self._backend = lanes(self)
        return self._backend

    def allocate(self, nbytes: int) -> Any:
        """A buffer from the pool. Raises OutOfMemoryError with the numbers."""
        if nbytes > self.largest:
            raise self.exhausted(nbytes, f"one buffer may have at most {self.largest:,} bytes here")
        try:
            return self.pool.allocate(nbytes or 1)
        except self.cl.Error as error:
            raise self.exhausted(nbytes, str(error)) from None

    def exhausted(self, nbytes: int, why: str) -> OutOfMemoryError:
        used, all_of_it = self.pool.active_bytes, self.cl_device.global_mem_size
        return OutOfMemoryError(
            message(
                f"OpenCL out of memory. Tried to allocate {nbytes:,} bytes on {self.device} ({self.name})",
                f"in use: {used:,} of {all_of_it:,} bytes; {why}",
                fix="a smaller batch; del what is no longer needed; torch.no_grad() where no gradient is needed",
            )
        )

    def program(self, text: str, name: str) -> Any:
        """The built program of ``text``; ``name`` is for messages. Raises RuntimeError with the compiler's log."""
        found = self._programs.get(text)
        if found is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # pyopencl warns of a build log that is not empty
                try:
                    found = self.cl.Program(self.context, text).build(self.options)
                except self.cl.Error as error:
                    if re.search(r"\bT half\b", text) and "cl_khr_fp16" not in self.cl_device.extensions:
                        raise RuntimeError(
                            message(f"the OpenCL kernel '{name}' needs a device that computes with float16",
                                    f"{self.device} ({self.name}) lacks cl_khr_fp16", fix="x.float()")
                        ) from None
                    raise RuntimeError(
                        message(f"the OpenCL kernel '{name}' does not build on {self.device} ({self.name})", str(error).strip(),
                                fix=f"the text: microtorch.backends.opencl.source('{name}')")
                    ) from None
                finally:
                    self.sources[name] = text
            self._programs[text] = found
        return found

    def kernel(self, text: str, name: str, signature: str, title: str = "") -> Kernel:
        """Kernel ``name`` of the program ``text``. ``signature``: per argument b (buffer), i (int), l (long), f, d."""
        return Kernel(self, self.program(text, title or name), name, signature)

    def opening(self, kind: str, functions: bool = False, vectors: int = 1) -> str:
        """What a program that computes in C type ``kind`` begins with: T, EACH, and what prelude.cl has for T. With ``functions``
        those of functions.cl where they are better than the driver's; with ``vectors`` an exp of so many numbers, too."""
        parts = [f"#define T {kind}\n#define BLOCK {self.block}"]
        if kind in ("float", "double"):
            parts.append("#define FLOATING")
        if functions and kind == "float" and self.own_functions:
            for v in dict.fromkeys(("", vectors if vectors > 1 else "")):
                parts.append(f"#define F float{v}\n#define BITS as_uint{v}\n#define NUMBER as_float{v}\n{text_of('exp')}")
            parts += [text_of("float"), text_of("functions")]
        return "\n".join([*parts, text_of("prelude")])

    def synchronize(self) -> None:
        """Wait for all that was enqueued."""
        try:
            self.queue.finish()
        except self.cl.Error as error:
            raise self.failed("synchronize", error) from None

    def failed(self, what: str, error: Exception) -> RuntimeError:
        """The error for a launch or a transfer that OpenCL refused: memory, a lost device, or what the driver says."""
        text = str(error)
        if any(word in text for word in ("OUT_OF_RESOURCES", "MEM_OBJECT_ALLOCATION_FAILURE", "OUT_OF_HOST_MEMORY")):
            return self.exhausted(0, f"{what}: {text}")
        if "DEVICE_NOT_AVAILABLE" in text or "INVALID_COMMAND_QUEUE" in text or "INVALID_CONTEXT" in text:
            return DeviceError(message(f"device {self.device} ({self.name}) was lost: {text}", f"in {what}",
                                       fix="restart the program: what lay in the device's memory is gone"))
        return RuntimeError(message(f"OpenCL error in {what} on {self.device} ({self.name}): {text}"))


TYPES = {"i": "int32", "l": "int64", "f": "float32", "d": "float64", "b": None}


class Kernel:
    """A compiled kernel, to be called as ``kernel(global sizes, local sizes, *arguments)``. The first is rounded up."""

    __slots__ = ("kernel", "name", "queue", "runtime", "set_args")

    def __init__(self, runtime: Runtime, program: Any, name: str, signature: str):
        import numpy as np

        self.runtime, self.name, self.queue = runtime, name, runtime.queue
        self.kernel = runtime.cl.Kernel(program, name)
        self.kernel.set_scalar_arg_dtypes([None if TYPES[s] is None else np.dtype(TYPES[s]) for s in signature])
        self.set_args = self.kernel.set_args

    def __call__(self, size: tuple[int, ...], local: tuple[int, ...], *args: Any) -> None:
        runtime = self.runtime
        first = local[0]
        try:
            self.set_args(*args)
            runtime.enqueue(self.queue, self.kernel, (-(-size[0] // first) * first, *size[1:]), local)
        except runtime.cl.Error as error:
            raise runtime.failed(self.name, error) from None

    def each(self, size: tuple[int, ...], *args: Any) -> None:
        """Run a kernel whose text says EACH (prelude.cl) for the first of the sizes."""
        runtime = self.runtime
        self((-(-size[0] // runtime.block), *size[1:]), runtime.groups[len(size)], *args)


@cache
def text_of(name: str) -> str:
    """The text of ``kernels/<name>.cl``."""
    with open(os.path.join(HERE, "kernels", f"{name}.cl"), encoding="utf-8") as file:
        return file.read()

