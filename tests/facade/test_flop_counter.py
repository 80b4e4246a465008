"""torch.utils.flop_counter: the numbers are PyTorch's, unless a comment says why not."""
import pytest
from microtorch.utils.flop_counter import FlopCounterMode

import microtorch as torch
from microtorch import nn
from microtorch.nn import functional as F


def t(*shape):
    return torch.randn(shape, requires_grad=True)


COUNTS = {
    "mm": (lambda: torch.mm(t(3, 4), t(4, 5)), 120, 360),
    "addmm": (lambda: torch.addmm(t(3, 5), t(3, 4), t(4, 5)), 120, 360),
    "baddbmm": (lambda: torch.baddbmm(t(2, 3, 5), t(2, 3, 4), t(2, 4, 5)), 240, 720),
    "broadcast": (lambda: t(2, 7, 3, 4) @ t(4, 5), 1680, 5040),
    "einsum": (lambda: torch.einsum("bij,bjk->bik", t(2, 3, 4), t(2, 4, 5)), 240, 720),
    "an outer product": (lambda: torch.einsum("i,j->ij", t(3), t(4)), 0, 0),
    "linear, a vector": (lambda: F.linear(t(4), t(5, 4), t(5)), 40, 120),
    "conv1d": (lambda: F.conv1d(t(2, 4, 9), t(6, 4, 3), t(6)), 2016, 6048),
    "conv3d": (lambda: F.conv3d(t(1, 2, 4, 4, 4), t(3, 2, 2, 2, 2)), 2592, 7776),
    "transposed": (lambda: F.conv_transpose2d(t(2, 4, 5, 5), t(4, 3, 3, 3), None, 2), 10800, 32400),
    "GRU": (lambda: nn.GRU(3, 4)(t(5, 2, 3))[0], 1680, 4848),
    "attention": (lambda: nn.MultiheadAttention(8, 2)(*[t(5, 2, 8)] * 3)[0], 6720, 20160),
    # PyTorch does not count these two
    "mv": (lambda: t(3, 4) @ t(4), 24, 72),
    "LSTM": (lambda: nn.LSTM(3, 4, batch_first=True)(t(2, 5, 3))[0], 2240, 6464),
    # each derivative here is a contraction of three, too: PyTorch keeps the pair, 384
    "einsum of three": (lambda: torch.einsum("ij,jk,kl->il", t(2, 3), t(3, 4), t(4, 5)), 128, 512),
    # PyTorch counts the products of all groups for the weight
    "groups": (lambda: F.conv2d(t(4, 8, 8, 8), t(16, 4, 3, 3), None, 2, groups=2), 41472, 124416),
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts_forward_and_backward(name):
    function, forward, both = COUNTS[name]
    with FlopCounterMode(display=False) as counter:
        out = function()
        assert counter.get_total_flops() == forward
        out.sum().backward()
    assert counter.get_total_flops() == both


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2))
        self.fc = nn.Linear(16 * 3 * 3, 10)

    def forward(self, x):
        return self.fc(self.c(x).flatten(1))


def test_each_module_has_its_part_of_both(capsys):
    with FlopCounterMode(depth=2) as counter:
        Net()(torch.ones(4, 3, 8, 8)).sum().backward()
    assert capsys.readouterr().out == """\
-------------------------------------
Module                  FLOP  % Total
-------------------------------------
Net                 504.576K  100.00%
 - conv2d           193.536K   38.36%
 - linear            11.520K    2.28%
 - linear backward   23.040K    4.57%
 - conv2d backward  276.480K   54.79%
Net.c               470.016K   93.15%
 - conv2d           193.536K   38.36%
 - conv2d backward  276.480K   54.79%
Net.fc               34.560K    6.85%
 - linear            11.520K    2.28%
 - linear backward   23.040K    4.57%
-------------------------------------
"""
    counts = counter.get_flop_counts()
    # the image needs no gradient
    assert counts["Net.c.0"] == {"conv2d": 110592, "conv2d backward": 110592}
    assert "Net.c.2" in counter.get_table(depth=3) and "Net.c" not in counter.get_table(depth=1)


def test_outside_of_modules_in_two_of_them_and_of_nothing():
    net = nn.Linear(2, 3)
    with FlopCounterMode(display=False) as counter:
        nn.Bilinear(3, 3, 1)(net(torch.ones(1, 2)), torch.ones(1, 3)) @ torch.ones(1, 1)
    assert set(counter.get_flop_counts()) == {"Global", "Linear", "Bilinear"}
    assert counter.get_table().splitlines()[3].startswith("Global")
    with counter:
        torch.ones(2) + 1
    assert counter.get_total_flops() == 0 and "Global" in counter.get_table()
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"), counter:
        net(torch.ones(1, 5))
    with counter:
        net(torch.ones(1, 2))
    assert counter.get_flop_counts()["Linear"] == {"linear": 12}
