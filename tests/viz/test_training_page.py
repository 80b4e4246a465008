"""The page of a whole training: its numbers against those of the training itself."""

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest
from microtorch.viz.reading import snapshots

import microtorch as torch
from microtorch import nn, viz
from microtorch.optim import optimizer as optimizers

WINDOW = 1920, 1080


def trained(steps=12, make=lambda p: torch.optim.SGD(p, lr=0.1), clear=True, size=16):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(size, 3), nn.Tanh(), nn.Linear(3, 1))
    optimizer = make(net.parameters())
    x, y = torch.randn(8, size), torch.randn(8, 1)
    seen = []
    with viz.record() as rec:
        for _ in range(steps):
            loss = (net(x) - y).pow(2).mean()
            if clear:
                optimizer.zero_grad()
            loss.backward()
            old = net[0].weight.detach().clone()
            optimizer.step()
            state = optimizer.state.get(net[0].weight, {}).get("momentum_buffer")
            seen.append((loss.item(), old.numpy(), net[0].weight.grad.numpy().copy(),
                         None if state is None else state.numpy().copy(),
                         net[0].weight.detach().numpy().copy()))  # fmt: skip
    return rec, seen


def data_of(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.S)[1])


def test_the_data_are_those_of_the_training(tmp_path):
    rec, seen = trained(make=lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9))
    rec.save(tmp_path / "run.html")
    d = data_of(tmp_path / "run.html")
    assert d["loss"] == pytest.approx([s[0] for s in seen], rel=1e-3)
    assert d["optimizer"] == "SGD" and [m["o"] for m in d["moments"]] == list(range(12))
    p = d["params"][0]
    assert p["n"] == "net.0.weight" and p["hw"] == [4, 4] and p["units"] == [0, 1, 2]
    for m, (_, old, grad, v, new) in zip(d["moments"], seen, strict=True):
        kept = m["p"][0]
        assert kept["state"] == ["momentum_buffer"] and kept["set"]["momentum"] == 0.9
        for u, rows in enumerate(kept["top"]):
            k = rows[0][0]
            assert k == np.argmax(np.abs(new[u] - old[u]))
            assert rows[0][1:] == pytest.approx([a[u, k] for a in (old, grad, v, new)], rel=1e-4)
        weights = np.frombuffer(base64.b64decode(kept["w"]["b"]), np.int8) * kept["w"]["k"]
        assert np.abs(weights.reshape(3, 16) - new).max() <= kept["w"]["k"]


def test_moments_are_thinned_and_nothing_listens_afterwards(monkeypatch):
    monkeypatch.setattr(snapshots, "MOST", 10)
    rec, seen = trained(steps=35)
    numbers = [m.number for m in rec.snapshots.moments]
    assert numbers == list(range(0, 35, 4))
    last = rec.snapshots.moments[-1]
    assert last.new["net.0.weight"] == pytest.approx(seen[32][4].astype(float))
    assert not optimizers._before_all and not optimizers._after_all


def test_a_training_without_optimizer_and_forgotten_gradients(tmp_path):
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    with viz.record() as rec:
        for _ in range(3):
            loss = (w**2).sum()
            loss.backward()
            with torch.no_grad():
                w -= 0.1 * w.grad
    rec.save(tmp_path / "run.html")
    d = data_of(tmp_path / "run.html")
    assert d["left"] == [1, 2] and d["optimizer"] == ""
    k, old, grad, new = d["moments"][0]["p"][0]["top"][0][0]
    assert (k, old, grad) == (1, 2.0, 4.0) and new == pytest.approx(1.6)


def test_a_large_run_stays_below_two_megabytes(tmp_path):
    rec, _ = trained(steps=20, size=1200)
    rec.save(tmp_path / "run.html")
    assert (tmp_path / "run.html").stat().st_size < 2_000_000
    assert rec.snapshots.moments[0].old["net.0.weight"].shape == (3, 1024)


@pytest.fixture(scope="module")
def page(tmp_path_factory, chromium):
    path = tmp_path_factory.mktemp("training") / "run.html"
    rec, seen = trained()
    rec.save(path)
    return chromium, path, seen


def test_both_axes_and_the_numbers_of_a_step(page):
    browser, path, seen = page
    browser.open(path)
    phases = browser.js("""[...Array(20)].map(() => {
        const phase = document.getElementById('phase').textContent;
        document.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight'}));
        return phase; })""")
    assert list(dict.fromkeys(phases)) == ["FORWARD", "ZERO_GRAD", "BACKWARD", "STEP"]
    assert phases[-1] == "FORWARD", "the next optimizer step"
    browser.open(path, "#o5.s1")
    assert "loss not yet known" in browser.js("document.getElementById('curve').textContent")
    browser.keys("b"), browser.keys("s")
    assert "SGD moves net.0.weight" in browser.text("#said")
    _, old, grad, _, new = seen[5]
    rows = browser.js("[...document.querySelectorAll('#table tr')].slice(1).map(r => r.innerText)")
    units = "[...document.querySelectorAll('#units button')]"
    u = browser.js(f"{units}.findIndex(b => b.ariaPressed === 'true')")
    k = int(np.argmax(np.abs(new[u] - old[u])))
    cells = rows[0].replace("−", "-").replace("≈ ", "").split("\t")
    assert cells[0] == f"[{k // 4}, {k % 4}]"
    shown = [float(c) for c in cells[1:]]
    assert shown == pytest.approx([old[u, k], -0.1 * grad[u, k], new[u, k]], abs=6e-5)
    browser.js("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight',"
               " shiftKey: true}))")  # fmt: skip
    assert browser.js("location.hash").startswith("#o6.")
    browser.keys("q", "g", "d", "p", "]", "down", "end")
    assert not browser.log("browser") and all(
        a.startswith(("file:", "data:", "about:")) for a in browser.requests()
    )


@pytest.mark.parametrize("size", [(1920, 1080), (1024, 768)])
def test_nothing_scrolls_sideways_or_leaves_its_card(page, size, tmp_path):
    browser = page[0]
    rec, _ = trained(make=lambda p: torch.optim.Adam(p, lr=0.01))  # the widest table
    path = rec.save(tmp_path / "adam.html")
    browser.size(*size)
    browser.open(path, "#o3.s12")
    for keys in ((), ("p",), ("s",)):
        browser.keys(*keys)
        assert browser.js("document.documentElement.scrollWidth <= innerWidth")
        out = browser.js(
            "[...document.querySelectorAll('#table td, #table th, #film canvas')].filter(e => {"
            " const c = e.closest('.card, #left').getBoundingClientRect(),"
            " b = e.getBoundingClientRect(); return b.right > c.right + 1 || b.left < c.left - 1;"
            " }).map(e => e.textContent)"
        )
        assert out == []


@pytest.mark.needs("browser")
def test_the_source_keeps_its_indents_and_its_numbers(tmp_path, chromium):
    trained()[0].save(tmp_path / "run.html")
    chromium.open(tmp_path / "run.html")
    rows = "[...document.querySelectorAll('#source p')]"
    shown = chromium.js(f"{rows}.map(p => [+p.firstChild.innerText, p.lastChild.textContent])")
    lines = Path(__file__).read_text(encoding="utf-8").split("\n")
    assert all(text.split() == lines[number - 1].split() for number, text in shown)
    own = {len(lines[n - 1]) - len(t) for n, t in shown if t.strip()}
    assert len(own) == 1  # all are moved alike
    tops = f"{rows}.every(p => p.lastChild.offsetTop < p.offsetTop + 12)"
    assert chromium.js(tops)
