"""Random numbers in C equal those in numpy to the last bit, and leave the same state."""

import threading

import numpy as np
import pytest

from microtorch.arrays import draws, fills
from microtorch.arrays.generator import Generator
from microtorch.backends import core

pytestmark = pytest.mark.needs("core")
REFERENCE = fills.Fills()
SIZES = [0, 1, 2, 15, 16, 17, 31, 32, 311, 312, 313, 511, 512, 513, 527, 624, 625, 1024, 1500, 5003]
F32, F64 = np.float32, np.float64

# name: the numbers that follow state and n; before them, the dtype of an array that is filled
KINDS = {
    "draws": (), "draws64": (), "permutation": (),
    "uniform unit": (F32, 0.0, 1.0), "uniform": (F32, -0.036, 0.037),
    "uniform wide": (F32, -3.0, 9.0),
    "uniform narrow": (F32, 1.0, 1 + 2.0**-22), "uniform empty": (F32, 2.0, 2.0),
    "uniform double": (F64, -0.1, 0.3),
    "exponential": (F32, -0.5), "exponential double": (F64, -2.0),
    "cauchy": (F32, 0.5, 2.0), "cauchy double": (F64, -1.0, 0.1),
    "geometric": (F32, -0.4), "geometric double": (F64, -1e-3),
    "bernoulli": (F32, 2**52 + 12345, 1.0), "bernoulli scaled": (F64, 2**51, 1.25),
    "bernoulli never": (F32, 0, 1.0), "bernoulli always": (F32, 2**53, 1.0),
}  # fmt: skip
NORMALS = {
    "standard": (F32, 0.0, 1.0), "small": (F32, 0.0, 0.02), "shifted": (F32, -3.3, 7.7),
    "double": (F64, 0.0, 1.0), "double shifted": (F64, 0.1, 3.0),
}  # fmt: skip


@pytest.fixture(params=core.isas())
def compiled(request):
    before = core.isa
    core.use_isa(request.param)
    yield core.Random()
    core.use_isa(before)


def made(form, what, state, n, dtype=None, *numbers):
    """The next n numbers: a new array, or one that is filled, in two dimensions."""
    if dtype is None:
        return getattr(form, what)(state, n)
    out = np.empty((1, n), dtype)
    assert getattr(form, what)(state, out, *numbers) is None
    return out[0]


def agree(compiled, what, n, *numbers, first=0):
    """Both from one state, which has given ``first`` draws; twice, since the state goes on."""
    states = [REFERENCE.seeded(7), compiled.seeded(7)]
    for state, form in zip(states, (REFERENCE, compiled), strict=True):
        form.draws(state, first)
    for _ in range(2):
        expected, got = (made(form, what, state, n, *numbers)
                         for form, state in zip((REFERENCE, compiled), states, strict=True))
        assert got.dtype == expected.dtype and got.tobytes() == expected.tobytes()
        assert (states[0] == states[1]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_one_number_after_the_other(kind, compiled):
    for n in SIZES:
        agree(compiled, kind.split()[0], n, *KINDS[kind])


@pytest.mark.parametrize("span", [1, 2, 3, 7, 10, 255, 3 * 2**20, 2**28 - 1])
def test_whole_numbers(span, compiled):
    for low in (0, -5, 2**62, -(2**63)):
        for n in SIZES:
            states = [REFERENCE.seeded(7), compiled.seeded(7)]
            expected, got = (form.integers(state, n, low, span)
                             for form, state in zip((REFERENCE, compiled), states, strict=True))
            assert got.dtype == expected.dtype and (got == expected).all()
            assert (states[0] == states[1]).all()


@pytest.mark.parametrize("dtype", [F32, F64])
def test_hits_by_chances_of_their_own(dtype, compiled):
    for n in SIZES:
        chances = np.random.default_rng(n).random(n).astype(dtype)
        chances[::5], chances[1::5] = 0, 1
        agree(compiled, "hits", n, dtype, chances)


@pytest.mark.parametrize("kind", NORMALS)
def test_normals(kind, compiled):
    for n in SIZES:
        if n >= fills.BLOCK:
            agree(compiled, "normal", n, *NORMALS[kind], first=n % 5)


@pytest.mark.parametrize("dtype, power", [(F32, False), (F64, False), (F32, True), (F64, True)])
def test_normals_in_pairs(dtype, power, compiled):
    for n in (0, 1, 2, 3, 16, 313, 700):
        spares = [np.zeros(2), np.zeros(2)]
        states = [REFERENCE.seeded(5), compiled.seeded(5)]
        for _ in range(3):
            results = [
                made(form, "serial_normal", state, n, dtype, 0.3, 1.7, power, spare)
                for form, state, spare in zip((REFERENCE, compiled), states, spares, strict=True)
            ]
            assert results[0].tobytes() == results[1].tobytes()
            assert spares[0][1] == spares[1][1] and (states[0] == states[1]).all()
            assert not spares[0][1] or spares[0][0] == spares[1][0]


def rejected():
    """What is drawn by rejection, with parameters on both sides of every branch."""
    a = np.array([0.0, np.nan, 1e-3, 0.4, 0.999, 1.0, 2.5, 300.0, 1e6])
    with np.errstate(divide="ignore"):
        yield "gammas", np.stack([a, np.where(a < 1, a + 1, a) - 1 / 3, 1 / a]), True
    yield "poisson", np.array([0.0, 1e-3, 1.0, 9.99, 10.0, 123.0, 1e5]), False
    n = np.array([0.0, 5.0, 5.0, 10.0, 40.0, 1000.0, 1000.0, 7.0, 30.0, 2000.0])
    p = np.array([0.3, 0.0, 1.0, 0.3, 0.9, 0.3, 0.7, np.nan, 0.5, 0.01])
    q = np.where(p > 0.5, 1 - p, p)
    with np.errstate(all="ignore"):
        rest = [n * q, np.sqrt(n * q * (1 - q)), q / (1 - q), np.floor((n + 1) * q), np.log1p(-q)]
    yield "binomial", np.stack([n, p, q, *rest]), False


@pytest.mark.parametrize("kind, columns, normals", list(rejected()))
def test_by_rejection(kind, columns, normals, compiled):
    columns = np.ascontiguousarray(np.repeat(columns, 150, axis=-1))
    for n in (columns.shape[-1], 1):
        given = np.ascontiguousarray(columns[..., :n])
        found = []
        for form in (REFERENCE, compiled):
            state, spare = form.seeded(11), np.zeros(2)
            form.draws(state, 3)  # a uniform lies across the twister's end
            last = (spare,) if normals else ()
            numbers = [getattr(form, kind)(state, n, given, *last) for _ in range(2)]
            found.append((np.concatenate(numbers).tobytes(), state.tobytes(), spare.tobytes()))
        assert found[0][0] == found[1][0] and found[0] == found[1]


def test_all_float32_uniforms_transform_alike(compiled):
    """Each of the 2**24 uniforms that can occur, thinned, through C's log, sin and cos."""
    n = 1 << 16
    agree(compiled, "normal", n, F32, 0.0, 1.0)


def test_a_state_that_no_twister_leaves_is_read_within_its_bounds(compiled):
    state = compiled.seeded(1)
    state[fills.WORDS] = 2**32 - 1
    np.testing.assert_array_equal(
        compiled.draws(state, 5), REFERENCE.draws(REFERENCE.seeded(1), 5)
    )


def test_seeds(compiled):
    for seed in (0, 1, 42, 2**31, 2**32 - 1):
        np.testing.assert_array_equal(compiled.seeded(seed), REFERENCE.seeded(seed))
    assert REFERENCE.draws(REFERENCE.seeded(5489), 1)[0] == 3499211612  # the authors' own example


def test_threads_that_share_a_generator_take_turns():
    g = Generator().manual_seed(3)
    parts = []
    workers = [threading.Thread(target=lambda: [parts.append(g.draw32(700)) for _ in range(40)])
               for _ in range(4)]  # fmt: skip
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    everything = Generator().manual_seed(3).draw32(700 * 160).reshape(160, 700)
    assert sorted(p.tobytes() for p in parts) == sorted(p.tobytes() for p in everything)


def test_the_backend_chosen_makes_the_numbers(monkeypatch):
    from microtorch import backends

    assert isinstance(fills.in_use, core.Random)
    values = draws.normal(100, generator=Generator().manual_seed(1))
    try:
        backends.use("reference")
        assert type(fills.in_use) is fills.Fills
        again = draws.normal(100, generator=Generator().manual_seed(1))
    finally:
        backends.use("core")
    assert values.tobytes() == again.tobytes()
