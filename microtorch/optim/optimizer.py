"""The base of all optimizers: parameter groups, state, and their saving.

    optimizer.param_groups   [{"params": [p, ...], "lr": 0.1, ...}, ...]   settings may differ per group
    optimizer.state          {p: {"momentum_buffer": ...}}                 what a step remembers per parameter

A step is a kernel of the backend, such as `sgd_step`: one call for all parameters of a group that lie
on one device and have one dtype, on tuples of raw arrays, in place. Its definition in numpy stands
beside the optimizer; the C core and other devices have kernels of their own.

In a state dict the parameters are numbered in order of their groups: a saved state fits
any model whose parameters come in the same order.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import chain
from typing import Any

from ..autograd import enable_grad
from ..creation import full_like, tensor
from ..dtypes import float32
from ..tensor import Tensor


class Optimizer:
    """Base class: a subclass gives its `defaults` to __init__ and defines `step`.

    `params` is an iterable of Tensors, of (name, Tensor), or of dicts with a key "params" and
    settings that override the defaults for that group.
    """

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, "
                f"but got {params.type()}: put it in a list, [param]"
            )
        self.defaults = defaults
        self.state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group: {"params": tensors, and settings that differ from the defaults}."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        group = dict(param_group)
        params = group["params"]
        if isinstance(params, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the ordering of tensors "
                "in sets will change between runs. Please use a list instead."
            )
        params = [params] if isinstance(params, Tensor) else list(params)
        named = [isinstance(param, tuple) for param in params]
        if any(named):
            if not all(named):
                raise ValueError("all optimizer params should be with/without names. Some param names are missing")
            group["param_names"] = [name for name, _ in params]
            params = [param for _, param in params]
        for param in params:
            if not isinstance(param, Tensor):
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {type(param).__name__}")
            if not self.defaults.get("differentiable") and not param.is_leaf:
                raise ValueError(
                    "can't optimize a non-leaf Tensor: it was computed from others; give those to the optimizer, "
                    "or make it a leaf with .detach().requires_grad_()"
                )
        if len({id(param) for param in params}) != len(params):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; in future, this will cause an error; "
                "see github.com/pytorch/pytorch/issues/40967 for more information",
                stacklevel=3,
            )
        known = {id(param) for other in self.param_groups for param in other["params"]}
        if any(id(param) in known for param in params):
            raise ValueError("some parameters appear in more than one parameter group")
        group["params"] = params
        for name, value in self.defaults.items():
            group.setdefault(name, value)
        self.param_groups.append(group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters: `.grad = None`, or zeros with set_to_none=False."""
        for group in self.param_groups:
            for param in group["params"]:
                if set_to_none:
                    param.grad = None
                elif param.grad is not None:
                    param.grad = param.grad.detach().zero_()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change the parameters once; `closure` recomputes the loss, which is then returned."""
        raise NotImplementedError(f"{type(self).__name__} does not define step()")

    def state_dict(self) -> dict[str, Any]:
        """{"state": by parameter number, "param_groups": with numbers instead of tensors}; tensors are not copied."""
        number = {id(p): i for i, p in enumerate(self._params())}
        state = {number[id(key)] if isinstance(key, Tensor) else key: value for key, value in self.state.items()}
        groups = [
            {**{k: v for k, v in group.items() if k != "params"}, "params": [number[id(p)] for p in group["params"]]}
            for group in self.param_groups
        ]
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a saved state (copied); ValueError if its groups have other sizes than this optimizer's."""
        saved = state_dict["param_groups"]
        if len(saved) != len(self.param_groups):
            raise ValueError(
                f"loaded state dict has a different number of parameter groups: "
                f"{len(saved)}, this optimizer has {len(self.param_groups)}"
            )
        for new, own in zip(saved, self.param_groups, strict=True):
            if len(new["params"]) != len(own["params"]):
                raise ValueError(
                    "loaded state dict contains a parameter group that doesn't match the size of optimizer's group: "
                    f"{len(new['params'])} parameters, this optimizer has {len(own['params'])}"
                )
        param_of = dict(zip(chain.from_iterable(group["params"] for group in saved), self._params(), strict=True))
        state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        for key, value in state_dict["state"].items():
            param = param_of.get(key)
            state[key if param is None else param] = deepcopy(value) if param is None else _copied(value, param)
        self.state = state
        self.param_groups = [
            {**deepcopy({k: v for k, v in new.items() if k != "params"}), "params": own["params"]}
            for new, own in zip(saved, self.param_groups, strict=True)
        ]

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def _params(self) -> list[Tensor]:
        return [param for group in self.param_groups for param in group["params"]]

    def __repr__(self) -> str:
        text = f"{type(self).__name__} ("
        for number, group in enumerate(self.param_groups):
            text += f"\nParameter Group {number}\n"
            text += "".join(f"    {key}: {group[key]}\n" for key in sorted(group) if key != "params")
        return text + ")"


def _copied(value: Any, param: Tensor) -> Any:
    """A copy of saved state, its floating tensors in the dtype and on the device of `param`."""
    if isinstance(value, Tensor):
        value = value.detach().clone()
        return value.to(param.device, param.dtype) if value.is_floating_point() else value.to(param.device)
    if isinstance(value, dict):  # the count of steps stays what it is: float32 on the CPU
        return {key: deepcopy(item) if key == "step" else _copied(item, param) for key, item in value.items()}
    return deepcopy(value)


# ---- what the steps of all optimizers share ------------------------------------------------------------------------
def run(optimizer: Optimizer, closure: Callable[[], Any] | None, step: Callable[[Any, list[Tensor], dict[str, Any]], None]) -> Any:
    """Call `step(dev, params, group)` for the parameters of each group that have a gradient; returns closure(), if given.

    `dev` is the backend of all `params`: they share device and dtype.
    """
    loss = None
    if closure is not None:
        with enable_grad():
            loss = closure()
    writer = type(optimizer).__name__
    for group in optimizer.param_groups:
        by_backend: dict[Any, list[Tensor]] = {}
        for p in group["params"]:
            node = p.node
            if node.grad is not None:
                if node.dev in by_backend:
                    by_backend[node.dev].append(p)
                else:
                    by_backend[node.dev] = [p]
        for dev, params in by_backend.items():
            step(dev, params, group)
            for p in params:
                p._written(writer)
    return loss


def arrays(params: Iterable[Tensor]) -> tuple[Any, ...]:
    """The memory of the parameters."""
    return tuple([p.array for p in params])


def gradients(params: Iterable[Tensor]) -> tuple[Any, ...]:
    """The memory of their gradients."""
    return tuple([p.node.grad.array for p in params])


def states(optimizer: Optimizer, params: Iterable[Tensor], *names: str, value: float = 0.0) -> list[tuple[Any, ...]]:
    """What a step remembers of the parameters: for each of `names` the arrays, then the counts "step", one per parameter.

    Made on first use: tensors like the parameter, filled with `value`; the count is float32 on the CPU, and the kernel
    adds 1 to it.
    """
    found: list[list[Any]] = [[] for _ in range(len(names) + 1)]
    for p in params:
        state = optimizer.state[p]
        if not state:
            state["step"] = tensor(0.0, dtype=float32)
        for name, column in zip(names, found, strict=False):
            if name not in state:  # also where a setting such as amsgrad is switched on later
                state[name] = full_like(p, value, device=p.device)
            column.append(state[name].array)
        found[-1].append(state["step"].array)
    return [tuple(column) for column in found]


def ascent(p: Any, g: Any, weight_decay: float, maximize: bool) -> Any:
    """Where the function rises, to step against: the gradient, or its negative with `maximize`, and weight_decay * p."""
    if maximize:
        g = -g
    return g + weight_decay * p if weight_decay else g


def check(**limits: Any) -> None:
    """ValueError as PyTorch raises it for a setting that is negative."""
    words = {"lr": "learning rate", "eps": "epsilon value"}
    for name, value in limits.items():
        if not value >= 0.0:
            raise ValueError(f"Invalid {words.get(name, f'{name} value')}: {value}")


def not_differentiable(optimizer: str, differentiable: bool) -> None:
    if differentiable:
        raise NotImplementedError(
            f"{optimizer}(differentiable=True) is not available in microtorch: write the step with tensor operations"
        )
