"""Writes in place that read what they have written before: PyTorch's order, or its refusal."""
import pytest

import microtorch as torch

WRITES = {  # of m = 1, 2 ... 6, of which r are rows of two
    "m[:2].index_add_(0, i(0, 0, 1), m[:1].expand(3))": [4, 6, 3, 4, 5, 6],
    "r[:, :1].index_add_(1, i(0, 0), r[:, :1].expand(3, 2))": [4, 2, 12, 4, 20, 6],
    "r.index_add_(0, i(0, 0, 1), m[:2].expand(3, 2), alpha=2)": [9, 18, 21, 40, 5, 6],
    "r[:, 0].index_copy_(0, i(1, 2), m[:4:2])": [1, 2, 1, 4, 1, 6],
    "r[:, 0].scatter_(0, i(1, 2), m[:4:2])": [1, 2, 1, 4, 1, 6],
    "r[:, :1].scatter_add_(0, i(1, 2, 2).view(3, 1), r[:, :1])": [1, 2, 4, 4, 18, 6],
    "r[:, :1].scatter_add_(1, 0 * i(*range(6)).view(3, 2), r[:1, :1].expand(3, 2))": [
        4, 2, 11, 4, 13, 6
    ],
    "r[:, 0].put_(i(1, 2), m[:4:2], True)": [1, 2, 4, 4, 9, 6],
    "r[:, 0].index_put_((i(1, 2),), m[:4:2])": [1, 2, 1, 4, 1, 6],
    "r[:, 0][[1, 2]] = m[:4:2]": [1, 2, 1, 4, 1, 6],
    "r[:, [1, 0]] = r[:, :1].expand(3, 2)": [1, 1, 3, 3, 5, 5],
    "m[1:4].masked_scatter_(i(1, 0, 1) > 0, m[:3])": [1, 1, 3, 1, 5, 6],
    "m[1:4].masked_scatter_(i(1, 0, 1) > 0, m[:5:2])": [1, 1, 3, 3, 5, 6],
}  # fmt: skip
TARGETS_THAT_OVERLAP = {
    "m.unfold(0, 2, 1).mul_(2)": [2, 8, 12, 16, 20, 12],
    "m.unfold(0, 2, 1).add_(torch.ones(5, 2))": [2, 4, 5, 6, 7, 7],
    "m.as_strided((3, 2), (1, 1)).index_fill_(0, i(1), 9)": [1, 9, 9, 4, 5, 6],
    "m.as_strided((3, 2), (1, 1)).masked_fill_(i(1, 0) > 0, 9)": [9, 9, 9, 4, 5, 6],
    "m.as_strided((3, 2), (1, 1)).copy_(torch.arange(10.0, 16).view(3, 2))": [
        10, 12, 14, 15, 5, 6
    ],
    "m.as_strided((3, 2), (1, 0)).fill_(7)": [7, 7, 7, 4, 5, 6],
}  # fmt: skip
GRADIENTS = {
    "r[:, 0].scatter_(0, i(1, 2), m[:4:2])": [2, 1, 1, 1, 0, 1],
    "r[:, :1].scatter_add_(0, i(1, 2, 2).view(3, 1), r[:, :1])": [2, 1, 2, 1, 2, 1],
    "r[:, :1].scatter_add_(1, 0 * i(*range(6)).view(3, 2), r[:1, :1].expand(3, 2))": [
        7, 1, 1, 1, 1, 1
    ],
    "r[:, 0].index_put_((i(1, 2),), m[:4:2])": [2, 1, 1, 1, 0, 1],
    "r[:, 0][[1, 2]] = m[:4:2]": [2, 1, 1, 1, 0, 1],
    "r[:, [1, 0]] = r[:, :1].expand(3, 2)": [2, 0, 2, 0, 2, 0],
    "m[1:4].masked_scatter_(i(1, 0, 1) > 0, m[:3])": [2, 1, 1, 0, 1, 1],
    "m[1:4].masked_scatter_(i(1, 0, 1) > 0, m[:5:2])": [2, 0, 2, 0, 1, 1],
}  # fmt: skip
REFUSED = (
    "m.as_strided((3, 2), (1, 0)).mul_(2)",
    "m.as_strided((3, 2), (0, 1)).index_copy_(0, i(1), torch.ones(1, 2))",
    "m.as_strided((3, 2), (0, 1)).scatter_(0, i(1, 0).view(1, 2), torch.ones(1, 2))",
    "m[:3].index_copy_(0, i(0), m[2:3])",
)


def _run(write, m):
    r, i = m.view(3, 2), lambda *numbers: torch.tensor(numbers)
    exec(write, {"torch": torch, "m": m, "r": r, "i": i})


@pytest.mark.parametrize("write, result", (WRITES | TARGETS_THAT_OVERLAP).items())
def test_elements_are_written_in_turn(write, result):
    m = torch.arange(1.0, 7.0)
    _run(write, m)
    assert m.tolist() == result


@pytest.mark.parametrize("write, result", WRITES.items())
def test_the_gradient_is_that_of_all_read_before(write, result):
    leaf = torch.arange(1.0, 7.0, requires_grad=True)
    m = leaf * 1
    _run(write, m)
    assert m.tolist() == result and m.requires_grad
    if write in GRADIENTS:
        m.sum().backward()
        assert leaf.grad.tolist() == GRADIENTS[write]
    else:  # these keep their source
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            m.sum().backward()


@pytest.mark.parametrize("write", REFUSED)
def test_what_pytorch_refuses_is_refused(write):
    m = torch.arange(1.0, 7.0)
    with pytest.raises(RuntimeError, match="single memory location"):
        _run(write, m)
    assert m.tolist() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("rows", [2, 20])
def test_a_tangent_is_that_of_the_operands_before(rows):
    def chained(x):
        y = x.clone()
        y[:, 1:3].mul_(y[:, :2])
        return y

    x = torch.arange(2.0, 2 + 4 * rows).reshape(rows, 4)
    tangent = torch.func.jvp(chained, (x,), (torch.ones(rows, 4),))[1]
    assert torch.equal(tangent[:, 1:3], x[:, 1:3] + x[:, :2])
    assert (tangent[:, ::3] == 1).all()
