"""Numbers on their way along the edges, and the dotted link to where a detached value came from."""

import pytest
from microtorch.viz.reading.trace import Trace

import microtorch as torch
from microtorch import viz

WINDOW = 1920, 1080

LINK = "document.querySelectorAll('#svg .origin').length"


def cut():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    h = w * 3
    target = h.detach() + 1
    return ((h - target) ** 2).sum()


def test_origins_are_read_from_the_source():
    x = torch.randn(3, requires_grad=True)
    h = x * 2
    mask = (h > 0).float()
    with torch.no_grad():
        scale = h * 3
    ones = torch.ones_like(h)  # has the shape of h, not its values
    trace = viz.trace((h * mask * scale * ones - (h - h.detach())).sum()).trace
    found = [(trace.nodes[o.node].name, trace.nodes[o.of].name, o.why) for o in trace.origins]
    assert [(a, b, why.split()[0]) for a, b, why in found] == [
        ("mask", "h", "a"), ("scale", "h", "no_grad"), ("", "h", "detach"),
    ]  # fmt: skip
    assert Trace.from_json(trace.to_json()).origins == trace.origins


@pytest.mark.needs("browser", "dot")
def test_of_numbers_that_pick_the_range_is_told(tmp_path, chromium):
    scores, target = torch.ones(2, 9, requires_grad=True), torch.tensor([3, 7])
    loss = torch.nn.functional.nll_loss(scores.log_softmax(1), target)
    chromium.open(viz.step(loss).save(tmp_path / "p.html"))
    chromium.js("(go(S.findIndex(s => s.k === 'leaf' && N[s.n].n === 'target')), 1)")
    assert "3 to 7" in chromium.text("#check") and "rms" not in chromium.text("#check")
    chromium.js("(go(S.findIndex(s => s.k === 'op' && N[s.n].n === 'loss')), 1)")
    moving = chromium.js("[...document.querySelectorAll('#svg .travels')].map(e => e.textContent)")
    assert sorted(moving) == ["3 to 7", "rms 2.2"]


@pytest.mark.needs("browser", "dot")
def test_the_dotted_link_and_the_numbers_on_their_way(tmp_path, chromium):
    path = viz.step(cut()).save(tmp_path / "p.html")
    chromium.open(path)
    assert chromium.js(LINK) == 1 and "from h, line" in chromium.js("$('svg').textContent")
    chromium.js("(go(S.findIndex(s => s.k === 'leaf' && N[s.n].n === 'target')), 1)")
    assert "detach takes the value out" in chromium.text("#explain .remark")
    # w cannot be changed here: target would change with it, and the page would not know
    assert "target was made from h" in chromium.js("hurdle(N.findIndex(n => n.n === 'w'))")
    assert chromium.js("hurdle(N.findIndex(n => n.n === 'target'))") == ""
    chromium.js("(go(S.findIndex(s => s.k === 'c' && N[s.n].n === 'w')), 1)")
    k = chromium.js("known(at - 1).grads.get(S[at].from).v.r")
    moving = chromium.js("[...document.querySelectorAll('#svg .travels')].map(e => e.textContent)")
    assert moving == [f"rms {k:.3g}"]
    chromium.until("!document.querySelector('#svg .travels')", 3)
    still = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    chromium.command("Emulation.setEmulatedMedia", {"features": still})
    chromium.js("(go(1), 1)")
    assert not chromium.js("document.querySelector('#svg .travels')")
    assert chromium.log("browser") == []
