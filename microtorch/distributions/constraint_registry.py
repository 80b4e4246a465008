"""From a constraint to a transform onto what satisfies it.

    scale = transform_to(constraints.positive)(torch.zeros(3))    # exp

`biject_to` gives bijections, with log_abs_det_jacobian, for Monte Carlo; `transform_to` may give
maps that are better to optimize through, such as softmax for the simplex.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, overload

from ..base.errors import message
from . import constraints, transforms
from .constraints import Constraint
from .transforms import Transform
from .utils import NUMBER

__all__ = ["ConstraintRegistry", "biject_to", "transform_to"]

Factory: TypeAlias = Callable[[Constraint], Transform]
Kind: TypeAlias = type[Constraint] | Constraint


class ConstraintRegistry:
    """A table from classes of constraints to functions that make a transform of a constraint."""

    def __init__(self) -> None:
        self._registry: dict[type[Constraint], Factory] = {}

    @overload
    def register(self, constraint: Kind, factory: Factory) -> Factory: ...
    @overload
    def register(self, constraint: Kind) -> Callable[[Factory], Factory]: ...
    def register(
        self, constraint: Kind, factory: Factory | None = None
    ) -> Factory | Callable[[Factory], Factory]:
        """Enter a class, or the class of a constraint. Without a factory: a decorator of it."""
        if factory is None:
            return lambda factory: self._enter(constraint, factory)
        return self._enter(constraint, factory)

    def _enter(self, constraint: Kind, factory: Factory) -> Factory:
        kind = type(constraint) if isinstance(constraint, Constraint) else constraint
        if not isinstance(kind, type) or not issubclass(kind, Constraint):
            raise TypeError(
                message(
                    "Expected constraint to be either a Constraint subclass or instance, "
                    f"but got {kind}"
                )
            )
        self._registry[kind] = factory
        return factory

    def __call__(self, constraint: Constraint) -> Transform:
        """Raises NotImplementedError for a constraint whose class is not entered."""
        factory = self._registry.get(type(constraint))
        if factory is None:
            raise NotImplementedError(
                message(f"Cannot transform {type(constraint).__name__} constraints")
            )
        return factory(constraint)


biject_to = ConstraintRegistry()
transform_to = ConstraintRegistry()


def _both(*kinds: Kind) -> Callable[[Factory], Factory]:
    """A decorator: the same transform for both purposes."""

    def enter(factory: Factory) -> Factory:
        for kind in kinds:
            biject_to.register(kind, factory)
            transform_to.register(kind, factory)
        return factory

    return enter


@_both(constraints.real)
def _real(constraint: Constraint) -> Transform:
    return transforms.identity_transform


@_both(constraints.positive, constraints.greater_than_eq)
def _above(constraint: Constraint) -> Transform:
    """exp, moved to the lower bound."""
    bound = vars(constraint)["lower_bound"]
    return transforms.ComposeTransform(
        [transforms.ExpTransform(), transforms.AffineTransform(bound, 1)]
    )


@_both(constraints.less_than)
def _below(constraint: Constraint) -> Transform:
    bound = vars(constraint)["upper_bound"]
    return transforms.ComposeTransform(
        [transforms.ExpTransform(), transforms.AffineTransform(bound, -1)]
    )


@_both(constraints.interval, constraints.half_open_interval)
def _between(constraint: Constraint) -> Transform:
    low, high = vars(constraint)["lower_bound"], vars(constraint)["upper_bound"]
    if isinstance(low, NUMBER) and isinstance(high, NUMBER) and (low, high) == (0, 1):
        return transforms.SigmoidTransform()
    return transforms.ComposeTransform(
        [transforms.SigmoidTransform(), transforms.AffineTransform(low, high - low)]
    )


@_both(constraints.corr_cholesky)
def _corr_cholesky(constraint: Constraint) -> Transform:
    return transforms.CorrCholeskyTransform()


@biject_to.register(constraints.simplex)
def _simplex_bijection(constraint: Constraint) -> Transform:
    return transforms.StickBreakingTransform()


@transform_to.register(constraints.simplex)
def _simplex(constraint: Constraint) -> Transform:
    return transforms.SoftmaxTransform()


@transform_to.register(constraints.lower_cholesky)
def _lower_cholesky(constraint: Constraint) -> Transform:
    return transforms.LowerCholeskyTransform()


@transform_to.register(constraints.positive_definite)
def _definite(constraint: Constraint) -> Transform:
    return transforms.PositiveDefiniteTransform()


transform_to.register(constraints.positive_semidefinite, _definite)


def _made_of_others(registry: ConstraintRegistry) -> None:
    """Constraints that are made of others have transforms made of those of the others."""

    def independent(c: Constraint) -> Transform:
        parts = vars(c)
        base = registry(parts["base_constraint"])
        return transforms.IndependentTransform(base, parts["reinterpreted_batch_ndims"])

    def cat(c: Constraint) -> Transform:
        parts = vars(c)
        each = [registry(part) for part in parts["cseq"]]
        return transforms.CatTransform(each, parts["dim"], parts["lengths"])

    def stack(c: Constraint) -> Transform:
        parts = vars(c)
        return transforms.StackTransform([registry(part) for part in parts["cseq"]], parts["dim"])

    registry.register(constraints.independent, independent)
    registry.register(constraints.cat, cat)
    registry.register(constraints.stack, stack)


_made_of_others(biject_to)
_made_of_others(transform_to)
