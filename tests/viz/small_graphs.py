"""Graphs that the tests draw, and what is read in their pictures."""

import html
import re

import microtorch as torch
from microtorch import Scalar, nn


def neuron():
    x1 = Scalar(2.0, requires_grad=False)
    x2 = Scalar(0.0, requires_grad=False)
    w1 = Scalar(-3.0)
    w2 = Scalar(1.0)
    b = Scalar(6.8813735870195432)
    s = w1 * x1 + w2 * x2
    n = s + b
    o = n.tanh()
    return o


class Deep(nn.Module):
    def __init__(self, layers=12):
        super().__init__()
        blocks = [
            nn.Sequential(nn.Linear(8 if i == 0 else 32, 32), nn.Sigmoid()) for i in range(layers)
        ]
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(32, 1)

    def forward(self, x):
        return self.head(self.blocks(x))


def mlp():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))
    x, y = torch.randn(32, 2), torch.randn(32, 1)
    pred = net(x)
    loss = nn.MSELoss()(pred, y)
    return net, loss


def by_name(graph):
    return {n.name: n for n in graph.trace.nodes if n.name}


def labels(graph):
    """DOT node id -> the words of its label."""
    out = {}
    for name, label in re.findall(
        r"^\t+(\w+) \[.*?label=(<<TABLE.*?>>|\S+)[ \]]", graph.source, re.M
    ):
        out[name] = [html.unescape(w) for w in re.findall(r">([^<>]+)<", label)] or [
            label.strip('"')
        ]
    return out


def edges(graph):
    """Tail, head and look of each arrow; one that is written from its head is turned around."""
    found = re.findall(r"^\t+(\w+) -> (\w+)(.*)$", graph.source, re.M)
    back = graph.options.grads != "edges"  # there "back" is a gradient
    return [(b, a, look) if back and "dir=back" in look else (a, b, look) for a, b, look in found]
