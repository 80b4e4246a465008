"""Initial values of layers and parameters, as PyTorch 2.13 draws them (CPU)."""

import pytest
from networks import close

import microtorch as torch
from microtorch import nn


def test_layers_start_as_in_pytorch():
    torch.manual_seed(0)
    layer = nn.Linear(3, 2)
    close(layer.weight, [-0.0043225, 0.3097158, -0.4751853, -0.4248946, -0.222369, 0.1548207], 1e-7)
    close(layer.bias, [-0.0114391, 0.4577749], 1e-7)
    bilinear = nn.Bilinear(2, 2, 1)
    close(bilinear.weight, [-0.0627515, 0.1871093, -0.2136969, -0.1389927], 1e-7)
    close(bilinear.bias, [-0.6755334], 1e-7)
    torch.manual_seed(1)
    close(
        nn.Linear(20, 3).weight[0, :5],
        [0.1152164, -0.0986952, -0.0433487, 0.1049541, -0.2105117],
        1e-7,
    )
    close(
        nn.Linear(7, 5, bias=False).weight[4, 3:],
        [-0.2530694, -0.1793337, 0.1288767, 0.067702],
        1e-7,
    )


@pytest.mark.parametrize(
    ("name", "arguments", "values"),
    [
        (
            "uniform_",
            (-1, 2),
            [-0.9872094, -0.6832919, -0.1424726, -0.9191355, 0.4148431, -0.8196511],
        ),
        ("normal_", (1, 0.5), [1.401638, 1.0874166, 1.044489, 0.693141, 1.0230912, 0.3158704]),
        (
            "xavier_uniform_",
            (),
            [-1.0861043, -0.8641543, -0.4691956, -1.0363901, -0.0621898, -0.963737],
        ),
        (
            "xavier_normal_",
            (),
            [0.5080364, 0.1105743, 0.0562747, -0.3881494, 0.0292083, -0.8653631],
        ),
        (
            "kaiming_uniform_",
            (),
            [-1.4021544, -1.1156183, -0.6057289, -1.3379737, -0.0802867, -1.244179],
        ),
        (
            "kaiming_normal_",
            (),
            [0.6558722, 0.1427509, 0.0726503, -0.5010986, 0.0377078, -1.1171789],
        ),
        (
            "kaiming_normal_",
            (0, "fan_out", "relu"),
            [0.8032761, 0.1748334, 0.0889781, -0.613718, 0.0461824, -1.368259],
        ),
        ("trunc_normal_", (), [0.8032761, 0.1748334, 0.0889781, -0.613718, 0.0461824, -1.3682592]),
        ("orthogonal_", (2.0,), [1.9429004, 0.4228731, 0.2152131, 0.1512993, 0.307647, -1.9703963]),
        ("constant_", (3.0,), [3.0] * 6),
        ("ones_", (), [1.0] * 6),
        ("zeros_", (), [0.0] * 6),
        ("eye_", (), [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]),
    ],
)
def test_init(name, arguments, values):
    torch.manual_seed(3)
    parameter = nn.Parameter(torch.zeros(2, 3))
    assert getattr(nn.init, name)(parameter, *arguments) is parameter
    close(parameter, values)
    assert parameter.is_leaf and parameter.requires_grad


def test_init_rules():
    assert nn.init.calculate_gain("leaky_relu") == 1.4141428569978354
    assert nn.init.calculate_gain("tanh") == 5 / 3
    torch.manual_seed(3)
    tall = nn.init.orthogonal_(torch.zeros(4, 2, 1))
    assert torch.allclose(tall.reshape(4, 2).T @ tall.reshape(4, 2), torch.eye(2), atol=1e-6)
    with pytest.raises(ValueError, match="fewer than 2 dimensions"):
        nn.init.xavier_uniform_(torch.zeros(3))
    with pytest.raises(ValueError, match="Mode x not supported"):
        nn.init.kaiming_uniform_(torch.zeros(3, 2), mode="x")
    with pytest.raises(ValueError, match="Unsupported nonlinearity foo"):
        nn.init.calculate_gain("foo")
    with pytest.warns(UserWarning, match="zero-element tensors is a no-op"):
        nn.Linear(0, 3)


def test_old_names():
    for name in nn.init.OLD_NAMES:
        torch.manual_seed(0)
        x = torch.empty(3, 3, 3) if name == "dirac" else torch.empty(3, 3)
        more = {"constant": (2.0,), "sparse": (0.3,)}.get(name, ())
        with pytest.warns(FutureWarning, match="deprecated in favor of"):
            assert getattr(nn.init, name)(x, *more) is x
        torch.manual_seed(0)
        assert torch.equal(x, getattr(nn.init, f"{name}_")(torch.empty_like(x), *more))
