"""``torch._foreach_*``: a function does to a list what the one without does to each tensor."""

import math

import pytest

import microtorch as torch
from microtorch.facade import foreach


def lists():
    return [torch.tensor([0.5, 0.25]), torch.tensor([[0.75], [0.125], [0.9]])]


def same(ours, theirs):
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0, equal_nan=True)


EACH = [
    *((name, ()) for name in foreach.UNARY),
    *(
        (name, (kind,))
        for name in ("add", "sub", "mul", "div", "pow", "clamp_min", "clamp_max")
        for kind in ("number", "numbers", "lists")
    ),
    *(("lerp", ("lists", kind)) for kind in ("number", "numbers", "lists")),
    *((name, ("lists", "lists")) for name in ("addcmul", "addcdiv")),
]


def operand(kind, i=None):
    """All of an operand, or what tensor i gets of it."""
    if kind == "number":
        return 0.3
    values = [0.3, 2.0] if kind == "numbers" else [x * 0.7 for x in lists()]
    return values if i is None else values[i]


@pytest.mark.parametrize(("name", "kinds"), EACH, ids=lambda v: v if isinstance(v, str) else "")
def test_a_list_is_done_one_by_one(name, kinds):
    operands = [operand(kind) for kind in kinds]
    expected = [
        getattr(x, name)(*(operand(kind, i) for kind in kinds)) for i, x in enumerate(lists())
    ]
    made = getattr(torch, f"_foreach_{name}")(lists(), *operands)
    assert type(made) is tuple
    same(made, expected)

    written = lists()
    memory = [x.data_ptr() for x in written]
    assert getattr(torch, f"_foreach_{name}_")(written, *operands) is written
    same(written, expected)
    assert [x.data_ptr() for x in written] == memory


def test_factors_of_the_products():
    for name in ("addcmul", "addcdiv"):
        for value in (2.0, [2.0, 3.0], torch.tensor([2.0, 3.0])):
            each = [value, value] if isinstance(value, float) else list(value)
            expected = [
                getattr(x, name)(x, x, value=float(v)) for x, v in zip(lists(), each, strict=True)
            ]
            same(getattr(torch, f"_foreach_{name}")(lists(), lists(), lists(), value), expected)
        x = getattr(torch, f"_foreach_{name}_")(lists(), lists(), lists(), value=2)
        same(x, [getattr(x, name)(x, x, value=2) for x in lists()])
    with pytest.raises(RuntimeError, match="to match input of length 2 but got 1"):
        torch._foreach_addcmul(lists(), lists(), lists(), torch.tensor([1.0]))


def test_what_is_only_made_or_only_written():
    x = lists()
    same(torch._foreach_norm(x), [t.norm() for t in x])
    same(torch._foreach_norm(x, math.inf), [t.max() for t in x])
    assert torch._foreach_norm(x, dtype=torch.float64)[0].dtype == torch.float64
    same(torch._foreach_powsum(x, 3), [(t**3).sum() for t in x])
    same(torch._foreach_max(x), [t.max() for t in x])
    same(torch._foreach_mm([torch.eye(2)], [torch.ones(2, 1)]), [torch.ones(2, 1)])
    copies = torch._foreach_clone(x)
    same(torch._foreach_copy_(copies, [-t for t in x]), [-t for t in x])
    same(torch._foreach_zero_(copies), [torch.zeros_like(t) for t in x])
    same(torch._foreach_pow(2.0, x), [2.0**t for t in x])
    for name in ("_foreach_copy", "_foreach_zero", "_foreach_norm_", "_foreach_nothing"):
        assert not hasattr(torch, name)


def test_limits_take_numbers_and_tensors():
    x, other = [torch.tensor([1.0, 2.0])], [torch.tensor([1.5, 1.5])]
    same(torch._foreach_maximum(x, other), [torch.tensor([1.5, 2.0])])
    same(torch._foreach_maximum(x, 1.75), [torch.tensor([1.75, 2.0])])
    same(torch._foreach_minimum_(x, [1.25]), [torch.tensor([1.0, 1.25])])
    same(torch._foreach_maximum_(x, other), [torch.tensor([1.5, 1.5])])
    leaf = [torch.ones(2, requires_grad=True)]
    torch._foreach_maximum(leaf, [torch.ones(2)])[0].sum().backward()
    assert leaf[0].grad.tolist() == [0.5, 0.5]  # of equal ones each has half, as in maximum


def test_one_tensor_for_all_and_alpha():
    x = lists()
    same(torch._foreach_mul(x, torch.tensor(3.0)), [t * 3 for t in x])
    same(torch._foreach_add(x, x, alpha=2), [t * 3 for t in x])
    same(torch._foreach_sub_(lists(), x, alpha=2), [-t for t in x])
    same(torch._foreach_add(self=x, other=x), [t * 2 for t in x])
    same(torch._foreach_add(x, scalar=1), [t + 1 for t in x])


def test_gradients_pass_and_leaves_are_guarded():
    x = [torch.ones(2, requires_grad=True), torch.ones(1, requires_grad=True)]
    y = torch._foreach_mul(torch._foreach_exp(x), [2.0, 3.0])
    (y[0].sum() + y[1].sum()).backward()
    assert x[0].grad.tolist() == pytest.approx([2 * math.e] * 2)
    assert x[1].grad.tolist() == pytest.approx([3 * math.e])
    with pytest.raises(RuntimeError, match="leaf Variable"):
        torch._foreach_add_(x, 1)
    with torch.no_grad():
        torch._foreach_add_(x, 1)
    assert x[0].tolist() == [2.0, 2.0]


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda f, x: f._foreach_sqrt([]), RuntimeError, "at least one tensor"),
        (lambda f, x: f._foreach_sqrt(x[0]), TypeError, "must be tuple of Tensors, not Tensor"),
        (lambda f, x: f._foreach_sqrt([1, 2]), TypeError, "element 0 in argument 0, but got int"),
        (lambda f, x: f._foreach_sqrt(x, x), TypeError, "invalid combination"),
        (lambda f, x: f._foreach_add(x), TypeError, "invalid combination"),
        (lambda f, x: f._foreach_add(x, "1"), TypeError, "is of type str"),
        (lambda f, x: f._foreach_add(x, [1]), RuntimeError, "same number of elements"),
        (lambda f, x: f._foreach_add(x, x[:1]), RuntimeError, "number of tensors, got 2 and 1"),
        (lambda f, x: f._foreach_add(x, [x[0], 1.0]), TypeError, "element 1 in argument 1"),
        (lambda f, x: f._foreach_add(x, x[0]), RuntimeError, "expected to be 0 dim"),
        (lambda f, x: f._foreach_sub(x, x[0]), TypeError, "expected to be 0 dim"),
        (lambda f, x: f._foreach_add(x, 1, alpha=2), TypeError, "must be tuple of Tensors"),
        (lambda f, x: f._foreach_mul(x, x, alpha=2), TypeError, "alpha="),
        (lambda f, x: f._foreach_lerp(x, 1.0, 0.5), TypeError, "must be tuple of Tensors"),
        (
            lambda f, x: f._foreach_add_([t.long() for t in x], 1.5), RuntimeError,
            "can't be cast to the desired output type Long",
        ),
    ],
)  # fmt: skip
def test_errors(call, error, said):
    with pytest.raises(error, match=said):
        call(torch, lists())
