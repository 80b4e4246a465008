"""The machine that runs a pickle: a stack, a memo, and what each instruction does to them.

Python's own machine looks up any name and calls it. This one knows the instructions, which
`pickletools` documents, and of names only those of `allowed`. Nothing that it does takes more than
time in proportion to the file.
"""

from __future__ import annotations

import argparse
import functools
import pickle
import struct
import types
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..nn.module import Module
from ..nn.parameter import Parameter
from . import allowed, modules, rebuild, values
from .errors import FileError, brief, damaged, refused
from .guard import DEPTH, Guard
from .stream import OPCODES, Stream, does, parsed

_NOTHING = object()
_DICTS = (dict, OrderedDict, Counter, defaultdict)
# the class of objects without data of their own, which take a dict of attributes
_NAMESPACES = (argparse.Namespace, types.SimpleNamespace)
ENTERED = values  # importing it has entered its instructions into OPCODES


class Machine:
    """Runs one pickle. `storage(pid)` gives the storage that a persistent id names."""

    def __init__(
        self, stream: Stream, storage: Callable[[object], object], guard: Guard, *,
        weights_only: bool = True, encoding: str = "utf-8",
    ) -> None:  # fmt: skip
        self.stream, self.storage, self.guard = stream, storage, guard
        self.weights_only, self.encoding = weights_only, encoding
        self.stack: list[object] = []
        self.marks: list[list[object]] = []
        self.memo: list[object] = []
        self.steps, self.outside = 0, False
        self.depths: dict[int, int] = {}  # of tuples: how deep others lie in them
        # by id, what may be called: the ids of these objects stay theirs, as the tables hold them
        self.calls: dict[int, Callable[..., object]] = {}
        self.users: dict[int, object] = {}
        self.modules: list[Module] = []
        self.own: set[int] = set()  # classes of the program's, which set their state themselves

    def run(self) -> object:
        """The object that the pickle describes."""
        take, opcodes = self.stream.take, OPCODES
        try:
            while True:
                code = take(1)[0]
                self.steps += 1
                if code == pickle.STOP[0]:
                    modules.settle(self.modules)
                    return self.pop()
                act = opcodes.get(code)
                if act is None:
                    raise refused(f"Unsupported operand {code}: no data is written with it")
                act(self)
        except FileError:
            raise
        except (
            LookupError, TypeError, ValueError, ArithmeticError, AttributeError, RuntimeError,
            struct.error,
        ) as error:  # fmt: skip
            if self.outside:
                raise  # the caller's own function, or class, has raised it
            what = str(error).partition("\n")[0]
            if isinstance(error, LookupError):
                what = "an instruction of its pickle finds nothing to work on"
            raise damaged(what) from None

    # ---- the stack
    def pop(self) -> object:
        return self.stack.pop()

    def push(self, x: object) -> None:
        self.stack.append(x)

    def since_mark(self) -> list[object]:
        """What was pushed since the last mark, which is taken back."""
        items, self.stack = self.stack, self.marks.pop()
        return items

    @does(pickle.MARK)
    def mark(self) -> None:
        self.marks.append(self.stack)
        self.stack = []

    @does(pickle.POP)
    def drop(self) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self.since_mark()

    @does(pickle.POP_MARK)
    def drop_marked(self) -> None:
        self.since_mark()

    @does(pickle.DUP)
    def duplicate(self) -> None:
        self.push(self.stack[-1])

    @does(pickle.PROTO)
    def protocol(self) -> None:
        self.stream.take(1)

    @does(pickle.FRAME)
    def frame(self) -> None:
        if self.stream.number("<Q") > self.stream.left:
            raise damaged("it ends too early")

    # ---- the memo: numbers are given in order, so it is a list
    def _remember(self, i: int) -> None:
        if i > self.steps:
            raise damaged(f"it has {self.steps} objects and gives one the number {i}")
        while i >= len(self.memo):
            self.memo.append(_NOTHING)
        self.memo[i] = self.stack[-1]

    def _recall(self, i: int) -> None:
        x = self.memo[i]
        if x is _NOTHING:
            raise damaged(f"it has no object of the number {i}")
        self.push(x)

    @does(pickle.BINPUT)
    def put1(self) -> None:
        self._remember(self.stream.take(1)[0])

    @does(pickle.LONG_BINPUT)
    def put4(self) -> None:
        self._remember(self.stream.number("<I"))

    @does(pickle.PUT)
    def put_text(self) -> None:
        self._remember(_index(self.stream.line()))

    @does(pickle.MEMOIZE)
    def memoize(self) -> None:
        self._remember(len(self.memo))

    @does(pickle.BINGET)
    def get1(self) -> None:
        self._recall(self.stream.take(1)[0])

    @does(pickle.LONG_BINGET)
    def get4(self) -> None:
        self._recall(self.stream.number("<I"))

    @does(pickle.GET)
    def get_text(self) -> None:
        self._recall(_index(self.stream.line()))

    # ---- containers
    def _tuple(self, items: list[object]) -> None:
        made = tuple(items)
        inner = [self.depths.get(id(x), 0) for x in items if type(x) is tuple]
        if inner:
            depth = self.depths[id(made)] = 1 + max(inner)
            if depth > DEPTH:
                raise damaged(f"it is nested more than {DEPTH} deep")
        self.push(made)

    @does(pickle.EMPTY_TUPLE)
    def tuple0(self) -> None:
        self.push(())

    @does(pickle.TUPLE1)
    def tuple1(self) -> None:
        self._tuple([self.pop()])

    @does(pickle.TUPLE2)
    def tuple2(self) -> None:
        self._tuple([self.pop(), self.pop()][::-1])

    @does(pickle.TUPLE3)
    def tuple3(self) -> None:
        self._tuple([self.pop(), self.pop(), self.pop()][::-1])

    @does(pickle.TUPLE)
    def tuple_marked(self) -> None:
        self._tuple(self.since_mark())

    @does(pickle.EMPTY_LIST)
    def list0(self) -> None:
        self.push([])

    @does(pickle.LIST)
    def list_marked(self) -> None:
        self.push(self.since_mark())

    @does(pickle.EMPTY_DICT)
    def dict0(self) -> None:
        self.push({})

    @does(pickle.DICT)
    def dict_marked(self) -> None:
        items = self.since_mark()
        self.push({})
        self._set_items(items)

    @does(pickle.EMPTY_SET)
    def set0(self) -> None:
        self.push(set())

    @does(pickle.FROZENSET)
    def frozenset_marked(self) -> None:
        items = self.since_mark()
        allowed.find("builtins", "frozenset", self.weights_only)
        self.push(frozenset(self.guard.set(items)))

    @does(pickle.ADDITEMS)
    def add_items(self) -> None:
        items = self.since_mark()
        if type(x := self.stack[-1]) is not set:
            raise damaged(f"elements of a set are added to a {type(x).__name__}")
        self.guard.set(items, x)

    @does(pickle.APPEND)
    def append(self) -> None:
        self._extend([self.pop()])

    @does(pickle.APPENDS)
    def appends(self) -> None:
        self._extend(self.since_mark())

    def _extend(self, items: list[object]) -> None:
        x = self.stack[-1]
        if type(x) is not list and type(x) is not deque:
            raise damaged(f"Can only append to lists, but got {type(x)}")
        x.extend(items)

    @does(pickle.SETITEM)
    def set_item(self) -> None:
        value, key = self.pop(), self.pop()
        self._set_items([key, value])

    @does(pickle.SETITEMS)
    def set_marked(self) -> None:
        self._set_items(self.since_mark())

    def _set_items(self, items: list[object]) -> None:
        x = self.stack[-1]
        if not isinstance(x, dict) or type(x) not in _DICTS:
            raise damaged(f"Can only set items of dicts, but got {type(x)}")
        if len(items) % 2:
            raise damaged("a key in it has no value")
        self.guard.dict(x, zip(items[::2], items[1::2], strict=True))

    # ---- names, and what is made by them
    @does(pickle.GLOBAL)
    def name(self) -> None:
        module, name = self.stream.line().decode(), self.stream.line().decode()
        self._find(*allowed.of_python3(module, name))

    @does(pickle.STACK_GLOBAL)
    def name_on_stack(self) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise damaged("a name in it is no text")
        self._find(module, name)

    def _find(self, module: str, name: str) -> None:
        found, users = allowed.find(module, name, self.weights_only)
        if users:
            self.users[id(found.value)] = found.value
        elif found.call is not None:
            self.calls[id(found.value)] = found.call
        if found.own:
            self.own.add(id(found.value))
        self.push(found.value)

    @does(pickle.REDUCE)
    def call(self) -> None:
        args, function = self.pop(), self.pop()
        if type(args) is not tuple:
            raise damaged("a function is called with what is no tuple")
        call = self.calls.get(id(function))
        if call is not None:
            self.push(call(self.guard, *args))
        elif id(function) in self.users and callable(function):
            with self._outside():
                self.push(function(*args))
        else:
            raise refused(f"Trying to call reduce for unrecognized function {brief(function)}")

    @does(pickle.NEWOBJ)
    def new_object(self) -> None:
        args, kind = self.pop(), self.pop()
        if type(args) is not tuple:
            raise damaged("an object is made with what is no tuple")
        call = self.calls.get(id(kind))
        if call is not None:
            self.push(call(self.guard, *args))
        elif id(kind) in self.users and isinstance(kind, type):
            with self._outside():
                self.push(kind.__new__(kind, *args))
        elif isinstance(kind, type) and issubclass(kind, Module):
            self.modules.append(modules.make(kind, *args))
            self.push(self.modules[-1])
        else:
            raise refused(
                "Can only create new object for nn.Parameter or classes allowlisted via "
                f"`add_safe_globals` but got {brief(kind)}"
            )

    @contextmanager
    def _outside(self) -> Iterator[None]:
        """In the block the caller's own code runs, whose errors pass through unchanged."""
        self.outside = True
        yield
        self.outside = False

    @does(pickle.BUILD)
    def build(self) -> None:
        state, x = self.pop(), self.stack[-1]
        if isinstance(x, rebuild.HalfMade):
            self._replace(x, rebuild.build_np(self.guard, x, state))
        elif type(x) is OrderedDict or type(x) is Parameter or type(x) in _NAMESPACES:
            if isinstance(state, dict):
                self.guard.pay(len(state))
            if not isinstance(state, dict) or not all(type(k) is str for k in state):
                raise damaged("the attributes of an object are no dict of names")
            vars(x).update(state)
        elif type(x) is functools.partial:
            _set_state(x, state)
        elif self._sets_itself(x):
            with self._outside():
                _set_state(x, state)
        elif isinstance(x, Module):
            modules.restore(x, state)
        else:
            raise refused(
                "Can only build Tensor, Parameter, OrderedDict or types allowlisted via "
                f"`add_safe_globals`, but got {type(x)}"
            )

    def _sets_itself(self, x: object) -> bool:
        """Is it an object whose class, the caller's, takes a state as it likes?"""
        if isinstance(x, Module):
            return not modules.is_ours(x)
        return id(type(x)) in self.own or id(type(x)) in self.users

    def _replace(self, half: object, made: object) -> None:
        """Put the finished object where the half-made one stands: on the stack and in the memo."""
        self.stack[-1] = made
        for i in reversed(range(max(len(self.memo) - 50, 0), len(self.memo))):
            if self.memo[i] is half:
                self.memo[i] = made
                return

    @does(pickle.BINPERSID)
    def persistent(self) -> None:
        pid = self.pop()
        with self._outside():
            self.push(self.storage(pid))


def _set_state(x: object, state: object) -> None:
    """The state of an object of a class that the user allowed, as `pickle` sets it."""
    restore = getattr(x, "__setstate__", None)
    if restore is not None:
        restore(state)
        return
    slots = None
    if isinstance(state, tuple) and len(state) == 2:
        state, slots = state
    if isinstance(state, dict):
        vars(x).update(state)
    if isinstance(slots, dict):
        for name, value in slots.items():
            setattr(x, name, value)


def _index(text: bytes) -> int:
    i = parsed(int, text)
    if i < 0:
        raise damaged(f"a number of an object is {i}")
    return int(i)
