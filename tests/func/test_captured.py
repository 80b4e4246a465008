"""What a transformed function may write to: what it made or was given, and nothing else."""
import pytest

import microtorch as torch
from microtorch import func
from microtorch.autograd import forward_ad
from microtorch.base import errors

TRANSFORMS = {
    "grad": lambda f, x: func.grad(f)(x),
    "grad_and_value": lambda f, x: func.grad_and_value(f)(x),
    "vjp": lambda f, x: func.vjp(f, x),
    "jvp": lambda f, x: func.jvp(f, (x,), (x,)),
    "jacrev": lambda f, x: func.jacrev(f)(x),
    "jacfwd": lambda f, x: func.jacfwd(f)(x),
    "hessian": lambda f, x: func.hessian(f)(x),
}


def part(c):
    c[1] = 5.0


def masked(c):
    c[c == 0] = 5.0


def view(c):
    c[1:].mul_(2)


def untracked(c):
    with torch.no_grad():
        c.add_(1)


WRITES = {
    "add_": lambda c: c.add_(1), "mul_": lambda c: c.mul_(c.clone()), "zero_": torch.zero_,
    "part": part, "masked": masked, "view": view, "untracked": untracked,
    "unsqueeze_": lambda c: c.unsqueeze_(0),
    "inplace": lambda c: torch.nn.functional.relu(c, inplace=True),
}  # fmt: skip


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_captured_tensor_is_not_written(transform, write):
    c = torch.tensor([-1.0, 0.0, 1.0])

    def f(x):
        write(c)
        return (c * x).sum()

    with pytest.raises(RuntimeError, match="would mutate a captured Tensor"):
        transform(f, torch.ones(3))
    assert c.tolist() == [-1, 0, 1]
    write(c)  # outside of the transform it is


@pytest.mark.parametrize("transform", ["grad", "jvp"])
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_nor_a_large_one(transform, write):
    """Over which C writes straight."""
    c, x = torch.ones(20_000), torch.ones(20_000)
    with pytest.raises(RuntimeError, match="would mutate a captured Tensor"):
        TRANSFORMS[transform](lambda x: (write(c), (c * x).sum())[1], x)
    assert c.eq(1).all()


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_its_own_tensors_are(transform):
    def f(x):
        y = torch.zeros_like(x)
        y.add_(x)
        y[0] = 2
        y[1:].mul_(x[0])
        return (y * x).sum()

    transform(f, torch.ones(3))
    assert func.grad(f)(torch.ones(3)).tolist() == [4, 2, 2]


def test_arguments_are_written_which_are_not_differentiated():
    def f(x, b, more, *, also):
        for t in (b, more["b"], also):
            t.add_(1)
        return (x * b * more["b"] * also).sum()

    x, b, c, d = (torch.full((2,), v) for v in (1.0, 2.0, 3.0, 4.0))
    assert func.grad(f)(x, b, {"b": c}, also=d).tolist() == [60, 60]
    assert [t[0].item() for t in (b, c, d)] == [3, 4, 5]
    with pytest.raises(RuntimeError, match="it is a leaf"):
        func.grad(lambda x: x.add_(1).sum())(x)


def test_a_tensor_of_the_outer_transform_is_captured_by_the_inner_one():
    def f(x):
        y = torch.zeros(3)
        y.add_(x)
        return func.grad(lambda z: (y.add_(1) * z).sum())(x).sum()

    with pytest.raises(RuntimeError, match="would mutate a captured Tensor"):
        func.grad(f)(torch.ones(3))


def test_buffers_are_arguments():
    net = torch.nn.BatchNorm1d(3)
    params, buffers = dict(net.named_parameters()), dict(net.named_buffers())

    def loss(params, buffers, x):
        return func.functional_call(net, (params, buffers), (x,)).square().sum()

    x = torch.arange(9.0).reshape(3, 3)
    func.grad(loss)(params, buffers, x)
    assert net.num_batches_tracked.item() == 1
    with pytest.raises(RuntimeError, match="captured"):
        func.grad(loss)(params, {}, x)


def through_vmap(z):
    func.vmap(lambda a: a.mul_(5))(z)


def through_a_captured_batch(z):
    func.vmap(lambda a, b: a.mul_(b))(z.T, torch.full((2, 2), 5.0))


def through_what_vmap_returns(z):
    func.vmap(lambda a: a)(z).mul_(5)


def through_a_dual_tensor(z):
    with forward_ad.dual_level():
        forward_ad.make_dual(z, torch.ones(2, 2)).mul_(5)


def through_its_primal(z):
    with forward_ad.dual_level():
        forward_ad.unpack_dual(forward_ad.make_dual(z, torch.ones(2, 2))).primal.mul_(5)


def through_jvp(z):
    func.jvp(lambda x: x.mul_(5), (z,), (torch.ones(2, 2),))


@pytest.mark.parametrize("write", [
    through_vmap, through_a_captured_batch, through_what_vmap_returns, through_a_dual_tensor,
    through_its_primal, through_jvp,
], ids=lambda write: write.__name__)  # fmt: skip
def test_backward_knows_of_writes_inside_to_what_came_from_outside(write):
    w, z = torch.ones(2, 2, requires_grad=True), torch.ones(2, 2)
    out = (w * z).sum()
    write(z)
    assert z.eq(5).all() and z._version == 1
    with pytest.raises(errors.InplaceError, match="modified by an inplace"):
        out.backward()


@pytest.mark.parametrize("write", [through_vmap, through_a_dual_tensor, through_jvp])
def test_numbers_that_require_gradient_reach_nothing_outside(write):
    """PyTorch's gradient goes through such writes, or a leaf refuses them."""
    p = torch.ones(2, 2, requires_grad=True)
    for z in (p, p * 1, (p * 1).t()):
        with pytest.raises(errors.InplaceError, match="outside of vmap or of forward mode"):
            write(z)
    with torch.no_grad():
        write(p)
    z = torch.zeros(2, 2)
    with pytest.raises(errors.InplaceError, match="clone"):
        func.vmap(lambda a, b: a.add_(b))(z, p)
    func.vmap(lambda a, b: a.clone().add_(b))(z, p).sum().backward()
    assert p.grad.eq(1).all()
