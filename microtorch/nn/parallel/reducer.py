"""Gradients that are averaged over processes while backward still computes others.

PyTorch's design (Li et al. 2020, PyTorch Distributed, VLDB 13(12), section 3.2): parameters lie in
buckets, in reverse order, because backward finishes the last layer's first. When all gradients of a
bucket are there, a non-blocking all-reduce of it starts; buckets start in one order everywhere.

Our backward adds to ``.grad`` at its very end, for a leaf is older than all that uses it. What a
parameter receives is complete earlier, when the last of its users has been visited. Before backward
the graph is therefore walked once, and a hook hung on each user; the leaf's own hook catches what
is not complete by then.
"""
from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import finalize, ref

import numpy as np

from ...backends import host
from ...base.errors import message
from ...distributed.buffers import WIDENED, Work, put
from ...distributed.collectives import ReduceOp, all_reduce
from ...distributed.futures import Future
from ...distributed.group import ProcessGroup
from ...engine.listening import foresee, listen
from ...engine.record import constant
from ...graph import Node, RemovableHandle, hooks_of, in_order
from ...handles.tensor import Tensor
from .hooks import GradBucket, Hook

if TYPE_CHECKING:
    from ...base.types import Array, Root

FIRST = 1 << 20  # bytes of the first bucket: small, so that it starts early


@dataclass(eq=False)
class Bucket:
    """Parameters whose gradients travel together, and where each lies in ``flat``."""

    params: list[int]
    flat: Array
    starts: list[int]
    waiting: int = 0  # parameters whose gradient is not there yet
    work: Work | None = None  # the all-reduce, once it has started


@dataclass
class Event:
    """Something of one backward on the time line: an all-reduce, or what computes beside it."""

    what: str
    start: float  # seconds since backward began
    end: float
    size: int = 0  # bytes


@dataclass
class Pass:
    """What one backward has done so far."""

    handles: list[RemovableHandle] = field(default_factory=list)
    expected: dict[int, int] = field(default_factory=dict)  # parameter -> edges still to report
    sums: dict[int, Any] = field(default_factory=dict)  # parameter -> what has arrived of it
    ready: set[int] = field(default_factory=set)
    next: int = 0  # the bucket whose turn it is
    began: float = 0.0
    events: dict[int, Event] = field(default_factory=dict)


class Reducer:
    """Averages the gradients of ``params`` over ``group`` during each backward that is armed."""

    def __init__(
        self, params: Sequence[Tensor], names: Sequence[str], group: ProcessGroup,
        bucket_bytes: int, find_unused: bool,
    ) -> None:  # fmt: skip
        self.params, self.names, self.group = list(params), list(names), group
        self.find_unused, self.divisor = find_unused, group.size()
        self.hook: Hook | None = None  # what averages in place of all_reduce
        self.state: object = None
        self.buckets = _buckets(self.params, bucket_bytes)
        self.place = {i: (b, k) for b in self.buckets for k, i in enumerate(b.params)}
        self.armed = False
        self.now: Pass | None = None
        self.unfinished: list[int] = []
        self.timeline: list[Event] = []
        self._listening: list[RemovableHandle] = []
        self._leaves = [
            p.register_post_accumulate_grad_hook(partial(self._leaf, i))
            for i, p in enumerate(self.params)
        ]

    def arm(self) -> None:
        """The next backward through these parameters is to be averaged.

        Raises RuntimeError where the last one left parameters without gradient.
        """
        if self.unfinished:
            missing, self.unfinished = self.unfinished, []
            raise RuntimeError(
                message(
                    "Expected to have finished reduction in the prior iteration before starting a "
                    "new one. This error indicates that your module has parameters that were not "
                    "used in producing loss.",
                    f"Parameters which did not receive grad for rank {self.group.rank()}: "
                    + ", ".join(f"{self.names[i]} ({i})" for i in missing),
                    fix="DistributedDataParallel(..., find_unused_parameters=True)",
                )
            )
        self._forget()
        self.armed = True
        if not self._listening:  # until backward has run: the engine must not keep us alive
            known = ref(self)
            self._listening = [
                foresee(lambda roots, create_graph: _ask(known, "_foresee", roots, create_graph)),
                listen(lambda roots: _ask(known, "_finish", roots)),
            ]
            for handle in self._listening:
                finalize(self, handle.remove)

    def _forget(self) -> None:
        """End what a backward that failed has left under way."""
        if self.now is not None:
            for handle in self.now.handles:
                handle.remove()
        for b in self.buckets:
            if b.work is not None:
                b.work.wait()
            b.work = None
        self.now = None

    # ---- one backward ----------------------------------------------------------------------------
    def _foresee(self, roots: list[Root], create_graph: bool) -> None:
        """Before backward: who uses each parameter? After the last of them it is complete."""
        if not self.armed:
            return
        numbers = {p.node: i for i, p in enumerate(self.params)}
        nodes = in_order([r.node if isinstance(r, Tensor) else r for r in roots])
        users: list[tuple[Node, list[tuple[int, int]]]] = []
        for node in nodes:
            edges = [(k, numbers[x]) for k, x in enumerate(node.inputs) if x in numbers]
            if edges:
                users.append((node, edges))
        if not users and not any(n in numbers for n in nodes):
            return  # a backward of something else
        if create_graph:
            raise RuntimeError(
                message(
                    "DistributedDataParallel does not support create_graph=True: the averaged "
                    "gradients have no graph",
                    fix="differentiate the module itself, ddp.module, and average by all_reduce",
                )
            )
        self.armed = False
        self.now = now = Pass(began=time.perf_counter())
        for b in self.buckets:
            b.waiting = len(b.params)
        for node, edges in users:
            for _, i in edges:
                now.expected[i] = now.expected.get(i, 0) + 1
            hooks = hooks_of(node).post
            now.handles.append(RemovableHandle(hooks, partial(self._arrived, edges)))
        if self.find_unused:
            for i in range(len(self.params)):
                if i not in now.expected:
                    self._complete(i, None)

    def _arrived(self, edges: list[tuple[int, int]], parts: Any, _: Any) -> None:
        """A user of parameters has been visited: take its contributions."""
        now = self.now
        if now is None:
            return
        for k, i in edges:
            if parts[k] is not None:
                d = host(parts[k].array)
                now.sums[i] = now.sums[i] + d if i in now.sums else d
            now.expected[i] -= 1
            if now.expected[i] == 0 and i not in now.ready:
                self._complete(i, now.sums.pop(i, None))
        self._look()

    def _leaf(self, i: int, p: Tensor) -> None:
        """The engine has added to ``.grad``: the gradient is complete, if it was not before."""
        if self.now is not None and i not in self.now.ready:
            self._complete(i, None)

    def _complete(self, i: int, d: Any) -> None:
        """Gradient i is there: put it into its bucket, and start the bucket if it is full."""
        now, (b, k) = self.now, self.place[i]
        assert now is not None
        now.ready.add(i)
        slot = self._slot(b, k)
        held = self.params[i].grad
        slot[...] = 0 if held is None else host(held.array)
        if d is not None:
            slot += d
        b.waiting -= 1
        while now.next < len(self.buckets) and self.buckets[now.next].waiting == 0:
            if self.buckets[now.next] is not self.buckets[-1]:
                self._start(self.buckets[now.next])
            now.next += 1

    def _start(self, b: Bucket) -> None:
        """Let a bucket travel: while backward goes on, but for the last, which nothing hides.

        MPI's blocking all-reduce takes a fraction of the time of the other, so that is used there.
        """
        now = self.now
        assert now is not None
        start = time.perf_counter() - now.began
        last = b is self.buckets[-1]
        b.work = self._send(b, b.flat, last)
        names = f"{self.names[b.params[0]]} ... {self.names[b.params[-1]]}"
        now.events[id(b)] = Event(f"all-reduce of {names}", start, start, b.flat.nbytes)

    def _send(self, b: Bucket, flat: Array, last: bool) -> Work | None:
        if self.hook is not None:
            params = [self.params[i] for i in b.params]
            bucket = GradBucket(self.buckets.index(b), constant(flat), params, b.starts, last)
            return _Hooked(self.hook(self.state, bucket), b.flat)
        flat /= self.divisor
        return all_reduce(constant(flat), ReduceOp.SUM, self.group, async_op=not last)

    def _look(self) -> None:
        """MPI moves transfers on when it is asked about them."""
        now = self.now
        assert now is not None
        for b in self.buckets[: now.next]:
            event = now.events.get(id(b))
            if event and event.end == event.start and b.work and b.work.is_completed():
                event.end = time.perf_counter() - now.began

    def _finish(self, roots: list[Root]) -> None:
        """After backward: wait for the averages, and put them into ``.grad``."""
        now = self.now
        if now is None:
            return
        for handle in self._listening:
            handle.remove()
        self._listening = []
        computed = time.perf_counter() - now.began
        for handle in now.handles:
            handle.remove()
        used = self._used_anywhere(now) if self.find_unused else set(range(len(self.params)))
        if now.next == len(self.buckets):
            self._start(self.buckets[-1])
        for b in self.buckets[: now.next]:
            if b.work is not None:
                b.work.wait()
            event, b.work = now.events[id(b)], None
            if event.end == event.start:
                event.end = time.perf_counter() - now.began
            for k, i in enumerate(b.params):
                if i in used:
                    self._give(self.params[i], self._slot(b, k))
        self.unfinished = sorted(set(range(len(self.params))) - now.ready)
        self.timeline = [Event("backward", 0.0, computed), *now.events.values()]
        self.now = None

    def _used_anywhere(self, now: Pass) -> set[int]:
        """Parameters that some rank has used: the others keep the gradient that they have."""
        used = np.zeros(len(self.params), np.int32)
        used[list(now.expected)] = 1
        all_reduce(constant(used), ReduceOp.MAX, self.group)
        return set(np.nonzero(used)[0].tolist())

    def join_in(self) -> None:
        """Take part in the all-reduces of the others with gradients of zero (uneven inputs)."""
        for b in self.buckets:
            b.flat[...] = 0
        # the same operations in the same order: MPI does not match a blocking one with others
        works = [self._send(b, b.flat, False) for b in self.buckets[:-1]]
        used = self._used_anywhere(Pass()) if self.find_unused else set(range(len(self.params)))
        works.append(self._send(self.buckets[-1], self.buckets[-1].flat, True))
        for work in works:
            work and work.wait()
        for i in used:  # for an optimizer that steps a share of them here
            self._give(self.params[i], self._slot(*self.place[i]))

    def _slot(self, b: Bucket, k: int) -> Array:
        p = self.params[b.params[k]]
        return b.flat[b.starts[k] : b.starts[k] + p.array.size].reshape(p.array.shape)

    @staticmethod
    def _give(p: Tensor, average: Array) -> None:
        if p.grad is None:
            p.grad = constant(average.astype(p.array.dtype)).to(p.device)
        else:
            put(p.grad, average, "DistributedDataParallel")


class _Hooked(Work):
    """The future that a communication hook gave; its value becomes the bucket's."""

    def __init__(self, future: Future[Tensor], flat: Array) -> None:
        super().__init__()
        self.future, self.flat = future, flat

    def is_completed(self) -> bool:
        return self.future.done()

    def wait(self, timeout: object = None) -> bool:
        self.flat[...] = host(self.future.wait().array).reshape(-1)
        return True


def _ask(known: ref[Reducer], method: str, *arguments: Any) -> None:
    """Call a method of a reducer, if it is still there."""
    reducer = known()
    if reducer is not None:
        getattr(reducer, method)(*arguments)


def _buckets(params: Sequence[Tensor], most: int) -> list[Bucket]:
    """Parameters from the last to the first, of one dtype each, up to ``most`` bytes a bucket."""
    open_: dict[np.dtype[Any], list[int]] = {}
    made: list[list[int]] = []
    for i in reversed(range(len(params))):
        dtype = params[i].array.dtype
        limit = min(FIRST, most) if not made else most
        group = open_.setdefault(dtype, [])
        group.append(i)
        if sum(params[j].array.nbytes for j in group) >= limit:
            made.append(open_.pop(dtype))
    made += [group for group in open_.values() if group]
    out = []
    for group in made:
        dtype = params[group[0]].array.dtype
        wide = np.dtype(np.float32) if dtype.name in WIDENED else dtype
        sizes = [params[i].array.size for i in group]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        out.append(Bucket(group, np.zeros(int(starts[-1]), wide), starts[:-1].tolist()))
    return out
