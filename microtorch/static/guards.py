"""What a program was recorded under, in Python: the numbers and objects that a function may read.

A recording bakes in every Python value that the function read: a global, a cell of a closure, an
attribute of an object, an element of a list. ``Watch`` walks from the function to all of them, and
``changed`` says whether one is another now. The walk follows the user's functions and classes,
modules of layers, optimizers, lists and dicts; it does not follow installed packages. Of an object
of a user's class those attributes count that one of the functions names (code_names.py); of modules
and classes of the package, too, whose functions a program may have replaced.
"""
from __future__ import annotations

import abc
import functools
import gc
import os
import re
import sys
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
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
from .compared import SIMPLE, UNWATCHED, Compared, counted, is_simple
from .unseen import Registered, is_function, unseen_name, why_unseen
from .watched import (
    Has,
    Slots,
    TooMuch,
    Unnamed,
    Unwatchable,
    contents_of,
    hides,
    inner_of,
)

if TYPE_CHECKING:
    from ..base.types import Operand

CONTAINERS = (list, tuple, dict, set, frozenset)
MOST = 50_000  # values that are watched at most
# a BackendTable remembers what it looked up: it grows when an op first runs on another device
_FIXED = (Handle, Node, np.dtype, CodeType, BackendTable)
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

# and with which it may ask an abstract class, which other classes it is told to be the base of
ASKING_FOR_CLASSES = frozenset({"isinstance", "issubclass", "__match_args__"})

OF_C = (BuiltinFunctionType, MethodWrapperType)
METHODS = (FunctionType, property, classmethod, staticmethod)
_tuplegetter = type(vars(Site)["file"])  # of a field of a named tuple
_STATELESS = (
    range, slice, type(Ellipsis), type(NotImplemented), np.ufunc, np.generic, re.Pattern,
    WrapperDescriptorType, MethodDescriptorType, GetSetDescriptorType, MemberDescriptorType,
    ClassMethodDescriptorType, CellType, _tuplegetter, type(Lock()),
    type(RLock()),
)  # fmt: skip


class Watch(Compared):
    """The Python values that the functions in ``roots`` may read, as they are now."""

    def __init__(self, *roots: Operand):
        super().__init__()
        self.scalars: list[Operand] = []  # that it can reach
        self.tensors: dict[int, Handle] = {}  # that have, or may get, a gradient
        self.reached: dict[int, Handle] = {}  # all tensors
        # arguments that are gradients: their places, and of which tensors, or arguments
        self.gradients: list[tuple[int, Tensor | int]] = []
        self.abstract = False  # does it name an abstract class?
        self.seen: set[int] = set()
        self.names: set[str] = set()  # of globals and attributes, in the user's functions
        self.speaks_of_rates = False  # does a function name "lr": may it read a learning rate?
        self.kept: list[Operand] = []  # so that no id is used twice
        self.unnamed: list[tuple[Operand, set[str]]] = []  # attributes that no function names yet
        self.ordered: set[int] = set()  # the ids of those whose order is watched
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
        if self.abstract and self.names & ASKING_FOR_CLASSES:
            self.items.append((Registered(), "register", abc.get_cache_token()))
        self.reached = self.tensors
        if not self.names & ASKING_FOR_GRADIENT:
            self.tensors = {
                i: t for i, t in self.tensors.items()
                if t.node.needs or t.node.grad is not None or isinstance(t, Parameter)
            }
        self.replaceable()

    def visit(self, x: Operand) -> Iterator[Operand]:
        """Watch what ``x`` holds; yields what is to be visited next."""
        if isinstance(x, Node) and not isinstance(x, Handle) and x.dev is None:
            self.scalars.append(x)
            return
        if isinstance(x, Tensor) and x.is_sparse:
            raise Unwatchable("it can reach a sparse tensor")
        if is_function(x):
            self.asks(x.__name__, x)
        if is_simple(x) or isinstance(x, _FIXED) or id(x) in self.seen:
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
        elif isinstance(x, OF_C):  # of a list's method, the list
            if not isinstance(x.__self__, ModuleType) and type(x.__self__).__name__ != "PyCapsule":
                yield x.__self__  # a capsule is the package's (native.py)
        elif isinstance(x, MethodType):
            yield x.__self__
            yield x.__func__
        elif isinstance(x, (list, tuple, dict, set, frozenset)):
            yield from self.contents(x)
        elif isinstance(x, np.ndarray):
            if x.nbytes > 1 << 20:
                raise TooMuch("it can reach a large numpy array: make it a tensor")
            self.copies.append((x, contents_of(x)))
            yield from x.ravel().tolist() if x.dtype.hasobject else ()
        elif isinstance(x, ref):
            if x() is not None:  # to watch it would be to keep it alive
                raise Unwatchable("it can reach a weak reference, whose object may die")
        elif isinstance(x, functools._lru_cache_wrapper):
            yield from self.cached(x)
        elif isinstance(x, type):
            self.abstract |= isinstance(x, abc.ABCMeta)
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
        names, users = names_of(f.__code__), is_users_code(f.__code__)

        # what the package holds of C is its own, and who holds its function lives (`step` of an
        # optimizer that a schedule has been made for, until it is called)
        def seen(x: Operand) -> Operand:
            return None if isinstance(x, (*OF_C, ref)) and not users else x

        for cell in f.__closure__ or ():
            try:
                value = cell.cell_contents
            except ValueError:  # empty as yet
                continue
            self.cells.append((cell, value))
            yield seen(value)
            yield from self.module(value, names)
        if not users:
            yield from map(seen, (*(f.__defaults__ or ()), *(f.__kwdefaults__ or {}).values()))
            return
        yield f.__defaults__
        yield f.__kwdefaults__
        if set(vars(f)) - {"__wrapped__"}:
            yield vars(f)
        for name in ("__code__", "__defaults__", "__kwdefaults__"):  # all may be replaced
            if getattr(f, name):
                yield from self.item(Slots(f, (name,)), name)
        if why := unseen_name(f):
            raise Unwatchable(why)
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
            there = name in sys.modules
            yield from self.item(sys.modules if there else Has(sys.modules), name)
            yield from self.module(sys.modules.get(name), names)

    def module(
        self, x: Operand, names: frozenset[str], above: tuple[ModuleType, ...] = ()
    ) -> Iterator[Operand]:
        """The names of a module that a function uses, and of those in it; ``above``: in which."""
        if not isinstance(x, ModuleType) or x in above:
            return
        users, ours = is_users(x), x.__name__.partition(".")[0] in ("microtorch", "numpy")
        if x is sys and "modules" in names:
            raise Unnamed("it uses 'sys.modules', which gives modules that it does not name")
        if x is os and "getenv" in names:
            names |= {"environ"}
        named = {name for name in names if name in vars(x)}
        if users and names & BY_NAME:  # it may name what is not in its text
            named = {*vars(x)}
            self.sizes.append((vars(x), len(named)))
        if users and "__getattr__" in vars(x):
            named.add("__getattr__")
        for name in sorted(named):
            value = vars(x)[name]
            self.asks(name, value)
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

    def asks(self, name: str, x: Operand) -> None:
        """Refuse what asks the world outside; note what asks an abstract class."""
        if why := why_unseen(name, x):
            raise Unwatchable(why)
        self.abstract |= isinstance(x, abc.ABCMeta)

    def cached(self, x: Operand) -> Iterator[Operand]:
        """What ``functools.cache`` has kept of the results of a function."""
        for kept in gc.get_referents(x):
            if type(kept) is dict and kept is not vars(x):
                for key, value in kept.items():
                    self.items.append((kept, key, value))
                    # a cache with a limit puts an object of C's around key and result
                    plain = type(value).__name__ != "_lru_list_elem"
                    yield value if plain else gc.get_referents(value)

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
            if not type(x).__module__.startswith("microtorch."):
                self.unnamed.append((held, set()))
            return
        hidden = "_" if isinstance(x, Module) else "__"
        unnamed = {k for k in names if k not in read and not (_special(k) or k.startswith(hidden))}
        yield from self.mapping(held, names, {*unread, *unnamed})
        self.unnamed.append((held, unnamed))

    def named_by_now(self) -> Iterator[Operand]:
        """Attributes that a function names which has been visited since they were found."""
        every = bool(self.names & BY_NAME)
        for held, left in self.unnamed:
            if every and not isinstance(held, Slots) and id(held) not in self.ordered:
                self.ordered.add(id(held))
                self.copies.append((held, contents_of(held)))
            for name in sorted(left if every else left & self.names):
                left.discard(name)
                yield from self.item(held, name)

    def replaceable(self) -> None:
        """What is called of the package's classes: by the user's functions, by operators and calls,
        and by the methods that these are, also of modules (``F.linear``). A program may replace it.
        """
        found: dict[int, tuple[Mapping[str, Operand], set[str]]] = {}
        for cls in (Tensor, Scalar, *self.classes):
            # the dict itself, as C can compare it
            held = [next(x for x in gc.get_referents(vars(c)) if type(x) is dict)
                    for c in cls.__mro__ if c is not object]  # fmt: skip
            names: set[str] = set()
            todo = {"forward", *self.names, *filter(_special, chain(*held))}
            while todo:
                names |= todo
                functions = [x[k] for x in held for k in todo & x.keys()]
                functions = [f for f in functions if isinstance(f, FunctionType)]
                for f in functions:
                    used = names_of(f.__code__)
                    for x in map(f.__globals__.get, globals_of(f.__code__)):
                        if isinstance(x, ModuleType) and x.__name__.startswith("microtorch."):
                            found.setdefault(id(vars(x)), (vars(x), set()))[1].update(used)
                todo = {*chain(*[names_of(f.__code__) for f in functions])} - names
            for x in held:
                self.sizes.append((x, counted(x)))  # a name that hides one of a base is new
                found.setdefault(id(x), (x, set()))[1].update(names)
        for x, names in found.values():
            for name in sorted(names & x.keys()):
                plain = not _special(name) or isinstance(x[name], METHODS)
                if plain and type(x[name]).__name__ != "Promised":  # is not made before it is used
                    self.items.append((x, name, x[name]))

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
        if isinstance(x, set) or (isinstance(x, dict) and len(x) > 1):
            self.copies.append((x, contents_of(x)))
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
            self.sizes.append((x, counted(x)))
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
        elif isinstance(x, _STATELESS) or type(x) is object or inner_of(x) is not None:
            return
        elif any("__slots__" in vars(c) for c in type(x).__mro__):
            names = [n for c in type(x).__mro__ for n in vars(c).get("__slots__", ())]
            yield from self.attributes(x, Slots(x, tuple(n for n in names if n != "__weakref__")))
        else:
            raise Unwatchable(
                f"it can reach an object whose state cannot be watched, a {type(x).__name__}"
            )


def _special(key: Operand) -> bool:
    return isinstance(key, str) and key.startswith("__") and key.endswith("__")
