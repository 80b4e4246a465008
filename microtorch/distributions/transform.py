"""Invertible maps with the logarithm of their slope: the base class, and maps made of others.

A transform `t` is called forward, `t(x)`, and backward, `t.inv(y)`; `t.log_abs_det_jacobian(x, y)`
is log |dy/dx|.
"""
from __future__ import annotations

import functools
import operator
from typing import TYPE_CHECKING, Any

from ..base.errors import message
from ..create.filled import zeros_like
from ..handles.size import Size
from . import constraints
from .utils import origin, sum_rightmost

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..handles.tensor import Tensor
    from .constraints import Constraint
    from .utils import Real


class Transform:
    """An invertible map with a computable log determinant of its Jacobian.

    A subclass defines `_call`, `_inverse` or both, and `log_abs_det_jacobian` if it is `bijective`.
    With cache_size=1 the last pair (x, y) is kept, so that `t.inv(t(x))` is x itself.
    """

    bijective: bool = False

    def __init__(self, cache_size: int = 0) -> None:
        if cache_size not in (0, 1):
            raise ValueError(message("cache_size must be 0 or 1"))
        self._cache_size = cache_size
        self._inv: Transform | None = None
        self._cached_x_y: tuple[Tensor | None, Tensor | None] = None, None

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_inv": None}

    if TYPE_CHECKING:  # a subclass says them, or its __init__ does, of the instance

        @property
        def domain(self) -> Constraint:
            """What x must satisfy."""

        @property
        def codomain(self) -> Constraint:
            """What y satisfies."""

    @property
    def event_dim(self) -> int:
        if self.domain.event_dim == self.codomain.event_dim:
            return self.domain.event_dim
        raise ValueError(message("Please use either .domain.event_dim or .codomain.event_dim"))

    @property
    def inv(self) -> Transform:
        """The inverse transform; ``t.inv.inv is t``."""
        if self._inv is None:
            self._inv = _InverseTransform(self)
        return self._inv

    @property
    def sign(self) -> Real:
        """+1 or -1, whether the map rises or falls."""
        raise NotImplementedError

    def _arguments(self) -> tuple[Any, ...]:
        """What `__init__` takes before cache_size."""
        return ()

    def with_cache(self, cache_size: int = 1) -> Transform:
        if self._cache_size == cache_size:
            return self
        own = origin(type(self), "__init__")
        if own is not Transform and origin(type(self), "_arguments") is Transform:
            raise NotImplementedError(message(f"{type(self)}.with_cache is not implemented"))
        make: Callable[..., Transform] = type(self)
        return make(*self._arguments(), cache_size=cache_size)

    def __eq__(self, other: object) -> bool:
        """The same object; of the transforms without parameters also one of the same class."""
        return self is other

    def __call__(self, x: Tensor) -> Tensor:
        if not self._cache_size:
            return self._call(x)
        x_old, y = self._cached_x_y
        if x is not x_old or y is None:
            y = self._call(x)
            self._cached_x_y = x, y
        return y

    def _inv_call(self, y: Tensor) -> Tensor:
        if not self._cache_size:
            return self._inverse(y)
        x, y_old = self._cached_x_y
        if y is not y_old or x is None:
            x = self._inverse(y)
            self._cached_x_y = x, y
        return x

    def _call(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def _inverse(self, y: Tensor) -> Tensor:
        raise NotImplementedError

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """log |dy/dx|, summed over the dimensions of an event."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return type(self).__name__ + "()"

    def forward_shape(self, shape: Size) -> Size:
        """The shape of t(x) for x of `shape`."""
        return shape

    def inverse_shape(self, shape: Size) -> Size:
        """The shape of t.inv(y) for y of `shape`."""
        return shape


# ---- made of others ------------------------------------------------------------------------------
class _InverseTransform(Transform):
    """`t.inv`."""

    def __init__(self, transform: Transform) -> None:
        super().__init__(cache_size=transform._cache_size)
        self._of = transform
        self._inv = transform
        self.bijective = transform.bijective

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__

    @constraints.dependent_property(is_discrete=False)
    def domain(self) -> Constraint:
        return self._of.codomain

    @constraints.dependent_property(is_discrete=False)
    def codomain(self) -> Constraint:
        return self._of.domain

    @property
    def sign(self) -> Real:
        return self._of.sign

    def with_cache(self, cache_size: int = 1) -> Transform:
        return self._of.with_cache(cache_size).inv

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _InverseTransform) and self._of == other._of

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._of!r})"

    def __call__(self, x: Tensor) -> Tensor:
        return self._of._inv_call(x)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return -self._of.log_abs_det_jacobian(y, x)

    def forward_shape(self, shape: Size) -> Size:
        return self._of.inverse_shape(shape)

    def inverse_shape(self, shape: Size) -> Size:
        return self._of.forward_shape(shape)


class ComposeTransform(Transform):
    """One transform after the other, in the order of `parts`."""

    def __init__(self, parts: Sequence[Transform], cache_size: int = 0) -> None:
        super().__init__(cache_size=cache_size)
        self.parts = [part.with_cache(cache_size) for part in parts] if cache_size else list(parts)
        self.bijective = all(p.bijective for p in self.parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ComposeTransform) and self.parts == other.parts

    def _arguments(self) -> tuple[Any, ...]:
        return (self.parts,)

    @constraints.dependent_property(is_discrete=False)
    def domain(self) -> Constraint:
        """That of the first part, of as many dimensions as any part looks at together."""
        if not self.parts:
            return constraints.real
        event_dim = self.parts[-1].codomain.event_dim
        for part in reversed(self.parts):
            event_dim += part.domain.event_dim - part.codomain.event_dim
            event_dim = max(event_dim, part.domain.event_dim)
        return widened(self.parts[0].domain, event_dim)

    @constraints.dependent_property(is_discrete=False)
    def codomain(self) -> Constraint:
        if not self.parts:
            return constraints.real
        event_dim = self.parts[0].domain.event_dim
        for part in self.parts:
            event_dim += part.codomain.event_dim - part.domain.event_dim
            event_dim = max(event_dim, part.codomain.event_dim)
        return widened(self.parts[-1].codomain, event_dim)

    @property
    def sign(self) -> Real:
        return functools.reduce(operator.mul, [p.sign for p in self.parts], 1)

    @property
    def inv(self) -> Transform:
        if self._inv is None:
            self._inv = ComposeTransform([p.inv for p in reversed(self.parts)])
            self._inv._inv = self
        return self._inv

    def __call__(self, x: Tensor) -> Tensor:
        for part in self.parts:
            x = part(x)
        return x

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        if not self.parts:
            return zeros_like(x)
        between = [x]
        for part in self.parts[:-1]:
            between.append(part(between[-1]))
        between.append(y)
        terms, event_dim = [], self.domain.event_dim
        for part, a, b in zip(self.parts, between[:-1], between[1:], strict=True):
            own = part.domain.event_dim
            terms.append(sum_rightmost(part.log_abs_det_jacobian(a, b), event_dim - own))
            event_dim += part.codomain.event_dim - own
        return functools.reduce(operator.add, terms)

    def forward_shape(self, shape: Size) -> Size:
        for part in self.parts:
            shape = part.forward_shape(shape)
        return shape

    def inverse_shape(self, shape: Size) -> Size:
        for part in reversed(self.parts):
            shape = part.inverse_shape(shape)
        return shape

    def __repr__(self) -> str:
        parts = ",\n    ".join(map(repr, self.parts))
        return f"{type(self).__name__}(\n    {parts}\n)"


def widened(constraint: Constraint, event_dim: int) -> Constraint:
    more = event_dim - constraint.event_dim
    return constraints.independent(constraint, more) if more else constraint


identity_transform = ComposeTransform([])


class IndependentTransform(Transform):
    """A transform of which the last dimensions are one event: its log determinant sums them."""

    def __init__(
        self, base_transform: Transform, reinterpreted_batch_ndims: int, cache_size: int = 0
    ) -> None:
        super().__init__(cache_size=cache_size)
        self.base_transform = base_transform.with_cache(cache_size)
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        self.bijective = base_transform.bijective

    def _arguments(self) -> tuple[Any, ...]:
        return self.base_transform, self.reinterpreted_batch_ndims

    @constraints.dependent_property(is_discrete=False)
    def domain(self) -> Constraint:
        return constraints.independent(self.base_transform.domain, self.reinterpreted_batch_ndims)

    @constraints.dependent_property(is_discrete=False)
    def codomain(self) -> Constraint:
        return constraints.independent(self.base_transform.codomain, self.reinterpreted_batch_ndims)

    @property
    def sign(self) -> Real:
        return self.base_transform.sign

    def _call(self, x: Tensor) -> Tensor:
        if x.dim() < self.domain.event_dim:
            raise ValueError(message("Too few dimensions on input"))
        return self.base_transform(x)

    def _inverse(self, y: Tensor) -> Tensor:
        if y.dim() < self.codomain.event_dim:
            raise ValueError(message("Too few dimensions on input"))
        return self.base_transform.inv(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        slopes = self.base_transform.log_abs_det_jacobian(x, y)
        return sum_rightmost(slopes, self.reinterpreted_batch_ndims)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_transform!r}, {self.reinterpreted_batch_ndims})"

    def forward_shape(self, shape: Size) -> Size:
        return self.base_transform.forward_shape(shape)

    def inverse_shape(self, shape: Size) -> Size:
        return self.base_transform.inverse_shape(shape)
