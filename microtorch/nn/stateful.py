"""The part of a module's surface that saves and loads its state; state.py does the work."""
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..base.errors import message
from . import hooks, state
from .tree import Tree

if TYPE_CHECKING:
    from .. import graph
    from ..base.types import Argument, Hook


class Stateful(Tree):
    """The part of ``Module`` that saves and loads, with the hooks on the way."""

    _version = 1  # of what the state dict holds: PyTorch writes it into its files
    _non_persistent_buffers_set: set[str]
    # made when the first hook comes
    _state_dict_hooks = hooks.NONE
    _state_dict_pre_hooks = hooks.NONE
    _load_state_dict_pre_hooks = hooks.NONE
    _load_state_dict_post_hooks = hooks.NONE

    def state_dict(
        self,
        *args: Argument,
        destination: dict[str, Any] | None = None,
        prefix: str = "",
        keep_vars: bool = False,
    ) -> dict[str, Any]:
        """Parameters and persistent buffers by path; the values share memory with the module."""
        if args:
            destination, prefix, keep_vars = state.old_arguments(
                args, destination, prefix, keep_vars
            )
        return state.collect(self, destination, prefix, keep_vars)

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        """Write the module's own entries. A subclass may add others."""
        state.save_own(self, destination, prefix, keep_vars)

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: Mapping[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Find the module's own entries, below `prefix`. A subclass may rename keys before.

        The three lists collect what is wrong. Values are copied when all modules have been asked
        and nothing is.
        """
        state.load_own(
            self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys,
            error_msgs,
        )  # fmt: skip

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> state._IncompatibleKeys:
        """Copy `state_dict` into this module; returns (missing_keys, unexpected_keys).

        RuntimeError lists every size mismatch, and with strict=True every missing or unexpected
        key; the module is then unchanged. assign=True binds the given tensors instead of copying.
        """
        return state.load(self, state_dict, strict, assign)

    def _defines(self, method: str) -> bool:
        """Does a subclass define this method anew?"""
        return getattr(self.__class__, method) is not getattr(Stateful, method)

    def get_extra_state(self) -> Any:
        """What a subclass wants in its state dict besides tensors; it defines both methods."""
        raise RuntimeError(
            message(
                f"{type(self).__name__} has no get_extra_state()",
                fix="a subclass that keeps more than tensors defines it, and set_extra_state",
            )
        )

    def set_extra_state(self, state: Any) -> None:
        """Take what `get_extra_state` gave."""
        raise RuntimeError(
            message(
                f"{type(self).__name__} has no set_extra_state()",
                fix="a subclass that keeps more than tensors defines it, and get_extra_state",
            )
        )

    def register_state_dict_pre_hook(self, hook: Hook) -> graph.RemovableHandle:
        """Call hook(module, prefix, keep_vars) before the module's state is collected."""
        return hooks.add(hooks.own(self, "_state_dict_pre_hooks"), hook)

    def register_state_dict_post_hook(self, hook: Hook) -> graph.RemovableHandle:
        """Call hook(module, state_dict, prefix, local_metadata) afterwards.

        It may change `state_dict` in place, and must return None.
        """
        return hooks.add(hooks.own(self, "_state_dict_hooks"), state.WithoutResult(hook))

    def _register_state_dict_hook(self, hook: Hook) -> graph.RemovableHandle:
        """The old kind, whose result, if not None, becomes the state dict."""
        return hooks.add(hooks.own(self, "_state_dict_hooks"), hook)

    def register_load_state_dict_pre_hook(self, hook: Hook) -> graph.RemovableHandle:
        """Call hook(module, state_dict, prefix, local_metadata, strict, missing_keys,
        unexpected_keys, error_msgs) before the module looks for its entries.

        It may change the dict and the lists in place.
        """
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def _register_load_state_dict_pre_hook(
        self, hook: Hook, with_module: bool = False
    ) -> graph.RemovableHandle:
        """The old kind, which is not given the module."""
        stored = hooks.WithModule(hook) if with_module else hook
        return hooks.add(hooks.own(self, "_load_state_dict_pre_hooks"), stored)

    def register_load_state_dict_post_hook(self, hook: Hook) -> graph.RemovableHandle:
        """Call hook(module, incompatible_keys) when the values are in the module.

        It may change the two lists in place; what they then hold counts for `strict`.
        """
        return hooks.add(hooks.own(self, "_load_state_dict_post_hooks"), hook)
