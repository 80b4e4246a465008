"""What a program was recorded under, in Python: the numbers and objects that a function may read.

A recording bakes in every Python value that the function read: a global, a cell of a closure, an
attribute of an object, an element of a list. ``Watch`` walks from the function to all of them, and
``changed`` says whether one is another now. The walk follows the user's functions and classes,
modules of layers, optimizers, lists and dicts; it does not follow installed packages. Of an object
of a user's class those attributes count that one of the functions names (code_names.py); of modules
and classes of the package, too, whose functions a program may have replaced.
"""
from __future__ import annotations

import gc
import os
import re
import sys
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from operator import is_
from threading import Lock, RLock
from types import (
    BuiltinFunctionType,
    CellType,
    ClassMethodDescriptorType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
    SimpleNamespace,
    WrapperDescriptorType,
)
from typing import TYPE_CHECKING
from weakref import ref

import numpy as np

from ..backends.table import BackendTable
from ..engine.handle import Handle
from ..graph import Node, Site
from ..handles.scalar import Scalar
from ..handles.tensor import Tensor
from ..nn.module import Module
from ..nn.parameter import Parameter
from .code_names import (
    BY_NAME,
    globals_of,
    imported_by,
    is_users,
    is_users_code,
    names_of,
    read_by_bases,
)
from .same import EQUAL
from .watched import (
    UNSEEN,
    Has,
    Slots,
    TooMuch,
    Unnamed,
    Unwatchable,
    grouped,
    hides,
    holds,
    inner_of,
    is_other,
)

if TYPE_CHECKING:
    from ..base.types import Operand
    from .same import Rows
    from .watched import Group, Item

SIMPLE = (bool, int, float, complex, str, bytes, type(None))
CONTAINERS = (list, tuple, dict, set, frozenset)
# attributes of functions and classes that are words in their memory
WORDS = frozenset({"__class__", "__code__", "__defaults__", "__kwdefaults__", "__bases__"})
MOST = 50_000  # values that are watched at most
# a BackendTable remembers what it looked up: it grows when an op first runs on another device
_FIXED = (BuiltinFunctionType, Handle, Node, np.dtype, CodeType, BackendTable)
# what the package counts for itself, and no program reads
UNWATCHED = frozenset({"_opt_called", "_step_count"})
# what no call of a module reads whose `_hooked` is False: every hook that is registered sets it
UNHOOKED = frozenset(
    "_forward_hooks _forward_pre_hooks _forward_hooks_with_kwargs _forward_pre_hooks_with_kwargs "
    "_forward_hooks_always_called _backward_hooks "
    "_backward_pre_hooks _non_persistent_buffers_set _scope_label".split()
)
# names with which a function may ask of any tensor whether it has, or gets, a gradient
ASKING_FOR_GRADIENT = frozenset(
    "requires_grad requires_grad_ is_leaf grad grad_fn retains_grad retain_grad".split()
)

METHODS = (FunctionType, property, classmethod, staticmethod)
_tuplegetter = type(vars(Site)["file"])  # of a field of a named tuple
_STATELESS = (
    range, slice, type(Ellipsis), type(NotImplemented), np.ufunc, np.generic, ref, re.Pattern,
    WrapperDescriptorType, MethodDescriptorType, GetSetDescriptorType, MemberDescriptorType,
    ClassMethodDescriptorType, MethodWrapperType, CellType, _tuplegetter, type(Lock()),
    type(RLock()),
)  # fmt: skip


class Watch:
    """The Python values that the functions in ``roots`` may read, as they are now."""

    def __init__(self, *roots: Operand):
        self.items: list[Item] = []
        self.single: list[Item] = []  # those that are alone in their container
        self.groups: list[Group] | None = None  # the others, by container
        self.cells: list[tuple[CellType, Operand]] = []
        self.sizes: list[tuple[Operand, int]] = []
        self.sized: list[Operand] = []  # of which containers
        self.lengths: list[int] = []  # theirs when they were last found to be right
        self.copies: list[tuple[Operand, Operand]] = []  # arrays and sets, and what they held
        self.scalars: list[Operand] = []  # that it can reach
        self.tensors: dict[int, Handle] = {}  # that have, or may get, a gradient
        self.seen: set[int] = set()
        self.names: set[str] = set()  # of globals and attributes, in the user's functions
        self.speaks_of_rates = False  # does a function name "lr": may it read a learning rate?
        self.kept: list[Operand] = []  # so that no id is used twice
        self.unnamed: list[tuple[Operand, set[str]]] = []  # attributes that no function names yet
        self.classes: dict[type, None] = {}  # of the package
        todo = [*roots]
        try:
            while todo:
                while todo:
                    todo.extend(self.visit(todo.pop()))
                todo.extend(self.named_by_now())
        except (TooMuch, Unwatchable):
            raise
        except Exception as e:  # of a property, say, or a __getattr__
            raise Unwatchable(
                f"it can reach an object that raises {type(e).__name__} when it is asked what it is"
            ) from e
        if not self.names & ASKING_FOR_GRADIENT:
            self.tensors = {
                i: t for i, t in self.tensors.items()
                if t.node.needs or t.node.grad is not None or isinstance(t, Parameter)
            }
        for cls in (Tensor, Scalar, *self.classes):
            self.methods(cls)

    def visit(self, x: Operand) -> Iterator[Operand]:
        """Watch what ``x`` holds; yields what is to be visited next."""
        if isinstance(x, Node) and not isinstance(x, Handle) and x.dev is None:
            self.scalars.append(x)
            return
        if isinstance(x, Tensor) and x.is_sparse:
            raise Unwatchable("it can reach a sparse tensor")
        if isinstance(x, (*SIMPLE, *_FIXED)) or id(x) in self.seen:
            if isinstance(x, Handle) and x.node.dev is not None:
                self.tensors[id(x)] = x
            if isinstance(x, Handle) and getattr(x, "__dict__", None):
                yield vars(x)
            return
        self.seen.add(id(x))
        self.kept.append(x)
        if len(self.items) > MOST:
            raise TooMuch(f"it can reach more than {MOST} Python values")
        yield inner_of(x)
        if isinstance(x, FunctionType):
            yield from self.function(x)
        elif isinstance(x, MethodType):
            yield x.__self__
            yield x.__func__
        elif isinstance(x, (list, tuple, dict, set, frozenset)):
            yield from self.contents(x)
        elif isinstance(x, np.ndarray):
            if x.nbytes > 1 << 20:
                raise TooMuch("it can reach a large numpy array: make it a tensor")
            self.copies.append((x, x.copy()))
        elif isinstance(x, ref):
            yield x()
        elif isinstance(x, type):
            if is_users(sys.modules.get(x.__module__)):
                yield from self.attributes(x, vars(x))
                yield from self.item(Slots(x, ("__bases__",)), "__bases__")
                yield type(x)
            elif x.__module__.startswith("microtorch."):
                self.classes[x] = None
        elif isinstance(x, ModuleType):
            return  # the names that functions use of it are watched there
        else:
            yield from self.object(x)

    def function(self, f: FunctionType) -> Iterator[Operand]:
        """Its globals, the cells of its closure, its defaults; of a user's function only."""
        names = names_of(f.__code__)
        for cell in f.__closure__ or ():
            try:
                value = cell.cell_contents
            except ValueError:  # empty as yet
                continue
            self.cells.append((cell, value))
            yield value
            yield from self.module(value, names)
        yield f.__defaults__
        yield f.__kwdefaults__
        if not is_users_code(f.__code__):
            return
        if set(vars(f)) - {"__wrapped__"}:
            yield vars(f)
        for name in ("__code__", "__defaults__", "__kwdefaults__"):  # all may be replaced
            if getattr(f, name):
                yield from self.item(Slots(f, (name,)), name)
        if asked := sorted(names & UNSEEN.keys() - f.__globals__.keys()):
            raise Unwatchable(f"it uses {asked[0]!r}, {UNSEEN[asked[0]]}")
        self.names |= names
        if "lr" in f.__code__.co_consts or "param_groups" in self.names:
            self.speaks_of_rates = True
        for name in globals_of(f.__code__):
            if name in f.__globals__:
                yield from self.item(f.__globals__, name)
                yield from self.module(f.__globals__[name], names)
            else:  # a built-in function's, or no name as yet
                yield from self.item(Has(f.__globals__), name)
        for name in imported_by(f.__code__):
            yield from self.module(sys.modules.get(name), names)

    def module(
        self, x: Operand, names: set[str], above: tuple[ModuleType, ...] = ()
    ) -> Iterator[Operand]:
        """The names of a module that a function uses, and of those in it; ``above``: in which."""
        if not isinstance(x, ModuleType) or x in above:
            return
        users, ours = is_users(x), x.__name__.partition(".")[0] in ("microtorch", "numpy")
        if x is sys and "modules" in names:
            raise Unnamed("it uses 'sys.modules', which gives modules that it does not name")
        if x is os and "getenv" in names:
            names = {*names, "environ"}
        named = names & vars(x).keys()
        if users and names & BY_NAME:  # it may name what is not in its text
            named = {*vars(x)}
            self.sizes.append((vars(x), len(named)))
        if users and "__getattr__" in vars(x):
            named.add("__getattr__")
        for name in sorted(named):
            value = vars(x)[name]
            if isinstance(value, ModuleType):
                yield from self.module(value, names, (*above, x))
            if users or (isinstance(value, FunctionType) and is_users_code(value.__code__)):
                yield from self.item(vars(x), name)
            elif isinstance(value, (*SIMPLE, SimpleNamespace)) or (
                isinstance(value, (list, dict, set, os._Environ)) and not ours
            ):  # fmt: skip
                yield from self.item(vars(x), name)
            elif callable(value) or isinstance(value, ModuleType):  # it may be replaced
                self.items.append((vars(x), name, value))

    def attributes(
        self, x: Operand, held: Mapping[str, Operand] | Slots, unread: Collection[str] = ()
    ) -> Iterator[Operand]:
        """Those of an object, or a class, that are named somewhere; all, if that is not known."""
        read = read_by_bases(x if isinstance(x, type) else type(x))
        if not isinstance(x, type):
            self.items.append((Slots(x, ()), "__class__", type(x)))
        names = held.names if isinstance(held, Slots) else held
        if read is None:
            yield from self.mapping(held, names, unread)
            return
        hidden = "_" if isinstance(x, Module) else "__"
        unnamed = {k for k in names if k not in read and not (_special(k) or k.startswith(hidden))}
        yield from self.mapping(held, names, {*unread, *unnamed})
        self.unnamed.append((held, unnamed))

    def named_by_now(self) -> Iterator[Operand]:
        """Attributes that a function names which has been visited since they were found."""
        every = bool(self.names & BY_NAME)
        for held, left in self.unnamed:
            for name in sorted(left if every else left & self.names):
                left.discard(name)
                yield from self.item(held, name)

    def methods(self, cls: type) -> None:
        """What the functions name of a class of the package, which a program may replace."""
        names = self.names | {"forward"}
        above: list[Mapping[str, Operand]] = []
        for c in cls.__mro__:
            # the dict itself, as C can compare it
            held = next(x for x in gc.get_referents(vars(c)) if type(x) is dict)
            for name in sorted(names & held.keys()):
                if type(held[name]).__name__ != "Promised":  # is not made before it is used
                    self.items += [(Has(x), name, False) for x in above if name not in x]
                    self.items.append((held, name, held[name]))
            above.append(held)

    def item(self, container: Operand, key: Operand) -> Iterator[Operand]:
        if key not in UNWATCHED:
            self.items.append((container, key, container[key]))
            yield container[key]

    def contents(self, x: Operand) -> Iterator[Operand]:
        """What a list, tuple, dict or set holds; and what its class makes of it, if that is
        another."""
        if isinstance(x, list):
            self.sizes.append((x, len(x)))
            for i in range(len(x)):
                yield from self.item(x, i)
        elif isinstance(x, dict):
            yield from self.mapping(x, x)
        if isinstance(x, (set, frozenset)):
            self.copies.append((x, set(x)))
        if not isinstance(x, list):  # the keys of a dict, too
            yield from [y for y in x if not isinstance(y, SIMPLE)]
        if type(x) not in CONTAINERS:
            yield type(x)
            yield x.default_factory if isinstance(x, defaultdict) else None
            if getattr(x, "__dict__", None):
                yield from self.attributes(x, vars(x))

    def mapping(
        self, x: Operand, names: Iterable[str], unread: Collection[str] = ()
    ) -> Iterator[Operand]:
        """What a dict, or the slots of an object, hold under those names that are not unread."""
        if isinstance(x, (dict, MappingProxyType)):  # the latter is a class's
            self.sizes.append((x, len([k for k in x if k not in UNWATCHED])))
        for key in [k for k in names if k not in unread]:
            if not _special(key) or isinstance(x[key], METHODS):
                yield from self.item(x, key)

    def object(self, x: Operand) -> Iterator[Operand]:
        """An object's attributes, and the functions of its class."""
        yield type(x)
        if isinstance(x, (staticmethod, classmethod)):
            yield x.__func__
        elif isinstance(x, property):
            yield x.fget
        elif type(x).__module__.startswith(__package__) and inner_of(x) is not None:
            return  # a compiled function in another
        elif isinstance(x, partial):
            yield (x.func, x.args, x.keywords)
        elif isinstance(getattr(x, "__dict__", None), dict) and not hides(type(x)):
            plain = isinstance(x, Module) and not x._hooked
            yield from self.attributes(x, vars(x), UNHOOKED if plain else ())
        elif isinstance(x, _STATELESS) or inner_of(x) is not None:
            return
        elif any("__slots__" in vars(c) for c in type(x).__mro__):
            names = [n for c in type(x).__mro__ for n in vars(c).get("__slots__", ())]
            yield from self.attributes(x, Slots(x, tuple(n for n in names if n != "__weakref__")))
        else:
            raise Unwatchable(
                f"it can reach an object whose state cannot be watched, a {type(x).__name__}"
            )

    def changed(self) -> str:
        """The name of a value that is another now, or ""."""
        if self.groups is None:
            self.single, self.groups = grouped(self.items)
            self.sized = [x for x, _ in self.sizes]
        for container, key, value in self.single:
            try:
                now = container[key]
            except (KeyError, IndexError):
                return _named(key)
            if now is not value and not same(now, value):
                return _named(key, value, now)
        for container, read, keys, values in self.groups:
            try:
                if all(map(is_, read(container), values)):  # as a rule
                    continue
                now = [container[key] for key in keys]
            except (KeyError, IndexError):
                return next(_named(k) for k in keys if not holds(container, k))
            for key, x, value in zip(keys, now, values, strict=True):
                if x is not value and not same(x, value):
                    return _named(key, value, x)
        for cell, value in self.cells:
            if cell.cell_contents is not value and not same(cell.cell_contents, value):
                return _named("a variable of an enclosing function", value, cell.cell_contents)
        return self.resized() or next(
            (f"a {type(x).__name__}" for x, held in self.copies if is_other(x, held)), ""
        )

    def resized(self) -> str:
        """Which container has another length now, or ""."""
        lengths = [*map(len, self.sized)]
        if lengths != self.lengths:
            for x, n in self.sizes:
                plain = not isinstance(x, (dict, MappingProxyType))
                if len(x) != n and (plain or len([k for k in x if k not in UNWATCHED]) != n):
                    return f"a {type(x).__name__}"
            self.lengths = lengths
        return ""

    def say(self, rows: Rows) -> None:
        """What C is to compare at each call. ValueError: it cannot compare some of it."""
        for x in self.sized:
            rows.size(x, len(x))
        for container, key, _ in self.items:
            if isinstance(container, Has) and type(container.x) is dict and not container[key]:
                rows.absent(container.x, key)
            elif key in WORDS and isinstance(container, Slots):
                rows.word(container.x, container[key])
            else:
                rows.item(container, key, container[key])
        for cell, _ in self.cells:
            rows.slot(cell, "content", cell.cell_contents)
        for x, held in self.copies:
            if type(held) is not set:
                raise ValueError("arrays are compared by Python")
            rows.row(EQUAL, x, 0, held)


def _special(key: Operand) -> bool:
    return isinstance(key, str) and key.startswith("__") and key.endswith("__")


def _named(key: Operand, *values: Operand) -> str:
    """A value by its key, and what it was and is, if these are numbers and the like."""
    name = repr(key) if isinstance(key, (str, int)) else "an element of a dict"
    name = name.strip("'") if " " in name else name
    if values and all(isinstance(x, SIMPLE) for x in values):
        name += f" ({repr(values[0])[:20]}, and then {repr(values[1])[:20]})"
    return name


def same(a: Operand, b: Operand) -> bool:
    """Are two Python values equal, and known to be for good?"""
    if type(a) is MethodType and type(b) is MethodType:
        return a.__self__ is b.__self__ and a.__func__ is b.__func__
    return type(a) is type(b) and isinstance(a, SIMPLE) and repr(a) == repr(b)
