"""Losses; numbers recorded from PyTorch 2.13 (CPU)."""

import math
import warnings

import pytest
from networks import TARGETS, X, close

import microtorch as torch
from microtorch import nn
from microtorch.nn import functional as F

# fmt: off
# name, target, arguments, mean, sum, none, gradient of the mean
LOSSES = [
    ("mse_loss", "Y", {}, 1.8933333, 22.72, [0.16, 1.96, 0.25, 6.25, 0.0, 1.44, 1.0, 9.0, 0.0,
     1.44, 1.21,
     0.01], [0.0666667, -0.2333333, 0.0833333, 0.4166667, 0.0, -0.2, -0.1666667, 0.5, 0.0, 0.2,
     -0.1833333,
     -0.0166667]),
    ("l1_loss", "Y", {}, 1.0333333, 12.4, [0.4, 1.4, 0.5, 2.5, 0.0, 1.2, 1.0, 3.0, 0.0, 1.2, 1.1,
     0.1],
     [0.0833333, -0.0833333, 0.0833333, 0.0833333, 0.0, -0.0833333, -0.0833333, 0.0833333, 0.0,
     0.0833333,
     -0.0833333, -0.0833333]),
    ("smooth_l1_loss", "Y", {}, 0.6758333, 8.11, [0.08, 0.9, 0.125, 2.0, 0.0, 0.7, 0.5, 2.5, 0.0,
     0.7, 0.6,
     0.005], [0.0333333, -0.0833333, 0.0416667, 0.0833333, 0.0, -0.0833333, -0.0833333, 0.0833333,
     0.0,
     0.0833333, -0.0833333, -0.0083333]),
    ("smooth_l1_loss", "Y", {"beta": 0.5}, 0.8391667, 10.07, [0.16, 1.15, 0.25, 2.25, 0.0, 0.95,
     0.75, 2.75,
     0.0, 0.95, 0.85, 0.01], [0.0666667, -0.0833333, 0.0833333, 0.0833333, 0.0, -0.0833333,
     -0.0833333,
     0.0833333, 0.0, 0.0833333, -0.0833333, -0.0166667]),
    ("huber_loss", "Y", {}, 0.6758333, 8.11, [0.08, 0.9, 0.125, 2.0, 0.0, 0.7, 0.5, 2.5, 0.0, 0.7,
     0.6,
     0.005], [0.0333333, -0.0833333, 0.0416667, 0.0833333, 0.0, -0.0833333, -0.0833333, 0.0833333,
     0.0,
     0.0833333, -0.0833333, -0.0083333]),
    ("huber_loss", "Y", {"delta": 1.5}, 0.81125, 9.735, [0.08, 0.98, 0.125, 2.625, 0.0, 0.72, 0.5,
     3.375,
     0.0, 0.72, 0.605, 0.005], [0.0333333, -0.1166667, 0.0416667, 0.125, 0.0, -0.1, -0.0833333,
     0.125, 0.0,
     0.1, -0.0916667, -0.0083333]),
    ("cross_entropy", "T", {}, 1.1549722, 3.4649166, [0.2341961, 0.3375096, 0.0, 2.8932109],
     [0.0588474,
     0.0107504, -0.0695978, -0.095485, 0.0716386, 0.0238464, 0.0, 0.0, 0.0, 0.3036671, -0.3148673,
     0.0112002]),
    ("cross_entropy", "T", {"weight": "W"}, 1.5766177, 6.3064708, [0.3512942, 0.1687548, 0.0,
     5.7864218],
     [0.0662033, 0.0120942, -0.0782975, -0.0358069, 0.0268645, 0.0089424, 0.0, 0.0, 0.0, 0.4555007,
     -0.472301, 0.0168003]),
    ("cross_entropy", "T", {"label_smoothing": 0.1}, 1.2205278, 3.6615833, [0.3908628, 0.4541763,
     0.0,
     2.8165442], [0.0477362, -0.0003607, -0.0473756, -0.0732627, 0.0605274, 0.0127353, 0.0, 0.0,
     0.0,
     0.292556, -0.2926451, 8.91e-05]),
    ("cross_entropy", "T", {"weight": "W", "label_smoothing": 0.1}, 1.6373698, 6.5494793,
     [0.5857243,
     0.3918806, 0.0, 5.5718744], [0.061301, -0.0047068, -0.0565942, -0.012608, 0.0146752,
     -0.0020672, 0.0,
     0.0, 0.0, 0.4361506, -0.4398909, 0.0037403]),
    ("cross_entropy", "U", {"ignore_index": 2}, 1.258042, 3.7741261, [0.0, 0.3375096, 0.5434055,
     2.8932109],
     [0.0, 0.0, 0.0, -0.095485, 0.0716386, 0.0238464, 0.0527592, -0.1397443, 0.0869852, 0.3036671,
     -0.3148673, 0.0112002]),
    ("cross_entropy", "P", {}, 1.5108305, 6.0433222, [1.4941961, 0.9175096, 1.3134055, 2.3182109],
     [-0.0058645, -0.0669372, 0.0728017, 0.0033863, 0.0287289, -0.0321152, 0.0145694, 0.1201918,
     -0.1347611,
     0.1652503, -0.1111505, -0.0540998]),
    ("cross_entropy", "P", {"weight": "W", "label_smoothing": 0.2}, 2.4272325, 9.7089302,
     [2.4667865,
     1.4535091, 1.7185919, 4.0700427], [0.0346333, -0.1418304, 0.107197, 0.090539, -0.02247,
     -0.0680691,
     0.038119, 0.1338069, -0.1719259, 0.3007005, -0.2130207, -0.0876798]),
    ("nll_loss", "T", {}, -0.9666667, -2.9, [-2.0, -1.5, 0.0, 0.6], [0.0, 0.0, -0.3333333,
     -0.3333333, 0.0,
     0.0, 0.0, 0.0, 0.0, 0.0, -0.3333333, 0.0]),
    ("nll_loss", "T", {"weight": "W"}, -0.6375, -2.55, [-3.0, -0.75, 0.0, 1.2], [0.0, 0.0, -0.375,
     -0.125,
     0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -0.5, 0.0]),
    ("binary_cross_entropy_with_logits", "P", {}, 0.8378858, 10.054629, [0.874077, 0.6232825,
     1.126928,
     0.6514133, 0.8243552, 0.5311007, 0.5530153, 1.1511539, 0.6643967, 1.7550833, 0.737488,
     0.5623353],
     [0.0352049, -0.0057104, 0.0317331, 0.0097979, 0.0395369, 0.0091688, 0.0251094, 0.0509125,
     -0.0229184,
     0.0541875, -0.012138, -2.17e-05]),
    ("binary_cross_entropy_with_logits", "P", {"pos_weight": "W", "weight": "W"}, 1.3160613,
     15.792736,
     [0.4133346, 2.1245344, 1.73799, 0.2904593, 1.7595815, 0.9723161, 0.2536822, 2.3705385,
     1.383233,
     0.870974, 2.5124639, 1.1036284], [0.0191756, -0.049847, 0.0438745, 0.0075593, 0.0719811,
     0.0051285,
     0.0138019, 0.0970074, -0.0581286, 0.0276133, -0.0780807, -0.0117553]),
    ("kl_div", "P", {}, -0.439602, -5.2752242, [-0.4218876, -0.0011918, -1.3465736, -1.2996725,
     -0.2602585,
     -0.1618876, -0.1902585, -0.3202585, -0.2585148, -0.8965736, -0.0465736, -0.0715736],
     [-0.0166667,
     -0.025, -0.0416667, -0.0583333, -0.0083333, -0.0166667, -0.0083333, -0.0083333, -0.0666667,
     -0.0208333,
     -0.0416667, -0.0208333]),
    ("kl_div", "Y", {"log_target": True}, -0.0049388, -0.0592653, [-0.4420684, 1.7099639,
     -2.2408445,
     -0.9196986, 0.0, 1.7901896, 1.8221188, -0.3673693, 0.0, -3.2619382, 1.8135934, 0.0367879],
     [-0.0920976,
     -0.1017836, -0.3734741, -0.0306566, -0.1124882, -0.1243187, -0.1518432, -0.0102047, -0.0920976,
     -0.2265235, -0.1373934, -0.0306566]),
]
# fmt: on


def argument(value):
    return torch.tensor(TARGETS[value], dtype=torch.float64) if isinstance(value, str) else value


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
@pytest.mark.parametrize(
    ("name", "target", "arguments", "mean", "total", "each", "gradient"), LOSSES
)
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


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("weight", [None, 3.0])
def test_the_gradient_for_a_logit_that_is_right_is_small_but_not_nothing(dtype, weight):
    # 1 - sigmoid(-x) would leave none of it
    logits = torch.tensor([-9.0, 9.0], dtype=dtype, requires_grad=True)
    target = torch.tensor([0.0, 1.0], dtype=dtype)
    weights = None if weight is None else torch.tensor(weight, dtype=dtype)
    loss = F.binary_cross_entropy_with_logits(logits, target, pos_weight=weights, reduction="sum")
    loss.backward()
    right = 1.0 / (1.0 + math.exp(9.0))
    expected = torch.tensor([right, -right * (weight or 1.0)])
    assert torch.allclose(logits.grad.float(), expected, rtol=max(1e-5, torch.finfo(dtype).eps))


def test_the_second_derivative_for_a_logit():
    x = torch.tensor([-20.0, -20.0, 20.0, 20.0, 0.0], requires_grad=True)
    y = torch.tensor([0.0, 0.3, 1.0, 0.3, 1.0])
    loss = F.binary_cross_entropy_with_logits(x, y, reduction="sum")
    slope, = torch.autograd.grad(loss, x, create_graph=True)
    curve, = torch.autograd.grad(slope.sum(), x)
    far = math.exp(-20.0)
    assert torch.allclose(curve, torch.tensor([far, far, far, far, 0.25]), rtol=1e-5)


def test_the_soft_margin_far_on_the_wrong_side_does_not_overflow():
    x = torch.tensor([-100.0, -20.0, 20.0], requires_grad=True)
    loss = F.soft_margin_loss(x, torch.ones(3), reduction="none")
    slope, = torch.autograd.grad(loss.sum(), x)
    far = math.exp(-20.0)
    assert torch.allclose(loss, torch.tensor([100.0, 20.0, far]), rtol=1e-5, atol=0)
    assert torch.allclose(slope, torch.tensor([-1.0, -1.0, -far]), rtol=1e-5, atol=0)


def test_the_second_derivative_of_binary_cross_entropy_is_no_difference_of_large_numbers():
    x = torch.tensor([1e-7, 1e-5, 1e-7, 1 - 2**-24, 0.3, 0.0, 1.0], requires_grad=True)
    y = torch.tensor([0.0, 0.0, 1.0, 1.0, 0.4, 0.0, 1.0], requires_grad=True)
    loss = F.binary_cross_entropy(x, y, reduction="sum")
    slope, = torch.autograd.grad(loss, x, create_graph=True)
    by_x, by_y = torch.autograd.grad(slope.sum(), (x, y))
    expected = torch.tensor([1.0, 1.00002, 1e14, 1.0, 5.668934, 0.0, 0.0])
    assert torch.allclose(by_x, expected, rtol=1e-5)
    assert torch.allclose(by_y, -1 / (x * (1 - x)).clamp_min(1e-12))


def test_kl_div_batchmean():
    x, p = torch.tensor(X), torch.tensor(TARGETS["P"])
    assert torch.allclose(
        F.kl_div(x, p, reduction="batchmean"), F.kl_div(x, p, reduction="sum") / 4
    )
    with pytest.warns(UserWarning, match="size_average"):  # PyTorch divides by the batch then, too
        summed = F.kl_div(x, p, size_average=False, reduction="batchmean")
    assert torch.allclose(summed, F.kl_div(x, p, reduction="batchmean"))


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
def test_loss_warns_of_broadcasting(name):
    with pytest.warns(
        UserWarning,
        match=r"Using a target size \(torch.Size\(\[3\]\)\) that is different to the input",
    ):
        getattr(F, name)(torch.zeros(3, 1), torch.zeros(3))


def test_old_reduction_flags():
    x, y = torch.tensor(X), torch.tensor(TARGETS["Y"])
    with pytest.warns(UserWarning, match="please use reduction='sum' instead"):
        assert torch.equal(F.mse_loss(x, y, size_average=False), F.mse_loss(x, y, reduction="sum"))
    with pytest.warns(UserWarning, match="please use reduction='none' instead"):
        assert nn.L1Loss(reduce=False)(x, y).shape == (4, 3)


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


z = torch.zeros


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: F.cross_entropy(z(3, 4), z(3)),
            RuntimeError,
            r"expected target dtype to be Long[^$]*target.long",
        ),
        (
            lambda: F.cross_entropy(z(3, 4), z(2).long()),
            ValueError,
            r"batch_size \(3\) to match target batch_size \(2",
        ),
        (
            lambda: F.cross_entropy(z(3, 4), torch.tensor([0, 1, 4])),
            IndexError,
            "Target 4 is out of bounds",
        ),
        (
            lambda: F.cross_entropy(z(3, 4), torch.tensor([0, 1, -1])),
            IndexError,
            "Target -1 is out of bounds",
        ),
        (
            lambda: F.cross_entropy(z(3, 4), z(3, 1).long()),
            RuntimeError,
            r"multi-target not supported[^$]*squeeze",
        ),
        (
            lambda: F.cross_entropy(z(3, 4), z(3, 4).long()),
            RuntimeError,
            "floating point type for target",
        ),
        (
            lambda: F.cross_entropy(z(3, 4), z(3).long(), weight=z(3)),
            RuntimeError,
            "either for all 4 classes",
        ),
        (
            lambda: F.cross_entropy(z(3, 4), z(3).long(), label_smoothing=2),
            RuntimeError,
            "between 0.0 and 1.0",
        ),
        (lambda: F.cross_entropy(z(3, 4), [1, 2, 3]), TypeError, "must be Tensor, not list"),
        (
            lambda: F.cross_entropy(z(2, 3, 4), z(2, 5).long()),
            RuntimeError,
            r"target size \[2, 4\], got \[2, 5\]",
        ),
        (
            lambda: F.mse_loss(z(3), z(3), reduction="foo"),
            ValueError,
            "foo is not a valid value for reduction",
        ),
        (lambda: F.smooth_l1_loss(z(3), z(3), beta=-1), RuntimeError, "negative values for beta"),
        (lambda: F.huber_loss(z(3), z(3), delta=0), RuntimeError, "non-positive values for delta"),
        (
            lambda: F.binary_cross_entropy(z(3) + 2, z(3)),
            RuntimeError,
            "input should be between 0 and 1[^$]*logits",
        ),
        (lambda: F.binary_cross_entropy(z(3, 1), z(3)), ValueError, "is deprecated"),
        (
            lambda: F.binary_cross_entropy(z(3), z(3).long()),
            RuntimeError,
            "Found dtype torch.int64 but expected",
        ),
        (
            lambda: F.binary_cross_entropy_with_logits(z(3, 1), z(3)),
            ValueError,
            "must be the same as input size",
        ),
        (
            lambda: F.binary_cross_entropy_with_logits(z(3).long(), z(3)),
            NotImplementedError,
            "not implemented for 'Long'",
        ),
    ],
)
def test_mistakes_with_losses(call, error, text):
    with pytest.raises(error, match=text):
        call()


@pytest.mark.parametrize("loss", [F.mse_loss, F.smooth_l1_loss, F.huber_loss])
def test_masks_and_integers_beside_floating_numbers(loss):
    mask, numbers = torch.tensor([True, False]), torch.tensor([0.5, 2.0])
    assert loss(numbers, mask).item() == loss(numbers, mask.float()).item()
    assert loss(numbers, mask.long()).item() == loss(numbers, mask.float()).item()
    for both in (mask, mask.long(), numbers * 1j):
        with pytest.raises(NotImplementedError, match="not implemented for"):
            loss(both, both)


@pytest.mark.filterwarnings("ignore::RuntimeWarning:microtorch")
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_where_all_targets_are_ignored_the_mean_is_nan_and_the_gradient_0(smoothing):
    x = torch.zeros(2, 3, requires_grad=True)
    weight = torch.tensor([1.0, 2.0, 3.0])
    nothing = torch.tensor([-100, -100])
    loss = F.cross_entropy(x, nothing, weight, label_smoothing=smoothing)
    loss.backward()
    assert loss.isnan() and x.grad.tolist() == [[0, 0, 0]] * 2


def test_class_weights_are_one_number_for_each_class():
    x, t = torch.ones(2, 3), torch.full((2, 3), 1 / 3)
    for target in (t, torch.tensor([0, 1])):
        for weight in (torch.ones(2, 3), torch.ones(2), torch.ones(1)):
            with pytest.raises(RuntimeError, match="all 3 classes or no classes"):
                F.cross_entropy(x, target, weight)
    with pytest.raises(ValueError, match="batch_size"):  # whatever the dtype of the target
        F.cross_entropy(x, torch.ones(4, 3))
