"""``torch.expand_copy`` and its like: the view's values and gradient, in memory of their own."""
import pytest

import microtorch as torch
from microtorch.ops.view_copies import FUNCTIONS_OF_VIEWS, METHODS_OF_VIEWS

x = torch.arange(6.0).reshape(2, 3)
ARGUMENTS = {
    "as_strided": ((3, 2), (1, 3)), "diagonal": (1,), "expand": ((4, 2, 3),), "permute": ((1, 0),),
    "select": (1, 2), "split": (2, 1), "split_with_sizes": ((1, 2), 1), "transpose": (0, 1),
    "unfold": (1, 2, 1), "unsqueeze": (0,), "view": ((3, 2),),
}  # fmt: skip


@pytest.mark.parametrize(
    "name", [n for n in (*FUNCTIONS_OF_VIEWS, *METHODS_OF_VIEWS) if not n.startswith("view_as")]
)
def test_what_a_view_shows_is_copied(name):
    leaf = x.clone().requires_grad_(name != "detach")
    args = ARGUMENTS.get(name, ())
    seen, copied = getattr(leaf, name)(*args), getattr(torch, f"{name}_copy")(leaf, *args)
    assert isinstance(copied, tuple) == isinstance(seen, (tuple, list))
    seen, copied = (v if isinstance(v, (tuple, list)) else (v,) for v in (seen, copied))
    gradients = []
    for parts in (seen, copied):
        if name != "detach":
            total = sum((part * part).sum() for part in parts)
            gradients += torch.autograd.grad(total, leaf)
    for a, b in zip(seen, copied, strict=True):
        assert torch.equal(a, b) and b.is_contiguous() and b._base is None
        with torch.no_grad():
            b.zero_()
    assert torch.equal(leaf, x)
    assert not gradients or torch.equal(*gradients)


def test_views_that_are_functions_and_slices():
    z = torch.tensor([1 + 2j, 3 - 1j])
    for name, argument in (("view_as_complex", torch.view_as_real(z)), ("view_as_real", z)):
        copied = getattr(torch, f"{name}_copy")(argument)
        assert torch.equal(copied, getattr(torch, name)(argument))
        assert copied.data_ptr() != argument.data_ptr()
    assert torch.equal(torch.slice_copy(x, 1, 0, 3, 2), x[:, ::2])
    assert torch.equal(torch.slice_copy(x, -2, end=1), x[:1])
    assert torch.equal(torch.alias_copy(x), x)
    assert torch.alias_copy(x).data_ptr() != x.data_ptr()


def test_errors_and_out_are_the_views():
    with pytest.raises(RuntimeError, match="invalid for input of size 6"):
        torch.view_copy(x, (4, 2))
    out = torch.empty(3, 2)
    assert torch.t_copy(x, out=out) is out and torch.equal(out, x.t())


@pytest.mark.parametrize(
    ("name", "sizes"),
    [("expand", (2, 3)), ("view", (3, 2)), ("permute", (1, 0)), ("squeeze", (0, 1))],
)
def test_functions_take_sizes_in_a_list(name, sizes):
    copying = getattr(torch, f"{name}_copy")
    assert copying(x, sizes).shape == getattr(x, name)(*sizes).shape
    with pytest.raises(TypeError):
        copying(x, *sizes)
