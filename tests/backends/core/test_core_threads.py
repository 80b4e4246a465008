"""Threads of the C core: the setting, equal results with any number, fork, Python threads, the
GIL."""
import os
import shutil
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
from repository import ROOT

import microtorch as torch
from microtorch.backends import core
from microtorch.backends.core import library

needs_core = pytest.mark.needs("core")
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork()")
VARIABLES = ("MICROTORCH_NUM_THREADS", "OMP_NUM_THREADS")


def program(text, **environment):
    """Run a Python program that ends by itself, or is ended after a minute; what it printed."""
    env = {k: v for k, v in os.environ.items() if k not in VARIABLES} | environment
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(text)]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# ---- the setting ---------------------------------------------------------------------------------
def test_the_default_is_what_the_environment_says_or_the_cpus_of_the_process(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert core.library.default_num_threads() == usable
    for text, number in (("5", 5), ("3,2", 3), ("none", usable), ("0", usable), ("", usable)):
        monkeypatch.setenv("OMP_NUM_THREADS", text)
        assert core.library.default_num_threads() == number
    monkeypatch.setenv("MICROTORCH_NUM_THREADS", "7")
    assert core.library.default_num_threads() == 7
    for wrong in ("0", "-1", "two", "1.5"):
        monkeypatch.setenv("MICROTORCH_NUM_THREADS", wrong)
        with pytest.raises(ValueError, match=f"positive integer, but is '{wrong}'"):
            core.library.default_num_threads()


def test_the_setting_is_read_at_the_start_and_shown():
    text = ("import microtorch as torch; print(torch.get_num_threads()); "
            "print(torch.__config__.parallel_info())")  # fmt: skip
    printed = program(text, MICROTORCH_NUM_THREADS="3", OMP_NUM_THREADS="2")
    assert printed.startswith("3\ntorch.get_num_threads() : 3\n")
    assert "MICROTORCH_NUM_THREADS : 3" in printed and "OMP_NUM_THREADS : 2" in printed
    assert program("import microtorch as torch; print(torch.get_num_threads())",
                   OMP_NUM_THREADS="2") == "2"


def test_the_setting_drives_the_pool(threads):
    torch.set_num_threads(3)
    assert torch.get_num_threads() == core.get_num_threads() == 3
    if core.is_available():
        assert core.lib.get_threads() == 3
        torch.set_num_threads(10**12)
        assert torch.get_num_threads() == 256
    for wrong, why in ((0, "a positive integer"), (-2, "a positive integer"),
                       (2.0, "an int, but got float"), (True, "got bool"),
                       (None, "got NoneType")):  # fmt: skip
        with pytest.raises(RuntimeError, match=why):
            torch.set_num_threads(wrong)


# ---- the pool ------------------------------------------------------------------------------------
@pytest.mark.skipif(os.name == "nt", reason="loops are not parallel on Windows")
def test_the_pool_from_all_sides(tmp_path):
    """Nested loops, several callers, a changing number of threads, forks: a program in C."""
    compiler = next(filter(shutil.which, ("gcc", "cc", "clang")), None)
    if compiler is None:
        pytest.skip("no C compiler")
    source = [str(ROOT / "tests/backends/core/test_parallel.c"), str(ROOT / "ext/parallel.c")]
    flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'ext'}", "-pthread"]
    subprocess.run([compiler, *flags, *source, "-o", str(tmp_path / "program")], check=True)
    done = subprocess.run([str(tmp_path / "program")], capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr


OPERANDS = [np.random.default_rng(i).normal(size=200_003).astype(np.float32) for i in range(3)]


def results():
    """Loops of several pieces, with and without calls of functions."""
    g, out, x = OPERANDS
    return [core.run("exp", x), core.run("gelu", x), core.run("tanh_vjp0", g, out),
            core.run("add", g, x)]


@needs_core
def test_results_do_not_depend_on_the_number_of_threads(threads):
    threads(1)
    expected = results()
    for n in (2, 3, 5):
        threads(n)
        for _ in range(5):
            for result, right in zip(results(), expected, strict=True):
                np.testing.assert_array_equal(result, right)


@needs_core
def test_several_python_threads_at_once(threads):
    threads(1)
    expected = results()
    threads(3)
    wrong = []

    def loops():
        for _ in range(10):
            wrong.extend(i
                         for i, (a, b) in enumerate(zip(results(), expected, strict=True))
                         if (a != b).any())

    running = [threading.Thread(target=loops) for _ in range(4)]
    for t in running:
        t.start()
    for t in running:
        t.join()
    assert not wrong


@needs_core
def test_python_threads_run_during_a_long_loop():
    """With a long switch interval, a thread gets the GIL only from one that releases it by
    itself."""
    x = np.zeros(2_000_000, np.float64)
    out = np.empty_like(x)
    ticks, stop = [0], threading.Event()

    def count():
        while not stop.is_set():
            ticks[0] += 1
            time.sleep(0.0001)

    counter = threading.Thread(target=count)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(100)
    try:
        counter.start()
        seen = 0
        for _ in range(100):  # a busy machine may give the counter no processor for a while
            before = ticks[0]
            library.called("acosh_f64")(x, out)
            seen = max(seen, ticks[0] - before)
            if seen >= 3:  # more than one hand-over when the loop begins and one when it ends
                break
    finally:
        stop.set()
        sys.setswitchinterval(interval)
        counter.join()
    assert seen >= 3


# ---- fork and exit -------------------------------------------------------------------------------
START = """
import os, sys, threading
import numpy as np
from microtorch.backends import core
core.set_num_threads(3)
x = np.linspace(-2, 2, 300_001).astype(np.float32)
expected = core.run("tanh", x)
def check():
    assert (core.run("tanh", x) == expected).all()
def in_a_child(work):
    child = os.fork()
    if child == 0:
        import signal
        signal.alarm(30)  # a child that waits for threads it does not have
        work()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""


@needs_core
@needs_fork
def test_fork_between_and_during_loops():
    printed = program(START + """
in_a_child(check)
in_a_child(lambda: in_a_child(check))
stop = []
def loops():
    while not stop:
        check()
others = [threading.Thread(target=loops) for _ in range(2)]
for t in others: t.start()
for _ in range(20):
    in_a_child(check)
stop.append(True)
for t in others: t.join()
check()
print("ok")
""")
    assert printed == "ok"


@needs_core
@needs_fork
def test_processes_of_multiprocessing():
    """As a loader with workers does: processes are forked when the pool's threads run."""
    printed = program(START + """
import multiprocessing
def work(i):
    check()
    return i
with multiprocessing.get_context("fork").Pool(3) as pool:
    check()
    print(sum(pool.map(work, range(12))))
check()
""")
    assert printed == "66"


@needs_core
def test_the_program_may_end_while_a_loop_runs():
    printed = program(START + """
def forever():
    while True:
        core.run("tanh", x)
for _ in range(2):
    threading.Thread(target=forever, daemon=True).start()
check()
print("ok", flush=True)
""")
    assert printed == "ok"


@needs_core
@pytest.mark.skipif(sys.platform != "linux",
                    reason="the limit is on the address space, whose size is read from /proc")
def test_where_no_thread_can_be_started_the_loop_runs_on_one():
    printed = program(START.replace("core.set_num_threads(3)", "core.set_num_threads(1)") + """
import resource
out = np.empty_like(x)
core.set_num_threads(3)
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + (1 << 20), -1))  # a thread's stack is larger
assert core.lib.tanh_f32(id(x), id(out))
assert (out == expected).all()
print(core.get_num_threads())
""")
    assert printed == "1"


def test_without_the_core_the_setting_is_remembered():
    assert program("""
import sys
sys.modules["microtorch._core"] = None
import microtorch as torch
torch.set_num_threads(3)
info = torch.__config__.parallel_info()
print(torch.get_num_threads(), "none, since the C core is not there" in info)
""", MICROTORCH_BACKEND="reference") == "3 True"
