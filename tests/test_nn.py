"""torch.nn: modules, layers, losses, initial values; numbers recorded from PyTorch 2.13 (CPU)."""

import copy
import gc
import pickle
import warnings
import weakref
from collections import OrderedDict

import pytest

import microtorch as torch
from microtorch import nn
from microtorch.nn import functional as F

X = [[0.5, -1.2, 2.0], [1.5, 0.3, -0.8], [-0.4, 0.9, 0.1], [2.2, -0.6, -1.1]]
TARGETS = {
    "Y": [[0.1, 0.2, 1.5], [-1.0, 0.3, 0.4], [0.6, -2.1, 0.1], [1.0, 0.5, -1.0]],
    "P": [[0.2, 0.3, 0.5], [0.7, 0.1, 0.2], [0.1, 0.1, 0.8], [0.25, 0.5, 0.25]],
    "T": [2, 0, -100, 1],
    "U": [2, 0, 1, 1],
    "W": [0.5, 2.0, 1.5],
}
POINTS = [-30.0, -2.5, -0.7, 0.0, 0.3, 1.9, 25.0]

# fmt: off
# name, arguments, values at POINTS, gradient of sum(y * [1 .. 7])
ACTIVATIONS = [
    ("relu", {}, [0.0, 0.0, 0.0, 0.0, 0.3, 1.9, 25.0], [0.0, 0.0, 0.0, 0.0, 5.0, 6.0, 7.0]),
    ("relu6", {}, [0.0, 0.0, 0.0, 0.0, 0.3, 1.9, 6.0], [0.0, 0.0, 0.0, 0.0, 5.0, 6.0, 0.0]),
    ("leaky_relu", {}, [-0.3, -0.025, -0.007, 0.0, 0.3, 1.9, 25.0], [0.01, 0.02, 0.03, 0.04, 5.0, 6.0, 7.0]),
    ("leaky_relu", {"negative_slope": 0.2}, [-6.0, -0.5, -0.14, 0.0, 0.3, 1.9, 25.0], [0.2, 0.4, 0.6, 0.8,
     5.0, 6.0, 7.0]),
    ("elu", {}, [-1.0, -0.917915, -0.5034147, 0.0, 0.3, 1.9, 25.0], [0.0, 0.16417, 1.4897559, 4.0, 5.0, 6.0, 7.0]),
    ("elu", {"alpha": 0.5}, [-0.5, -0.4589575, -0.2517073, 0.0, 0.3, 1.9, 25.0], [0.0, 0.082085, 0.744878,
     2.0, 5.0, 6.0, 7.0]),
    ("selu", {}, [-1.7580993, -1.6137858, -0.885053, 0.0, 0.3152103, 1.9963319, 26.2675247], [0.0,
     0.2886272, 2.6191389, 7.0323974, 5.2535049, 6.3042059, 7.3549069]),
    ("celu", {"alpha": 2.0}, [-1.9999994, -1.4269904, -0.5906238, 0.0, 0.3, 1.9, 25.0], [3e-07, 0.5730096,
     2.1140643, 4.0, 5.0, 6.0, 7.0]),
    ("gelu", {}, [-0.0, -0.0155242, -0.1693746, 0.0, 0.1853734, 1.8454385, 25.0], [-0.0, -0.0752222,
     0.0701577, 2.0, 3.6616388, 6.5757209, 7.0]),
    ("gelu", {"approximate": "tanh"}, [-0.0, -0.0150843, -0.1694299, 0.0, 0.1853709, 1.8454512, 25.0], [0.0,
     -0.0759032, 0.0709283, 2.0, 3.6614773, 6.5806908, 7.0]),
    ("silu", {}, [-0.0, -0.1896455, -0.2322686, 0.0, 0.1723328, 1.6527939, 25.0], [-0.0, -0.1988022,
     0.5298396, 2.0, 3.2389001, 6.5096041, 7.0]),
    ("mish", {}, [-0.0, -0.1968162, -0.2678702, 0.0, 0.2080014, 1.8367436, 25.0], [-0.0, -0.2194871,
     0.5532482, 2.4, 3.9141365, 6.4495655, 7.0]),
    ("softplus", {}, [0.0, 0.0788897, 0.403186, 0.6931472, 0.8543552, 2.0393868, 25.0], [0.0, 0.1517164,
     0.9954367, 2.0, 2.8722126, 5.2193492, 7.0]),
    ("softplus", {"beta": 2.0, "threshold": 3.0}, [0.0, 0.0033577, 0.1102087, 0.3465736, 0.518744, 1.9,
     25.0], [0.0, 0.0133857, 0.5934483, 2.0, 3.2282815, 6.0, 7.0]),
    ("hardtanh", {}, [-1.0, -1.0, -0.7, 0.0, 0.3, 1.0, 1.0], [0.0, 0.0, 3.0, 4.0, 5.0, 0.0, 0.0]),
    ("hardtanh", {"min_val": -2.0, "max_val": 0.5}, [-2.0, -2.0, -0.7, 0.0, 0.3, 0.5, 0.5], [0.0, 0.0, 3.0,
     4.0, 5.0, 0.0, 0.0]),
    ("hardsigmoid", {}, [0.0, 0.0833333, 0.3833333, 0.5, 0.55, 0.8166667, 1.0], [0.0, 0.3333333, 0.5,
     0.6666667, 0.8333334, 1.0, 0.0]),
    ("hardswish", {}, [-0.0, -0.2083333, -0.2683333, 0.0, 0.165, 1.5516667, 25.0], [0.0, -0.6666667, 0.8,
     2.0, 3.0, 6.8, 7.0]),
    ("tanhshrink", {}, [-29.0, -1.5133857, -0.0956322, 0.0, 0.0086874, 0.9437625, 24.0], [1.0, 1.9468155,
     1.0957812, 0.0, 0.4243152, 5.4863405, 7.0]),
    ("sigmoid", {}, [0.0, 0.0758582, 0.3318122, 0.5, 0.5744425, 0.8698915, 1.0], [0.0, 0.1402074, 0.6651386,
     1.0, 1.2222916, 0.6790816, 0.0]),
    ("tanh", {}, [-1.0, -0.9866143, -0.6043678, 0.0, 0.2913126, 0.9562375, 1.0], [0.0, 0.0531845, 1.9042188,
     4.0, 4.5756848, 0.5136595, 0.0]),
    ("logsigmoid", {}, [-30.0, -2.5788897, -1.103186, -0.6931472, -0.5543552, -0.1393868, -0.0], [1.0,
     1.8482836, 2.0045633, 2.0, 2.1277874, 0.7806508, 0.0]),
    ("softsign", {}, [-0.9677419, -0.7142857, -0.4117647, 0.0, 0.2307692, 0.6551724, 0.9615385], [0.0010406,
     0.1632653, 1.0380623, 4.0, 2.9585799, 0.7134364, 0.010355]),
    ("softmax", {"dim": 0}, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0], [-0.0, -0.0, -0.0, -0.0, -0.0, -0.0, 0.0]),
    ("log_softmax", {"dim": 0}, [-55.0, -27.5, -25.7, -25.0, -24.7, -23.1, -0.0], [1.0, 2.0, 3.0, 4.0, 5.0,
     6.0, -21.0]),
    ("softmin", {"dim": -1}, [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0, -0.0, -0.0, -0.0, -0.0, -0.0, -0.0]),
]
# name, target, arguments, mean, sum, none, gradient of the mean
LOSSES = [
    ("mse_loss", "Y", {}, 1.8933333, 22.72, [0.16, 1.96, 0.25, 6.25, 0.0, 1.44, 1.0, 9.0, 0.0, 1.44, 1.21,
     0.01], [0.0666667, -0.2333333, 0.0833333, 0.4166667, 0.0, -0.2, -0.1666667, 0.5, 0.0, 0.2, -0.1833333,
     -0.0166667]),
    ("l1_loss", "Y", {}, 1.0333333, 12.4, [0.4, 1.4, 0.5, 2.5, 0.0, 1.2, 1.0, 3.0, 0.0, 1.2, 1.1, 0.1],
     [0.0833333, -0.0833333, 0.0833333, 0.0833333, 0.0, -0.0833333, -0.0833333, 0.0833333, 0.0, 0.0833333,
     -0.0833333, -0.0833333]),
    ("smooth_l1_loss", "Y", {}, 0.6758333, 8.11, [0.08, 0.9, 0.125, 2.0, 0.0, 0.7, 0.5, 2.5, 0.0, 0.7, 0.6,
     0.005], [0.0333333, -0.0833333, 0.0416667, 0.0833333, 0.0, -0.0833333, -0.0833333, 0.0833333, 0.0,
     0.0833333, -0.0833333, -0.0083333]),
    ("smooth_l1_loss", "Y", {"beta": 0.5}, 0.8391667, 10.07, [0.16, 1.15, 0.25, 2.25, 0.0, 0.95, 0.75, 2.75,
     0.0, 0.95, 0.85, 0.01], [0.0666667, -0.0833333, 0.0833333, 0.0833333, 0.0, -0.0833333, -0.0833333,
     0.0833333, 0.0, 0.0833333, -0.0833333, -0.0166667]),
    ("huber_loss", "Y", {}, 0.6758333, 8.11, [0.08, 0.9, 0.125, 2.0, 0.0, 0.7, 0.5, 2.5, 0.0, 0.7, 0.6,
     0.005], [0.0333333, -0.0833333, 0.0416667, 0.0833333, 0.0, -0.0833333, -0.0833333, 0.0833333, 0.0,
     0.0833333, -0.0833333, -0.0083333]),
    ("huber_loss", "Y", {"delta": 1.5}, 0.81125, 9.735, [0.08, 0.98, 0.125, 2.625, 0.0, 0.72, 0.5, 3.375,
     0.0, 0.72, 0.605, 0.005], [0.0333333, -0.1166667, 0.0416667, 0.125, 0.0, -0.1, -0.0833333, 0.125, 0.0,
     0.1, -0.0916667, -0.0083333]),
    ("cross_entropy", "T", {}, 1.1549722, 3.4649166, [0.2341961, 0.3375096, 0.0, 2.8932109], [0.0588474,
     0.0107504, -0.0695978, -0.095485, 0.0716386, 0.0238464, 0.0, 0.0, 0.0, 0.3036671, -0.3148673,
     0.0112002]),
    ("cross_entropy", "T", {"weight": "W"}, 1.5766177, 6.3064708, [0.3512942, 0.1687548, 0.0, 5.7864218],
     [0.0662033, 0.0120942, -0.0782975, -0.0358069, 0.0268645, 0.0089424, 0.0, 0.0, 0.0, 0.4555007,
     -0.472301, 0.0168003]),
    ("cross_entropy", "T", {"label_smoothing": 0.1}, 1.2205278, 3.6615833, [0.3908628, 0.4541763, 0.0,
     2.8165442], [0.0477362, -0.0003607, -0.0473756, -0.0732627, 0.0605274, 0.0127353, 0.0, 0.0, 0.0,
     0.292556, -0.2926451, 8.91e-05]),
    ("cross_entropy", "T", {"weight": "W", "label_smoothing": 0.1}, 1.6373698, 6.5494793, [0.5857243,
     0.3918806, 0.0, 5.5718744], [0.061301, -0.0047068, -0.0565942, -0.012608, 0.0146752, -0.0020672, 0.0,
     0.0, 0.0, 0.4361506, -0.4398909, 0.0037403]),
    ("cross_entropy", "U", {"ignore_index": 2}, 1.258042, 3.7741261, [0.0, 0.3375096, 0.5434055, 2.8932109],
     [0.0, 0.0, 0.0, -0.095485, 0.0716386, 0.0238464, 0.0527592, -0.1397443, 0.0869852, 0.3036671,
     -0.3148673, 0.0112002]),
    ("cross_entropy", "P", {}, 1.5108305, 6.0433222, [1.4941961, 0.9175096, 1.3134055, 2.3182109],
     [-0.0058645, -0.0669372, 0.0728017, 0.0033863, 0.0287289, -0.0321152, 0.0145694, 0.1201918, -0.1347611,
     0.1652503, -0.1111505, -0.0540998]),
    ("cross_entropy", "P", {"weight": "W", "label_smoothing": 0.2}, 2.4272325, 9.7089302, [2.4667865,
     1.4535091, 1.7185919, 4.0700427], [0.0346333, -0.1418304, 0.107197, 0.090539, -0.02247, -0.0680691,
     0.038119, 0.1338069, -0.1719259, 0.3007005, -0.2130207, -0.0876798]),
    ("nll_loss", "T", {}, -0.9666667, -2.9, [-2.0, -1.5, 0.0, 0.6], [0.0, 0.0, -0.3333333, -0.3333333, 0.0,
     0.0, 0.0, 0.0, 0.0, 0.0, -0.3333333, 0.0]),
    ("nll_loss", "T", {"weight": "W"}, -0.6375, -2.55, [-3.0, -0.75, 0.0, 1.2], [0.0, 0.0, -0.375, -0.125,
     0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -0.5, 0.0]),
    ("binary_cross_entropy_with_logits", "P", {}, 0.8378858, 10.054629, [0.874077, 0.6232825, 1.126928,
     0.6514133, 0.8243552, 0.5311007, 0.5530153, 1.1511539, 0.6643967, 1.7550833, 0.737488, 0.5623353],
     [0.0352049, -0.0057104, 0.0317331, 0.0097979, 0.0395369, 0.0091688, 0.0251094, 0.0509125, -0.0229184,
     0.0541875, -0.012138, -2.17e-05]),
    ("binary_cross_entropy_with_logits", "P", {"pos_weight": "W", "weight": "W"}, 1.3160613, 15.792736,
     [0.4133346, 2.1245344, 1.73799, 0.2904593, 1.7595815, 0.9723161, 0.2536822, 2.3705385, 1.383233,
     0.870974, 2.5124639, 1.1036284], [0.0191756, -0.049847, 0.0438745, 0.0075593, 0.0719811, 0.0051285,
     0.0138019, 0.0970074, -0.0581286, 0.0276133, -0.0780807, -0.0117553]),
    ("kl_div", "P", {}, -0.439602, -5.2752242, [-0.4218876, -0.0011918, -1.3465736, -1.2996725, -0.2602585,
     -0.1618876, -0.1902585, -0.3202585, -0.2585148, -0.8965736, -0.0465736, -0.0715736], [-0.0166667,
     -0.025, -0.0416667, -0.0583333, -0.0083333, -0.0166667, -0.0083333, -0.0083333, -0.0666667, -0.0208333,
     -0.0416667, -0.0208333]),
    ("kl_div", "Y", {"log_target": True}, -0.0049388, -0.0592653, [-0.4420684, 1.7099639, -2.2408445,
     -0.9196986, 0.0, 1.7901896, 1.8221188, -0.3673693, 0.0, -3.2619382, 1.8135934, 0.0367879], [-0.0920976,
     -0.1017836, -0.3734741, -0.0306566, -0.1124882, -0.1243187, -0.1518432, -0.0102047, -0.0920976,
     -0.2265235, -0.1373934, -0.0306566]),
]
# fmt: on


def numbers(tensor):
    return tensor.detach().reshape(-1).tolist()


def close(tensor, expected, tol=2e-6):
    assert numbers(tensor) == pytest.approx(expected, rel=tol, abs=tol)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(3, 4)
        self.act = nn.ReLU()
        self.register_buffer("mean", torch.zeros(2))
        self.register_buffer("cache", torch.ones(1), persistent=False)
        self.seq = nn.Sequential(nn.Linear(4, 2), nn.Dropout(0.1))

    def forward(self, x):
        return self.seq(self.act(self.fc1(x)))


# ---------------------------------------------------------------- functions


@pytest.mark.parametrize(("name", "arguments", "values", "gradient"), ACTIVATIONS)
def test_activation(name, arguments, values, gradient):
    x = torch.tensor(POINTS, dtype=torch.float64, requires_grad=True)
    y = getattr(F, name)(x, **arguments)
    (y * torch.arange(1.0, 8.0, dtype=torch.float64)).sum().backward()
    close(y, values, 2e-7)
    close(x.grad, gradient, 2e-7)


@pytest.mark.parametrize("name", ["relu", "relu6", "leaky_relu", "elu", "selu", "silu", "hardtanh", "hardswish"])
def test_inplace_activation_changes_its_input(name):
    x = torch.tensor(POINTS, requires_grad=True)
    y = torch.tensor(POINTS, requires_grad=True)
    h = x * 1.0
    out = getattr(F, name)(h, inplace=True)
    assert out is h
    expected = getattr(F, name)(y)
    assert torch.equal(h, expected)
    h.sum().backward()
    expected.sum().backward()
    assert torch.allclose(x.grad, y.grad)


def argument(value):
    return torch.tensor(TARGETS[value], dtype=torch.float64) if isinstance(value, str) else value


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
@pytest.mark.parametrize(("name", "target", "arguments", "mean", "total", "each", "gradient"), LOSSES)
def test_loss(name, target, arguments, mean, total, each, gradient):
    loss = getattr(F, name)
    arguments = {key: argument(value) for key, value in arguments.items()}
    target = torch.tensor(TARGETS[target]) if target in "TU" else argument(target)
    x = torch.tensor(X, dtype=torch.float64, requires_grad=True)
    value = loss(x, target, **arguments)
    value.backward()
    close(value, [mean], 2e-7)
    close(loss(x, target, reduction="sum", **arguments), [total], 2e-7)
    close(loss(x, target, reduction="none", **arguments), each, 2e-7)
    close(x.grad, gradient, 2e-7)
    module = {
        "mse_loss": nn.MSELoss,
        "l1_loss": nn.L1Loss,
        "smooth_l1_loss": nn.SmoothL1Loss,
        "huber_loss": nn.HuberLoss,
        "cross_entropy": nn.CrossEntropyLoss,
        "nll_loss": nn.NLLLoss,
        "binary_cross_entropy_with_logits": nn.BCEWithLogitsLoss,
        "kl_div": nn.KLDivLoss,
    }[name]
    close(module(**arguments)(x, target), [mean], 2e-7)


def test_cross_entropy_of_pixels_and_of_one_sample():
    x = torch.tensor([X, X]).transpose(1, 2)  # (2, 3, 4): classes in dim 1
    flat = torch.tensor(X + X)
    target = torch.tensor([TARGETS["U"]] * 2)
    assert torch.allclose(F.cross_entropy(x, target), F.cross_entropy(flat, target.reshape(-1)))
    close(F.cross_entropy(torch.tensor(X[0]), torch.tensor(2)), [0.2341961])
    close(F.cross_entropy(torch.tensor(X[0]), torch.tensor([0.2, 0.3, 0.5])), [1.4941961])


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_binary_cross_entropy_at_the_ends():
    x = torch.tensor([0.0, 1.0, 0.3, 1e-30, 0.9], requires_grad=True)
    y = torch.tensor([1.0, 0.0, 0.25, 1.0, 1.0])
    loss = F.binary_cross_entropy(x, y, reduction="none")
    loss.sum().backward()
    close(loss, [100.0, 100.0, 0.5684994, 69.0775528, 0.1053605])
    close(x.grad, [-999999995904.0, 999999995904.0, 0.2380953, -999999995904.0, -1.1111112])
    close(nn.BCELoss(reduction="sum")(x, y), [269.7514])


def test_kl_div_batchmean():
    x, p = torch.tensor(X), torch.tensor(TARGETS["P"])
    assert torch.allclose(F.kl_div(x, p, reduction="batchmean"), F.kl_div(x, p, reduction="sum") / 4)


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
def test_loss_warns_of_broadcasting(name):
    with pytest.warns(UserWarning, match=r"Using a target size \(torch.Size\(\[3\]\)\) that is different to the input"):
        getattr(F, name)(torch.zeros(3, 1), torch.zeros(3))


def test_old_reduction_flags():
    x, y = torch.tensor(X), torch.tensor(TARGETS["Y"])
    with pytest.warns(UserWarning, match="please use reduction='sum' instead"):
        assert torch.equal(F.mse_loss(x, y, size_average=False), F.mse_loss(x, y, reduction="sum"))
    with pytest.warns(UserWarning, match="please use reduction='none' instead"):
        assert nn.L1Loss(reduce=False)(x, y).shape == (4, 3)


z = torch.zeros


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: F.cross_entropy(z(3, 4), z(3)), RuntimeError, r"expected target dtype to be Long[^$]*target.long"),
        (lambda: F.cross_entropy(z(3, 4), z(2).long()), ValueError, r"batch_size \(3\) to match target batch_size \(2"),
        (lambda: F.cross_entropy(z(3, 4), torch.tensor([0, 1, 4])), IndexError, "Target 4 is out of bounds"),
        (lambda: F.cross_entropy(z(3, 4), torch.tensor([0, 1, -1])), IndexError, "Target -1 is out of bounds"),
        (lambda: F.cross_entropy(z(3, 4), z(3, 1).long()), RuntimeError, r"multi-target not supported[^$]*squeeze"),
        (lambda: F.cross_entropy(z(3, 4), z(3, 4).long()), RuntimeError, "floating point type for target"),
        (lambda: F.cross_entropy(z(3, 4), z(3).long(), weight=z(3)), RuntimeError, "either for all 4 classes"),
        (lambda: F.cross_entropy(z(3, 4), z(3).long(), label_smoothing=2), RuntimeError, "between 0.0 and 1.0"),
        (lambda: F.cross_entropy(z(3, 4), [1, 2, 3]), TypeError, "must be Tensor, not list"),
        (lambda: F.cross_entropy(z(2, 3, 4), z(2, 5).long()), RuntimeError, r"target size \[2, 4\], got \[2, 5\]"),
        (lambda: F.mse_loss(z(3), z(3), reduction="foo"), ValueError, "foo is not a valid value for reduction"),
        (lambda: F.smooth_l1_loss(z(3), z(3), beta=-1), RuntimeError, "negative values for beta"),
        (lambda: F.huber_loss(z(3), z(3), delta=0), RuntimeError, "non-positive values for delta"),
        (lambda: F.binary_cross_entropy(z(3) + 2, z(3)), RuntimeError, "input should be between 0 and 1[^$]*logits"),
        (lambda: F.binary_cross_entropy(z(3, 1), z(3)), ValueError, "is deprecated"),
        (lambda: F.binary_cross_entropy(z(3), z(3).long()), RuntimeError, "Found dtype torch.int64 but expected"),
        (lambda: F.binary_cross_entropy_with_logits(z(3, 1), z(3)), ValueError, "must be the same as input size"),
        (lambda: F.dropout(z(3), 1.5), ValueError, "between 0 and 1, but got 1.5"),
        (lambda: nn.Dropout(-1), ValueError, "between 0 and 1, but got -1"),
        (lambda: F.one_hot(torch.tensor([0, 2]), 2), RuntimeError, "smaller than num_classes"),
        (lambda: F.one_hot(torch.tensor([0, -2])), RuntimeError, "must be non-negative"),
        (lambda: F.one_hot(z(2)), RuntimeError, "index tensor of type LongTensor"),
        (lambda: F.pad(z(2, 3), (1,)), RuntimeError, "divisible by 2"),
        (lambda: F.pad(z(2, 3), (1,) * 6), RuntimeError, "padding length 6 and input of dimension 2"),
        (lambda: F.pad(z(2, 3), (1, 1), "mirror"), NotImplementedError, "Unrecognised padding mode mirror"),
        (lambda: F.prelu(z(2, 3), z(2)), RuntimeError, "numbers = 2 and channel size = 3"),
        (lambda: F.gelu(z(2), approximate="no"), RuntimeError, "none or tanh"),
        (lambda: F.bilinear(z(2, 3), z(2, 2), z(4, 2, 3)), RuntimeError, "shapes do not fit"),
        (lambda: F.conv3d, AttributeError, "torch.nn.functional"),
        (lambda: nn.Conv3d, AttributeError, "torch.nn.Conv3d is not in microtorch yet"),
        (lambda: nn.Liner, AttributeError, "Did you mean 'Linear'"),
    ],
)
def test_mistakes_are_explained(call, error, text):
    with pytest.raises(error, match=text):
        call()


@pytest.mark.parametrize(("function", "dim"), [("softmax", 1), ("log_softmax", 1), ("softmin", 1)])
def test_softmax_guesses_the_dim_with_a_warning(function, dim):
    x = torch.tensor(X)
    with pytest.warns(UserWarning, match=f"Implicit dimension choice for {function} has been deprecated"):
        guessed = getattr(F, function)(x)
    assert torch.equal(guessed, getattr(F, function)(x, dim=dim))
    assert F.softmax(torch.tensor([1, 2]), 0, dtype=torch.float64).dtype is torch.float64


def test_dropout_masks():
    torch.manual_seed(5)
    kept = 1 / 0.6
    close(F.dropout(torch.ones(12), 0.4), [0, kept, kept, kept, kept, 0, kept, 0, 0, kept, kept, kept])
    torch.manual_seed(5)
    model = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5))
    close(model(torch.ones(2, 4)), [0.0, 0.196797, 0.8269099, 0.5123434, 0.196797, 0.0])
    assert torch.equal(model.eval()(torch.ones(2, 4)), model[0](torch.ones(2, 4)))
    x = torch.ones(1000, requires_grad=True)
    y = F.dropout(x, 0.3)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())
    assert torch.equal(F.dropout(torch.ones(3), 1.0), torch.zeros(3))
    assert torch.equal(F.dropout(torch.ones(3), 0.9, training=False), torch.ones(3))


def test_distances():
    a, b = torch.tensor(X), torch.tensor(TARGETS["Y"])
    close(F.cosine_similarity(a, b), [0.7767589, -0.8963609, -0.9795101, 0.7899525])
    close(F.normalize(a)[0], [0.2096109, -0.5030662, 0.8384436])
    close(F.normalize(a, p=1.0, dim=0)[:, 0], [0.1086956, 0.3260869, -0.0869565, 0.4782608])
    close(F.pairwise_distance(a, b), [1.5394802, 2.7730854, 3.1622782, 1.6309507])


def test_one_hot_and_pad():
    assert F.one_hot(torch.tensor([[0, 2]])).tolist() == [[[1, 0, 0], [0, 0, 1]]]
    assert F.one_hot(torch.zeros(0, dtype=torch.int64), 3).shape == (0, 3)
    x = torch.tensor([[1.0, 2.0]], requires_grad=True)
    padded = F.pad(x, (1, -1, 0, 1), value=9.0)
    assert padded.tolist() == [[9.0, 1.0], [9.0, 9.0]]
    padded.sum().backward()
    assert x.grad.tolist() == [[1.0, 0.0]]
    assert F.pad(torch.tensor([1, 2]), (0, 1)).tolist() == [1, 2, 0]


def test_bilinear_and_prelu():
    a, b = torch.tensor(X), torch.tensor(TARGETS["Y"])
    weight = torch.arange(12.0).reshape(2, 2, 3) / 10
    y = F.bilinear(a[:, :2], b, weight, torch.tensor([1.0, 2.0]))
    close(y, [0.128, 0.372, 1.171, 1.847, 0.5270001, 1.107, 0.67, 2.15])
    x, prelu = torch.tensor(X, requires_grad=True), nn.PReLU(3)
    (prelu(x) * torch.arange(12.0).reshape(4, 3)).sum().backward()
    close(prelu.weight.grad, [-2.4, -7.2, -16.1])
    close(x.grad, [0.0, 0.25, 2.0, 3.0, 4.0, 1.25, 1.5, 7.0, 8.0, 9.0, 2.5, 2.75])


# ---------------------------------------------------------------- initial values


def test_layers_start_as_in_pytorch():
    torch.manual_seed(0)
    layer = nn.Linear(3, 2)
    close(layer.weight, [-0.0043225, 0.3097158, -0.4751853, -0.4248946, -0.222369, 0.1548207], 1e-7)
    close(layer.bias, [-0.0114391, 0.4577749], 1e-7)
    bilinear = nn.Bilinear(2, 2, 1)
    close(bilinear.weight, [-0.0627515, 0.1871093, -0.2136969, -0.1389927], 1e-7)
    close(bilinear.bias, [-0.6755334], 1e-7)
    torch.manual_seed(1)
    close(nn.Linear(20, 3).weight[0, :5], [0.1152164, -0.0986952, -0.0433487, 0.1049541, -0.2105117], 1e-7)
    close(nn.Linear(7, 5, bias=False).weight[4, 3:], [-0.2530694, -0.1793337, 0.1288767, 0.067702], 1e-7)


@pytest.mark.parametrize(
    ("name", "arguments", "values"),
    [
        ("uniform_", (-1, 2), [-0.9872094, -0.6832919, -0.1424726, -0.9191355, 0.4148431, -0.8196511]),
        ("normal_", (1, 0.5), [1.401638, 1.0874166, 1.044489, 0.693141, 1.0230912, 0.3158704]),
        ("xavier_uniform_", (), [-1.0861043, -0.8641543, -0.4691956, -1.0363901, -0.0621898, -0.963737]),
        ("xavier_normal_", (), [0.5080364, 0.1105743, 0.0562747, -0.3881494, 0.0292083, -0.8653631]),
        ("kaiming_uniform_", (), [-1.4021544, -1.1156183, -0.6057289, -1.3379737, -0.0802867, -1.244179]),
        ("kaiming_normal_", (), [0.6558722, 0.1427509, 0.0726503, -0.5010986, 0.0377078, -1.1171789]),
        ("kaiming_normal_", (0, "fan_out", "relu"), [0.8032761, 0.1748334, 0.0889781, -0.613718, 0.0461824, -1.368259]),
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


# ---------------------------------------------------------------- Module


def test_registration():
    net = Net()
    assert [name for name, _ in net.named_parameters()] == ["fc1.weight", "fc1.bias", "seq.0.weight", "seq.0.bias"]
    assert [name for name, _ in net.named_parameters(prefix="net", recurse=False)] == []
    assert [name for name, _ in net.named_buffers()] == ["mean", "cache"]
    assert [name for name, _ in net.named_modules()] == ["", "fc1", "act", "seq", "seq.0", "seq.1"]
    assert [name for name, _ in net.named_children()] == ["fc1", "act", "seq"]
    assert list(net.children()) == [net.fc1, net.act, net.seq]
    assert len(list(net.parameters())) == 4 and len(list(net.buffers())) == 2
    assert {"fc1", "mean", "forward"} <= set(dir(net))
    net.fc1 = None
    assert net.fc1 is None and len(list(net.parameters())) == 2
    del net.seq
    assert not hasattr(net, "seq")
    net.plain = 3
    net.plain = nn.Parameter(torch.zeros(1))
    assert "plain" in dict(net.named_parameters()) and "plain" not in net.__dict__


def test_shared_parameters_come_once():
    layer = nn.Linear(2, 2)
    both = nn.Sequential(layer, nn.Tanh(), layer)
    assert len(list(both.parameters())) == 2
    assert len(list(both.named_parameters(remove_duplicate=False))) == 4
    assert list(both.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert len(list(both.modules())) == 3
    both(torch.ones(1, 2)).sum().backward()
    assert layer.weight.grad is not None


class EarlyLayer(nn.Module):
    def __init__(self):
        self.fc = nn.Linear(1, 1)


class EarlyParameter(nn.Module):
    def __init__(self):
        self.w = nn.Parameter(torch.zeros(1))


class EarlyBuffer(nn.Module):
    def __init__(self):
        self.register_buffer("b", torch.zeros(1))


class NeverInitialised(nn.Module):
    def __init__(self):
        self.width = 3


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (EarlyLayer, AttributeError, r"cannot assign module before Module.__init__\(\) call"),
        (EarlyParameter, AttributeError, r"cannot assign parameters before Module.__init__\(\) call"),
        (EarlyBuffer, AttributeError, r"cannot assign buffer before Module.__init__\(\) call"),
        (lambda: NeverInitialised().weight, AttributeError, r"super\(\).__init__\(\) has not been called"),
        (lambda: Net().fcl, AttributeError, "'Net' object has no attribute 'fcl'. Did you mean: 'fc1'?"),
        (lambda: nn.Module()(1), NotImplementedError, r'Module \[Module\] is missing the required "forward" function'),
        (lambda: setattr(Net(), "fc1", 3), TypeError, r"cannot assign 'int' as child module 'fc1' \(torch.nn.Module"),
        (
            lambda: setattr(Net().fc1, "weight", torch.zeros(2)),
            TypeError,
            r"cannot assign 'torch.FloatTensor' as parameter 'weight' \(torch.nn.Parameter or None expected\)",
        ),
        (lambda: setattr(Net(), "mean", 3), TypeError, "cannot assign 'int' as buffer 'mean'"),
        (lambda: Net().register_buffer("a.b", None), KeyError, r"buffer name can\\?'t contain"),
        (lambda: Net().register_buffer("fc1", None), KeyError, "attribute 'fc1' already exists"),
        (lambda: Net().register_buffer("forward", None), KeyError, "attribute 'forward' already exists"),
        (lambda: Net().register_buffer("q", 3), TypeError, "cannot assign 'int' object to buffer 'q'"),
        (lambda: Net().register_parameter("", None), KeyError, r"can\\?'t be empty string"),
        (lambda: Net().register_parameter(3, None), TypeError, "parameter name should be a string. Got int"),
        (lambda: Net().register_parameter("q", torch.zeros(1)), TypeError, "'torch.FloatTensor' object to parameter"),
        (lambda: Net().add_module("q", 3), TypeError, "int is not a Module subclass"),
        (lambda: Net().get_submodule("seq.9"), AttributeError, "Sequential has no attribute `9`"),
        (lambda: Net().get_submodule("fc1.weight"), AttributeError, "`weight` is not an nn.Module"),
        (lambda: Net().get_parameter("fc1"), AttributeError, "`fc1` is not an nn.Parameter"),
        (lambda: Net().get_buffer("fc1.weight"), AttributeError, "`weight` is not a buffer"),
        (lambda: Net().train(3), ValueError, "training mode is expected to be boolean"),
        (lambda: Net().to(torch.int64), TypeError, "only accepts floating point"),
        (lambda: nn.Parameter(torch.zeros(2, dtype=torch.int64)), RuntimeError, "nly Tensors of floating point"),
        (lambda: Net().register_full_backward_hook(print), NotImplementedError, "register_hook"),
    ],
)
def test_module_mistakes(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_get_by_path():
    net = Net()
    assert net.get_submodule("seq.0") is net.seq[0] and net.get_submodule("") is net
    assert net.get_parameter("seq.0.bias") is net.seq[0].bias
    assert net.get_buffer("mean") is net.mean


def test_error_names_the_layer_and_its_path():
    net = nn.Sequential(OrderedDict(body=Net()))
    with pytest.raises(RuntimeError, match=r"\(2x5 and 3x4\)") as caught:
        net(torch.zeros(2, 5))
    text = str(caught.value) + "\n".join(getattr(caught.value, "__notes__", []))
    assert "Linear(in_features=3, out_features=4, bias=True)" in text
    assert text.count("raised in ") == 1 and "raised in Sequential.body.fc1: Linear(" in text


def test_nodes_know_the_modules_that_made_them():
    class Deep(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(2, 2)])
            self.layers.append(nn.Sequential(nn.Tanh()))

        def forward(self, x):
            for layer in self.layers:
                x = layer(x)
            return x * 2

    net = Deep()
    y = net(torch.ones(1, 2))
    tanh = y.grad_fn.inputs[0]
    assert [scope.label for scope in y.grad_fn.scope.path()] == ["Deep"]
    assert [scope.label for scope in tanh.scope.path()] == ["Deep", "layers.1", "0"]
    assert tanh.scope.module() is net.layers[1][0]
    assert (y * 1).grad_fn.scope is None


def test_repr():
    assert repr(Net()) == (
        "Net(\n"
        "  (fc1): Linear(in_features=3, out_features=4, bias=True)\n"
        "  (act): ReLU()\n"
        "  (seq): Sequential(\n"
        "    (0): Linear(in_features=4, out_features=2, bias=True)\n"
        "    (1): Dropout(p=0.1, inplace=False)\n"
        "  )\n"
        ")"
    )
    assert repr(nn.Parameter(torch.zeros(2))) == "Parameter containing:\ntensor([0., 0.], requires_grad=True)"


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (nn.Linear(3, 2, bias=False), "Linear(in_features=3, out_features=2, bias=False)"),
        (nn.Bilinear(1, 2, 3), "Bilinear(in1_features=1, in2_features=2, out_features=3, bias=True)"),
        (nn.Identity(1, a=2), "Identity()"),
        (nn.ReLU(True), "ReLU(inplace=True)"),
        (nn.LeakyReLU(0.2, True), "LeakyReLU(negative_slope=0.2, inplace=True)"),
        (nn.ELU(), "ELU(alpha=1.0)"),
        (nn.GELU("tanh"), "GELU(approximate='tanh')"),
        (nn.Softplus(), "Softplus(beta=1.0, threshold=20.0)"),
        (nn.Hardtanh(-2, 3), "Hardtanh(min_val=-2, max_val=3)"),
        (nn.PReLU(), "PReLU(num_parameters=1)"),
        (nn.Softmax(1), "Softmax(dim=1)"),
        (nn.LogSoftmax(), "LogSoftmax(dim=None)"),
        (nn.Flatten(), "Flatten(start_dim=1, end_dim=-1)"),
        (nn.Unflatten(1, (2, 3)), "Unflatten(dim=1, unflattened_size=(2, 3))"),
        (nn.MSELoss(), "MSELoss()"),
        (nn.Sequential(), "Sequential()"),
        (nn.ModuleList(), "ModuleList()"),
    ],
)
def test_layer_repr(module, text):
    assert repr(module) == text


def test_modes_and_gradients():
    net = Net()
    assert net.training and net.eval() is net and not net.seq[1].training
    assert net.train().seq[1].training
    net(torch.ones(1, 3)).sum().backward()
    net.zero_grad(set_to_none=False)
    assert net.fc1.weight.grad.abs().sum().item() == 0
    net.zero_grad()
    assert net.fc1.weight.grad is None
    assert not any(p.requires_grad for p in net.requires_grad_(False).parameters())
    seen = []
    assert net.apply(lambda module: seen.append(type(module).__name__)) is net
    assert seen == ["Linear", "ReLU", "Linear", "Dropout", "Sequential", "Net"]


def test_dtypes():
    net = Net()
    net.register_buffer("steps", torch.zeros(1, dtype=torch.int64))
    weight = net.fc1.weight
    net(torch.ones(1, 3)).sum().backward()
    assert net.double() is net and net.fc1.weight is weight
    assert weight.dtype is torch.float64 and weight.grad.dtype is torch.float64 and weight.is_leaf
    assert net.mean.dtype is torch.float64 and net.steps.dtype is torch.int64
    assert net.to(torch.float32).fc1.weight.dtype is torch.float32
    assert net.half().fc1.weight.dtype is torch.float16
    assert net.float().to("cpu").cpu().fc1.weight.dtype is torch.float32
    assert net.to("cpu", torch.float64).fc1.weight.dtype is torch.float64
    assert net.to(torch.zeros(1)).fc1.weight.dtype is torch.float32
    assert net.to(dtype=torch.float64).steps.dtype is torch.int64


def test_hooks():
    class Plain(nn.Module):
        def forward(self, x, **kwargs):
            return x

    calls = []
    layer = Plain()
    pre = layer.register_forward_pre_hook(lambda m, args: calls.append("pre") or args[0] + 1)
    layer.register_forward_hook(lambda m, args, out: calls.append("hook"))
    first = layer.register_forward_hook(
        lambda m, args, kwargs, out: calls.append(kwargs) or out * 10, prepend=True, with_kwargs=True
    )
    assert layer(torch.tensor(1.0), flag=2).item() == 20
    assert calls == ["pre", {"flag": 2}, "hook"]
    pre.remove()
    first.remove()
    assert layer(torch.tensor(1.0)).item() == 1
    with layer.register_forward_pre_hook(lambda m, args, kwargs: (args, {}), with_kwargs=True):
        assert layer(torch.tensor(2.0), any=1).item() == 2
    with pytest.raises(TypeError, match="callable"):
        layer.register_forward_hook(3)


def test_copies():
    net = Net()
    twin = copy.deepcopy(net)
    assert torch.equal(twin.fc1.weight, net.fc1.weight) and twin.fc1.weight is not net.fc1.weight
    with torch.no_grad():
        twin.fc1.weight.zero_()
    assert net.fc1.weight.abs().sum().item() > 0
    assert isinstance(twin.fc1.weight, nn.Parameter) and twin.fc1.weight.requires_grad
    back = pickle.loads(pickle.dumps(net))
    assert torch.equal(back.fc1.weight, net.fc1.weight) and isinstance(back.fc1.weight, nn.Parameter)
    assert back.fc1.weight.requires_grad


def test_modules_are_freed_by_reference_counting():
    gc.disable()
    try:
        net = Net()
        net(torch.ones(1, 3)).sum().backward()
        gone = weakref.ref(net), weakref.ref(net.fc1.weight)
        del net
        assert [ref() for ref in gone] == [None, None]
    finally:
        gc.enable()


# ---------------------------------------------------------------- state


def test_state_dict_round_trip():
    net, other = Net(), Net()
    state = net.state_dict()
    assert list(state) == ["mean", "fc1.weight", "fc1.bias", "seq.0.weight", "seq.0.bias"]
    assert not state["fc1.weight"].requires_grad
    result = other.load_state_dict(state)
    assert str(result) == "<All keys matched successfully>" and result.missing_keys == []
    assert torch.equal(other.seq[0].weight, net.seq[0].weight)
    with torch.no_grad():
        net.fc1.bias.fill_(7.0)
    assert state["fc1.bias"].tolist() == [7.0] * 4  # a snapshot shares memory
    assert other.fc1.bias.tolist() != [7.0] * 4
    assert net.state_dict(keep_vars=True)["fc1.bias"] is net.fc1.bias
    missing, unexpected = other.load_state_dict({"x": torch.zeros(1)}, strict=False)
    assert unexpected == ["x"] and missing == list(state)
    other.load_state_dict({key: value.double() for key, value in state.items()}, assign=True)
    assert other.fc1.weight.dtype is torch.float64 and isinstance(other.fc1.weight, nn.Parameter)


def test_load_state_dict_all_or_nothing():
    net = Net()
    before = copy.deepcopy(net.state_dict())
    state = {key: value + 1 for key, value in before.items()}
    del state["fc1.bias"]
    state["zz"] = torch.zeros(1)
    state["fc1.weight"] = torch.zeros(5, 3)
    state["seq.0.bias"] = 3
    with pytest.raises(RuntimeError) as caught:
        net.load_state_dict(state)
    assert str(caught.value).startswith(
        "Error(s) in loading state_dict for Net:\n"
        '\tMissing key(s) in state_dict: "fc1.bias". \n'
        '\tUnexpected key(s) in state_dict: "zz". \n'
        "\tsize mismatch for fc1.weight: copying a param with shape torch.Size([5, 3]) from checkpoint, "
        "the shape in current model is torch.Size([4, 3]).\n"
        '\tWhile copying the parameter named "seq.0.bias", expected torch.Tensor or Tensor-like object '
        "from checkpoint but received <class 'int'>"
    )
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    with pytest.raises(TypeError, match="Expected state_dict to be dict-like, got <class 'int'>"):
        net.load_state_dict(3)


# ---------------------------------------------------------------- containers


def test_sequential():
    relu, tanh, sigmoid = nn.ReLU(), nn.Tanh(), nn.Sigmoid()
    model = nn.Sequential(relu, tanh, sigmoid)
    assert len(model) == 3 and model[-1] is sigmoid and list(model) == [relu, tanh, sigmoid]
    assert model(torch.tensor([2.0])).item() == pytest.approx(0.7239, abs=1e-4)
    assert list(model[1:]._modules) == ["1", "2"]
    assert list(model[1:].append(relu)) == [tanh, sigmoid, relu]
    assert list(model.insert(1, nn.Identity()))[2] is tanh and list(model._modules) == ["0", "1", "2", "3"]
    del model[1]
    assert list(model) == [relu, tanh, sigmoid] and list(model._modules) == ["0", "1", "2"]
    assert list(model + nn.Sequential(relu)) == [relu, tanh, sigmoid, relu]
    assert model.pop(0) is relu and len(model) == 2
    model[0] = relu
    assert list(model.extend([tanh])) == [relu, sigmoid, tanh]
    named = nn.Sequential(OrderedDict(a=relu, b=tanh))
    assert named.b is tanh and named[0] is relu
    with pytest.raises(IndexError, match="index 9 is out of range"):
        named[9]
    with pytest.raises(TypeError, match="int is not a Module subclass"):
        nn.Sequential(3)


def test_module_list_and_dict():
    layers = nn.ModuleList([nn.Linear(1, 1), nn.Linear(1, 1), nn.ReLU()])
    assert repr(layers) == (
        "ModuleList(\n  (0-1): 2 x Linear(in_features=1, out_features=1, bias=True)\n  (2): ReLU()\n)"
    )
    assert len(list(layers.parameters())) == 4 and len(layers[1:]) == 2 and layers[2] in layers
    layers += [nn.Tanh()]
    assert len(layers) == 4 and len(layers + layers) == 8
    with pytest.raises(NotImplementedError, match="missing the required"):
        layers(torch.zeros(1))
    with pytest.raises(TypeError, match="should be called with an iterable, but got int"):
        layers.extend(3)
    named = nn.ModuleDict({"a": nn.Tanh(), "b": nn.Linear(1, 2)})
    named["c"] = nn.ReLU()
    assert list(named) == ["a", "b", "c"] and "b" in named and len(named) == 3
    assert [type(m).__name__ for m in named.values()] == ["Tanh", "Linear", "ReLU"]
    assert named.pop("a") is not None and list(named.keys()) == ["b", "c"]
    with pytest.raises(KeyError):
        named["zz"]
    with pytest.raises(TypeError, match="iterable of key/value pairs, but got int"):
        named.update(3)


def test_parameter_containers():
    params = nn.ParameterList([torch.zeros(2, 3), 3])
    assert isinstance(params[0], nn.Parameter) and params[1] == 3 and len(params) == 2
    params.append(nn.Parameter(torch.ones(1)))
    assert len(list(params.parameters())) == 2 and list(params.state_dict()) == ["0", "2"]
    assert repr(nn.ParameterList([torch.zeros(2, 3), 3])) == (
        "ParameterList(\n    (0): Parameter containing: [torch.float32 of size 2x3]\n    (1): Object of type: int\n)"
    )
    named = nn.ParameterDict({"a": torch.zeros(2), "b": nn.Parameter(torch.ones(1))})
    assert list(named.keys()) == ["a", "b"] and "a" in named and named.get("q", 5) == 5
    assert repr(nn.ParameterDict({"a": torch.zeros(2)})) == (
        "ParameterDict(  (a): Parameter containing: [torch.FloatTensor of size 2])"
    )
    del named["a"]
    assert [name for name, _ in named.named_parameters()] == ["b"]
    with pytest.raises(KeyError):
        named["a"]


def test_flatten_and_unflatten():
    x = torch.zeros(2, 3, 4)
    assert nn.Flatten()(x).shape == (2, 12) and nn.Flatten(0, 1)(x).shape == (6, 4)
    assert nn.Unflatten(1, (3, -1))(torch.zeros(2, 12)).shape == (2, 3, 4)


# ---------------------------------------------------------------- nn.utils


def with_gradients():
    params = [nn.Parameter(torch.zeros(2, 2)), nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(1))]
    params[0].grad = torch.tensor([[3.0, 4.0], [0.0, 1.0]])
    params[1].grad = torch.tensor([1.0, -2.0, 2.0])
    return params


def test_clipping():
    params = with_gradients()
    assert nn.utils.clip_grad_norm_(params, 2.0).item() == pytest.approx(5.91608)
    close(params[0].grad, [1.014185, 1.3522465, 0.0, 0.3380616])
    close(params[1].grad, [0.3380616, -0.6761233, 0.6761233])
    assert params[2].grad is None
    params = with_gradients()
    assert nn.utils.clip_grad_norm_(params, 1.0, float("inf")).item() == 4.0
    close(params[0].grad, [0.7499998, 0.9999998, 0.0, 0.2499999])
    params = with_gradients()
    nn.utils.clip_grad_norm_(params, 100.0)
    assert params[0].grad.tolist() == [[3.0, 4.0], [0.0, 1.0]]
    nn.utils.clip_grad_value_(params, 1.5)
    assert params[1].grad.tolist() == [1.0, -1.5, 1.5]
    params[0].grad[0, 0] = float("nan")
    with pytest.raises(RuntimeError, match="non-finite"):
        nn.utils.clip_grad_norm_(params, 1.0, error_if_nonfinite=True)
    assert nn.utils.clip_grad_norm_([], 1.0).item() == 0


def test_parameters_as_a_vector():
    layer = nn.Linear(2, 3)
    vector = nn.utils.parameters_to_vector(layer.parameters())
    assert vector.shape == (9,)
    nn.utils.vector_to_parameters(torch.arange(9.0), layer.parameters())
    assert layer.weight.tolist() == [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]] and layer.bias.tolist() == [6.0, 7.0, 8.0]
    with pytest.raises(RuntimeError, match="hold 9 values"):
        nn.utils.vector_to_parameters(torch.zeros(5), layer.parameters())


def test_no_warning_without_a_reason():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        F.mse_loss(torch.zeros(3), torch.zeros(3))
        F.kl_div(torch.zeros(3), torch.ones(3), reduction="sum")


def test_class_weights_have_the_dtype_of_the_input():
    x, t = torch.zeros(2, 3), torch.tensor([0, 2])
    for loss in (F.nll_loss, F.cross_entropy):
        with pytest.raises(RuntimeError, match="expected scalar type Float but found Double"):
            loss(x, t, torch.ones(3, dtype=torch.float64))
