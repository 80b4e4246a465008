"""Random numbers go to a tensor in the order of its memory, and new tensors keep that order.

So do results, by PyTorch's rule.
"""

import math

import numpy as np
import pytest

import microtorch as torch
from microtorch.arrays.memory_order import in_memory_order, outermost_first

LAYOUTS = {
    "transposed": lambda x: x.view(4, 12).t(),
    "permuted": lambda x: x.view(2, 4, 6).permute(2, 0, 1),
    "transposed, every second": lambda x: x.view(4, 12).t()[::2],
    "every third": lambda x: x.view(4, 12)[:, ::3],
    "a size of 1": lambda x: x.view(3, 1, 16).transpose(0, 2),
    "part of a permuted one": lambda x: x.view(2, 3, 2, 4).permute(3, 1, 0, 2)[:, :2],
}
FILLS = {
    "uniform_": (-1.0, 2.0), "random_": (3, 50), "exponential_": (2.0,), "log_normal_": (),
    "cauchy_": (), "geometric_": (0.3,), "bernoulli_": (0.4,), "normal_": (1.0, 2.0),
}  # fmt: skip


def as_it_lies(x):
    """The elements of an array in the order of their addresses."""
    places = sum(np.arange(n).reshape(-1, *[1] * (x.ndim - 1 - i)) * x.strides[i]
                 for i, n in enumerate(x.shape))  # fmt: skip
    return x.ravel()[np.argsort(places.ravel())]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("fill", FILLS)
def test_a_fill_goes_through_memory(fill, layout):
    x = LAYOUTS[layout](torch.zeros(48, dtype=torch.float64))
    rows = torch.zeros(x.numel(), 2, dtype=torch.float64)[:, 0]  # normal_ has another way for rows
    for target in (x, rows):
        torch.manual_seed(3)
        getattr(target, fill)(*FILLS[fill])
    np.testing.assert_array_equal(as_it_lies(x.numpy()), rows.numpy())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_probabilities_keep_their_places(layout):
    x = LAYOUTS[layout](torch.zeros(48))
    chances = (torch.arange(x.numel()).reshape(x.shape) % 2).float()
    assert (x.bernoulli_(chances) == chances).all()
    assert (x.bernoulli_(chances[..., :1]) == chances[..., :1].expand(x.shape)).all()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "make",
    [torch.rand_like, torch.zeros_like, torch.ones_like, torch.empty_like,
     lambda x: torch.full_like(x, 3), lambda x: torch.randint_like(x, 9),
     lambda x: torch.nn.functional.dropout(x, 0.4)],
)  # fmt: skip
def test_what_is_like_a_tensor_lies_like_it(make, layout):
    x = LAYOUTS[layout](torch.ones(48))
    made = make(x)
    dense = in_memory_order(x.numpy(), np.empty)
    kept = [i for i, n in enumerate(x.shape) if n > 1]
    assert made.shape == x.shape
    assert [made.stride(i) for i in kept] == [dense.strides[i] // dense.itemsize for i in kept]


def test_rows_where_they_are_asked_for():
    x = torch.ones(4, 6).t()
    assert torch.zeros_like(x, memory_format=torch.contiguous_format).is_contiguous()
    assert not torch.zeros_like(x, memory_format=torch.preserve_format).is_contiguous()


def test_normals_like_a_tensor_in_rows_come_in_blocks():
    torch.manual_seed(0)
    blocks = torch.randn(24)
    torch.manual_seed(0)
    assert torch.randn_like(torch.ones(48)[::2]).tolist() == blocks.tolist()
    torch.manual_seed(0)
    one_by_one = torch.randn_like(torch.ones(4, 6).t()).t()
    torch.manual_seed(0)
    assert one_by_one.reshape(-1).tolist() == torch.zeros(24, 2)[:, 0].normal_().tolist()


def test_pytorch_s_numbers_for_a_transposed_tensor():
    """Recorded from PyTorch 2.13."""
    torch.manual_seed(0)
    x = torch.rand_like(torch.ones(4, 6).t())
    first = [0.4963, 0.4901, 0.0223, 0.1610, 0.7682, 0.8964]
    np.testing.assert_allclose(x.reshape(-1)[:6].numpy(), first, atol=5e-5)
    torch.manual_seed(0)
    y = torch.ones(3, 4, 2).permute(2, 0, 1).normal_()
    first = [1.541, -2.179, -1.085, 0.4033, -0.7193, -0.5966]
    np.testing.assert_allclose(y.reshape(-1)[:6].numpy(), first, atol=5e-4)


def test_expanded_dimensions_keep_their_places():
    x = np.broadcast_to(np.ones((5, 1, 1)), (5, 3, 1))
    assert outermost_first(x) == (0, 1, 2)


def numbers(*shape):
    return (torch.arange(1.0, math.prod(shape) + 1) / 8).reshape(shape)


# PyTorch 2.13's strides of results. `turned`, `other` and `last` are dense, in three orders, `part`
# has gaps, `wide` and `thin` (of float16) show elements several times
STRIDES = [
    ("turned + rows", (3, 1, 6)),
    ("rows + turned", (12, 4, 1)),
    ("turned * other", (3, 1, 6)),
    ("other * turned", (1, 8, 2)),
    ("turned + 1", (3, 1, 6)),
    ("2 - turned", (3, 1, 6)),
    ("wide + turned", (3, 1, 6)),
    ("wide * 2", (12, 4, 1)),
    ("part.exp()", (12, 4, 1)),
    ("turned + other.double()", (3, 1, 6)),
    ("turned > rows", (3, 1, 6)),
    ("rows > turned", (12, 4, 1)),
    ("torch.where(turned > 1, rows, other)", (3, 1, 6)),
    ("torch.where(rows > 1, turned, 1.0)", (12, 4, 1)),
    ("turned.masked_fill(turned > 1, 0.0)", (12, 4, 1)),
    ("torch.lerp(turned, rows, 0.5)", (3, 1, 6)),
    ("torch.addcmul(turned, rows, other)", (3, 1, 6)),
    ("torch.clamp(turned, rows, other)", (3, 1, 6)),
    ("torch.maximum(other, rows)", (1, 8, 2)),
    ("F.mse_loss(turned, rows, reduction='none')", (3, 1, 6)),
    ("F.binary_cross_entropy(turned.sigmoid(), rows.sigmoid(), reduction='none')", (3, 1, 6)),
    ("torch.complex(turned, rows)", (3, 1, 6)),
    ("F.logsigmoid(turned)", (12, 4, 1)),
    ("F.gelu(turned)", (3, 1, 6)),
    ("turned.clone()", (3, 1, 6)),
    ("wide.clone()", (12, 4, 1)),
    ("part.clone()", (12, 4, 1)),
    ("wide.double()", (12, 4, 1)),
    ("turned.half()", (3, 1, 6)),
    ("wide.half()", (12, 4, 1)),
    ("wide.index_fill(0, torch.tensor([0]), 1)", (12, 4, 1)),
    ("wide.index_put((torch.tensor([0]),), torch.ones(()))", (12, 4, 1)),
    ("thin.clone()", (12, 4, 1)),
    ("thin.float()", (12, 4, 1)),
    ("thin.int()", (12, 4, 1)),
    ("thin.bfloat16()", (12, 4, 1)),
    ("thin * 2", (12, 4, 1)),
    ("torch.empty_like(turned)", (3, 1, 6)),
    ("torch.zeros_like(wide)", (12, 4, 1)),
    ("turned.contiguous()", (12, 4, 1)),
    ("turned.sort(0)[0]", (3, 1, 6)),
    ("rows.sort(0)[1]", (12, 4, 1)),
    ("turned.argsort(-1)", (3, 1, 6)),
    ("turned.flip(0)", (3, 1, 6)),
    ("turned.sum(0)", (4, 1)),
    ("turned.prod(0)", (4, 1)),
    ("(turned > 1).any(0)", (4, 1)),
    ("turned.cumsum(1)", (12, 4, 1)),
    ("turned.nonzero()", (1, 24)),
    ("turned[[0, 1]]", (12, 1, 3)),
    ("turned[:, [0, 2, 1]]", (1, 2, 6)),
    ("turned[..., torch.tensor([[0, 1]])]", (6, 2, 2, 1)),
    ("turned[torch.tensor([1, 0]), :, torch.tensor([0, 1])]", (3, 1)),
    ("turned.index_select(1, torch.tensor([0, 2]))", (8, 4, 1)),
    ("torch.cat([turned, turned])", (12, 4, 1)),
    ("turned.softmax(-1)", (12, 4, 1)),
    ("last + image", (60, 1, 15, 3)),
    ("image + last", (60, 20, 5, 1)),
    ("last.contiguous(memory_format=torch.channels_last).relu()", (60, 1, 15, 3)),
    ("image.to(memory_format=torch.channels_last) * image", (60, 1, 15, 3)),
    ("torch.empty(2, 3, 4, 5, memory_format=torch.channels_last)", (60, 1, 15, 3)),
    ("image[:, :1].expand(2, 1, 4, 5).add(last[:, :1])", (20, 20, 5, 1)),
    ("(turned.int() & other.int())", (3, 1, 6)),
    ("turned.pow(rows)", (3, 1, 6)),
    ("turned ** 2", (3, 1, 6)),
    ("torch.tensor(2.0) ** turned", (3, 1, 6)),
    *[(text, (12, 4, 1)) for text in (
        "2 ** turned", "torch.pow(2.5, turned)", "torch.pow(1, turned)", "2 ** turned.int()",
        "torch.float_power(2, turned)", "1j ** turned",
    )],
    ("turned // rows", (3, 1, 6)),
    # of what is one op in PyTorch, and several here
    *[(text, (12, 4, 1)) for text in (
        "torch.baddbmm(turned, torch.ones(2, 3, 5), torch.ones(2, 5, 4))",
        "turned.scatter_add(0, torch.zeros(1, 3, 4).long(), turned)",
        "turned.scatter_reduce(0, torch.zeros(1, 3, 4).long(), turned, 'amax')",
        "F.rms_norm(turned, (4,))",
        "F.bilinear(turned, turned, torch.ones(4, 4, 4))",
    )],
    ("torch.addmm(turned[0], torch.ones(3, 2), torch.ones(2, 4))", (4, 1)),
    ("torch.addr(turned[0], torch.ones(3), torch.ones(4))", (1, 3)),
    ("F.pad(turned, (1, 1), mode='replicate')", (18, 6, 1)),
    ("F.channel_shuffle(turned[None], 2)", (24, 12, 4, 1)),
    ("F.grid_sample(turned[None], torch.zeros(1, 4, 3, 2).transpose(1, 2), align_corners=False)",
     (24, 12, 4, 1)),
    ("five @ torch.ones(4, 5)", (45, 45, 15, 5, 1)),
    ("F.linear(five, torch.ones(5, 4))", (45, 45, 15, 5, 1)),
    ("turned.nonzero(as_tuple=True)[0]", (1,)),
    ("turned.nanmedian(1)[1]", (4, 1)),
    # and these write to a copy, which lies as what is copied
    ("turned.put(torch.tensor([0]), torch.ones(1))", (3, 1, 6)),
    ("turned.index_put((torch.tensor([0]),), rows[:1], accumulate=True)", (3, 1, 6)),
    ("torch.polar(turned, rows)", (3, 1, 6)),
    ("turned.renorm(2, 0, 1.0)", (12, 4, 1)),
    ("F.one_hot(turned.long(), 4)", (48, 16, 4, 1)),
    ("torch.i0(turned)", (3, 1, 6)),
    ("torch.polygamma(1, other + 1)", (1, 8, 2)),
    ("torch.nextafter(turned, turned + 1)", (3, 1, 6)),
]
OPERANDS = {
    "torch": torch, "F": torch.nn.functional,
    "rows": numbers(2, 3, 4), "turned": numbers(4, 2, 3).permute(1, 2, 0),
    "five": numbers(3, 1, 2, 3, 4).transpose(0, 2),
    "other": numbers(3, 4, 2).permute(2, 0, 1), "wide": numbers(1, 3, 1).expand(2, 3, 4),
    "part": numbers(4, 3, 4)[::2], "last": numbers(2, 4, 5, 3).permute(0, 3, 1, 2),
    "image": numbers(2, 3, 4, 5), "thin": numbers(1, 3, 1).half().expand(2, 3, 4),
}  # fmt: skip


def test_results_lie_in_memory_as_pytorchs():
    found = {text: eval(text, OPERANDS).stride() for text, _ in STRIDES}
    assert found == dict(STRIDES)
    for text, steps in STRIDES:  # and hold what they hold in rows
        apart = {k: v.contiguous() if torch.is_tensor(v) else v for k, v in OPERANDS.items()}
        if "empty" not in text:
            assert torch.equal(eval(text, OPERANDS), eval(text, apart)), text
        shape = eval(text, apart).shape
        rows = torch.empty(shape).stride()
        assert eval(text, OPERANDS).is_contiguous() == (
            [s for s, n in zip(steps, shape, strict=True) if n > 1]
            == [s for s, n in zip(rows, shape, strict=True) if n > 1]
        )


def test_categories_are_drawn_in_the_order_of_memory():
    """Without replacement: noise goes to each weight, as to what is like the weights."""
    weights = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]).t()
    torch.manual_seed(0)
    noise = torch.empty(3, 2).exponential_()
    torch.manual_seed(0)
    drawn = torch.multinomial(weights, 2)
    assert drawn.tolist() == (weights / noise.t()).argsort(-1, True)[:, :2].tolist()
    assert drawn.is_contiguous()


def test_what_was_made_of_turned_operands_is_known_to_be_turned():
    x, y = torch.ones(3, 2).t(), torch.ones(2, 3)
    made = [x * 1, (x * 1).neg(), x.clone(), x.float(), x.detach(), (x + y).relu(), x.sort(0)[0]]
    made += [(x > 0).float(), x.isnan().double(), x.int()]
    made += [torch.empty_like(x), torch.zeros_like(x).mul_(2), torch.tensor(np.ones((3, 2)).T)]
    for t in made:
        assert (t + y).stride() == (t.double() > y).stride() == t.stride()
    y.t_()
    assert (y + torch.ones(3, 2)).stride() == (1, 3)


@pytest.mark.parametrize("name", ["turned", "part", "last"])
def test_the_gradient_of_a_leaf_lies_as_the_leaf_does(name):
    leaf = OPERANDS[name].detach().requires_grad_()
    steps = torch.empty(leaf.shape).stride() if name == "part" else leaf.stride()
    for other in (leaf.detach(), torch.ones(leaf.shape), torch.ones(leaf.shape[-1])):
        leaf.grad = None
        (leaf * other).sum().backward()
        assert leaf.grad.stride() == steps
        assert torch.equal(leaf.grad, other.expand(leaf.shape))


def test_dimensions_of_one_keep_their_strides():
    x = numbers(4, 3, 1).permute(1, 2, 0)
    assert x.expand(3, 1, 4).stride() == x.stride() == (1, 1, 3)
    assert x.expand(2, 3, 1, 4).stride() == (0, 1, 1, 3)
    y = torch.ones(1, 2) * 1
    y[:] = y.expand_as(y)  # the very elements
    assert y.expand(1, 2)._base is y
