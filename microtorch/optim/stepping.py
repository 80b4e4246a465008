"""What the steps of all optimizers share.

A step is a kernel of the backend, such as `sgd_step`: one call for all parameters of a group that
lie on one device and have one dtype, on tuples of raw arrays, in place. Its definition in numpy
stands beside the optimizer; the C core and other devices have kernels of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from numbers import Number
from typing import TYPE_CHECKING, Any, TypeAlias

from ..arrays.dtypes import float32, float64, get_default_dtype
from ..autograd import enable_grad, no_grad
from ..base.errors import message
from ..create.data import tensor
from ..create.filled import full_like
from ..engine.handle import NotDense
from ..engine.whole import whole, writers
from ..handles.tensor import Tensor
from ..ops.surface import FUNCTIONS
from ..utils.kernels import by_backend, cycled, overwritten, rate
from .differentiable import RECORDED, renewed, with_gradient
from .optimizer import Closure, Group, Optimizer, loss_of

if TYPE_CHECKING:
    from ..base.types import Argument, Array, Backend

Arrays: TypeAlias = "tuple[Array, ...]"
TAKE_SPARSE = ("SGD", "Adagrad")
Update: TypeAlias = "Callable[[Tensor, Tensor, dict[str, Any], Group], None]"


def dense_gradients(optimizer: Optimizer, group: Group) -> dict[Tensor, Tensor]:
    """Put a dense gradient in the place of each sparse one, and return those.

    RuntimeError where PyTorch's optimizer takes no sparse gradients.
    """
    if any(p.is_sparse for p in group["params"]):
        raise NotImplementedError(
            message(
                "an optimizer's parameters are dense in microtorch, and one of these is sparse",
                fix="optimize the dense tensor of its values, and make the sparse one in forward",
            )
        )
    name = type(optimizer).__name__
    takes = name in TAKE_SPARSE
    instead = ", please consider SparseAdam instead" if name == "Adam" else ""
    if not takes or group["weight_decay"]:
        raise RuntimeError(
            message(
                "weight_decay option is not compatible with sparse gradients"
                if takes
                else f"{name} does not support sparse gradients{instead}",
                "a parameter has a sparse gradient, as Embedding(sparse=True) gives it",
                fix="SparseAdam, SGD or Adagrad; or Embedding without sparse=True",
            )
        )
    sparse = {p: p.grad for p in group["params"] if p.grad is not None and p.grad.is_sparse}
    for p, grad in sparse.items():
        p.grad = grad.to_dense()
    return sparse


def states(
    dev: Backend, optimizer: Optimizer, params: Iterable[Tensor], *names: str, value: float = 0.0
) -> list[Arrays]:
    """What a step remembers of the parameters.

    For each of `names` the arrays, then the counts "step", one per parameter. Made on first use:
    tensors like the parameter, filled with `value`; the count is float32 on the CPU, and the
    kernel adds 1 to it.
    """
    found: list[list[Any]] = [[] for _ in range(len(names) + 1)]
    for p in params:
        state = optimizer.state[p]
        if not state:
            state["step"] = tensor(0.0, dtype=float32)
        for name, column in zip(names, found, strict=False):
            if name not in state:  # also where a setting such as amsgrad is switched on later
                state[name] = full_like(p, value, device=p.device)
            column.append(state[name])
        step = state["step"]
        if not isinstance(step, Tensor):  # a number, in files of older versions
            step = state["step"] = tensor(float(step), dtype=float32)
        found[-1].append(step)
    if dev is RECORDED:
        return [tuple(column) for column in found]
    return [tuple([x.array for x in column]) for column in found]


def ascent(p: Argument, g: Array, weight_decay: Argument, maximize: bool) -> Array:
    """Where the function rises, to step against.

    The gradient, or its negative with `maximize`, and weight_decay * p.
    """
    if maximize:
        g = -g
    if isinstance(weight_decay, Tensor):  # its derivative reads p, which is about to change
        p = p.clone()
    return g + weight_decay * p if weight_decay else g


def check_not_negative(**settings: float | Tensor) -> None:
    """ValueError as PyTorch raises it for a setting that is negative."""
    words = {"lr": "learning rate", "eps": "epsilon value"}
    for name, value in settings.items():
        check_one_element(name, value)
        if not hasattr(value, "__float__"):  # None, a text, the parameters of another model
            what = f"{words.get(name, name)} must be a number, not {value!r}"
            written = str(value).replace(".", "", 1).isdigit()  # a number, as text
            raise TypeError(message(what, fix=f"{name}={value if written else 0.1}"))
        if not value >= 0.0:
            what = f"Invalid {words.get(name, f'{name} value')}: {value}"
            raise ValueError(message(what, fix=f"{name} >= 0"))


def check_one_element(name: str, value: Any) -> None:
    """ValueError for a setting that is a tensor of several numbers."""
    if isinstance(value, Tensor) and value.numel() != 1:
        raise ValueError(
            message(
                f"Tensor {name} must be 1-element",
                f"its shape is {tuple(value.shape)}",
                fix="a number",
            )
        )


class ByKernel(Optimizer):
    """An optimizer whose update is one kernel, called once for all that lies on one device."""

    def _call(self, dev: Backend, params: list[Tensor], group: Group) -> None:
        """Call the kernel for parameters with a gradient, which are all on ``dev``."""
        raise NotImplementedError

    def step(self, closure: Closure | None = None) -> Tensor | float | None:
        """Change every parameter that has a gradient; returns closure(), if given, else None."""
        loss = None if closure is None else loss_of(closure)
        writer = type(self).__name__
        for group in self.param_groups:
            if group["differentiable"]:
                with enable_grad():
                    params = with_gradient(group["params"])
                    grads = [p.node.grad for p in params]
                    for p in params:
                        renewed(self.state[p])
                    self._call(RECORDED, params, group)
                for p, grad in zip(params, grads, strict=True):
                    p.node.grad = grad  # PyTorch's in-place operations leave it where it is
                continue
            sparse: dict[Tensor, Tensor] = {}
            try:
                found = by_backend(group["params"])
            except NotDense:
                sparse = dense_gradients(self, group)
                found = by_backend(group["params"])
            for dev, params in found.items():
                self._call(dev, params, group)
                overwritten(params, writer)
            for p, grad in sparse.items():
                p.node.grad = grad
        return loss


class Composed(Optimizer):
    """An optimizer whose update is composed of tensor operations, one parameter after the other.

    Those that have a kernel are `ByKernel` instead.
    """

    @staticmethod
    def _update(p: Tensor, g: Tensor, state: dict[str, Any], group: Group) -> None:
        """Write p and its state in place, from the gradient g, which `maximize` has negated."""
        raise NotImplementedError

    def _update_parts(self, p: Tensor, g: Tensor, state: dict[str, Any], group: Group) -> None:
        """As `_update`, of complex numbers: each part is a number of its own."""
        parts = {k: view_as_real(v) if is_complex(v) else v for k, v in state.items()}
        q = view_as_real(p)
        self._update(q, view_as_real(g), parts, group)
        for k, v in parts.items():
            alike = isinstance(v, Tensor) and v.shape == q.shape
            state[k] = view_as_complex(v) if alike else v

    def step(self, closure: Closure | None = None) -> Tensor | float | None:
        """Change every parameter that has a gradient; returns closure(), if given, else None."""
        loss = None if closure is None else loss_of(closure)
        for group in self.param_groups:
            if group.get("differentiable"):
                self._step_recorded(group)
                continue
            with no_grad():
                for p in group["params"]:
                    if p.grad is not None:
                        grad = p.grad.detach()
                        if group.get("maximize"):
                            grad = -grad
                        update = self._update_parts if p.is_complex() else self._update
                        if writers and self.state[p] and not grad.is_sparse:
                            _recorded(type(self).__name__, update, p, grad, self.state[p], group)
                        else:
                            update(p, grad, self.state[p], group)
        return loss

    def _step_recorded(self, group: Group) -> None:
        """The step of a group through which gradients flow (differentiable.py)."""
        lr = group["lr"]
        if isinstance(lr, Tensor) and lr.requires_grad:
            raise NotImplementedError(
                message(
                    f"{type(self).__name__} has no derivative for its learning rate in microtorch",
                    fix="SGD, Adam, AdamW, Adagrad, RMSprop and Adadelta have; or lr.detach()",
                )
            )
        with enable_grad():
            for p in with_gradient(group["params"]):
                grad, state = p.node.grad, self.state[p]
                renewed(state)
                self._update(p, -grad if group.get("maximize") else grad, state, group)
                p.node.grad = grad


def _recorded(
    name: str, update: Update, p: Tensor, grad: Tensor, state: dict[str, Any], group: Group
) -> None:
    """An update as one step of a recording, since it computes with counts as Python's numbers."""
    lr = group["lr"]
    settings = {k: v for k, v in group.items() if k not in ("params", "lr")}
    if "momentum" in settings:
        settings["momentum"] = cycled(group, "momentum")
    if "betas" in settings:
        settings["betas"] = tuple([cycled(group, "betas", i) for i in range(len(group["betas"]))])
    whole(
        f"{name}_step", _updated, p, grad, tuple(state.values()),
        lr if isinstance(lr, Tensor) else None, update=update, keys=tuple(state),
        settings=settings, rate=None if isinstance(lr, Tensor) else rate(group),
    )  # fmt: skip
    overwritten([p, *state.values()], name)


def _updated(
    p: Tensor, grad: Tensor, values: tuple[Tensor, ...], lr: Tensor | None, *, update: Update,
    keys: tuple[str, ...], settings: Group, rate: float | None,
) -> None:  # fmt: skip
    state = dict(zip(keys, values, strict=True))
    with no_grad():
        update(p, grad, state, {**settings, "lr": rate if lr is None else lr})


view_as_real, view_as_complex = FUNCTIONS["view_as_real"], FUNCTIONS["view_as_complex"]


def is_complex(x: object) -> bool:
    return isinstance(x, Tensor) and x.is_complex()


def counted(state: dict[str, Any]) -> float:
    """The number of this step, counted in state["step"]."""
    state["step"] += 1
    return float(state["step"])


def shrink(p: Tensor, group: Group) -> None:
    """Decoupled weight decay: p * (1 - lr * weight_decay), in place.

    A tensor lr is multiplied in its own dtype, as PyTorch does.
    """
    p.mul_(float(1 - group["lr"] * group["weight_decay"]))


def zero_count() -> Tensor:
    """A count of steps, as PyTorch keeps it: 0-d on the CPU."""
    return tensor(0.0, dtype=float64 if get_default_dtype() is float64 else float32)


def check_pair(name: str, pair: object, example: str) -> None:
    """TypeError or IndexError, as Python has them, for what is no pair of numbers."""
    error: type[Exception] | None = None
    if not isinstance(pair, (tuple, list, Tensor)):
        error = TypeError
    elif len(pair) < 2:
        error = IndexError
    elif not all(isinstance(x, (Number, Tensor)) for x in pair):
        error = TypeError
    if error is not None:
        raise error(
            message(f"{name} must be a pair of numbers, but got {pair!r}", fix=f"{name}={example}")
        )


def check_betas(betas: tuple[Any, Any]) -> None:
    """ValueError unless both are in [0, 1); as `check_pair` for what is no pair."""
    check_pair("betas", betas, "(0.9, 0.999)")
    for i, beta in enumerate(betas):
        if not 0.0 <= beta < 1.0:
            raise ValueError(
                message(
                    f"Invalid beta parameter at index {i}: {beta}",
                    fix="0 <= beta < 1, such as betas=(0.9, 0.999)",
                )
            )


def check_implementation(
    foreach: bool | None, fused: bool | None, differentiable: bool = False
) -> None:
    """RuntimeError where two of PyTorch's implementations are asked for at once."""
    if fused and differentiable:
        raise RuntimeError(message("`fused` does not support `differentiable`"))
    if fused and foreach:
        raise RuntimeError(message("`fused` and `foreach` cannot be `True` together."))
