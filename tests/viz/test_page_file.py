"""The stepper's page as a file: what is in it, and what is not."""

import base64
import hashlib
import html
import re
import time

import pytest
from microtorch.viz.showing import javascript
from microtorch.viz.showing.html import page
from ops.samples import SAMPLES
from page_programs import EVIL, chain, data_of, evil, mlp, neuron

import microtorch as torch
from microtorch import nn, viz
from microtorch.engine.op import REGISTRY
from microtorch.notation import formulas


@pytest.mark.needs("dot")
def test_the_file_stands_alone_and_is_small(tmp_path):
    path = viz.step(neuron()[0]).save(tmp_path / "lesson.html")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    assert len(text.encode()) < 100_000
    assert (
        not re.search(r"(?:src|href)\s*=\s*['\"](?!data:)", text)
        and "@import" not in text
        and "url(" not in text
    )
    assert "innerHTML" not in text and "eval(" not in text


@pytest.mark.needs("dot")
def test_the_policy_allows_the_one_script_and_the_one_style():
    text = page(viz.step(neuron()[0]).trace)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert policy.startswith("default-src 'none';")
    scripts = re.findall(r"<script>(.*?)</script>", text, re.S)
    styles = re.findall(r"<style>(.*?)</style>", text, re.S)
    assert len(scripts) == len(styles) == 1
    for directive, inline in (("script-src", scripts[0]), ("style-src", styles[0])):
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert " style=" not in text.partition("<body>")[2]  # which the policy would refuse


@pytest.mark.needs("dot")
def test_the_same_graph_makes_the_same_bytes():
    assert page(viz.step(neuron()[0]).trace) == page(viz.step(neuron()[0]).trace)
    net = nn.Linear(2, 1)
    first, second = (page(viz.step(net(torch.ones(3, 2)).sum() * 43).trace) for _ in range(2))
    assert first == second


def test_numbers_stand_at_their_first_use_whatever_ran_before():
    def order():
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        return [(n.role, n.name, n.inputs) for n in viz.step((x * 37 + x * 41).sum()).trace.nodes]

    assert order() == order() and order()[0][0] == "parameter"


@pytest.mark.needs("dot")
def test_no_names_become_markup():
    text = page(viz.step(evil()).trace)
    assert text.count("<script") == 2 and "<img" not in text
    data = re.search(r'id="data">(.*?)</script>', text, re.S)[1]
    assert not set("<>&\u2028") & set(data)
    assert EVIL in [n["n"] for n in data_of(text)["nodes"]]


@pytest.mark.needs("dot")
def test_only_lines_near_the_program_and_no_folders_are_in_the_file():
    data = data_of(page(viz.step(neuron()[0]).trace))
    (file,) = data["files"]
    assert file["name"] == "page_programs.py" and len(file["lines"]) < 25
    assert set(file["notes"].values()) == {"training will change the weights", "tanh squashes"}


@pytest.mark.needs("dot")
@pytest.mark.parametrize("values", [140, 400])
def test_a_page_of_400_values_takes_less_than_2_seconds(values):
    y = chain(values)
    start = time.process_time()
    text = page(viz.step(y).trace)
    assert time.process_time() - start < 2
    assert len(data_of(text)["nodes"]) >= values


@pytest.mark.needs("dot")
@pytest.mark.filterwarnings("ignore::RuntimeWarning:microtorch")
def test_ops_of_all_kinds_get_a_page():
    for name in ("matmul", "sum", "softmax", "relu", "maximum", "where", "gelu"):
        for sample in SAMPLES.get(name, ())[:1]:
            xs = [torch.tensor(x).requires_grad_(x.dtype.kind == "f") for x in sample.inputs]
            out = REGISTRY[name](*xs, **sample.attrs)
            assert "<svg" in page(viz.step((out * out).sum()).trace)


@pytest.mark.needs("dot")
def test_in_a_notebook():
    bundle = viz.step(neuron()[0])._repr_mimebundle_()
    assert set(bundle) == {"text/html", "image/svg+xml", "image/png", "text/plain"}
    frame = re.search(r'<iframe sandbox="allow-scripts" .*?srcdoc="([^"]*)"', bundle["text/html"])
    assert html.unescape(frame[1]) == page(viz.step(neuron()[0]).trace)
    image = re.search(r'src="data:image/svg\+xml;base64,([^"]*)"', bundle["text/html"])
    assert base64.b64decode(image[1]).decode() == bundle["image/svg+xml"]


def test_in_a_notebook_without_graphviz(monkeypatch):
    from microtorch.viz.drawing import render

    monkeypatch.setattr(render.shutil, "which", lambda name: None)
    monkeypatch.setitem(__import__("sys").modules, "pygraphviz", None)
    bundle = viz.step(neuron()[0])._repr_mimebundle_()
    assert set(bundle) == {"text/plain"} and "Graphviz" in bundle["text/plain"]


@pytest.mark.needs("dot")
def test_a_seed_gives_each_student_other_numbers(tmp_path):
    quizzes = [
        data_of(page(q.trace, q.quiz))["quiz"]
        for q in (viz.quiz(neuron()[0], seed=s) for s in (1, 1, 2))
    ]
    assert quizzes[0] == quizzes[1] != quizzes[2]
    values = quizzes[0]["values"]
    assert len(values) == 5 and values["2"] < 0 and values["1"] == 0
    assert viz.quiz(mlp(), seed=1).save(tmp_path / "quiz.html")
    with pytest.raises(TypeError, match=r"quiz\(\) takes a Tensor"):
        viz.quiz(3)


def test_the_functions_of_the_page_are_the_whole_table():
    for op, (_, derivatives) in formulas.TABLE.items():
        assert javascript.function(op).count("=>") == 1 + sum(d is not None for d in derivatives)
