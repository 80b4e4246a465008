"""The room of the stepper's page: the stage, the size of texts, the camera, what stays inside."""

import pytest
from browser import Browser

import microtorch as torch
from microtorch import Scalar, nn, viz
from microtorch.nn import functional as F

pytestmark = pytest.mark.needs("browser", "dot")
SIZES = [(1920, 1080), (1024, 768)]


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


@pytest.fixture(scope="module")
def chromium():
    b = Browser()
    yield b
    b.close()


@pytest.fixture
def show(pages, chromium):
    def open_page(name, size=(1920, 1080), hash=""):
        chromium.size(*size)
        chromium.open(pages[name], hash)
        return chromium

    yield open_page
    chromium.command("Emulation.setEmulatedMedia", {"features": []})
    assert chromium.log("browser") == []


# texts that are seen, and their size after all transforms, in CSS pixels
TEXTS = """(() => {
  const out = [], svg = document.querySelector("#svg"), scale = view.scale;
  const frame = document.querySelector("#graph").getBoundingClientRect();
  for (const e of document.querySelectorAll("body *")) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
    if (!e.checkVisibility() || e.closest(".apart, #say, script, style, dialog")) continue;
    const s = getComputedStyle(e), drawn = svg.contains(e), r = e.getBoundingClientRect();
    if (s.visibility === "hidden") continue;
    if (drawn && (r.right < frame.x || r.x > frame.right || r.bottom < frame.y)) continue;
    out.push([drawn ? scale * parseFloat(e.getAttribute("font-size")) : parseFloat(s.fontSize),
              e.textContent]);
  }
  return out;
})()"""


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["neuron", "block", "cnn"])
def test_texts_are_large_and_the_stage_has_two_thirds(show, name, size):
    b = show(name, size)
    steps = b.js("S.length")
    for presenter, least in ((False, 14), (True, 20 if size[0] == 1920 else 15)):
        if presenter:
            b.keys("p")
        for step in range(0, steps, max(1, steps // 6)):
            b.js(f"(go({step}), stop_gliding(), fit(), 1)")
            stage = b.js("(r => r.width * r.height)($('graph').getBoundingClientRect())")
            assert stage >= 0.65 * size[0] * size[1]
            found = b.js(TEXTS)
            assert len(found) > 20
            assert min(found)[0] >= least, (step, min(found))
            assert b.js("document.documentElement.scrollWidth <= innerWidth")
            # a panel may scroll down, but nothing is cut off at its side
            for panel in ("#source", "#check", "#rail", "#explain", "header", "footer"):
                inside = f"(e => e.scrollWidth <= e.clientWidth)(document.querySelector('{panel}'))"
                assert b.js(inside), (panel, step)


IN_VIEW = """(() => {
  const r = groups.get(N[now.steps[at].n].box).getBoundingClientRect();
  const stage = $("graph").getBoundingClientRect(), lens = $("explain").getBoundingClientRect();
  return r.x >= stage.x - 1 && r.right <= stage.right + 1 && r.y >= stage.y - 1
    && r.bottom <= lens.y + 1;
})()"""


@pytest.mark.parametrize("name", ["block", "cnn"])
def test_the_active_node_is_always_in_view(show, name):
    b = show(name)
    still = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    b.command("Emulation.setEmulatedMedia", {"features": still})
    for presenter in (False, True):
        for step in range(b.js("S.length")):
            b.js(f"(go({step}), 1)")
            assert b.js(IN_VIEW), (step, presenter)
        b.keys("p")


def test_the_view_glides_unless_it_may_not_move(show):
    b = show("block", hash="#3")
    b.js("(go(60), 1)")
    assert b.js("gliding")
    b.until("!gliding")
    still = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    b.command("Emulation.setEmulatedMedia", {"features": still})
    b.js("(go(3), 1)")
    assert not b.js("gliding")
    b.keys("v")  # the view stays
    before = b.js("[view.x, view.y, view.scale]")
    b.keys("end")
    assert b.js("[view.x, view.y, view.scale]") == before
    b.keys("v")
    assert b.js(IN_VIEW)


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
    assert b.js(IN_VIEW)


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
