"""Layers of a user's own, made of PyTorch's base classes with its arguments."""

import pytest

import microtorch as torch
from microtorch import nn
from microtorch.nn.layers.conv import _ConvNd, _ConvTransposeNd


def test_a_convolution_of_ones_own():
    class Mine(_ConvNd):
        def __init__(self, inside, out, size):
            super().__init__(
                inside, out, (size, size), (1, 1), (0, 0), (1, 1), False, (0, 0), 1, True, "zeros"
            )

        def forward(self, x):
            return nn.functional.conv2d(x, self.weight, self.bias)

    torch.manual_seed(0)
    mine = Mine(2, 3, 3)
    torch.manual_seed(0)
    theirs = nn.Conv2d(2, 3, 3)
    x = torch.rand(1, 2, 5, 5)
    assert torch.equal(mine(x), theirs(x))
    assert repr(mine) == "Mine(2, 3, kernel_size=(3, 3), stride=(1, 1))"

    class Up(_ConvTransposeNd):
        def __init__(self):
            super().__init__(2, 3, (3,), (2,), (1,), (1,), True, (1,), 1, False, "zeros")

    up = Up()
    assert up.transposed and up.weight.shape == (2, 3, 3) and up.output_padding == (1,)


@pytest.mark.parametrize("mode", ["LSTM", "GRU", "RNN_TANH", "RNN_RELU"])
def test_a_recurrent_layer_of_ones_own(mode):
    class Mine(nn.RNNBase):
        def __init__(self, *args, **kwargs):
            super().__init__(mode, *args, **kwargs)

    kind, _, nonlinearity = mode.partition("_")
    more = {"nonlinearity": nonlinearity.lower()} if nonlinearity else {}
    torch.manual_seed(0)
    mine = Mine(3, 4, 2, bidirectional=True)
    torch.manual_seed(0)
    theirs = getattr(nn, kind)(3, 4, 2, bidirectional=True, **more)
    x = torch.rand(5, 2, 3)
    assert torch.equal(mine(x)[0], theirs(x)[0]) and mine.mode == mode == theirs.mode
    with pytest.raises(ValueError, match="Unrecognized RNN mode: NONE"):
        nn.RNNBase("NONE", 3, 4)


def test_a_cell_of_ones_own():
    class Mine(nn.RNNCellBase):
        def __init__(self):
            super().__init__(3, 4, True, num_chunks=2)

    assert Mine().weight_ih.shape == (8, 3) and Mine().bias_hh.shape == (8,)
