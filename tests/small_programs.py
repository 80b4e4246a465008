"""Small compiled programs, and how their pictures are read back."""

import re
from itertools import combinations
from xml.etree import ElementTree

import microtorch as torch
from microtorch import Scalar, nn
from microtorch.nn import functional as F

SVG = "{http://www.w3.org/2000/svg}"


def trained(model, x, y, lossf=F.cross_entropy, optimizer=torch.optim.SGD, **options):
    """A compiled step of training that has its program."""
    optimizer = optimizer(model.parameters(), lr=0.1)

    @torch.compile(**options)
    def step(x, y):
        loss = lossf(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(4):
        step(x, y)
    return step


def hinge(p, y):
    loss = torch.relu(1 - y * p).mean()
    return loss


def moons(**options):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(),
                          nn.Linear(16, 1))  # fmt: skip
    x = torch.randn(100, 2)
    return trained(model, x, x.sum(1, keepdim=True).sign(), hinge, **options)


def cnn():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                          nn.Linear(36, 3))  # fmt: skip
    return trained(model, torch.randn(8, 1, 8, 8), torch.randint(0, 3, (8,)))


class Last(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.head = nn.LSTM(8, 8, batch_first=True), nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


def lstm():
    return trained(Last(), torch.randn(4, 10, 8), torch.randint(0, 3, (4,)))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.qkv, self.head = nn.LayerNorm(32), nn.Linear(32, 96), nn.Linear(32, 3)

    def forward(self, x):
        parts = self.qkv(self.norm(x)).split(32, dim=2)
        q, k, v = [p.view(4, 32, 4, 8).transpose(1, 2) for p in parts]
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.head(a.transpose(1, 2).reshape(4, 32, 32)[:, -1])


def transformer():
    return trained(Attention(), torch.randn(4, 32, 32), torch.randint(0, 3, (4,)))


def scalars():
    weights = [[Scalar(0.1 * (i - j)) for i in range(3)] for j in range(4)]
    points = [[0.5 * i, 1.0 - i, 0.25] for i in range(8)]

    @torch.compile
    def step():
        loss = 0.0
        for x in points:
            for w in weights:
                act = sum(wi * xi for wi, xi in zip(w, x, strict=True))
                loss = loss + act.tanh()
        loss.backward()
        for w in weights:
            for p in w:
                p.data -= 0.01 * p.grad
                p.grad = None
        return loss.data

    for _ in range(4):
        step()
    return step


def gan():
    """A step with two walks back, and two optimizers."""
    maker, judge = nn.Linear(2, 2), nn.Linear(2, 1)
    first = torch.optim.SGD(judge.parameters(), lr=0.1)
    second = torch.optim.SGD(maker.parameters(), lr=0.1)

    @torch.compile
    def step(noise, real):
        fake = maker(noise)
        told = F.softplus(judge(fake.detach())).mean() + F.softplus(-judge(real)).mean()
        first.zero_grad()
        told.backward()
        first.step()
        fooled = F.softplus(-judge(fake)).mean()
        second.zero_grad()
        fooled.backward()
        second.step()
        return told, fooled

    for _ in range(5):
        step(torch.randn(4, 2), torch.randn(4, 2))
    return step


PROGRAMS = {"moons": moons, "cnn": cnn, "lstm": lstm, "transformer": transformer}


# ---- reading pictures back -----------------------------------------------------------------------
def boxes(svg, prefix):
    """By id: (left, top, right, bottom) of what has an id that begins so, in points."""
    found = []
    for g in ElementTree.fromstring(svg).iter(f"{SVG}g"):
        name = g.get("id", "")
        shapes = [x for x in g.iter() if x.tag in (f"{SVG}polygon", f"{SVG}path")]
        if name.startswith(prefix) and shapes:
            points = shapes[0].get("points") or shapes[0].get("d")
            pairs = [*map(float, re.findall(r"-?[\d.]+", points))]
            xs, ys = pairs[::2], pairs[1::2]
            found.append((name.removeprefix(prefix), (min(xs), min(ys), max(xs), max(ys))))
    return found


def texts(svg):
    return [t.text for t in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def overlap(a, b, slack=0.3):
    return (
        a[0] + slack < b[2] and b[0] + slack < a[2] and a[1] + slack < b[3] and b[1] + slack < a[3]
    )


def clashes(svg):
    """Pairs of texts that lie over one another."""
    found = []
    for t in ElementTree.fromstring(svg).iter(f"{SVG}text"):
        size, x, y = float(t.get("font-size")), float(t.get("x")), float(t.get("y"))
        wide = float(t.get("textLength", 0.5 * size * len(t.text)))
        left = x - wide * {"end": 1, "middle": 0.5}.get(t.get("text-anchor"), 0)
        found.append((t.text, (left, y - 0.7 * size, left + wide, y)))
    return [(a, b) for (a, p), (b, q) in combinations(found, 2) if overlap(p, q, 0.6)]
