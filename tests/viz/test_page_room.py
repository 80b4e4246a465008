"""The room of the stepper's page: the stage, the size of texts, the camera, what stays inside."""

import pytest

import microtorch as torch
from microtorch import Scalar, nn, viz
from microtorch.nn import functional as F

pytestmark = pytest.mark.needs("browser", "dot")
SIZES = [(1920, 1080), (1024, 768)]
STILL = [{"name": "prefers-reduced-motion", "value": "reduce"}]
ACTIVE = "in_view(box(stop(S[at]).own[0]), view)"


def neuron():
    x, w, b = Scalar(2.0, requires_grad=False), Scalar(-3.0), Scalar(6.88)
    n = w * x + b
    return n.tanh()


class Block(nn.Module):
    """A transformer's block with one head."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(4, 4) for _ in range(4))
        self.first, self.second = nn.LayerNorm(4), nn.LayerNorm(4)
        self.up, self.down = nn.Linear(4, 8), nn.Linear(8, 4)

    def forward(self, x):
        h = self.first(x)
        q, k, v = self.q(h), self.k(h), self.v(h)
        a = (q @ k.T / 2).softmax(-1)
        x = x + self.o(a @ v)
        return x + self.down(F.gelu(self.up(self.second(x))))


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("room")
    torch.manual_seed(0)
    block = Block()
    cnn = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 8, 3), nn.ReLU(),
        nn.Flatten(), nn.Linear(8, 10),
    )  # fmt: skip
    made = {
        "neuron": neuron(),
        "block": (block(torch.randn(3, 4)) ** 2).mean(),
        "cnn": F.cross_entropy(cnn(torch.randn(2, 1, 8, 8)), torch.tensor([1, 3])),
    }
    return {k: viz.step(v).save(folder / f"{k}.html") for k, v in made.items()}


@pytest.fixture
def show(pages, chromium):
    def open_page(name, size=(1920, 1080), hash=""):
        chromium.size(*size)
        chromium.open(pages[name], hash)
        return chromium

    yield open_page
    chromium.command("Emulation.setEmulatedMedia", {"features": []})
    assert chromium.log("browser") == []


# What is wrong with every second step: the size of texts after all transforms, in CSS pixels; the
# stage; what is cut off; the active node, its neighbours and their tags; the lens.
WRONG = """((least, area, first) => {
  const wrong = [], frame = e => e.getBoundingClientRect(), lens = $("explain");
  const meet = (a, b) => Math.max(0, Math.min(a.right, b.right) - Math.max(a.x, b.x))
    * Math.max(0, Math.min(a.bottom, b.bottom) - Math.max(a.y, b.y));
  const stage = frame($("graph"));
  if (stage.width * stage.height < area) wrong.push("the stage is too small");
  for (let k = first; k < S.length; k += 2) {
    go(k);
    const bad = words => wrong.push(`step ${k + 1}: ${words}`);
    if (lens.scrollHeight > lens.clientHeight + 1) bad("the lens scrolls");
    // a panel may scroll down, but nothing is cut off at its side
    for (const name of ["html", "#source", "#check", "#rail", "#explain", "header", "footer"])
      if (document.querySelector(name).scrollWidth > document.querySelector(name).clientWidth)
        bad(`${name} is cut off`);
    for (const e of (k >> 1) % 5 ? [] : document.querySelectorAll("body *")) {
      if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
      if (!e.checkVisibility() || e.closest(".apart, #say, script, style, dialog")) continue;
      const style = getComputedStyle(e), drawn = $("svg").contains(e);
      if (style.visibility === "hidden" || drawn && !meet(frame(e), stage)) continue;
      const size = drawn ? view.scale * e.getAttribute("font-size") : parseFloat(style.fontSize);
      if (size < least) bad(`${size} px: ${e.textContent}`);
    }
    if (!$("attention").hidden) continue;  // it covers the graph
    const room = free(), { near, own } = stop(S[k]);
    const seen = new DOMRect(stage.x, stage.y, room.w, room.h), tags = [...$("near").children];
    const whole = id => meet(frame(groups.get(id)), seen) >= 0.66 * frame(groups.get(id)).width
      * frame(groups.get(id)).height;
    if (!in_view(box(own[0]), view)) bad("the active node is not in view");
    for (const id of near) {
      const tag = tags.find(t => N[t.dataset.node].box === id);
      if (!whole(id) && !tag) bad(`${id} is neither in view nor at the rim`);
      if (tag && meet(frame(tag), frame(groups.get(own[0])))) bad(`${id} covers the active node`);
      if (tag && meet(frame(tag), seen) < 0.99 * frame(tag).width * frame(tag).height)
        bad(`the tag of ${id} leaves the stage`);
    }
  }
  return wrong;
})(...arguments)"""


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["neuron", "block", "cnn"])
def test_all_of_a_step_is_seen_and_can_be_read(show, name, size):
    b = show(name, size)
    b.command("Emulation.setEmulatedMedia", {"features": STILL})
    area = 0.65 * size[0] * size[1]
    assert b.js(WRONG, 14, area, 0) == []
    b.keys("p")
    assert b.js(WRONG, 20 if size[0] == 1920 else 15, area, 1) == []


def test_the_view_glides_unless_it_may_not_move(show):
    b = show("block", hash="#3")
    assert b.js("(go(60), gliding)")
    b.until("!gliding")
    b.command("Emulation.setEmulatedMedia", {"features": STILL})
    b.js("(go(3), 1)")
    assert not b.js("gliding")
    b.keys("v")  # the view stays
    before = b.js("[view.x, view.y, view.scale]")
    b.keys("end")
    assert b.js("[view.x, view.y, view.scale]") == before
    b.keys("v")
    assert b.js(ACTIVE)


def test_keys_and_the_wheel_change_the_size(show):
    b = show("block", hash="#20")
    b.until("!gliding")
    scale = b.js("view.scale")
    b.keys("+", "+")
    assert b.js("view.scale") == pytest.approx(scale * 1.25**2)
    b.keys("-", "-", "-")
    assert b.js("view.scale") == pytest.approx(scale / 1.25)
    b.keys("0")
    b.until(f"!gliding && Math.abs(view.scale - {scale}) < 1e-6")
    turn = "new WheelEvent('wheel', {deltaY: -100, clientX: 400, clientY: 300, cancelable: true})"
    b.js(f"$('graph').dispatchEvent({turn})")
    assert b.js("view.scale") > scale
    b.keys("right")  # a step takes the view along again
    b.until("!gliding")
    assert b.js(ACTIVE)


def test_a_minimap_where_not_all_is_in_view(show):
    b = show("neuron")
    assert b.js("$('map').checkVisibility()") is False
    b = show("block", hash="#30")
    b.until("!gliding")
    assert b.js("$('map').checkVisibility()")
    assert b.js("$('map').querySelectorAll('.active').length") == 1
    x = b.js("+$('map').querySelector('.frame').getAttribute('x')")
    b.keys("end")
    b.until("!gliding")
    assert b.js("+$('map').querySelector('.frame').getAttribute('x')") < x


def test_the_lens_closes_and_the_graph_gets_its_room(show):
    b = show("block", hash="#20")
    room = b.js("free().h")
    b.keys("z")
    assert b.js("free().h") > 1.3 * room and b.text("#explain h2").startswith("k = linear")
    b.keys("right")
    assert b.js("$('explain').classList.contains('shut')")
    b.keys("z")
    assert b.js("!$('explain').classList.contains('shut')")


def test_wide_planes_and_long_sums_stay_inside(chromium, tmp_path):
    """A padded convolution of one row, whose planes are wide, and a sum of thirty squares."""
    torch.manual_seed(0)
    conv, x = nn.Conv1d(1, 3, 3, padding=1), torch.randn(2, 1, 5)
    out = conv(x)
    path = viz.step(F.mse_loss(out, torch.randn(2, 3, 5))).save(tmp_path / "wide.html")
    chromium.size(1024, 768)
    chromium.open(path, painted=False)
    chromium.js("(actions.p(), 1)")
    over = """S.flatMap((s, k) => { if (k % 2) return []; go(k); stop_gliding(); fit();
      return [$("explain"), $("written")].map(e => e ? e.scrollHeight - e.clientHeight : 0)
        .some(n => n > 1) ? [k + 1] : []; })"""
    assert chromium.js(over) == []
    chromium.js("(go(S.findIndex(s => N[s.n]?.op === 'mse_loss')), 1)")
    assert "more" in chromium.text("#written")
    chromium.click("#written .more")
    assert chromium.js("$('written').querySelectorAll('.math[hidden]').length") == 0
    assert chromium.log("browser") == []


def test_the_number_of_a_line_does_not_stand_alone(show):
    """An indent and a long word after it stay on the line, however narrow the place is."""
    page = show("block", (1024, 768))
    alone = """[...document.querySelectorAll('#source li')].filter(li => {
      const text = li.lastChild, range = document.createRange();
      const at = text.textContent.search(/[^\\s]/);
      if (at < 0) return false;
      const walk = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
      let node, left = at;
      while ((node = walk.nextNode()) && node.length <= left) left -= node.length;
      range.setStart(node, left); range.setEnd(node, left + 1);
      return range.getBoundingClientRect().top > li.getBoundingClientRect().top + 12;
    }).length"""
    assert page.js("document.querySelectorAll('#source li').length") > 5
    page.js("$('source').style.width = '9rem'")
    assert page.js(alone) == 0
