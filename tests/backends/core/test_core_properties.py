"""Every kernel of the C core against numpy on random shapes, and what its checks must refuse.

Programs of a few ops run twice, on numpy alone and with the C core, on arrays of random shapes and
layouts. All calls of C are recorded on the way. So a test can say that no kernel was left out, and
repeat each call with one argument replaced by something that C must not touch: it has to answer 0
(and to raise TypeError for what is no array), and leave every array as it was.
"""
import gc
import os
import re
import sys
from contextlib import suppress

import numpy as np
import pytest
from repository import loaded
from test_core import ROWS, by_numpy, operands

import microtorch as torch
from microtorch import backends, nn
from microtorch.backends import core
from microtorch.backends.core import elementwise, library, texts
from microtorch.backends.core.elementwise import Elementwise
from microtorch.backends.core.library import Kernels
from microtorch.engine.record import constant
from microtorch.nn import functional as F
from microtorch.notation import expr, formulas

pytestmark = [pytest.mark.needs("core"), pytest.mark.filterwarnings("ignore::RuntimeWarning")]
LARGEST = 20_000  # elements of a call that is recorded
SIZES = (0, 1, 2, 3, 5, 7, 13, 17, 31)
# in numpy's arithmetic, which sums in another order; float32 of numbers of size 1
TOLERANCES = {"float32": (3e-4, 3e-5), "float64": (1e-9, 1e-11)}


# ---- recording what C is called with -------------------------------------------------------------
class Recorder:
    """Replaces the compiled module: passes calls on, and keeps the largest accepted call of
    each."""

    def __init__(self, real):
        self.real, self.calls = real, {}

    def called(self, name):
        """Stands in the place of `library.called`."""
        function = self.real(name)

        def call(*arguments):
            before = [copied(x) for x in arguments]
            done = function(*arguments)
            both = arguments, self.calls.get(name, [])
            largest, kept = (max(map(size, o), default=0) for o in both)
            if done and largest > kept:
                self.calls[name] = before
            return done

        return call


def copied(x):
    if isinstance(x, tuple):
        return tuple(map(copied, x))
    return x.copy("K") if isinstance(x, np.ndarray) and x.size < LARGEST else x


def size(x):
    if isinstance(x, tuple):
        return sum(map(size, x))
    return x.size if isinstance(x, np.ndarray) and x.size < LARGEST else 0


@pytest.fixture(scope="module")
def recorder():
    """All modules call the recorder's kernels."""
    real, before = library.called, backends.current()
    recorder, modules = Recorder(real), [library, elementwise]

    def exchange(called):
        for module in modules:
            module.called = called
        # they keep the functions they have found
        for kernels in [o for o in gc.get_objects() if type(o) is Kernels]:
            for name in [n for n in vars(kernels) if n != "_suffix"]:
                delattr(kernels, name)
        backends.use("reference")
        backends.use("core")

    with pytest.MonkeyPatch.context() as patch:
        # few elements would go past it, to the loop's address (test_core_direct.py)
        patch.setattr(Elementwise, "_direct", lambda self, name, otherwise: otherwise)
        exchange(recorder.called)
        yield recorder
    exchange(real)
    backends.use(before)


# ---- programs ------------------------------------------------------------------------------------
class Source:
    """Random sizes and arrays, the same ones again for the same seed."""

    def __init__(self, seed, dtype):
        self.rng, self.dtype, self.leaves = np.random.default_rng(seed), dtype, []

    def size(self, least=0):
        return int(self.rng.choice([n for n in SIZES if n >= least]))

    def __call__(self, *shape, positive=False):
        """A leaf of a random layout: contiguous, transposed, reversed, strided, broadcast,
        misaligned."""
        x = self.rng.normal(size=shape).astype(self.dtype)
        if positive:
            x = np.abs(x)
        layout = int(self.rng.integers(6)) if shape else 0
        if layout == 1:
            x = np.asfortranarray(x)
        elif layout == 2:
            x = np.ascontiguousarray(x[::-1])[::-1]
        elif layout == 3:
            wide = np.zeros((*shape[:-1], 2 * shape[-1] + 1), self.dtype)
            wide[..., 1::2] = x
            x = wide[..., 1::2]
        elif layout == 4 and x.size:
            x = np.broadcast_to(x[:1], shape)
        elif layout == 5 and x.size:
            moved = np.frombuffer(bytearray(x.nbytes + 1),
                                  np.uint8)[1:].view(self.dtype).reshape(shape)
            moved[...] = x
            x = moved
        leaf = constant(x.copy() if layout == 4 else x).requires_grad_()
        self.leaves.append(leaf)
        return leaf

    def labels(self, classes, *shape):
        return torch.from_numpy(self.rng.integers(0, classes, shape))

    def flag(self):
        return bool(self.rng.integers(2))


def products(r):
    m, k, n, batch = r.size(1), r.size(1), r.size(1), r.size(1)
    x, y = r(40 + m, k), r(k, 40 + n)
    b = r(batch, 20 + m, 10 + k) @ r(batch, 10 + k, 20 + n)
    return x @ y, b, F.linear(r(3, 30 + m, k), r(30 + n, k), r(30 + n) if r.flag() else None)


def naive_products(r):
    m, k, n = r.size(1), r.size(), r.size(1)
    x, y = r.rng.normal(size=(m, k)).astype(r.dtype), r.rng.normal(size=(k, n)).astype(r.dtype)
    kernels, found = Kernels(np.dtype(r.dtype)), []
    for name in [n
                 for n in texts.texts()
                 if n.startswith("matmul_")] if backends.current() == "core" else []:
        out = np.empty((m, n), r.dtype)
        assert getattr(kernels, name)(m, k, n, x, y, out), name
        np.testing.assert_allclose(out, x @ y, *TOLERANCES[r.dtype])
        found.append(name)
    return ()


def reductions(r):
    x = r(r.size(1), r.size(1), r.size(1))
    dim = [(0,), (1,), (2,), (0, 2), (0, 1), (1, 2), (0, 1, 2)][int(r.rng.integers(7))]
    rows = r(r.size(), r.size()).sum(0), r(500, 70).sum(0)
    return x.sum(dim), x.mean(dim), x.amax(dim), x.amin(dim), x.sum(), *rows


def softmaxes(r):
    x = r(r.size(), r.size(1), r.size())
    return x.softmax(1), x.log_softmax(1), x.log_softmax(-2), r(r.size(), r.size(1)).softmax(-1)


def losses(r):
    n, c = r.size(1), r.size(1)
    x, y = r(n, c), r(n, c)
    reduction = ("mean", "sum", "none")[int(r.rng.integers(3))]
    weight = torch.from_numpy(np.abs(r.rng.normal(size=c)).astype(r.dtype)) if r.flag() else None
    return (F.mse_loss(x, y, reduction=reduction),
            F.cross_entropy(x, r.labels(c, n), weight=weight, reduction=reduction),
            F.nll_loss(r(n, c, 3), r.labels(c, n, 3), reduction=reduction))  # fmt: skip


def normalisations(r):
    n, c, h = r.size(2), r.size(1), r.size(1)
    x = r(n, c, h)
    w, b = (r(c), r(c)) if r.flag() else (None, None)
    out = F.batch_norm(x, torch.zeros(c, dtype=x.dtype), torch.ones(c, dtype=x.dtype), w, b,
                       training=True)
    fixed = F.batch_norm(x, torch.zeros(c, dtype=x.dtype), torch.ones(c, dtype=x.dtype), w, b,
                         training=False)
    groups = F.group_norm(r(n, 2 * c, h), 2, *([r(2 * c), r(2 * c)] if r.flag() else []))
    return out, fixed, groups, F.layer_norm(x, (h,), r(h), r(h)), F.layer_norm(x, (c, h))


def convolutions(r):
    n, groups, h, w = r.size(1), int(r.rng.integers(1, 3)), 5 + r.size(), 5 + r.size()
    c, o = groups * int(r.rng.integers(1, 4)), groups * int(r.rng.integers(1, 4))
    geometry = {"stride": int(r.rng.integers(1, 3)), "padding": int(r.rng.integers(3)),
                "dilation": int(r.rng.integers(1, 3))}
    out = F.conv2d(r(n, c, h, w), r(o, c // groups, 3, 2), r(o) if r.flag() else None,
                   groups=groups, **geometry)
    back = F.conv_transpose2d(r(n, c, h, w), r(c, o // groups, 2, 3), None,
                              stride=geometry["stride"], groups=groups)
    return out, back


def pools(r):
    h, w, k = 4 + r.size(), 4 + r.size(), int(r.rng.integers(1, 4))
    x = r(r.size(1), r.size(1), h, w)
    y = F.max_pool2d(x, k, stride=int(r.rng.integers(1, 3)), padding=k // 2)
    z = r(2, 3, h, w)
    (g,) = torch.autograd.grad((F.max_pool2d(z, 2, 1) ** 2).sum(), z, create_graph=True)
    means = F.avg_pool2d(x, k), F.adaptive_avg_pool2d(x, (3, 2))
    return g * g, y, *means, F.max_pool2d(r(2, 2, 40, 40), (20, 20))


def optimizers(r):
    params = [r(r.size(), 3), r(r.size(1))]
    made = [
        torch.optim.SGD(params, lr=0.1),
        torch.optim.SGD(params, lr=0.1, momentum=0.9, nesterov=r.flag(), dampening=0.0),
        torch.optim.Adam(params, weight_decay=0.01), torch.optim.AdamW(params, amsgrad=True),
    ]  # fmt: skip
    for optimizer in made:
        for p in params:
            p.grad = torch.from_numpy(r.rng.normal(size=tuple(p.shape)).astype(r.dtype))
        nn.utils.clip_grad_norm_(params, 0.5)
        optimizer.step()
        optimizer.step()
    r.leaves.clear()
    return tuple(p.detach() for p in params)


def recurrences(r):
    n, h = r.size(1), r.size(1)
    torch.manual_seed(0)
    out = []
    for kind in (nn.LSTM, nn.GRU):
        layer = kind(3, h, batch_first=True)
        if r.dtype == "float64":
            layer = layer.double()
        r.leaves += list(layer.parameters())
        out.append(layer(r(n, 4, 3))[0])
    return tuple(out)


def embeddings(r):
    rows = r.size(1)
    return (F.embedding(r.labels(rows, r.size(), r.size()), r(rows, r.size(1))),)


def conversions(r):
    x = r(30, 18 + r.size(1))
    kinds = torch.float16, torch.bfloat16
    return tuple(x.to(kind).to(x.dtype) for kind in kinds)


def places(r):
    x, n = r(3, r.size(1), 9), r.size(1)
    bigger = F.interpolate(r(2, 1, 4, 3 + n), scale_factor=1.7, mode="bilinear")
    line = torch.linspace(-1.5, 2.0, n + 1, dtype=x.dtype)
    steps = torch.arange(-1.5, n, 0.3, dtype=x.dtype)
    pairs = F.pdist(r(n + 1, 3))
    later = torch.nextafter(r(n, 3), torch.zeros(n, 3, dtype=x.dtype))
    middle, full = r(2, 300).kthvalue(150).values, torch.full((5000 + n,), 1.5, dtype=x.dtype)
    best = x.topk(1, 1).values, r(2, 300).topk(3).values
    return *best, middle, full, x.prod(1), x.tril(1), x.triu(-1), bigger, line, steps, pairs, later


PROGRAMS = [
    products, naive_products, reductions, softmaxes, losses, normalisations, convolutions, pools,
    optimizers, recurrences,
    embeddings, conversions, places,
]  # fmt: skip


def outcome(program, seed, dtype, backend):
    """What the program returns and the gradients of its leaves, as arrays."""
    backends.use(backend)
    r = Source(seed, dtype)
    results = program(r)
    total = torch.zeros((), dtype=getattr(torch, dtype))
    for y in results:
        if y.requires_grad:
            weights = np.cos(np.arange(y.numel())).reshape(y.shape).astype(dtype)
            total = total + (y * torch.from_numpy(weights)).sum()
    if total.requires_grad:
        total.backward()
    gradients = [x.grad.numpy() for x in r.leaves if x.grad is not None]
    return [y.detach().numpy() for y in results] + gradients


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_kernels_agree_with_numpy_on_random_shapes(recorder, program, dtype):
    threads = core.get_num_threads()
    try:
        for seed in range(12):
            core.set_num_threads(1 + seed % 3)
            core.use_isa(core.isas()[seed % len(core.isas())])
            found, expected = (outcome(program, seed, dtype, backend)
                               for backend in ("core", "reference"))
            assert len(found) == len(expected)
            for a, b in zip(found, expected, strict=True):
                assert a.shape == b.shape and a.dtype == b.dtype == dtype
                np.testing.assert_allclose(a, b, *TOLERANCES[dtype], err_msg=f"seed {seed}")
    finally:
        core.set_num_threads(threads)
        core.use_isa(core.isas()[0])
        backends.use("core")


@pytest.mark.parametrize("dtype", TOLERANCES)
def test_elementwise_loops_agree_with_numpy_on_random_shapes(recorder, dtype):
    rng = np.random.default_rng(0)
    for round, (name, op, formula, parameters) in ((round, row) for round in range(3)
                                                   for row in ROWS):
        shape = tuple(int(n) for n in rng.choice(SIZES, rng.integers(4))) if round else (3, 5)
        _, named = operands(op, (), ())
        arrays = [rng.uniform(0.2, 0.9, shape).astype(dtype) for _ in parameters]
        read = expr.names(formula)
        numbers = [v for k, v in named.items() if k in read]
        out = np.empty(shape, dtype)
        loop = recorder.called(f"{name}_{SUFFIXES[dtype]}")
        given = [a for p, a in zip(parameters, arrays, strict=True) if p in read]
        assert loop(*numbers, *given, out), name
        expected = by_numpy(name, op, formula, parameters, arrays, named)
        np.testing.assert_allclose(out, expected, *TOLERANCES[dtype], err_msg=name)


def record(recorder, dtype):
    """Make the calls of the tests above, unless these have run in this process."""
    if any(f"{name}_{SUFFIXES[dtype]}" not in recorder.calls
           for name in DECLARED if not name.endswith("_naive")):
        for program in PROGRAMS:
            test_kernels_agree_with_numpy_on_random_shapes(recorder, program, dtype)
        test_elementwise_loops_agree_with_numpy_on_random_shapes(recorder, dtype)


@pytest.mark.parametrize("dtype", TOLERANCES)
def test_naive_kernels_agree_with_the_fast_ones(recorder, dtype):
    """On the arrays of recorded calls: the kernels kept for reading compute the same."""
    record(recorder, dtype)
    suffix = SUFFIXES[dtype]
    for name in [n.removesuffix("_naive") for n in DECLARED if n.startswith("conv")
                 and n.endswith("_naive")]:
        arguments = recorder.calls[f"{name}_{suffix}"]
        results = []
        for kernel in (name, f"{name}_naive"):
            given = [copied(x) for x in arguments]
            given[-1] = np.full_like(given[-1], np.nan)
            assert taken(f"{kernel}_{suffix}", given)
            results.append(given[-1])
        np.testing.assert_allclose(*results, *TOLERANCES[dtype], err_msg=name)


# ---- what must be refused ------------------------------------------------------------------------
def declarations():
    """The kernels as declared in C, by name."""
    module = loaded("ext/declarations.py")
    found = {}
    for name, text in texts.texts().items():
        elementwise = name.partition("_vjp")[0] in {*formulas.TABLE, *formulas.VALUES}
        found |= {k.name: k for k in module.declared(text, elementwise)}
    return found


SUFFIXES = {"float32": "f32", "float64": "f64"}
# test_core_random.py, test_core_along.py, test_core_order.py, test_core_special.py,
# test_core_layouts.py, test_core_spread.py, test_core_whole.py, test_core_complex.py and
# test_core_bfloat.py try these
ELSEWHERE = {
    "gather", "scatter", "scatter_sum", "combine_rows", "recurrence", "cumsum", "cumprod", "prod",
    "running_extreme", "key_order", "distances", "distances_vjp0", "i0", "i0e", "i1", "i1e",
    "erfinv", "ndtri", "trigamma", "take", "ranked", "copy", "where", "where_vjp1", "where_vjp2",
    "cumprod_vjp0", "of_bytes", "of_whole", "of_float", "of_double", "to_whole", "clamp_whole",
    "shift_whole", "abs_whole", "not_bool", "to_mask", "product", "running_sum",
    "bfloat_products", "lgamma", "digamma", "logcumsumexp", "reciprocals", "between",
    "isin", "searchsorted", "scatter_sum_pairs", "choose_largest",
}  # fmt: skip
DECLARED = {
    name: kernel
    for name, kernel in (declarations() if core.is_available() else {}).items()
    if name not in ELSEWHERE and not name.startswith("random_")
}


def taken(name, arguments):
    """Does C take them? A size of 2^63 or more is refused where it is converted."""
    try:
        return library.called(name)(*arguments)
    except OverflowError:
        return False


class Subclass(np.ndarray):
    pass


def unlike(x, p, written, any_layout):
    """Pairs: what is wrong, and an object that C must refuse in place of the array ``x``."""
    yield "no array", Ellipsis  # of what may be missing; None, where it may not
    yield "a float", 1.5
    yield "a numpy scalar", x.dtype.type(1)
    yield "a list", [x]
    yield "a subclass", x.view(Subclass)
    other = {"f": np.float64 if x.dtype == np.float32 else np.float32, "i": np.int32, "u": np.int8,
             "b": np.int8}[x.dtype.kind]
    yield "another dtype", x.astype(other)
    if x.dtype.itemsize > 1:
        yield "another byte order", x.astype(x.dtype.newbyteorder(">"))
        moved = np.frombuffer(bytearray(x.nbytes + 1),
                              np.uint8)[1 : x.nbytes + 1].view(x.dtype).reshape(x.shape)
        if x.size:
            yield "misaligned", moved
    if written:
        frozen = x.copy()
        frozen.flags.writeable = False
        yield "read-only", frozen
    if p.kind == "MATRIX":
        yield "one more row", np.concatenate([x, x[..., :1, :]], -2)
        yield "five dimensions", x.reshape((1,) * (5 - x.ndim) + x.shape)
        return
    yield "one element more", np.append(x, x.ravel()[:1] if x.size else x.dtype.type(0))
    if x.size:
        yield "one element fewer", x.ravel()[1:].copy()
    if x.size > 1 and not any_layout:
        flat = np.repeat(x.ravel(), 2)[::2].reshape(x.shape)
        yield "every second", flat if x.ndim < 2 else np.repeat(x, 2, -1)[..., ::2]
        yield "reversed", x.ravel()[::-1]
        yield "one number repeated", np.broadcast_to(x.ravel()[:1], x.shape)


@pytest.mark.parametrize("dtype", TOLERANCES)
def test_every_kernel_was_called_and_refuses_what_it_was_not_made_for(recorder, dtype):
    """This repeats the calls of the tests above."""
    test_naive_kernels_agree_with_the_fast_ones(recorder, dtype)
    suffix = SUFFIXES[dtype]
    missing = [name for name in DECLARED if f"{name}_{suffix}" not in recorder.calls]
    assert not missing, f"no test of this file calls {missing}: a kernel needs a program above"
    for name, kernel in DECLARED.items():
        full, arguments = f"{name}_{suffix}", recorder.calls[f"{name}_{suffix}"]
        parameters = [p for p in kernel.parameters
                      if not (kernel.elementwise and p.name in ("n", "walk"))]
        again = taken(full, [copied(x) for x in arguments])
        assert again, f"{name} no longer takes what it took"

        declared = " ".join(q.size for q in parameters)

        def refused(place, wrong, what, name=name, full=full, arguments=arguments,
                    parameters=parameters):
            given = [copied(x) for x in arguments]
            given[place] = wrong
            kept = [copied(x) for x in given]
            place = parameters[place].name
            with suppress(TypeError):  # what is no array raises; other arrays are declined
                assert not taken(full, given), f"{name}: {place} is {what}, and C took it"
            for x, before in zip(given, kept, strict=True):
                if isinstance(x, np.ndarray):
                    assert x.tobytes() == before.tobytes(), f"{name} declined and wrote"

        for place, (p, x) in enumerate(zip(parameters, arguments, strict=True)):
            if isinstance(x, np.ndarray):
                for what, wrong in unlike(x, p, p.written, kernel.elementwise and not p.written):
                    refused(place, None if wrong is Ellipsis and p.kind != "OPTIONAL" else wrong,
                            what)
            elif isinstance(x, tuple):
                refused(place, list(x), "a list")
                refused(place, None, "None")
                refused(place, (*x, *x[:1]), "a tuple with one more")
                checked = p.kind == "LIST_OF" or p.written
                for what, wrong in unlike(x[0], p, p.written, False) if checked else ():
                    if not what.startswith("one element") or p.kind == "LIST_OF":
                        refused(place, (wrong, *x[1:]), f"a tuple with: {what}")
            elif p.kind == "size_t" and re.search(rf"\b{p.name}\b", declared):
                for wrong in (x + 1, 2**31, 2**32 + x, 2**62, 2**63 + x, 2**64 - 1):
                    if wrong != x and any(size(q) for q in arguments):
                        refused(place, wrong, f"the size {wrong}")
        # memory that is written and read, or written twice
        arrays = [(i, p) for i, p in enumerate(parameters) if isinstance(arguments[i], np.ndarray)]
        for i, p in arrays:
            for j, q in arrays:
                x, y = arguments[i], arguments[j]
                alike = x.dtype == y.dtype and x.size == y.size > 0 and q.kind != "MATRIX"
                if i < j and (p.written or q.written) and alike:
                    given = [copied(a) for a in arguments]
                    given[j] = given[i].reshape(y.shape)
                    if kernel.elementwise:  # the result may take an operand's place, but no other
                        assert taken(full, given), f"{name}: not in place"
                        both = np.append(x, x.ravel()[:1])
                        given[i], given[j] = (a.reshape(y.shape) for a in (both[:-1], both[1:]))
                        if x.size == 1:  # apart
                            continue
                    if p.kind != "MATRIX" or x.flags.c_contiguous:
                        both = f"{p.name} and {q.name}"
                        assert not taken(full, given), f"{name}: C took one array as {both}"


def test_sizes_whose_product_overflows_are_refused():
    """2^32 x 2^32 is 0 in 64 bits, and the arrays have 0 elements."""
    x = out = np.empty(0, np.float32)
    out = x.copy()
    huge = 2**32
    assert core.lib.matmul_naive_f32(huge, huge, 0, id(x), id(x), id(out)) == 0
    assert core.lib.matmul_naive_f32(huge, 0, huge, id(x), id(x), id(out)) == 0
    assert core.lib.softmax_f32(huge, huge, 1, id(x), id(out)) == 0
    assert core.lib.softmax_f32(2**22, 2**21, 2**21, id(x), id(out)) == 0
    assert core.lib.sgd_f32(2**60, 0.1, 0.0, False, id(()), id(())) == 0


def test_no_object_is_refused():
    x = np.ones(3, np.float32)
    assert core.lib.tanh_f32(0, id(x)) == core.lib.tanh_f32(id(x), 0) == 0


@pytest.mark.skipif(sys.platform != "linux" or sys.maxsize < 2**33,
                    reason="relies on pages that take no memory until written")
def test_more_elements_than_32_bits_count():
    """2^31 + 3 numbers, four of them not 0: a 32-bit or signed index would miss some."""
    n = 2**31 + 3
    x, out = np.zeros(n, np.float32), np.empty((), np.float32)
    x[[0, 2**31 - 1, 2**31, n - 1]] = 1, 2, -3, 4
    assert core.lib.sum_f32(1, n, 1, 1.0, id(x), id(out)) == 1 and out == 4
    assert core.lib.amax_f32(1, n, 1, id(x), id(out)) == 1 and out == 4
    assert core.lib.amin_f32(1, n, 1, id(x), id(out)) == 1 and out == -3
    assert core.lib.mse_loss_f32(n, 2, id(x), id(x), id(out)) == 1 and out == 0


def available_memory() -> int:
    if sys.platform != "linux":
        return 0
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(available_memory() < 14 << 30, reason="writes 8 GiB")
def test_more_elements_than_32_bits_are_written():
    """exp of 2^31 + 3 zeros is 1 everywhere, and the result's memory was 0 before."""
    n = 2**31 + 3
    x, out = np.zeros(n, np.float32), np.zeros(n, np.float32)
    x[n - 1] = -np.inf
    assert core.lib.exp_f32(id(x), id(out)) == 1
    assert (out[:: 2**10] == 1).all()
    assert out[[2**31 - 1, 2**31, n - 2, n - 1]].tolist() == [1, 1, 1, 0]
