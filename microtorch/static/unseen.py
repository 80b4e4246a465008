"""What a function may ask of the world outside, and no guard sees: it then runs as it is written.

Two calls may well get the same answer, and a later one another. So it is not the answer that
counts, but that the function names what gives it: a name, whoever has it (``NAMES``), or a function
of Python's own library (``WORLD``), under whatever name the user has it.
"""
from __future__ import annotations

import abc
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import TYPE_CHECKING

from .code_names import attributes_of, globals_of, is_users_code

if TYPE_CHECKING:
    from collections.abc import Collection

    from ..base.types import Operand

LIBRARY = "a setting of the library"
FILES = "which asks for files"
OTHERS = "which asks what other threads do"
CALLS = "which reads who calls"

# of globals and attributes
NAMES = {
    "open": "which reads a file",
    "_version": "a count that every write changes",
    **dict.fromkeys(
        ("initial_seed", "get_rng_state", "get_num_threads", "get_float32_matmul_precision",
         "are_deterministic_algorithms_enabled", "get_deterministic_debug_mode",
         "is_deterministic_algorithms_warn_only_enabled", "geterr", "geterrcall",
         "flash_sdp_enabled", "mem_efficient_sdp_enabled", "math_sdp_enabled", "cudnn_sdp_enabled"),
        f"which reads {LIBRARY}",
    ),
    **dict.fromkeys(
        ("set_printoptions", "set_num_threads", "use_deterministic_algorithms",
         "set_deterministic_debug_mode", "set_float32_matmul_precision", "set_autocast_dtype",
         "set_autocast_cpu_dtype", "set_autocast_cache_enabled", "set_default_device"),
        f"which changes {LIBRARY}",
    ),
    **dict.fromkeys(("storage_offset", "is_shared"), "which asks where memory lies"),
    **dict.fromkeys(
        ("exists", "is_file", "is_dir", "isfile", "isdir", "listdir", "iterdir", "glob", "rglob",
         "read_text", "read_bytes", "stat", "cwd"), FILES,
    ),
    **dict.fromkeys(("getcontext", "localcontext"), "which reads a setting of Python"),
    **dict.fromkeys(("now", "utcnow", "today"), "which reads the clock"),
    **dict.fromkeys(("default_rng", "RandomState", "Random", "SystemRandom"),
                    "which draws numbers of its own"),
    **dict.fromkeys(("_getframe", "_current_frames", "currentframe"), CALLS),
    **dict.fromkeys(("locked", "acquire"), OTHERS),
    **dict.fromkeys(("RecursionError", "MemoryError"), "which what is outside of it decides"),
    "cache_info": "which counts the calls",
    "__subclasses__": "which changes with each class that is made",
    "import_module": "which gives modules that are not in its text",
    "__import__": "which gives modules that are not in its text",
}  # fmt: skip

# the same, of functions of Python's own, as their names may well be attributes of the user's
BUILTINS = {
    "globals": "which gives names that are not in its text",
    "eval": "which runs a text", "exec": "which runs a text",
    "input": "which reads what is typed",
    **dict.fromkeys(("id", "hash"), "which asks where objects lie in memory"),
}

EVERY = frozenset({""})
COLLECTOR = "which asks of Python's collector, that rests while a call is recorded"
# functions by the module that has made them: which (EVERY: all but HARMLESS), and why
WORLD: dict[str, tuple[Collection[str], str]] = {
    "time": (EVERY, "which reads the clock"),
    **dict.fromkeys(("posix", "nt", "os"), (EVERY, "which asks the operating system")),
    **dict.fromkeys(("posixpath", "ntpath"),
                    (("abspath", "realpath", "expanduser", "expandvars", "lexists"), FILES)),
    **dict.fromkeys(("socket", "_socket", "subprocess", "tempfile", "secrets", "urllib.request"),
                    (EVERY, "which asks the world outside")),
    "numpy": (("load", "loadtxt", "genfromtxt", "fromfile"), FILES),
    **dict.fromkeys(("random", "numpy.random"),
                    (("seed", "setstate", "set_state"), "which sets random numbers going")),
    "uuid": (("uuid1", "uuid4", "getnode"), "which draws numbers of its own"),
    **dict.fromkeys(("_thread", "threading"), (
        ("get_ident", "get_native_id", "current_thread", "currentThread", "active_count",
         "enumerate", "_count"), OTHERS)),
    **dict.fromkeys(("multiprocessing.process", "asyncio.events", "_asyncio", "asyncio.tasks"),
                    (("current_process", "active_children", "get_event_loop", "get_running_loop",
                      "current_task", "all_tasks"), OTHERS)),
    "gc": (EVERY, COLLECTOR),
    "_weakref": (("getweakrefcount", "getweakrefs"), COLLECTOR),
    "sys": (("getrefcount", "getallocatedblocks", "getrecursionlimit", "getswitchinterval",
             "gettrace", "getprofile"),
            "which reads a setting of Python"),
    "inspect": (("stack", "trace", "getouterframes"), CALLS),
    "traceback": (("extract_stack", "format_stack", "walk_stack"), CALLS),
    "locale": (("getlocale", "localeconv", "setlocale"), "which reads a setting of Python"),
    "shutil": (("disk_usage", "which", "get_terminal_size"), FILES),
}  # fmt: skip
HARMLESS = frozenset(
    "sleep strptime mktime fspath fsencode fsdecode getenv collect enable disable freeze".split()
)


def is_function(x: Operand) -> bool:
    """Also numpy's, which Cython made."""
    return isinstance(x, (FunctionType, BuiltinFunctionType, MethodType)) or (
        type(x).__name__ == "cython_function_or_method"
    )


def why_unseen(name: str, x: Operand) -> str:
    """What a function that finds ``x`` under a name asks of the world, in words, or ""."""
    x = x.__func__ if isinstance(x, MethodType) else x
    if not is_function(x) or (isinstance(x, FunctionType) and is_users_code(x.__code__)):
        return ""
    if x.__module__ == "builtins" and x.__name__ in BUILTINS:
        return f"it uses {name!r}, {BUILTINS[x.__name__]}"
    names, why = WORLD.get(x.__module__ or "", ((), ""))
    if x.__name__ in HARMLESS or not (names is EVERY or x.__name__ in names):
        return ""
    return f"it uses {name!r}, {why}"


def unseen_name(f: FunctionType) -> str:
    """The first of a function's names that asks what no guard sees, in words, or ""."""
    asked = NAMES.keys() & attributes_of(f.__code__)
    every = NAMES | BUILTINS
    wanted = every.keys() - {f.__name__.strip("_")}  # what `__hash__` asks of hash() is equality
    for name in wanted & globals_of(f.__code__):  # which may be the user's own
        x = f.__globals__.get(name, print)
        users = isinstance(x, FunctionType) and is_users_code(x.__code__)
        if isinstance(x, (FunctionType, BuiltinFunctionType, type)) and not users:
            asked |= {name}
    return f"it uses {min(asked)!r}, {every[min(asked)]}" if asked else ""


class Registered:
    """How often an abstract class has been told of a class that it is the base of. Equal numbers
    are one object here, as C compares objects."""

    def __init__(self) -> None:
        self.last = abc.get_cache_token()

    def __getitem__(self, key: str) -> object:
        now = abc.get_cache_token()
        if now != self.last:
            self.last = now
        return self.last
