"""A program of several processes: what each of them has computed comes to all of them.

Where a result went through a DistributedDataParallel, its graph is one of several. Which gradients
are averaged is read off that module; without one (``ranks=True``) it is every parameter, as in a
program that calls ``all_reduce`` on them by itself.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from microtorch import distributed as dist
from microtorch.backends import host
from microtorch.base import errors
from microtorch.distributed import DistError, ProcessGroup
from microtorch.distributed.agreement import assembled
from microtorch.distributed.group import everybody, launched_rank
from microtorch.nn.parallel import DistributedDataParallel

from .held import parallel, settle
from .trace import Trace

Absent = DistError  # what is raised where a process does not come
SECONDS = 10.0  # how long a process waits for the others
Sums: TypeAlias = dict[int, np.ndarray]  # by parameter: what this process hands to the average


class Ranks:
    """The processes that step together, and what this one knows of the average."""

    def __init__(self, group: ProcessGroup, function: str):
        self.group, self.what = group, f"viz.{function}(loss)"

    def bring(self, thing: Any) -> list[Any]:
        """The things of all processes, by rank. Raises DistError where one does not come."""
        return assembled(self.group, thing, self.what, SECONDS)

    def average(self, trace: Trace, names: list[str]) -> Sums:
        """Learn the averages, so that ``.grad`` is understood; returns this process's shares.

        A parameter that this process did not use adds zeros, and is not in the result.
        """
        assert trace.computation is not None
        mine = self._averaged(trace)
        gradients = trace.computation.backward.gradients
        own = {names[i]: np.asarray(host(gradients[i])) for i in mine if i in gradients}
        every = self.bring(own)
        n = len(every)
        known = {i: sum(o[names[i]] / n for o in every if names[i] in o) for i in mine}
        settle(trace, {i: mean for i, mean in known.items() if i in gradients})
        left = trace.computation.left
        return {i: (own[names[i]] + left.get(i, 0.0)) / n for i in mine if names[i] in own}

    def _averaged(self, trace: Trace) -> list[int]:
        """The parameters whose gradients are averaged."""
        modules = _parallel(trace)
        if any(not m.require_backward_grad_sync for m in modules):
            return []  # under no_sync()
        assert trace.computation is not None
        nodes = {p.node for m in modules for p in m.reducer.params}
        return [
            t.id
            for t, node in zip(trace.nodes, trace.computation.nodes, strict=True)
            if t.role == "parameter" and t.needs and not t.op and (not modules or node in nodes)
        ]


def asked(ranks: bool | None) -> bool | None:
    """``ranks`` as given; TypeError for what is neither a bool nor None."""
    if ranks is None or isinstance(ranks, bool):
        return ranks
    what = f"ranks= is True, False or None, but got {type(ranks).__name__}"
    raise TypeError(errors.message(what, fix="ranks=True for the graphs of all processes"))


def together(trace: Trace, function: str, ranks: bool | None) -> Ranks | None:
    """The processes that this trace is to be shown with; None where it is shown alone.

    ``ranks``: None asks whether it went through a DistributedDataParallel. Raises TypeError for
    what is no bool, and GraphError for True where no process group was made.
    """
    if asked(ranks) is False:
        return None
    modules = _parallel(trace)
    if not dist.is_initialized() and not modules:
        if not ranks:
            return None
        what = f"viz.{function}(loss, ranks=True) shows several processes, and this one is alone"
        fix = (
            "call torch.distributed.init_process_group() first, and start the script with "
            "python -m microtorch.distributed.run --nproc_per_node 2 script.py"
        )
        raise errors.GraphError(errors.message(what, fix=fix))
    if ranks is None and not modules:
        return None
    group = modules[0].process_group if modules else dist.group.WORLD
    if group is None or group.size() < 2:
        return None
    # side is None: the program has called destroy_process_group()
    return Ranks(everybody() if group.side is None else group, function)


def _parallel(trace: Trace) -> list[DistributedDataParallel]:
    assert trace.computation is not None
    return parallel(trace.computation.nodes)


def first_rank() -> bool:
    """Is this the process that speaks for all?"""
    return (dist.get_rank() if dist.is_initialized() else launched_rank()) == 0


def warn(error: DistError) -> None:
    """Say that this process is shown alone."""
    fix = "call it on every rank, or with ranks=False for the graph of one"
    errors.warn(f"only this rank is shown: {error}; {fix}")
