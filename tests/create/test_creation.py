"""Making tensors: dtypes, shapes and values as PyTorch's, random numbers with PyTorch's seeds."""
import math
import typing
from collections import deque

import numpy as np
import pytest

import microtorch as torch


@pytest.mark.parametrize(
    ("data", "dtype", "shape"),
    [
        (3, "int64", ()), (3.0, "float32", ()), (True, "bool", ()), ([1, 2], "int64", (2,)),
        ([1, 2.5], "float32", (2,)),
        ([True, 2], "int64", (2,)), ([[1, 2], [3, 4]], "int64", (2, 2)), ([], "float32", (0,)),
        ([[]], "float32", (1, 0)),
        ((1, 2), "int64", (2,)), (np.float64(1), "float64", ()), (np.arange(3), "int64", (3,)),
        (np.ones(2, np.float32), "float32", (2,)),
        ([np.float32(1.5)], "float32", (1,)), ([np.int64(2), 3], "int64", (2,)),
        ([np.ones(2), np.zeros(2)], "float64", (2, 2)),
    ],
    ids=repr,
)  # fmt: skip
def test_tensor(data, dtype, shape):
    t = torch.tensor(data)
    assert (str(t.dtype), tuple(t.shape)) == (f"torch.{dtype}", shape)
    assert np.array_equal(t.numpy(), np.array(data, dtype))


def test_tensor_converts_and_copies():
    assert torch.tensor([np.ones(0)]).dtype is torch.float64
    assert torch.tensor([1.7, -1.7], dtype=torch.int64).tolist() == [1, -1]
    assert torch.tensor([0.0, 2.0], dtype=torch.bool).tolist() == [False, True]
    assert torch.tensor([torch.tensor(1.0), torch.tensor(2)]).tolist() == [1, 2]
    a = np.arange(3.0)
    copy, shared = torch.tensor(a), torch.as_tensor(a)
    a[0] = 9
    assert copy[0] == 0 and shared[0] == 9 and torch.from_numpy(a)[0] == 9
    assert torch.as_tensor(copy) is copy
    with pytest.raises(TypeError, match=r"expected np.ndarray"):
        torch.from_numpy([1])
    with pytest.raises(TypeError, match="datetime64"):
        torch.from_numpy(np.array(["2020"], "datetime64[D]"))


def test_filled():
    made = (torch.zeros(2, 3), torch.zeros((2, 3)), torch.zeros([2, 3]), torch.zeros(size=(2, 3)))
    assert all(z.shape == (2, 3) for z in made)
    assert torch.zeros(()).item() == 0 and torch.ones(torch.Size([2])).tolist() == [1, 1]
    assert torch.zeros(2, dtype=int).dtype == torch.int64
    assert torch.ones(1, dtype=bool).dtype == torch.bool
    assert torch.full((2,), 3).dtype == torch.int64 and torch.full((2,), 3.0).dtype == torch.float32
    assert torch.full((2,), True).dtype == torch.bool and torch.full((), 2).shape == ()
    assert torch.eye(2, 3).tolist() == [[1, 0, 0], [0, 1, 0]]
    assert torch.empty(2, 3).shape == (2, 3) and torch.zeros(2, requires_grad=True).requires_grad
    for wrong in ({"foo": 1}, {"out": [1.0, 2.0]}):
        with pytest.raises(TypeError):
            torch.zeros(2, **wrong)


def test_like_and_new():
    x = torch.ones(2, 2, dtype=torch.float64)
    assert torch.zeros_like(x).dtype == torch.float64
    assert torch.ones_like(x, dtype=torch.int32).dtype == torch.int32
    assert torch.full_like(x, 3).tolist() == [[3, 3], [3, 3]]
    assert torch.rand_like(x).dtype == torch.float64
    assert torch.randn_like(x).shape == (2, 2)
    assert torch.zeros_like(x, requires_grad=True).requires_grad
    assert (
        x.new_zeros(2).dtype
        == x.new_full((2,), 7).dtype
        == x.new_tensor([1, 2]).dtype
        == torch.float64
    )
    assert x.new_ones((1, 2)).shape == (1, 2) and x.new_empty(3).shape == (3,)


def test_ranges():
    assert torch.arange(5).tolist() == [0, 1, 2, 3, 4] and torch.arange(1, 5, 2).tolist() == [1, 3]
    assert torch.arange(5, 0, -1).tolist() == [5, 4, 3, 2, 1]
    assert torch.arange(end=2).tolist() == [0, 1]
    assert torch.arange(5.0).dtype == torch.float32 and torch.arange(2.5).tolist() == [0, 1, 2]
    assert len(torch.arange(0, 1, 0.1)) == 10
    assert torch.arange(0, 3, dtype=torch.float64).dtype == torch.float64
    for wrong in ((5, 0), (0, 5, 0)):
        with pytest.raises(RuntimeError):
            torch.arange(*wrong)
    for bounds in ((), (None,), (0, None), (None, 5)):
        with pytest.raises(TypeError):
            torch.arange(*bounds)
    assert torch.linspace(0, 1, 5).tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert torch.linspace(0, 1, 1).tolist() == [0]
    assert torch.linspace(0, 1, 0).tolist() == []
    assert torch.linspace(0, 10, 4, dtype=torch.int64).tolist() == [0, 3, 6, 10]
    assert torch.linspace(-3.14159, 3.14159, 7).tolist() == [  # PyTorch's, to the last bit
        -3.141590118408203, -2.094393253326416, -1.047196626663208, -1.1920928955078125e-07,
        1.047196626663208,
        2.094393253326416, 3.141590118408203]  # fmt: skip
    assert torch.logspace(0, 2, 3).tolist() == [1, 10, 100]
    assert torch.logspace(0, 3, 4, base=2).tolist() == [1, 2, 4, 8]


def test_grids_and_triangles():
    i, j = torch.meshgrid(torch.arange(2), torch.arange(3), indexing="ij")
    assert i.tolist() == [[0, 0, 0], [1, 1, 1]] and j.tolist() == [[0, 1, 2], [0, 1, 2]]
    x, y = torch.meshgrid(torch.arange(2), torch.arange(3), indexing="xy")
    assert x.tolist() == [[0, 1], [0, 1], [0, 1]] and y.tolist() == [[0, 0], [1, 1], [2, 2]]
    assert torch.tril_indices(2, 2).tolist() == [[0, 1, 1], [0, 0, 1]]
    assert torch.triu_indices(2, 3, 1).tolist() == [[0, 0, 1], [1, 2, 2]]


def test_typed_constructors():
    assert torch.Tensor([1, 2]).dtype == torch.float32 and torch.Tensor(2, 3).shape == (2, 3)
    assert torch.LongTensor([1, 2]).dtype == torch.int64
    assert torch.DoubleTensor([1]).dtype == torch.float64
    assert torch.BoolTensor([True]).dtype == torch.bool and torch.FloatTensor(2, 3).shape == (2, 3)
    assert isinstance(torch.ones(1), torch.FloatTensor)
    assert not isinstance(torch.ones(1), torch.LongTensor)
    assert typing.get_args(torch.LongTensor | None) == (torch.LongTensor, type(None))
    assert typing.get_args(int | torch.LongTensor) == (int, torch.LongTensor)


# ---- random numbers: PyTorch 2.13's for the same seed --------------------------------------------
def test_numbers_are_pytorchs():
    torch.manual_seed(1)
    assert torch.rand(2).tolist() == pytest.approx([0.7576315999031067, 0.2793108820915222], abs=0)
    assert torch.randn(2).tolist() == pytest.approx(
        [0.11631361395120621, 0.7213021516799927], abs=1e-9
    )
    torch.manual_seed(1)
    a = torch.rand(2, 3, dtype=torch.float64)
    torch.manual_seed(1)
    assert torch.equal(torch.empty(2, 3, dtype=torch.float64).uniform_(), a)


GOLDEN = {
    "randint": (lambda: torch.randint(10, (5,)), [2, 7, 6, 4, 6]),
    "randint size=": (lambda: torch.randint(10, size=(5,)), [2, 7, 6, 4, 6]),
    "randint high=": (lambda: torch.randint(high=10, size=(5,)), [2, 7, 6, 4, 6]),
    "randint low high": (lambda: torch.randint(3, 7, (2, 2)), [5, 6, 3, 5]),
    "randperm": (lambda: torch.randperm(6), [0, 3, 2, 4, 1, 5]),
    "bernoulli": (lambda: torch.bernoulli(torch.full((5,), 0.5)), [0, 0, 1, 0, 1]),
    "multinomial": (lambda: torch.multinomial(torch.tensor([1.0, 2.0, 3.0, 4.0]), 3), [3, 1, 2]),
    "multinomial with replacement": (
        lambda: torch.multinomial(torch.tensor([1.0, 2.0, 3.0, 4.0]), 6, replacement=True),
        [0, 0, 1, 0, 2, 2],
    ),
    "one sample with replacement": (
        lambda: torch.multinomial(torch.tensor([1.0, 2.0, 3.0, 4.0]), 1, replacement=True),
        [3],
    ),
    "normal": (lambda: torch.normal(2.0, 0.5, (3,)), [2.1683452, 2.0644047, 2.1172311]),
    "normal of tensors": (
        lambda: torch.normal(torch.zeros(3), torch.ones(3)),
        [0.3366904, 0.1288094, 0.2344624],
    ),
    "normal_": (lambda: torch.empty(3).normal_(1, 2), [1.6733807, 1.2576188, 1.4689248]),
    "uniform_": (lambda: torch.empty(3).uniform_(-1, 1), [0.7645385, 0.8300079, -0.2342725]),
    "exponential_": (lambda: torch.empty(3).exponential_(), [0.059914, 0.0649761, 0.1319168]),
    "random_": (lambda: torch.empty(3).random_(10), [2, 7, 6]),
    "rand_like": (lambda: torch.rand_like(torch.zeros(3)), [0.8822693, 0.915004, 0.3828638]),
    "randint_like": (lambda: torch.randint_like(torch.zeros(3), 5), [2, 2, 1]),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_values(name):
    draw, expected = GOLDEN[name]
    torch.manual_seed(42)
    assert draw().flatten().tolist() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", ["rand_like", "randn_like", "randint_like"])
@pytest.mark.parametrize("order", ["rows", "columns", "channels_last"])
def test_numbers_like_a_tensor_from_a_generator(name, order):
    x = torch.zeros(2, 4, 5, 3)
    x = x.transpose(1, 3) if order == "columns" else x
    options = {"memory_format": torch.channels_last} if order == "channels_last" else {}
    draw = getattr(torch, name)
    args = (x, 9) if name == "randint_like" else (x,)

    torch.manual_seed(3)
    expected = draw(*args, **options)
    before = torch.get_rng_state()
    g = torch.Generator().manual_seed(3)
    drawn = draw(*args, generator=g, **options)
    assert torch.equal(drawn, expected) and drawn.stride() == expected.stride()
    assert torch.equal(torch.get_rng_state(), before)
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        torch.zeros_like(x, generator=g)


def test_bounds_by_name():
    torch.manual_seed(0)
    low = torch.empty(100).uniform_(to=0.25)
    both = torch.empty(100).uniform_(**{"from": 2, "to": 3})
    assert 0 <= low.min() and low.max() < 0.25 and 2 <= both.min() and both.max() < 3
    torch.manual_seed(0)
    assert torch.equal(torch.empty(100).uniform_(0, 0.25), low)


def test_generators():
    g = torch.Generator()
    assert g.device == torch.device("cpu") and g.manual_seed(7) is g and g.initial_seed() == 7
    state = g.get_state()
    a = torch.rand(3, generator=g)
    assert state.dtype == torch.uint8
    g.set_state(state)
    assert torch.equal(torch.rand(3, generator=g), a)
    torch.manual_seed(7)
    assert torch.equal(torch.rand(3), a)
    before = torch.get_rng_state()
    torch.randn(3, generator=g)
    assert torch.equal(
        torch.get_rng_state(), before
    )  # its own numbers, not the default generator's
    with torch.random.fork_rng():
        torch.rand(5)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.manual_seed(5).initial_seed() == torch.initial_seed() == 5


def test_random_leaves_and_misuse():
    assert torch.randn(2, requires_grad=True).is_leaf
    for wrong, kind in (
        (lambda: torch.randint(5, 3, (2,)), RuntimeError), (lambda: torch.randint(5), TypeError),
        (lambda: torch.normal(0.0, 1.0), TypeError),
        (lambda: torch.multinomial(torch.tensor([-1.0, 2.0]), 1), RuntimeError),
        (lambda: torch.bernoulli(torch.tensor([2.0])), RuntimeError),
        (lambda: torch.manual_seed("a"), ValueError),
        (lambda: torch.Generator("cuda"), RuntimeError),
    ):  # fmt: skip
        with pytest.raises(kind):
            wrong()


def test_float_as_a_dtype_is_float64_as_in_numpy():
    x = torch.ones(1)
    assert torch.zeros(1, dtype=float).dtype == x.to(float).dtype == torch.float64
    assert x.sum(dtype=float).dtype == torch.nn.Linear(1, 1, dtype=float).weight.dtype
    assert torch.arange(3, dtype=int).dtype == torch.int64


def test_the_old_constructors():
    x = torch.arange(6.0).double()
    assert x.new(2, 3).shape == x.new(torch.Size([2, 3])).shape == (2, 3)
    assert x.new().shape == (0,)
    assert x.new([1, 2]).tolist() == [1, 2] and x.new([1, 2]).dtype == torch.float64
    assert x.type(torch.FloatTensor).dtype == torch.float32
    layer = torch.nn.Linear(1, 1).type(torch.DoubleTensor)
    assert layer.weight.dtype == torch.float64 and layer.weight.requires_grad


@pytest.mark.parametrize("name, numbers", [
    ("uniform_", (-2, 3)), ("normal_", (1, 0.5)), ("exponential_", (2.0,)),
    ("log_normal_", (0.5, 2)), ("cauchy_", (1, 2.0)),
])  # fmt: skip
@pytest.mark.parametrize("shape", [(7,), (3, 8), (), (0,)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
def test_fills_by_position_and_by_name_draw_the_same(name, numbers, shape, dtype):
    """The first are drawn without being read; so are those that a tensor in another order takes."""
    torch.manual_seed(3)
    x = getattr(torch.empty(shape, dtype=dtype), name)(*numbers)
    torch.manual_seed(3)
    y = getattr(torch.empty(shape, dtype=dtype), name)(*numbers, generator=None)
    assert x.equal(y) and x.dtype == y.dtype == dtype
    again = getattr(x, name)(*numbers)
    assert again is x and x._version == 2


def test_fills_that_are_refused_draw_nothing():
    x = torch.zeros(4)
    before = torch.get_rng_state()
    for name, numbers in (("normal_", (0, -1)), ("uniform_", (2, 1)), ("exponential_", (0,)),
                          ("uniform_", (0, 1e39)), ("cauchy_", (0, 0)), ("normal_", ("a",)),
                          ("normal_", (1, 2, 3))):  # fmt: skip
        with pytest.raises((RuntimeError, TypeError)):
            getattr(x, name)(*numbers)
    assert torch.get_rng_state().equal(before) and not x.any() and x._version == 0


def test_normal_that_requires_grad():
    assert torch.normal(0.0, 1.0, (2,), requires_grad=True).requires_grad


def test_types_that_are_none():
    x = torch.zeros(2)
    with pytest.raises(ValueError, match=r"invalid type: 'torch.FlotTensor'.*torch.FloatTensor"):
        x.type("torch.FlotTensor")
    with pytest.raises(TypeError, match="must be a type, str, or dtype object, not int"):
        x.type(3)
    assert torch.zeros(2, dtype=complex).dtype is torch.complex128


@pytest.mark.parametrize(
    "args, dtype, expected",
    [
        ((0, 5, 1.5), "int64", [0, 1, 2, 3, 4]), ((1, 10, 2.5), "int32", [1, 3, 5, 7]),
        ((2.5,), "int64", [0, 1]), ((2.5,), "int32", [0, 1, 2]), ((0, 1, 0.25), "int16", [0] * 4),
        ((-2.5, 2.5), "int64", [-2, -1, 0, 1]), ((5, 0, -1.5), "int64", [5, 4, 3, 2, 1]),
        ((5, 0, -1.5), "int32", [5, 4, 3, 2]), ((1e10, 1e10 + 1), "int32", [1410065408]),
        ((0, 1, 0.1), "int64", ValueError), ((0, 0, 0.5), "int64", ValueError),
        ((1e30,), "int64", RuntimeError), ((0, 1e30), "int32", RuntimeError),
        ((0, 1e30, 1e29), "int32", RuntimeError), ((0, 2**63), None, RuntimeError),
        ((0, 1e30), None, RuntimeError), ((0, 5, math.nan), None, RuntimeError),
        ((0, 5, math.inf), None, []), ((-1e308, 1e308), None, RuntimeError),
        ((2.0, 5, 1), "float32", [2, 3, 4]),
    ],
)  # fmt: skip
def test_arange_cuts_to_integers_as_pytorch_does(args, dtype, expected):
    d = dtype and getattr(torch, dtype)
    if isinstance(expected, type):
        with pytest.raises(expected):
            torch.arange(*args, dtype=d)
    else:
        assert torch.arange(*args, dtype=d).tolist() == expected


def test_linspace_of_infinity_and_triangles_of_negative_size():
    inf = math.inf
    assert torch.linspace(inf, 1, 1).tolist() == [inf] and torch.linspace(1, inf, 1).item() == 1
    assert torch.logspace(-inf, 1, 1).tolist() == [0]
    with pytest.raises(RuntimeError, match="without overflow"):
        torch.linspace(inf, 1, 1, dtype=torch.int64)
    for triangle in (torch.tril_indices, torch.triu_indices):
        for sizes in ((-1, 2), (2, -1)):
            with pytest.raises(RuntimeError, match="must be non-negative"):
                triangle(*sizes)


def test_arange_rounds_as_pytorch_does():
    """Recorded: vectors of 8 and 4 elements, and the rest one by one."""
    x = torch.arange(-3, 3.1, 0.1)
    assert x[30] .item() == -2.3841858265427618e-08 and len(x) == 61 and x[60].item() == 3.0
    assert torch.arange(-3, 3.1, 0.1, dtype=torch.float64)[30] == 1.6653345369377348e-16
    assert torch.arange(-1, 1, 0.1)[10].item() == -2.9802322831784522e-09
    assert torch.arange(-2.0, 2.0, 0.2)[10].item() == -5.9604645663569045e-09
    assert torch.arange(0, 4, 0.01, dtype=torch.float16).double().sum() == 797.9816665649414
    assert torch.arange(0, 4, 0.01, dtype=torch.bfloat16).double().sum() == 798.178466796875
    assert torch.arange(0.5, 3).tolist() == [0.5, 1.5, 2.5] and len(torch.arange(0.0, 0, 0.5)) == 0


@pytest.mark.parametrize(
    "data, dtype, expected",
    [
        ([1, 2**63], None, ValueError), ([-1, 2**64 - 1], None, ValueError),
        ([1, None], None, RuntimeError), ([2**70, 1.5], None, [float(2**70), 1.5]),
        ([-1, 2**70], "float32", [-1.0, float(2**70)]), ([2**70, 0], "bool", [True, False]),
        ([1.5, 2**63 - 1], "int64", [1, 2**63 - 1]), ([1.5, 2**63], "int64", ValueError),
        ([2**64, 1j], None, [2.0**64, 1j]), ([1.5, math.inf], "int64", RuntimeError),
    ],
)  # fmt: skip
def test_integers_beyond_what_numpy_reads_whole(data, dtype, expected):
    """numpy makes floats, unsigned integers or objects of them."""
    d = dtype and getattr(torch, dtype)
    if isinstance(expected, type):
        with pytest.raises(expected):
            torch.tensor(data, dtype=d)
    else:
        assert torch.tensor(data, dtype=d).tolist() == expected


def test_data_that_is_refused_and_taken():
    other = "<i4" if np.dtype(int).str[0] == ">" else ">i4"
    apart = np.lib.stride_tricks.as_strided(np.ones(3), (3,), (3,))
    for wrong in (np.arange(3, dtype=other), apart):
        with pytest.raises(ValueError, match="byte"):
            torch.from_numpy(wrong)
    with pytest.raises(ValueError, match="expected sequence of length 2"):
        torch.tensor([np.ones(2), np.ones(3)])
    with pytest.raises(TypeError, match="invalid data type"):
        torch.tensor([0, "a"])
    half = torch.tensor(1.5, dtype=torch.bfloat16)
    assert torch.tensor([half, half]).dtype is torch.bfloat16
    assert torch.randperm(256, dtype=torch.uint8).max() == 255
    for call in (lambda: torch.linspace(0, 300, 3, dtype=torch.uint8),
                 lambda: torch.linspace(0, 1j, 3, dtype=torch.float32)):  # fmt: skip
        with pytest.raises(RuntimeError):
            call()
    with pytest.raises(NotImplementedError, match="Bool"):
        torch.logspace(0, 1, 3, dtype=torch.bool)


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [  # an old reset() of a game gives (observation, {}), for one
        ((np.zeros(4, "f"), {}), RuntimeError, "infer dtype of dict"),
        ([{}, [1]], RuntimeError, "infer dtype of dict"),
        ([[1], None], RuntimeError, "infer dtype of NoneType"),
        ([[1, 2], "ab"], TypeError, "invalid data type 'str'"),
        ([b"ab"], TypeError, "invalid data type 'bytes'"),
        ([[1, 2], 3], TypeError, "equal depth"),
        ([[1, 2], np.zeros((2, 2))], TypeError, "equal depth"),
    ],
)
def test_what_has_no_dtype_is_named_before_sizes_are_compared(data, error, words):
    with pytest.raises(error, match=words):
        torch.tensor(data)


def test_other_sequences_of_python_are_lists():
    steps = deque([[1.0, 2], [3, 4]], maxlen=2)
    assert torch.tensor(steps).tolist() == [[1, 2], [3, 4]]
    assert torch.tensor([range(2), [1, 2]]).tolist() == [[0, 1], [1, 2]]
    assert torch.tensor([deque([torch.ones(1)]), (2,)]).tolist() == [[1], [2]]


def test_asarray_copies_a_buffer_if_it_is_asked_to():
    memory = memoryview(np.ones(2, np.float32))
    copied, shared = torch.asarray(memory, copy=True), torch.asarray(memory, copy=False)
    memory[0] = 5
    assert copied.tolist() == [1, 1] and shared.tolist() == [5, 1]


@pytest.mark.parametrize("dtype", [None, torch.bool, torch.float32, torch.int64])
@pytest.mark.parametrize(
    "data",
    [
        np.array(["1", "2"]), np.array([b"1"]), np.array([1, None], object), np.array("a"),
        np.array(["2020-01-01"], "datetime64[D]"), np.str_("1"), [np.str_("1")],
    ],
    ids=repr,
)  # fmt: skip
def test_numpy_makes_no_numbers_of_what_is_none(data, dtype):
    for make in (torch.tensor, torch.as_tensor, torch.asarray, torch.ones(1).new_tensor):
        with pytest.raises((TypeError, ValueError)):
            make(data, dtype=dtype)


TYPED = {
    torch.FloatTensor: torch.float32, torch.DoubleTensor: torch.float64,
    torch.LongTensor: torch.int64, torch.BoolTensor: torch.bool,
}  # fmt: skip


@pytest.mark.parametrize("dtype", TYPED.values(), ids=str)
def test_a_legacy_constructor_of_a_tensor_is_a_view_of_it(dtype):
    x = torch.zeros(2, dtype=dtype)
    y = torch.Tensor(x)
    assert y.dtype is dtype and y.data_ptr() == x.data_ptr()
    for make, its in TYPED.items():
        if its is dtype:
            assert make(x).data_ptr() == x.data_ptr() == x.new(x).data_ptr()
        else:
            with pytest.raises(TypeError, match="expected torch"):
                make(x)
            with pytest.raises(TypeError, match="expected torch"):
                torch.ones(1, dtype=its).new(x)


@pytest.mark.parametrize("make", [torch.Tensor, torch.FloatTensor, torch.ones(1).new])
def test_gradient_goes_through_a_legacy_constructor(make):
    x = torch.ones(2, requires_grad=True)
    make(x * 3).sum().backward()
    assert x.grad.tolist() == [3, 3]
    for wrong in (-1, None):
        with pytest.raises(TypeError if wrong is None else RuntimeError):
            make(wrong)


SIZED = {
    "zeros": torch.zeros, "rand": torch.rand, "full": lambda *s: torch.full(s, 1.0),
    "new_zeros": torch.ones(1).new_zeros, "reshape": torch.ones(2).reshape,
    "expand": torch.ones(1).expand, "repeat": torch.ones(1).repeat,
    "permute": torch.ones(2, 2).permute,
}  # fmt: skip


@pytest.mark.parametrize("f", SIZED.values(), ids=SIZED)
def test_a_bool_is_no_first_size(f):
    with pytest.raises(TypeError):
        f(True, 0)
    with pytest.raises(TypeError):
        f((True, 0))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
@pytest.mark.parametrize("n", [3, 300])
def test_chances_are_checked_before_a_number_is_drawn(dtype, wrong, n):
    chances = torch.full((n, 2), 0.5, dtype=dtype)
    assert set(chances.t().bernoulli().unique().tolist()) <= {0, 1}  # also of turned ones
    chances[-1, 1] = wrong
    before = torch.get_rng_state()
    for draw in (torch.bernoulli, lambda p: torch.empty(n, 2, dtype=dtype).bernoulli_(p)):
        with pytest.raises(RuntimeError, match="Expected p_in >= 0 && p_in <= 1"):
            draw(chances)
    assert torch.equal(torch.get_rng_state(), before)
