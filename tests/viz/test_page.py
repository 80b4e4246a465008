"""The stepper's page: what it does under real keys in Chromium."""

import math
import re

import pytest
from microtorch.viz.reading.loops import loop, opening
from microtorch.viz.showing import javascript
from microtorch.viz.showing.html import page
from page_programs import chain, classify, data_of, diamond, evil, mlp, neuron

from microtorch import viz
from microtorch.backends import core
from microtorch.notation import formulas
from microtorch.notation.expr import compile_scalar


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    out = {}
    made = {
        "neuron": neuron()[0],
        "diamond": diamond()[0],
        "mlp": mlp(),
        "chain": chain(140),
        "evil": evil(),
    }
    made["classify"] = classify()[0]
    for name, root in made.items():
        out[name] = viz.step(root).save(folder / f"{name}.html")
    out["quiz"] = viz.quiz(neuron()[0], seed=7).save(folder / "quiz.html")
    table = javascript.table(formulas.TABLE)
    (folder / "table.html").write_text(f"<!DOCTYPE html><script>{table}</script>", encoding="utf-8")
    bundle = viz.step(made["neuron"])._repr_mimebundle_()["text/html"]
    (folder / "notebook.html").write_text(
        f"<!DOCTYPE html><body>{bundle}{bundle}", encoding="utf-8"
    )
    out["notebook"] = str(folder / "notebook.html")
    out["table"] = str(folder / "table.html")
    return out


@pytest.fixture
def show(pages, chromium):
    """Open a page in the browser; it may ask for nothing but its file, and log no error."""

    def open_page(name, hash=""):
        chromium.size(1280, 800)
        chromium.open(pages[name], hash)
        return chromium

    yield open_page
    assert [r for r in chromium.requests() if not r.startswith(("file:", "data:", "about:"))] == []
    assert chromium.log("browser") == []


def at(b):
    return int(re.search(r"step (\d+) of", b.text("#count"))[1])


def texts(b, node):
    return b.js(f"[...document.querySelectorAll('#{node} text')].map(t => t.textContent)")


in_browser = pytest.mark.needs("browser", "dot")


@in_browser
def test_keys_move_through_time(show):
    b = show("neuron")
    assert at(b) == 1 and b.text("#phase") == "FORWARD"
    for keys, step in (
        (["right"], 2), (["right", "right"], 4), (["left"], 3), (["pagedown"], 4),
        (["pageup"], 3), (["end"], 18),
        (["right"], 18), (["home"], 1), (["left"], 1), (["b"], 11),
    ):  # fmt: skip
        b.keys(*keys)
        assert at(b) == step, keys
    assert b.text("#phase") == "BACKWARD" and b.js("location.hash") == "#11"
    assert b.js("performance.getEntriesByType('resource').length") == 0


@in_browser
def test_space_plays_and_pauses(show):
    b = show("neuron")
    b.keys("space")
    assert "Pause" in b.text("#b-play")
    b.until("document.querySelector('#count').textContent.startsWith('step 2')", 4)
    b.keys("space")
    assert "Play" in b.text("#b-play")


@in_browser
def test_the_address_names_the_step(show):
    b = show("neuron", "#12")
    assert at(b) == 12
    b.js("location.hash = '#17'")
    b.until("document.querySelector('#count').textContent.startsWith('step 17')")


@in_browser
def test_the_page_says_what_python_says(show):
    trace = viz.step(neuron()[0]).trace
    b = show("neuron")
    b.keys("b")
    for step in trace.steps[11:]:
        b.keys("right")
        said = re.sub(r"\s+", "", b.js("document.querySelector('#explain').textContent"))
        for key in ("text", "chain", "rule", "numbers", "sum", "remark"):
            words = getattr(step, key)
            if key == "rule":
                words = words.removeprefix(step.chain.partition(" += ")[0] + " += ")
            assert re.sub(r"\s+", "", words) in said, (step.name, key)
        assert (
            f"{step.check.finite:.6f}".replace("-", "−") in b.text("#check")
            or step.check.finite == 0
        )
        assert "✓" in b.text("#check")


@in_browser
def test_values_and_gradients_appear_when_they_are_computed(show):
    b = show("neuron")
    assert texts(b, "v9") == ["o", "data", "?", "grad", "–"]
    assert float(b.js("getComputedStyle(document.querySelector('#v9')).opacity")) == pytest.approx(
        0.28
    )
    b.keys("b")
    assert texts(b, "v9") == ["o", "data", "0.7071", "grad", "1.0000"] and texts(b, "v8")[-1] == "–"
    b.keys("right")
    assert texts(b, "v8")[-1] == "0.5000" and texts(b, "e9_0") == ["◂ 0.5000"]
    assert b.js("document.querySelectorAll('#e9_0.now .flow, #r9.now .flow').length") == 2
    assert b.js("getComputedStyle(document.querySelector('#e9_0 .flow')).animationName") == "flow"
    assert "tanh: slope 0.5000 at n = 0.8814" in b.text("#check") and b.js(
        "!!document.querySelector('.tangent')"
    )
    media = {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]}
    b.command("Emulation.setEmulatedMedia", media)
    assert b.js("getComputedStyle(document.querySelector('#e9_0 .flow')).animationName") == "none"
    b.command("Emulation.setEmulatedMedia", {"features": []})


@in_browser
def test_line_and_expression_are_marked(show):
    b = show("neuron", "#12")
    assert b.text("#source li.here mark") == "n.tanh()"
    assert "o = n.tanh()" in b.text("#source li.here")
    b.keys("home")
    assert b.text("#source li.here mark") == "Scalar(x1, requires_grad=False)"


@in_browser
def test_a_click_goes_to_the_next_step_that_touches_the_value(show):
    b = show("neuron")
    b.size(1920, 1080)  # all of it is in view
    b.until("innerWidth === 1920 && !gliding")
    for selector, step in (
        ("#v8", 9),
        ("#v8", 10),
        ("#v8", 12),
        ("#v2", 18),
        ("#v2", 3),
        ("#v2", 6),
        ("#o9", 10),
    ):
        b.until("!gliding")
        b.click(selector)
        assert at(b) == step


@in_browser
def test_contributions_add_up(show):
    trace = viz.step(diamond()[0]).trace
    b = show("diamond", f"#{len(trace.steps)}")
    sums = [s.sum for s in trace.steps if s.name == "a" and s.kind == "contribution"]
    assert len(sums) == 3
    seen = []
    while at(b) > 1:
        if b.text("h2").endswith("its gradient to a"):
            seen.insert(0, b.text(".math.sum"))
        b.keys("left")
    assert seen == sums


@in_browser
def test_quiz(show):
    b = show("neuron", "#11")
    b.keys("q", "right")
    assert "0.5" not in b.text("#explain") + b.text("#check") and texts(b, "v8")[-1] == "–"
    b.keys("0.3", "enter")
    assert "not quite" in b.text("#explain")
    b.keys("1/2", "enter")
    assert "second time" in b.text("#explain") and texts(b, "v8")[-1] == "0.5000"
    for answer, right in (("0.5", 1), ("1/2", 2), (".5", 3), ("0,5", 4), ("−0", 5), ("1.005", 6)):
        b.keys("right", *answer, "enter")
        assert f"{right} of 7 right" in b.text("#score"), answer
    assert "✓ right" in b.text("#explain")
    b.keys("q")
    assert b.text("#score") == ""


@in_browser
def test_quiz_of_a_seed_has_its_own_numbers(show):
    trace = viz.quiz(neuron()[0], seed=7)
    values = data_of(page(trace.trace, trace.quiz))["quiz"]["values"]
    names = [n.name for n in trace.trace.nodes]
    o, leaves = neuron(**{names[int(i)]: v for i, v in values.items()})
    o.backward()
    b = show("quiz")
    assert at(b) == 11 and "· 7" in b.text("#score")
    b.keys("right", "nonsense", "enter")
    assert "such as" in b.text("#explain")
    b.keys(*["backspace"] * 8, f"{float(leaves['b'].grad):.6f}", "enter")
    assert "1 of 7 right" in b.text("#score")


@in_browser
def test_what_if_equals_python(show):
    b = show("diamond", "#200")
    b.keys("end", "w", *["backspace"] * 3, "-1.25", "tab", *["backspace"] * 3, "0.75")
    e, leaves = diamond(-1.25, 0.75)
    e.backward()
    got = b.js(
        "({v: now.V[D.root], a: gradientOf(0), c: gradientOf(1), check: now.check.filter(Boolean)})"
    )
    assert got["v"] == pytest.approx(e.data, rel=1e-12)
    assert got["a"] == pytest.approx(leaves["a"].grad, rel=1e-12)
    assert got["c"] == pytest.approx(leaves["c"].grad, rel=1e-12)
    assert all(ok for *_, ok, _ in got["check"])
    assert b.text("#badge") == "what if a = −1.25, c = 0.75"
    b.click("#side p + button, #side > button:last-child")
    assert b.js("now === start") and b.text("#badge") == ""
    b.keys("escape")
    assert b.js("document.querySelector('#side').hidden")
    b = show("mlp")
    b.keys("w")
    assert "Change an element of a leaf" in b.text("#side")


@in_browser
def test_what_if_changes_the_words_too(show):
    b = show("neuron", "#17")
    assert "x2 is 0, so moving w2 changes nothing here." in b.text("#explain")
    b.keys("w", "tab", "backspace", "3")
    assert "changes nothing" not in b.text("#explain")
    o, leaves = neuron(x2=3.0)
    o.backward()
    w2 = f"{leaves['w2'].grad:.4f}"
    assert b.text(".math.sum") == f"0 + {w2} = {w2}" and texts(b, "e6_0") == [f"◂ {w2}"]
    assert f"+= {leaves['b'].grad:.4f} · 3.0000" in b.text("#explain")


@in_browser
def test_paths_add_up_to_the_gradient(show):
    e, leaves = diamond()
    e.backward()
    b = show("diamond", "#1")
    b.keys("f")
    assert "3 paths" in b.text("#side")
    assert b.js("+document.querySelector('#pathsum').dataset.sum") == pytest.approx(
        leaves["a"].grad, rel=1e-9
    )
    lit = b.js("document.querySelectorAll('#svg .e.on').length")
    b.keys("down")
    assert 0 < b.js("document.querySelectorAll('#svg .e.on').length") < lit
    b.until("!gliding")
    b.click("#v1")
    assert "one path" in b.text("#side")
    assert b.js("+document.querySelector('#pathsum').dataset.sum") == pytest.approx(
        leaves["c"].grad, rel=1e-9
    )
    b.keys("f")
    assert b.js("document.querySelector('#side').hidden && !document.querySelector('#svg .on')")


@in_browser
def test_find_help_zoom_and_presenter(show):
    b = show("neuron")
    b.keys("/", "p2", "enter")
    assert at(b) == 7
    b.keys("/", *["backspace"] * 3, "nowhere", "enter")
    assert b.text("#find-said") == "no such name" and at(b) == 7
    b.keys("escape", "?")
    assert b.js("document.querySelector('#help').open") and "slide remotes" in b.text("#help")
    b.keys("?")
    assert not b.js("document.querySelector('#help').open")
    b.keys("z")
    assert b.text("#explain .math") == "" and b.text("#explain h2") == "p2 = w2 × x2"
    b.keys("z", "end")
    size = b.js("parseFloat(getComputedStyle(document.documentElement).fontSize)")
    b.keys("b", "right", "p")
    assert b.js("parseFloat(getComputedStyle(document.documentElement).fontSize)") > 1.25 * size
    assert b.text("#note") == "tanh squashes"
    b.keys("home", "right", "right")
    assert b.text("#note") == "training will change the weights"


@in_browser
def test_screen_readers_and_the_keyboard_alone(show):
    b = show("neuron", "#12")
    said = b.js("document.querySelector('[aria-live=polite]').textContent")
    assert said == "step 12 of 18, backward. o sends its gradient to n. 0 + 0.5000 = 0.5000"
    assert (
        b.js("document.querySelector('#v8').getAttribute('aria-label')")
        == "n = s + b, value 0.8814, gradient 0.5000"
    )
    order = []
    for _ in range(22):
        b.keys("tab")
        order.append(b.js("document.activeElement.id || document.activeElement.tagName"))
    wanted = ["b-quiz", "b-dark", "b-help", "v8", "source", "b-back", "b-play", "b-next", "slider"]
    assert [x for x in order if x in wanted][: len(wanted)] == wanted
    b.js("document.querySelector('#slider').focus()")
    b.keys("right")
    assert at(b) == 13


CONTRAST = """(() => {
  const linear = v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = c => {
    const [r, g, b] = c.match(/[\\d.]+/g).map(v => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => {
    const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05);
  };
  const clear = c => !c || c === 'none' || c === 'rgba(0, 0, 0, 0)' || c === 'transparent';
  const ground = e => {
    for (; e; e = e.parentElement) {
      const c = getComputedStyle(e).backgroundColor;
      if (!clear(c)) return c;
    }
    return 'rgb(255, 255, 255)';
  };
  const under = t => {
    const box = t.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2;
    let found = null;
    for (const e of document.querySelectorAll('#svg path, #svg ellipse, #svg polygon')) {
      if (e === t || t.compareDocumentPosition(e) & Node.DOCUMENT_POSITION_FOLLOWING) break;
      const s = getComputedStyle(e), r = e.getBoundingClientRect();
      const around = r.x <= x && x <= r.right && r.y <= y && y <= r.bottom;
      if (!clear(s.fill) && s.visibility !== 'hidden' && around) found = s.fill;
    }
    return found || ground(t);
  };
  const out = [];
  for (const e of document.querySelectorAll('body *')) {
    const words = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!words || !e.getClientRects().length) continue;
    const s = getComputedStyle(e), svg = e.namespaceURI.endsWith('svg');
    if (s.visibility === 'hidden' || e.closest('.apart, #say, script, style')) continue;
    if (svg && +getComputedStyle(e.closest('g.n, g.e, g.k, svg')).opacity < 1) continue;
    const own = e.closest('figure svg') ? ground(e) : svg ? under(e) : ground(e);
    out.push([ratio(svg ? s.fill : s.color, own), e.textContent.slice(0, 30)]);
  }
  return out;
})()"""


@in_browser
@pytest.mark.parametrize("name", ["neuron", "mlp", "classify"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_can_be_read(show, name, theme):
    b = show(name)
    if theme == "dark":
        b.keys("d")
        assert (
            b.js("getComputedStyle(document.body.parentElement).backgroundColor")
            == "rgb(20, 23, 28)"
        )
    for keys in (["home"], ["end"], ["f"], ["f", "left", "w"], ["w", "z"]):
        b.keys(*keys)
        found = b.js(CONTRAST)
        assert len(found) > 40
        worst = min(found)
        assert worst[0] >= 4.5, worst


@in_browser
def test_names_run_nothing(show):
    b = show("evil")
    for _ in range(6):
        b.keys("right")
    b.keys("f", "w", "w", "q", "q")
    assert b.js("window.hit ?? null") is None
    assert b.js("document.querySelectorAll('img').length") == 0
    assert "</script>" in b.js("document.querySelector('#v0').getAttribute('aria-label')")


@in_browser
def test_tensor_steps_show_their_arrays(show):
    trace = viz.step(mlp()).trace
    b = show("mlp")
    places = [k for k, s in enumerate(trace.steps) if s.kind == "contribution"]
    place = next(k for k in places if trace.nodes[trace.steps[k].node].shape == [4, 2])
    b.js(f"location.hash = '#{place + 1}'")
    b.until(f"document.querySelector('#count').textContent.startsWith('step {place + 1} ')")
    last = "#explain .arrays .array:last-child td"
    cells = b.js(f"[...document.querySelectorAll('{last}')].map(e => e.textContent)")
    full = trace.steps[place].array.full
    wanted = [v for row in full for v in row]
    assert [float(c.replace("−", "-")) for c in cells] == pytest.approx(wanted, rel=1e-2)
    assert "@" in b.text("#explain")
    b.keys("f")
    assert "matrices" in b.text("#side")


@in_browser
@pytest.mark.parametrize("size", [(1280, 800), (1920, 1080), (1024, 700)])
@pytest.mark.parametrize("name", ["neuron", "diamond", "mlp"])
def test_the_page_fits_the_screen(show, name, size):
    b = show(name, "#12")
    b.size(*size)
    b.until(f"innerWidth === {size[0]}")
    for keys in ([], ["p"]):
        b.keys(*keys)
        b.js("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert b.js("document.documentElement.scrollWidth <= innerWidth")
        assert b.js("(e => e.scrollWidth <= e.clientWidth)(document.querySelector('#check'))")


@in_browser
def test_zoom_into_a_tensor_op(show):
    loss, m, _ = classify()
    trace = viz.step(loss).trace
    step = next(
        k
        for k, s in enumerate(trace.steps)
        if s.kind == "op" and trace.nodes[s.node].op == "matmul"
    )
    b = show("classify", f"#{step + 1}")

    def written():
        return b.js("[...document.querySelectorAll('#written .math')].map(p => p.textContent)")

    def marked(name):
        return b.js(f"[...document.querySelectorAll('#explain td.{name}')].map(t => t.textContent)")

    b.keys("e")
    for keys, place in (
        ([], (1, 1)),
        (["right"], (1, 2)),
        (["up"], (0, 2)),
        (["up"], (0, 2)),
        (["left", "left"], (0, 0)),
    ):
        b.keys(*keys)
        wanted = [
            line.split("[", 1)[1] if "[" in line else line
            for line in viz.expand(m, place).forward_lines()
        ]
        assert [line.strip() for line in wanted] == [
            w.split("[", 1)[1] if "[" in w else w for w in written()
        ]
        assert len(marked("meets")) == 4 and len(marked("chosen")) == 1
    assert at(b) == step + 1
    b.keys("escape", "end", "pageup", "pageup")
    places = [
        k
        for k, s in enumerate(trace.steps)
        if s.kind == "contribution" and trace.nodes[s.node].shape == [3]
    ]
    while at(b) != places[0] + 1:
        b.keys("pagedown" if at(b) <= places[0] else "pageup")
    assert len(marked("meets")) == 3  # b was broadcast over three rows, so three gradients meet
    assert written()[0].count("∂") == 8 and written()[-1].startswith("= ")


@in_browser
@pytest.mark.needs("core")
def test_the_loop_in_c_follows_the_steps(show):
    loss, _, _ = classify()
    trace = viz.step(loss).trace
    b = show("classify")
    b.keys("c")
    assert b.text("#side h2").startswith("In C") and b.js(
        "document.activeElement.closest('#side') !== null"
    )
    seen = set()
    for k, step in enumerate(trace.steps):
        said, text = loop(trace, step)
        assert at(b) == k + 1 and b.text("#side p") == said
        assert b.js("document.querySelector('#side pre')?.textContent || ''") == text
        assert b.js(f"D.loops[S[{k}].C][2]") == opening(text)
        seen.add(text)
        b.keys("pagedown")
    assert core.source("softmax") in seen and core.source("softmax_vjp0") in seen
    b.keys("escape")
    assert b.js("document.querySelector('#side').hidden")


@in_browser
def test_in_the_frame_of_a_notebook(show):
    b = show("notebook")
    covered = """[...document.querySelectorAll('div')].every(d => {
      const [a, b] = [...d.children].map(e => e.getBoundingClientRect());
      return b.x <= a.x && b.y <= a.y && b.right >= a.right && b.bottom >= a.bottom;
    })"""  # the frame lies over the picture
    b.until("document.images.length === 2 && [...document.images].every(i => i.complete)")
    assert b.js(covered) and b.js("document.querySelectorAll('script').length") == 0
    b.frame("iframe")
    b.until("document.querySelector('#count')?.checkVisibility()")
    b.click("#b-next")
    b.keys("right", "b")
    assert at(b) == 11 and b.text("#phase") == "BACKWARD"
    # a cell is narrow: the panels stand below each other, and the buttons stay in sight
    foot = "document.querySelector('footer').getBoundingClientRect().bottom"
    assert b.js(f"Math.round({foot} - innerHeight)") == 0
    b.until("!gliding")
    assert b.js("box(stop(S[at]).own[0]).w > 20 && in_view(box(stop(S[at]).own[0]), view)")
    assert b.js("$('map').hasAttribute('hidden') || +$('map').firstChild.getAttribute('width') > 0")
    b.frame()
    # where the frames are taken out, the picture is what is seen
    b.js("(document.querySelectorAll('iframe').forEach(f => f.remove()), 1)")
    assert b.js("[...document.images].every(i => i.checkVisibility() && i.width > 300)")
    bare = "[...document.querySelectorAll('div')].map(d => d.clientHeight - d.firstChild.height)"
    assert max(b.js(bare)) < 10  # no room is kept for them


@in_browser
def test_long_graphs_follow_the_step(show):
    b = show("chain")
    inside = """(() => {
      const rect = e => document.querySelector(e).getBoundingClientRect();
      const [a, b] = ['#svg .n.now', '#graph'].map(rect);
      return a.right > b.x && a.x < b.right && a.bottom > b.y && a.y < b.bottom;
    })()"""
    for keys in (["home"], ["end"], ["b"]):
        b.keys(*keys)
        b.until(inside)


@in_browser
def test_the_functions_of_the_page_compute_what_scalars_compute(show):
    b = show("table")
    points = [-3.7, -2.0, -1.0, -0.5, 0.0, 0.3, 1.0, 2.5, 3.0, 30.0]
    for op, (value, derivatives) in formulas.TABLE.items():
        static = {
            k: {None: -0.4, 20.0: 20.0}.get(v, v) for k, v in formulas.ARGUMENTS.get(op, {}).items()
        }
        static = {k: 0.4 if k == "max" else v for k, v in static.items()}
        letters = "xyz"[: len(derivatives)]
        keywords = f", *, {', '.join(static)}" if static else ""
        f = compile_scalar(value, ", ".join(letters) + keywords)
        inputs = [[x, 1.5, -0.25][: len(letters)] for x in points] + [
            [x, x, x][: len(letters)] for x in points
        ]
        ds = [
            None if d is None else compile_scalar(d, f"g, out, {', '.join(letters)}{keywords}")
            for d in derivatives
        ]
        wanted = []
        for xs in inputs:
            out = f(*xs, **static)
            wanted.append([out, *(None if d is None else d(0.7, out, *xs, **static) for d in ds)])
        script = f"""arguments[0].map(xs => {{
            const out = OPS.{op}.f(...xs, arguments[1]);
            const all = [out, ...OPS.{op}.d.map(d => d && d(0.7, out, ...xs, arguments[1]))];
            return all.map(v => v === null || Number.isFinite(v) ? v : String(v));
        }})"""
        for xs, expected, got in zip(inputs, wanted, b.js(script, inputs, static), strict=True):
            for e, g in zip(expected, got, strict=True):
                if e is None:
                    assert g is None
                elif isinstance(g, str):
                    assert float(g.replace("Infinity", "inf")) == e or (
                        math.isnan(e) and g == "NaN"
                    ), (op, xs, e, g)
                else:
                    assert g == pytest.approx(e, rel=1e-12, abs=1e-14), (op, xs, e, g)
