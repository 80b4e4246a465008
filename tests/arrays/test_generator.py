"""Random numbers equal PyTorch 2.13's: checksums recorded from it, and itself where installed."""

import copy
import pickle
import warnings
import zlib
from fractions import Fraction
from math import inf, log1p

import numpy as np
import pytest

from microtorch.arrays import discrete, generator, rounding
from microtorch.arrays import draws as rng
from microtorch.arrays.generator import Generator

F16, F32, F64, I64 = np.float16, np.float32, np.float64, np.int64
P = np.linspace(0.05, 0.95, 33)
W = np.linspace(0.1, 2, 24).reshape(3, 8)

# name: (CRC-32 of three samples in a row from seed 2024 and of the state that they leave, our
# sample, PyTorch's sample), with the generator g
CASES = {
    "rand": (0x77DBDA89, "rng.uniform(7, generator=g)", "torch.rand(7, generator=g)"),
    "rand 2-d": (0x800E06C0, "rng.uniform((3, 40), generator=g)", "torch.rand(3, 40, generator=g)"),
    "rand float64": (0x7A4A4CBD, "rng.uniform(7, F64, generator=g)",
        "torch.rand(7, dtype=torch.float64, generator=g)"),
    "rand float16": (0x6FC74295, "rng.uniform(9000, F16, generator=g)",
        "torch.rand(9000, dtype=torch.float16, generator=g)"),
    "rand 0-d": (0x0F331C89, "rng.uniform((), generator=g)", "torch.rand((), generator=g)"),
    "rand bulk": (0xE3755E78, "rng.uniform(5000, generator=g)", "torch.rand(5000, generator=g)"),
    "uniform_": (0x7CCE4EC4, "rng.uniform(5000, F32, -0.036, 0.037, g)",
        "torch.empty(5000).uniform_(-0.036, 0.037, generator=g)"),
    "uniform_ float64": (0xA6A8A1BD, "rng.uniform(5000, F64, -0.1, 0.3, g)",
        "torch.empty(5000, dtype=torch.float64).uniform_(-0.1, 0.3, generator=g)"),
    "randn few": (0x09851752, "rng.normal(3, generator=g)", "torch.randn(3, generator=g)"),
    "randn 15": (0x2D02C29C, "rng.normal(15, generator=g)", "torch.randn(15, generator=g)"),
    "randn 16": (0x42251A89, "rng.normal((4, 4), generator=g)", "torch.randn(4, 4, generator=g)"),
    "randn 17": (0x47E1A895, "rng.normal(17, generator=g)", "torch.randn(17, generator=g)"),
    "randn bulk": (0x123A6508, "rng.normal(20003, generator=g)", "torch.randn(20003, generator=g)"),
    "randn float16": (0xBAC918A7, "rng.normal(50, F16, generator=g)",
        "torch.randn(50, dtype=torch.float16, generator=g)"),
    "normal_ few": (0x994C6577, "rng.normal(5, F32, 0.3, 1.7, g)",
        "torch.empty(5).normal_(0.3, 1.7, generator=g)"),
    "normal_": (0xDC598FC6, "rng.normal(100, F32, 0.3, 1.7, g)",
        "torch.empty(100).normal_(0.3, 1.7, generator=g)"),
    "normal_ turned": (0x0F6DBE0F, "rng.normal((20, 3), F32, 0.3, 1.7, g, contiguous=False)",
        "torch.empty(20, 3).t().normal_(0.3, 1.7, generator=g).t()"),
    "normal mean std": (0xF72DA62A, "rng.normal_tensors(F32(P), F32(P[:1]), g)",
        "torch.normal(torch.tensor(F32(P)), torch.tensor(F32(P[:1])), generator=g)"),
    "normal mean": (0x3A6D78E9, "rng.normal_tensors(F32(P), 0.2, g)",
        "torch.normal(torch.tensor(F32(P)), 0.2, generator=g)"),
    "normal std": (0x7453D65C, "rng.normal_tensors(0.2, F32(P), g)",
        "torch.normal(0.2, torch.tensor(F32(P)), generator=g)"),
    "trunc_normal_": (0xBF7189ED, "rng.trunc_normal(99, std=0.8, a=-1, b=1, generator=g)",
        "torch.nn.init.trunc_normal_(torch.empty(99), std=0.8, a=-1, b=1, generator=g)"),
    "trunc_normal_ tail": (0x0F89D0B8, "rng.trunc_normal(99, a=1.5, b=3, generator=g)",
        "torch.nn.init.trunc_normal_(torch.empty(99), a=1.5, b=3, generator=g)"),
    "exponential_": (0x6167AE23, "rng.exponential(100, F32, 1.5, g)",
        "torch.empty(100).exponential_(1.5, generator=g)"),
    "log_normal_": (0x5B4B209F, "rng.log_normal(21, F32, 0.3, 0.7, g)",
        "torch.empty(21).log_normal_(0.3, 0.7, generator=g)"),
    "cauchy_": (0xF469E1F3, "rng.cauchy(100, F32, 0.3, 0.7, g)",
        "torch.empty(100).cauchy_(0.3, 0.7, generator=g)"),
    "cauchy_ float16": (0xB8AEAC78, "rng.cauchy(3000, F16, 0.3, 0.7, g)",
        "torch.empty(3000, dtype=torch.float16).cauchy_(0.3, 0.7, generator=g)"),
    "geometric_": (0xAF14795C, "rng.geometric(100, I64, 0.3, g)",
        "torch.empty(100, dtype=torch.int64).geometric_(0.3, generator=g)"),
    "bernoulli_": (0x54F875EC, "rng.bernoulli(0.3, 3000, F32, g)",
        "torch.empty(3000).bernoulli_(0.3, generator=g)"),
    "bernoulli_ bool": (0x1B715C90, "rng.bernoulli(0.3, 30, bool, g)",
        "torch.empty(30, dtype=torch.bool).bernoulli_(0.3, generator=g)"),
    "bernoulli float32": (0x48895E78, "rng.bernoulli(F32(P), generator=g)",
        "torch.bernoulli(torch.tensor(F32(P)), generator=g)"),
    "bernoulli float64": (0x5F766CB2, "rng.bernoulli(P, None, F64, g)",
        "torch.bernoulli(torch.tensor(P), generator=g)"),
    "dropout": (0x306F77B3, "rng.dropout_noise((5, 7), F32, 0.1, g)",
        "torch.empty(5, 7).bernoulli_(1 - 0.1, generator=g).div_(1 - 0.1)"),
    "random_ int64": (0xB708B2F1, "rng.random((), generator=g)",
        "torch.empty((), dtype=torch.int64).random_(generator=g)"),
    "random_ int32": (0x659CED18, "rng.random(9, np.int32, generator=g)",
        "torch.empty(9, dtype=torch.int32).random_(generator=g)"),
    "random_ bool": (0xB01C205E, "rng.random(9, bool, generator=g)",
        "torch.empty(9, dtype=torch.bool).random_(generator=g)"),
    "random_ float32": (0xAA49EEA7, "rng.random(9, F32, generator=g)",
        "torch.empty(9).random_(generator=g)"),
    "random_ float64": (0x75338595, "rng.random(9, F64, generator=g)",
        "torch.empty(9, dtype=torch.float64).random_(generator=g)"),
    "random_ to": (0x0432EA93, "rng.random(9, np.uint8, None, 9, g)",
        "torch.empty(9, dtype=torch.uint8).random_(9, generator=g)"),
    "random_ from": (0xEE60FCFD, "rng.random(9, np.int16, 9, None, g)",
        "torch.empty(9, dtype=torch.int16).random_(9, None, generator=g)"),
    "random_ all": (0xB0D9B6D4, "rng.random(9, I64, -(2**63), None, g)",
        "torch.empty(9, dtype=torch.int64).random_(-(2**63), None, generator=g)"),
    "randint": (0xE0E49D94, "rng.randint((4, 5), -3, 11, generator=g)",
        "torch.randint(-3, 11, (4, 5), generator=g)"),
    "randint 2**28 - 1": (0xA2450F59, "rng.randint(9, 0, 2**28 - 1, generator=g)",
        "torch.randint(0, 2**28 - 1, (9,), generator=g)"),
    "randint 2**28": (0x4B1E0B3D, "rng.randint(9, 0, 2**28, generator=g)",
        "torch.randint(0, 2**28, (9,), generator=g)"),
    "randint wide": (0xD22F6649, "rng.randint(9, -(2**62), 2**62 + 5, generator=g)",
        "torch.randint(-(2**62), 2**62 + 5, (9,), generator=g)"),
    "randint float16": (0xC80507FA, "rng.randint(999, 5, 4099, F16, g)",
        "torch.randint(5, 4099, (999,), dtype=torch.float16, generator=g)"),
    "randperm": (0x08A9D972, "rng.randperm(100, generator=g)", "torch.randperm(100, generator=g)"),
    "randperm int32": (0x671B37CD, "rng.randperm(2000, np.int32, g)",
        "torch.randperm(2000, dtype=torch.int32, generator=g)"),
    "multinomial 1": (0x2D599AD9, "rng.multinomial(W, 1, generator=g)",
        "torch.multinomial(torch.tensor(W), 1, generator=g)"),
    "multinomial": (0x305AA78D, "rng.multinomial(W, 5, generator=g)",
        "torch.multinomial(torch.tensor(W), 5, generator=g)"),
    "multinomial float32": (0xD3921013, "rng.multinomial(F32(P), 33, generator=g)",
        "torch.multinomial(torch.tensor(F32(P)), 33, generator=g)"),
    "multinomial again": (0x6AF6B624, "rng.multinomial(F32(W), 30, True, g)",
        "torch.multinomial(torch.tensor(F32(W)), 30, True, generator=g)"),
}  # fmt: skip


def checksum(sample, state):
    crc = 0
    for _ in range(3):
        crc = zlib.crc32(np.ascontiguousarray(sample()).tobytes(), crc)
    return zlib.crc32(state().tobytes(), crc)


@pytest.mark.parametrize("name", CASES)
def test_recorded(name):
    crc, ours, _ = CASES[name]
    g = Generator().manual_seed(2024)
    assert checksum(lambda: eval(ours, globals(), {"g": g}), g.get_state) == crc


@pytest.mark.parametrize("name", CASES)
def test_live(name):
    torch = pytest.importorskip("torch")
    _, ours, theirs = CASES[name]
    g, t = Generator(), torch.Generator()
    for seed in (0, -1, 2**33 + 5):
        g.manual_seed(seed), t.manual_seed(seed)
        for _ in range(2):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                want = eval(theirs, globals(), {"torch": torch, "g": t}).numpy()
            got = eval(ours, globals(), {"g": g})
            assert (got.dtype, got.shape) == (want.dtype, want.shape)
            np.testing.assert_array_equal(got, want)
            np.testing.assert_array_equal(np.signbit(got), np.signbit(want))
            np.testing.assert_array_equal(g.get_state(), t.get_state().numpy())


def test_known_numbers():
    def zero():
        return Generator().manual_seed(0)

    def near(*values):
        return pytest.approx(values, rel=1e-7)

    assert rng.uniform(3, generator=zero()) == near(0.4962565898, 0.7682217955, 0.0884774327)
    assert rng.normal(3, generator=zero()) == near(1.5409960747, -0.2934288979, -2.1787893772)
    assert rng.randperm(10, generator=zero()).tolist() == [4, 1, 7, 5, 3, 9, 0, 8, 6, 2]
    assert rng.randint(10, 0, 10, generator=zero()).tolist() == [4, 9, 3, 0, 3, 9, 7, 3, 7, 3]


def test_float64_through_the_c_library():
    """Not checksums: a C library other than glibc may round the last bit differently."""
    g = Generator().manual_seed(0)
    for got, want in (
        (rng.normal(17, F64, generator=g)[[0, 8, 16]],
         [-2.310411800234176, 0.23871805816817063, 0.6748575435940039]),
        (rng.normal(3, F64, generator=g),
         [0.6577075760053465, 0.9386566614741533, 1.1317306815607506]),
        (rng.exponential(3, F64, generator=g),
         [0.6555227854290218, 1.5899226222019678, 0.45881874089829033]),
        (rng.log_normal(3, F64, generator=g),
         [0.7475560359581395, 2.5071780180525782, 4.83670475822258]),
        (rng.cauchy(3, F64, generator=g),
         [0.9917919251815033, -0.5425929698588146, 0.12066801503387463]),
    ):  # fmt: skip
        np.testing.assert_allclose(got, want, rtol=1e-14)


def test_a_cached_normal_survives_other_samples_and_not_a_seed():
    g = Generator().manual_seed(1)
    pair = rng.normal(2, F64, generator=g)
    g.manual_seed(1)
    first = rng.normal(1, F64, generator=g)
    saved = g.get_state()
    rng.uniform(5, generator=g)
    assert [first[0], rng.normal((), F64, generator=g)] == pair.tolist()
    g.set_state(saved)
    assert rng.normal((), F64, 3.0, 2.0, g) == 3.0 + 2.0 * pair[1]
    g.set_state(saved)
    assert rng.normal(1, F64, generator=g.manual_seed(1)) == first


def test_seeds():
    g = Generator()
    assert g.initial_seed() == 67280421310721
    assert g.manual_seed(-1) is g and g.initial_seed() == 2**64 - 1
    same = [rng.uniform(3, generator=g.manual_seed(s)).tolist() for s in (5, 2**32 + 5, 5 - 2**63)]
    assert same[0] == same[1] == same[2]
    assert len({g.seed() for _ in range(3)}) == 3 and g.initial_seed() < 2**64
    for bad in (1.5, True, "1", 2**64):
        with pytest.raises(ValueError if bad == 2**64 else RuntimeError, match="manual_seed"):
            g.manual_seed(bad)
    assert g.manual_seed(np.int32(3)).initial_seed() == 3


@pytest.mark.parametrize("draws", [0, 1, 623, 624, 625, 1500])
def test_state_is_the_whole_generator(draws):
    g = Generator().manual_seed(9)
    g.draw32(draws)
    rng.normal(3, generator=g)
    twins = [Generator(), g.clone_state(), copy.deepcopy(g), pickle.loads(pickle.dumps(g))]
    twins[0].set_state(g.get_state())
    want = rng.normal(5, generator=g)
    for twin in twins:
        assert twin.initial_seed() == 9
        np.testing.assert_array_equal(rng.normal(5, generator=twin), want)
        np.testing.assert_array_equal(twin.get_state(), g.get_state())


def test_bad_states():
    g = Generator()
    state = g.get_state()
    with pytest.raises(RuntimeError, match="5056"):
        g.set_state(state[:-1])
    with pytest.raises(TypeError, match="ByteTensor"):
        g.set_state(state.astype(F32))
    state[8] = 7
    with pytest.raises(RuntimeError, match="Invalid mt19937 state"):
        g.set_state(state)
    with pytest.raises(RuntimeError, match="cpu"):
        Generator("cuda")
    for call in (g.get_offset, lambda: g.set_offset(0)):
        with pytest.raises(RuntimeError, match="offset"):
            call()


@pytest.mark.parametrize("n", [0, 1, 1023, 1024, 3000])
def test_bulk_and_small_draws_are_one_stream(n):
    bulk, single = Generator().manual_seed(3), Generator().manual_seed(3)
    ones = np.array([single.draw32(1)[0] for _ in range(2 * n)], np.uint64)
    assert bulk.draw64(n).tolist() == ((ones[::2] << np.uint64(32)) | ones[1::2]).tolist()


def test_default_generator_is_used_without_one():
    generator.default_generator.manual_seed(4)
    assert rng.uniform(2).tolist() == rng.uniform(2, generator=Generator().manual_seed(4)).tolist()


def test_a_large_permutation_is_fisher_yates_inside_out(monkeypatch):
    """PyTorch goes this way from n = 214748364, a size compared once; here the size is small."""
    monkeypatch.setattr(discrete, "_SMALL_PERMUTATION", 50)
    want: list[int] = []
    for i, draw in enumerate(Generator().manual_seed(6).draw64(60).tolist()):
        z = draw % (i + 1)
        want.append(i)
        want[i], want[z] = want[z], i
    got = rng.randperm(60, np.int32, Generator().manual_seed(6))
    assert got.tolist() == want and sorted(want) == list(range(60))


def test_dropout_that_keeps_or_drops_all_draws_nothing():
    g = Generator().manual_seed(1)
    state = g.get_state()
    assert rng.dropout_noise(3, p=0.0, generator=g).tolist() == [1, 1, 1]
    assert rng.dropout_noise(3, p=1.0, generator=g).tolist() == [0, 0, 0]
    assert (g.get_state() == state).all()


def test_uniform_stays_below_its_upper_bound():
    low, high = F32(1), np.nextafter(F32(1), F32(2))
    assert set(rng.uniform(1000, low=float(low), high=float(high)).tolist()) == {1.0}
    assert rng.uniform(3, low=2.0, high=2.0).tolist() == [2, 2, 2]


def test_heavy_tails_overflow_to_infinity():
    assert inf in rng.log_normal(100, F16, 9.0, 5.0).tolist()
    assert inf in rng.log_normal(100, F64, 700.0, 300.0).tolist()


def test_fma_rounds_once():
    source = np.random.default_rng(0)
    for dtype in (F32, F64):
        a = source.normal(size=300).astype(dtype)
        for b, c in ((1.7, -0.3), (-1e-3, 1e3), (3.0, 1e-9)):
            b, c = float(dtype(b)), float(dtype(c))
            got = rounding.fma(a, b, c)
            for x, y in zip(a.tolist(), got.tolist(), strict=True):
                true = Fraction(x) * Fraction(b) + Fraction(c)
                error = abs(Fraction(y) - true)
                for neighbour in np.nextafter(dtype(y), dtype([-inf, inf])).tolist():
                    assert error <= abs(Fraction(neighbour) - true)


def test_float32_log_sin_cos_are_accurate():
    v = np.arange(0, 2**24, 97).astype(F32) * F32(2**-24)
    np.testing.assert_allclose(rounding.log32(1 - v), [log1p(-x) for x in v.tolist()], rtol=3e-7)
    angle = F32(2 * np.pi) * v
    sin, cos = rounding.sincos32(angle)
    np.testing.assert_allclose(sin, np.sin(angle.astype(F64)), atol=1e-7)
    np.testing.assert_allclose(cos, np.cos(angle.astype(F64)), atol=1e-7)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: rng.uniform(3, I64), NotImplementedError, "uniform.*int64"),
        (lambda: rng.uniform(3, F32, 2.0, 1.0), RuntimeError, "from=2.0 > to=1.0"),
        (lambda: rng.uniform(3, F16, 0.0, 1e6), RuntimeError, "out of bounds for float16"),
        (lambda: rng.uniform((3, -1)), RuntimeError, "negative dimension -1"),
        (lambda: rng.normal(3, F32, 0.0, -1.0), RuntimeError, "std >= 0.0, but found std -1"),
        (lambda: rng.normal_tensors(P, -P), RuntimeError, "all elements of std"),
        (lambda: rng.exponential(3, F32, 0.0), RuntimeError, "lambda=0"),
        (lambda: rng.log_normal(3, F32, 0.0, 0.0), RuntimeError, "std=0"),
        (lambda: rng.cauchy(3, F32, 0.0, 0.0), RuntimeError, "sigma=0"),
        (lambda: rng.geometric(3, F32, 1.0), RuntimeError, "p=1"),
        (lambda: rng.geometric(3, bool, 0.5), NotImplementedError, "bool"),
        (lambda: rng.bernoulli(1.5, 3), RuntimeError, "p=1.5"),
        (lambda: rng.bernoulli(np.array([2.0])), RuntimeError, "p_in >= 0"),
        (lambda: rng.bernoulli(np.array([1])), NotImplementedError, "int64"),
        (lambda: rng.bernoulli(0.5, 3, np.complex64), NotImplementedError, "complex64"),
        (lambda: rng.random(3, np.complex128), NotImplementedError, "complex128"),
        (lambda: rng.dropout_noise(3, F32, 1.5), ValueError, "1.5"),
        (lambda: rng.randint(3, 5, 5), RuntimeError, "from=5 >= to=5"),
        (lambda: rng.randint(3, 0, 257, np.uint8), RuntimeError, "out of bounds for uint8"),
        (lambda: rng.randperm(-1), RuntimeError, "n=-1"),
        (lambda: rng.randperm(257, np.uint8), RuntimeError, "256 for uint8"),
        (lambda: rng.multinomial(np.ones(3), 4), RuntimeError, "without replacement"),
        (lambda: rng.multinomial(np.ones(3), 0), RuntimeError, "n_sample <= 0"),
        (lambda: rng.multinomial(np.zeros(3), 1), RuntimeError, "sum of probabilities"),
        (lambda: rng.multinomial(np.array([1.0, -1]), 1, True), RuntimeError, "element < 0"),
        (lambda: rng.multinomial(np.ones(3, I64), 1), RuntimeError, "floating-point"),
        (lambda: rng.multinomial(np.ones((1, 1, 3)), 1), RuntimeError, "1 or 2 dim"),
    ],
)
def test_errors_and_nothing_drawn(call, error, words):
    state = generator.default_generator.get_state()
    with pytest.raises(error, match=words):
        call()
    assert (generator.default_generator.get_state() == state).all()


def test_trunc_normal_warns_far_from_the_mean():
    with pytest.warns(UserWarning, match="more than 2 std"):
        values = rng.trunc_normal(20, F32, 10.0, 1.0, 0.0, 4.0)
    assert values.min() >= 0 and values.max() <= 4
