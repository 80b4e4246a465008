"""Which values a parameter or a sample may have: `check` says it for each event.

    constraints.positive.check(torch.tensor([1.0, -1.0]))    # tensor([True, False])

A constraint of `event_dim` n looks at the last n dimensions together.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..arrays import dtypes
from ..base.errors import message
from ..create.filled import full
from ..linalg import cholesky_ex, eigvalsh, vector_norm
from ..ops.arguments import everywhere
from ..ops.join import cat as join
from ..ops.join import stack as pile
from .utils import Real

if TYPE_CHECKING:
    from ..handles.tensor import Tensor

__all__ = [
    "Constraint",
    "MixtureSameFamilyConstraint",
    "boolean",
    "cat",
    "corr_cholesky",
    "dependent",
    "dependent_property",
    "greater_than",
    "greater_than_eq",
    "half_open_interval",
    "independent",
    "integer_interval",
    "interval",
    "is_dependent",
    "less_than",
    "lower_cholesky",
    "lower_triangular",
    "multinomial",
    "nonnegative",
    "nonnegative_integer",
    "one_hot",
    "positive",
    "positive_definite",
    "positive_integer",
    "positive_semidefinite",
    "real",
    "real_vector",
    "simplex",
    "square",
    "stack",
    "symmetric",
    "unit_interval",
]


class Constraint:
    """A region over which a variable is valid."""

    is_discrete: bool = False
    event_dim: int = 0

    def check(self, value: Tensor) -> Tensor:
        """Bools of shape sample_shape + batch_shape: is each event valid?"""
        raise NotImplementedError

    def __repr__(self) -> str:
        return type(self).__name__[1:] + "()"


# ---- those that depend on other variables --------------------------------------------------------
class _Dependent(Constraint):
    """Stands where the support depends on other variables; it cannot be checked.

    ``dependent(is_discrete=True, event_dim=1)`` says what is known all the same.
    """

    def __init__(self, *, is_discrete: bool | None = None, event_dim: int | None = None) -> None:
        self._is_discrete = is_discrete
        self._event_dim = event_dim

    def __getattribute__(self, name: str) -> object:
        if name in ("is_discrete", "event_dim"):
            value = super().__getattribute__(f"_{name}")
            if value is None:
                raise NotImplementedError(message(f".{name} cannot be determined statically"))
            return value
        return super().__getattribute__(name)

    def __call__(
        self,
        fn: Callable[..., object] | None = None,
        *,
        is_discrete: bool | None = None,
        event_dim: int | None = None,
    ) -> Constraint:
        known = self._is_discrete if is_discrete is None else is_discrete
        return _Dependent(
            is_discrete=known, event_dim=self._event_dim if event_dim is None else event_dim
        )

    def check(self, value: Tensor) -> Tensor:
        raise ValueError(message("Cannot determine validity of dependent constraint"))


def is_dependent(constraint: object) -> bool:
    """Is it a constraint that cannot be checked before other variables are known?"""
    return isinstance(constraint, _Dependent)


class _DependentProperty(_Dependent, property):
    """A property of a distribution, which is a dependent constraint when asked of the class.

        @constraints.dependent_property(is_discrete=False, event_dim=0)
        def support(self):
            return constraints.interval(self.low, self.high)
    """

    def __init__(
        self,
        fn: Callable[..., object] | None = None,
        *,
        is_discrete: bool | None = None,
        event_dim: int | None = None,
    ) -> None:
        property.__init__(self, fn)
        _Dependent.__init__(self, is_discrete=is_discrete, event_dim=event_dim)

    def __call__(
        self,
        fn: Callable[..., object] | None = None,
        *,
        is_discrete: bool | None = None,
        event_dim: int | None = None,
    ) -> Constraint:
        """As a decorator with arguments: the property of `fn`."""
        return _DependentProperty(fn, is_discrete=self._is_discrete, event_dim=self._event_dim)


# ---- made of others ------------------------------------------------------------------------------
def _expect(constraint: object, name: str = "base_constraint") -> None:
    if not isinstance(constraint, Constraint):
        raise AssertionError(
            message(f"{name} must be a Constraint, got {type(constraint).__name__}")
        )


class _IndependentConstraint(Constraint):
    """Valid where the base is valid all along the last `reinterpreted_batch_ndims` dimensions."""

    def __init__(self, base_constraint: Constraint, reinterpreted_batch_ndims: int) -> None:
        _expect(base_constraint)
        self.base_constraint = base_constraint
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        self.is_discrete = base_constraint.is_discrete
        self.event_dim = base_constraint.event_dim + reinterpreted_batch_ndims

    def check(self, value: Tensor) -> Tensor:
        valid = self.base_constraint.check(value)
        if valid.dim() < self.reinterpreted_batch_ndims:
            raise ValueError(
                message(f"Expected value.dim() >= {self.event_dim} but got {value.dim()}")
            )
        kept = valid.shape[: valid.dim() - self.reinterpreted_batch_ndims]
        return valid.reshape((*kept, -1)).all(-1)

    def __repr__(self) -> str:
        name, base = type(self).__name__[1:], self.base_constraint
        return f"{name}({base!r}, {self.reinterpreted_batch_ndims})"


class MixtureSameFamilyConstraint(Constraint):
    """What is valid for every component of a mixture."""

    def __init__(self, base_constraint: Constraint) -> None:
        _expect(base_constraint)
        self.base_constraint = base_constraint
        self.is_discrete = base_constraint.is_discrete
        self.event_dim = base_constraint.event_dim

    def check(self, value: Tensor) -> Tensor:
        valid = self.base_constraint.check(value.unsqueeze(-1 - self.event_dim))
        if value.dim() < self.event_dim:
            raise ValueError(
                message(f"Expected value.dim() >= {self.event_dim} but got {value.dim()}")
            )
        return valid.reshape((*valid.shape[: value.dim() - self.event_dim], -1)).all(-1)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_constraint!r})"


class _Several(Constraint):
    """Constraints for the parts of a tensor along `dim`."""

    def __init__(self, cseq: Sequence[Constraint], dim: int = 0) -> None:
        if not all(isinstance(c, Constraint) for c in cseq):
            raise AssertionError(message("All elements of cseq must be Constraint instances"))
        self.cseq = list(cseq)
        self.dim = dim
        self.is_discrete = any(c.is_discrete for c in self.cseq)
        self.event_dim = max(c.event_dim for c in self.cseq)

    def _expect_dim(self, value: Tensor) -> None:
        if not -value.dim() <= self.dim < value.dim():
            raise AssertionError(
                message(f"dim {self.dim} out of range for value with {value.dim()} dimensions")
            )


class _Cat(_Several):
    """A constraint for each piece, of `lengths[i]`, of what torch.cat joined along `dim`."""

    def __init__(
        self, cseq: Sequence[Constraint], dim: int = 0, lengths: Sequence[int] | None = None
    ) -> None:
        super().__init__(cseq, dim)
        self.lengths = [1] * len(self.cseq) if lengths is None else list(lengths)
        if len(self.lengths) != len(self.cseq):
            raise AssertionError(
                message(f"lengths ({len(self.lengths)}) must match cseq ({len(self.cseq)})")
            )

    def check(self, value: Tensor) -> Tensor:
        self._expect_dim(value)
        checks, start = [], 0
        for c, length in zip(self.cseq, self.lengths, strict=True):
            checks.append(c.check(value.narrow(self.dim, start, length)))
            start += length
        return join(checks, self.dim)


class _Stack(_Several):
    """A constraint for each slice of what torch.stack piled along `dim`."""

    def __init__(self, cseq: Sequence[Constraint], dim: int = 0) -> None:
        super().__init__(cseq, dim)
        self.event_dim += self.dim + self.event_dim < 0

    def check(self, value: Tensor) -> Tensor:
        self._expect_dim(value)
        parts = zip(value.unbind(self.dim), self.cseq, strict=True)
        return pile([c.check(v) for v, c in parts], self.dim)


# ---- numbers -------------------------------------------------------------------------------------
class _Bounded(Constraint):
    """With a lower or an upper bound, or both: numbers, or tensors that broadcast."""

    def __repr__(self) -> str:
        bounds = ", ".join(f"{k}={v}" for k, v in vars(self).items())
        return f"{type(self).__name__[1:]}({bounds})"


class _From(_Bounded):
    def __init__(self, lower_bound: Real) -> None:
        self.lower_bound = lower_bound


class _To(_Bounded):
    def __init__(self, upper_bound: Real) -> None:
        self.upper_bound = upper_bound


class _Between(_Bounded):
    def __init__(self, lower_bound: Real, upper_bound: Real) -> None:
        self.lower_bound = lower_bound
        self.upper_bound = upper_bound


class _GreaterThan(_From):
    def check(self, value: Tensor) -> Tensor:
        return value > self.lower_bound


class _GreaterThanEq(_From):
    def check(self, value: Tensor) -> Tensor:
        return value >= self.lower_bound


class _LessThan(_To):
    def check(self, value: Tensor) -> Tensor:
        return value < self.upper_bound


class _Interval(_Between):
    def check(self, value: Tensor) -> Tensor:
        return (value >= self.lower_bound) & (value <= self.upper_bound)


class _HalfOpenInterval(_Between):
    def check(self, value: Tensor) -> Tensor:
        return (value >= self.lower_bound) & (value < self.upper_bound)


class _IntegerInterval(_Between):
    is_discrete = True

    def check(self, value: Tensor) -> Tensor:
        return (value % 1 == 0) & (value >= self.lower_bound) & (value <= self.upper_bound)


class _IntegerLessThan(_To):
    is_discrete = True

    def check(self, value: Tensor) -> Tensor:
        return (value % 1 == 0) & (value <= self.upper_bound)


class _IntegerGreaterThan(_From):
    is_discrete = True

    def check(self, value: Tensor) -> Tensor:
        return (value % 1 == 0) & (value >= self.lower_bound)


class _Real(Constraint):
    """Any number, the infinite ones too, but no NaN."""

    def check(self, value: Tensor) -> Tensor:
        return value.eq(value)


class _Boolean(Constraint):
    is_discrete = True

    def check(self, value: Tensor) -> Tensor:
        return value.eq(0) | value.eq(1)


# ---- vectors -------------------------------------------------------------------------------------
class _OneHot(Constraint):
    is_discrete = True
    event_dim = 1

    def check(self, value: Tensor) -> Tensor:
        return _Boolean().check(value).all(-1) & value.sum(-1).eq(1)


class _Simplex(Constraint):
    """x >= 0, and the sum is 1 up to 1e-6."""

    event_dim = 1

    def check(self, value: Tensor) -> Tensor:
        return (value >= 0).all(-1) & ((value.sum(-1) - 1).abs() < 1e-6)


class _Multinomial(_To):
    """Numbers that are not negative, of a sum of `upper_bound` at most."""

    is_discrete = True
    event_dim = 1
    __repr__ = Constraint.__repr__

    def check(self, value: Tensor) -> Tensor:
        return (value >= 0).all(-1) & (value.sum(-1) <= self.upper_bound)


# ---- matrices ------------------------------------------------------------------------------------
class _LowerTriangular(Constraint):
    event_dim = 2

    def check(self, value: Tensor) -> Tensor:
        return value.tril().eq(value).flatten(-2).all(-1)


class _LowerCholesky(_LowerTriangular):
    """Lower triangular, with a positive diagonal."""

    def check(self, value: Tensor) -> Tensor:
        return super().check(value) & (value.diagonal(dim1=-2, dim2=-1) > 0).all(-1)


class _CorrCholesky(_LowerCholesky):
    """... and each row of length 1, up to 10 n eps."""

    def check(self, value: Tensor) -> Tensor:
        tolerance = dtypes.finfo(value.dtype).eps * value.shape[-1] * 10
        lengths = vector_norm(value.detach(), dim=-1)
        return super().check(value) & ((lengths - 1.0).abs() <= tolerance).all(-1)


class _Square(Constraint):
    event_dim = 2

    def check(self, value: Tensor) -> Tensor:
        is_square = value.shape[-2] == value.shape[-1]
        return full(value.shape[:-2], is_square, dtype=dtypes.bool, device=value.device)


class _Symmetric(_Square):
    """Equal to its transpose, up to 1e-6."""

    def check(self, value: Tensor) -> Tensor:
        valid = super().check(value)
        return value.isclose(value.mT, atol=1e-6).all(-2).all(-1) if everywhere(valid) else valid


class _PositiveSemidefinite(_Symmetric):
    def check(self, value: Tensor) -> Tensor:
        valid = super().check(value)
        return (eigvalsh(value) >= 0).all(-1) if everywhere(valid) else valid


class _PositiveDefinite(_Symmetric):
    def check(self, value: Tensor) -> Tensor:
        valid = super().check(value)
        return cholesky_ex(value).info.eq(0) if everywhere(valid) else valid


# ---- what users name -----------------------------------------------------------------------------
dependent = _Dependent()
dependent_property = _DependentProperty
independent = _IndependentConstraint
cat = _Cat
stack = _Stack
boolean = _Boolean()
one_hot = _OneHot()
nonnegative_integer = _IntegerGreaterThan(0)
positive_integer = _IntegerGreaterThan(1)
integer_interval = _IntegerInterval
real = _Real()
real_vector = independent(real, 1)
positive = _GreaterThan(0.0)
nonnegative = _GreaterThanEq(0.0)
greater_than = _GreaterThan
greater_than_eq = _GreaterThanEq
less_than = _LessThan
multinomial = _Multinomial
unit_interval = _Interval(0.0, 1.0)
interval = _Interval
half_open_interval = _HalfOpenInterval
simplex = _Simplex()
lower_triangular = _LowerTriangular()
lower_cholesky = _LowerCholesky()
corr_cholesky = _CorrCholesky()
square = _Square()
symmetric = _Symmetric()
positive_semidefinite = _PositiveSemidefinite()
positive_definite = _PositiveDefinite()
