"""The older weight_norm and spectral_norm, which compute the weight before each forward.

`torch.nn.utils.parametrizations` has the newer ones, which compute it when it is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ...autograd import no_grad
from ...base.errors import message, warn
from ...handles.tensor import Tensor
from .. import functional as F
from ..layers import conv
from ..module import Module
from ..parameter import Parameter

if TYPE_CHECKING:
    from ...base.types import Argument

T = TypeVar("T", bound=Module)


def norm_except(v: Tensor, dim: int, pow: float = 2) -> Tensor:
    """The norm over all dimensions but `dim`, which keep size 1; dim -1: over all, as a number."""
    if dim == -1:
        return v.norm(pow)
    size = v.shape[dim]  # IndexError where there is no such dimension
    rows = v.movedim(dim, 0).reshape(size, v.numel() // max(size, 1))
    return rows.norm(pow, 1).reshape([size if d == dim % v.ndim else 1 for d in range(v.ndim)])


class WeightNorm:
    """The pre-hook of `weight_norm`: sets w = g v / ‖v‖."""

    def __init__(self, name: str, dim: int | None) -> None:
        self.name, self.dim = name, -1 if dim is None else dim

    def compute_weight(self, module: Module) -> Tensor:
        g, v = getattr(module, self.name + "_g"), getattr(module, self.name + "_v")
        value: Tensor = v * (g / norm_except(v, self.dim))
        return value

    def __call__(self, module: Module, args: Argument, kwargs: Argument = None) -> None:
        setattr(module, self.name, self.compute_weight(module))


class SpectralNorm:
    """The pre-hook of `spectral_norm`: divides by the norm, which it improves in training."""

    def __init__(self, name: str, n_power_iterations: int, dim: int, eps: float) -> None:
        if n_power_iterations <= 0:
            raise ValueError(
                message(
                    "Expected n_power_iterations to be positive, but got "
                    f"n_power_iterations={n_power_iterations}"
                )
            )
        self.name, self.dim, self.eps = name, dim, eps
        self.n_power_iterations = n_power_iterations

    def matrix(self, weight: Tensor) -> Tensor:
        """The weight as (size of dim, all others)."""
        return (weight.movedim(self.dim, 0) if self.dim else weight).reshape(
            weight.shape[self.dim], -1
        )

    def compute_weight(self, module: Module, do_power_iteration: bool) -> Tensor:
        weight = getattr(module, self.name + "_orig")
        u, v = getattr(module, self.name + "_u"), getattr(module, self.name + "_v")
        matrix = self.matrix(weight)
        if do_power_iteration:
            with no_grad():
                for _ in range(self.n_power_iterations):
                    v.copy_(F.normalize(matrix.mT.mv(u), dim=0, eps=self.eps))
                    u.copy_(F.normalize(matrix.mv(v), dim=0, eps=self.eps))
            u, v = u.clone(), v.clone()  # the next iteration writes into them
        value: Tensor = weight / u.dot(matrix.mv(v))
        return value

    def __call__(self, module: Module, args: Argument, kwargs: Argument = None) -> None:
        setattr(module, self.name, self.compute_weight(module, module.training))


def _hook(module: Module, kind: type[WeightNorm | SpectralNorm], name: str) -> int | None:
    """The number of the hook of this kind on this tensor."""
    for number, hook in module._forward_pre_hooks.items():
        if isinstance(hook, kind) and hook.name == name:
            return number
    return None


def weight_norm(module: T, name: str = "weight", dim: int | None = 0) -> T:
    """Train the length `name`_g and the direction `name`_v in place of the parameter `name`.

    Salimans and Kingma 2016; one length for each index of `dim`, or one in all for dim=None.
    """
    warn(
        "`torch.nn.utils.weight_norm` is deprecated in favor of "
        "`torch.nn.utils.parametrizations.weight_norm`.",
        FutureWarning,
    )
    if _hook(module, WeightNorm, name) is not None:
        raise RuntimeError(
            message(f"Cannot register two weight_norm hooks on the same parameter {name}")
        )
    hook = WeightNorm(name, dim)
    weight = getattr(module, name)
    del module._parameters[name]
    module.register_parameter(name + "_g", Parameter(norm_except(weight, hook.dim).detach()))
    module.register_parameter(name + "_v", Parameter(weight.detach()))
    setattr(module, name, hook.compute_weight(module))
    module.register_forward_pre_hook(hook)
    return module


def remove_weight_norm(module: T, name: str = "weight") -> T:
    """Make it an ordinary parameter again. ValueError if it was not normalised."""
    number = _hook(module, WeightNorm, name)
    if number is None:
        raise ValueError(message(f"weight_norm of '{name}' not found in {module}"))
    value = module._forward_pre_hooks.pop(number).compute_weight(module)
    delattr(module, name)
    del module._parameters[name + "_g"], module._parameters[name + "_v"]
    setattr(module, name, Parameter(value.detach()))
    return module


def spectral_norm(
    module: T,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> T:
    """Divide `name` by its largest singular value, as a matrix of (size of dim, all others).

    Miyato et al. 2018. `name`_orig is trained; `name`_u and `name`_v are singular vectors, which
    each forward in training mode improves. `dim` is 0, or 1 for transposed convolutions.
    """
    if dim is None:
        dim = 1 if isinstance(module, conv._ConvTransposeNd) else 0
    if _hook(module, SpectralNorm, name) is not None:
        raise RuntimeError(
            message(f"Cannot register two spectral_norm hooks on the same parameter {name}")
        )
    hook = SpectralNorm(name, n_power_iterations, dim, eps)
    weight = module._parameters[name]
    if weight is None:
        raise ValueError(message(f"`SpectralNorm` cannot be applied as parameter `{name}` is None"))
    with no_grad():
        height, width = hook.matrix(weight).shape
        u = F.normalize(weight.new_empty(height).normal_(0, 1), dim=0, eps=eps)
        v = F.normalize(weight.new_empty(width).normal_(0, 1), dim=0, eps=eps)
    del module._parameters[name]
    module.register_parameter(name + "_orig", weight)
    setattr(module, name, weight.detach())
    module.register_buffer(name + "_u", u)
    module.register_buffer(name + "_v", v)
    module.register_forward_pre_hook(hook)
    return module


def remove_spectral_norm(module: T, name: str = "weight") -> T:
    """Make it an ordinary parameter again. ValueError if it was not normalised."""
    number = _hook(module, SpectralNorm, name)
    if number is None:
        raise ValueError(message(f"spectral_norm of '{name}' not found in {module}"))
    with no_grad():
        value = module._forward_pre_hooks.pop(number).compute_weight(module, False)
    delattr(module, name)
    for part in ("_u", "_v", "_orig"):
        delattr(module, name + part)
    module.register_parameter(name, Parameter(value.detach()))
    return module
