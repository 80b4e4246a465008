"""The OpenCL backend: one kernel per op name, on device arrays. This class is all that an engine sees of OpenCL.

A kernel is looked for in this order: a method written here; an elementwise kernel generated from formulas.py (also
``<op>_vjp<i>``, the op's derivative in one pass); the op's own declaration, whose numpy functions run on the device by way of
protocol.py. What none of them can do raises ``MissingKernel``.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...base.errors import DeviceError, MissingKernel, message
from .. import reference
from . import elementwise, layers, windows
from . import reduce as reductions
from .array import Array, OnDevice
from .elementwise import F32, F64, empty, upload
from .indexing import along, scatter
from .matmul import matmul
from .protocol import on_host
from .runtime import Runtime, runtime

Pair = tuple[int, int]
ELEMENTWISE = elementwise.OPS | {f"{op}_vjp{i}" for op in elementwise.OPS for i in range(3)}


class OpenCL:
    """Kernels by op name for arrays on one device. There is an object per device for float32, one for float64, and one for
    all other dtypes (``rest``): as on the CPU, equal ``dev`` means equal device and dtype."""

    name = "opencl"
    dtype = None  # of its arrays: any
    memory = Array

    def __init__(self, device: Runtime, lanes: dict[Any, OpenCL], rest: OpenCL | None = None):
        self.runtime, self.device, self.lanes = device, device.device, lanes
        self.rest = self if rest is None else rest

    def of(self, dtype: Any) -> OpenCL:
        """The backend object for arrays of ``dtype`` on this device."""
        return self.lanes.get(dtype, self.rest)

    def array(self, x: Any) -> Array:
        """``x`` as an array of this device: itself, or a copy of a numpy array."""
        if type(x) is Array:
            if x.runtime is not self.runtime:
                raise DeviceError(message(f"an array on {x.runtime.device} was given to {self.device}", fix="x.to(device)"))
            return x
        x = np.asarray(x)
        return upload(self.runtime, x) if x.ndim else self.full((), x.item(), x.dtype)  # a kernel's argument needs no transfer

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        kernel = elementwise.make(self.runtime, name) or self._declared(name)
        setattr(self, name, kernel)
        return kernel

    def kernel_text(self, name: str) -> str:
        """The OpenCL C text built last for an op or a derivative (``<op>_vjp<i>``); empty if none was. For the stepper."""
        text = self.runtime.sources.get(name, "")
        return text[max(text.find("\n__kernel"), -1) + 1 :] if name in ELEMENTWISE else text

    def large(self, name: str) -> Callable[..., Any]:
        """The kernel of an op for large arrays: here the same."""
        return getattr(self, name)

    def _declared(self, name: str) -> Callable[..., Any]:
        """The op's declaration, run on device arrays."""
        if name not in reference.definitions:
            raise AttributeError(f"the opencl backend has no kernel '{name}'")
        forward = reference.definition(name)

        def kernel(*arrays: Any, **attrs: Any) -> Any:
            try:
                return forward(self, *arrays, **attrs)
            except (MissingKernel, OnDevice):  # what the declaration uses has no kernel: the op is what the user knows
                return on_host(name, getattr(reference.Reference.rest, name), self.runtime, arrays, attrs)

        return kernel

    @property
    def draws(self) -> Any:
        """The functions that make random arrays here: those of generator.py, on the device's own generator."""
        found = self.rest.__dict__.get("_draws")
        if found is None:
            from .random import Draws

            found = self.rest._draws = Draws(self.runtime, self.rest)
        return found

    # ---- making -----------------------------------------------------------------------------------------------------
    def empty(self, shape: Any, dtype: Any) -> Array:
        return empty(self.runtime, tuple(shape), np.dtype(dtype))

    def full(self, shape: Any, value: Any, dtype: Any) -> Array:
        out = empty(self.runtime, tuple(shape), dtype)
        if out.size:
            self.copied(value.item() if isinstance(value, np.generic) else value, out=out)
        return out

    def zeros(self, shape: Any, dtype: Any) -> Array:
        return self.full(shape, 0, np.dtype(dtype))

    def copied(self, x: Any, order: str = "C", dtype: Any = None, out: Any = None) -> Array:
        """A copy of x: of another dtype, row by row (order "C") or as it lies in memory ("K"), or written to ``out``."""
        copy = self._copy
        if out is not None:
            return copy(x, out=out)
        dtype = x.dtype if dtype is None else dtype
        if order == "C" and not x.flat:
            return copy(x, out=empty(self.runtime, x.shape, dtype))
        return copy(x, dtype=dtype)

    @property
    def _copy(self) -> Any:
        made = self.__dict__.get("_copying")
        if made is None:
            made = self._copying = elementwise.make(self.runtime, "copied")
        return made

    def cast(self, x: Array, dtype: Any) -> Array:
        return x.astype(getattr(dtype, "numpy", dtype))

    def clone(self, x: Array, order: str = "K") -> Array:
        return self.copied(x, order)

    def zero(self, x: Array) -> Array:
        return self.full((), 0, x.dtype)

    def expand(self, x: Array, shape: Any) -> Array:
        return x.expand(tuple(shape))

    def copy(self, x: Array, source: Array) -> Array:
        return self.copied(source, out=empty(self.runtime, x.shape, x.dtype))

    # ---- integers, whose division by 0 is an error --------------------------------------------------------------------
    def _checked(self, name: str, x: Any, y: Any, **given: Any) -> Array:
        kernel = self.__dict__.get(f"_{name}")
        if kernel is None:
            kernel = elementwise.make(self.runtime, name)
            setattr(self, f"_{name}", kernel)
        if isinstance(y, Array) and y.dtype.kind in "iub" and (not isinstance(x, Array) or x.dtype.kind in "iub"):
            if name == "pow":
                if y.dtype.kind == "i" and self.lt(y, 0).any():
                    raise RuntimeError(message("Integers to negative integer powers are not allowed.", fix="x.float() ** y"))
            else:
                reference.nonzero_divisor(name, y)
        return kernel(x, y, **given)

    def pow(self, x: Any, y: Any, **given: Any) -> Array:
        return self._checked("pow", x, y, **given)

    def remainder(self, x: Any, y: Any, **given: Any) -> Array:
        return self._checked("remainder", x, y, **given)

    def fmod(self, x: Any, y: Any, **given: Any) -> Array:
        return self._checked("fmod", x, y, **given)

    def floor_divide(self, x: Any, y: Any, **given: Any) -> Array:
        return self._checked("floor_divide", x, y, **given)

    # ---- reductions ---------------------------------------------------------------------------------------------------
    def sum(self, x: Array, dim: Any, keepdim: bool) -> Array:
        return reductions.reduce(x, "sum", dim, keepdim)

    def mean(self, x: Array, dim: Any, keepdim: bool) -> Array:
        total = reductions.reduce(x, "sum", dim, keepdim)
        n = x.size // total.size if total.size else 0
        return self.div(total, float(n) if n else float("nan"))

    # ---- products of matrices -----------------------------------------------------------------------------------------
    def matmul(self, x: Array, y: Array) -> Array:
        return matmul(x, y)

    def matmul_naive(self, x: Array, y: Array) -> Array:
        """The product by the naive kernel: to read and to time beside the tiled one."""
        return matmul(x, y, naive=True)

    def linear(self, x: Array, w: Array, b: Any = None) -> Array:
        if b is not None and b.shape != w.shape[:1]:
            raise ValueError("bias")
        return matmul(x, w.T, bias=b)

    # ---- layers and losses in one kernel ------------------------------------------------------------------------------
    def softmax(self, x: Array, dim: int) -> Array:
        return layers.along("softmax", (x,), dim) if fused(x) else self._declared("softmax")(x, dim=dim)

    def log_softmax(self, x: Array, dim: int) -> Array:
        return layers.along("log_softmax", (x,), dim) if fused(x) else self._declared("log_softmax")(x, dim=dim)

    def softmax_vjp0(self, g: Array, out: Array, x: Any, dim: int) -> Array:
        return layers.along("softmax_vjp0", (g, out), dim) if fused(g, out) else out * (g - self.sum(g * out, (dim,), True))

    def log_softmax_vjp0(self, g: Array, out: Array, x: Any, dim: int) -> Array:
        if fused(g, out):
            return layers.along("log_softmax_vjp0", (g, out), dim)
        return g - self.exp(out) * self.sum(g, (dim,), True)

    def layer_norm(self, x: Array, w: Any = None, b: Any = None, *, ndim: int, eps: float) -> Array:
        if not alike(x, w, b):
            return self._declared("layer_norm")(x, *(v for v in (w, b) if v is not None), ndim=ndim, eps=eps)
        return layers.layer_norm(x, w, b, int(np.prod(x.shape[x.ndim - ndim :])), eps)

    def layer_norm_vjp0(self, g: Array, out: Any, x: Array, w: Any = None, b: Any = None, *, ndim: int, eps: float) -> Any:
        if not alike(x, g, w):
            return None
        return layers.layer_norm(x, w, None, int(np.prod(x.shape[x.ndim - ndim :])), eps, g)

    def moments(self, x: Array) -> tuple[Array, Array]:
        return layers.moments(x) if fused(x) else self._declared("moments")(x)

    def batch_norm(self, x: Array, w: Any = None, b: Any = None, *, eps: float) -> Array:
        if not alike(x, w, b):
            return self._declared("batch_norm")(x, w, b, eps=eps)
        return layers.batch_norm(x, w, b, eps)

    def batch_norm_vjps(self, g: Array, out: Any, x: Any, w: Any = None, b: Any = None, *, eps: float) -> Any:
        """The contributions to x, w and b."""
        return layers.batch_norm_vjps(g, x, w, eps) if alike(x, g, w) else None

    def fixed_norm(self, x: Array, mean: Array, var: Array, w: Any = None, b: Any = None, *, eps: float) -> Array:
        if not alike(x, mean, var, w, b):
            return self._declared("fixed_norm")(x, mean, var, w, b, eps=eps)
        return layers.fixed_norm(x, mean, var, w, b, eps)

    def nll_loss(self, x: Array, t: Array, w: Any = None, *, reduction: str, ignore_index: int) -> Array:
        terms, weights, bad = layers.nll_terms(x, t, w, ignore_index)
        if bad.item():
            raise IndexError("class out of range")
        if reduction == "none":
            return terms
        total = self.sum(terms, None, False)
        return total if reduction == "sum" else self.div(total, self.sum(weights, None, False))

    def nll_loss_vjp0(self, g: Array, out: Any, x: Any, t: Array, w: Any = None, *, reduction: str, ignore_index: int) -> Array:
        total = None
        if reduction == "mean":
            counted = self.ne(t, ignore_index)
            total = self.sum(counted, None, False).astype(g.dtype) if w is None else self.sum(
                self.where(counted, w[self.where(counted, t, 0)], 0.0), None, False
            )
        return layers.nll_spread(self, g, x.shape, t, w, ignore_index, total, g.dtype)

    # ---- optimizers ---------------------------------------------------------------------------------------------------
    def sgd_step(self, *arrays: Any, **settings: Any) -> None:
        layers.sgd_step(self, *arrays, **settings)

    def adam_step(self, *arrays: Any, **settings: Any) -> None:
        layers.adam_step(self, *arrays, **settings)

    # ---- images -------------------------------------------------------------------------------------------------------
    def conv2d(self, *arrays: Array, **geometry: Any) -> Array:
        return windows.conv2d(self, *arrays, **geometry)

    def conv_transpose2d(self, *arrays: Array, **geometry: Any) -> Array:
        return windows.conv_transpose2d(self, *arrays, **geometry)

    def conv2d_weight(self, *arrays: Array, **geometry: Any) -> Array:
        return windows.conv2d_weight(self, *arrays, **geometry)

    unfold, fold = staticmethod(windows.unfold), staticmethod(windows.fold)
    max_pool2d, pool_place = staticmethod(windows.max_pool2d), staticmethod(windows.pool_place)
    pool_gather, pool_scatter = staticmethod(windows.pool_gather), staticmethod(windows.pool_scatter)
    avg_pool2d, avg_spread = staticmethod(windows.avg_pool2d), staticmethod(windows.avg_spread)
    adaptive_avg_pool2d = staticmethod(windows.adaptive_avg_pool2d)
    adaptive_spread = staticmethod(windows.adaptive_spread)

    # ---- indexing -----------------------------------------------------------------------------------------------------
    def index_put(self, x: Array, v: Array, index: Any, accumulate: bool = False) -> Array:
        out = x.copy("K")
        scatter(out, index, v, add=accumulate)
        return out

    def place(self, g: Array, index: Any, shape: Any, unique: bool = False) -> Array:
        out = self.full(shape, 0, g.dtype)
        scatter(out, index, g, add=not unique)
        return out

    def scatter_sum(self, src: Array, index: Array, shape: Any, dim: int) -> Array:
        out = self.full(shape, 0, src.dtype)
        if len(shape):
            part = src[tuple(slice(n) for n in index.shape)] if src.shape != index.shape else src
            scatter(out, along(index, dim), part, add=True)
        else:
            self.add(out, src.reshape(()), out=out)
        return out

    def scatter(self, x: Array, index: Array, src: Array, dim: int) -> Array:
        out = x.copy()
        scatter(out, along(index, dim), src[tuple(slice(n) for n in index.shape)] if src.ndim else src, add=False)
        return out

    def embedding_sum(self, g: Array, index: Array, rows: int, padding: int | None) -> Array:
        out = self.full((rows, g.shape[-1]), 0, g.dtype)
        if index.size:
            scatter(out, (index.reshape(-1),), g.reshape(-1, g.shape[-1]), add=True)
        if padding is not None:
            out[padding] = 0
        return out

    def copy_slices(self, base: Array, value: Array, chain: Any, order: Any) -> Array:
        out = empty(self.runtime, tuple([base.shape[i] for i in order]), base.dtype).transpose(np.argsort(order).tolist())
        self.copied(base, out=out)
        region = out
        for op, attrs in chain:
            region = getattr(self, op.name)(region, **(attrs or {}))
        self.copied(value, out=region)
        return out


def fused(*arrays: Array) -> bool:
    """Do the row kernels take these: floats that fill at least one row?"""
    return all(x.dtype.char in "fd" and x.ndim and x.size for x in arrays)


def alike(x: Array, *others: Any) -> bool:
    """Do the kernels of layers take x and these, of which some may be None: one floating dtype, and not empty?"""
    return fused(x) and all(v is None or v.dtype == x.dtype for v in others)


def backend_for(index: int | None, dtype: Any) -> OpenCL:
    """The backend object for arrays of ``dtype`` on device ``index``."""
    return runtime(index).backend().of(dtype)


def lanes(device: Runtime) -> OpenCL:
    """The backend objects of a device: the one for all dtypes without a lane of their own, which knows the others."""
    made: dict[Any, OpenCL] = {}
    rest = OpenCL(device, made)
    for d in (F32, F64):
        made[d] = OpenCL(device, made, rest)
    return rest
