"""Numbers on their way along the edges, and the dotted link to where a detached value came from."""

import pytest
from browser import Browser
from microtorch.viz.reading.trace import Trace

import microtorch as torch
from microtorch import viz

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
def test_the_dotted_link_and_the_numbers_on_their_way(tmp_path):
    path = viz.step(cut()).save(tmp_path / "p.html")
    b = Browser(1920, 1080)
    try:
        b.open(path)
        assert b.js(LINK) == 1 and "from h, line" in b.js("$('svg').textContent")
        b.js("(go(S.findIndex(s => s.k === 'leaf' && N[s.n].n === 'target')), 1)")
        assert "detach takes the value out" in b.text("#explain .remark")
        # w cannot be changed here: target would change with it, and the page would not know
        assert "target was made from h" in b.js("hurdle(N.findIndex(n => n.n === 'w'))")
        assert b.js("hurdle(N.findIndex(n => n.n === 'target'))") == ""
        b.js("(go(S.findIndex(s => s.k === 'c' && N[s.n].n === 'w')), 1)")
        k = b.js("known(at - 1).grads.get(S[at].from).v.r")
        moving = b.js("[...document.querySelectorAll('#svg .travels')].map(e => e.textContent)")
        assert moving == [f"rms {k:.3g}"]
        b.until("!document.querySelector('#svg .travels')", 3)
        still = [{"name": "prefers-reduced-motion", "value": "reduce"}]
        b.command("Emulation.setEmulatedMedia", {"features": still})
        b.js("(go(1), 1)")
        assert not b.js("document.querySelector('#svg .travels')")
        assert b.log("browser") == []
    finally:
        b.close()
