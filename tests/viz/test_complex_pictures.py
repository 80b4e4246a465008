"""Pictures, steps and traces of complex numbers: ``1+2i``."""

import numpy as np
import pytest
from microtorch.viz.reading import numbers
from microtorch.viz.reading.summary import summary
from microtorch.viz.reading.take import conjugated

import microtorch as torch
from microtorch import viz


def program():
    a = torch.tensor(1 + 2j, requires_grad=True)
    w = torch.tensor([[1j, 2], [3, 4 - 1j]], requires_grad=True)
    z = torch.tensor([1 + 2j, 0.5 - 1e-7j])
    y = (w @ z) * a
    return a, w, y, (y.abs() ** 2).sum() + (a * (2 - 1j)).real


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        (numbers.literal, 1 + 2j, "1+2i"),
        (numbers.literal, 0.5 - 1j, "0.5−1i"),
        (numbers.literal, 2 + 0j, "2"),
        (numbers.short, 1.23456 - 2e-9j, "1.23−2.0e−9i"),
        (numbers.number, 1j, "0+1.0000i"),
        (numbers.number, complex("nan"), "NaN+0i"),
    ],
)
def test_numbers(write, value, text):
    assert write(value) == text


def test_summary():
    one, several = summary(np.array(3 + 4j)), summary(np.array([3 + 4j, 0]))
    assert (one.number, one.rms) == (3 + 4j, 5)
    assert (several.low, several.high, several.full) == (0, 5, [3 + 4j, 0])
    assert several.rms == pytest.approx(12.5**0.5)


def test_rules_have_conjugates():
    for rule, text in {
        "g": "g", "-g": "-g", "g * y": "g * conj(y)", "g * out * 2": "g * conj(out * 2)",
        "g / (2 * out)": "g / conj(2 * out)", "-g * x / y": "conj(-conj(g) * x / y)",
        "g * (1 - out) * y": "g * conj((1 - out) * y)", "g * 2": "g * 2",
        "xᵀ @ g": "conj(xᵀ) @ g", "Σ g over the batch": "Σ g over the batch", "": "",
    }.items():  # fmt: skip
        assert conjugated(rule) == text
    stepper = viz.step(program()[-1])
    rules = [rule for node in stepper.trace.nodes for rule in node.rules]
    assert "g @ conj(yᵀ)" in rules and "g * sgn(x)" in rules


def test_steps_pages_and_json(tmp_path):
    a, _, y, loss = program()
    stepper = viz.step(loss)
    text = "\n".join(stepper.frames())
    assert "1.0000+2.0000i" in text and "2−1i" in text
    for suffix in ("txt", "md", "tex", "svg"):
        stepper.save(str(tmp_path / f"steps.{suffix}"))
    page = tmp_path / "page.html"
    stepper.save(str(page))
    assert "1+2i" in page.read_text(encoding="utf-8")
    again = type(stepper.trace).from_json(stepper.trace.to_json())
    assert [n.value for n in again.nodes] == [n.value for n in stepper.trace.nodes]
    assert "i: " in str(viz.explain_grad(a, loss)).splitlines()[1]
    assert "digraph" in str(viz.make_dot(loss))
    with pytest.raises(TypeError, match="Scalars, which are real"):
        viz.expand(y)
