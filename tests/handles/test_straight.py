"""In-place methods by the short way and by the general one: the same in all that can be seen."""

import itertools
import sys

import numpy as np
import pytest

import microtorch as torch
from microtorch.engine.handle import Handle
from microtorch.graph import Storage, last_write, tick
from microtorch.handles import inplace, put, twins

METHODS = {
    "add_": lambda x, y: x.add_(y), "sub_": lambda x, y: x.sub_(y), "mul_": lambda x, y: x.mul_(y),
    "div_": lambda x, y: x.div_(y), "pow_": lambda x, y: x.pow_(y),
    "-=": lambda x, y: x.__isub__(y), "add_, alpha": lambda x, y: x.add_(y, alpha=0.5),
    "sub_, alpha": lambda x, y: x.sub_(y, alpha=2),
    "div_, rounded": lambda x, y: x.div_(y, rounding_mode="floor"),
    "copy_": lambda x, y: x.copy_(y), "exp_": lambda x, y: x.exp_(),
    "relu_": lambda x, y: x.relu_(),
    "maximum": lambda x, y: x.clamp_(min=y), "clamp_": lambda x, y: x.clamp_(0.3, 0.6),
    "lerp_": lambda x, y: x.lerp_(y, 0.5), "addcmul_": lambda x, y: x.addcmul_(y, y, value=0.5),
    "cumsum_": lambda x, y: x.cumsum_(0), "tril_": lambda x, y: x.tril_(),
    "masked_fill_": lambda x, y: x.masked_fill_(y > 0.5, 2.0), "gt_": lambda x, y: x.gt_(y),
    "scatter_": lambda x, y: x.scatter_(0, torch.zeros(1, 2).long(), y),
    "index_add_": lambda x, y: x.index_add_(0, torch.tensor([0, 1]), y),
    "logical_and_": lambda x, y: x.logical_and_(y), "atan2_": lambda x, y: x.atan2_(y),
}  # fmt: skip


def numbers(shape=(2, 2), dtype=torch.float32):
    n = torch.tensor(shape).prod().item()
    return (torch.arange(n).reshape(shape) * 0.25 + 0.1).to(dtype)


def both(f, shape=(2, 2)):
    """Two tensors of which the second is made from the first."""
    return (x := numbers(shape)), f(x)


def parts(f, shape=(3, 2, 2)):
    """Two that are made from one."""
    return f(numbers(shape))


# (target, operand), made anew
OPERANDS = {
    "own": lambda: (numbers(), numbers() * 2),
    "random, which has a base": lambda: (numbers(), torch.rand(2, 2)),
    "number": lambda: (numbers(), 2.0),
    "whole number": lambda: (numbers(dtype=torch.int64), 3),
    "number of another kind": lambda: (numbers(dtype=torch.int64), 0.5),
    "row": lambda: (numbers(), numbers((2,))),
    "too large": lambda: (numbers(), numbers((2, 2, 2))),
    "of another size": lambda: (numbers(), numbers((3, 3))),
    "of another dtype": lambda: (numbers(), numbers(dtype=torch.float64)),
    "of a narrower dtype": lambda: (numbers(dtype=torch.float64), numbers()),
    "halves": lambda: (numbers(dtype=torch.float16), numbers(dtype=torch.float16)),
    "large": lambda: (numbers((100, 110)), numbers((100, 110)) * 2),
    "large, number": lambda: (numbers((100, 110)), 3.0),
    "large, row": lambda: (numbers((100, 110)), numbers((110,))),
    "large, column": lambda: (numbers((100, 110)), numbers((100, 1))),
    "large, too large": lambda: (numbers((100, 110)), numbers((2, 100, 110))),
    "large, itself": lambda: both(lambda x: x, (100, 110)),
    "large, turned": lambda: (numbers((100, 110)).T, numbers((110, 100))),
    "large, with gaps": lambda: (numbers((100, 220))[:, ::2], numbers((100, 110))),
    "large, a view": lambda: parts(lambda w: (w[1], w[2]), (3, 100, 110)),
    "large, whole": lambda: (numbers((100, 110), torch.int64), numbers((100, 110), torch.int64)),
    "large, bytes": lambda: (numbers((200, 210), torch.uint8), numbers((200, 210), torch.uint8)),
    "large, two widths": lambda: (numbers((100, 110), torch.int64), numbers((110,), torch.int32)),
    "large, whole, number": lambda: (numbers((100, 110), torch.int32), 3),
    "large halves": lambda: (numbers((200, 110), torch.half), numbers((200, 110), torch.half)),
    "large halves, number": lambda: (numbers((200, 110), torch.bfloat16), 0.3),
    "large leaf": lambda: (numbers((100, 110)).requires_grad_(), numbers((100, 110))),
    "itself": lambda: both(lambda x: x),
    "its data": lambda: both(lambda x: x.data),
    "a view of itself": lambda: both(lambda x: x[:]),
    "itself turned": lambda: both(lambda x: x.T),
    "a view": lambda: parts(lambda w: (w[1], numbers())),
    "a view and the base": lambda: parts(lambda w: (w[1], w)),
    "two parts": lambda: parts(lambda w: (w[1], w[2])),
    "parts that overlap": lambda: parts(lambda w: (w[:2].reshape(4, 2)[1:3], w[0])),
    "expanded": lambda: (numbers((1, 2)).expand(2, 2), numbers()),
    "an expanded operand": lambda: (numbers(), numbers((1, 2)).expand(2, 2)),
    "of numpy": lambda: parts(
        lambda w: (torch.from_numpy(w.numpy()[1]), torch.from_numpy(w.numpy()[1:2]))
    ),
    "a leaf": lambda: (numbers().requires_grad_(), numbers()),
    "a result": lambda: (numbers().requires_grad_() * 1, numbers()),
    "of a leaf": lambda: (numbers(), numbers().requires_grad_()),
    "a view of a leaf": lambda: (numbers((2, 2, 2)).requires_grad_()[0], numbers()),
    "None": lambda: (numbers(), None),
}


def seen(method, make, grad):
    """What a call answers and leaves behind."""
    torch.manual_seed(0)
    x, y = make()
    view = x[0]
    with torch.set_grad_enabled(grad):
        try:
            out = METHODS[method](x, y)
        except Exception as error:
            return type(error), str(error).partition("\n")[0], x.tolist(), x._version
    name = None if out.grad_fn is None else out.grad_fn.name()
    other = y.tolist() if hasattr(y, "tolist") else y
    return (
        out is x, x.tolist(), x._version, x.dtype, x.requires_grad, name, view.tolist(),
        view._version, view.requires_grad, other,
    )  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_both_ways_are_the_same(method, monkeypatch):
    cases = list(itertools.product(OPERANDS.items(), (True, False)))
    short = [seen(method, make, grad) for (_, make), grad in cases]
    for module in (inplace, put, twins):
        monkeypatch.setattr(module, "straight", lambda *arguments: False)
    for ((name, make), grad), found in zip(cases, short, strict=True):
        assert repr(found) == repr(seen(method, make, grad)), (name, grad)


def test_the_short_way_is_taken():
    x, y = numbers(), torch.rand(2, 2)
    assert inplace.straight(x, (y, 2.0)) and inplace.straight(x[0], (y[0], 1))  # a view of x
    followed = torch.ones(2, 2, requires_grad=True) * 1
    assert not inplace.straight(followed[0], (1,)) and not inplace.straight(followed, (1,))
    with torch.no_grad():
        assert inplace.straight(x[0], (y[0],)) and not inplace.straight(x[0], (x[1],))


def test_a_write_is_noticed_by_backward():
    w = torch.ones(3, requires_grad=True)
    s = torch.ones(3)
    out = (w * s).sum()
    s.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.backward()


INDICES = [0, -1, (1,), slice(0, 2), (slice(None), 1), (0, slice(1, None)), (slice(1), slice(1, 2))]


def written(index, base_needs, value_needs, times):
    """Values, versions, nodes and gradients, first and second, of writes to a part."""
    leaf = numbers((3, 4)).requires_grad_(base_needs)
    v = torch.rand_like(leaf[index]).requires_grad_(value_needs)
    t = leaf * 1 if base_needs else leaf
    for _ in range(times):
        t[index] = v
    names = []
    node = t.grad_fn
    while node is not None:
        where = node.where() and node.where().function
        names.append((node.name(), len(node.next_functions), where))
        node = next((n for n, _ in node.next_functions if n is not None), None)
    wanted = [x for x in (leaf, v) if x.requires_grad]
    first = torch.autograd.grad((t * t * t).sum(), wanted, create_graph=True)
    second = torch.autograd.grad(sum(g.sum() for g in first), wanted)
    return (
        t.tolist(), t._version, t.is_leaf, names, [g.tolist() for g in (*first, *second)],
        t[0].grad_fn.name(), v.grad,
    )  # fmt: skip


@pytest.mark.parametrize("index", INDICES)
def test_a_part_is_written_both_ways_the_same(index, monkeypatch):
    cases = [(b, v, n) for b in (True, False) for v in (True, False) for n in (1, 2) if b or v]
    torch.manual_seed(0)
    short = [written(index, *case) for case in cases]
    monkeypatch.setattr(put, "_bound", lambda *arguments: False)
    torch.manual_seed(0)
    for case, found in zip(cases, short, strict=True):
        assert found == written(index, *case), case


def put_numbers(dtype, value, index):
    """Values, versions and errors of a number, or of an element of the tensor, put in a part."""
    x = (torch.arange(12).reshape(3, 4) % 5).to(dtype)
    view, whole = x[1], x.view(-1)
    try:
        x[index] = x[1, 2] if value is None else value
        view[index] = 1
    except Exception as error:
        return type(error), str(error).partition("\n")[0], x.tolist(), x._version
    return x.tolist(), view.tolist(), whole.tolist(), x._version, view._version, x.dtype


@pytest.mark.parametrize(
    "dtype", ["uint8", "int32", "int64", "float16", "float32", "complex64", "bool"]
)
def test_numbers_are_put_both_ways_the_same(dtype, monkeypatch):
    values = (3, -1, 300, 2**40, 2.5, 1e39, True, None)
    cases = [(getattr(torch, dtype), v, i) for v in values for i in (0, -1, ..., slice(1, 3), 9)]
    short = [put_numbers(*case) for case in cases]
    monkeypatch.setattr(put, "_stored", lambda *arguments: False)
    for case, found in zip(cases, short, strict=True):
        assert repr(found) == repr(put_numbers(*case)), case


OTHER = torch.ones(3)
TARGETS = {
    "a leaf": lambda: torch.zeros(3),
    "one that needs gradient": lambda: torch.zeros(3, requires_grad=True),
    "a view": lambda: torch.zeros(2, 3)[1],
    "a view of one that needs": lambda: torch.zeros(2, 3, requires_grad=True).detach()[1],
    "a view made without": lambda: _unrecorded(torch.zeros(2, 3, requires_grad=True)),
    "a result": lambda: torch.zeros(3, requires_grad=True) * 2,
    "lent memory": lambda: torch.frombuffer(bytearray(12), dtype=torch.float32),
    "what may not be written": lambda: _fixed(torch.zeros(3)),
}


def _unrecorded(x):
    with torch.no_grad():
        return x[1]


def _fixed(x):
    x.array.flags.writeable = False
    return x


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("kind", TARGETS)
def test_a_straight_write_is_found_by_c_as_is_written(kind, grad):
    made = TARGETS[kind]()
    rest = [
        1.5, 2, True, "a", None, [1], np.ones(())[()], OTHER, made, made[:2], made.view(-1),
        torch.ones(3, requires_grad=True), Wrapped(),
    ]  # fmt: skip
    several = (), (1, OTHER), (OTHER, made), [1, OTHER]
    with torch.set_grad_enabled(grad):
        for others in [*several, *((x,) for x in rest)]:
            for whole in (False, True):
                given = made, others, whole
                assert inplace.straight(*given) is inplace.written_straight(*given), given


class Wrapped(Handle):
    """Of an array of another kind."""

    def __init__(self):
        self.array, self.origin, self.node = object(), None, OTHER.node


def test_what_no_write_goes_straight_into():
    for wrong in ((), (OTHER,), (OTHER, (), False, 1), (1, ()), (None, (OTHER,))):
        with pytest.raises((TypeError, AttributeError)):
            inplace.straight(*wrong)
    with pytest.raises(AttributeError):
        inplace.straight(Handle(), ())


def test_a_write_is_dated():
    storage, beside = Storage(), Storage()
    storage.beside = beside
    for k in range(3):
        now = tick()
        assert storage.wrote(f"op{k}") is None
        assert storage.written == last_write[0] == beside.aside == now + 1
        assert storage.version == k + 1 and storage.writer == f"op{k}" and beside.written == 0
    before = sys.getrefcount(storage), sys.getrefcount(None)
    for _ in range(100):
        storage.wrote("op")
    assert sys.getrefcount(storage) == before[0] and abs(sys.getrefcount(None) - before[1]) < 50
    with pytest.raises(TypeError):
        Storage.wrote(OTHER, "op")
    with pytest.raises(TypeError):
        storage.wrote()
