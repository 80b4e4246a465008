"""Samples of the ops behind layers: convolution, pooling, normalisation, embedding.

The references are loops over elements.
"""

import itertools
import math

import numpy as np

from .elementwise import Sample
from .samples import loops, numbers

NONE = ((0, 0), (0, 0))


# ---- convolution ---------------------------------------------------------------------------------
def outer(size, kernel, stride, padding, dilation):
    """How many windows fit in an image, along each of its dimensions."""
    each = zip(size, kernel, stride, padding, dilation, strict=True)
    return [(m + sum(p) - d * (k - 1) - 1) // s + 1 for m, k, s, p, d in each]


def products(n, c, o, size, kernel, stride, padding, dilation, groups):
    """Each product of a convolution of images (n, c, *size): its index in x, in w, in the sum."""
    per_group = c // groups
    places = outer(size, kernel, stride, padding, dilation)
    for b, f, ci, i, j, y, x in itertools.product(*map(range, (n, o, per_group, *kernel, *places))):
        row = y * stride[0] + i * dilation[0] - padding[0][0]
        column = x * stride[1] + j * dilation[1] - padding[1][0]
        if 0 <= row < size[0] and 0 <= column < size[1]:
            channel = f // (o // groups) * per_group + ci
            yield (b, channel, row, column), (f, ci, i, j), (b, f, y, x)


def sizes(x, w, geometry):
    given = [geometry[k] for k in ("stride", "padding", "dilation", "groups")]
    return x.shape[0], x.shape[1], w.shape[0], x.shape[2:], w.shape[2:], *given


def conv2d(x, w, b=None, **geometry):
    windows = [geometry[k] for k in ("stride", "padding", "dilation")]
    shape = outer(x.shape[2:], w.shape[2:], *windows)
    out = np.zeros((len(x), len(w), *shape))
    for at_x, at_w, at_out in products(*sizes(x, w, geometry)):
        out[at_out] += x[at_x] * w[at_w]
    return out if b is None else out + b[:, None, None]


def conv_transpose2d(x, w, b=None, *, size, **geometry):
    out = np.zeros((len(x), w.shape[1] * geometry["groups"], *size))
    for at_out, at_w, at_x in products(*sizes(out, w, geometry)):
        out[at_out] += x[at_x] * w[at_w]
    return out if b is None else out + b[:, None, None]


def conv2d_weight(x, g, *, kernel, **geometry):
    out = np.zeros((g.shape[1], x.shape[1] // geometry["groups"], *kernel))
    for at_x, at_w, at_g in products(*sizes(x, out, geometry)):
        out[at_w] += x[at_x] * g[at_g]
    return out


def geometry(stride=(1, 1), padding=NONE, dilation=(1, 1), **more):
    return {"stride": stride, "padding": padding, "dilation": dilation, **more}


def even(padding):
    return all(a == b for a, b in padding)


def conv_sample(x, w, b, **attrs):
    g = geometry(**{"groups": 1, **attrs})

    def function(torch, x, w, b=None):
        pad = [p[0] for p in g["padding"]]
        return torch.nn.functional.conv2d(x, w, b, g["stride"], pad, g["dilation"], g["groups"])

    return Sample(
        (x, w) if b is None else (x, w, b), g, conv2d, function if even(g["padding"]) else None
    )


def transpose_sample(x, w, b, size, **attrs):
    g = geometry(**{"groups": 1, **attrs})

    def function(torch, x, w, b=None):
        pad = [p[0] for p in g["padding"]]
        each = zip(x.shape[2:], g["stride"], pad, g["dilation"], w.shape[2:], strict=True)
        least = [(m - 1) * s - 2 * p + d * (k - 1) + 1 for m, s, p, d, k in each]
        extra = [n - m for n, m in zip(size, least, strict=True)]
        return torch.nn.functional.conv_transpose2d(
            x, w, b, g["stride"], pad, extra, g["groups"], g["dilation"]
        )

    return Sample(
        (x, w) if b is None else (x, w, b), {"size": size, **g}, conv_transpose2d, function
    )


IMAGES, FILTERS, BIASES = numbers(2, 2, 3, 4), numbers(2, 2, 2, 2, start=60), numbers(2, start=80)
AROUND = ((1, 0), (1, 2))


def unfold(x, *, kernel, stride, padding, dilation):
    shape = outer(x.shape[2:], kernel, stride, padding, dilation)
    out = np.zeros((len(x), x.shape[1], *kernel, *shape))
    for b, c, i, j, y, q in np.ndindex(*out.shape):
        row = y * stride[0] + i * dilation[0] - padding[0][0]
        column = q * stride[1] + j * dilation[1] - padding[1][0]
        if 0 <= row < x.shape[2] and 0 <= column < x.shape[3]:
            out[b, c, i, j, y, q] = x[b, c, row, column]
    return out.reshape(len(x), -1, math.prod(shape))


def fold(x, *, size, **g):
    """The transpose of unfold as a matrix."""
    c = x.shape[1] // math.prod(g["kernel"])
    units = np.eye(c * math.prod(size)).reshape(-1, c, *size)
    matrix = unfold(units, **g).reshape(len(units), -1)
    return (x.reshape(len(x), -1) @ matrix.T).reshape(len(x), c, *size)


# ---- pooling -------------------------------------------------------------------------------------
def pooled(x, kernel, stride, padding, dilation, function):
    """``function`` of the (value, place in the kernel) pairs that each window sees in the image."""
    shape = outer(x.shape[2:], kernel, stride, padding, dilation)

    def one(b, c, y, q):
        seen = []
        for i, j in np.ndindex(*kernel):
            row, column = (
                y * stride[0] + i * dilation[0] - padding[0][0],
                q * stride[1] + j * dilation[1] - padding[1][0],
            )
            if 0 <= row < x.shape[2] and 0 <= column < x.shape[3]:
                seen.append((x[b, c, row, column], i * kernel[1] + j))
        return function(seen, (b, c, y, q))

    return loops((*x.shape[:2], *shape), one)


def max_pool2d(x, *, kernel, **g):
    return pooled(x, kernel, **g, function=lambda seen, at: max(v for v, _ in seen))


def pool_gather(x, place, *, kernel, **g):
    return pooled(
        x, kernel, **g, function=lambda seen, at: next((v for v, k in seen if k == place[at]), 0.0)
    )


def transposed(function, x, size, **attrs):
    """The transpose, as of a matrix, of a linear function of images (n, c, *size), applied to x."""
    units = np.eye(math.prod((*x.shape[:2], *size))).reshape(-1, *x.shape[:2], *size)
    return np.array([(function(u, **attrs) * x).sum() for u in units]).reshape(*x.shape[:2], *size)


def pool_scatter(x, place, *, size, **g):
    return transposed(lambda u, **g: pool_gather(u, place, **g), x, size, **g)


def avg_pool2d(x, *, divisor, kernel, **g):
    sums = pooled(
        x, kernel, **g, dilation=(1, 1), function=lambda seen, at: math.fsum(v for v, _ in seen)
    )
    return sums / np.array(divisor)


def adaptive_avg_pool2d(x, *, size):
    def one(b, c, i, j):
        rows, columns = ([r for r in range(i * n // m, math.ceil((i + 1) * n / m))]
                         for i, n, m in zip((i, j), x.shape[2:], size, strict=True))  # fmt: skip
        return math.fsum(x[b, c, r, q] for r in rows for q in columns) / (len(rows) * len(columns))

    return loops((*x.shape[:2], *size), one)


PLANES = numbers(1, 2, 4, 5, start=20)
PLACES = np.array([[[[0, 1], [2, 3]], [[3, 3], [0, 2]]]], np.uint8)
HALVES = geometry((2, 2), kernel=(2, 2))
OVERLAPPING = geometry((1, 2), ((1, 1), (0, 1)), (2, 1), kernel=(2, 3))


def torch_pool(name, **k):
    return lambda torch, x: getattr(torch.nn.functional, name)(x, **k)


def without(attrs, *names):
    return {k: v for k, v in attrs.items() if k not in names}


# ---- normalisation -------------------------------------------------------------------------------
def standardized(v, eps):
    m = math.fsum(v) / len(v)
    s = math.sqrt(math.fsum((x - m) ** 2 for x in v) / len(v) + eps)
    return [(x - m) / s for x in v]


def batch_norm(x, w=None, b=None, *, eps):
    out = np.empty(x.shape)
    for c in range(x.shape[1]):
        normal = np.reshape(standardized(x[:, c].ravel().tolist(), eps), x[:, c].shape)
        out[:, c] = normal * (1 if w is None else w[c]) + (0 if b is None else b[c])
    return out


def fixed_norm(x, mean, var, w=None, b=None, *, eps):
    return loops(x.shape, lambda *at: (x[at] - mean[at[1]]) / math.sqrt(var[at[1]] + eps)
                 * (1 if w is None else w[at[1]]) + (0 if b is None else b[at[1]]))  # fmt: skip


def layer_norm(x, w=None, b=None, *, ndim, eps):
    rows = x.reshape(-1, math.prod(x.shape[-ndim:]))
    out = np.array([standardized(row.tolist(), eps) for row in rows]).reshape(x.shape)
    return out * (1 if w is None else w) + (0 if b is None else b)


def group_norm(x, w=None, b=None, *, group, eps):
    rows = x.reshape(len(x) * group, -1)
    out = np.array([standardized(row.tolist(), eps) for row in rows]).reshape(x.shape)
    w, b = (v if v is None else v.reshape(-1, *(1,) * (x.ndim - 2)) for v in (w, b))
    return out * (1 if w is None else w) + (0 if b is None else b)


def torch_batch_norm(torch, x, *affine):
    return torch.nn.functional.batch_norm(x, None, None, *affine, training=True, eps=0.01)


def torch_fixed_norm(torch, x, *given):
    return torch.nn.functional.batch_norm(x, *given, eps=0.01)


def torch_layer_norm(ndim):
    return lambda torch, x, *affine: torch.nn.functional.layer_norm(
        x, x.shape[-ndim:], *affine, eps=0.01
    )


def torch_group_norm(group):
    return lambda torch, x, *affine: torch.nn.functional.group_norm(x, group, *affine, eps=0.01)


SCALE, SHIFT, MEANS, VARIANCES = (
    numbers(3, start=5) + 3,
    numbers(3, start=6),
    numbers(3, start=7),
    numbers(3, start=8) + 2,
)
SEQUENCES, CHANNELS = numbers(4, 3, 2, start=30), numbers(5, 3, start=40)

# ---- embedding -----------------------------------------------------------------------------------
TABLE, TOKENS = numbers(4, 2, start=10), np.array([[1, 3, 1], [0, 1, 3]])


def embedding_sum(g, index, *, rows, padding):
    out = np.zeros((rows, g.shape[-1]))
    for at in np.ndindex(*index.shape):
        if index[at] != padding:
            out[index[at]] += g[at]
    return out


SAMPLES_NN = {
    "conv2d": [
        conv_sample(IMAGES, FILTERS, BIASES),
        conv_sample(IMAGES, FILTERS, None, stride=(2, 1), padding=AROUND),
        conv_sample(IMAGES[:1], FILTERS, BIASES, padding=((1, 1), (0, 0)), dilation=(2, 3)),
        conv_sample(IMAGES, numbers(4, 1, 2, 2), None, stride=(1, 2), groups=2),
        conv_sample(IMAGES, numbers(3, 2, 1, 1), None),
        conv_sample(np.zeros((0, 2, 3, 3)), FILTERS, BIASES),
    ],
    "conv_transpose2d": [
        transpose_sample(IMAGES[:, :, :2, :2], FILTERS, BIASES, (3, 3)),
        transpose_sample(IMAGES[:1, :, :2, :3], FILTERS, None, (4, 7), stride=(2, 2)),
        transpose_sample(IMAGES[:1, :, :2, :2], numbers(2, 1, 2, 2), BIASES, (3, 4), stride=(2, 2),
                         padding=((1, 1), (0, 0)),
                         dilation=(2, 1), groups=2),
    ],
    "conv2d_weight": [
        Sample((IMAGES, numbers(2, 2, 2, 3)), {"kernel": (2, 2), **geometry(groups=1)},
               conv2d_weight),
        Sample((IMAGES[:1], numbers(1, 2, 2, 2)),
               {"kernel": (2, 2), **geometry((2, 2), ((0, 1), (0, 1)), groups=2)},
               conv2d_weight),
    ],
    "unfold": [
        Sample((IMAGES,), {"kernel": (2, 2), **geometry()}, unfold,
               torch_pool("unfold", kernel_size=2)),
        Sample((IMAGES[:1],), {"kernel": (2, 1), **geometry((1, 2), ((1, 1), (1, 1)), (2, 1))},
               unfold,
               torch_pool("unfold", kernel_size=(2, 1), dilation=(2, 1), padding=1, stride=(1, 2))),
    ],
    "fold": [
        Sample((numbers(2, 8, 6),), {"size": (3, 4), "kernel": (2, 2), **geometry()}, fold,
               torch_pool("fold", output_size=(3, 4), kernel_size=2)),
        Sample((numbers(1, 4, 9),),
               {"size": (3, 4), "kernel": (2, 1), **geometry((1, 2), ((1, 1), (1, 1)), (2, 1))},
               fold,
               torch_pool("fold", output_size=(3, 4), kernel_size=(2, 1), dilation=(2, 1),
                          padding=1, stride=(1, 2))),
    ],
    "max_pool2d": [
        Sample((PLANES,), HALVES, max_pool2d, torch_pool("max_pool2d", kernel_size=2)),
        Sample((PLANES,), OVERLAPPING, max_pool2d),
        Sample((PLANES,), geometry((1, 1), ((1, 1), (1, 1)), kernel=(3, 2)), max_pool2d,
               torch_pool("max_pool2d", kernel_size=(3, 2), stride=1, padding=1)),
        Sample((np.zeros((0, 2, 4, 4)),), HALVES, max_pool2d,
               torch_pool("max_pool2d", kernel_size=2)),
    ],
    "pool_gather": [
        Sample((PLANES, PLACES), HALVES, pool_gather),
        Sample((PLANES, np.resize(PLACES, (1, 2, 4, 2))), OVERLAPPING, pool_gather),
    ],
    "pool_scatter": [
        Sample((PLANES[:, :, :2, :2], PLACES), {"size": (4, 5), **HALVES}, pool_scatter),
        Sample((numbers(1, 2, 4, 2), np.resize(PLACES, (1, 2, 4, 2))),
               {"size": (4, 5), **OVERLAPPING}, pool_scatter),
    ],
    "avg_pool2d": [
        Sample((PLANES,), {"divisor": 4, **without(HALVES, "dilation")}, avg_pool2d,
               torch_pool("avg_pool2d", kernel_size=2)),
        Sample((PLANES,),
               {"divisor": ((1, 2, 2), (2, 4, 4)), "kernel": (2, 2), "stride": (3, 2),
                "padding": ((1, 0), (1, 1))},
               avg_pool2d),
    ],
    "avg_spread": [
        Sample((PLANES[:, :, :2, :2],),
               {"size": (4, 5), "divisor": 4, **without(HALVES, "dilation")},
               lambda x, size, **k: transposed(avg_pool2d, x, size, **k)),
        Sample((PLANES[:, :, :2, :3],),
               {"size": (4, 5), "divisor": ((1, 2, 2), (2, 4, 4)), "kernel": (2, 2),
                "stride": (3, 2), "padding": ((1, 0), (1, 1))},
               lambda x, size, **k: transposed(avg_pool2d, x, size, **k)),
    ],
    "adaptive_avg_pool2d": [
        Sample((PLANES,), {"size": s}, adaptive_avg_pool2d,
               torch_pool("adaptive_avg_pool2d", output_size=s))
        for s in ((1, 1), (2, 3), (5, 2))
    ],
    "adaptive_spread": [
        Sample((PLANES[:, :, :2, :3],), {"size": (4, 5)},
               lambda x, size: transposed(lambda u: adaptive_avg_pool2d(u, size=(2, 3)), x, size)),
    ],
    "batch_norm": [
        Sample((SEQUENCES, SCALE, SHIFT), {"eps": 0.01}, batch_norm, torch_batch_norm),
        Sample((CHANNELS, SCALE), {"eps": 0.01}, batch_norm, torch_batch_norm),
        Sample((CHANNELS,), {"eps": 0.01}, batch_norm, torch_batch_norm),
    ],
    "fixed_norm": [
        Sample((SEQUENCES, MEANS, VARIANCES, SCALE, SHIFT)[:n], {"eps": 0.01}, fixed_norm,
               torch_fixed_norm, (1, 2))
        for n in (3, 4, 5)
    ],
    "group_norm": [
        Sample((numbers(2, 4, 3, start=30), numbers(4, start=5), numbers(4, start=6))[:n],
               {"group": group, "eps": 0.01}, group_norm, torch_group_norm(group))
        for n, group in ((3, 2), (2, 4), (1, 1), (1, 2))
    ] + [Sample((numbers(5, 6, start=40), numbers(6, start=5)), {"group": 3, "eps": 0.01},
                group_norm, torch_group_norm(3))],
    "layer_norm": [
        Sample((SEQUENCES, numbers(3, 2, start=5), numbers(3, 2, start=6)),
               {"ndim": 2, "eps": 0.01}, layer_norm,
               torch_layer_norm(2)),
        Sample((CHANNELS, SCALE), {"ndim": 1, "eps": 0.01}, layer_norm, torch_layer_norm(1)),
        Sample((CHANNELS,), {"ndim": 1, "eps": 0.01}, layer_norm, torch_layer_norm(1)),
    ],
    "embedding": [
        Sample((TABLE, tokens), {"padding": None},
               lambda w, i, padding: loops((*i.shape, 2), lambda *at: w[i[at[:-1]], at[-1]]),
               lambda torch, w, i: torch.nn.functional.embedding(i, w))
        for tokens in (TOKENS, np.array(2), np.zeros((0, 2), int))
    ],
    "embedding_rows": [
        Sample((TABLE, TOKENS), {"padding": None}, lambda w, i, padding: w[i])
    ],
    "embedding_sum": [
        *[Sample((numbers(2, 3, 2), TOKENS), {"rows": 5, "padding": p}, embedding_sum)
          for p in (None, 1)],
        Sample((np.zeros((0, 2)), np.zeros(0, np.int64)), {"rows": 2, "padding": None},
               embedding_sum),
    ],
}  # fmt: skip

EXCUSED_NN = {
    "pool_place": "test_conv.py: where the maximum of each window lies; its result is integers"
}
