"""An optimizer whose state is spread over the ranks: each of them steps a share of the parameters.

S. Rajbhandari et al. 2020, ZeRO: Memory Optimizations Toward Training Trillion Parameter Models,
section 5, stage 1: gradients are everywhere, as DistributedDataParallel leaves them; a rank keeps
the optimizer's state of its share alone, and sends the new parameters to the others.
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..base.errors import message
from ..distributed import Work, broadcast, gather_object
from ..distributed.group import ProcessGroup, world
from ..distributed.joining import Join, Joinable, JoinHook
from ..handles.tensor import Tensor
from .optimizer import Closure, Group, Optimizer, ParamsT, loss_of

__path__: list[str] = []  # a package to Python, below which PyTorch's module is found


class ZeroRedundancyOptimizer(Optimizer, Joinable):
    """``optimizer_class`` on this rank's share of ``params``; after ``step`` all ranks have all.

    ``defaults`` are the class's arguments. Every rank makes it with the same parameters, and steps
    it as often. ``optim`` is the rank's own optimizer, of as many groups. ``state_dict`` needs
    ``consolidate_state_dict`` on all ranks before it. ``overlap_with_ddp=True`` raises ValueError;
    ``parameters_as_bucket_view`` is accepted, and changes nothing.
    """

    def __init__(
        self,
        params: ParamsT,
        optimizer_class: type[Optimizer],
        process_group: ProcessGroup | None = None,
        parameters_as_bucket_view: bool = False,
        overlap_with_ddp: bool = False,
        **defaults: Any,
    ) -> None:
        if overlap_with_ddp:
            raise ValueError(
                message(
                    "ZeroRedundancyOptimizer(overlap_with_ddp=True): the step is not taken during "
                    "backward here",
                    fix="leave it out, and call step() after backward()",
                )
            )
        Joinable.__init__(self)
        self.process_group = world(process_group)
        self.loads = [0] * self.process_group.size()  # elements, by rank
        self.owners: dict[int, int] = {}  # id of a parameter -> rank that steps it
        self._gathered: list[dict[str, Any]] | None = None
        self.optim: Optimizer | None = None
        Optimizer.__init__(self, params, defaults)
        shares = [{**group, "params": self._share(group)} for group in self.param_groups]
        self.optim = optimizer_class(shares, **defaults)
        self.defaults = self.optim.defaults
        self._pass_settings(self.optim.param_groups, self.param_groups)

    def add_param_group(self, param_group: Group) -> None:
        """Add a group, and give its parameters to the ranks: the largest first, to the least busy.
        """
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        for p in sorted(group["params"], key=lambda p: -int(p.numel())):
            rank = int(np.argmin(self.loads))
            self.owners[id(p)] = rank
            self.loads[rank] += int(p.numel())
        if self.optim is not None:
            self.optim.add_param_group({**group, "params": self._share(group)})
            self._pass_settings(self.optim.param_groups[-1:], self.param_groups[-1:])

    def _share(self, group: Group, rank: int | None = None) -> list[Tensor]:
        """The parameters of a group that a rank steps; this one's, without ``rank``."""
        wanted = self.process_group.rank() if rank is None else rank
        return [p for p in group["params"] if self.owners[id(p)] == wanted]

    @staticmethod
    def _pass_settings(source: list[Group], target: list[Group]) -> None:
        """What a scheduler, or the optimizer itself, has changed."""
        for a, b in zip(source, target, strict=True):
            b.update({key: v for key, v in a.items() if key not in ("params", "param_names")})

    def step(self, closure: Closure | None = None) -> Tensor | float | None:
        """Step this rank's share, and exchange the parameters; returns what ``closure`` does."""
        Join.notify_join_context(self)
        loss = None if closure is None else loss_of(closure)
        self._local_step()
        under_way: list[Work | None] = [
            broadcast(p.detach(), group=self.process_group, async_op=True, group_src=rank)
            for rank in range(self.process_group.size())
            for group in self.param_groups
            for p in self._share(group, rank)
        ]
        for work in under_way:
            if work is not None:
                work.wait()
        return loss

    def _local_step(self) -> None:
        assert self.optim is not None
        self._pass_settings(self.param_groups, self.optim.param_groups)
        self.optim.step()
        self._pass_settings(self.optim.param_groups, self.param_groups)

    # ---- saving ----------------------------------------------------------------------------------
    def consolidate_state_dict(self, to: int = 0) -> None:
        """Send all shares of the state to rank ``to``, for its ``state_dict``. All ranks call it.
        """
        assert self.optim is not None
        self._pass_settings(self.param_groups, self.optim.param_groups)
        mine = self.process_group.rank() == to
        found: list[Any] | None = [None] * self.process_group.size() if mine else None
        gather_object(self.optim.state_dict(), found, group=self.process_group, group_dst=to)
        self._gathered = found

    def state_dict(self) -> dict[str, Any]:
        """The state of all parameters, as one optimizer of them would have it.

        Raises RuntimeError without consolidate_state_dict since the last step's state is wanted.
        """
        if self._gathered is None:
            raise RuntimeError(
                message(
                    "Optimizer state has not been consolidated on this rank. Please call "
                    f"`consolidate_state_dict(to={self.process_group.rank()})` on all ranks "
                    "beforehand if you meant to save the global state.",
                )
            )
        whole = super().state_dict()
        for rank, part in enumerate(self._gathered):
            for theirs, ours in self._numbers(rank).items():
                if theirs in part["state"]:
                    whole["state"][ours] = part["state"][theirs]
        whole["state"] = dict(sorted(whole["state"].items()))
        return whole

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over this rank's share of a state of all parameters."""
        super().load_state_dict({**state_dict, "state": {}})
        assert self.optim is not None
        mine = {ours: theirs for theirs, ours in self._numbers(self.process_group.rank()).items()}
        state = {mine[i]: v for i, v in state_dict["state"].items() if i in mine}
        self._pass_settings(self.param_groups, self.optim.param_groups)
        groups = self.optim.state_dict()["param_groups"]
        self.optim.load_state_dict({"state": state, "param_groups": groups})

    def _numbers(self, rank: int) -> dict[int, int]:
        """A parameter's number in a rank's optimizer -> its number among all."""
        number = {id(p): i for i, p in enumerate(self._all_params())}
        share = [p for group in self.param_groups for p in self._share(group, rank)]
        return {i: number[id(p)] for i, p in enumerate(share)}

    # ---- uneven inputs ---------------------------------------------------------------------------
    def join_hook(self, **kwargs: object) -> JoinHook:
        """A rank without data steps its share with the gradients of the others."""
        return _Step(self)

    @property
    def join_device(self) -> object:
        return self._all_params()[0].device

    @property
    def join_process_group(self) -> ProcessGroup:
        return self.process_group


class _Step(JoinHook):
    def __init__(self, optimizer: ZeroRedundancyOptimizer) -> None:
        self.optimizer = optimizer

    def main_hook(self) -> None:
        self.optimizer.step()
