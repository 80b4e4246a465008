"""The methods of pruning: which elements of a parameter a mask holds at 0. See prune.py."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ...base.errors import message
from ...create.filled import ones_like, zeros_like
from ...handles.tensor import Tensor
from ...ops.surface import FUNCTIONS
from ..module import Module

if TYPE_CHECKING:
    from ...base.types import Argument


class BasePruningMethod:
    """A way to choose the mask; a subclass defines `compute_mask` and `PRUNING_TYPE`.

    The type is "unstructured" (single elements), "structured" (whole slices) or "global".
    """

    PRUNING_TYPE = "unstructured"
    _tensor_name: str
    dim: int  # of structured methods

    def __call__(self, module: Module, inputs: Argument, kwargs: Argument = None) -> None:
        """The pre-hook: compute the pruned tensor anew."""
        setattr(module, self._tensor_name, self.apply_mask(module))

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The new mask for values of importance `t`, of which `default_mask` is left."""
        raise NotImplementedError(message(f"{type(self).__name__} does not define compute_mask()"))

    def apply_mask(self, module: Module) -> Tensor:
        """The original times the mask."""
        original = getattr(module, self._tensor_name + "_orig")
        mask = getattr(module, self._tensor_name + "_mask")
        pruned: Tensor = mask.to(dtype=original.dtype) * original
        return pruned

    def prune(
        self,
        t: Tensor,
        default_mask: Tensor | None = None,
        importance_scores: Tensor | None = None,
    ) -> Tensor:
        """A pruned copy of a tensor that belongs to no module."""
        scores = t if importance_scores is None else _same_shape(importance_scores, t)
        return t * self.compute_mask(scores, ones_like(t) if default_mask is None else default_mask)

    @classmethod
    def apply(
        cls,
        module: Module,
        name: str,
        *args: Argument,
        importance_scores: Tensor | None = None,
        **kwargs: Argument,
    ) -> BasePruningMethod:
        """Prune the parameter `name` of `module` with cls(*args, **kwargs)."""
        method: BasePruningMethod = cls(*args, **kwargs)
        method._tensor_name = name
        number = hook_of(module, name)
        if number is not None:  # pruned before: both together
            container = PruningContainer(module._forward_pre_hooks.pop(number))
            container.add_pruning_method(method)
            method = container
        original = getattr(module, name)
        scores = original if importance_scores is None else importance_scores
        _same_shape(scores, original)
        if number is None:
            module.register_parameter(name + "_orig", original)  # refuses what is no parameter
            del module._parameters[name]
            default_mask = ones_like(original)
        else:
            default_mask = getattr(module, name + "_mask").detach().clone()
        try:
            mask = method.compute_mask(scores.detach(), default_mask)
            module.register_buffer(name + "_mask", mask)
            setattr(module, name, method.apply_mask(module))
            module.register_forward_pre_hook(method)
        except Exception:
            if number is None:
                module.register_parameter(name, module._parameters.pop(name + "_orig"))
            raise
        return method

    def remove(self, module: Module) -> None:
        """Make the pruned tensor the parameter. Its hook is taken away by `prune.remove`."""
        name = self._tensor_name
        value = self.apply_mask(module)
        if hasattr(module, name):
            delattr(module, name)
        original = module._parameters.pop(name + "_orig")
        assert original is not None
        original.data = value.detach()
        del module._buffers[name + "_mask"]
        setattr(module, name, original)


def _same_shape(scores: Tensor, t: Tensor) -> Tensor:
    if scores.shape != t.shape:
        raise AssertionError(message("importance_scores should have the same shape as parameter "
                             f"{tuple(t.shape)}, but have {tuple(scores.shape)}"))  # fmt: skip
    return scores


def hook_of(module: Module, name: str) -> int | None:
    """The number of the hook that prunes this tensor."""
    for number, hook in module._forward_pre_hooks.items():
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
            return number
    return None


class PruningContainer(BasePruningMethod):
    """Several methods on one tensor: each prunes among what the earlier ones have left."""

    def __init__(self, *args: BasePruningMethod | Iterable[BasePruningMethod]) -> None:
        self._pruning_methods: tuple[BasePruningMethod, ...] = ()
        methods: list[BasePruningMethod] = []
        for given in args:
            methods += [given] if isinstance(given, BasePruningMethod) else list(given)
        for method in methods:
            if not self._pruning_methods:
                self._tensor_name = method._tensor_name
            self.add_pruning_method(method)

    def add_pruning_method(self, method: BasePruningMethod) -> None:
        """Add one, which must be on the same tensor."""
        if not isinstance(method, BasePruningMethod):
            raise TypeError(message(f"{type(method)} is not a BasePruningMethod subclass"))
        if self._pruning_methods and self._tensor_name != method._tensor_name:
            raise ValueError(
                message(
                    "Can only add pruning methods acting on the parameter named "
                    f"'{self._tensor_name}' to PruningContainer {self}. "
                    f"Found '{method._tensor_name}'"
                )
            )
        nested = method._pruning_methods if isinstance(method, PruningContainer) else (method,)
        self._pruning_methods += nested

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Iterator[BasePruningMethod]:
        return iter(self._pruning_methods)

    def __getitem__(self, index: int) -> BasePruningMethod:
        return self._pruning_methods[index]

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        method, mask = self._pruning_methods[-1], default_mask.to(dtype=t.dtype)
        if method.PRUNING_TYPE == "unstructured":
            left: Argument = mask == 1
        elif method.PRUNING_TYPE == "structured":
            # the slices along method.dim of which something is left
            dim = method.dim % t.ndim
            others = [d for d in range(t.ndim) if d != dim]
            keep = mask.sum(dim=others) != 0
            left = tuple([slice(None)] * dim + [keep])
        elif method.PRUNING_TYPE == "global":
            left = tuple([slice(None)] * t.ndim)
        else:
            raise ValueError(message(f"Unrecognized PRUNING_TYPE {method.PRUNING_TYPE}"))
        new = mask.clone()
        new[left] = method.compute_mask(t[left], mask[left]).to(dtype=mask.dtype)
        return new


# ---- how much ------------------------------------------------------------------------------------


def _check_amount(amount: float) -> None:
    if isinstance(amount, bool) or not isinstance(amount, (int, float)):
        raise TypeError(message(f"Invalid type for amount: {amount}. Must be int or float."))
    if (isinstance(amount, int) and amount < 0) or (
        not isinstance(amount, int) and not 0.0 <= amount <= 1.0
    ):
        raise ValueError(
            message(
                f"amount={amount} should either be a float in the range [0, 1] or a non-negative "
                "integer"
            )
        )


def _count(amount: float, size: int) -> int:
    """How many of `size`; RuntimeError for more than there are."""
    if isinstance(amount, int) and amount > size:
        raise ValueError(
            message(
                f"amount={amount} should be smaller than the number of parameters to prune={size}"
            )
        )
    return amount if isinstance(amount, int) else round(amount * size)


def _check_structured(t: Tensor, dim: int) -> None:
    if t.ndim <= 1:
        raise ValueError(
            message(
                "Structured pruning can only be applied to multidimensional tensors. "
                "Found tensor of "
                f"shape {t.shape} with {t.ndim} dims"
            )
        )
    if dim >= t.ndim:
        raise IndexError(message(f"Invalid index {dim} for tensor of size {t.shape}"))


# ---- the methods ---------------------------------------------------------------------------------


class Identity(BasePruningMethod):
    """Prunes nothing: the mask is all ones."""

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return default_mask


class _Unstructured(BasePruningMethod):
    """Prunes `amount` elements: a number (int) or a part (float in [0, 1])."""

    def __init__(self, amount: float) -> None:
        _check_amount(amount)
        self.amount = amount

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        n = _count(self.amount, t.numel())
        mask = default_mask.clone()
        if n:
            order = FUNCTIONS["topk"](self._importance(t).view(-1), k=n, largest=False)
            mask.view(-1)[order.indices] = 0
        return mask

    def _importance(self, t: Tensor) -> Tensor:
        raise NotImplementedError


class RandomUnstructured(_Unstructured):
    """Prunes elements that are drawn at random."""

    def _importance(self, t: Tensor) -> Tensor:
        scores: Tensor = FUNCTIONS["rand_like"](t)
        return -scores  # PyTorch prunes where the largest numbers were drawn


class L1Unstructured(_Unstructured):
    """Prunes the elements of smallest absolute value."""

    def _importance(self, t: Tensor) -> Tensor:
        return t.abs().contiguous()


class _Structured(BasePruningMethod):
    """Prunes `amount` whole slices along `dim`."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: float, dim: int = -1) -> None:
        _check_amount(amount)
        self.amount, self.dim = amount, dim

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        _check_structured(t, self.dim)
        size = t.shape[self.dim]
        n = _count(self.amount, size)
        if not n:
            return default_mask
        return self._keep(t, size, n) * default_mask.to(dtype=t.dtype)

    def _keep(self, t: Tensor, size: int, n: int) -> Tensor:
        """1 on the slices that are left, 0 on `n` others."""
        raise NotImplementedError

    def _slices(self, t: Tensor, index: Tensor, value: float) -> Tensor:
        """A tensor of the other number, with `value` on these slices."""
        mask = zeros_like(t) if value else ones_like(t)
        mask[tuple([slice(None)] * (self.dim % t.ndim) + [index])] = value
        return mask


class RandomStructured(_Structured):
    """Prunes slices that are drawn at random."""

    def _keep(self, t: Tensor, size: int, n: int) -> Tensor:
        scores = FUNCTIONS["rand"](size)
        threshold = FUNCTIONS["kthvalue"](scores, k=n).values
        return self._slices(t, (scores > threshold).nonzero().view(-1), 1)


class LnStructured(_Structured):
    """Prunes the slices of smallest norm of order `n` (a number, inf, -inf, "fro", "nuc")."""

    def __init__(self, amount: float, n: Argument, dim: int = -1) -> None:
        super().__init__(amount, dim)
        self.n = n

    def _keep(self, t: Tensor, size: int, n: int) -> Tensor:
        norm = FUNCTIONS["norm"](t, self.n, [d for d in range(t.ndim) if d != self.dim % t.ndim])
        kept = FUNCTIONS["topk"](norm, k=size - n, largest=True)
        return self._slices(t, kept.indices, 1)


class CustomFromMask(BasePruningMethod):
    """Prunes where the given mask is 0."""

    PRUNING_TYPE = "global"

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        if default_mask.shape != self.mask.shape:
            raise AssertionError(message("mask has the wrong shape"))
        return default_mask * self.mask.to(dtype=default_mask.dtype)
