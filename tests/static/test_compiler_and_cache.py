"""The compiler is not trusted, may be missing or ended, and its libraries lie in a cache."""

import ctypes
import os
import resource
import signal
import subprocess
import sys
import threading
import time
import warnings

import pytest
from both_ways import near, t

import microtorch as torch
from microtorch.static import build, loops

try:
    build.compiler()
except build.CompilerError:
    pytest.skip("no C compiler", allow_module_level=True)


pytestmark = pytest.mark.usefixtures("own_cache")


def test_c_that_is_wrong_is_not_used(monkeypatch):
    right = build.library
    monkeypatch.setattr(
        loops, "library", lambda text, names: right(text.replace("fast_tanh(x[", "sinf(x["), names)
    )
    f = lambda x: x.tanh() * 2 + 1  # noqa: E731
    c = torch.compile(f)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for i in range(6):
            near(c(t(3, 4, seed=i)), f(t(3, 4, seed=i)))
    (text,) = [str(w.message) for w in said]
    assert "test_compiler_and_cache.py" in text and "tanh" in text


@pytest.mark.parametrize("trouble", ["none", "broken", "disk", "text"])
def test_without_a_compiler_the_interpreter_runs(monkeypatch, tmp_path, trouble):
    limit = before = resource.getrlimit(resource.RLIMIT_FSIZE)
    if trouble == "none":
        monkeypatch.setattr(build, "compiler", lambda: (_ for _ in ()).throw(
            build.CompilerError("no C compiler was found")))  # fmt: skip
    elif trouble == "broken":
        monkeypatch.setattr(build, "compiler", lambda: ("/bin/false",))
    elif trouble == "disk":
        limit = (1000, before[1])  # no room for the program
    else:
        file = tmp_path / "file"
        file.write_text("")
        monkeypatch.setenv("MICROTORCH_CACHE", str(file))
    c = torch.compile(lambda x: x.tanh() * 2 + 1)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        try:
            for i in range(6):
                x = t(3, 4, seed=i)
                assert torch.equal(c(x), x.tanh() * 2 + 1)
        finally:  # at once: pytest itself may write to a file
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(said) == 1 and "interpreter" in str(said[0].message)
    assert "C compiler, and room in" in str(said[0].message)
    assert c.count == 1 and not c.c_source()


@pytest.mark.parametrize("ends", ["Ctrl-C", "time"])
def test_a_compiler_that_is_ended(monkeypatch, tmp_path, ends):
    """With what it has started, as gcc starts cc1; and nothing is left of either."""
    cache, slow, ticks = tmp_path / "cache", tmp_path / "slow", tmp_path / "ticks"
    monkeypatch.setenv("MICROTORCH_CACHE", str(cache))
    slow.write_text("#!/bin/sh\ntouch $TMPDIR/part\n"
                    f"(while sleep 0.02; do echo >> {ticks}; done) & wait")  # fmt: skip
    slow.chmod(0o755)
    c = torch.compile(lambda x: x.tanh() * 2 + 1)
    x = t(3, 4)
    c(x), c(x)
    with monkeypatch.context() as m:
        m.setattr(build, "compiler", lambda: (str(slow),))
        m.setattr(build, "flags", lambda: build.FLAGS)
        m.setattr(build, "processor", str)
        if ends == "time":
            m.setattr(build, "SECONDS", 1)
            with pytest.warns(UserWarning, match="interpreter of its program: TimeoutExpired"):
                near(c(x), x.tanh() * 2 + 1)
        else:
            def interrupt():
                while not (ticks.exists() and [*cache.glob("*/part")]):
                    time.sleep(0.01)
                os.kill(os.getpid(), signal.SIGINT)

            before = signal.signal(signal.SIGINT, signal.default_int_handler)
            threading.Thread(target=interrupt).start()
            try:
                with pytest.raises(KeyboardInterrupt):
                    c(x)
            finally:
                signal.signal(signal.SIGINT, before)
    assert not os.listdir(cache)
    before = ticks.read_text()
    time.sleep(0.2)
    assert ticks.read_text() == before
    for _ in range(4):
        near(c(x), x.tanh() * 2 + 1)
    assert bool(c.c_source()) is (ends == "Ctrl-C") and "array" not in vars(torch.Tensor)


def test_a_library_that_cannot_be_loaded_is_made_anew(monkeypatch, own_cache):
    """It was made where C's library is another, say, and is whole."""
    text = "int answer(void) { return 42; }"
    build.loaded(text)
    (path,) = own_cache.glob("*.so")
    before = path.stat().st_ino
    load, refused = ctypes.CDLL, []

    def fails_once(name):
        if not refused:
            refused.append(name)
            raise OSError("version not found")
        return load(name)

    monkeypatch.setattr(build.ctypes, "CDLL", fails_once)
    assert build.loaded(text).answer() == 42
    assert refused == [str(path)] and path.stat().st_ino != before and build.is_whole(str(path))


def test_two_processes_one_cache(own_cache, tmp_path):
    script = (
        "import microtorch as torch\n"
        "c = torch.compile(lambda x: (x.tanh() * 2 + 1).sum())\n"
        "for _ in range(5): y = c(torch.ones(5))\n"
        "assert c.c_source() and not c.reason; print(round(y.item(), 3))\n"
    )
    file = tmp_path / "script.py"
    file.write_text(script)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    runs = [
        subprocess.Popen([sys.executable, str(file)], env=env, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert {r.communicate()[0].strip() for r in runs} == {"12.616"}
    names = [n for n in os.listdir(own_cache) if n.endswith(".so")]
    assert len(names) == 2  # the program, and what compares its guards


def test_a_library_that_was_cut_short_is_made_anew(own_cache, tmp_path):
    """To load it would end the process."""
    def run():
        c = torch.compile(lambda x: x.tanh() * 2 + 1)
        for _ in range(4):
            near(c(t(3, 4)), t(3, 4).tanh() * 2 + 1)
        assert c.c_source() and not c.reason

    run()
    libraries = {p: p.read_bytes() for p in own_cache.glob("*.so")}
    for path, whole in libraries.items():
        assert build.is_whole(path)
        part = tmp_path / "part"
        part.write_bytes(whole[:5000])
        os.replace(part, path)  # what this process has loaded stays as it is
        assert not build.is_whole(path)
    run()
    assert libraries and any(build.is_whole(path) for path in libraries)
