"""Hooks of tensors, nodes and leaves, gradients that are retained, and who listens."""

import pytest

import microtorch as torch
from microtorch.autograd import grad


def leaf(*values, dtype=None):
    return torch.tensor(values, requires_grad=True, dtype=dtype or torch.float32)


def test_backward_inside_a_hook():
    x, other = leaf(1.0), leaf(5.0)
    y = x * 2

    def hook(g):
        assert not torch.is_grad_enabled()  # as in PyTorch, unless create_graph
        with torch.enable_grad():
            (other * g.item()).backward()

    y.register_hook(hook)
    y.backward()
    assert x.grad.tolist() == [2] and other.grad.tolist() == [1]


def test_order_of_hooks():
    log = []
    x = leaf(1.0, 2.0)
    y = x * 2
    x.register_hook(lambda g: log.append(("x first", g.tolist())))
    x.register_hook(lambda g: g * 10)
    x.register_hook(lambda g: log.append(("x third", g.tolist())))
    y.register_hook(lambda g: log.append(("y", g.tolist())))
    y.grad_fn.register_prehook(lambda out: log.append(("pre", out[0].tolist())))
    y.grad_fn.register_hook(
        lambda into, out: log.append(("post", len(into), into[0].tolist(), out[0].tolist()))
    )
    x.register_post_accumulate_grad_hook(
        lambda t: log.append(("accumulated", t is x, t.grad.tolist()))
    )
    (y * y).sum().backward()
    assert log == [
        ("y", [4, 8]),
        ("pre", [4, 8]),
        ("post", 2, [8, 16], [4, 8]),
        ("x first", [8, 16]),
        ("x third", [80, 160]),
        ("accumulated", True, [80, 160]),
    ]


def test_hooks_replace_gradients():
    x = leaf(1.0, 2.0)
    y = x * 2
    y.grad_fn.register_prehook(lambda out: (out[0] * 7,))
    y.grad_fn.register_hook(lambda into, out: tuple(None if g is None else g + 1 for g in into))
    (y * y).sum().backward()
    assert x.grad.tolist() == [57, 113]


def test_removed_hooks_stay_silent():
    x = leaf(1.0)
    handle = x.register_hook(lambda g: g * 2)
    handle.remove()
    handle.remove()
    with x.register_hook(lambda g: g * 5):
        (x * 3).backward()
    (x * 3).backward()
    assert x.grad.tolist() == [18]


def test_a_hook_sees_the_complete_gradient_once():
    x = leaf(1.0)
    y = x * 2
    seen = []
    y.register_hook(lambda g: seen.append(g.item()))
    (y * 3 + y * 4).backward()
    assert seen == [7]


@pytest.mark.parametrize(
    ("returned", "kind", "text"),
    [
        (torch.ones(3), RuntimeError, "changed the size of value"),
        (3, TypeError, "expected Variable, but hook returned 'int'"),
    ],
)
def test_what_a_hook_returns_is_checked(returned, kind, text):
    x = leaf(1.0, 2.0)
    x.register_hook(lambda g: returned)
    with pytest.raises(kind, match=text):
        (x * 3).sum().backward()


def test_a_node_hook_returns_one_gradient_per_input():
    x = leaf(1.0, 2.0)
    y = x * 2
    y.grad_fn.register_hook(lambda into, out: (into[0],))
    with pytest.raises(RuntimeError, match="got 1, but expected 2"):
        y.sum().backward()


def test_hooks_where_there_is_no_gradient():
    with pytest.raises(RuntimeError, match="doesn't require gradient"):
        torch.ones(2).register_hook(print)
    with pytest.raises(RuntimeError, match="non-leaf"):
        (leaf(1.0) * 2).register_post_accumulate_grad_hook(print)


def test_hooks_run_under_create_graph_and_in_grad():
    x = leaf(1.0, 2.0)
    y = x * 2
    y.register_hook(lambda g: g * 3)
    (g,) = grad((y**2).sum(), x, create_graph=True)
    assert g.tolist() == [24, 48]
    g.sum().backward()
    assert x.grad.tolist() == [72, 72]


def test_retain_grad():
    x = leaf(1.0, 2.0)
    y = x * 2
    y.register_hook(lambda g: g * 5)
    y.retain_grad()
    (y * y).sum().backward(retain_graph=True)
    assert y.grad.tolist() == [20, 40] and y.retains_grad and not x.retains_grad
    (y * y).sum().backward()
    assert y.grad.tolist() == [40, 80]
    with pytest.raises(RuntimeError, match="retain_grad"):
        torch.ones(2).retain_grad()


def test_who_listens_hears_of_every_backward():
    from microtorch.engine.listening import listen

    x, heard = torch.tensor(2.0, requires_grad=True), []
    removable = listen(heard.append)
    y, z = x * 2, x * 3
    y.backward()
    torch.autograd.backward([x * 4, z], inputs=[x])
    torch.autograd.grad(x * 5, x)  # tells nobody
    removable.remove()
    (x * 6).backward()
    assert len(heard) == 2 and heard[0][0] is y and heard[1][1] is z


@pytest.mark.parametrize("returned", [lambda g: g[0], lambda g: [g[0]], lambda g: 3.0])
def test_hooks_on_nodes_return_tuples(returned):
    x = torch.ones(2, requires_grad=True)
    for register in ("register_hook", "register_prehook"):
        y = x * 2
        getattr(y.grad_fn, register)(lambda *g: returned(g[-1]))
        with pytest.raises(TypeError, match="expected tuple"):
            y.sum().backward()


def test_hooks_on_a_node_are_not_those_of_its_tensor():
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    y.grad_fn.register_prehook(lambda go: (go[0] * 3,))
    y.retain_grad()
    (g,) = torch.autograd.grad(y.sum(), y, retain_graph=True)
    assert g.tolist() == [1, 1]
    y.sum().backward()
    assert x.grad.tolist() == [6, 6] and y.grad.tolist() == [2, 2]  # of both
    z = x * 2
    z.grad_fn.register_prehook(lambda go: (None,))  # takes the gradient away
    x.grad = None
    z.sum().backward()
    assert x.grad is None


def test_hooks_on_the_node_of_a_leaf():
    x, seen = torch.ones(2, requires_grad=True), []
    y = x * 2
    leaf = y.grad_fn.next_functions[0][0]
    leaf.register_prehook(lambda go: (go[0] * 5,))
    leaf.register_hook(lambda gi, go: seen.append((gi, go[0].tolist())))
    y.sum().backward()
    assert x.grad.tolist() == [10, 10] and seen == [((), [10, 10])]


def test_inputs_of_backward_retain_their_gradient():
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    y.sum().backward(inputs=[y], retain_graph=True)
    assert y.retains_grad and x.grad is None
    y.sum().backward(inputs=[y, x], retain_graph=True)
    assert y.grad.tolist() == [2, 2] and x.grad.tolist() == [2, 2]
    with pytest.raises(RuntimeError, match="cannot be empty"):
        torch.autograd.grad(y.sum(), [])


def test_hooks_after_accumulation_return_nothing():
    x = leaf(1.0)
    x.register_post_accumulate_grad_hook(lambda t: t.grad * 2)
    with pytest.raises(RuntimeError, match="should return None"):
        x.sum().backward()
