"""gradcheck finds each way in which a derivative can be wrong."""

import pytest

import microtorch as torch

calls = [0]


def custom(backward, forward=lambda x: x * 2):
    class Custom(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return forward(x)

    Custom.backward = staticmethod(backward)
    return Custom.apply


def input_of(*shape):
    return torch.ones(*shape, dtype=torch.float64, requires_grad=True)


def uneven(ctx, g):
    calls[0] += 1
    return g * (2 + 1e-7 * (calls[0] % 2))


WRONG = {
    "detached": (lambda x: x.detach() * 2, "expected to be zero"),
    "through a list": (lambda x: torch.tensor(x.tolist(), dtype=torch.float64), "to be zero"),
    "a constant": (custom(lambda ctx, g: torch.full_like(g, 2.0)), "not multiplied by grad_output"),
    "two answers": (custom(uneven), "not reentrant"),
    "nothing": (custom(lambda ctx, g: None), "Jacobian mismatch"),
    "half": (custom(lambda ctx, g: g), "Jacobian mismatch"),
}


@pytest.mark.parametrize(("f", "says"), WRONG.values(), ids=WRONG)
def test_it_finds_a_wrong_derivative(f, says):
    with pytest.raises(RuntimeError, match=says):
        torch.autograd.gradcheck(f, input_of(1))
    assert not torch.autograd.gradcheck(f, input_of(1), raise_exception=False)


def test_what_it_allows():
    assert torch.autograd.gradcheck(custom(uneven), input_of(2), nondet_tol=1e-6)
    assert torch.autograd.gradcheck(lambda x: x.round(), input_of(2))
    assert torch.autograd.gradcheck(lambda x: (x.detach(), x * 2), input_of(2))
    assert torch.autograd.gradcheck(lambda x: x.long(), input_of(2))


def test_what_it_takes():
    with pytest.raises(AttributeError, match="'float' object"):
        torch.autograd.gradcheck(lambda x: 3.0, input_of(1))
    with pytest.raises(RuntimeError, match="stride 0"):
        torch.autograd.gradcheck(torch.exp, input_of(1).expand(3))


DROPPED = {
    "all of it": custom(lambda ctx, g: g.detach() * 2),
    "that of x": custom(lambda ctx, g: g * ctx.saved_tensors[0].detach() * 2, lambda x: x * x),
}


@pytest.mark.parametrize("f", DROPPED.values(), ids=DROPPED)
def test_gradgradcheck_finds_a_second_derivative_that_is_dropped(f):
    with pytest.raises(RuntimeError):
        torch.autograd.gradgradcheck(f, input_of(2))


def test_gradgradcheck_of_a_function_without_a_gradient():
    with pytest.raises(RuntimeError, match="expected to be zero"):
        torch.autograd.gradgradcheck(lambda x: x.detach(), input_of(2))
