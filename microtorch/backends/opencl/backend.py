"""The OpenCL backend: one kernel per op name, on device arrays. Its class is all that an engine
sees of OpenCL.

A kernel is looked for in this order: a method written here; an elementwise kernel, generated from
formulas.py (also ``<op>_vjp<i>``, the op's derivative in one pass); the op's own declaration, whose
numpy functions run on the device by way of protocol.py. What none of them can do raises
``MissingKernel``.
"""
from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ...arrays.dtypes import F32, F64
from ...base.errors import DeviceError, MissingKernel, message
from ..reference import Reference, nonzero_divisor
from ..table import definition, definitions
from . import layers, windows
from . import reduce as reductions
from .array import Array, Axis, Index, OnDevice, Operand
from .codegen import OPS
from .elementwise import elementwise
from .indexing import gather_index, read, scatter, write
from .layout import Shape
from .matmul import matmul
from .memory import empty, upload
from .protocol import call_function, call_ufunc, on_host
from .random import Draws
from .runtime import Runtime, runtime_for

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from ...base.types import Chain, DType

ELEMENTWISE = OPS | {f"{op}_vjp{i}" for op in OPS for i in range(3)}


class OpenCL:
    """Kernels by op name, for arrays of one device and one dtype.

    There is an object for float32, one for float64, and one for all other dtypes (``rest``). As on
    the CPU, equal ``dev`` means equal device and dtype.
    """

    name = "opencl"
    dtype = None  # of its arrays: any
    memory = Array
    changing = Reference.changing  # it has no complex numbers
    conjugates = halves = ordered = False

    def __init__(self, runtime: Runtime, by_dtype: Backends):
        self.runtime, self.device, self.by_dtype = runtime, runtime.device, by_dtype
        self._dividing: dict[str, Callable[..., Array]] = {}

    @property
    def rest(self) -> OpenCL:
        """The backend for arrays of the dtypes that have none of their own."""
        return self.by_dtype.rest

    def of(self, dtype: np.dtype) -> OpenCL:
        """The backend for arrays of ``dtype`` on this device."""
        return self.by_dtype[dtype]

    # ---- kernels by name -------------------------------------------------------------------------
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        kernel = elementwise(self.runtime, name) or self._declared(name)
        setattr(self, name, kernel)
        return kernel

    def large(self, name: str) -> Callable[..., Any]:
        """The kernel of an op for large arrays: here the same."""
        kernel: Callable[..., Any] = getattr(self, name)
        return kernel

    small = chosen = large

    def _declared(self, name: str) -> Callable[..., Any]:
        """The op's declaration, run on device arrays."""
        if name not in definitions:
            raise AttributeError(f"the opencl backend has no kernel '{name}'")
        forward = definition(name)

        def kernel(*arrays: Any, **attrs: Any) -> Any:
            try:
                return forward(self, *arrays, **attrs)
            except (MissingKernel, OnDevice):
                # what the declaration uses has no kernel: the op is what the user knows
                return on_host(name, getattr(Reference.rest, name), self.runtime, arrays, attrs)

        return kernel

    def kernel_text(self, name: str) -> str:
        """The OpenCL C text built last for an op or a derivative (``<op>_vjp<i>``); empty if none
        was. For the stepper."""
        text = self.runtime.sources.get(name, "")
        return text[max(text.find("\n__kernel"), -1) + 1 :] if name in ELEMENTWISE else text

    # ---- what arrays ask for ---------------------------------------------------------------------
    ufunc, function = staticmethod(call_ufunc), staticmethod(call_function)

    def read(self, x: Array, index: Index) -> Array:
        return read(x, index)

    def write(self, x: Array, index: Index, value: Operand) -> None:
        write(x, index, value)

    @property
    def draws(self) -> Draws:
        """The functions that make random arrays here: those of generator.py, on the device's own
        generator."""
        return self.by_dtype.draws

    # ---- making ----------------------------------------------------------------------------------
    def array(self, x: Any) -> Array:
        """``x`` as an array of this device: itself, or a copy of a numpy array."""
        if type(x) is Array:
            if x.runtime is not self.runtime:
                what = f"an array on {x.runtime.device} was given to {self.device}"
                raise DeviceError(message(what, fix="x.to(device)"))
            return x
        x = np.asarray(x)
        if x.ndim:
            return upload(self.runtime, x)
        return self.full((), x.item(), x.dtype)  # an argument of a kernel needs no transfer

    def empty(self, shape: Sequence[int], dtype: DTypeLike) -> Array:
        return empty(self.runtime, tuple(shape), np.dtype(dtype))

    def full(self, shape: Sequence[int], value: float | np.generic, dtype: DTypeLike) -> Array:
        out = empty(self.runtime, tuple(shape), np.dtype(dtype))
        if out.size:
            self.copied(value.item() if isinstance(value, np.generic) else value, out=out)
        return out

    def zeros(self, shape: Sequence[int], dtype: DTypeLike) -> Array:
        return self.full(shape, 0, dtype)

    def copied(
        self, x: Operand, order: str = "C", dtype: np.dtype | None = None, out: Array | None = None
    ) -> Array:
        """A copy of x: of another dtype, row by row (order "C") or as it lies in memory ("K"), or
        written to ``out``."""
        copy = self._copy
        if out is not None:
            return copy(x, out=out)
        assert isinstance(x, Array)
        dtype = x.dtype if dtype is None else dtype
        if order == "C" and not x.flat:
            return copy(x, out=empty(self.runtime, x.shape, dtype))
        return copy(x, dtype=dtype)

    @cached_property
    def _copy(self) -> Callable[..., Array]:
        return self._generated("copied")

    def _generated(self, name: str) -> Callable[..., Array]:
        """The elementwise kernel of a name that is also a method's here."""
        kernel = elementwise(self.runtime, name)
        assert kernel is not None
        return kernel

    def cast(self, x: Array, dtype: DType) -> Array:
        return x.astype(getattr(dtype, "numpy", dtype))

    def clone(self, x: Array, order: str = "K") -> Array:
        return self.copied(x, order)

    def zero(self, x: Array) -> Array:
        return self.full((), 0, x.dtype)

    def expand(self, x: Array, shape: Sequence[int]) -> Array:
        return x.expand(tuple(shape))

    def copy(self, x: Array, source: Array) -> Array:
        return self.copied(source, out=empty(self.runtime, x.shape, x.dtype))

    # ---- integers, whose division by 0 is an error -----------------------------------------------
    def _checked(self, name: str, x: Operand, y: Operand, **given: Any) -> Array:
        kernel = self._dividing.get(name)
        if kernel is None:
            kernel = self._dividing[name] = self._generated(name)
        if isinstance(y, Array) and y.dtype.kind in "iub":
            if not isinstance(x, Array) or x.dtype.kind in "iub":
                self._check_integers(name, x, y)
        return kernel(x, y, **given)

    def _check_integers(self, name: str, x: Operand, y: Array) -> None:
        if name != "pow":
            nonzero_divisor(name, x, y)
        elif y.dtype.kind == "i" and (y < 0).any():
            what = "Integers to negative integer powers are not allowed."
            raise RuntimeError(message(what, fix="x.float() ** y"))

    def pow(self, x: Operand, y: Operand, **given: Any) -> Array:
        return self._checked("pow", x, y, **given)

    def remainder(self, x: Operand, y: Operand, **given: Any) -> Array:
        return self._checked("remainder", x, y, **given)

    def fmod(self, x: Operand, y: Operand, **given: Any) -> Array:
        return self._checked("fmod", x, y, **given)

    def floor_divide(self, x: Operand, y: Operand, **given: Any) -> Array:
        return self._checked("floor_divide", x, y, **given)

    # ---- reductions ------------------------------------------------------------------------------
    reduce = staticmethod(reductions.reduce)

    def sum(self, x: Array, dim: Axis, keepdim: bool) -> Array:
        return reductions.reduce(x, "sum", dim, keepdim)

    def mean(self, x: Array, dim: Axis, keepdim: bool) -> Array:
        total = reductions.reduce(x, "sum", dim, keepdim)
        n = x.size // total.size if total.size else 0
        return total / (float(n) if n else float("nan"))

    # ---- products of matrices --------------------------------------------------------------------
    def matmul(self, x: Array, y: Array) -> Array:
        return matmul(x, y)

    def matmul_naive(self, x: Array, y: Array) -> Array:
        """The product by the naive kernel: to read and to time beside the tiled one."""
        return matmul(x, y, naive=True)

    def linear(self, x: Array, w: Array, b: Array | None = None) -> Array:
        if b is not None and b.shape != w.shape[:1]:
            raise ValueError("bias")
        return matmul(x, w.T, bias=b)

    # ---- layers and losses in one kernel ---------------------------------------------------------
    def softmax(self, x: Array, dim: int) -> Array:
        if fused(x):
            return layers.row_kernel("softmax", (x,), dim)
        out: Array = self._declared("softmax")(x, dim=dim)
        return out

    def log_softmax(self, x: Array, dim: int) -> Array:
        if fused(x):
            return layers.row_kernel("log_softmax", (x,), dim)
        out: Array = self._declared("log_softmax")(x, dim=dim)
        return out

    def softmax_vjp0(self, g: Array, out: Array, x: object, dim: int) -> Array:
        if fused(g, out):
            return layers.row_kernel("softmax_vjp0", (g, out), dim)
        return out * (g - self.sum(g * out, (dim,), True))

    def log_softmax_vjp0(self, g: Array, out: Array, x: object, dim: int) -> Array:
        if fused(g, out):
            return layers.row_kernel("log_softmax_vjp0", (g, out), dim)
        probabilities: Array = self.exp(out)
        return g - probabilities * self.sum(g, (dim,), True)

    def layer_norm(
        self, x: Array, w: Array | None = None, b: Array | None = None, *, ndim: int, eps: float
    ) -> Array:
        if alike(x, w, b):
            return layers.layer_norm(x, w, b, math.prod(x.shape[x.ndim - ndim :]), eps)
        given = [v for v in (w, b) if v is not None]
        out: Array = self._declared("layer_norm")(x, *given, ndim=ndim, eps=eps)
        return out

    def layer_norm_vjp0(
        self, g: Array, out: object, x: Array, w: Array | None = None, b: object = None, *,
        ndim: int, eps: float,
    ) -> Array | None:  # fmt: skip
        if not alike(x, g, w):
            return None
        return layers.layer_norm(x, w, None, math.prod(x.shape[x.ndim - ndim :]), eps, g)

    def moments(self, x: Array) -> tuple[Array, Array]:
        if fused(x):
            return layers.moments(x)
        out: tuple[Array, Array] = self._declared("moments")(x)
        return out

    def batch_norm(
        self, x: Array, w: Array | None = None, b: Array | None = None, *, eps: float,
        kept: DType | None = None,
    ) -> Array:  # fmt: skip
        if kept is None and alike(x, w, b):
            return layers.batch_norm(x, w, b, eps)
        out: Array = self._declared("batch_norm")(x, w, b, eps=eps, kept=kept)
        return out

    def batch_norm_vjps(
        self, g: Array, out: object, x: Array, w: Array | None = None, b: object = None, *,
        eps: float, kept: DType | None = None,
    ) -> tuple[Array, Array, Array] | None:  # fmt: skip
        """The contributions to x, w and b."""
        if kept is not None or not alike(x, g, w):
            return None
        return layers.batch_norm_vjps(g, x, w, eps)

    def fixed_norm(
        self, x: Array, mean: Array, var: Array, w: Array | None = None, b: Array | None = None, *,
        eps: float,
    ) -> Array:  # fmt: skip
        if alike(x, mean, var, w, b):
            return layers.fixed_norm(x, mean, var, w, b, eps)
        out: Array = self._declared("fixed_norm")(x, mean, var, w, b, eps=eps)
        return out

    def nll_loss(
        self, x: Array, t: Array, w: Array | None = None, *, reduction: str, ignore_index: int
    ) -> Array:
        terms, weights, bad = layers.nll_terms(x, t, w, ignore_index)
        if bad:
            raise IndexError("class out of range")
        if reduction == "none":
            return terms
        total = self.sum(terms, None, False)
        return total if reduction == "sum" else total / self.sum(weights, None, False)

    def nll_loss_vjp0(
        self, g: Array, out: object, x: Array, t: Array, w: Array | None = None, *, reduction: str,
        ignore_index: int,
    ) -> Array:  # fmt: skip
        total = None
        if reduction == "mean":
            counted = self.ne(t, ignore_index)
            if w is None:
                total = self.sum(counted, None, False).astype(g.dtype)
            else:
                weights = self.where(counted, w[self.where(counted, t, 0)], 0.0)
                total = self.sum(weights, None, False)
        return layers.nll_spread(self, g, x.shape, t, w, ignore_index, total, g.dtype)

    # ---- optimizers ------------------------------------------------------------------------------
    def sgd_step(self, *arrays: Sequence[Array], **settings: Any) -> None:
        layers.sgd_step(self, *arrays, **settings)

    def adam_step(self, *arrays: Any, **settings: Any) -> None:
        layers.adam_step(self, *arrays, **settings)

    # ---- images ----------------------------------------------------------------------------------
    def conv2d(self, *arrays: Array, **settings: Any) -> Array:
        return windows.conv2d(self, *arrays, **settings)

    def conv_transpose2d(self, *arrays: Array, **settings: Any) -> Array:
        return windows.conv_transpose2d(self, *arrays, **settings)

    def conv2d_weight(self, *arrays: Array, **settings: Any) -> Array:
        return windows.conv2d_weight(self, *arrays, **settings)

    unfold, fold = staticmethod(windows.unfold), staticmethod(windows.fold)
    max_pool2d, pool_place = staticmethod(windows.max_pool2d), staticmethod(windows.pool_place)
    pool_gather = staticmethod(windows.pool_gather)
    pool_scatter = staticmethod(windows.pool_scatter)
    avg_pool2d, avg_spread = staticmethod(windows.avg_pool2d), staticmethod(windows.avg_spread)
    adaptive_avg_pool2d = staticmethod(windows.adaptive_avg_pool2d)
    adaptive_spread = staticmethod(windows.adaptive_spread)

    # ---- indexing --------------------------------------------------------------------------------
    def index_put(self, x: Array, v: Array, index: Index, accumulate: bool = False) -> Array:
        out = x.copy("K")
        scatter(out, index, v, add=accumulate)
        return out

    def place(self, g: Array, index: Index, shape: Shape, unique: bool = False) -> Array:
        out = self.full(shape, 0, g.dtype)
        scatter(out, index, g, add=not unique)
        return out

    def scatter_sum(self, src: Array, index: Array, shape: Shape, dim: int) -> Array:
        out = self.full(shape, 0, src.dtype)
        if not shape:
            out += src.reshape(())
            return out
        part = src if src.shape == index.shape else src[tuple(slice(n) for n in index.shape)]
        scatter(out, gather_index(index, dim), part, add=True)
        return out

    def scatter(self, x: Array, index: Array, src: Array, dim: int) -> Array:
        out = x.copy()
        part = src[tuple(slice(n) for n in index.shape)] if src.ndim else src
        scatter(out, gather_index(index, dim), part, add=False)
        return out

    def embedding_sum(self, g: Array, index: Array, rows: int, padding: int | None) -> Array:
        out = self.full((rows, g.shape[-1]), 0, g.dtype)
        if index.size:
            scatter(out, (index.reshape(-1),), g.reshape(-1, g.shape[-1]), add=True)
        if padding is not None:
            out[padding] = 0
        return out

    def copy_slices(
        self, base: Array, value: Array, chain: Chain, order: Sequence[int], repeats: bool
    ) -> Array:
        lying = empty(self.runtime, tuple([base.shape[i] for i in order]), base.dtype)
        out = region = lying.transpose(np.argsort(order).tolist())
        self.copied(base, out=out)
        for op, attrs in chain:
            region = getattr(self, op.name)(region, **(attrs or {}))
        self.copied(value, out=region)
        return out


def fused(*arrays: Array) -> bool:
    """Do the row kernels take these: floats that fill at least one row?"""
    return all(x.dtype.char in "fd" and x.ndim and x.size for x in arrays)


def alike(x: Array, *others: Array | None) -> bool:
    """Do the kernels of layers take x and these, of which some may be None: one floating dtype, and
    not empty?"""
    return fused(x) and all(v is None or v.dtype == x.dtype for v in others)


# ---- the backends of a device --------------------------------------------------------------------
class Backends(dict[np.dtype, OpenCL]):
    """The backends of one device by dtype; ``rest`` for a dtype that has none of its own."""

    def __init__(self, runtime: Runtime):
        super().__init__()
        self.rest = OpenCL(runtime, self)
        for dtype in (F32, F64):
            self[dtype] = OpenCL(runtime, self)

    def __missing__(self, dtype: np.dtype) -> OpenCL:
        if dtype.kind == "c":
            raise DeviceError(
                message(
                    f"device 'opencl' has no complex numbers, but got {dtype.name}",
                    fix="keep complex tensors on the CPU, or move torch.view_as_real(x)",
                )
            )
        return self.rest

    @cached_property
    def draws(self) -> Draws:
        return Draws(self.rest.runtime, self.rest)


_lock = threading.Lock()


def backend_for(index: int | None, dtype: np.dtype) -> OpenCL:
    """The backend for arrays of ``dtype`` on device ``index``, which is started if it was not.
    Raises DeviceError where there is none."""
    runtime = runtime_for(index)
    if not runtime.backends:
        with _lock:  # or two threads might give equal arrays different backends
            runtime.backends = runtime.backends or Backends(runtime)
    return runtime.backends[dtype]
