"""What every test can rely on: parts that must be there, and a state that no test leaves changed.

A test that needs an optional part asks for it with `@pytest.mark.needs("core")` or the `require` fixture. Where the
part is missing the test is skipped, and the summary says so; if MICROTORCH_REQUIRE names it (`core,dot`), it fails.
"""
import os
import shutil

import pytest


def _core():
    from microtorch.backends import core

    return "" if core.is_available() else core.reason


def _dot():
    return "" if shutil.which("dot") else "no program dot on PATH (apt install graphviz)"


def _pygraphviz():
    try:
        import pygraphviz
    except Exception as error:  # older ones fail on Graphviz's libraries, each in its way
        return f"pygraphviz does not import: {error}"
    return "" if hasattr(pygraphviz.graphviz, "gvContextWithBuiltins") else "a pygraphviz from before 2.0 brings no Graphviz"


def _opencl():
    try:
        import pyopencl
    except Exception as error:  # a driver that is half installed raises anything
        return f"pyopencl does not import: {error}"
    try:
        return "" if pyopencl.get_platforms() else "no OpenCL driver"
    except pyopencl.Error as error:
        return f"no OpenCL driver: {error}"


def _browser():
    import browser

    return browser.missing()


# each returns why the part is missing, or ""
PARTS = {"core": _core, "dot": _dot, "pygraphviz": _pygraphviz, "opencl": _opencl, "browser": _browser}
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


def pytest_configure(config):
    if _core():  # programs that tests start need not each say that they run on numpy; the skipped tests do
        os.environ.setdefault("MICROTORCH_BACKEND", "reference")
    config.addinivalue_line("markers", f"needs(part, ...): parts the test cannot do without, of {', '.join(PARTS)}")
    unknown = REQUIRED - set(PARTS)
    if unknown:
        raise pytest.UsageError(f"MICROTORCH_REQUIRE names {', '.join(sorted(unknown))}; parts are {', '.join(PARTS)}")


def pytest_runtest_setup(item):
    for mark in item.iter_markers("needs"):
        for part in mark.args:
            require_part(part)
