"""A node is filled in few places, each known: what all others do is call ``record`` or ``fill``."""

import ast
import gc
import operator
import random
import sys
import weakref
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import microtorch as torch
from microtorch.backends import definitions
from microtorch.backends.core import library
from microtorch.backends.table import shared
from microtorch.engine import record, short, views
from microtorch.engine.handle import Handle
from microtorch.engine.registry import REGISTRY
from microtorch.graph import tick

PACKAGE = Path(torch.__file__).parent

# who stores a node's creation time: the general text, and the hot paths that write it out
PLACES = {
    ("engine/record.py", "constant_node"),
    ("engine/record.py", "written"),
    ("engine/record.py", "_filled"),
    ("engine/leaf.py", "leaf"),
    ("handles/scalar.py", "_fill"),
    ("handles/scalar_text.py", "METHOD"),
    # not made there, but dated anew after a write in place
    ("handles/views.py", "adopt"),
    ("handles/views.py", "_adopt"),
    ("handles/views.py", "write_region"),
    ("handles/metadata.py", "method"),
    ("reading/failure.py", "trace_of"),  # of viz: the op that failed, drawn as if it had a node
}


def stores(tree):
    """Names of functions, and of texts of functions, that store an attribute ``seq``."""

    def visit(node, name):
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            name = getattr(node, "name", name)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            text = node.value.value
            if isinstance(text, str) and ".seq = " in text:
                yield node.targets[0].id
        if isinstance(node, ast.Attribute) and node.attr == "seq":
            if isinstance(node.ctx, ast.Store):
                yield name
        for child in ast.iter_child_nodes(node):
            yield from visit(child, name)

    return set(visit(tree, ""))


def test_nodes_are_filled_only_where_it_is_known():
    folders = [PACKAGE, PACKAGE.parent / "viz"]
    found = set()
    for folder in folders:
        for path in folder.rglob("*.py"):
            for name in stores(ast.parse(path.read_text(encoding="utf-8"))):
                found.add((path.relative_to(folder).as_posix(), name))
    assert found == PLACES


def test_functions_of_the_engine_are_short():
    """A function of the engine fits a screen: its signature and docstring not counted."""
    for path in (PACKAGE / "engine").glob("*.py"):
        if path.name in ("hot.py", "short.py"):  # texts that are written out on purpose
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
                assert lines <= 46, (path.name, node.name, lines)


def test_constants_are_made_by_c_as_they_are_written():
    array, dev = np.ones((2, 3), np.float32), torch.ones(1).node.dev
    slots = ("value", "dev", "grad", "hooks", "storage", "needs", "inputs", "saved", "attrs",
             "code", "scope", "lasti")  # fmt: skip
    before = sys.getrefcount(array), sys.getrefcount(None)
    written, made = record.written(array, dev), record.constant_of(array, dev)
    for t in (written, made):
        assert type(t) is torch.Tensor and type(t.node) is record.Constant
        assert t.array is array and t.origin is None and vars(t) == {}
    assert all(getattr(written.node, s) is getattr(made.node, s) for s in slots)
    assert made.node.seq == written.node.seq + 1 == tick() - 1
    made.name, alive = "a", weakref.ref(made.node)
    assert gc.is_tracked(made) and vars(made) == {"name": "a"}
    del t, written, made
    assert alive() is None and sys.getrefcount(array) == before[0]
    for _ in range(100):
        record.constant_of(array, dev)
    assert sys.getrefcount(array) == before[0] and abs(sys.getrefcount(None) - before[1]) < 50
    for wrong in ((), (array,), (array, dev, None)):
        with pytest.raises(TypeError):
            record.constant_of(*wrong)


NODE = ("value", "dev", "grad", "hooks", "storage", "needs", "inputs", "saved", "attrs", "code",
        "scope", "lasti")  # fmt: skip


def test_recorded_nodes_are_made_by_c_as_they_are_written():
    x = torch.ones(2, 3, requires_grad=True)
    a, array, code = x.node, np.ones((2, 3), np.float32), compile("1", "a", "eval")
    for op, attrs in ((REGISTRY["exp"], None), (REGISTRY["reshape"], {"shape": (6,)})):
        given = (op.node, (a,), (array,), array, a.dev, attrs, None, code, 7)
        written, made = record.written_recorded(*given), record.recorded_of(*given)
        for t in (written, made):
            assert type(t) is torch.Tensor and type(t.node) is op.node
            assert t.array is array and t.origin is None and vars(t) == {}
        assert all(getattr(written.node, s) is getattr(made.node, s) for s in NODE)
        assert made.node.seq == written.node.seq + 1 == tick() - 1
        assert gc.is_tracked(made.node)
        before = [sys.getrefcount(v) for v in (*given[:5], code)]
        for _ in range(100):
            record.recorded_of(*given)
        assert [sys.getrefcount(v) for v in (*given[:5], code)] == before
    for wrong in ((), given[:8], (*given, None), (int, *given[1:]), (a, *given[1:])):
        with pytest.raises((TypeError, AttributeError)):
            record.recorded_of(*wrong)


def linked(link, parent, array, attrs):
    t = record.constant_of(array, parent.node.dev)
    given = parent, REGISTRY["reshape"], attrs
    assert link(t, *given) is t
    return t, parent.node.storage


@pytest.mark.parametrize("link", [views.written_link, views.link_view])
def test_views_are_linked_by_c_as_is_written(link):
    base, attrs = torch.arange(6.0), {"shape": (3, 2)}
    copy, storage = linked(link, base, base.array.copy(), attrs)
    assert copy.origin is None and copy.node.storage is storage is None
    t, storage = linked(link, base, base.array.reshape(3, 2), attrs)
    chain = ((REGISTRY["reshape"], attrs),)
    assert t.origin == (base, chain) and t.node.storage is storage and not storage.turned
    assert [v() for v in storage.views] == [t]
    turned, _ = linked(link, t, t.array.T, attrs)  # a view of a view has the base of all
    assert turned.origin == (base, chain * 2) and storage.turned
    with torch.no_grad():
        marked, _ = linked(link, base, base.array[1:], attrs)
    mark = (views.unfollowing[0], views.UNRECORDED)
    assert marked.origin == (base, (*chain, mark)) and marked.origin[1][1][1] is views.UNRECORDED
    same, _ = linked(link, base, base.array, attrs)
    assert same.origin == (base, chain)
    for _ in range(100):  # the dead are forgotten
        linked(link, base, base.array[1:], attrs)
    assert len(storage.views) < 32
    piece = base.split(3)[1]  # whose chain is written out when asked for
    of_piece, _ = linked(link, piece, piece.array[1:], attrs)
    assert of_piece.origin[0] is base and of_piece.origin[1][-1] == chain[0]


def test_what_is_no_view_is_for_the_text():
    x = torch.ones(3)
    few = (), (x, x, None), (x, x, None, {}, 1)
    for wrong in (*few, (1, x, None, {}), (x, np.ones(3), None, {})):
        with pytest.raises((TypeError, AttributeError)):
            views.link_view(*wrong)
    broken = torch.ones(3)
    broken.node, broken.array = 5, x.array[1:]
    with pytest.raises(AttributeError):
        views.link_view(broken, x, REGISTRY["reshape"], {})
    with pytest.raises(AttributeError):
        views.link_view(x[1:], broken, REGISTRY["reshape"], {})


def test_operands_are_looked_at_by_c_as_is_written():
    x, y, needs = torch.ones(2, 3), torch.rand(2, 3), torch.ones(2, 3, requires_grad=True)
    stale = torch.rand(3, 2, requires_grad=True).unbind()[0]
    stale._base.detach().zero_()
    given = [
        (x, y), [x, needs], (x.T, y), (x[0], y), (x[:0], x[:0]), (x,), (), (x, x.double()),
        (x, 1.0), (1.0, x), None, "ab", (x, np.ones(2)), (torch.ones(()), torch.ones(())),
        [torch.sparse_coo_tensor([[0]], [1.0], (2,))], (y, stale), {x: 1},
    ]  # fmt: skip
    for tensors in given:
        for recorded in (True, False):
            try:
                written = short.written_operands(tensors, recorded)
            except Exception as error:
                with pytest.raises(type(error)):
                    short.operands_of(tensors, recorded)
                continue
            found = short.operands_of(tensors, recorded)
            assert (found is None) is (written is None)
            for a, b in zip(found or (), written or (), strict=True):
                assert type(a) is type(b)
                if type(a) is tuple:
                    assert len(a) == len(b) and all(map(operator.is_, a, b))
                else:
                    assert a == b
    before = [sys.getrefcount(v) for v in (x, y, x.array, y.node, None)]
    for _ in range(100):
        short.operands_of((x, y), True)
        short.operands_of((x, y.double()), True)
    after = [sys.getrefcount(v) for v in (x, y, x.array, y.node, None)]
    assert all(abs(a - b) < 50 for a, b in zip(after, before, strict=True))
    for wrong in ((), ((x, y),), ((x, y), True, 1)):
        with pytest.raises(TypeError):
            short.operands_of(*wrong)


def test_a_shape_is_made_by_c():
    for shape in ((), (0,), (2, 3), (1,) * 40, (3, 0, 2)):
        found = torch.empty(shape).shape
        assert type(found) is torch.Size and found == shape and found.numel() == np.prod(shape)
    assert torch.ones(4, 3).T.shape == (3, 4) and torch.nn.Parameter(torch.ones(2)).shape == (2,)
    assert torch.Tensor.shape.__doc__ and "shape" in dir(torch.Tensor)
    with pytest.raises(AttributeError):
        torch.ones(2).shape = (1, 2)
    with pytest.raises(TypeError):
        torch.Tensor.shape.__get__(3)
    with pytest.raises(AttributeError):
        torch.ones(2, 2).T.no_such_thing  # noqa: B018


def test_what_stands_over_a_tensors_memory_is_told_of_constants(monkeypatch):
    """As a recording is (static/recording.py)."""
    seen, slot = [], vars(Handle)["array"]
    monkeypatch.setattr(torch.Tensor, "array", property(slot.__get__, lambda t, a: seen.append(a)),
                        raising=False)
    array = np.ones(3)
    record.constant_of(array, None)
    record.recorded_of(REGISTRY["exp"].node, (), (), array, None, None, None, None, 0)
    assert [x is array for x in seen] == [True, True]


def test_slots_are_found_where_they_lie():
    class Two:
        __slots__ = ("a", "b")

    class Three(Two):
        __slots__ = ("c",)

    if library.lib is not None:
        places = [library.place_of(Three, name) for name in "abc"]
        assert len({*places}) == 3 and min(places) >= object.__basicsize__
        assert places[:2] == [library.place_of(Two, name) for name in "ab"]


def seen(make, *arguments):
    """All that can be seen of a view; of one that is refused, the error's class."""
    try:
        out = make(*arguments)
    except Exception as error:
        return type(error)
    own = arguments[0]
    shared = isinstance(own, np.ndarray) and np.may_share_memory(out, own)
    flags = out.flags.writeable, out.flags.c_contiguous, out.flags.aligned
    strides = out.strides if out.size else None
    place = out.ctypes.data if shared and out.size else None
    return type(out), out.dtype, out.shape, strides, flags, shared, place, out.tolist()


@pytest.mark.parametrize("name", ["reshape", "unsqueeze", "expand", "slice", "select"])
def test_arrays_of_views_are_made_by_c_as_is_written(name):
    """Of arrays that lie in all ways, with dimensions of one element, none, and wrong requests."""
    draw, attribute = random.Random(0), "index" if name in ("slice", "select") else "shape"
    written, made = definitions[name], shared[name]
    parts = (0, 1, -1, -2, 9, None, None, ..., slice(None), slice(1, None), slice(0, 1),
             slice(None, None, 2), slice(5, 3), True, 1.5)  # fmt: skip
    for _ in range(1500):
        shape = tuple(draw.choice((1, 2, 3, 1, 4, 0)) for _ in range(draw.randrange(5)))
        x = np.arange(np.prod(shape, dtype=int), dtype=draw.choice("fdib")).reshape(shape)
        if shape:
            ways = x, x.T, x[..., ::2], x[:, None][:1], x[None][:, :1]
            x = draw.choice((*ways, np.broadcast_to(x, (2, *shape))))
        x.flags.writeable = x.flags.writeable and draw.random() < 0.9
        if name in ("slice", "select"):
            given = tuple(draw.choice(parts) for _ in range(draw.randrange(5)))
            given = given if ... in given else (*given, ...)
        elif name == "reshape":
            given = draw.sample(x.shape, x.ndim)
            given.insert(draw.randrange(x.ndim + 1), draw.choice((1, 1, -1, 2)))
            given = draw.choice((tuple(given), (x.size,), (-1,), (-1, 2), (-1, -1), x.shape))
        elif name == "unsqueeze":
            d = draw.randrange(x.ndim + 1)
            given = (*x.shape[:d], 1, *x.shape[d:])
        else:
            given = tuple(n if n != 1 or draw.random() < 0.5 else 3 for n in x.shape)
            given = draw.choice(((), (1,), (2,), (2, 1))) + given
        found, meant = seen(made, x, given), seen(partial(written, None), x, given)
        assert found == meant, (x.shape, x.strides, given)
    x, shapes = np.ones((2, 3), np.float32), {"reshape": (3, 2), "expand": (4, 2, 3)}
    good = (1, ...) if attribute == "index" else shapes.get(name, (2, 1, 3))
    before = [sys.getrefcount(v) for v in (x, x.dtype, good, None)]
    for _ in range(100):
        made(x, good)
        made(x, **{attribute: good})
    after = [sys.getrefcount(v) for v in (x, x.dtype, good, None)]
    assert all(abs(a - b) < 20 for a, b in zip(after, before, strict=True))
    for wrong in ((), (x,), (x, good, 1)):
        with pytest.raises(TypeError):
            made(*wrong)
