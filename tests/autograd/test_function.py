"""torch.autograd.Function: ops of the user's own behave as PyTorch's do."""
import gc
import weakref

import pytest

import microtorch as torch
from microtorch.autograd import Function, grad, gradcheck, gradgradcheck
from microtorch.autograd.function import once_differentiable


class Power(Function):
    """x ** n: a saved input, an argument that is no tensor."""

    @staticmethod
    def forward(ctx, x, n):
        ctx.save_for_backward(x)
        ctx.n = n
        return x**n

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * ctx.n * x ** (ctx.n - 1), None


class Exp(Function):
    """A saved output."""

    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return g * y


class Both(Function):
    """Two outputs, in the newer form with setup_context."""

    @staticmethod
    def forward(x, y):
        return x + y, x * y

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, g_sum, g_product):
        x, y = ctx.saved_tensors
        return g_sum + g_product * y, g_sum + g_product * x


def doubles(*values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("f", [lambda x: Power.apply(x, 3), Exp.apply,
                               lambda x: sum(Both.apply(x, x * 2))],
                         ids=["saved input", "saved output", "two outputs"])
def test_derivatives_of_any_order(f):
    assert gradcheck(f, doubles(0.5, 1.5)) and gradgradcheck(f, doubles(0.5, 1.5))


def test_what_is_saved_has_a_name_of_old():
    class Old(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            with pytest.warns(DeprecationWarning, match="use 'saved_tensors'"):
                return 2 * ctx.saved_variables[0] * g

    x = torch.tensor(3.0, requires_grad=True)
    Old.apply(x).backward()
    assert x.grad == 6


def test_the_node():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = Power.apply(x, 3)
    assert y.grad_fn.name() == "PowerBackward" and repr(y).endswith("grad_fn=<PowerBackward>)")
    assert y.grad_fn.next_functions[0][0].variable is x and len(y.grad_fn.next_functions) == 1
    assert y.grad_fn.saved_tensors[0].tolist() == [1, 2]
    y.sum().backward()
    with pytest.raises(RuntimeError, match="after they have already been freed"):
        y.grad_fn.saved_tensors  # noqa: B018


def test_several_outputs_share_a_node():
    x = torch.tensor([3.0, 1.0], requires_grad=True)
    a, b = Both.apply(x, torch.ones(2))
    assert a.grad_fn is b.grad_fn and (a.output_nr, b.output_nr) == (0, 1)
    assert (a * b).grad_fn.next_functions == ((a.grad_fn, 0), (a.grad_fn, 1))
    b.sum().backward()
    assert x.grad.tolist() == [1, 1]


def test_outputs_without_gradient_bring_zeros_or_none():
    seen = []

    class Pair(Function):
        @staticmethod
        def forward(ctx, x, materialize):
            ctx.set_materialize_grads(materialize)
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, g, h):
            seen.append(h if h is None else h.tolist())
            return g * 2, None

    x = torch.ones(2, requires_grad=True)
    for materialize in (True, False):
        Pair.apply(x, materialize)[0].sum().backward()
    assert seen == [[0, 0], None]


def test_needs_input_grad():
    class Add(Function):
        @staticmethod
        def forward(ctx, x, y, word):
            ctx.at_forward = ctx.needs_input_grad
            return x + y

        @staticmethod
        def backward(ctx, g):
            assert ctx.needs_input_grad == ctx.at_forward == (True, False, False)
            return g, None, None

    x = torch.ones(2, requires_grad=True)
    Add.apply(x, torch.ones(2), "word").sum().backward()
    assert x.grad.tolist() == [1, 1]


def test_forward_and_backward_are_recorded_only_for_create_graph():
    modes = []

    class Double(Function):
        @staticmethod
        def forward(ctx, x):
            modes.append(torch.is_grad_enabled())
            return x * 2

        @staticmethod
        def backward(ctx, g):
            modes.append(torch.is_grad_enabled())
            return g * 2

    x = torch.ones(2, requires_grad=True)
    Double.apply(x).sum().backward()
    Double.apply(x).sum().backward(create_graph=True)
    assert modes == [False, False, False, True]


def test_no_gradient_wanted():
    x = torch.ones(2, requires_grad=True)
    with torch.no_grad():
        assert not Power.apply(x, 2).requires_grad
    assert not Power.apply(torch.ones(2), 2).requires_grad


def test_non_differentiable_outputs_and_outputs_that_are_no_tensors():
    class Sorted(Function):
        @staticmethod
        def forward(ctx, x):
            order = x.argsort()
            ctx.mark_non_differentiable(order)
            ctx.save_for_backward(order)
            return x[order], order, "note"

        @staticmethod
        def backward(ctx, g, *rest):
            (order,) = ctx.saved_tensors
            return torch.zeros_like(g).index_put((order,), g)

    x = torch.tensor([3.0, 1.0, 2.0], requires_grad=True)
    y, order, note = Sorted.apply(x)
    assert (y.requires_grad, order.requires_grad, note) == (True, False, "note")
    (y * torch.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert x.grad.tolist() == [100, 1, 10]


def test_a_saved_output_without_gradient_stays_without():
    seen = []

    class Sorted(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            values, places = x.sort()
            total = values.sum()
            ctx.mark_non_differentiable(total)
            ctx.save_for_backward(places, total, values)
            return values, places, total

        @staticmethod
        def backward(ctx, g, *_):
            places, total, values = ctx.saved_tensors
            seen.extend((places.requires_grad, total.requires_grad, values.requires_grad))
            with torch.enable_grad():
                places = places.unsqueeze(0).squeeze(0)  # a view of whole numbers
            return torch.zeros_like(g).scatter(0, places, g)

    x = torch.tensor([3.0, 1.0, 2.0], requires_grad=True)
    (Sorted.apply(x)[0] * torch.arange(3.0)).sum().backward()
    assert x.grad.tolist() == [2, 0, 1] and seen == [False, False, True]


def test_an_input_returned_as_it_is():
    class Reverse(Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, g):
            return -g

    x = torch.ones(2, requires_grad=True)
    y = Reverse.apply(x)
    assert y is not x and y.grad_fn.name() == "ReverseBackward"
    y.sum().backward()
    assert x.grad.tolist() == [-1, -1]


def test_an_input_returned_as_it_is_is_saved_as_the_input():
    class Scaled(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x

        @staticmethod
        def backward(ctx, g):
            x, = ctx.saved_tensors
            return g * x * x

    class Apart(Scaled):
        @staticmethod
        def forward(x):
            return x

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)

    x = torch.tensor([1.0, 3.0], requires_grad=True)
    g, = torch.autograd.grad(Scaled.apply(x * 1).sum(), x, create_graph=True)
    assert torch.autograd.grad(g.sum(), x)[0].tolist() == [2, 6]  # not g * x * x once more
    with pytest.raises(RuntimeError, match="returned as-is as output is being saved"):
        Apart.apply(x)


def test_a_hook_on_one_of_several_outputs_sees_what_comes_by_the_saved_output():
    class Square(Function):
        @staticmethod
        def forward(ctx, x):
            y = x * x
            ctx.save_for_backward(x, y)
            return y, y + 1

        @staticmethod
        def backward(ctx, g, h):
            x, y = ctx.saved_tensors
            return (g + h) * 2 * y / x

    x, seen = torch.tensor(3.0, dtype=torch.float64, requires_grad=True), []
    y, _ = Square.apply(x)
    y.register_hook(lambda g: seen.append(g.item()) or g * 10)
    g, = torch.autograd.grad(y * y, x, create_graph=True)
    g.backward()  # g is 10 * 2 y * 2 y / x: its derivative by y, 80 y / x, goes through the hook
    assert seen == [18, 240] and x.grad.item() == pytest.approx(240 * 10 * 6 - 10 * 4 * 81 / 9)


def test_once_differentiable_raises_instead_of_dropping_terms():
    class Square(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @once_differentiable
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * g * x

    x = torch.tensor([3.0], requires_grad=True)
    Square.apply(x).backward()
    assert x.grad.tolist() == [6]
    (g,) = grad(Square.apply(x), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        g.backward()


def test_gradients_of_broadcast_shape_are_summed():
    class Scale(Function):
        @staticmethod
        def forward(ctx, x, s):
            ctx.save_for_backward(x)
            return x * s

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return None, g * x

    s = torch.ones(1, requires_grad=True)
    Scale.apply(torch.arange(6.0).view(2, 3), s).sum().backward()
    assert s.grad.tolist() == [15]


def test_a_gradient_lies_as_backward_made_it():
    class Turned(Function):
        @staticmethod
        def forward(ctx, x):
            return x.sum()

        @staticmethod
        def backward(ctx, g):
            return torch.arange(6.0).reshape(3, 2).T

    x, turned = torch.ones(2, 3, requires_grad=True), torch.arange(6.0).reshape(3, 2).T
    assert torch.autograd.grad(Turned.apply(x), x)[0].stride() == (1, 2)
    (g,) = torch.autograd.grad(x, x, turned)
    assert g.stride() == (1, 2) and g.tolist() == turned.tolist()


def test_overwritten_values_are_noticed():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = Exp.apply(x)
    y.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()
    h = x * 2
    z = Power.apply(h, 2)
    h.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()


def test_an_output_that_shares_an_inputs_memory():
    class Flat(Function):
        @staticmethod
        def forward(ctx, x):
            return x.view(-1)

        @staticmethod
        def backward(ctx, g):
            return g.view(2, 2)

    x = torch.ones(2, 2, requires_grad=True)
    h = x * 2
    squares, y = h * h, Flat.apply(h)
    with pytest.raises(RuntimeError, match="Output 0 of Flat is a view and is being modified"):
        y.mul_(3)
    h.mul_(3)
    assert y.tolist() == [6] * 4
    assert h._version == 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        squares.sum().backward()
    with pytest.raises(RuntimeError, match="its base or another view of its base"):
        y.sum().backward()


class Identity(Function):
    @staticmethod
    def forward(ctx, x):
        return x

    @staticmethod
    def backward(ctx, g):
        return g * 2


def test_an_input_that_is_returned_shares_its_memory():
    x = torch.ones(2, requires_grad=True)
    h = x * 1
    y = Identity.apply(h)
    assert y is not h
    assert y.data_ptr() == h.data_ptr()
    y.sum().backward()
    assert x.grad.tolist() == [2, 2]
    with pytest.raises(RuntimeError, match="input was returned as-is"):
        y.mul_(2)


class Triple(Function):
    """In place: the input is overwritten, saved as the output, and returned."""

    @staticmethod
    def forward(ctx, x):
        x.mul_(3)
        ctx.mark_dirty(x)
        ctx.save_for_backward(x)
        return x

    @staticmethod
    def backward(ctx, g):
        assert ctx.saved_tensors[0].tolist()[0] == 3
        return g * 3


def test_mark_dirty():
    x = torch.ones(2, requires_grad=True)
    h = x * 1
    squares = h * h
    y = Triple.apply(h)
    assert y is h
    (y * y).sum().backward()
    assert x.grad.tolist() == [18, 18]
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        squares.sum().backward()
    with pytest.raises(RuntimeError, match="leaf Variable"):
        Triple.apply(x)


def test_mark_dirty_on_a_view_reaches_its_base():
    x = torch.ones(4, requires_grad=True)
    h = x * 1
    middle = h[1:3]
    Triple.apply(middle)
    h.sum().backward()
    assert x.grad.tolist() == [1, 3, 3, 1]
    assert h.tolist() == [1, 3, 3, 1]


def test_mark_dirty_needs_the_input_to_be_returned():
    class Lost(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x * 1

    with pytest.raises(RuntimeError, match="must all be outputs of the Function"):
        Lost.apply(torch.ones(1, requires_grad=True) * 1)


def returning(*gradients):
    class Wrong(Function):
        @staticmethod
        def forward(ctx, x, y):
            return x * y

        @staticmethod
        def backward(ctx, g):
            return gradients if len(gradients) > 1 else gradients[0]

    return Wrong


@pytest.mark.parametrize(
    ("gradients", "text"),
    [
        ((torch.ones(2),), r"incorrect number of gradients \(expected 2, got 1\)"),
        (
            (torch.ones(3), None),
            r"invalid gradient at index 0 - got \[3\] but expected shape compatible with \[2\]",
        ),
        ((3, None), r"expected Variable or None \(got int\)"),
    ],
)
def test_wrong_gradients(gradients, text):
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match=text):
        returning(*gradients).apply(x, x).sum().backward()


def test_misuse():
    with pytest.raises(RuntimeError, match="static"):
        Exp()
    with pytest.raises(NotImplementedError, match="forward"):
        type("Empty", (Function,), {}).apply(torch.ones(1))
    only = type("Only", (Function,), {"forward": staticmethod(lambda ctx, x: x * 2)})
    with pytest.raises(NotImplementedError, match="backward"):
        only.apply(torch.ones(1, requires_grad=True)).backward()
    saving = type(
        "Saving",
        (Function,),
        {"forward": staticmethod(lambda ctx, x: ctx.save_for_backward(3) or x * 2)},
    )
    with pytest.raises(TypeError, match=r"can only save variables.*int"):
        saving.apply(torch.ones(1, requires_grad=True))


@pytest.mark.parametrize("f", [lambda x: Power.apply(x, 2), Exp.apply,
                               lambda x: Both.apply(x, x)[0]],
                         ids=["saved input", "saved output", "two outputs"])
def test_no_reference_cycles(f):
    gc.disable()
    try:
        x = torch.ones(2, requires_grad=True)
        y = f(x)
        node = weakref.ref(y.grad_fn)
        y.sum().backward()
        del y
        assert node() is None
        z = f(f(x))  # never went through backward
        node = weakref.ref(z.grad_fn)
        del z
        assert node() is None
    finally:
        gc.enable()


def test_deep_chain_of_custom_functions():
    x = torch.ones(1, requires_grad=True)
    y = x
    for _ in range(3000):
        y = Power.apply(y, 1)
    y.backward()
    assert x.grad.item() == 1


def test_only_a_node_refuses_to_keep_numbers():
    class Double(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x, 2)
            return x * 2

    assert Double.apply(3) == 6 and Double.apply(torch.ones(1)).item() == 2
    with pytest.raises(TypeError, match="argument 1 is of type int"):
        Double.apply(torch.ones(1, requires_grad=True))


def test_the_copy_that_create_graph_leaves_has_pytorchs_name():
    x = torch.ones(2, requires_grad=True)
    (x * x).sum().backward(create_graph=True)
    assert type(x.grad.grad_fn).__name__ == "CopyBackwards"
    assert torch.autograd.grad(x.grad.sum(), x)[0].tolist() == [2, 2]


class Parts(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.factor = 2
        return x * 2, x * 3

    @staticmethod
    def backward(ctx, g, h):
        return ctx.factor * g + 3 * h


def test_hooks_on_the_node_see_all_outputs():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    a, b = Parts.apply(x)
    seen = []
    assert a.grad_fn.factor == 2 and not hasattr(a.grad_fn, "other")
    a.grad_fn.register_prehook(lambda go: (go[0] * 10, None))
    a.grad_fn.register_hook(lambda gi, go: seen.append((gi[0].tolist(), go[0].tolist(), go[1])))
    (a + b).sum().backward(retain_graph=True)
    assert seen == [([20, 20], [10, 10], None)] and x.grad.tolist() == [20, 20]
    (a + b).sum().backward()
    (a + b).sum().backward()  # nothing was saved, so nothing is missing
    assert x.grad.tolist() == [60, 60]


def test_an_output_that_is_returned_twice_is_one():
    class Twice(Parts):
        @staticmethod
        def forward(ctx, x):
            ctx.factor = 2
            y = x * 2
            return y, y

    x = torch.ones(2, requires_grad=True)
    a, b = Twice.apply(x)
    assert a is b
    (a + b).sum().backward()  # all of it is the gradient of the last
    assert x.grad.tolist() == [6, 6]


def test_vjp_is_another_name_of_backward():
    class Thrice(Function):
        @staticmethod
        def forward(ctx, x):
            return 3 * x

        @staticmethod
        def vjp(ctx, g):
            return 3 * g

    class Both(Thrice):
        @staticmethod
        def backward(ctx, g):
            return 3 * g

    class Neither(Function):
        forward = Thrice.forward

    x = torch.ones(1, dtype=torch.float64, requires_grad=True)
    assert gradcheck(Thrice.apply, x)
    for kind in (Both, Neither):
        with pytest.raises(RuntimeError, match="vjp"):
            kind.apply(x).backward()
