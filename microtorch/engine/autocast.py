"""Mixed precision: which functions compute in a type of 16 bits, and how their operands get there.

``torch.autocast`` (facade/amp.py) opens a region. In it three kinds of functions, which are
PyTorch's for the CPU (aten/src/ATen/autocast_mode.cpp), cast their floating operands; float64 stays
as it is, and all other functions take what they get. The casts are ops like any other, so gradients
come back in each operand's own type.

    LOWER      products, in the region's type
    FLOAT32    losses, products of many factors, decompositions: where 16 bits are too few
    WIDEST     what copies one tensor into another, in the wider of their types

Operands are cast where a function is entered (entering.py), and within one nothing more is cast.
Those of the ops that hot.py runs (OPS) are cast in ``apply``. While a region is open the hot paths
of these ops send their operands there; otherwise nothing of this runs.
"""
from __future__ import annotations

from _thread import allocate_lock
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any

from ..arrays.dtypes import F32, F64, bfloat16, float16
from ..backends.table import send_to_apply
from ..base.errors import message
from ..graph import Node, mode, storage_of
from .handle import Handle
from .registry import REGISTRY
from .short import single

if TYPE_CHECKING:
    from ..base.types import Argument, DType
    from ..handles.tensor import Tensor

# ops whose functions hot.py runs: products, which belong to LOWER, and one that belongs to FLOAT32
OPS = frozenset({"linear", "matmul", "mse_loss"})
LOWER = frozenset(
    "addbmm addmm baddbmm conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d "
    "prelu scaled_dot_product_attention vecdot".split()
)
FLOAT32 = frozenset(
    "adaptive_avg_pool3d adaptive_max_pool3d avg_pool3d binary_cross_entropy "
    "binary_cross_entropy_with_logits cdist cholesky cholesky_ex cholesky_inverse cholesky_solve "
    "cond cosine_embedding_loss cross_entropy ctc_loss eig eigh eigvals eigvalsh fft fft2 fftn "
    "fractional_max_pool2d fractional_max_pool3d geqrf grid_sample hfft hinge_embedding_loss "
    "householder_product huber_loss ifft ifft2 ifftn ihfft inv inv_ex inverse irfft irfft2 irfftn "
    "kl_div l1_loss lstsq lu_solve margin_ranking_loss matrix_rank max_pool3d max_unpool2d "
    "max_unpool3d multi_margin_loss multilabel_margin_loss nanquantile nll_loss orgqr "
    "ormqr pinverse poisson_nll_loss polar prod qr quantile rfft rfft2 rfftn smooth_l1_loss "
    "soft_margin_loss solve stft svd svdvals tensorinv tensorsolve trace triangular_solve "
    "triplet_margin_loss view_as_complex".split()
)
WIDEST = frozenset({"index_copy"})  # cat and stack promote by themselves
# composed of products here, and kernels of their own in PyTorch
AS_GIVEN = frozenset("addmv addr bilinear dot mv vdot".split())
LISTED = LOWER | FLOAT32 | WIDEST | AS_GIVEN


class Region:
    """What holds within one ``with torch.autocast``.

    ``dtype``: the type of LOWER. ``casts``: of leaves that require gradient, the casts made so far,
    or None where they are not kept. A weight that is used twice is cast once, and its gradient is
    added up in the shorter type, as in PyTorch. Nested regions share the dict of the outermost.
    """

    __slots__ = ("casts", "dtype")

    def __init__(self, dtype: DType, casts: dict[tuple[Node, DType], Tensor] | None):
        self.dtype, self.casts = dtype, casts

    def lowered(self, x: Tensor) -> Tensor:
        """``x`` in the region's type, from the dict if it may be."""
        node = x.node
        kept = self.casts is not None and node.op is None and node.needs and mode.get().grad
        if not kept or x.array.dtype != F32 or self.dtype == F32:
            return converted(x, self.dtype)
        assert self.casts is not None
        key = node, self.dtype
        made = self.casts.get(key)
        if made is None or storage_of(node).written > made.node.seq:  # or a step came between
            made = self.casts[key] = converted(x, self.dtype)
        return made


# A ContextVar, as graph/mode.py has one. None: nothing is cast.
region: ContextVar[Region | None] = ContextVar("microtorch.autocast", default=None)
# of regions that do not say: the type, by device, and whether casts of weights are kept
types = {"cpu": bfloat16, "cuda": float16, "mps": float16, "xpu": bfloat16, "opencl": float16}
keeps = [True]
regions = 0  # those of all threads that cast; while there are any, the hot paths leave OPS alone
_lock = allocate_lock()


def enter(new: Region | None) -> Token[Region | None]:
    """Begin a region; None: one in which nothing is cast."""
    _count(new is not None)
    return region.set(new)


def leave(token: Token[Region | None]) -> None:
    """End the region that ``enter`` began."""
    _count(-(region.get() is not None))
    region.reset(token)


def _count(n: int) -> None:
    global regions
    if n:
        with _lock:
            regions += n
            if regions == (n > 0):  # the first one begins, or the last one ends
                send_to_apply(OPS if regions else ())


# ---- casting -------------------------------------------------------------------------------------
def eligible(x: Argument) -> bool:
    """Is it a floating tensor on the CPU, and not float64?"""
    if not isinstance(x, Handle):
        return False
    d = x.array.dtype
    return bool(d.kind in "fV" and d != F64 and x.node.dev.device.type == "cpu")


def converted(x: Argument, dtype: DType) -> Argument:
    """``x`` in ``dtype`` if it is eligible; anything else as it is."""
    if not eligible(x) or x.array.dtype == dtype:
        return x
    return single(REGISTRY["cast"], x, {"dtype": dtype})


def operands(tensors: Sequence[Tensor], name: str = "matmul") -> Sequence[Tensor]:
    """The operands of an op of OPS in the type that the open region wants, if there is one."""
    now = region.get()
    if now is None:
        return tensors
    if name == "mse_loss":
        return [converted(x, F32) for x in tensors]
    return [now.lowered(x) if eligible(x) else x for x in tensors]


def wide(x: Tensor) -> Tensor:
    """``x`` in float32 if a region is open."""
    found: Tensor = x if region.get() is None else converted(x, F32)
    return found


def _each(f: Callable[[Any], Any], x: Argument) -> Argument:
    """``f`` of ``x``, or of what a list or tuple holds."""
    return type(x)([f(v) for v in x]) if type(x) in (list, tuple) else f(x)


def _cast_for(name: str, now: Region, args: Argument) -> Callable[[Any], Any]:
    """How an argument of the function ``name`` is cast."""
    if name in AS_GIVEN:
        return lambda x: x
    if name in LOWER:
        return lambda x: now.lowered(x) if eligible(x) else x
    if name in FLOAT32:
        return lambda x: converted(x, F32)
    found: list[DType] = []
    _each(found.append, [x.array.dtype for a in args for x in _flat(a) if eligible(x)])
    if not set(found) <= {F32, now.dtype}:
        raise RuntimeError(
            message(
                "Unexpected floating ScalarType in at::autocast::prioritize",
                f"{name} of {', '.join(sorted({d.name for d in found}))} under autocast to "
                f"{now.dtype.name}",
                fix="convert one: x.float()",
            )
        )
    widest = F32 if F32 in found else now.dtype
    return lambda x: converted(x, widest) if found else x


def _flat(x: Argument) -> Iterable[Any]:
    return x if type(x) in (list, tuple) else (x,)


def recast(
    name: str, now: Region, call: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
) -> Argument:
    """A call of a function on a list, with its operands cast for a region; within it, none is."""
    to = _cast_for(name, now, (*args, *kwargs.values()))
    token = region.set(None)
    try:
        return call(
            *[_each(to, x) for x in args],
            **{k: v if k == "out" else _each(to, v) for k, v in kwargs.items()},
        )
    finally:
        region.reset(token)
