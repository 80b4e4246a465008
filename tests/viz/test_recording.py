"""Training through time: what a recording holds, against the numbers of the training itself."""

import html
import json
import re

import numpy as np
import pytest
from microtorch.viz.asking import recording
from microtorch.viz.reading import numbers, training

import microtorch as torch
from microtorch import Scalar, nn, viz
from microtorch.base import errors
from microtorch.engine.listening import listen, listeners


def rms(x):
    return float(np.sqrt(np.mean(np.square(x.detach().numpy()))))


def trained(steps=5, lr=0.1, **options):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    x, y = torch.randn(8, 2), torch.randn(8, 1)
    expected = []
    with viz.record(**options) as rec:
        for _ in range(steps):
            loss = (net(x) - y).pow(2).mean()
            optimizer.zero_grad()
            loss.backward()
            expected.append((loss.item(), rms(net[0].weight.grad), rms(net[0].weight)))
            optimizer.step()
    return rec, expected, net


def test_it_holds_what_training_saw():
    rec, expected, net = trained()
    assert len(rec) == 5 and [s.number for s in rec] == list(range(5))
    assert rec.names == ["net.0.weight", "net.0.bias", "net.2.weight", "net.2.bias"]
    for step, (loss, gradient, value) in zip(rec, expected, strict=True):
        assert step.loss == pytest.approx(loss)
        assert step.gradients["net.0.weight"] == pytest.approx(gradient, rel=1e-5)
        assert step.values["net.0.weight"] == pytest.approx(value, rel=1e-5)
        assert step.updates["net.0.weight"] == pytest.approx(0.1 * gradient, rel=1e-3), (
            "SGD: lr times the gradient"
        )
    assert rec.losses == pytest.approx([e[0] for e in expected])
    assert rec.gradients("net.0.weight") == pytest.approx([e[1] for e in expected], rel=1e-5)
    assert len(list(net.parameters())) == 4


def test_recording_changes_nothing():
    rec, expected, _ = trained()
    assert not listeners
    plain = []
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    x, y = torch.randn(8, 2), torch.randn(8, 1)
    for _ in range(5):
        loss = (net(x) - y).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        plain.append(loss.item())
        optimizer.step()
    assert plain == [e[0] for e in expected]
    with pytest.raises(KeyError), viz.record():
        raise KeyError
    assert not listeners, "also after an exception"
    with rec, pytest.raises(RuntimeError, match="already running"):
        rec.__enter__()


def test_who_listens_hears_of_each_backward_and_of_nothing_else():
    heard = []
    x = torch.ones(2, requires_grad=True)
    with listen(heard.append):
        loss = (x * 2).sum()
        loss.backward()
        torch.autograd.grad((x * x).sum(), x)
        viz.step((x * 3).sum())
        y = Scalar(2.0)
        torch.autograd.backward([(x * 4).sum(), y * y], inputs=[x])
    (x * 5).sum().backward()
    assert [len(roots) for roots in heard] == [1, 2] and heard[0][0] is loss


def test_scalars_and_new_tensors_under_an_old_name():
    w, b = Scalar(2.0), Scalar(0.0)
    with viz.record() as rec:
        for _ in range(3):
            w.grad = b.grad = None
            loss = (w * 3 + b - 1) ** 2
            loss.backward()
            for p in (w, b):
                p.data -= 0.01 * p.grad
    assert rec.names == ["w", "b"] and rec.losses == pytest.approx([25, 16, 10.24])
    assert rec[0].updates == pytest.approx({"w": 0.3, "b": 0.1})
    with viz.record() as rec:
        v = torch.ones(2, requires_grad=True)
        for _ in range(3):
            loss = (v * v).sum()
            loss.backward()
            v = (v - 0.1 * v.grad).detach().requires_grad_()
    assert rec.names == ["v"] and rec.gradients("v") == pytest.approx([2.0, 1.6, 1.28])


def test_as_text():
    rec, expected, _ = trained()
    lines = str(rec).splitlines()
    assert lines[0] == "5 steps" and lines[1].split() == ["first", "last", "update"]
    loss = lines[2].split()
    assert loss[0] == "loss" and loss[1] == numbers.short(expected[0][0]) and len(loss[3]) == 5
    assert set(loss[3]) <= set("▁▂▃▄▅▆▇█") and loss[3][0] == "█" and loss[3][-1] == "▁"
    data = json.loads(rec.to_json())
    assert [s["loss"] for s in data["steps"]] == rec.losses and data["names"] == rec.names
    assert str(recording.Recording(None)).startswith("nothing was recorded")
    with pytest.raises(errors.GraphError, match="nothing was recorded"):
        recording.Recording(None).save("flow.svg")
    with pytest.raises(ValueError, match=r"use one of \.html, \.svg"):
        rec.save("flow.gif")


@pytest.mark.needs("dot")
def test_the_picture_has_a_row_per_layer_and_parameter_and_a_column_per_step(tmp_path):
    rec, *_ = trained(steps=7)
    source = rec.digraph().source
    assert (
        source.count('WIDTH="9" HEIGHT="18"') == 7 * (2 + 4)
        and source.count('WIDTH="9" HEIGHT="32"') == 7
    )
    with open(rec.save(tmp_path / "flow.svg"), encoding="utf-8") as file:
        words = [html.unescape(w) for w in re.findall(r">([^<>]+)</text>", file.read())]
    assert [w for w in words if w.startswith("net.")] == ["net.0", "net.2", *rec.names]
    many, *_ = trained(steps=200)
    assert many.digraph("dark").source.count('WIDTH="9" HEIGHT="32"') == recording.COLUMNS


def test_a_layer_is_the_mean_square_over_its_elements():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    scale = torch.ones(1, requires_grad=True)
    expected = []
    with viz.record() as rec:
        for k in range(4):
            net.zero_grad()
            scale.grad = None
            loss = (net(torch.randn(8, 2)) * (scale if k else 1.0)).pow(2).mean()
            loss.backward()
            elements = np.concatenate([p.grad.numpy().ravel() for p in net[0].parameters()])
            assert elements.size == 9
            expected.append(float(np.sqrt(np.mean(elements**2))))
    assert rec.layers == {
        "net.0": ["net.0.weight", "net.0.bias"],
        "net.2": ["net.2.weight", "net.2.bias"],
        "scale": ["scale"],
    }
    assert rec.layer("net.0") == pytest.approx(expected, rel=1e-5)
    assert rec.layer("scale")[0] is None and rec.layer("scale")[1:] == rec.gradients("scale")[1:]
    lines = str(rec).splitlines()
    assert [line.split()[0] for line in lines[2:8]] == [
        "loss",
        "layer",
        "net.0",
        "net.2",
        "scale",
        "parameter",
    ]
    row = lines[4].split()
    assert (
        row[1:3] == [numbers.short(expected[0]), numbers.short(expected[-1])] and len(row[3]) == 4
    )
    assert json.loads(rec.to_json())["layers"] == rec.layers


def test_layers_of_names_given_and_of_no_module():
    a, b, c = (torch.ones(2, requires_grad=True) for _ in range(3))
    held = [a, b, c]
    del a, b, c
    with viz.record({"up.w": held[0], "up.b": held[1], "gain": held[2]}) as rec:
        (held[0] * held[1] * held[2]).sum().backward()
    assert rec.layers == {"up": ["up.w", "up.b"], "gain": ["gain"]} and "\nlayer\n" in str(rec)
    w = Scalar(2.0)
    with viz.record() as rec:
        (w * w).backward()
    assert rec.layers == {"w": ["w"]} and "layer" not in str(rec) + rec.digraph().source, (
        "the parameter says it"
    )


def test_columns_are_epochs_where_it_is_told_their_length():
    rec, *_ = trained(steps=7, epoch=3)
    source = rec.digraph().source
    assert (
        source.count('WIDTH="9" HEIGHT="32"') == 3
        and source.count('WIDTH="9" HEIGHT="18"') == 3 * 6
    )
    assert "per epoch" in source and "0 … 2" in source
    lines = str(rec).splitlines()
    assert (
        lines[0] == "7 steps, 3 epochs"
        and len(lines[2].split()[-1]) == len(lines[4].split()[-1]) == 3
    )
    many, *_ = trained(steps=200, epoch=2)
    assert many.digraph().source.count('WIDTH="9" HEIGHT="32"') == recording.COLUMNS
    for wrong in (0, 2.5, True):
        with pytest.raises(ValueError, match="number of steps in an epoch"):
            viz.record(epoch=wrong)


@pytest.mark.needs("dot")
def test_two_steps_compared(tmp_path):
    w, b = Scalar(2.0), Scalar(0.0)
    with viz.record() as rec:
        for _ in range(2):
            w.grad = b.grad = None
            loss = (w * 3 + b - 1) ** 2
            loss.backward()
            for p in (w, b):
                p.data -= 0.01 * p.grad
    d = viz.diff(rec[0], rec[1])
    rows = {name: sizes for name, *sizes in d.rows}
    assert rows["w"] == pytest.approx([2.0, 1.7, 30.0, 24.0]) and rows["b"] == pytest.approx(
        [0.0, -0.1, 10.0, 8.0]
    )
    assert rows["loss"] == pytest.approx([25.0, 16.0, 1.0, 1.0])
    assert re.search(r"^w +2 → 1\.7 +30 → 24$", str(d), re.M)
    source = html.unescape(d.draw().source)
    assert "value was 2 ▼" in source and "grad was 30 ▼" in source and "value was 25 ▼" in source
    assert str(viz.diff(rec[0], rec[0])) == "nothing changed between the two steps"
    d.save(tmp_path / "small.png", dpi=30)
    d.save(tmp_path / "large.png", dpi=90, theme="dark")
    small, large = ((tmp_path / f"{n}.png").read_bytes() for n in ("small", "large"))
    assert int.from_bytes(large[16:20], "big") > 2 * int.from_bytes(small[16:20], "big")


def test_steps_that_cannot_be_compared():
    rec, *_ = trained(steps=2)
    a = Scalar(2.0)
    with pytest.raises(errors.GraphError, match="the two graphs differ"):
        viz.diff(rec[0], a * 2)
    x = Scalar(1.0)
    with viz.record() as large:
        y = x
        for _ in range(training.WHOLE):
            y = y * 1.01
        y.backward()
    assert large[0].trace is None
    with pytest.raises(errors.GraphError, match="was not kept"):
        viz.diff(large[0], large[0])
