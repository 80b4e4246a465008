"""Where PyTorch warns, or does what we do not, and of what: the text's beginning, and category."""

import warnings

import numpy
import pytest

import microtorch as torch
from microtorch import nn
from microtorch.nn import functional as F

x = torch.ones(1, requires_grad=True)
image = torch.ones(1, 1, 4, 4)
three = torch.ones(2, 3)

USER = {
    "Creating a tensor from a list of numpy.ndarrays is extremely slow": (
        lambda: torch.tensor([numpy.ones(2), numpy.ones(2)])
    ),
    "TypedStorage is deprecated": lambda: x.detach().storage(),
    "`nn.functional.upsample` is deprecated": lambda: F.upsample(image, 2),
    "`nn.functional.upsample_nearest` is deprecated": lambda: F.upsample_nearest(image, 2),
    "`nn.functional.upsample_bilinear` is deprecated": lambda: F.upsample_bilinear(image, 2),
    "Using padding='same' with even kernel lengths": (
        lambda: F.conv2d(image, torch.ones(1, 1, 2, 4), padding="same")
    ),
    "Since version 1.3.0, affine_grid": (
        lambda: F.affine_grid(torch.ones(1, 2, 3), (1, 1, 1, 3), align_corners=True)
    ),
    "reduction='elementwise_mean' is deprecated": (
        lambda: F.mse_loss(image, image, reduction="elementwise_mean")
    ),
    "This DataLoader will create 4096 worker": (
        lambda: torch.utils.data.DataLoader(range(3), num_workers=4096)
    ),
    "'pin_memory' argument is set as true": (
        lambda: list(torch.utils.data.DataLoader(range(3), pin_memory=True))
    ),
    "Using backward() with create_graph=True": lambda: (x * 2).backward(create_graph=True),
    "Using torch.cross without specifying the dim": lambda: torch.cross(three, three),
    "torch.chain_matmul is deprecated": lambda: torch.chain_matmul(torch.eye(2), torch.eye(2)),
    "torch.triangular_solve is deprecated": (
        lambda: torch.triangular_solve(torch.ones(2, 1), torch.eye(2))
    ),
    "torch.lu is deprecated": lambda: torch.eye(2).lu(),
    "torch.lu_solve is deprecated": (
        lambda: torch.lu_solve(torch.ones(2, 1), *torch.linalg.lu_factor(torch.eye(2)))
    ),
    "torch.qr is deprecated": lambda: torch.eye(2).qr(),
    "torch.cholesky is deprecated": lambda: torch.cholesky(torch.eye(2)),
    "torch.set_default_tensor_type() is deprecated": (
        lambda: torch.set_default_tensor_type(torch.FloatTensor)
    ),
    "The reduce argument of torch.scatter": (
        lambda: torch.zeros(2).scatter(0, torch.tensor([0]), torch.ones(1), reduce="add")
    ),
    "cov(): degrees of freedom is <= 0": lambda: torch.cov(torch.ones(1)),
    "dropout2d: Received a 3D input": lambda: F.dropout2d(torch.ones(1, 2, 3)),
    "Casting complex values to real discards": (
        lambda: torch.ones(1).copy_(torch.ones(1, dtype=torch.complex64))
    ),
    "Tensor.mT is deprecated on 0-D": lambda: torch.tensor(1.0).mT,
    "Tensor.T is deprecated on 0-D": lambda: torch.tensor(1.0).T,
    "Tensor.H is deprecated on 0-D": lambda: torch.tensor(1.0).H,
    "The given buffer is not writable": lambda: torch.frombuffer(b"abcd", dtype=torch.uint8),
    "size_average and reduce args will be deprecated": (
        lambda: F.kl_div(three, three, size_average=True)
    ),
    "Own.__torch_function__ is not called": (
        lambda: type("Own", (torch.Tensor,), {"__torch_function__": classmethod(print)})
    ),
}
FUTURE = {
    "keyword argument `min_value` is deprecated": lambda: nn.Hardtanh(min_value=-2.0),
    "keyword argument `max_value` is deprecated": lambda: nn.Hardtanh(max_value=2.0),
    "`grad_variables` is deprecated": (
        lambda: torch.autograd.backward(x * 2, grad_variables=torch.ones(1))
    ),
}
QUIET = {
    "upsample": lambda: F.interpolate(image, 2),
    "odd kernel": lambda: F.conv2d(image, torch.ones(1, 1, 3, 3), padding="same"),
    "dilated": lambda: F.conv2d(image, torch.ones(1, 1, 2, 2), padding="same", dilation=2),
    "affine_grid": lambda: F.affine_grid(torch.ones(1, 2, 3), (1, 1, 1, 3), align_corners=False),
    "grad": lambda: torch.autograd.grad(x * 2, x, create_graph=True),
    "cross": lambda: torch.cross(three, three, dim=1),
    "scatter": lambda: torch.zeros(2).scatter(0, torch.tensor([0]), 1.0, reduce="add"),
    "linalg": lambda: (torch.linalg.qr(torch.eye(2)), torch.linalg.cholesky(torch.eye(2))),
    "subclass": lambda: type("Own", (torch.Tensor,), {
        "__torch_function__": torch._C._disabled_torch_function_impl,
    }),
    "loader": lambda: list(torch.utils.data.DataLoader(range(3))),
}


def told(f):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        f()
    return [(w.category, str(w.message)) for w in seen if w.category is not RuntimeWarning]


@pytest.mark.parametrize("begins", [*USER, *FUTURE])
def test_it_warns(begins):
    found = told((USER | FUTURE)[begins])
    assert [text.startswith(begins) for _, text in found] == [True]
    assert found[0][0] is (UserWarning if begins in USER else FutureWarning)


@pytest.mark.parametrize("f", QUIET.values(), ids=QUIET)
def test_it_does_not_warn(f):
    assert told(f) == []


def test_old_names_do_what_the_new_ones_do():
    with pytest.warns(FutureWarning):
        old = nn.Hardtanh(min_value=-2.0, max_value=3.0)
    assert repr(old) == repr(nn.Hardtanh(-2.0, 3.0))
    with pytest.raises(RuntimeError, match="only use `grad_tensors`"), pytest.warns(FutureWarning):
        torch.autograd.backward(x * 2, torch.ones(1), grad_variables=torch.ones(1))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"norm_first": True}, "norm_first was True"), ({"bias": False}, "passed bias=False"),
        ({"batch_first": False}, "batch_first was not True"),
        ({"nhead": 3}, "num_heads is odd"), ({"activation": F.silu}, "activation_relu_or_gelu"),
    ],
)  # fmt: skip
def test_an_encoder_that_keeps_padded_places_says_why(options, why):
    layer = nn.TransformerEncoderLayer(6, **{"nhead": 2, "batch_first": True} | options)
    with pytest.warns(UserWarning, match=f"enable_nested_tensor is True, but .*{why}"):
        encoder = nn.TransformerEncoder(layer, 1)
    assert not encoder.use_nested_tensor
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        nn.TransformerEncoder(nn.TransformerEncoderLayer(6, 2, batch_first=True), 0)
