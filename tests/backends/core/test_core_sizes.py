"""Sizes on both sides of every threshold of the C core, with one and with several threads, against
numpy.

Where a size passes a threshold, a kernel divides its loop in another way. Programs whose sizes lie
around the thresholds run on numpy's kernels and on C's, forward and backward. They do so in a
process of their own with a time limit: then an endless loop or a signal fails a test and does not
stop the run.
"""
import functools
import math
import os
import sys
from itertools import product

import numpy as np
import pytest
from repository import python

TIME_LIMIT = 400  # seconds; a program takes some 5, and under a sanitizer many times as long
THREADS = (1, 2, 5)
TOLERANCES = {"float32": 2e-5, "float64": 1e-12}  # of each array's largest element
PIECE = 1 << 15  # ext/reduce.c
MOST = 1 << 22  # elements of an array


def around(*sizes):
    return [n + d for n in sizes for d in (-1, 0, 1)]


# ---- programs: functions of torch, torch.nn.functional and a source of random tensors ------------
def products():
    # 2^20 multiplications: WORK
    shapes = [(128, 64, 128), (64, 256, 64), (16, 4096, 16), (8, 512, 256), (1024, 16, 64)]
    shapes += [(m, 64, 128) for m in around(128)] + [(128, k, 128) for k in around(64)]
    for batch, (m, k, n) in product((7, 8, 9), shapes):
        yield lambda torch, F, new, b=batch, m=m, k=k, n=n: new(b, m, k) @ new(b, k, n)
    for m, k, n in [(12, 1024, 32), (6, 1025, 96), (97, 1023, 33), (385, 129, 65), (800, 32, 40),
                    (16, 2049, 1025)]:
        yield lambda torch, F, new, m=m, k=k, n=n: new(m, k) @ new(k, n)
        yield lambda torch, F, new, m=m, k=k, n=n: F.linear(new(m, k), new(n, k), new(n))


def elementwise():
    large_results = 12 << 18, 12 << 17  # 12 MiB of float32, and of float64
    for n in (0, 1, *around(1 << 14, PIECE, 1 << 16, *large_results)):
        yield lambda torch, F, new, n=n: new(n).exp()
        if n <= 1 << 16:
            yield lambda torch, F, new, n=n: (3 * new(n)).sin() + new(n)


def reductions():
    shapes = [(1, n, 1) for n in (1, *around(PIECE, 2 * PIECE, 1 << 17))]
    shapes += [(0, 5, 3), (3, 5, 0), (70, PIECE // 70, 1)]
    shapes += [(o, n, i) for o, n in ((1, 700), (3, 70)) for i in around(64, 128, 1024)]
    for shape in shapes:
        yield lambda torch, F, new, s=shape: new(*s).sum(1)
        yield lambda torch, F, new, s=shape: new(*s).mean((0, 1))
        if 0 not in shape:
            yield lambda torch, F, new, s=shape: new(*s).amax(1)


def softmaxes():
    shapes = [(3, n, 1) for n in around(16, 512, 2048, 1 << 13)]
    shapes += [(2, 65, i) for i in around(64, 128)]
    for shape in [*shapes, (129, 64, 1), (0, 5, 3), (3, 0, 2), (3, 5, 0)]:
        yield lambda torch, F, new, s=shape: new(*s).softmax(1)
        yield lambda torch, F, new, s=shape: new(*s).log_softmax(1)


def losses():
    for n in around(1024, PIECE, 2 * PIECE, 64 * PIECE):
        yield lambda torch, F, new, n=n: F.mse_loss(new(n), new(n))
    for n, classes in product((9, 40), around(1024, PIECE // 8, PIECE)):
        target = np.arange(n) * 7 % classes
        yield lambda torch, F, new, s=(n, classes), t=target: F.cross_entropy(
            new(*s), torch.tensor(t)
        )


def norms():
    for rows, n in [*product(around(32), (5, 64)),
                    *product((3, 33), around(512, PIECE // 64, PIECE // 2))]:
        yield lambda torch, F, new, r=rows, n=n: F.layer_norm(new(r, n), (n,), new(n), new(n))
    shapes = [*product(around(8), around(128)), *((3, 5, n) for n in around(PIECE // 3, PIECE))]
    for shape in [*shapes, (257, 128), (2, 40, 30)]:
        yield lambda torch, F, new, s=shape: F.batch_norm(
            new(*s), None, None, new(s[1]), new(s[1]), True
        )


def pools():
    # a plane and its windows: around 16384
    for planes, h, w in product((1, 5), (113, 114, 128), (114, 115, 128)):
        yield lambda torch, F, new, p=planes, h=h, w=w: F.max_pool2d(new(1, p, h, w), 2)
        yield lambda torch, F, new, p=planes, h=h, w=w: F.avg_pool2d(new(1, p, h, w), 3, 2, 1)
        yield lambda torch, F, new, p=planes, h=h, w=w: F.adaptive_avg_pool2d(
            new(1, p, h, w), (7, 5)
        )


def convolutions():
    sizes = [*product((1, 15, 16, 17), (1, 3), (1, 8, 9), (5, 12)), (33, 8, 8, 28), (0, 3, 2, 6)]
    for n, c, o, size in sizes:
        yield lambda torch, F, new, n=n, c=c, o=o, s=size: F.conv2d(
            new(n, c, s, s), new(o, c, 3, 3), new(o), 1, 1
        )
    for stride in (2, 3):
        yield lambda torch, F, new, s=stride: F.conv_transpose2d(
            new(17, 4, 9, 9), new(4, 6, 3, 3), None, s
        )


def embeddings():
    for rows, width in [*product((5, 40), around(256, PIECE // 16)), *product((3,), around(PIECE))]:
        yield lambda torch, F, new, r=rows, w=width: F.embedding(
            torch.arange(64) * 7 % r, new(r, w)
        )


def cells():
    for kind, rows, n in product(("LSTM", "GRU"), (1, 7, 8, 9), (1, 511, 512, 513)):

        def program(torch, F, new, kind=kind, rows=rows, n=n):
            torch.manual_seed(0)
            x = new(2, rows, 3)
            return getattr(torch.nn, kind)(3, n).to(x.dtype)(x)[0]

        yield program


def optimizers():
    for n, (kind, options) in product((0, 1, *around(32, 1 << 14, PIECE)), (
        ("SGD", {}), ("SGD", {"momentum": 0.9}), ("Adam", {}), ("Adam", {"amsgrad": True}),
    )):  # fmt: skip

        def program(torch, F, new, kind=kind, options=options, n=n):
            params = [torch.nn.Parameter(new(n).detach()), torch.nn.Parameter(new(7).detach())]
            for p in params:
                p.grad = 2 * p.detach()
            torch.nn.utils.clip_grad_norm_(params, 1.0)
            getattr(torch.optim, kind)(params, lr=0.1, **options).step()
            return torch.cat([p.detach() for p in params]) * new()

        yield program


PROGRAMS = (products, elementwise, reductions, softmaxes, losses, norms, pools, convolutions,
            embeddings, cells, optimizers)


# ---- running them --------------------------------------------------------------------------------
@functools.cache
def drawn(dtype):
    return np.random.default_rng(0).standard_normal(2 * MOST).astype(dtype)


def computed(program, dtype):
    """What a program returns, and the gradients of all its tensors."""
    import microtorch as torch

    leaves, at = [], 0

    def numbers(shape):
        nonlocal at
        start, at = at, (at + math.prod(shape)) % MOST
        return torch.tensor(drawn(dtype)[start : start + math.prod(shape)].reshape(shape))

    def new(*shape):
        leaves.append(numbers(shape).requires_grad_())
        return leaves[-1]

    out = program(torch, torch.nn.functional, new)
    out.backward(numbers(tuple(out.shape)))
    gradients = [leaf.grad for leaf in leaves if leaf.grad is not None]
    return [np.array(t.numpy()) for t in (out.detach(), *gradients)]


def check(programs):
    """C's results are numpy's, and have the same bits on any number of threads."""
    from microtorch import backends

    for number, program in enumerate(programs()):
        for dtype, tolerance in TOLERANCES.items():
            where = f"{programs.__name__}, program {number} {program.__defaults__}, {dtype}"
            backends.use("reference")
            expected, first = computed(program, dtype), None
            backends.use("core")
            for threads in THREADS:
                backends.core.set_num_threads(threads)
                results = computed(program, dtype)
                for a, b in zip(results, expected, strict=True):
                    scale = np.abs(b).max(initial=1e-3)
                    np.testing.assert_allclose(a, b, tolerance, tolerance * scale,
                                               err_msg=f"{where}, {threads} threads")
                for a, b in zip(results, first or results, strict=True):
                    assert a.tobytes() == b.tobytes(), f"{where}: other bits on {threads} threads"
                first = first or results


def check_empty():
    """Arrays with a long dimension and one of 0 are empty: no loop may run over the long one."""
    from microtorch.backends.core import lib

    many, x, y = 1 << 40, np.empty(0, np.float32), np.empty(0, np.float32)
    four, out, scale = np.ones(4, np.float32), np.empty(4, np.float32), np.empty(4, np.float32)
    target, wrong = np.empty(0, np.int64), np.empty(1, np.int64)
    constants = np.empty(16, np.float32)
    assert lib.layer_norm_f32(many, 0, 1e-5, id(x), 0, 0, id(y))
    assert lib.layer_norm_vjps_f32(many, 0, 1e-5, id(x), id(x), 0, id(y), id(y))
    assert lib.moments_f32(many, 4, 0, id(x), id(out), id(scale))
    assert np.isnan(out).all() and np.isnan(scale).all()
    assert lib.channel_affine_f32(many, 4, 0, id(x), id(four), id(four), id(four), id(y))
    written = id(constants), id(y), id(out), id(scale)
    assert lib.batch_norm_vjps_f32(many, 4, 0, 1e-5, id(x), id(x), 0, *written)
    assert lib.nll_loss_f32(many, 3, 0, 0, -100, id(x), id(target), 0, id(y), id(wrong))
    assert wrong[0] == 0
    assert lib.nll_loss_vjp0_f32(many, 3, 0, 0, -100, id(x), id(target), 0, id(y))
    assert lib.softmax_f32(many, 0, 3, id(x), id(y)) and lib.softmax_f32(many, 3, 0, id(x), id(y))
    assert lib.sum_f32(0, many, 3, 1.0, id(x), id(y)) and lib.sum_f32(many, 3, 0, 1.0, id(x), id(y))
    assert lib.embedding_sum_f32(0, 0, many, -1, id(x), id(target), id(wrong), id(target), id(y))
    assert lib.exp_f32(id(x), id(y))


def in_a_process(call):
    """Run a call of this module's in a process of its own, for TIME_LIMIT at most."""
    text = f"import sys; sys.path.insert(0, 'tests'); import test_core_sizes as t; t.{call}"
    path = os.pathsep.join(filter(None, sys.path))
    options = ("-W", "ignore", "-X", "faulthandler")
    assert not python(*options, "-c", text, timeout=TIME_LIMIT, PYTHONPATH=path)


@pytest.mark.needs("core")
def test_empty_arrays_take_no_time():
    in_a_process("check_empty()")


@pytest.mark.needs("core")
@pytest.mark.parametrize("programs", PROGRAMS, ids=lambda f: f.__name__)
def test_sizes_around_the_thresholds(programs):
    in_a_process(f"check(t.{programs.__name__})")
