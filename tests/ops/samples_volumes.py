"""Samples of the ops on volumes, and of the maxima that are found as places.

The references are loops over elements, of any number of dimensions.
"""

import itertools
import math

import numpy as np

from .elementwise import Sample
from .samples import numbers
from .samples_nn import geometry, outer, transposed

NO_PADS = ((0, 0),) * 3
ONES = (1, 1, 1)


def solid(stride=ONES, padding=NO_PADS, dilation=ONES, **more):
    return geometry(stride, padding, dilation, **more)


def products(shape, o, kernel, stride, padding, dilation, groups):
    """Each product of a convolution of (n, c, *size): its index in x, in w, and in the sum."""
    n, c, *size = shape
    places = outer(size, kernel, stride, padding, dilation)
    per_group = c // groups
    for b, f, ci in itertools.product(range(n), range(o), range(per_group)):
        for k, y in itertools.product(np.ndindex(*kernel), np.ndindex(*places)):
            at = tuple(
                yi * s + ki * d - p[0]
                for yi, ki, s, d, p in zip(y, k, stride, dilation, padding, strict=True)
            )
            if all(0 <= a < m for a, m in zip(at, size, strict=True)):
                channel = f // (o // groups) * per_group + ci
                yield (b, channel, *at), (f, ci, *k), (b, f, *y)


def settings(g):
    return [g[k] for k in ("stride", "padding", "dilation")]


def conv3d(x, w, b=None, **g):
    out = np.zeros((len(x), len(w), *outer(x.shape[2:], w.shape[2:], *settings(g))))
    for i, j, k in products(x.shape, len(w), w.shape[2:], *settings(g), g["groups"]):
        out[k] += x[i] * w[j]
    return out if b is None else out + b.reshape(-1, 1, 1, 1)


def conv_transpose3d(x, w, b=None, *, size, **g):
    out = np.zeros((len(x), w.shape[1] * g["groups"], *size))
    for i, j, k in products(out.shape, len(w), w.shape[2:], *settings(g), g["groups"]):
        out[i] += x[k] * w[j]
    return out if b is None else out + b.reshape(-1, 1, 1, 1)


def conv3d_weight(x, y, *, kernel, **g):
    out = np.zeros((y.shape[1], x.shape[1] // g["groups"], *kernel))
    for i, j, k in products(x.shape, y.shape[1], kernel, *settings(g), g["groups"]):
        out[j] += x[i] * y[k]
    return out


def torch_conv3d(g):
    pads = [p[0] for p in g["padding"]]
    return lambda torch, *operands: torch.nn.functional.conv3d(
        *operands, **({"bias": None} if len(operands) == 2 else {}), stride=g["stride"],
        padding=pads, dilation=g["dilation"], groups=g["groups"],
    )  # fmt: skip


def conv_sample(operands, **attrs):
    g = solid(**{"groups": 1, **attrs})
    return Sample(operands, g, conv3d, torch_conv3d(g))


# ---- means ---------------------------------------------------------------------------------------
def avg_pool3d(x, *, divisor, kernel, stride, padding):
    shape = outer(x.shape[2:], kernel, stride, padding, ONES)
    out = np.zeros((*x.shape[:2], *shape))
    one = (kernel, stride, padding, ONES)
    for b, c in np.ndindex(*x.shape[:2]):
        for i, _, k in products((1, 1, *x.shape[2:]), 1, *one, 1):
            out[(b, c, *k[2:])] += x[(b, c, *i[2:])]
    return out / np.array(divisor)


def adaptive_avg_pool3d(x, *, size):
    out = np.zeros((*x.shape[:2], *size))
    for at in np.ndindex(*size):
        box = tuple(
            slice(i * m // s, math.ceil((i + 1) * m / s))
            for i, m, s in zip(at, x.shape[2:], size, strict=True)
        )
        part = x[(slice(None), slice(None), *box)]
        out[(slice(None), slice(None), *at)] = part.reshape(*part.shape[:2], -1).sum(-1) / (
            part[0, 0].size
        )
    return out


# ---- places --------------------------------------------------------------------------------------
def read_at(x, place):
    flat = x.reshape(*x.shape[:2], -1)
    out = np.zeros(place.shape)
    for at in np.ndindex(*place.shape):
        out[at] = flat[(*at[:2], place[at])]
    return out


def written(x, place, size, add):
    out = np.zeros((*x.shape[:2], math.prod(size)))
    for at in np.ndindex(*place.shape):
        to = (*at[:2], place[at])
        out[to] = x[at] + (out[to] if add else 0)
    return out.reshape(*x.shape[:2], *size)


VOLUMES, CUBES = numbers(2, 2, 2, 3, 3), numbers(2, 2, 1, 2, 2, start=70)
SMALL = numbers(1, 2, 2, 2, 3, start=15)
AT = np.array([[[[3, 7], [3, 1]]], [[[0, 11], [5, 5]]]]).reshape(1, 2, 1, 2, 2)
FLAT_AT = np.array([[[3, 1], [3, 0]], [[5, 4], [2, 2]]])[None]
BOXES = {"kernel": (2, 2, 1), "stride": (1, 2, 1), "padding": ((1, 0), (0, 1), (0, 0))}
UNPADDED = {"kernel": (1, 2, 2), "stride": (1, 1, 2), "padding": NO_PADS}


def picking(x, place):
    return [Sample((x, place), {}, read_at)]


SAMPLES_VOLUMES = {
    "conv3d": [
        conv_sample((VOLUMES, CUBES, numbers(2, start=90))),
        conv_sample((VOLUMES[:1], CUBES), stride=(2, 1, 2), padding=((1, 1), (0, 0), (1, 1))),
        conv_sample((VOLUMES[:1], numbers(2, 1, 2, 1, 2)), groups=2, dilation=(1, 2, 2)),
        conv_sample((np.zeros((0, 2, 2, 3, 3)), CUBES)),
    ],
    "conv_transpose3d": [
        Sample((VOLUMES[:1, :, :, :2, :2], numbers(2, 2, 2, 2, 1), numbers(2, start=90)),
               {"size": (3, 3, 2), **solid(groups=1)}, conv_transpose3d,
               lambda torch, *xs: torch.nn.functional.conv_transpose3d(*xs)),
        Sample((VOLUMES[:1, :, :2, :2, :2], numbers(2, 1, 2, 1, 2)),
               {"size": (2, 4, 3), **solid((1, 2, 1), ((1, 0), (0, 0), (0, 0)), groups=2)},
               conv_transpose3d),
    ],
    "conv3d_weight": [
        Sample((VOLUMES, numbers(2, 2, 2, 2, 2, start=3)),
               {"kernel": (1, 2, 2), **solid(groups=1)}, conv3d_weight),
        Sample((VOLUMES[:1], numbers(1, 2, 3, 2, 1, start=3)),
               {"kernel": (1, 2, 2),
                **solid((1, 1, 2), ((1, 0), (0, 0), (0, 0)), groups=2)}, conv3d_weight),
    ],
    "avg_pool3d": [
        Sample((SMALL,), {"divisor": 4, **UNPADDED}, avg_pool3d,
               lambda torch, x: torch.nn.functional.avg_pool3d(x, (1, 2, 2), (1, 1, 2))),
        Sample((SMALL,), {"divisor": (((1, 2, 2),), ((2, 4, 4),)), **BOXES}, avg_pool3d),
    ],
    "avg_spread3d": [
        Sample((SMALL[:, :, :, :1],), {"size": (2, 2, 3), "divisor": 4, **BOXES},
               lambda x, size, **k: transposed(avg_pool3d, x, size, **k)),
    ],
    "adaptive_avg_pool3d": [
        Sample((SMALL,), {"size": size}, adaptive_avg_pool3d,
               lambda torch, x, size=size: torch.nn.functional.adaptive_avg_pool3d(x, size))
        for size in ((1, 1, 2), (2, 1, 4))
    ],
    "adaptive_spread3d": [
        Sample((SMALL,), {"size": (3, 2, 2)},
               lambda x, size: transposed(
                   lambda u: adaptive_avg_pool3d(u, size=(2, 2, 3)), x, (3, 2, 2)
               )),
    ],
    "max_pool3d": picking(SMALL, AT),
    "adaptive_max_pool3d": picking(SMALL, AT),
    "fractional_max_pool3d": picking(SMALL, AT),
    "adaptive_max_pool2d": picking(SMALL[:, :, 0], FLAT_AT),
    "fractional_max_pool2d": picking(SMALL[:, :, 0], FLAT_AT),
    "read_at_places": picking(SMALL[:, :, 0], FLAT_AT),
    "add_at_places": [
        Sample((SMALL[:, :, 0, :, :2], FLAT_AT), {"size": (2, 3)},
               lambda x, place, size: written(x, place, size, add=True)),
    ],
    "max_unpool2d": [
        Sample((SMALL[:, :, 0, :, :2], np.array([[[[3, 1], [5, 0]], [[5, 4], [2, 1]]]])),
               {"size": (2, 3)},
               lambda x, place, size: written(x, place, size, add=False),
               lambda torch, x, place: torch._C._nn.max_unpool2d(x, place, (2, 3))),
    ],
    "max_unpool3d": [
        Sample((SMALL[:, :, :1, :, :2], np.array([[[[[3, 1], [5, 0]]], [[[5, 4], [2, 1]]]]])),
               {"size": (2, 2, 3)},
               lambda x, place, size: written(x, place, size, add=False)),
    ],
}  # fmt: skip

# op -> the test that stands in for samples here
EXCUSED_NN_MORE = {
    "ctc_loss": "test_ctc.py: its gradient is that of what log_softmax is taken of, as PyTorch's",
    "ctc_gradient": "test_ctc.py: the gradient of ctc_loss",
    "scale_gradient": "test_embedding_bag.py: its gradient is not that of its value, on purpose",
}
