"""Transforms of vectors and matrices: to the simplex, to triangular matrices, by parts."""
from __future__ import annotations

import functools
import math
import operator
from typing import TYPE_CHECKING, Any

from ..arrays import dtypes
from ..base.errors import message
from ..create.counted import arange
from ..create.filled import eye, zeros
from ..handles.size import Size
from ..linalg import cholesky
from ..nn.functional import logsigmoid, pad, softplus
from ..ops.join import cat, stack
from . import constraints
from .basic_transforms import Simple, clipped_sigmoid
from .transform import Transform
from .utils import sum_rightmost, tril_matrix_to_vec, vec_to_tril_matrix

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..handles.tensor import Tensor
    from .constraints import Constraint


def _at_least(shape: Size, dims: int) -> None:
    if len(shape) < dims:
        raise ValueError(message("Too few dimensions on input"))


# ---- to the simplex ------------------------------------------------------------------------------
class SoftmaxTransform(Simple):
    """y = softmax(x) along the last dimension. No bijection: the inverse answers log(y)."""

    domain = constraints.real_vector
    codomain = constraints.simplex

    def _call(self, x: Tensor) -> Tensor:
        unnormalized = (x - x.max(-1, True)[0]).exp()
        return unnormalized / unnormalized.sum(-1, True)

    def _inverse(self, y: Tensor) -> Tensor:
        return y.log()

    def forward_shape(self, shape: Size) -> Size:
        _at_least(shape, 1)
        return shape

    inverse_shape = forward_shape


def _countdown(n: int, like: Tensor) -> Tensor:
    """n, n - 1, ..., 1."""
    return arange(n, 0, -1, dtype=like.dtype, device=like.device)


class StickBreakingTransform(Simple):
    """From n numbers to n + 1 on the simplex: each breaks its share off what is left of a stick.

    The share is sigmoid(x_i - log(n - i)), i from 0, so that x = 0 gives n + 1 equal parts.
    """

    domain = constraints.real_vector
    codomain = constraints.simplex
    bijective = True

    def _call(self, x: Tensor) -> Tensor:
        shares = clipped_sigmoid(x - _countdown(x.shape[-1], x).log())
        left = (1 - shares).cumprod(-1)
        return pad(shares, [0, 1], value=1) * pad(left, [1, 0], value=1)

    def _inverse(self, y: Tensor) -> Tensor:
        first = y[..., :-1]
        left = (1 - first.cumsum(-1)).clamp(min=dtypes.finfo(y.dtype).tiny)
        return first.log() - left.log() + _countdown(first.shape[-1], y).log()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """With 1 - sigmoid(x) = exp(-x) sigmoid(x)."""
        x = x - _countdown(x.shape[-1], x).log()
        return (-x + logsigmoid(x) + y[..., :-1].log()).sum(-1)

    def forward_shape(self, shape: Size) -> Size:
        _at_least(shape, 1)
        return shape[:-1] + Size([shape[-1] + 1])

    def inverse_shape(self, shape: Size) -> Size:
        _at_least(shape, 1)
        return shape[:-1] + Size([shape[-1] - 1])


# ---- matrices ------------------------------------------------------------------------------------
class LowerCholeskyTransform(Simple):
    """The lower triangle of any matrix, with exp of its diagonal."""

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.lower_cholesky

    def _call(self, x: Tensor) -> Tensor:
        return x.tril(-1) + x.diagonal(dim1=-2, dim2=-1).exp().diag_embed()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.tril(-1) + y.diagonal(dim1=-2, dim2=-1).log().diag_embed()


class PositiveDefiniteTransform(Simple):
    """L Lᵀ, where L is the LowerCholeskyTransform of any matrix."""

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.positive_definite

    def _call(self, x: Tensor) -> Tensor:
        lower = LowerCholeskyTransform()(x)
        return lower @ lower.mT

    def _inverse(self, y: Tensor) -> Tensor:
        return LowerCholeskyTransform().inv(cholesky(y))


class CorrCholeskyTransform(Transform):
    """From n (n - 1) / 2 numbers to the Cholesky factor of an n x n correlation matrix.

    tanh of the numbers are the canonical partial correlations; each row is a point of the unit
    sphere (D. Lewandowski, D. Kurowicka and H. Joe, Generating random correlation matrices based on
    vines and extended onion method, 2009; Stan's manual, Cholesky factors of correlation matrices).
    """

    domain = constraints.real_vector
    codomain = constraints.corr_cholesky
    bijective = True

    def _call(self, x: Tensor) -> Tensor:
        eps = dtypes.finfo(x.dtype).eps
        r = vec_to_tril_matrix(x.tanh().clamp(min=-1 + eps, max=1 - eps), diag=-1)
        left = (1 - r**2).sqrt().cumprod(-1)
        r = r + eye(r.shape[-1], dtype=r.dtype, device=r.device)
        return r * pad(left[..., :-1], [1, 0], value=1)

    def _inverse(self, y: Tensor) -> Tensor:
        left = pad((1 - (y * y).cumsum(-1))[..., :-1], [1, 0], value=1)
        t = tril_matrix_to_vec(y, diag=-1) / tril_matrix_to_vec(left, diag=-1).sqrt()
        return (t.log1p() - t.neg().log1p()) / 2

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        left = tril_matrix_to_vec(1 - (y * y).cumsum(-1), diag=-2)
        tanh = -2 * (x + softplus(-2 * x) - math.log(2.0)).sum(-1)
        return 0.5 * left.log().sum(-1) + tanh

    def forward_shape(self, shape: Size) -> Size:
        _at_least(shape, 1)
        n = shape[-1]
        d = round((0.25 + 2 * n) ** 0.5 + 0.5)
        if d * (d - 1) // 2 != n:
            raise ValueError(message("Input is not a flattened lower-diagonal number"))
        return shape[:-1] + Size([d, d])

    def inverse_shape(self, shape: Size) -> Size:
        _at_least(shape, 2)
        if shape[-2] != shape[-1]:
            raise ValueError(message("Input is not square"))
        return shape[:-2] + Size([shape[-1] * (shape[-1] - 1) // 2])


class ReshapeTransform(Transform):
    """An event of `in_shape` in another shape of as many elements."""

    bijective = True

    def __init__(
        self, in_shape: Sequence[int], out_shape: Sequence[int], cache_size: int = 0
    ) -> None:
        self.in_shape, self.out_shape = Size(in_shape), Size(out_shape)
        if self.in_shape.numel() != self.out_shape.numel():
            raise ValueError(message("in_shape, out_shape have different numbers of elements"))
        super().__init__(cache_size=cache_size)

    def _arguments(self) -> tuple[Any, ...]:
        return self.in_shape, self.out_shape

    @constraints.dependent_property
    def domain(self) -> Constraint:
        return constraints.independent(constraints.real, len(self.in_shape))

    @constraints.dependent_property
    def codomain(self) -> Constraint:
        return constraints.independent(constraints.real, len(self.out_shape))

    def _call(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[: x.dim() - len(self.in_shape)] + self.out_shape)

    def _inverse(self, y: Tensor) -> Tensor:
        return y.reshape(y.shape[: y.dim() - len(self.out_shape)] + self.in_shape)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        batch = x.shape[: x.dim() - len(self.in_shape)]
        return zeros(batch, dtype=x.dtype, device=x.device)

    def forward_shape(self, shape: Size) -> Size:
        return self._exchanged(shape, self.in_shape) + self.out_shape

    def inverse_shape(self, shape: Size) -> Size:
        return self._exchanged(shape, self.out_shape) + self.in_shape

    def _exchanged(self, shape: Size, event: Size) -> Size:
        """`shape` without the event at its end."""
        _at_least(shape, len(event))
        cut = len(shape) - len(event)
        if shape[cut:] != event:
            raise ValueError(message(f"Shape mismatch: expected {shape[cut:]} but got {event}"))
        return shape[:cut]


# ---- by parts ------------------------------------------------------------------------------------
class _Parts(Transform):
    """A transform for each part of a tensor along `dim`; subclasses split and join."""

    transforms: list[Transform]
    dim: int

    def _split(self, *tensors: tuple[str, Tensor]) -> Iterator[tuple[Any, ...]]:
        """Each transform, with its part of each tensor; checks sizes."""
        for name, x in tensors:
            if not -x.dim() <= self.dim < x.dim():
                raise AssertionError(
                    message(f"dim {self.dim} out of range for {name} with {x.dim()} dimensions")
                )
            if x.size(self.dim) != self._size():
                raise AssertionError(
                    message(
                        f"{name}.size({self.dim}) = {x.size(self.dim)} must equal "
                        f"{self._expected()}"
                    )
                )
        return zip(self.transforms, *[self._pieces(x) for _, x in tensors], strict=True)

    def _size(self) -> int:
        raise NotImplementedError

    def _expected(self) -> str:
        raise NotImplementedError

    def _pieces(self, x: Tensor) -> Sequence[Tensor]:
        raise NotImplementedError

    def _join(self, parts: list[Tensor]) -> Tensor:
        raise NotImplementedError

    def _call(self, x: Tensor) -> Tensor:
        return self._join([t(piece) for t, piece in self._split(("x", x))])

    def _inverse(self, y: Tensor) -> Tensor:
        return self._join([t.inv(piece) for t, piece in self._split(("y", y))])

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        both = self._split(("x", x), ("y", y))
        return self._join([t.log_abs_det_jacobian(a, b) for t, a, b in both])


def _checked(tseq: Sequence[Transform], cache_size: int) -> list[Transform]:
    if not all(isinstance(t, Transform) for t in tseq):
        raise AssertionError(message("All elements of tseq must be Transform instances"))
    return [t.with_cache(cache_size) for t in tseq] if cache_size else list(tseq)


class CatTransform(_Parts):
    """A transform for each piece, of `lengths[i]`, of what torch.cat joined along `dim`."""

    def __init__(
        self,
        tseq: Sequence[Transform],
        dim: int = 0,
        lengths: Sequence[int] | None = None,
        cache_size: int = 0,
    ) -> None:
        self.transforms = _checked(tseq, cache_size)
        super().__init__(cache_size=cache_size)
        self.lengths = [1] * len(self.transforms) if lengths is None else list(lengths)
        if len(self.lengths) != len(self.transforms):
            raise AssertionError(
                message(
                    f"lengths ({len(self.lengths)}) must match transforms ({len(self.transforms)})"
                )
            )
        self.dim = dim
        self.bijective = all(t.bijective for t in self.transforms)

    def _arguments(self) -> tuple[Any, ...]:
        return self.transforms, self.dim, self.lengths

    @property
    def event_dim(self) -> int:
        return max(t.event_dim for t in self.transforms)

    @property
    def length(self) -> int:
        return sum(self.lengths)

    def _size(self) -> int:
        return self.length

    def _expected(self) -> str:
        return f"length {self.length}"

    def _pieces(self, x: Tensor) -> Sequence[Tensor]:
        return x.split(self.lengths, self.dim)

    def _join(self, parts: list[Tensor]) -> Tensor:
        return cat(parts, dim=self.dim)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Of one event: joined along `dim` while that is of the batch, else added up."""
        slopes = [
            sum_rightmost(t.log_abs_det_jacobian(a, b), self.event_dim - t.event_dim)
            for t, a, b in self._split(("x", x), ("y", y))
        ]
        dim = self.dim - x.dim() * (self.dim >= 0) + self.event_dim
        return cat(slopes, dim=dim) if dim < 0 else functools.reduce(operator.add, slopes)

    @constraints.dependent_property
    def domain(self) -> Constraint:
        return constraints.cat([t.domain for t in self.transforms], self.dim, self.lengths)

    @constraints.dependent_property
    def codomain(self) -> Constraint:
        return constraints.cat([t.codomain for t in self.transforms], self.dim, self.lengths)


class StackTransform(_Parts):
    """A transform for each slice of what torch.stack piled along `dim`."""

    def __init__(self, tseq: Sequence[Transform], dim: int = 0, cache_size: int = 0) -> None:
        self.transforms = _checked(tseq, cache_size)
        super().__init__(cache_size=cache_size)
        self.dim = dim
        self.bijective = all(t.bijective for t in self.transforms)

    def _arguments(self) -> tuple[Any, ...]:
        return self.transforms, self.dim

    def _size(self) -> int:
        return len(self.transforms)

    def _expected(self) -> str:
        return f"len(transforms) {len(self.transforms)}"

    def _pieces(self, x: Tensor) -> Sequence[Tensor]:
        return x.unbind(self.dim)

    def _join(self, parts: list[Tensor]) -> Tensor:
        return stack(parts, dim=self.dim)

    @constraints.dependent_property
    def domain(self) -> Constraint:
        return constraints.stack([t.domain for t in self.transforms], self.dim)

    @constraints.dependent_property
    def codomain(self) -> Constraint:
        return constraints.stack([t.codomain for t in self.transforms], self.dim)
