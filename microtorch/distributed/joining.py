"""Loops of different length: a rank that has no data left answers the collectives of the others.

    with Join([model, optimizer]):          # a DistributedDataParallel, a ZeroRedundancyOptimizer
        for x in data:                      # of as many batches as this rank has
            ...

Each *joinable* calls ``Join.notify_join_context(self)`` before the collectives of an iteration; the
first one of the list then tells the others that this rank goes on. At the end of the block a rank
calls its joinables' hooks, once for each iteration that some other rank still makes.

The interface is PyTorch's: https://docs.pytorch.org/docs/stable/distributed.algorithms.join.html
"""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType

import numpy as np

from ..base.errors import message
from ..engine.record import constant
from .buffers import Work
from .collectives import ReduceOp, all_reduce
from .group import ProcessGroup, world


class JoinHook:
    """What a rank without data does for one joinable."""

    def main_hook(self) -> None:
        """Called once for each iteration of the others: answer its collectives."""

    def post_hook(self, is_last_joiner: bool) -> None:
        """Called once, when no rank has data left; did this one go on longest?"""


@dataclass
class JoinConfig:
    """What the running ``Join`` has told a joinable."""

    enable: bool = False
    throw_on_early_termination: bool = False
    is_first_joinable: bool = False
    active: list[int] = field(default_factory=list)  # the ranks of the last iteration, in the group


class Joinable(ABC):
    """Something that makes collectives in each iteration, and says how they are answered."""

    _join_config: JoinConfig = JoinConfig()  # of a class that does not call this __init__

    def __init__(self) -> None:
        super().__init__()
        self._join_config = JoinConfig()

    @abstractmethod
    def join_hook(self, **kwargs: object) -> JoinHook:
        """The hook for one passage; ``kwargs`` are those of ``Join``."""

    @property
    @abstractmethod
    def join_device(self) -> object:
        """The device of its collectives."""

    @property
    @abstractmethod
    def join_process_group(self) -> ProcessGroup:
        """The processes that take part."""


class Join:
    """A context manager for ``joinables``; every rank of their group enters it.

    ``throw_on_early_termination``: all ranks raise RuntimeError when the first has no data left.
    Raises ValueError for no joinables, TypeError for what is none.
    """

    def __init__(
        self, joinables: Sequence[Joinable], enable: bool = True,
        throw_on_early_termination: bool = False, **kwargs: object,
    ) -> None:  # fmt: skip
        if not joinables:
            raise ValueError(message("The join context manager requires at least one joinable"))
        for joinable in joinables:
            if not isinstance(joinable, Joinable):
                raise TypeError(
                    message(
                        f"Join(): a {type(joinable).__name__} is not a Joinable",
                        fix="derive its class from torch.distributed.algorithms.join.Joinable",
                    )
                )
        self._joinables, self._enable = list(joinables), enable
        self._hooks = [joinable.join_hook(**kwargs) for joinable in joinables]
        for joinable in joinables:
            joinable._join_config = JoinConfig(
                enable, throw_on_early_termination, joinable is joinables[0]
            )

    def __enter__(self) -> None:
        """Nothing is sent yet."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:  # fmt: skip
        configs = [joinable._join_config for joinable in self._joinables]
        try:
            if not self._enable or kind is not None:
                return
            longest = True
            while active := _active(self._joinables[0], False):
                for config in configs:
                    config.active = active
                for hook in self._hooks:
                    hook.main_hook()
                longest = False
            for hook in self._hooks:
                hook.post_hook(longest)
        finally:
            for joinable in self._joinables:
                joinable._join_config = JoinConfig()

    @staticmethod
    def notify_join_context(joinable: Joinable) -> Work | None:
        """This rank begins an iteration. The first joinable of the list says so to the others.

        Raises RuntimeError where another rank has no data left, if that was asked for.
        """
        config = joinable._join_config
        if not (config.enable and config.is_first_joinable):
            return None
        config.active = _active(joinable, True)
        return Work(result=[constant(np.array([len(config.active)], np.float32))])


def _active(joinable: Joinable, mine: bool) -> list[int]:
    """The ranks that begin another iteration: all tell whether they do."""
    group = world(joinable.join_process_group)
    begins = np.zeros(group.size(), np.int32)
    begins[group.rank()] = mine
    all_reduce(constant(begins), ReduceOp.SUM, group)
    active = [int(rank) for rank in np.flatnonzero(begins)]
    if joinable._join_config.throw_on_early_termination and 0 < len(active) < group.size():
        raise RuntimeError(
            message("Detected at least one rank that exhausted inputs. Throwing across all ranks.")
        )
    return active
