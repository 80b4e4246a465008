"""Attention in the page: the matrix of weights over the tokens' names."""

import numpy as np
import pytest
from microtorch.viz.reading import attention

import microtorch as torch
from microtorch import nn, viz

WINDOW = 1920, 1080

WORDS = "the cat sat down".split()


def one_head():
    torch.manual_seed(0)
    x = torch.randn(4, 3)
    q, k, v = (x @ torch.randn(3, 3, requires_grad=True) for _ in range(3))
    weights = (q @ k.T / 3**0.5).softmax(-1)
    return ((weights @ v) ** 2).sum(), weights


def test_weights_are_found_and_a_classifier_is_none():
    loss, _ = one_head()
    t = viz.trace(loss).trace
    ((i, reads),) = attention.find(t).items()
    assert t.nodes[i].op == "softmax" and [t.nodes[j].op for j in reads] == ["matmul"]
    heads = nn.MultiheadAttention(4, 2, dropout=0.5)
    x = torch.randn(3, 1, 4)
    assert len(attention.find(viz.trace(heads(x, x, x)[0].sum()).trace)) == 1
    probabilities = (torch.randn(2, 3) @ torch.randn(3, 4, requires_grad=True)).softmax(-1)
    assert attention.find(viz.trace(probabilities.sum()).trace) == {}


def test_tokens_that_do_not_fit():
    loss, _ = one_head()
    with pytest.raises(ValueError, match=r"5 rows and 5 columns, .* are 4×4"):
        viz.step(loss, tokens=["a"] * 5)
    for wrong in ("the cat", [1, 2, 3, 4]):
        with pytest.raises(TypeError, match="list of names"):
            viz.step(loss, tokens=wrong)
    both = viz.step(loss, tokens=(WORDS, list("abcd"))).trace
    assert viz.Trace.from_json(both.to_json()).tokens == [WORDS, list("abcd")]


@pytest.mark.needs("browser", "dot")
def test_the_matrix_over_the_names(tmp_path, chromium):
    loss, weights = one_head()
    path = viz.step(loss, tokens=WORDS, names={"weights": weights}).save(tmp_path / "p.html")
    chromium.open(path)
    assert chromium.text("#attention") == ""  # not before there are weights
    chromium.js("(go(S.findIndex(s => s.k === 'op' && N[s.n].op === 'softmax')), 1)")
    heads = chromium.js(
        "[...document.querySelectorAll('#attention .plane th')].map(e => e.textContent)"
    )
    assert heads == ["", *WORDS, *WORDS]
    shown = chromium.js("[...document.querySelectorAll('#attention .plane td')].map(e => e.title)")
    assert shown[1].startswith("the → cat: ")
    numbers = [float(t.rpartition(" ")[2].replace("−", "-")) for t in shown]
    assert numbers == pytest.approx(np.ravel(weights.detach().numpy()), rel=1e-2)
    chromium.js("choose(7)")  # the lens leads: row 1
    assert chromium.text("#attention .here th") == "cat"
    assert "cat looks at" in chromium.text("#attention")
    chromium.keys("end")
    assert chromium.text("#attention") == ""  # other steps show the graph
    assert chromium.log("browser") == []
