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


def test_a_layer_that_stays_frozen_says_so_in_its_train():
    class Frozen(nn.BatchNorm1d):
        def train(self, mode=True):
            return super().train(False)

    net = nn.Sequential(nn.Sequential(Frozen(3), nn.Dropout()), nn.Linear(3, 1))
    assert net.train() is net
    assert net.training and net[0].training and net[0][1].training and not net[0][0].training
    net[0](torch.rand(4, 3))
    assert net[0][0].num_batches_tracked == 0
    net.eval()
    assert not any(m.training for m in net.modules())


MOVES = {
    "to": lambda m: m.to(torch.float64), "double": lambda m: m.double(), "cpu": lambda m: m.cpu(),
    "type": lambda m: m.type(torch.float64), "to_empty": lambda m: m.to_empty(device="cpu"),
    "share_memory": lambda m: m.share_memory(),
}  # fmt: skip


@pytest.mark.parametrize("move", MOVES)
def test_a_layer_with_further_tensors_extends_apply(move):
    class Table(nn.Linear):
        def __init__(self):
            super().__init__(2, 2)
            self.rows, self.moved = [torch.ones(2)], 0

        def _apply(self, fn):
            self.rows, self.moved = [fn(r) for r in self.rows], self.moved + 1
            return super()._apply(fn)

    net = nn.Sequential(nn.Sequential(Table(), nn.ReLU()))
    table = net[0][0]
    assert MOVES[move](net) is net
    assert table.moved == 1 and table.rows[0].dtype == table.weight.dtype
    if move == "share_memory":
        assert table.rows[0].is_shared() and table.weight.is_shared()


def test_an_assigned_parameter_is_registered_by_the_module_s_own_method():
    class Counted(nn.Module):
        def register_parameter(self, name, param):
            self.__dict__.setdefault("names", []).append(name)
            super().register_parameter(name, param)

    m = Counted()
    m.w = nn.Parameter(torch.ones(2))
    m.w = nn.Parameter(torch.zeros(2))
    assert m.names == ["w", "w"] and m.w.sum() == 0


def test_a_parameter_does_not_hide_behind_an_attribute_of_the_class():
    class Hidden(nn.Module):
        w = None

    with pytest.raises(KeyError, match="attribute 'w' already exists"):
        Hidden().w = nn.Parameter(torch.ones(2))


def test_a_property_may_stand_before_what_is_registered_under_its_name():
    class Shown(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.ones(2))  # the property finds nothing as yet
            self.register_buffer("b", torch.zeros(1))
            self.layer = nn.Tanh()  # of modules nothing is asked

        w = property(lambda self: -self._parameter("w"))
        b = property(lambda self: self._buffers["b"] if self._buffers else self.nothing)
        layer = property(lambda self: 3)

        def _parameter(self, name):
            if name not in self._parameters:
                raise AttributeError(name)
            return self._parameters[name]

    shown = Shown()
    assert shown.w.tolist() == [-1, -1] and shown.b.tolist() == [0] and shown.layer == 3
    assert list(shown.state_dict()) == ["w", "b"] and len(list(shown.children())) == 1
    with pytest.raises(KeyError, match="attribute 'layer' already exists"):
        shown.register_parameter("layer", None)


def test_a_function_that_a_class_names_is_called_without_the_module():
    def twice(module, x):
        return module.act(module.act(x))

    class Named(nn.Module):
        act, slope, conv, again = torch.relu, nn.functional.softplus, torch.conv2d, twice

    class Net(Named):
        def forward(self, x):
            return self.conv(self.again(x), weight=self.slope(x))

    x = torch.randn(1, 1, 2, 2)
    expected = torch.conv2d(x.relu(), nn.functional.softplus(x))
    assert torch.equal(Net()(x), expected) and Net.act is torch.relu
