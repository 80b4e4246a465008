"""What a user's code says: the names of globals, attributes and modules that it reads, whose code
it is, and what it does with a result."""
from __future__ import annotations

import dis
import os
import sys
import sysconfig
from functools import cache, lru_cache
from types import CodeType, FunctionType, ModuleType

from ..graph.source import is_library, user_frame
from ..nn.module import Module

_INSTALLED = tuple({sysconfig.get_paths()[k] for k in ("stdlib", "purelib", "platlib")})
# what reads attributes whose names are no part of a function's text
BY_NAME = frozenset(
    "getattr hasattr vars __dict__ attrgetter methodcaller dir __getattribute__ __match_args__ "
    "getmembers asdict astuple fields replace copy deepcopy dump dumps format format_map".split()
)
_MATCHES = dis.opmap["MATCH_CLASS"]
# what a function's text says is found once: recordings ask it of hundreds of ours
_once = lru_cache(maxsize=1 << 13)
# bases that read no attributes of a user's class
_PLAIN = frozenset({"object", "Generic", "Protocol", "ABC"})


@_once
def _named_in(code: CodeType, *instructions: str) -> frozenset[str]:
    """What some instructions of a function's code, and of that of functions in it, name."""
    found = frozenset(i.argval for i in dis.get_instructions(code) if i.opname in instructions)
    return found.union(
        *[_named_in(x, *instructions) for x in code.co_consts if isinstance(x, CodeType)]
    )


def globals_of(code: CodeType) -> frozenset[str]:
    """The global names that a function reads."""
    return _named_in(code, "LOAD_GLOBAL", "LOAD_NAME")


def attributes_of(code: CodeType) -> frozenset[str]:
    """The attributes that a function reads, of whatever."""
    return _named_in(code, "LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR", "IMPORT_FROM")


def imported_by(code: CodeType) -> frozenset[str]:
    """The modules that a function imports."""
    return _named_in(code, "IMPORT_NAME")


@_once
def names_of(code: CodeType) -> frozenset[str]:
    """The names of globals and attributes in a function's code, and in that of functions in it.

    ``__init__`` may be that of an object that was there before, so what it only writes is left out.
    """
    found = set(code.co_names)
    if code.co_name == "__init__":
        listed = dis.get_instructions(code)
        found &= {i.argval for i in listed if type(i.argval) is str and i.opname != "STORE_ATTR"}
    for x in code.co_consts:
        if isinstance(x, CodeType):
            found |= names_of(x)
    if _MATCHES in code.co_code[::2]:  # each instruction is two bytes
        found.add("__match_args__")
    return frozenset(found)


def is_users_code(code: CodeType) -> bool:
    """Is it a user's code: neither the package's nor an installed one's?"""
    file = code.co_filename
    if file not in is_library:
        user_frame(sys._getframe())  # knows its own file
    ours = is_library.get(file, f"{os.sep}microtorch{os.sep}" in file and "programs" not in file)
    return not ours and not file.startswith(_INSTALLED) and "site-packages" not in file


def is_users(module: ModuleType | None) -> bool:
    """Is it a user's module?"""
    if module is None:
        return True
    file = vars(module).get("__file__")
    if file is None:  # made by a program, typed in, or part of Python
        return module.__name__ not in sys.builtin_module_names and (
            vars(module).get("__spec__") is None
        )
    package = module.__name__.partition(".")[0]
    return package != "microtorch" and not file.startswith(_INSTALLED)


def read_by_bases(cls: type) -> frozenset[str] | None:
    """The attributes of a user's class that others than a user's functions may read: what a Module
    reads of itself. None: they are unknown, as the class is no user's, or has other bases."""
    bases = [c for c in cls.__mro__ if not is_users(sys.modules.get(c.__module__))]
    if cls in bases or not (issubclass(cls, Module) or {c.__name__ for c in bases} <= _PLAIN):
        return None
    return frozenset().union(*[_read_by(c) for c in bases if c.__name__ not in _PLAIN])


@cache
def _read_by(base: type) -> frozenset[str]:
    """The names of a class of the package, and those that its functions read."""
    functions = [f for f in vars(base).values() if isinstance(f, FunctionType)]
    return frozenset(vars(base)).union(*[names_of(f.__code__) for f in functions])


# how many values at the top of the stack an instruction reads, at most; a call, its arguments, too
_READS = {
    "KW_NAMES": 0, "PUSH_NULL": 0, "LOAD_ATTR": 1, "LOAD_METHOD": 1,
    "LOAD_SUPER_ATTR": 3, "COMPARE_OP": 2, "CALL": 2, "CALL_KW": 3,
    "CALL_METHOD": 2, "CALL_FUNCTION": 1, "CALL_FUNCTION_KW": 2, "BINARY_SLICE": 3,
    "BUILD_SLICE": 3,
}  # fmt: skip
_OTHERS = {"LOAD": 0, "UNARY": 1, "BINARY": 2}  # by the first word of their names
_PUTS = {"BUILD_TUPLE": (1, 0), "BUILD_LIST": (1, 0), "BUILD_CONST_KEY_MAP": (1, 1),
         "BUILD_MAP": (2, 0)}  # values for each of what is put together, and more of them above


@_once
def only_returned(code: CodeType, offset: int) -> bool:
    """Does a function return the result of the call at ``offset`` and do nothing else with it?

    It may stand in tuples, lists and dicts. Followed is how many values lie above it on the stack;
    an instruction that is not known here is taken to read it.
    """
    above = 0
    for i in dis.get_instructions(code):
        name, count = i.opname, i.arg or 0
        if i.offset <= offset or name in ("CACHE", "PRECALL"):
            continue
        if name == "RETURN_VALUE":
            return not above
        if name in _PUTS:
            times, more = _PUTS[name]
            if times * count + more > above:
                if above < more or (times == 2 and above % 2):  # it is a key
                    return False
                above = 0  # from now on, what it has been put into
                continue
        else:
            called = name.startswith("CALL")
            reads = _READS.get(name, _OTHERS.get(name.partition("_")[0], above + 1))
            reads += count * called
            if reads > above:
                return False
            if called:
                above += 1 - reads
                continue
        above += dis.stack_effect(i.opcode, i.arg)
    return False
