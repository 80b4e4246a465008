"""The optimizers' steps in C against their definitions in numpy, in all settings and layouts, on
every instruction set and with several threads."""
import itertools

import numpy as np
import pytest

import microtorch as torch
from microtorch import backends, optim
from microtorch.arrays.dtypes import F32, F64
from microtorch.backends import core
from microtorch.backends.core.library import Kernels
from microtorch.backends.reference import Reference
from microtorch.backends.table import definition
from microtorch.nn.utils import clipping
from microtorch.optim import adam, adaptive, sgd

DEFINED_IN = (adam, adaptive, clipping, sgd)  # the steps: loaded here, since no optimizer is made
pytestmark = pytest.mark.needs("core")
SHAPES = [(), (0,), (1,), (7,), (3, 0, 2), (5, 33), (17, 19)]
SGD = [
    {"lr": 0.1, "momentum": m, "dampening": d, "weight_decay": w, "nesterov": n, "maximize": x}
    for m, d, w, n, x in itertools.product((0, 0.9), (0, 0.3), (0, 0.2), (False, True),
                                           (False, True))
    if not n or (m and not d)
]
ADAM = [
    {"lr": 0.05, "beta1": b, "beta2": 0.9, "eps": 1e-3, "weight_decay": w, "decoupled": d,
     "amsgrad": a, "maximize": x}
    for b, w, d, a, x in itertools.product((0.9, 0.3), (0, 0.2), (False, True), (False, True),
                                           (False, True))
]
TOLERANCE = {F32: {"rtol": 1e-5, "atol": 1e-6}, F64: {"rtol": 1e-13, "atol": 1e-14}}


def normal(shape, dtype, seed):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


class Run:
    """Parameters and state on which one backend makes steps with new gradients."""

    def __init__(self, backend, name, settings, shapes, dtype, change=lambda i, p: p):
        self.backend, self.name, self.settings = backend, name, settings
        self.shapes, self.dtype = shapes, dtype
        self.params = tuple(change(i, normal(s, dtype, i)) for i, s in enumerate(shapes))
        needed = ("momentum",)
        if name != "sgd_step":
            needed = ("mean", "square", "largest")[: 3 if settings["amsgrad"] else 2]
        if name == "sgd_step" and not settings["momentum"]:
            needed = ()
        self.state = [tuple(np.zeros(s, dtype) for s in shapes) for _ in needed]
        self.steps = tuple(np.zeros((), F32) for _ in shapes)

    def step(self, t):
        grads = tuple(normal(s, self.dtype, (t, i)) for i, s in enumerate(self.shapes))
        if self.name == "sgd_step":
            buffers = self.state[0] if self.state else ()
            self.backend.sgd_step(self.params, grads, buffers, first=t == 0, **self.settings)
        else:
            mean, square, *largest = self.state
            self.backend.adam_step(self.params, grads, mean, square, largest[0] if largest else (),
                                   self.steps, **self.settings)

    def __iter__(self):
        return itertools.chain(self.params, *self.state, self.steps)


def same(one, other, dtype):
    for a, b in zip(one, other, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, **TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", [F32, F64])
@pytest.mark.parametrize("name", ["sgd_step", "adam_step"])
def test_many_steps_with_all_settings(name, dtype, isa, monkeypatch):
    # C declines nothing here
    monkeypatch.setattr("microtorch.backends.core.optimizers.definition", None)
    for settings in SGD if name == "sgd_step" else ADAM:
        ours, numpys = (Run(b, name, settings, SHAPES, dtype)
                        for b in (core.Core(dtype), Reference(dtype)))
        for t in range(6):
            ours.step(t)
            numpys.step(t)
        same(ours, numpys, dtype)


@pytest.mark.parametrize("name, settings", [("sgd_step", SGD[-1]), ("adam_step", ADAM[-1])])
def test_threads_change_no_bit(name, settings, isa, threads):
    results = []
    for count in (1, 2, 3):
        threads(count)
        run = Run(core.Core(F32), name, settings, [(100_003,), (5,), (300, 301)], F32)
        for t in range(2):
            run.step(t)
        results.append([a.tobytes() for a in run])
    assert results[0] == results[1] == results[2]


def strided(i, p):
    return np.repeat(p, 2, 0)[::2] if i == 5 else p


def misaligned(i, p):
    if i != 5:
        return p
    return np.frombuffer(bytearray(b"\0" + p.tobytes()), p.dtype, offset=1).reshape(p.shape)


def reversed_(i, p):
    return p[::-1] if i == 5 else p


@pytest.mark.parametrize("change", [strided, misaligned, reversed_])
@pytest.mark.parametrize("name, settings",
                         [("sgd_step", SGD[0]), ("sgd_step", SGD[-1]), ("adam_step", ADAM[0])])
def test_what_c_declines_takes_numpys_way(name, settings, change):
    """One parameter of another layout: C does nothing, and numpy's result is the very same."""
    ours, numpys = (Run(b, name, settings, SHAPES, F32, change)
                    for b in (core.Core(F32), Reference(F32)))
    for t in range(2):
        ours.step(t)
        numpys.step(t)
    assert [a.tobytes() for a in ours] == [a.tobytes() for a in numpys]


def test_the_function_checks_what_it_is_given():
    kernels = Kernels(F32)

    def sgd(params, grads, count=None):
        return kernels.sgd(len(params) if count is None else count, 0.1, 0.0, False, params, grads)

    x, y = np.ones(6, F32), np.ones(6, F32)
    assert sgd((x,), (y,)) == 1 and x.tolist() == [np.float32(0.9)] * 6
    before = x.copy()
    read_only = y.copy()
    read_only.flags.writeable = False
    for params, grads in [
        ((x,), (y[:5],)),  # sizes differ
        ((x,), (y.astype(F64),)),
        ((x,), ()),
        ((x,), [y]),
        ((x,), (x,)),  # not apart
        ((x[:4],), (x[2:],)),
        ((x,), (None,)),
        ((read_only,), (y,)),
        ((x, x[::2]), (y, y[:3])),
    ]:
        assert sgd(params, grads) == 0
    assert sgd((x,), (y,), 2) == 0 and (x == before).all()
    assert sgd((), ()) == 1 and sgd((x, read_only[:0].copy()), (y, y[:0])) == 1
    assert sgd((x,), (read_only,)) == 1  # only read


@pytest.mark.parametrize("name, settings",
                         [("sgd_step", SGD[0]), ("sgd_step", SGD[-1]), ("adam_step", ADAM[3])])
def test_an_array_twice_is_changed_twice(name, settings, threads):
    threads(2)
    ours, numpys = (Run(b, name, settings, [(50_000,), (50_000,)], F32)
                    for b in (core.Core(F32), Reference(F32)))
    for run in (ours, numpys):
        run.params = run.params[:1] * 2
        run.state = [s[:1] * 2 for s in run.state]
        run.steps = run.steps[:1] * 2
        run.step(0)
    same(ours, numpys, F32)


def test_an_array_in_two_roles_is_numpys():
    """A gradient that is the parameter itself: C's loops must not run, and the formula holds."""
    x = np.ones(4, F32)
    core.Core(F32).sgd_step((x,), (x,), (), first=False,
                            **SGD[0] | {"weight_decay": 0, "maximize": False})
    assert x.tolist() == [np.float32(0.9)] * 4


def test_infinities_and_nan_stay_in_their_place():
    special = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 1e-40, 3e38], F32)
    for settings in SGD + ADAM:
        name = "sgd_step" if "momentum" in settings else "adam_step"
        ours, numpys = (Run(b, name, settings, [special.shape], F32)
                        for b in (core.Core(F32), Reference(F32)))
        with np.errstate(all="ignore"):
            for t in range(2):
                for run in (ours, numpys):
                    run.params[0][:] = special
                    run.step(t)
        np.testing.assert_allclose(ours.params[0], numpys.params[0], rtol=1e-5, atol=1e-6)


def parameter(*shape, dtype=torch.float32, grad=True):
    p = torch.nn.Parameter(torch.ones(*shape, dtype=dtype))
    p.grad = torch.full(shape, 0.5, dtype=dtype) if grad else None
    return p


@pytest.fixture(params=["core", "reference"])
def backend(request):
    before = backends.current()
    backends.use(request.param)
    yield request.param
    backends.use(before)


@pytest.mark.parametrize("make", [
    lambda params: optim.SGD(params, lr=0.5),
    lambda params: optim.SGD(params, lr=torch.tensor(0.5), momentum=0.5),
    lambda params: optim.Adam(params, lr=torch.tensor(0.5), amsgrad=True),
    lambda params: optim.RMSprop(params, momentum=0.5, centered=True),
    lambda params: optim.Adagrad(params),
    lambda params: optim.Adadelta(params),
])  # fmt: skip
def test_a_group_of_several_dtypes_and_of_parameters_without_gradient(make, backend):
    """Each dtype goes to its own backend object, in one call; a gradient may come later."""
    params = [parameter(3), parameter(2, dtype=torch.float64), parameter(2, dtype=torch.float16),
              parameter(2, grad=False)]
    optimizer = make([*params, parameter(3)])
    optimizer.step()
    assert params[3].tolist() == [1, 1] and all((p < 1).all() for p in params[:3])
    assert params[0].tolist() == optimizer.param_groups[0]["params"][4].tolist()
    params[3].grad = torch.full((2,), 0.5)
    first = params[0][0].item()
    optimizer.step()
    assert params[3][0].item() == first  # its own first step
    if "step" in optimizer.state[params[0]]:
        assert [optimizer.state[p]["step"].item() for p in params] == [2, 2, 2, 1]
        assert optimizer.state[params[1]]["step"].dtype is torch.float32
        optimizer.load_state_dict(optimizer.state_dict())
        assert optimizer.state[params[1]]["step"].dtype is torch.float32


def test_a_step_is_one_call_per_dtype(monkeypatch):
    calls = []

    def counted(self, params, grads, buffers, **settings):
        calls.append((self.dtype, len(params)))
        definition("sgd_step")(self, params, grads, buffers, **settings)

    monkeypatch.setattr(type(backends.cpu.of(F32)), "sgd_step", counted, raising=False)
    params = [parameter(2) for _ in range(5)] + [parameter(2, dtype=torch.float64)]
    optim.SGD(params, lr=0.1).step()
    assert calls == [(F32, 5), (F64, 1)]


def test_a_backend_without_the_kernel_says_so():
    class Elsewhere(Reference):
        name = "elsewhere"

        def __getattr__(self, name):
            raise NotImplementedError(f"the elsewhere backend has no kernel '{name}'")

    p = parameter(2)
    p.node.dev = Elsewhere(F32)
    with pytest.raises(NotImplementedError, match="elsewhere backend has no kernel 'adagrad_step'"):
        optim.Adagrad([p]).step()


@pytest.mark.parametrize("dtype", [F32, F64])
def test_norm_and_scale(dtype, isa):
    ours, numpys = core.Core(dtype), Reference(dtype)
    for shapes in ([(5,)], SHAPES, [(1000, 33), (31,), (32,), (33,)], [(0,)]):
        arrays = tuple(normal(s, dtype, i) for i, s in enumerate(shapes))
        norm = ours.total_norm(arrays)
        assert norm.shape == () and norm.dtype == dtype
        np.testing.assert_allclose(norm, numpys.total_norm(arrays), **TOLERANCE[dtype])
        copies = tuple(a.copy() for a in arrays)
        ours.scale(arrays, 0.3)
        numpys.scale(copies, 0.3)
        for a, b in zip(arrays, copies, strict=True):
            np.testing.assert_array_equal(a, b)
    strided = (normal((4, 6), dtype, 0).T,)
    np.testing.assert_allclose(ours.total_norm(strided), numpys.total_norm(strided))
    assert np.isnan(ours.total_norm((np.array([1, np.nan], dtype),)))
    assert ours.total_norm((np.array([np.inf], dtype),)) == np.inf
    assert ours.total_norm((np.full(4, 1e30, dtype),)) == dtype.type(2e30)  # squares beyond float32


@pytest.mark.parametrize("max_norm, nan", [(1.0, False), (1e9, False), (1.0, True)])
def test_clipping(max_norm, nan, backend):
    """One call on one backend gives the same as tensor by tensor, where dtypes differ."""
    params = [parameter(3, 2), parameter(5), parameter(4, grad=False)]
    if nan:
        params[0].grad[0, 0] = float("nan")
    mixed = [*[torch.nn.Parameter(p.detach().clone()) for p in params],
             parameter(1, dtype=torch.float64)]
    for p, q in zip(params, mixed, strict=False):
        q.grad = None if p.grad is None else p.grad.clone()
    mixed[-1].grad.zero_()
    version = params[1].grad._version
    norm = torch.nn.utils.clip_grad_norm_(params, max_norm)
    assert torch.allclose(norm, torch.nn.utils.clip_grad_norm_(mixed, max_norm).float(),
                          equal_nan=True)
    for p, q in zip(params[:2], mixed, strict=False):
        assert torch.allclose(p.grad, q.grad, equal_nan=True)
    assert params[1].grad._version > version  # as in PyTorch, also by a factor of 1
