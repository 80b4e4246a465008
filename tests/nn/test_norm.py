"""Normalisation: layers against PyTorch's record, running statistics, derivatives, messages."""

import golden
import pytest
from golden import trained

import microtorch as torch
from microtorch import autograd, nn
from microtorch.backends.reference import Reference
from microtorch.nn import functional as F

IMAGES = (3, 4, 3, 2)


def layer(name, *args, shape=IMAGES, **settings):
    def case(torch):
        module = getattr(torch.nn, name)(*args, **settings)
        with torch.no_grad():
            for i, p in enumerate(module.parameters()):
                p.add_(torch.arange(p.numel()).reshape(p.shape).add(i).sin())
        return trained(torch, module, torch.randn(shape) * 2 + 1)

    return case


def batch_norm(name, shape, **settings):
    """Three batches in training, one in evaluation."""

    def case(torch):
        module = getattr(torch.nn, name)(shape[1], **settings)
        batches = [torch.randn(shape) * (i + 1) + i for i in range(4)]
        outputs = [module(x) for x in batches[:3]]
        module.eval()
        return [*outputs, *trained(torch, module, batches[3]), *module.state_dict().values()]

    return case


CASES = {
    "BatchNorm1d": batch_norm("BatchNorm1d", (5, 3)),
    "BatchNorm1d sequence": batch_norm("BatchNorm1d", (3, 2, 4), momentum=0.5, eps=0.1),
    "BatchNorm2d": batch_norm("BatchNorm2d", IMAGES),
    "BatchNorm2d average": batch_norm("BatchNorm2d", IMAGES, momentum=None),
    "BatchNorm2d no stats": batch_norm("BatchNorm2d", IMAGES, track_running_stats=False),
    "BatchNorm2d plain": batch_norm("BatchNorm2d", IMAGES, affine=False),
    "BatchNorm3d": batch_norm("BatchNorm3d", (2, 3, 2, 2, 2)),
    "BatchNorm2d training": layer("BatchNorm2d", 4),
    "LayerNorm": layer("LayerNorm", (3, 2)),
    "LayerNorm no bias": layer("LayerNorm", 2, bias=False, eps=0.1),
    "LayerNorm plain": layer("LayerNorm", (4, 3, 2), elementwise_affine=False),
    "RMSNorm": layer("RMSNorm", (3, 2)),
    "RMSNorm eps": layer("RMSNorm", 2, eps=0.1),
    "GroupNorm": layer("GroupNorm", 2, 4),
    "InstanceNorm2d": layer("InstanceNorm2d", 4, affine=True),
    "InstanceNorm1d": layer("InstanceNorm1d", 4, shape=(4, 5)),
}


@pytest.mark.parametrize("name", CASES)
def test_layers_compute_what_pytorch_computes(name):
    golden.check(f"test_norm:{name}", CASES[name])


def test_state_and_reprs():
    module = nn.BatchNorm2d(3)
    assert list(module.state_dict()) == [
        "weight",
        "bias",
        "running_mean",
        "running_var",
        "num_batches_tracked",
    ]
    assert (
        repr(module) == "BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, "
        "track_running_stats=True)"
    )
    assert (
        repr(nn.LayerNorm((2, 3)))
        == "LayerNorm((2, 3), eps=1e-05, elementwise_affine=True, bias=True)"
    )
    assert repr(nn.GroupNorm(2, 4)) == "GroupNorm(2, 4, eps=1e-05, affine=True, bias=True)"
    assert repr(nn.RMSNorm(3)) == "RMSNorm((3,), eps=None, elementwise_affine=True)"
    other = nn.BatchNorm2d(3)
    module(torch.randn(4, 3, 2, 2))
    other.load_state_dict(module.state_dict())
    assert (
        torch.equal(other.running_mean, module.running_mean) and int(other.num_batches_tracked) == 1
    )
    module.reset_running_stats()
    assert module.running_mean.tolist() == [0.0] * 3 and module.running_var.tolist() == [1.0] * 3
    assert int(module.num_batches_tracked) == 0


def test_result_is_normal():
    torch.manual_seed(0)
    y = nn.BatchNorm2d(3, affine=False)(torch.randn(8, 3, 5, 5) * 4 + 2)
    assert torch.allclose(y.mean((0, 2, 3)), torch.zeros(3), atol=1e-6)
    assert torch.allclose(y.var((0, 2, 3), correction=0), torch.ones(3), atol=1e-5)


@pytest.mark.parametrize("n", [1, 7, 40, 300])
@pytest.mark.parametrize("how", ["eager", "compiled", "reference"])
def test_equal_numbers_become_0(how, n):
    """Not 300 times the last bit of their mean; and their running variance is 0."""

    def batch_norm(x):
        return F.batch_norm(x, None, None, training=True)

    norms = {
        "batch": batch_norm,
        "columns": lambda x: batch_norm(x.flatten(0, 1).mT.flatten(0, 1)),
        "instance": F.instance_norm,
        "group": lambda x: F.group_norm(x, 1),
        "layer": lambda x: F.layer_norm(x, x.shape[2:]),
    }
    for i in range(20):
        value = torch.full((n, 2, 3, 7), (i + 1) ** 0.5 * 10.0 ** (i % 7 - 3))
        if how == "reference":
            backend = Reference(value.array.dtype)
            mean, var = backend.moments(value.array)
            assert (mean == value.array.flat[0]).all() and not var.any()
            assert not backend.batch_norm(value.array, eps=1e-5).any()
            assert not backend.layer_norm(value.array, ndim=2, eps=1e-5).any()
            continue
        for name, norm in norms.items():
            assert not (torch.compile(norm) if how == "compiled" else norm)(value).any(), name
        mean, var = torch.zeros(2), torch.ones(2)
        F.batch_norm(value, mean, var, training=True, momentum=1.0)
        assert not var.any() and mean.equal(value[0, :, 0, 0])


@pytest.mark.parametrize("affine", [0, 1, 2])
@pytest.mark.parametrize("name", ["batch", "fixed", "layer", "group", "rms"])
def test_derivatives(name, affine):
    torch.manual_seed(1)

    def leaf(*shape):
        return torch.randn(*shape, dtype=torch.float64, requires_grad=True)

    mean, var = torch.randn(2, dtype=torch.float64), torch.rand(2, dtype=torch.float64) + 0.5
    channels = (3,) if name in ("layer", "rms") else (2,)
    function = {
        "batch": lambda x, *wb: F.batch_norm(x, None, None, *wb, training=True),
        "fixed": lambda x, *wb: F.batch_norm(x, mean, var, *wb),
        "layer": lambda x, *wb: F.layer_norm(x, channels, *wb),
        "group": lambda x, *wb: F.group_norm(x, 2, *wb),
        "rms": lambda x, *w: F.rms_norm(x, channels, *w[:1]),
    }[name]
    xs = [
        leaf(3, 2, 3),
        *[leaf(*channels) for _ in range(min(affine, 1) if name == "rms" else affine)],
    ]
    assert autograd.gradcheck(function, xs)
    assert autograd.gradgradcheck(lambda *xs: function(*xs) ** 2, xs, atol=1e-4)


def test_bias_without_weight():
    x, b = torch.randn(3, 2), torch.randn(2, requires_grad=True)
    assert torch.allclose(F.layer_norm(x, (2,), None, b), F.layer_norm(x, (2,)) + b)


def test_running_statistics_are_written_in_place_and_seen():
    mean, var = torch.zeros(2), torch.ones(2)
    w = torch.ones(2, requires_grad=True)
    y = w * mean
    F.batch_norm(torch.randn(3, 2), mean, var, training=True)
    with pytest.raises(RuntimeError, match=r"in-?place"):
        y.sum().backward()


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: nn.BatchNorm2d(3)(torch.zeros(2, 3)),
            ValueError,
            r"expected 4D input \(got 2D input\)",
        ),
        (
            lambda: nn.BatchNorm1d(3)(torch.zeros(2, 3, 4, 4)),
            ValueError,
            r"expected 2D or 3D input \(got 4D input\)",
        ),
        (
            lambda: nn.BatchNorm1d(3)(torch.zeros(2, 4)),
            RuntimeError,
            r"running_mean should contain 4 elements not 3[\s\S]*num_features=4",
        ),
        (
            lambda: nn.BatchNorm1d(3)(torch.zeros(1, 3)),
            ValueError,
            r"more than 1 value per channel[\s\S]*eval",
        ),
        (
            lambda: nn.LayerNorm(3)(torch.zeros(2, 4)),
            RuntimeError,
            r"Given normalized_shape=\[3\], expected input with shape \[\*, 3\]",
        ),
        (
            lambda: F.layer_norm(torch.zeros(2, 4), (4,), torch.zeros(3)),
            RuntimeError,
            "Expected weight to be of same shape",
        ),
        (
            lambda: F.layer_norm(torch.zeros(2, 4, dtype=torch.int64), (4,)),
            RuntimeError,
            "not implemented for 'Long'",
        ),
        (lambda: nn.GroupNorm(2, 3), ValueError, "must be divisible"),
        (lambda: F.group_norm(torch.zeros(2, 3), 2), RuntimeError, "divisible by num_groups"),
        (
            lambda: F.group_norm(torch.zeros(2, 4, dtype=torch.int64), 2),
            NotImplementedError,
            "not implemented for 'Long'",
        ),
        (
            lambda: F.batch_norm(torch.zeros(2, 3), None, None),
            RuntimeError,
            "running_mean must be defined",
        ),
        (
            lambda: nn.InstanceNorm2d(2)(torch.zeros(1, 2, 1, 1)),
            ValueError,
            "more than 1 spatial element",
        ),
    ],
)
def test_messages(call, error, text):
    with pytest.raises(error, match=text):
        call()
