"""Films: every frame is the picture of its step, and nothing moves that did not change."""

import re
import sys
import xml.etree.ElementTree as ET

import pytest
from microtorch.viz.drawing import animate, render
from microtorch.viz.drawing import film as films
from repository import loaded

import microtorch as torch
from microtorch import Scalar, nn, viz
from microtorch.base import errors

pytestmark = pytest.mark.needs("dot")
SVG = "{http://www.w3.org/2000/svg}"


def twice():
    """Used twice: its gradient is the sum of two contributions."""
    a = Scalar(-3.0)
    b = Scalar(1.0)
    return a * b + a


def network():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    loss = net(torch.randn(4, 2)).pow(2).mean()
    return loss, net


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def words(svg):
    """The texts of a picture, with their places."""
    texts = [
        (t.get("x"), t.get("y"), "".join(t.itertext()))
        for t in ET.fromstring(svg).iter(f"{SVG}text")
    ]
    return sorted(t for t in texts if t[2].strip())


def at_frame(film, frame, seconds):
    """What a film shows during a frame: without the elements that are hidden at that time."""
    root = ET.fromstring(film)
    css = root.find(f"{SVG}style").text
    time = 100 * (sum(seconds[:frame]) + seconds[frame] / 2) / sum(seconds)
    hidden = set()
    for name, keys in re.findall(r"@keyframes (f\d+)\{(.*)\}", css):
        states = [
            v for p, v in re.findall(r"([\d.]+)%\{visibility:(\w+)\}", keys) if float(p) <= time
        ]
        hidden |= {name} if states[-1] == "hidden" else set()

    def strip(parent):
        for child in list(parent):
            if child.get("class") in hidden:
                parent.remove(child)
            else:
                strip(child)

    strip(root)
    return ET.tostring(root, encoding="unicode")


def forward():
    """Forward mode: each value with its tangent."""
    return viz.step(twice(), mode="forward", wrt="a")


FILMS = [lambda: viz.step(twice()), lambda: viz.step(network()[0]), forward]


@pytest.mark.parametrize("make", FILMS, ids=["scalars", "tensors", "forward"])
def test_the_film_shows_each_step_as_its_still(tmp_path, make):
    stepper = make()
    film = read(stepper.save(tmp_path / "a.svg"))
    stills = animate.stills(stepper.trace)
    assert len(stills) == len(stepper)
    seconds = films.seconds(stepper.trace)
    for k, still in enumerate(stills):
        assert words(at_frame(film, k, seconds)) == words(
            render.render(still.digraph.source, "svg")
        ), f"frame {k}"


@pytest.mark.parametrize("make", FILMS, ids=["scalars", "tensors", "forward"])
def test_nothing_moves_that_did_not_change(make):
    layouts = set()
    for still in animate.stills(make().trace):
        plain = render.render(still.digraph.source, "plain").decode()
        layouts.add(
            "\n".join(
                " ".join(line.split()[:6])
                for line in plain.splitlines()
                if line.startswith(("graph", "node"))
            )
        )
    assert len(layouts) == 1


def shown(still, name):
    source = still.digraph.source
    (label,) = re.findall(rf"^\t+{name} \[label=(<<TABLE.*?>>)[ \]]", source, re.M)
    return [w for w in re.findall(r">([^<>]+)<", label) if w != "&nbsp;"]


def test_gradients_grow_step_by_step():
    """a is used twice: – at first, then the first contribution, then the sum of both."""
    stills = animate.stills(viz.step(twice()).trace)
    rows = [shown(s, "v0") for s in stills]  # v0 is a
    assert rows[0] == ["a", "data", "−3.0000", "grad", "–"]
    grads = list(dict.fromkeys(row[-1] for row in rows))
    assert grads == ["–", "1.0000", "2.0000"]
    later = [shown(s, "v1") for s in stills]
    assert later[0] == ["b", "data", "?", "grad", "–"] and later[-1] == [
        "b",
        "data",
        "1.0000",
        "grad",
        "−3.0000",
    ]


def test_tangents_travel_with_the_values():
    trace = forward().trace
    stills = animate.stills(trace)
    product = [shown(s, "v2") for s in stills]  # a·b
    assert product[0] == ["a·b", "data", "?", "ε", "–"]
    assert product[-1] == ["a·b", "data", "−3.0000", "ε", "1.0000"]
    sent = [re.findall("▸ ([−0-9.]+)", s.digraph.source) for s in stills]
    assert sent == [[], [], ["1.0000"], ["1.0000", "1.0000", "1.0000"]]
    last = animate.caption(trace, trace.steps[-1])
    assert last[2] == "v₃ = −6.0000     ∂v₃/∂a = 2.0000"
    assert "FORWARD MODE" in stills[2].digraph.source and "BACKWARD" not in stills[2].digraph.source


def test_a_gradient_of_a_tensor_is_the_sum_so_far():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    loss = (x * 3 + x * 4).sum()
    stills = animate.stills(viz.step(loss).trace)
    chips = list(dict.fromkeys(shown(s, "v0")[-1] for s in stills))
    assert chips == ["–", "4", "7"]


def test_the_picture_is_one_file_that_needs_no_script(tmp_path):
    script = Scalar(2.0, label='<script>alert("1")</script>')
    film = read(viz.step((script * 3).tanh()).save(tmp_path / "a.svg"))
    root = ET.fromstring(film)
    drawn = ("svg", "style", "g", "polygon", "polyline", "path", "text", "ellipse")
    assert {e.tag for e in root.iter()} <= {SVG + t for t in drawn}
    assert "prefers-reduced-motion" in film and "http" not in film.replace("http://www.w3.org/", "")
    style = root.find(f"{SVG}style").text
    last = {
        name
        for name, keys in re.findall(r"@keyframes (f\d+)\{(.*)\}", style)
        if keys.rstrip("}").endswith("visible")
    }
    assert last == set(re.findall(r"\.(f\d+)\{visibility:visible", style)), (
        "the still picture is that of the last step"
    )


def test_the_picture_of_the_readme_is_small(tmp_path):
    paths = loaded("docs/pictures/make.py").main(tmp_path)
    assert [p.rpartition("/")[2] for p in paths] == [
        "neuron.svg",
        "neuron-steps.svg",
        "mlp.svg",
        "vanishing.svg",
        "architecture.svg",
        "zoom.svg",
        "program.svg",
        "memory.svg",
        "kept.svg",
    ]
    assert (tmp_path / "neuron-steps.svg").stat().st_size < 150_000
    strip = (tmp_path / "vanishing.svg").read_text()
    assert "× 12" in strip and "net.0 … 22" in strip and "grad rms of weight, per block" in strip


def test_bitmaps_have_a_frame_for_each_step(tmp_path):
    image = pytest.importorskip("PIL.Image")
    stepper = viz.step(twice())
    for kind in ("gif", "apng", "webp"):
        if kind == "webp" and not __import__("PIL.features", fromlist=["x"]).check("webp"):
            continue
        path = stepper.save(tmp_path / f"a.{kind}", speed=2)
        with image.open(path) as film:
            assert film.n_frames == len(stepper) and film.size[0] > 300, kind
            if kind == "gif":
                film.seek(len(stepper) - 1)
                assert film.info["duration"] == 1000 * films.LAST / 2


def test_without_pillow_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r'pip install "microtorch\[anim\]"'):
        viz.step(twice()).save(tmp_path / "a.gif")
    viz.step(twice()).save(tmp_path / "a.svg")


def test_slides_are_numbered_files_and_the_latex_to_show_them(tmp_path, capsys):
    stepper = viz.step(twice())
    assert stepper.save(tmp_path / "chain.pdf") == str(tmp_path / "chain-%02d.pdf")
    files = sorted(p.name for p in tmp_path.iterdir())
    assert files == [f"chain-{k:02d}.pdf" for k in range(1, len(stepper) + 1)]
    assert all((tmp_path / f).read_bytes().startswith(b"%PDF") for f in files)
    latex = capsys.readouterr().out
    assert (
        rf"\animategraphics[controls,width=\linewidth]{{1}}{{chain-}}{{01}}{{{len(stepper):02d}}}"
        in latex
    )
    assert [int(k) for k in re.findall(r"\\only<(\d+)>", latex)] == list(range(1, len(stepper) + 1))


def test_gradients_of_the_user_stay_as_they_are(tmp_path):
    loss, net = network()
    viz.step(loss).save(tmp_path / "a.svg")
    assert all(p.grad is None for p in net.parameters())
    loss.backward()
    before = [p.grad.clone() for p in net.parameters()]
    viz.step(loss).save(tmp_path / "a.svg", theme="dark", depth=0)
    assert all((p.grad == b).all() for p, b in zip(net.parameters(), before, strict=True))


def test_what_cannot_be_a_film(tmp_path):
    stepper = viz.step(twice())
    with pytest.raises(ValueError, match=r"use one of .*\.gif"):
        stepper.save(tmp_path / "a.mp3")
    with pytest.raises(ValueError, match="theme='neon'"):
        stepper.save(tmp_path / "a.svg", theme="neon")
    with pytest.raises(ValueError, match="speed=0"):
        stepper.save(tmp_path / "a.svg", speed=0)
    with pytest.raises(TypeError, match="for films"):
        stepper.save(tmp_path / "a.txt", speed=2)
    x = Scalar(1.0)
    for _ in range(200):
        x = x * 1.01
    with pytest.raises(errors.GraphError, match="too long to watch"):
        viz.step(x).save(tmp_path / "a.svg")


def test_modules_that_are_gone_still_show_their_class():
    def forward():
        return nn.Sequential(nn.Linear(2, 3), nn.Tanh())(torch.randn(4, 2)).sum()

    texts = [m.text for m in viz.draw(forward()).trace.modules]
    assert texts == ["Sequential()", "Linear()", "Tanh()"]
