"""`viz.summary`: the layers of a model, what flows between them, what is folded, and the poster."""

import re
from itertools import pairwise

import pytest
from microtorch.viz.drawing import lengths, sheet
from microtorch.viz.reading.layers import read

import microtorch as torch
from microtorch import nn, viz
from microtorch.nn import functional as F
from microtorch.nn.calls import run


class Block(nn.Module):
    def __init__(self, i, o, stride=1):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o)
        self.conv2, self.bn2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        self.down = None
        if i != o:
            self.down = nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o))

    def forward(self, x):
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(out + (x if self.down is None else self.down(x)))


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3)
        self.first = nn.Sequential(Block(4, 4), Block(4, 4), Block(4, 4))
        self.second, self.fc = Block(4, 8, 2), nn.Linear(8, 2)
        self.drop = nn.Dropout(0.3)

    def forward(self, x):
        x = self.second(self.first(self.stem(x)))
        return self.fc(self.drop(x.mean((2, 3))))


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = (
            nn.Conv2d(1, 4, 3, 1, 1),
            nn.Conv2d(4, 8, 3, 1, 1),
            nn.Conv2d(8, 8, 1),
        )
        self.c, self.up = nn.Conv2d(8, 8, 1), nn.ConvTranspose2d(8, 4, 2, 2)
        self.out = nn.Conv2d(8, 1, 1)

    def forward(self, x):
        a = F.relu(self.a(x))
        b = F.relu(self.c(self.b(F.max_pool2d(a, 2))))
        return self.out(torch.cat([a, self.up(b)], 1))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.out = nn.GRUCell(3, 5), nn.Linear(5, 2)

    def forward(self, x):
        h = torch.zeros(len(x), 5)
        for t in range(x.shape[1]):
            h = self.cell(x[:, t], h)
        return {"y": self.out(h), "h": h}


class Siamese(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))

    def forward(self, a, b):
        return (self.enc(a) - self.enc(b)).norm(dim=1)


def told(model, *args, **kwargs):
    """The rows as (depth, name and words, times), and the edges that skip rows."""
    found = viz.summary(model, *args, **kwargs).model
    rows = sheet.rows_of(found)
    place = {row.layer: k for k, row in enumerate(rows)}
    skips = sorted((place[a], place[b]) for a, b in found.flow)
    leaves = [k for k, row in enumerate(rows) if row.kind != "head"]
    near = set(pairwise(leaves))
    words = [" ".join([row.layer.name, *sheet.words_of(row.layer)]).strip() for row in rows]
    return (
        [(len(r.block), w, r.layer.times) for r, w in zip(rows, words, strict=True)],
        [e for e in skips if e not in near],
    )


def test_blocks_repetitions_and_what_skips_them():
    rows, skips = told(Residual(), (1, 1, 10, 10))
    assert rows == [
        (0, "input", 1), (0, "stem Conv2d 1 → 4, 3×3", 1), (0, "first Sequential", 1),
        (1, "0–2 Block", 3), (2, "conv1 Conv2d 4 → 4, 3×3 · BatchNorm2d · relu", 1),
        (2, "conv2 Conv2d 4 → 4, 3×3 · BatchNorm2d", 1), (2, "+ · relu", 1),
        (0, "second Block", 1), (1, "conv1 Conv2d 4 → 8, 3×3, stride 2 · BatchNorm2d · relu", 1),
        (1, "conv2 Conv2d 8 → 8, 3×3 · BatchNorm2d", 1),
        (1, "down.0 Conv2d 4 → 8, 1×1, stride 2 · BatchNorm2d", 1), (1, "+ · relu", 1),
        (0, "mean · Dropout 0.3", 1), (0, "fc Linear 8 → 2", 1), (0, "output", 1),
    ]  # fmt: skip
    assert skips == [(1, 6), (6, 10), (9, 11)]  # the second reads what the first repeated
    rows, skips = told(UNet(), (1, 1, 8, 8))
    assert [rows[a][1] + " to " + rows[b][1] for a, b in skips] == [
        "a Conv2d 1 → 4, 3×3 · relu to cat"
    ]
    rows, skips = told(Recurrent(), (2, 6, 3))
    assert rows[1:4] == [(0, "repeated", 6), (1, "select", 1), (1, "cell GRUCell 3 → 5", 1)]


def test_what_is_not_alike_is_not_folded():
    rows, skips = told(Siamese(), [(2, 4), (2, 4)])
    assert [w for _, w, _ in rows].count("enc Sequential") == 2
    shared = [row.layer.shared for row in sheet.rows_of(viz.summary(Siamese(), [(2, 4)] * 2).model)]
    assert shared == [False] * 5 + [True] * 3 + [False] * 2  # of the second call
    decoder = nn.Transformer(8, 2, 1, 3, 16)
    rows, skips = told(decoder, [(5, 1, 8), (4, 1, 8)])
    assert (1, "0–2 TransformerDecoderLayer", 3) in rows
    attention = [w for _, w, _ in rows if "multihead_attn" in w]
    assert len(attention) == 1  # it reads the encoder's result, and is no second self-attention
    memory = next(k for k, (_, w, _) in enumerate(rows) if w == "norm LayerNorm")
    assert any(a == memory and rows[b][1] == attention[0] for a, b in skips)


@pytest.mark.parametrize("model, shapes", [
    (Residual(), (2, 1, 10, 10)), (UNet(), (1, 1, 8, 8)), (Recurrent(), (2, 6, 3)),
    (Siamese(), [(2, 4), (2, 4)]), (nn.LSTM(3, 4), (5, 2, 3)), (nn.Linear(3, 2), (1, 3)),
])  # fmt: skip
def test_numbers_are_those_of_the_table(model, shapes):
    table, poster = torch.summary(model, shapes), viz.summary(model, shapes)
    assert poster.total_params == table.total_params
    assert poster.multiply_adds == table.multiply_adds
    found = read(run(model, shapes))
    assert sum(layer.parameters for layer in found.layers) == table.total_params
    assert sum(layer.multiply_adds for layer in found.layers) == table.multiply_adds
    assert max(map(len, str(poster).splitlines())) <= 80
    assert model.training and not any(m._forward_hooks for m in model.modules())


def texts(svg):
    """(left, top, right, bottom, words) of each text, and the size of the page."""
    view = re.search(r'viewBox="0\.00 0\.00 ([\d.]+) ([\d.]+)"', svg)
    moved = re.search(r"translate\(([\d.]+) ([\d.]+)\)", svg)
    dx, dy = map(float, moved.groups())
    boxes = []
    for attributes, words in lengths.TEXT.findall(svg):
        given = dict(re.findall(r'([\w-]+)="([^"]*)"', attributes))
        x, y, size = (float(given[k]) for k in ("x", "y", "font-size"))
        wide = float(given.get("textLength", 0.6 * size))
        left = x - wide if given["text-anchor"] == "end" else x
        boxes.append((left + dx, y + dy - 0.72 * size, left + wide + dx, y + dy, words))
    return boxes, *map(float, view.groups())


@pytest.mark.needs("dot")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_texts_stand_apart_and_on_the_page(theme):
    layers = [m for i in range(24) for m in (nn.Linear(8 + i, 9 + i), nn.Tanh())]
    for model, shape in ((Residual(), (1, 1, 10, 10)), (nn.Sequential(*layers), (1, 8))):
        boxes, width, height = texts(viz.summary(model, shape, theme=theme).pipe("svg").decode())
        assert len(boxes) > 30
        for k, (x0, y0, x1, y1, words) in enumerate(boxes):
            assert 0 < x0 and x1 < width and 0 < y0 and y1 < height, words
            for u0, v0, u1, v1, other in boxes[:k]:
                apart = x1 <= u0 + 1 or u1 <= x0 + 1 or y1 <= v0 or v1 <= y0
                assert apart, f"{words!r} on {other!r}"


def test_what_cannot_be_drawn():
    with pytest.raises(TypeError, match="takes a module, but got Tensor"):
        viz.summary(torch.ones(2))
    with pytest.raises(ValueError, match="needs either input_size or input_data"):
        viz.summary(nn.Linear(2, 2))
    with pytest.raises(ValueError, match="theme='pink' is not a theme"):
        viz.summary(nn.Linear(2, 2), (1, 2), theme="pink")
    with pytest.raises(ValueError, match=r"\.gif is not a format"):
        viz.summary(nn.Linear(2, 2), (1, 2)).save("x.gif")
    inner = nn.Sequential(*(nn.Sequential(nn.Linear(4 + i, 5 + i), nn.ReLU()) for i in range(130)))
    deep = viz.summary(nn.Sequential(inner), (1, 4)).model
    assert len(sheet.rows_of(deep)) < 10 and "0–" not in str(deep)
