"""The base class: shapes, checks of parameters and samples, `expand`.

A distribution declares its parameters once, in `arg_constraints`: a name, and what its values must
satisfy. Checking, printing and expanding follow from that. Shapes are those of PyTorch:

    sample_shape   how many are drawn: sample((3,))
    batch_shape    how many distributions there are, of parameters that broadcast
    event_shape    of one outcome: () for numbers
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from ..autograd import no_grad
from ..base.errors import message, warn
from ..handles.size import Size
from ..handles.tensor import Tensor
from ..ops.arguments import everywhere
from . import constraints
from .utils import broadcast_all, lazy_property, origin

if TYPE_CHECKING:
    from ..base.types import Number
    from .constraints import Constraint

__all__ = ["Distribution"]

EMPTY = Size()
D = TypeVar("D", bound="Distribution")


def parameters(**by_name: Constraint) -> dict[str, Constraint]:
    """The parameters of a class of distributions, each with what it must satisfy."""
    return by_name


def _whence(value: Tensor) -> str:
    """What to do about invalid values: most are nan, of a training that has left its bounds."""
    if everywhere(value == value):
        return ""
    return "torch.autograd.set_detect_anomaly(True) finds the derivative that is nan first"


class Distribution:
    """The abstract base of probability distributions."""

    has_rsample: bool = False
    has_enumerate_support: bool = False
    _validate_args: bool = __debug__
    _declared: tuple[str, ...] = ()  # parameters of the shape of the batch

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Are arguments checked unless `validate_args` says so? Yes, but under ``python -O``."""
        if value not in (True, False):
            raise ValueError
        Distribution._validate_args = value

    def __init__(
        self,
        batch_shape: Size = EMPTY,
        event_shape: Size = EMPTY,
        validate_args: bool | None = None,
    ) -> None:
        self._batch_shape = batch_shape
        self._event_shape = event_shape
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._check_parameters()
        super().__init__()

    def _declare(self, validate_args: bool | None, **parameters: Tensor | Number) -> None:
        """Begin as a distribution of numbers: the parameters, broadcast, become attributes."""
        values = broadcast_all(*parameters.values())
        self.__dict__.update(zip(parameters, values, strict=True))
        self._declared = tuple(parameters)
        Distribution.__init__(self, values[0].shape, validate_args=validate_args)

    def _check_parameters(self) -> None:
        try:
            declared = self.arg_constraints
        except NotImplementedError:
            declared = {}
            warn(
                f"{self.__class__} does not define `arg_constraints`. "
                "Please set `arg_constraints = {}` or initialize the distribution "
                "with `validate_args=False` to turn off validation.",
            )
        for name, constraint in declared.items():
            if constraints.is_dependent(constraint):
                continue
            if name not in self.__dict__ and self._is_lazy(name):
                continue
            value = getattr(self, name)
            if not everywhere(constraint.check(value)):
                raise ValueError(
                    message(
                        f"Expected parameter {name} "
                        f"({type(value).__name__} of shape {tuple(value.shape)}) "
                        f"of distribution {self!r} "
                        f"to satisfy the constraint {constraint!r}, "
                        f"but found invalid values:\n{value}",
                        fix=_whence(value),
                    )
                )

    def _is_lazy(self, name: str) -> bool:
        return isinstance(getattr(type(self), name, None), lazy_property)

    # ---- expanding -------------------------------------------------------------------------------
    def expand(self: D, batch_shape: Sequence[int], _instance: D | None = None) -> D:
        """The same distributions, repeated to `batch_shape` without taking memory.

        Every parameter in `arg_constraints`, and every distribution that this one is built on, is
        expanded; what a lazy property had computed is left out; the rest is shared. A class of the
        user's with an `__init__` of its own defines `expand` too: it makes the instance by
        `_get_checked_instance`, gives it what it adds, and calls ``super().expand(shape, new)``.
        """
        new = _instance
        if new is None:
            ours = next(c for c in type(self).__mro__ if c.__module__.startswith(__package__ or ""))
            if ours is Distribution:
                raise NotImplementedError
            new = self._get_checked_instance(ours)
        shape = Size(batch_shape)
        for name, value in self.__dict__.items():
            kept = name in self.arg_constraints or not self._is_lazy(name)
            if kept and name not in new.__dict__:
                new.__dict__[name] = self._expanded(name, value, shape)
        new._batch_shape = shape
        return new

    def _expanded(self, name: str, value: object, batch_shape: Size) -> object:
        """The attribute `name` of the distribution expanded to `batch_shape`."""
        if isinstance(value, Distribution):
            return value.expand(batch_shape + value.batch_shape[len(self._batch_shape) :])
        if not isinstance(value, Tensor):
            return value
        if name in self._declared:
            return value.expand(batch_shape)
        if name not in self.arg_constraints:
            return value
        event_dim = self.arg_constraints[name].event_dim
        return value.expand(batch_shape + value.shape[value.dim() - event_dim :])

    def _get_checked_instance(self: D, cls: type, _instance: D | None = None) -> D:
        if _instance is None and origin(type(self), "__init__") is not origin(cls, "__init__"):
            raise NotImplementedError(
                message(
                    f"Subclass {type(self).__name__} of {cls.__name__} that defines a custom "
                    "__init__ method must also define a custom .expand() method."
                )
            )
        return type(self).__new__(type(self)) if _instance is None else _instance

    # ---- shapes, and what a distribution says of itself ------------------------------------------
    @property
    def batch_shape(self) -> Size:
        """The shape over which parameters are batched."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of one outcome."""
        return self._event_shape

    @property
    def arg_constraints(self) -> dict[str, Constraint]:
        """What each parameter must satisfy, by name."""
        raise NotImplementedError

    @property
    def support(self) -> Constraint:
        """Which values samples have."""
        raise NotImplementedError

    @property
    def mean(self) -> Tensor:
        raise NotImplementedError

    @property
    def mode(self) -> Tensor:
        raise NotImplementedError(f"{self.__class__} does not implement mode")

    @property
    def variance(self) -> Tensor:
        raise NotImplementedError

    @property
    def stddev(self) -> Tensor:
        """The square root of the variance."""
        return self.variance.sqrt()

    # ---- sampling --------------------------------------------------------------------------------
    def sample(self, sample_shape: Sequence[int] = EMPTY) -> Tensor:
        """Samples of shape sample_shape + batch_shape + event_shape, without gradient."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Sequence[int] = EMPTY) -> Tensor:
        """Samples that carry a gradient to the parameters, where `has_rsample`."""
        raise NotImplementedError

    def sample_n(self, n: int) -> Tensor:
        """``sample((n,))``, as it was once called."""
        warn(
            "`sample_n(n)` will be deprecated. Use `sample((n,))` instead.",
            FutureWarning,
        )
        return self.sample((n,))

    def _extended_shape(self, sample_shape: Sequence[int] = EMPTY) -> Size:
        return Size(sample_shape) + self._batch_shape + self._event_shape

    # ---- densities -------------------------------------------------------------------------------
    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density, or of the probability, at `value`."""
        raise NotImplementedError

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of at most `value`."""
        raise NotImplementedError

    def icdf(self, value: Tensor) -> Tensor:
        """The inverse of cdf."""
        raise NotImplementedError

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All outcomes of a discrete distribution along a new first dimension.

        The shape is (outcomes,) + batch_shape + event_shape; with expand=False sizes of the batch
        are 1. Outcomes of a batch run in step, not over all combinations.
        """
        raise NotImplementedError

    def entropy(self) -> Tensor:
        """Minus the mean of log_prob, of shape batch_shape; in nats."""
        raise NotImplementedError

    def perplexity(self) -> Tensor:
        """exp of the entropy."""
        return self.entropy().exp()

    def _check_sample(self, value: Tensor) -> None:
        if self._validate_args:
            self._validate_sample(value)

    def _validate_sample(self, value: Tensor) -> None:
        """Raise ValueError if `value` does not fit in shape, or lies outside the support."""
        if not isinstance(value, Tensor):
            raise ValueError(
                message(
                    "The value argument to log_prob must be a Tensor",
                    f"got {type(value).__name__}",
                    fix="torch.tensor(value)",
                )
            )
        actual, expected = value.shape, self._batch_shape + self._event_shape
        if actual[len(actual) - len(self._event_shape) :] != self._event_shape:
            raise ValueError(
                message(
                    "The right-most size of value must match event_shape: "
                    f"{actual} vs {self._event_shape}."
                )
            )
        for i, j in zip(reversed(actual), reversed(expected), strict=False):
            if i != 1 and j != 1 and i != j:
                raise ValueError(
                    message(
                        "Value is not broadcastable with batch_shape+event_shape: "
                        f"{actual} vs {expected}."
                    )
                )
        try:
            support = self.support
        except NotImplementedError:
            warn(
                f"{self.__class__} does not define `support` to enable "
                "sample validation. Please initialize the distribution with "
                "`validate_args=False` to turn off validation.",
            )
            return
        if not everywhere(support.check(value)):
            raise ValueError(
                message(
                    "Expected value argument "
                    f"({type(value).__name__} of shape {tuple(value.shape)}) "
                    f"to be within the support ({support!r}) "
                    f"of the distribution {self!r}, "
                    f"but found invalid values:\n{value}",
                    fix=_whence(value),
                )
            )

    def __repr__(self) -> str:
        own = {k: self.__dict__[k] for k in self.arg_constraints if k in self.__dict__}
        shown = [f"{k}: {v if v.numel() == 1 else v.size()}" for k, v in own.items()]
        return f"{type(self).__name__}({', '.join(shown)})"
