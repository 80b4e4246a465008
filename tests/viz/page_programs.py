"""Programs whose steps the tests of the page look at, and the data in a page."""

import json
import re

import microtorch as torch
from microtorch import Scalar, nn


def neuron(x1=2.0, x2=0.0, w1=-3.0, w2=1.0, b=6.8813735870195432):
    x1 = Scalar(x1, requires_grad=False)
    x2 = Scalar(x2, requires_grad=False)
    # viz: training will change
    # viz: the weights
    w1 = Scalar(w1)
    w2 = Scalar(w2)
    b = Scalar(b)
    p1 = w1 * x1
    p2 = w2 * x2
    s = p1 + p2
    n = s + b
    o = n.tanh()  # viz: tanh squashes
    return o, {"w1": w1, "w2": w2, "b": b}


def diamond(a=2.0, c=-3.0):
    """``a`` reaches the result along three paths; the ops are not only × and +."""
    a, c = Scalar(a), Scalar(c)
    d = a * c + a
    e = (d**2 + 1).log().sigmoid() * a.exp() / 3
    return e, {"a": a, "c": c}


def mlp():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))
    return nn.MSELoss()(net(torch.randn(3, 2)), torch.randn(3, 1))


def classify():
    """Logits with a bias that is broadcast, and a softmax: its loss and its logits."""
    torch.manual_seed(0)
    x, w, b = (
        torch.randn(3, 2),
        torch.randn(2, 3, requires_grad=True),
        torch.randn(3, requires_grad=True),
    )
    m = x @ w
    z = m + b
    return (z.softmax(-1) ** 2).sum(), m, b


def chain(values):
    """A scalar graph with that many values, not made in a loop, so that it may be drawn in full."""
    y = Scalar(0.5)
    for _ in range((values - 1) // 2):
        y = (y * 1.01).tanh()
    return y


EVIL = '</script><script>window.hit=1</script><img src=x onerror="window.hit=2">'


def evil():
    a = Scalar(2.0, label=EVIL)
    b = Scalar(3.0, label="<!--<script>&\u2028${window.hit=3}")
    text = "</style><script>window.hit=4</script>"  # the page shows this line
    return (a * b).tanh() if text else a


def data_of(text):
    return json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)[1]
    )
