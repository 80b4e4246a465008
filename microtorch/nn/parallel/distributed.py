"""DistributedDataParallel: one copy of a module per process, each on its part of the data."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...autograd import is_grad_enabled, no_grad
from ...base.errors import message
from ...distributed import all_gather_object, broadcast
from ...distributed.group import ProcessGroup, world
from ...distributed.joining import Join, Joinable, JoinConfig, JoinHook
from ..module import Module
from .hooks import Hook
from .reducer import Reducer


class DistributedDataParallel(Module, Joinable):
    """``module`` in several processes: equal parameters, and gradients averaged during backward.

    Parameters and buffers begin as rank 0's. Each backward averages the gradients over the group,
    in buckets of ``bucket_cap_mb`` megabytes while it goes on (reducer.py); so an optimizer step is
    the same everywhere, with equal bits. ``broadcast_buffers``: rank 0's buffers are sent before
    each forward. ``find_unused_parameters``: the graph may leave parameters out. The arguments are
    PyTorch's; those about devices must be None, as for PyTorch's modules on the CPU.

    Raises RuntimeError where the ranks' modules differ, or no parameter requires gradient.
    """

    def __init__(
        self,
        module: Module,
        device_ids: object = None,
        output_device: object = None,
        dim: int = 0,
        broadcast_buffers: bool = True,
        init_sync: bool = True,
        process_group: ProcessGroup | None = None,
        bucket_cap_mb: float | None = None,
        find_unused_parameters: bool = False,
        check_reduction: bool = False,
        gradient_as_bucket_view: bool = False,
        static_graph: bool = False,
    ) -> None:
        super().__init__()
        if device_ids or output_device is not None:
            raise ValueError(
                message(
                    "DistributedDataParallel device_ids and output_device arguments only work with "
                    f"GPU modules, but got device_ids {device_ids}, output_device {output_device}",
                    fix="leave them out",
                )
            )
        self.module = module
        self.process_group = group = world(process_group)
        self.broadcast_buffers = broadcast_buffers
        self.find_unused_parameters = find_unused_parameters
        self.static_graph, self.gradient_as_bucket_view = static_graph, gradient_as_bucket_view
        self.dim, self.device_ids, self.output_device = dim, None, None
        self.require_backward_grad_sync = True
        self._join_config, self._divide_by_all = JoinConfig(), True
        named = [(n, p) for n, p in module.named_parameters() if p.requires_grad]
        if not named:
            raise RuntimeError(
                message(
                    "DistributedDataParallel is not needed when a module doesn't have any "
                    "parameters that require a gradient."
                )
            )
        _check_equal(module, group)
        if init_sync:
            with no_grad():
                for t in [*module.parameters(), *module.buffers()]:
                    broadcast(t.detach(), group=group, group_src=0)
        self.bucket_bytes_cap = int((25 if bucket_cap_mb is None else bucket_cap_mb) * 2**20)
        self.reducer = Reducer(
            [p for _, p in named], [n for n, _ in named], group,
            self.bucket_bytes_cap,
            find_unused_parameters or static_graph,
        )  # fmt: skip

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """The module's own forward; the backward of what it returns is averaged."""
        averaged = is_grad_enabled() and self.require_backward_grad_sync
        if averaged:
            Join.notify_join_context(self)
            active = self._join_config.active
            by_all = self._divide_by_all or not active
            self.reducer.divisor = self.process_group.size() if by_all else len(active)
            self.reducer.arm()
        if self.broadcast_buffers and self.require_backward_grad_sync and self.training:
            self._send_buffers()
        return self.module(*inputs, **kwargs)

    def _send_buffers(self) -> None:
        """Those of rank 0; of ranks with different numbers of batches, of one that goes on."""
        active = self._join_config.active
        source = active[-1] if active else 0
        with no_grad():
            for buffer in self.module.buffers():
                broadcast(buffer.detach(), group=self.process_group, group_src=source)

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """Within it, gradients of this rank alone add up; the next backward outside averages all.
        """
        before, self.require_backward_grad_sync = self.require_backward_grad_sync, False
        try:
            yield
        finally:
            self.require_backward_grad_sync = before

    def join(
        self, divide_by_initial_world_size: bool = True, enable: bool = True,
        throw_on_early_termination: bool = False,
    ) -> Join:  # fmt: skip
        """For inputs of different number: a rank that has none left answers the others with zeros.

        The average divides by the number of all ranks, or of those that still have data
        (``divide_by_initial_world_size=False``). At the end all have the parameters and buffers of
        a rank that went on longest. Raises RuntimeError on every rank when the first is done, if
        ``throw_on_early_termination``. ``Join`` does it for several things at once.
        """
        return Join(
            [self], enable, throw_on_early_termination,
            divide_by_initial_world_size=divide_by_initial_world_size,
        )  # fmt: skip

    def join_hook(self, **kwargs: object) -> JoinHook:
        self._divide_by_all = bool(kwargs.get("divide_by_initial_world_size", True))
        return _Answers(self)

    @property
    def join_device(self) -> object:
        return next(self.module.parameters()).device

    @property
    def join_process_group(self) -> ProcessGroup:
        return self.process_group

    def register_comm_hook(self, state: object, hook: Hook) -> None:
        """Average each bucket by ``hook(state, bucket)``, which returns a future (hooks.py).

        Raises TypeError where it cannot be called, RuntimeError for a second one.
        """
        if not callable(hook):
            raise TypeError(message("Communication hook must be callable."))
        if self.reducer.hook is not None:
            raise RuntimeError(
                message("register_comm_hook or register_builtin_comm_hook can only be called once.")
            )
        self.reducer.hook, self.reducer.state = hook, state

    def timeline(self) -> list[Any]:
        """The last backward in time: when it computed, and when each bucket was under way."""
        return self.reducer.timeline


class _Answers(JoinHook):
    """What a rank without data does while others train the module."""

    def __init__(self, module: DistributedDataParallel) -> None:
        self.module, self.last = module, 0

    def main_hook(self) -> None:
        m = self.module
        self.last = m._join_config.active[-1]
        if m.broadcast_buffers and m.training:
            m._send_buffers()
        m.reducer.join_in()

    def post_hook(self, is_last_joiner: bool) -> None:
        """All take over the module of the last of those that went on longest."""
        m = self.module
        last = m._join_config.active[-1] if is_last_joiner else self.last
        with no_grad():
            for t in [*m.module.parameters(), *m.module.buffers()]:
                broadcast(t.detach(), group=m.process_group, group_src=last)


def _check_equal(module: Module, group: ProcessGroup) -> None:
    """Have all ranks the same parameters and buffers? Raises RuntimeError that names who and what.
    """
    mine = [
        (name, tuple(t.array.shape), t.array.dtype.name)
        for name, t in [*module.named_parameters(), *module.named_buffers()]
    ]
    theirs: list[Any] = [None] * group.size()
    all_gather_object(theirs, mine, group)
    for rank, other in zip(group.ranks, theirs, strict=True):
        if len(other) != len(theirs[0]):
            raise RuntimeError(
                message(
                    f"DDP expects same model across all ranks, but Rank {rank} has {len(other)} "
                    f"params, while rank {group.ranks[0]} has inconsistent {len(theirs[0])} params."
                )
            )
        for (name, *have), (_, *wanted) in zip(other, theirs[0], strict=True):
            if have != wanted:
                raise RuntimeError(
                    message(
                        f"DDP expects same model across all ranks, but {name} is {have[1]} of "
                        f"shape {have[0]} on rank {rank}, and {wanted[1]} of shape {wanted[0]} on "
                        f"rank {group.ranks[0]}"
                    )
                )
