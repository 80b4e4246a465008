"""The base of all optimizers: parameter groups, state, and their saving.

    optimizer.param_groups   [{"params": [p, ...], "lr": 0.1, ...}, ...]   settings per group
    optimizer.state          {p: {"momentum_buffer": ...}}    what a step remembers per parameter

In a state dict the parameters are numbered in order of their groups: a saved state fits any model
whose parameters come in the same order.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from functools import wraps
from itertools import chain
from typing import Any, TypeAlias

from ..autograd import enable_grad
from ..base.errors import message, not_iterable, warn
from ..base.naming import named
from ..graph.hooks import RemovableHandle
from ..handles.tensor import Tensor

ParamsT: TypeAlias = Iterable[Tensor] | Iterable[tuple[str, Tensor]] | Iterable[dict[str, Any]]
Closure: TypeAlias = Callable[[], Tensor | float]
Group: TypeAlias = dict[str, Any]
Hook: TypeAlias = Callable[..., Any]
Hooks: TypeAlias = OrderedDict[int, Hook]


def loss_of(closure: Closure) -> Tensor | float:
    """What the closure of a step returns, whose gradients are recorded also under no_grad."""
    with enable_grad():
        return closure()


class _Required:
    """Stands in `defaults` for a setting that every group must give."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()


class Optimizer:
    """Base class: a subclass gives its `defaults` to __init__ and defines `step`.

    `params` is an iterable of Tensors, of (name, Tensor), or of dicts with a key "params" and
    settings that override the defaults for that group.
    """

    _opt_called: bool  # has step() been called? Set by a scheduler
    _optimizer_step_pre_hooks: Hooks
    _optimizer_step_post_hooks: Hooks
    _optimizer_state_dict_pre_hooks: Hooks
    _optimizer_state_dict_post_hooks: Hooks
    _optimizer_load_state_dict_pre_hooks: Hooks
    _optimizer_load_state_dict_post_hooks: Hooks

    def __init__(self, params: ParamsT, defaults: dict[str, Any]) -> None:
        self._make_hooks()
        if isinstance(params, Tensor):
            raise TypeError(
                message(
                    "params argument given to the optimizer should be an iterable of Tensors "
                    f"or dicts, but got {params.type()}",
                    fix=f"put it in a list: {type(self).__name__}([param])",
                )
            )
        if not isinstance(params, Iterable):
            raise not_iterable(params, type(self).__name__)
        self.defaults = defaults
        self.state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[Group] = []
        groups: list[Any] = list(params)
        if _before_all or _after_all:
            _call_hooks_in(type(self))
        if not groups:
            raise ValueError(
                message(
                    "optimizer got an empty parameter list",
                    fix="model.parameters() can be used only once; modules in a plain list are "
                    "hidden from it: nn.ModuleList",
                )
            )
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def add_param_group(self, param_group: Group) -> None:
        """Add a group: {"params": tensors, and settings that differ from the defaults}.

        The dict itself becomes the group, completed by the defaults.
        """
        if not isinstance(param_group, dict):
            raise TypeError(
                message(
                    f"param_group must be a dict, but got {type(param_group)}",
                    fix='{"params": [tensors], "lr": 0.1}',
                )
            )
        if "params" not in param_group:
            raise KeyError(f"params: a group is {{'params': ...}}, but has {[*param_group]}")
        params, names = _params_of(param_group["params"])
        for param in params:
            self._check_param(param)
        for name, value in self.defaults.items():
            if value is required and name not in param_group:
                raise ValueError(
                    message(
                        "parameter group didn't specify a value of required optimization "
                        f"parameter {name}",
                        fix=f'{{"params": [tensors], "{name}": ...}}',
                    )
                )
        if len({id(param) for param in params}) != len(params):
            warn(
                "optimizer contains a parameter group with duplicate parameters; in future, this "
                "will cause an error; see github.com/pytorch/pytorch/issues/40967 for more "
                "information",
            )
        if any((names is not None) != ("param_names" in group) for group in self.param_groups):
            raise ValueError(
                message(
                    "all optimizer param groups should be with/without names. cannot add param "
                    f"group {'without' if names is None else 'with'} names to the optimizer",
                    fix="named_parameters() for all groups, or parameters() for all",
                )
            )
        known = {id(param) for param in self._all_params()}
        if any(id(param) in known for param in params):
            raise ValueError(
                message(
                    "some parameters appear in more than one parameter group",
                    fix="leave them out of the new group",
                )
            )
        param_group["params"] = params
        if names is not None:
            param_group["param_names"] = names
        for name, value in self.defaults.items():
            param_group.setdefault(name, value)
        self.param_groups.append(param_group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients: `.grad = None`, or zeros with set_to_none=False."""
        for group in self.param_groups:
            for param in group["params"]:
                if set_to_none:
                    param.grad = None
                elif param.grad is not None:
                    param.grad = param.grad.detach().zero_()

    def step(self, closure: Closure | None = None) -> Tensor | float | None:
        """Change the parameters once; `closure` recomputes the loss, which is then returned."""
        raise NotImplementedError(f"{type(self).__name__} does not define step()")

    def state_dict(self) -> dict[str, Any]:
        """{"state": by parameter number, "param_groups": with numbers instead of tensors}.

        Tensors are not copied.
        """
        for hook in self._optimizer_state_dict_pre_hooks.values():
            hook(self)
        number: dict[int, int] = {}
        for i, p in enumerate(self._all_params()):
            number.setdefault(id(p), i)
        state = {
            number[id(key)] if isinstance(key, Tensor) else key: value
            for key, value in self.state.items()
        }
        groups = [
            {**_settings(group), "params": [number[id(p)] for p in group["params"]]}
            for group in self.param_groups
        ]
        found: dict[str, Any] = {"state": state, "param_groups": groups}
        for hook in self._optimizer_state_dict_post_hooks.values():
            changed = hook(self, found)
            if changed is not None:
                found = changed
        return found

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over a copy of a saved state.

        ValueError if its groups have other sizes than this optimizer's.
        """
        state_dict = dict(state_dict)  # a hook may change it, as PyTorch allows
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            changed = hook(self, state_dict)
            if changed is not None:
                state_dict = changed
        if "param_groups" not in state_dict:
            what = "param_groups: this is no state of an optimizer; it comes from its state_dict()"
            raise KeyError(what)
        saved = state_dict["param_groups"]
        if len(saved) != len(self.param_groups):
            raise ValueError(
                message(
                    "loaded state dict has a different number of parameter groups: "
                    f"{len(saved)}, this optimizer has {len(self.param_groups)}",
                    fix="make the optimizer with the groups it was saved with",
                )
            )
        for new, own in zip(saved, self.param_groups, strict=True):
            if len(new["params"]) != len(own["params"]):
                raise ValueError(
                    message(
                        "loaded state dict contains a parameter group that doesn't match the "
                        f"size of optimizer's group: {len(new['params'])} parameters, "
                        f"this optimizer has {len(own['params'])}",
                        fix="make the optimizer for the model it was saved with",
                    )
                )
        numbers = chain.from_iterable(group["params"] for group in saved)
        param_of = dict(zip(numbers, self._all_params(), strict=True))
        state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        for key, value in state_dict["state"].items():
            if key in param_of:
                state[param_of[key]] = _copied(value, param_of[key])
            else:
                state[key] = deepcopy(value)
        groups = []
        for new, own in zip(saved, self.param_groups, strict=True):
            group = {**deepcopy(_settings(new)), "params": own["params"]}
            if "param_names" in own:
                group.setdefault("param_names", own["param_names"])
            groups.append(group)
        self.__setstate__({"state": state, "param_groups": groups})
        for hook in self._optimizer_load_state_dict_post_hooks.values():
            hook(self)

    def __getstate__(self) -> dict[str, Any]:
        names = ("defaults", "state", "param_groups")
        return {name: self.__dict__[name] for name in names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Also the end of load_state_dict: a subclass may add settings that old files lack."""
        self.__dict__.update(state)
        self._make_hooks()
        for group in self.param_groups:
            for name, before in _ADDED.items():
                if name in self.defaults:
                    group.setdefault(name, before)

    # ---------------------------------------------------------------- hooks

    def _make_hooks(self) -> None:
        for where in ("step", "state_dict", "load_state_dict"):
            for when in ("pre", "post"):
                self.__dict__.setdefault(f"_optimizer_{where}_{when}_hooks", OrderedDict())

    def register_step_pre_hook(self, hook: Hook) -> RemovableHandle:
        """hook(optimizer, args, kwargs) before each step; may return new (args, kwargs)."""
        _call_hooks_in(type(self))
        return RemovableHandle(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Hook) -> RemovableHandle:
        """hook(optimizer, args, kwargs) after each step."""
        _call_hooks_in(type(self))
        return RemovableHandle(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """hook(optimizer) before state_dict()."""
        return _registered(self._optimizer_state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """hook(optimizer, state_dict) after state_dict(); may return another one."""
        return _registered(self._optimizer_state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(
        self, hook: Hook, prepend: bool = False
    ) -> RemovableHandle:
        """hook(optimizer, state_dict) before load_state_dict(); may return another one."""
        return _registered(self._optimizer_load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(
        self, hook: Hook, prepend: bool = False
    ) -> RemovableHandle:
        """hook(optimizer) after load_state_dict()."""
        return _registered(self._optimizer_load_state_dict_post_hooks, hook, prepend)

    def _all_params(self) -> list[Tensor]:
        return [param for group in self.param_groups for param in group["params"]]

    def _check_param(self, param: Any) -> None:
        if not isinstance(param, Tensor):
            raise TypeError(
                message(
                    "optimizer can only optimize Tensors, "
                    f"but one of the params is {type(param).__name__}",
                    fix="model.parameters() gives the parameters",
                )
            )
        graph = self.defaults.get("differentiable") or param.retains_grad
        if not (graph or param.is_leaf):
            raise ValueError(
                message(
                    "can't optimize a non-leaf Tensor",
                    "it was computed from other tensors",
                    fix="give those to the optimizer, or make it a leaf with "
                    ".detach().requires_grad_()",
                )
            )

    def __repr__(self) -> str:
        text = f"{type(self).__name__} ("
        for number, group in enumerate(self.param_groups):
            text += f"\nParameter Group {number}\n"
            text += "".join(f"    {key}: {group[key]}\n" for key in sorted(_settings(group)))
        return text + ")"


def _params_of(given: Any) -> tuple[list[Any], list[str] | None]:
    """The tensors that a group's "params" are, and their names where they come with names."""
    if isinstance(given, set):
        raise TypeError(
            message(
                "optimizer parameters need to be organized in ordered collections, but the "
                "ordering of tensors in sets will change between runs. Please use a list instead.",
                fix="a list, in an order that a saved state can rely on",
            )
        )
    params: list[Any] = [given] if isinstance(given, Tensor) else list(given)
    named = [isinstance(param, tuple) for param in params]
    if not any(named):
        return params, None
    if not all(named):
        raise ValueError(
            message(
                "all optimizer params should be with/without names. Some param names are missing",
                f"{sum(named)} of {len(named)} are (name, tensor)",
                fix="model.named_parameters() gives all with names",
            )
        )
    return [param for _, param in params], [name for name, _ in params]


# settings that came later, and how steps were made before: for files of older versions
_ADDED = {
    "maximize": False, "amsgrad": False, "nesterov": False, "centered": False, "momentum": 0,
    "decoupled_weight_decay": False, "foreach": None, "capturable": False,
    "differentiable": False, "fused": None,
}  # fmt: skip


def _settings(group: Group) -> Group:
    """A group without its parameters."""
    return {key: value for key, value in group.items() if key != "params"}


def _copied(value: Any, param: Tensor) -> Any:
    """A copy of saved state, its floating tensors in the dtype and on the device of `param`."""
    if isinstance(value, Tensor):
        value = value.detach().clone()
        floating = value.is_floating_point() or value.is_complex()
        return value.to(param.device, param.dtype) if floating else value.to(param.device)
    if isinstance(value, dict):  # the count of steps stays what it is: float32 on the CPU
        return {
            key: deepcopy(item) if key == "step" else _copied(item, param)
            for key, item in value.items()
        }
    if type(value) in (list, tuple):
        return type(value)(_copied(item, param) for item in value)
    return deepcopy(value)


# ---------------------------------------------------------------- hooks on step

_before_all: Hooks = OrderedDict()
_after_all: Hooks = OrderedDict()


def register_optimizer_step_pre_hook(hook: Hook) -> RemovableHandle:
    """hook(optimizer, args, kwargs) before each step of any optimizer."""
    _call_hooks_in(*_subclasses(Optimizer))
    return RemovableHandle(_before_all, hook)


def register_optimizer_step_post_hook(hook: Hook) -> RemovableHandle:
    """hook(optimizer, args, kwargs) after each step of any optimizer."""
    _call_hooks_in(*_subclasses(Optimizer))
    return RemovableHandle(_after_all, hook)


def _registered(hooks: Hooks, hook: Hook, prepend: bool) -> RemovableHandle:
    handle = RemovableHandle(hooks, hook)
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


def _subclasses(cls: Any) -> list[Any]:
    found = [cls]
    for below in cls.__subclasses__():
        found += _subclasses(below)
    return found


def _call_hooks_in(*classes: Any) -> None:
    """Let step() of the classes call hooks.

    Only from the first hook on: an optimizer without any pays nothing for them.
    """
    for cls in classes:
        if not hasattr(cls.step, "hooked"):
            cls.step = _with_hooks(cls.step)


def _with_hooks(step: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(step)
    def hooked(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        if type(self).step is not hooked:  # a subclass calls super().step(): its hooks have run
            return step(self, *args, **kwargs)
        given: tuple[Any, ...] = (self, *args)  # as PyTorch's hooks see them
        for hook in (*_before_all.values(), *self._optimizer_step_pre_hooks.values()):
            result = hook(self, given, kwargs)
            if result is None:
                continue
            if not (isinstance(result, tuple) and len(result) == 2):
                raise RuntimeError(
                    message(
                        f"{step} must return None or a tuple of (new_args, new_kwargs), "
                        f"but got {result}.",
                        fix="return None from the hook",
                    )
                )
            given, kwargs = result
        out = step(*given, **kwargs)
        for hook in (*self._optimizer_step_post_hooks.values(), *_after_all.values()):
            hook(self, given, kwargs)
        return out

    return named(hooked, "step", hooked=True)
