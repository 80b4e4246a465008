"""Samples of every op: inputs where its derivative exists, and what it must return there.

A sample's ``reference`` shares no code with microtorch: it uses Python's math, numpy's functions,
or loops written out. ``torch`` is the same op in PyTorch, ``(torch, *tensors) -> tensor``, compared
where PyTorch is installed. An elementwise op has a row in elementwise.py, any other op has rows in
``SAMPLES``: inputs, static arguments, and a function of arrays. ``EXCUSED`` names the ops that can
have no samples here, and where they are tested. test_registry.py fails for an op in none of these.
"""

import itertools
import math

import numpy as np

from .elementwise import ELEMENTWISE, Sample, elementwise_samples


def numbers(*shape, start=0.0):
    """Distinct numbers without a pattern, positive and negative, of size about 1."""
    i = np.arange(math.prod(shape)) + start
    return (np.sin(i * 12.9898 + 1) * 43758.5453 % 1 * 3 - 1.5).reshape(shape)


X, Y, V, Z = (
    numbers(2, 3),
    numbers(3, 2, start=50),
    numbers(3, start=90),
    numbers(2, 3, 2, start=70),
)
INTS = np.array([[2, 0, 1], [1, 1, 0]])


def loops(shape, element):
    """The array whose element at each index is ``element(*index)``."""
    out = np.empty(shape)
    for index in np.ndindex(*shape):
        out[index] = element(*index)
    return out


def along(function):
    """A function of one list, applied along dimension ``dim``."""
    return lambda x, dim: np.apply_along_axis(lambda v: np.array(function(v.tolist())), dim, x)


def reduced(function):
    """A function of one list of numbers, applied over the dimensions ``dim`` (all if None)."""

    def reference(x, dim, keepdim, **attrs):
        dims = (
            tuple(range(x.ndim))
            if dim is None
            else tuple(d % x.ndim for d in ((dim,) if isinstance(dim, int) else dim))
        )
        kept = [1 if d in dims else n for d, n in enumerate(x.shape)]
        cells = {}
        for index in np.ndindex(*kept):
            cells[index] = []
        for index in np.ndindex(*x.shape):
            cells[tuple(0 if d in dims else i for d, i in enumerate(index))].append(float(x[index]))
        out = np.array([function(v, **attrs) for v in cells.values()], float).reshape(kept)
        return out if keepdim else out.reshape([n for d, n in enumerate(kept) if d not in dims])

    return reference


def variance(v, correction):
    m = math.fsum(v) / len(v)
    return math.fsum((x - m) ** 2 for x in v) / (len(v) - correction)


def reductions(function, torch_name, *, empty=True, **attrs):
    """Samples over no, one, several dimensions, of 0-d and (where it has a value) empty inputs."""
    cases = [
        (X, None, False),
        (X, (0,), False),
        (Z, (0, 2), True),
        (Z, (1,), False),
        (np.array(0.7), None, False),
    ]
    if empty:
        cases += [
            (np.zeros((0, 3)), (0,), False),
            (np.zeros((2, 0)), (0,), True),
            (np.zeros((0,)), None, False),
        ]
    if attrs:
        cases = [c for c in cases if c[0].ndim]  # the spread of one element is not a number

    def torch_function(torch, x, dim, keepdim):
        if torch_name in ("amax", "amin"):
            return getattr(torch, torch_name)(x, () if dim is None else dim, keepdim)
        if torch_name == "norm":
            return torch.linalg.vector_norm(x, 2, dim, keepdim)
        return getattr(torch, torch_name)(x, dim, keepdim=keepdim, **attrs)

    return [
        Sample(
            (x,),
            {"dim": dim, "keepdim": keepdim, **attrs},
            reduced(function),
            lambda torch, x, d=dim, k=keepdim: torch_function(torch, x, d, k),
        )
        for x, dim, keepdim in cases
    ]


def softmax(v):
    e = [math.exp(x) for x in v]
    return [x / math.fsum(e) for x in e]


def view(inputs, attrs, reference, torch=None):
    return Sample((inputs,), attrs, lambda x, **_: reference(x), torch)


def picks(name):
    """max, min, sort, ...: ``index`` says which elements were picked, the op gathers them."""
    return [
        Sample(
            (X, INTS[:, :1]),
            {"dim": 1, "squeeze": True},
            lambda x, i, **_: loops((2,), lambda r: x[r, i[r, 0]]),
            lambda torch, x, i: torch.gather(x, 1, i).squeeze(1),
        ),
        Sample(
            (X, INTS % 2),
            {"dim": 0, "squeeze": False},
            lambda x, i, **_: loops((2, 3), lambda r, c: x[i[r, c], c]),
            lambda torch, x, i: torch.gather(x, 0, i),
        ),
        Sample((np.array(1.5), np.array(0)), {"dim": 0, "squeeze": False}, lambda x, i, **_: x),
    ]


def nll(x, t, w=None, *, reduction, ignore_index):
    losses, weights = np.zeros(t.shape), 0.0
    for index in np.ndindex(*t.shape):
        c = t[index]
        if c != ignore_index:
            weight = 1.0 if w is None else w[c]
            losses[index] = -weight * x[(index[0], c, *index[1:])]
            weights += weight
    return losses if reduction == "none" else losses.sum() / (weights if reduction == "mean" else 1)


def nll_sample(x, t, w, reduction, ignore_index=-100):
    def torch_function(torch, x, t, w=None):
        return torch.nn.functional.nll_loss(x, t, w, ignore_index=ignore_index, reduction=reduction)

    inputs = (x, t) if w is None else (x, t, w)
    return Sample(
        inputs, {"reduction": reduction, "ignore_index": ignore_index}, nll, torch_function, (2,)
    )


def truth(name, function):
    def torch_function(torch, *xs):
        return getattr(torch, name)(*xs)

    return [
        Sample(
            (X, np.where(INTS == 1, X, -X)),
            {},
            np.vectorize(function, otypes=[bool]),
            torch_function,
        )
    ]


def einsum(equation, *inputs):
    def reference(*xs, equation):
        terms, result = equation.split("->")
        names = terms.split(",")
        size = {
            c: n
            for name, x in zip(names, xs, strict=True)
            for c, n in zip(name, x.shape, strict=True)
        }
        out = np.zeros([size[c] for c in result])
        for values in itertools.product(*[range(n) for n in size.values()]):
            at = dict(zip(size, values, strict=True))
            term = math.prod(
                float(x[tuple(at[c] for c in name)]) for name, x in zip(names, xs, strict=True)
            )
            out[tuple(at[c] for c in result)] += term
        return out

    return Sample(
        inputs, {"equation": equation}, reference, lambda torch, *xs: torch.einsum(equation, *xs)
    )


def matmul(x, y):
    """By three loops; a vector is a row on the left and a column on the right."""
    a, b = (x[None] if x.ndim == 1 else x), (y[:, None] if y.ndim == 1 else y)
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = np.broadcast_to(a, batch + a.shape[-2:]), np.broadcast_to(b, batch + b.shape[-2:])
    out = loops(
        (*batch, a.shape[-2], b.shape[-1]),
        lambda *at: math.fsum(
            a[(*at[:-1], k)] * b[(*at[:-2], k, at[-1])] for k in range(a.shape[-1])
        ),
    )
    out = out[..., 0, :] if x.ndim == 1 else out
    return out[..., 0] if y.ndim == 1 else out


def matmul_sample(x, y):
    return Sample((x, y), {}, matmul, lambda torch, x, y: torch.matmul(x, y))


def linear_reference(x, w, b=None):
    return loops(
        (*x.shape[:-1], w.shape[0]),
        lambda *at: (
            math.fsum(x[(*at[:-1], k)] * w[at[-1], k] for k in range(w.shape[1]))
            + (0 if b is None else b[at[-1]])
        ),
    )


def linear_sample(*inputs):
    return Sample(inputs, {}, linear_reference, lambda torch, *xs: torch.nn.functional.linear(*xs))


def added(x, value, index, accumulate):
    out = x.copy()
    for v, *at in zip(value, *index, strict=True):
        out[tuple(at)] += v
    return out


ROWS = (slice(None, None, 2),)
PLACES = (np.array([0, 1, 1, 0]), np.array([2, 0, 0, 1]))  # one place twice
APART = (np.array([0, 1, 1]), np.array([2, 0, 1]))
MASK = (X > 0,)

SAMPLES: dict[str, list[Sample]] = {
    "where": [
        Sample(
            (X > 0, X, numbers(2, 3, start=7)),
            {},
            lambda c, x, y: loops((2, 3), lambda *i: x[i] if c[i] else y[i]),
            lambda torch, *xs: torch.where(*xs),
        ),
        Sample(
            (np.array([True, False, True]), np.array(0.5), X),
            {},
            lambda c, x, y: loops((2, 3), lambda i, j: x if c[j] else y[i, j]),
            lambda torch, *xs: torch.where(*xs),
        ),
    ],
    # comparisons and logic
    "lt": truth("lt", lambda x, y: x < y),
    "le": truth("le", lambda x, y: x <= y),
    "gt": truth("gt", lambda x, y: x > y),
    "ge": truth("ge", lambda x, y: x >= y),
    "eq": truth("eq", lambda x, y: x == y),
    "ne": truth("ne", lambda x, y: x != y),
    **{
        name: [
            Sample(
                (X > 0, INTS > 0),
                {},
                np.vectorize(function, otypes=[bool]),
                lambda torch, *xs, n=name: getattr(torch, n)(*xs),
            )
        ]
        for name, function in {
            "logical_and": lambda x, y: x and y,
            "logical_or": lambda x, y: x or y,
            "logical_xor": lambda x, y: x != y,
            "bitwise_and": lambda x, y: x and y,
            "bitwise_or": lambda x, y: x or y,
            "bitwise_xor": lambda x, y: x != y,
        }.items()
    },
    **{
        name: [
            Sample(
                (X > 0,),
                {},
                np.vectorize(lambda x: not x, otypes=[bool]),
                lambda torch, x, n=name: getattr(torch, n)(x),
            )
        ]
        for name in ("logical_not", "bitwise_not")
    },
    **{
        name: [
            Sample(
                (np.array([1.0, math.inf, -math.inf, math.nan]),),
                {},
                np.vectorize(function, otypes=[bool]),
                lambda torch, x, n=name: getattr(torch, n)(x),
            )
        ]
        for name, function in {
            "isnan": math.isnan,
            "isinf": math.isinf,
            "isfinite": math.isfinite,
        }.items()
    },
    "floor_divide": [
        Sample(
            (X, Y.T + 2),
            {},
            np.vectorize(lambda x, y: float(math.floor(x / y))),
            lambda torch, *xs: torch.floor_divide(*xs),
            (0, 1),
        )
    ],
    # copies and views
    "cast": [view(X, {"dtype": np.dtype(np.float64)}, lambda x: x)],
    "clone": [view(X, {}, lambda x: x, lambda torch, x: torch.clone(x))],
    "zero": [view(X, {}, lambda x: np.array(0.0))],
    "copy": [
        Sample(
            (X, V),
            {},
            lambda x, v: loops((2, 3), lambda i, j: v[j]),
            lambda torch, x, v: x.clone().copy_(v),
        )
    ],
    "reshape": [
        view(
            X,
            {"shape": (3, -1)},
            lambda x: loops((3, 2), lambda i, j: x.flat[2 * i + j]),
            lambda torch, x: x.reshape(3, -1),
        ),
        view(
            np.array(2.5),
            {"shape": (1, 1)},
            lambda x: x[None, None],
            lambda torch, x: x.reshape(1, 1),
        ),
        view(
            np.zeros((0, 3)),
            {"shape": (3, 0)},
            lambda x: np.zeros((3, 0)),
            lambda torch, x: x.reshape(3, 0),
        ),
    ],
    "squeeze": [
        view(X[:, None], {"shape": (2, 3)}, lambda x: x[:, 0], lambda torch, x: x.squeeze())
    ],
    "unsqueeze": [
        view(X, {"shape": (2, 1, 3)}, lambda x: x[:, None], lambda torch, x: x.unsqueeze(1))
    ],
    "transpose": [
        view(
            Z,
            {"dim0": 0, "dim1": 2},
            lambda x: loops((2, 3, 2), lambda i, j, k: x[k, j, i]),
            lambda torch, x: x.transpose(0, 2),
        )
    ],
    "t": [
        view(X, {}, lambda x: loops((3, 2), lambda i, j: x[j, i]), lambda torch, x: x.t()),
        view(V, {}, lambda x: x, lambda torch, x: x.t()),
    ],
    "permute": [
        view(
            Z,
            {"dims": (1, 2, 0)},
            lambda x: loops((3, 2, 2), lambda i, j, k: x[k, i, j]),
            lambda torch, x: x.permute(1, 2, 0),
        )
    ],
    "expand": [
        view(V, {"shape": (2, 3)}, lambda x: np.stack([x, x]), lambda torch, x: x.expand(2, 3)),
        view(
            X[:, :1],
            {"shape": (2, 2, 4)},
            lambda x: loops((2, 2, 4), lambda i, j, k: x[j, 0]),
            lambda torch, x: x.expand(2, 2, 4),
        ),
        view(
            np.array(0.5), {"shape": (2,)}, lambda x: np.full(2, 0.5), lambda torch, x: x.expand(2)
        ),
    ],
    "flip": [view(X, {"dims": (0, 1)}, lambda x: x[::-1, ::-1], lambda torch, x: x.flip(0, 1))],
    "roll": [
        view(
            X,
            {"shifts": (1, -4), "dims": (0, 1)},
            lambda x: loops((2, 3), lambda i, j: x[(i - 1) % 2, (j + 4) % 3]),
            lambda torch, x: x.roll((1, -4), (0, 1)),
        )
    ],
    "tril": [
        view(
            Z,
            {"diagonal": k},
            lambda x, k=k: loops(x.shape, lambda *i: x[i] if i[-1] - i[-2] <= k else 0.0),
            lambda torch, x, k=k: x.tril(k),
        )
        for k in (0, -1)
    ],
    "triu": [
        view(
            Z,
            {"diagonal": k},
            lambda x, k=k: loops(x.shape, lambda *i: x[i] if i[-1] - i[-2] >= k else 0.0),
            lambda torch, x, k=k: x.triu(k),
        )
        for k in (0, 1)
    ],
    "diagonal": [
        view(
            X,
            {"offset": 1, "dim1": 0, "dim2": 1},
            lambda x: np.array([x[0, 1], x[1, 2]]),
            lambda torch, x: x.diagonal(1),
        ),
        view(
            Z,
            {"offset": -1, "dim1": 1, "dim2": 2},
            lambda x: loops((2, 2), lambda i, k: x[i, k + 1, k]),
            lambda torch, x: x.diagonal(-1, 1, 2),
        ),
    ],
    "diagonal_backward": [
        view(
            V,
            {"shape": (4, 4), "offset": 1, "dim1": 0, "dim2": 1},
            lambda x: loops((4, 4), lambda i, j: x[i] if j == i + 1 else 0.0),
            lambda torch, x: torch.diag(x, 1),
        )
    ],
    "cat": [
        Sample(
            (X, numbers(1, 3), X * 2),
            {"dim": 0},
            lambda *xs, dim: np.array([row for x in xs for row in x]),
            lambda torch, *xs: torch.cat(xs),
        ),
        Sample(
            (X, numbers(2, 1)),
            {"dim": 1},
            lambda x, y, dim: np.array([[*a, *b] for a, b in zip(x, y, strict=True)]),
            lambda torch, *xs: torch.cat(xs, 1),
        ),
        Sample(
            (X, np.zeros((0, 3))), {"dim": 0}, lambda x, y, dim: x, lambda torch, *xs: torch.cat(xs)
        ),
    ],
    "stack": [
        Sample(
            (X, numbers(2, 3, start=9)),
            {"dim": 1},
            lambda x, y, dim: loops((2, 2, 3), lambda i, k, j: (x, y)[k][i, j]),
            lambda torch, *xs: torch.stack(xs, 1),
        ),
        Sample(
            (np.array(1.0), np.array(2.0), np.array(3.0)),
            {"dim": 0},
            lambda *xs, dim: np.array([float(x) for x in xs]),
            lambda torch, *xs: torch.stack(xs),
        ),
    ],
    # indexing
    "slice": [view(Z, {"index": ROWS}, lambda x: x[[0]], lambda torch, x: x[::2])],
    "select": [
        view(
            Z,
            {"index": (1, slice(None), 0)},
            lambda x: np.array([x[1, j, 0] for j in range(3)]),
            lambda torch, x: x[1, :, 0],
        ),
        view(X, {"index": (1, 2)}, lambda x: np.array(x[1, 2]), lambda torch, x: x[1, 2]),
    ],
    "index": [
        view(
            X,
            {"index": PLACES},
            lambda x: np.array([x[0, 2], x[1, 0], x[1, 0], x[0, 1]]),
            lambda torch, x: x[torch.tensor(PLACES[0]), torch.tensor(PLACES[1])],
        ),
        view(
            X,
            {"index": MASK},
            lambda x: np.array([v for v in x.flat if v > 0]),
            lambda torch, x: x[torch.tensor(MASK[0])],
        ),
        view(
            X,
            {"index": (slice(None), np.zeros(0, int))},
            lambda x: np.zeros((2, 0)),
            lambda torch, x: x[:, torch.zeros(0, dtype=int)],
        ),
    ],
    "getitem": [
        view(X, {"index": PLACES}, lambda x: np.array([x[0, 2], x[1, 0], x[1, 0], x[0, 1]])),
        view(X, {"index": (0,)}, lambda x: np.array(list(x[0]))),
    ],
    "place": [
        view(
            numbers(4),
            {"index": PLACES, "shape": (2, 3)},
            lambda g: np.array([[0, g[3], g[0]], [g[1] + g[2], 0, 0]]),
        ),
        view(V, {"index": (1,), "shape": (2, 3)}, lambda g: np.array([[0, 0, 0], g])),
    ],
    "index_put": [
        Sample(
            (X, V),
            {"index": APART},
            lambda x, v, **_: np.array([[x[0, 0], x[0, 1], v[0]], [v[1], v[2], x[1, 2]]]),
            lambda torch, x, v: x.index_put(tuple(map(torch.tensor, APART)), v),
        ),
        Sample(
            (X, numbers(4, start=3)),
            {"index": PLACES, "accumulate": True},
            added,
            lambda torch, x, v: x.index_put(tuple(map(torch.tensor, PLACES)), v, accumulate=True),
        ),
        Sample(
            (X, np.array(0.5)),
            {"index": MASK},
            lambda x, v, **_: loops((2, 3), lambda *i: v if x[i] > 0 else x[i]),
        ),
    ],
    "gather": [
        Sample(
            (X, INTS),
            {"dim": 1},
            lambda x, i, dim: loops((2, 3), lambda r, c: x[r, i[r, c]]),
            lambda torch, x, i: x.gather(1, i),
        ),
        Sample(
            (X, INTS[:1] % 2),
            {"dim": 0},
            lambda x, i, dim: loops((1, 3), lambda r, c: x[i[r, c], c]),
            lambda torch, x, i: x.gather(0, i),
        ),
        Sample(
            (np.array(2.0), np.array(0)),
            {"dim": 0},
            lambda x, i, dim: x,
            lambda torch, x, i: x.gather(0, i),
        ),
    ],
    "scatter_sum": [
        Sample(
            (X, INTS),
            {"shape": (2, 4), "dim": 1},
            lambda x, i, **_: loops(
                (2, 4), lambda r, c: sum(x[r, k] for k in range(3) if i[r, k] == c)
            ),
            lambda torch, x, i: torch.zeros(2, 4, dtype=x.dtype).scatter_add(1, i, x),
        )
    ],
    "scatter": [
        Sample(
            (X, INTS[:1], numbers(2, 3, start=5)),
            {"dim": 1},
            lambda x, i, s, dim: np.array([[s[0, 1], s[0, 2], s[0, 0]], x[1]]),
        ),
        Sample(
            (X, INTS[:1], numbers(1, 3, start=5)),
            {"dim": 1},
            lambda x, i, s, dim: np.array([[s[0, 1], s[0, 2], s[0, 0]], x[1]]),
            lambda torch, x, i, s: x.scatter(1, i, s),
        ),
    ],
    # products
    "matmul": [
        matmul_sample(X, Y),
        matmul_sample(V, Y),
        matmul_sample(X, V),
        matmul_sample(V, V + 1),
        matmul_sample(numbers(2, 2, 3), Y),
        matmul_sample(X, numbers(2, 3, 2)),
        matmul_sample(numbers(2, 1, 2, 3), numbers(3, 3, 1)),
        matmul_sample(V, numbers(2, 3, 2)),
        matmul_sample(numbers(2, 2, 3), V),
        matmul_sample(np.zeros((2, 0)), np.zeros((0, 3))),
        matmul_sample(np.zeros((0, 3)), Y),
    ],
    "linear": [
        linear_sample(X, numbers(4, 3), numbers(4, start=8)),
        linear_sample(X, numbers(4, 3)),
        linear_sample(V, numbers(2, 3), numbers(2)),
        linear_sample(numbers(2, 2, 3), numbers(4, 3), numbers(4, start=8)),
        linear_sample(np.zeros((0, 3)), numbers(4, 3), numbers(4)),
    ],
    "einsum": [
        einsum("ij,jk->ik", X, Y),
        einsum("ij->j", X),
        einsum("i,j->ij", V, V[:2]),
        einsum("ijk,ji,k->", Z, Y[:, :2], V[:2]),
        einsum("ij,ij->", X, X + 1),
    ],
    # reductions
    "sum": reductions(math.fsum, "sum"),
    "mean": reductions(lambda v: math.fsum(v) / len(v) if v else math.nan, "mean"),
    "var": reductions(variance, "var", empty=False, correction=1)
    + reductions(variance, "var", empty=False, correction=0)[1:2],
    "std": reductions(
        lambda v, correction: math.sqrt(variance(v, correction)), "std", empty=False, correction=1
    ),
    "amax": reductions(max, "amax", empty=False),
    "amin": reductions(min, "amin", empty=False),
    "norm": reductions(lambda v: math.hypot(*v), "norm", empty=False),
    "logsumexp": [
        Sample(
            (X,),
            {"dim": (1,), "keepdim": False},
            reduced(lambda v: math.log(math.fsum(map(math.exp, v)))),
            lambda torch, x: torch.logsumexp(x, 1),
        ),
        Sample(
            (X + 500,),
            {"dim": (0, 1), "keepdim": True},
            reduced(lambda v: 500 + math.log(math.fsum(math.exp(x - 500) for x in v))),
            lambda torch, x: torch.logsumexp(x, (0, 1), keepdim=True),
        ),
    ],
    "prod": [
        Sample(
            (x,),
            {"dim": dim, "keepdim": keepdim},
            reduced(math.prod),
            lambda torch, x, d=dim, k=keepdim: torch.prod(x, d, keepdim=k),
        )
        for x, dim, keepdim in [
            (X, 1, False),
            (X, 0, True),
            (np.array([[2.0, 0.0, 3.0], [0.0, 0.0, 1.0]]), 1, False),
            (np.zeros((2, 0)), 1, False),
        ]
    ],
    "cumsum": [
        Sample(
            (x,),
            {"dim": d},
            along(lambda v: list(itertools.accumulate(v))),
            lambda torch, x, d=d: x.cumsum(d),
        )
        for x, d in ((X, 1), (Z, 0))
    ],
    "cumprod": [
        Sample(
            (x,),
            {"dim": d},
            along(lambda v: list(itertools.accumulate(v, lambda a, b: a * b))),
            lambda torch, x, d=d: x.cumprod(d),
        )
        for x, d in ((X, 1), (Z, 0), (np.array([[2.0, 0.0, 3.0, 0.0]]), 1))
    ],
    **{name: picks(name) for name in ("max", "min", "median", "sort", "topk", "kthvalue", "mode")},
    # softmax and losses
    "softmax": [
        Sample((x,), {"dim": d}, along(softmax), lambda torch, x, d=d: torch.softmax(x, d))
        for x, d in ((X, 1), (Z, 0))
    ],
    "log_softmax": [
        Sample(
            (x,),
            {"dim": d},
            along(lambda v: [math.log(p) for p in softmax(v)]),
            lambda torch, x, d=d: torch.log_softmax(x, d),
        )
        for x, d in ((X, 1), (Z, 1))
    ],
    "nll_loss": [
        nll_sample(X, np.array([2, 0]), None, "mean"),
        nll_sample(X, np.array([2, 0]), None, "none"),
        nll_sample(X, np.array([2, 1]), np.array([0.5, 2.0, 1.5]), "mean"),
        nll_sample(X, np.array([1, -100]), None, "sum"),
        nll_sample(X, np.array([1, 2]), np.array([0.5, 2.0, 1.5]), "mean", ignore_index=2),
        nll_sample(Z, np.array([[0, 2], [1, 1]]), None, "mean"),
    ],
    "mse_loss": [
        Sample(
            (X, numbers(2, 3, start=4)),
            {"reduction": r},
            lambda x, y, reduction: {"none": np.asarray, "sum": np.sum, "mean": np.mean}[reduction](
                [
                    [(a - b) ** 2 for a, b in zip(p, q, strict=True)]
                    for p, q in zip(x, y, strict=True)
                ]
            ),
            lambda torch, x, y, r=r: torch.nn.functional.mse_loss(x, y, reduction=r),
        )
        for r in ("mean", "sum", "none")
    ],
}
SAMPLES.update({name: elementwise_samples(name, row) for name, row in ELEMENTWISE.items()})

# op -> the test that stands in for samples here
EXCUSED = {
    "transfer": "test_opencl.py: from one device to another",
    "copy_slices": "test_programs.py: what a write through a view makes of its base",
    "stack_scalars": "test_registry.py, test_scalars_and_tensors: inputs are Scalars",
    "element": "test_registry.py, test_scalars_and_tensors: outputs are Scalars",
    "output": "test_autograd.py: one output of a custom Function",
    **dict.fromkeys(
        ("angle", "complex", "conj", "imag", "real", "view_as_complex", "view_as_real"),
        "test_complex.py: of complex numbers",
    ),
    **dict.fromkeys(
        ("fft_c2c", "fft_c2r", "fft_r2c"), "tests/fft: Fourier transforms, of complex numbers"
    ),
}

# the ops behind layers are in a file of their own, which uses the helpers above
from .samples_distances import SAMPLES_DISTANCES  # noqa: E402
from .samples_nn import EXCUSED_NN, SAMPLES_NN  # noqa: E402
from .samples_right import SAMPLES_RIGHT  # noqa: E402
from .samples_shapes import SAMPLES_SHAPES  # noqa: E402

SAMPLES.update(SAMPLES_NN)
SAMPLES.update(SAMPLES_RIGHT)
SAMPLES.update(SAMPLES_SHAPES)
SAMPLES.update(SAMPLES_DISTANCES)
EXCUSED.update(EXCUSED_NN)

# and so are those of scans, medians and norms
from .samples_reductions import SAMPLES_REDUCTIONS  # noqa: E402
from .samples_special import EXCUSED_SPECIAL, SAMPLES_SPECIAL  # noqa: E402
from .samples_volumes import EXCUSED_NN_MORE, SAMPLES_VOLUMES  # noqa: E402

for name, samples in SAMPLES_REDUCTIONS.items():
    SAMPLES[name] = SAMPLES.get(name, []) + samples
SAMPLES.update(SAMPLES_SPECIAL)
SAMPLES.update(SAMPLES_VOLUMES)
EXCUSED.update(EXCUSED_NN_MORE)
EXCUSED.update(EXCUSED_SPECIAL)

from .samples_polynomials import EXCUSED_POLYNOMIALS  # noqa: E402

EXCUSED.update(EXCUSED_POLYNOMIALS)
