"""A program exported as a page: what is drawn is classified there, and training goes on there."""

import math
import subprocess
import sys

import numpy as np
import pytest
from browser import Browser, missing

import microtorch as torch
from microtorch import nn, vision
from microtorch.nn import functional as F
from microtorch.static import page

READY = "document.documentElement.classList.contains('ready')"


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MICROTORCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def browser():
    if missing():
        pytest.skip(missing())
    browser = Browser(1024, 768)
    yield browser
    browser.close()


def classifier():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Dropout(0.1), nn.Linear(24, 10))
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)

    def step(x, y):
        loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return net, step


def digits():
    all_of = vision.datasets.Digits()
    return all_of.data.reshape(-1, 64).float() / 16, all_of.targets


def section(number, *parts):
    """A section of a WebAssembly module: so many parts."""
    body = bytes([len(parts)]) + b"".join(parts)
    return bytes([number, len(body)]) + body


def stub():
    """A module whose arrays lie 16 KB apart, and whose program does nothing."""
    names = [(b"memory", b"\2\0"), (b"address", b"\0\0"), (b"run_forward", b"\0\1")]
    return b"\0asm\1\0\0\0" + b"".join([
        section(1, bytes.fromhex("60017f017f"), bytes.fromhex("6000017f")),  # types
        section(3, b"\0", b"\1"), section(5, b"\0\x10"),  # functions; 1 MB of memory
        section(7, *[bytes([len(name)]) + name + what for name, what in names]),
        section(10, bytes.fromhex("09002000418080016c0b"), bytes.fromhex("040041000b")),
    ])  # fmt: skip


def test_a_page_opens_and_what_is_drawn_becomes_numbers(tmp_path, browser, monkeypatch):
    """What needs no compiler: the page itself, with a module that computes nothing."""
    write = f"open(sys.argv[sys.argv.index('-o') + 1], 'wb').write(bytes.fromhex('{stub().hex()}'))"
    monkeypatch.setattr(page, "compiler", lambda: [sys.executable, "-c", f"import sys; {write}"])
    net = torch.compile(nn.Linear(64, 10))
    with torch.no_grad():
        for _ in range(3):
            net(torch.eye(64)[:1])
    net.export(tmp_path, target="wasm")
    browser.open(tmp_path / "index.html")
    browser.until(READY)
    browser.draw(".paper", [(0.1, 0.8), (0.2, 0.7), (0.3, 0.8)])  # small, and in a corner
    browser.until("[...arrays.input].some(v => v > 0)")
    seen = np.array(browser.js("[...arrays.input]")).reshape(8, 8)
    assert seen.sum() / 64 == pytest.approx(0.3, abs=0.05)  # as much ink as the digits have
    assert np.allclose(seen[:, ::-1], seen, atol=0.13) and seen[:, [0, -1]].max() < 0.3
    browser.keys("c")
    browser.until("[...arrays.input].every(v => v === 0)")
    for size in ((1920, 1080), (1024, 768)):
        browser.size(*size)
        browser.keys("d")
        assert browser.js("document.documentElement.scrollWidth <= innerWidth")
        assert browser.js(
            "[...document.querySelectorAll('main *')].filter(e => e.innerText)"
            ".every(e => parseFloat(getComputedStyle(e).fontSize) >= 14)"
        )
    assert not browser.log("browser")
    assert all(a.startswith(("file:", "data:", "about:")) for a in browser.requests())


def test_without_the_compiler_it_is_said_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "find_spec", lambda name: None)
    f = torch.compile(lambda x: x * 2 + 1)
    for _ in range(3):
        f(torch.ones(3))
    with pytest.raises(ImportError, match=r"microtorch\[compiler\]"):
        f.export(tmp_path / "page", target="wasm")
    assert not (tmp_path / "page").exists()
    for wrong in ({"target": "rust"}, {"predict": f}):
        with pytest.raises(ValueError, match="target"):
            f.export(tmp_path / "page", **wrong)
    with pytest.raises(TypeError, match="predict= is a compiled function"):
        f.export(tmp_path / "page", target="wasm", predict=len)


# ---- with the compiler ---------------------------------------------------------------------------
def arc(x, y, rx, ry, begin, end, n=12):
    angles = [math.radians(begin + (end - begin) * k / n) for k in range(n + 1)]
    return [(x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles]


DRAWN = {
    0: [arc(0.5, 0.5, 0.2, 0.32, -90, 270)],
    2: [[*arc(0.5, 0.33, 0.18, 0.15, 180, 380), (0.5, 0.6), (0.32, 0.8), (0.7, 0.8)]],
    3: [[*arc(0.47, 0.33, 0.17, 0.15, 200, 450), *arc(0.47, 0.65, 0.2, 0.17, -90, 150)]],
    7: [[(0.32, 0.22), (0.68, 0.22), (0.55, 0.5), (0.45, 0.82)], [(0.4, 0.52), (0.64, 0.52)]],
}


@pytest.fixture(scope="module")
def learns(tmp_path_factory, own_cache):
    """A page that trains, its loss after each of 20 more steps in Python."""
    folder = tmp_path_factory.mktemp("page")
    net, step = classifier()
    x, y = digits()
    f = torch.compile(step)
    for _ in range(3):
        f(x[:50], y[:50])
    net.eval()
    guess = torch.compile(net)
    with torch.no_grad():
        for _ in range(3):
            guess(x[:1])
    net.train()
    f.export(folder, target="wasm", data=(x, y), predict=guess, steps=20)
    rows = [(np.arange(50) + 50 * k) % len(x) for k in range(20)]
    return folder, [step(x[r], y[r]).item() for r in rows]


@pytest.mark.needs("ziglang")
def test_training_goes_on_in_the_browser(learns, browser):
    folder, losses = learns
    browser.open(folder / "index.html")
    browser.until(READY)
    browser.keys(*["right"] * 20)
    np.testing.assert_allclose(browser.js("learner.losses"), losses, rtol=1e-5)
    browser.keys("f", "space")
    browser.until("learner.losses.length > 600")
    browser.keys("space")
    assert "times through 1348 examples" in browser.text(".learning .said")
    for digit, strokes in DRAWN.items():
        browser.keys("c")
        browser.draw(".paper", *strokes)
        browser.until("!document.querySelector('.asking').classList.contains('waiting')")
        assert browser.js("document.querySelector('.bars').dataset.best") == str(digit)
    browser.keys("a", "right")
    assert browser.js("learner.losses") == pytest.approx(losses[:1], rel=1e-5)
    assert not browser.log("browser")


@pytest.mark.needs("ziglang")
def test_the_same_module_runs_on_the_command_line(learns):
    pytest.importorskip("wasmtime")
    folder, losses = learns
    command = [sys.executable, "run.py", "input.bin", "20"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    np.testing.assert_allclose([float(v) for v in done.stdout.split()], losses, rtol=1e-4)
    assert (folder / "trained.bin").exists()


@pytest.mark.needs("ziglang")
@pytest.mark.parametrize(
    "target", ["aarch64-linux-musl", "x86_64-windows-gnu", "aarch64-macos", "wasm32-wasi"]
)
def test_other_machines_compile_it_without_a_warning(learns, target, tmp_path):
    folder, _ = learns
    flags = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    command = [*page.compiler(), "-target", target, *flags, "-c", "-o", tmp_path / "model.o"]
    done = subprocess.run([*command, folder / "model.c"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
