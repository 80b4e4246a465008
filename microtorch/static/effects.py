"""What a program changes in Python: the schedules that a step counts on are steps, too.

``scheduler.step()`` is no arithmetic on arrays, but a method that changes numbers of Python's.
While a function is recorded it is written down as a call (engine/whole.py: effect), which every run
of the program makes again; the learning rates that it sets are read by the kernels after it.
"""
from __future__ import annotations

import copy
from typing import TYPE_CHECKING, NamedTuple

from ..engine.handle import Handle
from ..handles.tensor import Tensor
from ..optim.lr_scheduler import LRScheduler

if TYPE_CHECKING:
    from ..base.types import Array, Operand
    from .guards import Watch


class State(NamedTuple):
    """The attributes of an object, or the entries of a dict, as they were: each, and what was in
    it, if it is a list or a dict."""

    held: dict[str, Operand]
    before: dict[str, tuple[Operand, Operand]]

    @classmethod
    def of(cls, held: dict[str, Operand]) -> State:
        return cls(held, {k: (v, _inside(v)) for k, v in held.items()})

    def restore(self) -> None:
        self.held.clear()
        for k, (v, inside) in self.before.items():
            self.held[k] = v
            if isinstance(v, list):
                v[:] = inside
            elif isinstance(v, dict):
                v.clear()
                v.update(inside)
            elif isinstance(v, Tensor):
                _memory(v)[...] = inside

    def differs(self) -> bool:
        """Are the numbers other ones now?"""
        return any(
            repr(_inside(self.held.get(k))) != repr(inside)
            for k, (v, inside) in self.before.items()
            if isinstance(v, (bool, int, float, str, Tensor))
        )


def _memory(t: Tensor) -> Array:
    """A tensor's real memory, also while it is recorded."""
    array = vars(Handle)["array"].__get__(t)
    found: Array = getattr(array, "value", array)
    return found


def _inside(v: Operand) -> Operand:
    """What is in a list, a dict or a tensor, as another; else the value itself."""
    if isinstance(v, Tensor):
        return _memory(v).copy()
    return copy.copy(v) if isinstance(v, (list, dict)) else v


class Effects:
    """The objects that the effects of a recording change, and as what they were found."""

    def __init__(self) -> None:
        self.objects: list[Operand] = []
        self.states: list[State] = []
        self.groups: list[dict[str, Operand]] = []

    def about(self, x: Operand) -> None:
        """An effect changes x."""
        if any(x is y for y in self.objects):
            return
        self.objects.append(x)
        self.states.append(State.of(x.__dict__))
        for inner in vars(x).get("_schedulers", ()):
            self.about(inner)
        for group in x.optimizer.param_groups:
            if not any(group is g for g in self.groups):
                self.groups.append(group)
                self.states.append(State.of(group))

    def now(self) -> list[State]:
        """How everything is now."""
        return [State.of(s.held) for s in self.states]

    def unwatched(self, watch: Watch) -> str:
        """Take what effects change out of what is watched; says what must not be read, if it is.

        A schedule that did not count a step has no effect, and is not watched where nothing of it
        is read: it counts elsewhere.
        """
        changed = set(map(id, self.objects))
        unread = [x for x in watch.kept if isinstance(x, LRScheduler) and id(x) not in changed]
        objects = [*self.objects]
        for x in (*self.objects, *unread):
            names = *vars(x), "get_last_lr", "get_lr", "state_dict"
            read = sorted(watch.names.intersection(names) - {"optimizer"})
            if read and id(x) in changed:
                return f"it reads {read[0]!r} of {type(x).__name__}, which changes it"
            if not read and id(x) not in changed:
                objects.append(x)
        found = [vars(x) for x in objects]
        watch.items = [i for i in watch.items if not any(i[0] is held for held in found)]
        watch.sizes = [s for s in watch.sizes if not any(s[0] is held for held in found)]
        watch.copies = [c for c in watch.copies if not any(c[0] is held for held in found)]
        return ""
