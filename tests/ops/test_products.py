"""Products composed of ops: the addmm family, einsum, tensordot, kron, cross, distances."""

import math

import numpy as np
import pytest

import microtorch as torch

RANDOM = np.random.default_rng(7)
NAN = math.nan


def draw(*shape):
    return torch.tensor(RANDOM.standard_normal(shape), requires_grad=True)


def close(a, b):
    torch.testing.assert_close(a, torch.tensor(np.asarray(b), dtype=a.dtype))


def check(f, *inputs):
    assert torch.autograd.gradcheck(f, inputs) and torch.autograd.gradgradcheck(f, inputs)


# ---- beta * input + alpha * product --------------------------------------------------------------
FAMILY = {
    "addmm": ((2, 3), (3, 4), (2, 4), np.matmul),
    "addmv": ((2, 3), (3,), (2,), np.matmul),
    "addr": ((2,), (3,), (2, 3), np.outer),
    "baddbmm": ((5, 2, 3), (5, 3, 4), (5, 2, 4), np.matmul),
    "addbmm": ((5, 2, 3), (5, 3, 4), (2, 4), lambda a, b: (a @ b).sum(0)),
}


@pytest.mark.parametrize("name", FAMILY)
def test_addmm_and_its_like(name):
    first, second, shape, product = FAMILY[name]
    f, a, b = getattr(torch, name), draw(*first), draw(*second)
    expected = product(a.detach().numpy(), b.detach().numpy())
    for c in (draw(*shape), draw(1), draw(shape[-1])):
        close(f(c, a, b), c.detach().numpy() + expected)
        close(f(c, a, b, beta=2, alpha=-0.5), 2 * c.detach().numpy() - 0.5 * expected)
        check(lambda c, a, b: f(c, a, b, beta=2, alpha=3), c, a, b)
    target = torch.ones(shape).double()
    getattr(target, name + "_")(a.detach(), b.detach(), beta=0.5)
    close(target, 0.5 + expected)
    with pytest.raises(RuntimeError):
        f(torch.ones(7, *shape).double(), a, b)


@pytest.mark.parametrize("name", FAMILY)
def test_with_beta_0_the_input_is_not_read(name):
    first, second, shape, product = FAMILY[name]
    f, a, b = getattr(torch, name), draw(*first), draw(*second)
    c = torch.full(shape, NAN, dtype=torch.float64, requires_grad=True)
    out = f(c, a, b, beta=0)
    close(out, product(a.detach().numpy(), b.detach().numpy()))
    out.sum().backward()
    assert not c.grad.any() and not a.grad.isnan().any()
    close(f(c.detach(), a, b, beta=0), out.detach().numpy())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_halves_into_out(dtype):
    m, a, b = (torch.randn(2, n, k).to(dtype) for n, k in [(3, 5), (3, 4), (4, 5)])
    for name, args in [
        ("addmm", (m[0], a[0], b[0])), ("baddbmm", (m, a, b)), ("addbmm", (m[0], a, b)),
        ("addmv", (m[0, :, 0], a[0], b[0, :, 0])), ("addr", (m[0], a[0, :, 0], b[0, 0])),
    ]:  # fmt: skip
        f, out = getattr(torch, name), torch.empty_like(args[0])
        assert f(*args, beta=0.5, out=out) is out
        assert torch.equal(out, f(*args, beta=0.5))


def test_factors_of_integers():
    small = torch.ones(2, 2, dtype=torch.uint8)
    assert torch.addr(small, small[0].bool(), small[1].bool()).dtype is torch.uint8
    one, vector = torch.ones(2, 2, dtype=torch.long), torch.ones(2, dtype=torch.long)
    # recorded from PyTorch 2.13: factors are cut off, but addr refuses them
    assert torch.addmm(one, one, one, beta=0.6, alpha=1.5).tolist() == [[2, 2], [2, 2]]
    assert torch.addmv(vector, one, vector, beta=0.6, alpha=0.2).tolist() == [0, 0]
    with pytest.raises(RuntimeError, match="argument beta must not be a floating point"):
        torch.addr(one, vector, vector, beta=0.6)
    true = one.bool()
    assert torch.addr(true, true[0], true[0], beta=0).all()
    assert not torch.addr(true, true[0], true[0], beta=0, alpha=0).any()
    with pytest.raises(NotImplementedError, match="Bool"):
        torch.addmm(true, true, true)
    with pytest.raises(RuntimeError, match="same dtype, but got Double and Float"):
        torch.addmm(one.float(), one.double(), one.float())
    assert torch.addr(one.float(), vector, vector).dtype == torch.float32


# ---- einsum and tensordot ------------------------------------------------------------------------
EINSUMS = [
    ("ij,jk->ik", (2, 3), (3, 4)), ("ij,jk", (2, 3), (3, 4)), ("ii->i", (3, 3)), ("ii", (3, 3)),
    ("iij->j", (2, 2, 3)), ("ij->ji", (2, 3)), ("ij->", (2, 3)), ("i,j->ij", (2,), (3,)),
    ("bij,bjk->bik", (2, 3, 4), (2, 4, 2)), ("...ij,...jk->...ik", (2, 1, 2, 3), (4, 3, 2)),
    ("...i->i...", (2, 3, 4)), ("i...i->...", (2, 3, 2)),
    ("bi,oij,bj->bo", (2, 3), (4, 3, 2), (2, 2)),
    ("Aa,aB->AB", (2, 3), (3, 2)), ("ba", (2, 3)), ("ij,ij,ij->i", (2, 3), (2, 3), (2, 3)),
    (" i j , j -> i ", (2, 3), (3,)), ("...,...", (2, 3), (3,)), ("...ij->...", (2, 3, 4)),
]  # fmt: skip


@pytest.mark.parametrize("equation, shapes", [(e, s) for e, *s in EINSUMS])
def test_einsum(equation, shapes):
    xs = [draw(*s) for s in shapes]
    close(torch.einsum(equation, *xs), np.einsum(equation, *[x.detach().numpy() for x in xs]))
    check(lambda *xs: torch.einsum(equation, *xs), *xs)


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("bi,bj->bij", [(9, 20), (9, 30)]),  # no sum: a product of what is spread
        ("bl,bd,bn->bldn", [(4, 9), (4, 11), (4, 13)]),
        ("bn,anm,bm->ba", [(9, 10), (7, 10, 12), (9, 12)]),  # numpy would take all three at once
        ("ij,jk,kl,l->i", [(12, 13), (13, 14), (14, 15), (15,)]),
        ("ijk,jl,m->kl", [(6, 7, 8), (7, 9), (5,)]),
    ],
)
def test_einsum_of_many_products_goes_in_pairs(equation, shapes):
    xs = [draw(*shape) for shape in shapes]
    arrays = [x.detach().numpy() for x in xs]
    out = torch.einsum(equation, *xs)
    close(out, np.einsum(equation, *arrays))
    terms, result = equation.split("->")
    w = RANDOM.standard_normal(out.shape)
    out.backward(torch.tensor(w))
    for i, (x, term) in enumerate(zip(xs, terms.split(","), strict=True)):
        others = [t for k, t in enumerate(terms.split(",")) if k != i]
        of = [a for k, a in enumerate(arrays) if k != i]
        kept = "".join(c for c in term if c in result or any(c in t for t in others))
        g = np.einsum(f"{result},{','.join(others)}->{kept}", w, *of)
        shape = [n if c in kept else 1 for c, n in zip(term, x.shape, strict=True)]
        close(x.grad, np.broadcast_to(g.reshape(shape), x.shape))


def test_einsum_that_adds_nothing_up_lies_as_a_product_of_its_operands():
    x, v, turned = torch.ones(3, 4), torch.ones(4), torch.ones(4, 3).t()
    for equation, operands, strides in (
        ("ij,ij->ij", (x, x), (4, 1)), ("ij,ij->ji", (x, x), (1, 4)), ("ij,j->ji", (x, v), (1, 4)),
        ("ij,ij->ij", (turned, x), (1, 3)), ("...j,j->j...", (x, v), (1, 4)),
        ("i,j->ji", (v, v), (4, 1)),
    ):  # fmt: skip
        assert torch.einsum(equation, *operands).stride() == strides, equation


def test_einsum_that_only_orders_dimensions_is_a_view():
    x = draw(2, 3, 3)
    assert torch.einsum("ijk->kij", x).data_ptr() == x.data_ptr()
    assert torch.equal(torch.einsum("...ij->...ji", x), x.mT)
    assert torch.einsum("bii->bi", x).data_ptr() == x.data_ptr()


def test_einsum_of_sublists_and_lists():
    a, b = draw(2, 3), draw(3, 4)
    close(torch.einsum(a, [0, 1], b, [1, 2], [0, 2]), (a @ b).detach().numpy())
    close(torch.einsum(a, [51, 27]), a.detach().numpy().T)  # 27 is "b", 51 is "z"
    close(torch.einsum(a, [..., 0], [0, ...]), a.detach().numpy().T)
    close(torch.einsum("ij,jk", [a, b]), (a @ b).detach().numpy())


def test_sizes_of_1_broadcast_in_einsum_and_tensordot():
    a, b = draw(2, 1), draw(3, 4)
    full = a.expand(2, 3)
    close(torch.einsum("ij,jk->ik", a, b), (full @ b).detach().numpy())
    check(lambda a, b: torch.einsum("ij,jk->ik", a, b), a, b)
    close(torch.tensordot(a, b, 1), (full @ b).detach().numpy())
    check(lambda a, b: torch.tensordot(a, b, 1), a, b)


EINSUM_ERRORS = [
    ("ij->ii", [(2, 2)], "appears more than once"),
    ("ij->ik", [(2, 2)], "does not appear in the equation"),
    ("i.j->j", [(2, 2)], "not part of any ellipsis"),
    ("......->", [(2, 2)], "not part of any ellipsis"),
    (". ..i->i", [(2, 2)], "not part of any ellipsis"),
    ("i1->i", [(2, 2)], "invalid subscript given at index 1"),
    ("ii->i", [(2, 3)], "repeated for operand 0"),
    ("ij,jk", [(2, 2), (3, 3)], "does not broadcast"),
    ("ijk", [(2, 2)], "does not match the number of dimensions"),
    ("ijk...", [(2, 2)], "is less than"),
    ("ij,jk", [(2, 2)], "fewer operands"),
    ("ij", [(2, 2), (2, 2)], "more operands"),
]


@pytest.mark.parametrize("equation, shapes, words", EINSUM_ERRORS)
def test_errors_of_einsum(equation, shapes, words):
    with pytest.raises(RuntimeError, match=words):
        torch.einsum(equation, *[torch.ones(s) for s in shapes])


def test_letters_of_einsum_by_number():
    with pytest.raises(ValueError, match="valid range"):
        torch.einsum(torch.ones(2), [52])


def test_einsum_adds_up_products_of_one_dtype_and_promotes_others():
    f, d, mask = torch.ones(2, 3), torch.ones(2, 3).double(), torch.tensor([[True] * 3] * 2)
    with pytest.raises(RuntimeError, match="expected scalar type Float but found Double"):
        torch.einsum("ij,ij->i", f, d)
    with pytest.raises(RuntimeError, match="masks"):
        torch.einsum("ij,ij->i", mask, mask)
    assert torch.einsum("i,i", torch.tensor([1, 2]), torch.tensor([3, 4])).item() == 11
    assert torch.einsum("ij,kl->ik", f, d).dtype == torch.float64
    assert torch.einsum("ij,j->ij", mask, f[:1, :1].expand(1, 1).reshape(1)).dtype == torch.float32
    for small in (mask, mask.to(torch.int8)):
        assert torch.einsum("ij->i", small).tolist() == [3, 3]
        assert torch.einsum("ij,kl->ik", small, small).dtype == torch.int64
        assert torch.einsum("ij->ji", small).dtype == small.dtype


@pytest.mark.parametrize("shape", [(), (1,), (4,), (3, 1), (3, 4)])
@pytest.mark.parametrize("beta", [0, 1, 2.5])
def test_what_a_product_is_added_to_is_expanded(shape, beta):
    rng = np.random.default_rng(3)
    x, a, b = rng.standard_normal(shape), rng.standard_normal((3, 5)), rng.standard_normal((5, 4))
    ours = torch.tensor(x, requires_grad=True)
    out = torch.addmm(ours, torch.tensor(a), torch.tensor(b), beta=beta)
    np.testing.assert_allclose(out.detach().numpy(), beta * x + a @ b)
    out.sum().backward()
    np.testing.assert_allclose(ours.grad.numpy(), np.full(shape, beta * 12 / max(x.size, 1)))
    for wrong in ((2,), (3, 2), (1, 3, 4)):
        with pytest.raises(RuntimeError, match="cannot be expanded"):
            torch.addmm(torch.zeros(wrong).double(), torch.tensor(a), torch.tensor(b))


def test_a_number_to_which_a_product_is_added_decides_on_the_dtype():
    v = torch.ones(2)
    assert torch.addr(torch.tensor(1.0, dtype=torch.float64), v, v).dtype is torch.float64
    mask = torch.tensor([True, False])
    assert torch.addr(torch.tensor(True), mask, mask, alpha=0).tolist() == [[True, True]] * 2


def test_tensordot():
    a, b = draw(2, 3, 4), draw(4, 3, 5)
    for dims in (0, 1, ([2], [0]), ([1, 2], [1, 0]), ([-1, -2], [-3, -2])):
        got = torch.tensordot(a, b, dims)
        close(got, np.tensordot(a.detach().numpy(), b.detach().numpy(), dims))
    close(torch.tensordot(a, b, torch.tensor([[1], [1]])),
          np.tensordot(a.detach().numpy(), b.detach().numpy(), ([1], [1])))  # fmt: skip
    assert torch.tensordot(torch.ones(0, 3), torch.ones(3, 2), 1).shape == (0, 2)
    for dims, words in ((-1, ">= 0"), (4, "dims < ndim"), (([1], [0, 1]), "same length"),
                        (([0], [0]), "contracted dimensions")):  # fmt: skip
        with pytest.raises(RuntimeError, match=words):
            torch.tensordot(a, b, dims)


# ---- vectors -------------------------------------------------------------------------------------
def test_inner_dot_outer():
    a, b, v = draw(2, 3), draw(4, 2, 3), draw(3)
    close(torch.inner(a, b), np.inner(a.detach().numpy(), b.detach().numpy()))
    close(torch.inner(v, a), np.inner(v.detach().numpy(), a.detach().numpy()))
    close(torch.inner(a, torch.tensor(2.0).double()), 2 * a.detach().numpy())
    check(torch.inner, a, b)
    close(torch.vdot(v, v), (v.detach().numpy() ** 2).sum())
    for f, left, right, words in (
        (torch.dot, v, a, "1D tensors expected"),
        (torch.dot, v, v[:2], "inconsistent tensor size"),
        (torch.vdot, v, v.float(), "same dtype"),
        (torch.inner, v, v[:2], "last dimension must match"),
        (torch.outer, v, a, "1-D"),
    ):
        with pytest.raises(RuntimeError, match=words):
            f(left, right)


def test_cross():
    a, b = draw(2, 3), draw(1, 3)
    close(torch.linalg.cross(a, b), np.cross(a.detach().numpy(), b.detach().numpy()))
    close(torch.cross(a.mT, a.flip(0).mT, dim=0),
          np.cross(a.detach().numpy(), a.detach().numpy()[::-1]).T)  # fmt: skip
    check(torch.linalg.cross, a, b)
    assert torch.cross(torch.tensor([1, 0, 0]), torch.tensor([0, 1, 0])).tolist() == [0, 0, 1]
    assert torch.cross(torch.ones(3, 3), torch.eye(3))[0].tolist() == [0.0, -1.0, 1.0]  # dim 0
    for left, right, words in (
        (torch.ones(2), torch.ones(2), "no dimension of size 3"),
        (torch.ones(2, 3), torch.ones(3), "same number of dimensions"),
        (torch.ones(3), torch.ones(3).double(), "expected scalar type"),
    ):
        with pytest.raises(RuntimeError, match=words):
            torch.cross(left, right)
    with pytest.raises(RuntimeError, match="must have length 3"):
        torch.linalg.cross(torch.ones(3, 2), torch.ones(3, 2))


def test_kron():
    shapes = ((2, 3), (4, 2)), ((2,), (3, 2)), ((), (2, 2)), ((2, 1, 2), (3, 2)), ((0, 2), (2,))
    for p, q in shapes:
        a, b = draw(*p), draw(*q)
        close(torch.kron(a, b), np.kron(a.detach().numpy(), b.detach().numpy()))
    check(torch.kron, draw(2, 3), draw(2, 2))
    # one element has a dimension here, and a say in the dtype
    bytes_, short = torch.tensor([200, 100], dtype=torch.uint8), torch.tensor(5, dtype=torch.int16)
    for product in (torch.kron(bytes_, short), torch.kron(short, bytes_)):
        assert product.dtype is torch.int16 and product.tolist() == [1000, 500]
    assert torch.kron(short, short).shape == ()
    assert torch.kron(torch.tensor([1, 2]), torch.ones(2)).dtype == torch.float32


# ---- distances -----------------------------------------------------------------------------------
@pytest.mark.parametrize("p", [0.0, 0.5, 1.0, 2.0, 3.0, math.inf])
def test_distances(p):
    a, b = draw(2, 4, 3), draw(5, 3)
    x, y = a.detach().numpy(), b.detach().numpy()
    expected = np.linalg.norm(x[:, :, None] - y, p, axis=-1)
    close(torch.cdist(a, b, p), expected)
    check(lambda a, b: torch.cdist(a, b, p), a, b)
    check(lambda a: torch.pdist(a, p), draw(3, 2))
    pairs = [np.linalg.norm(y[i] - y[j], p) for i in range(5) for j in range(i + 1, 5)]
    close(torch.pdist(b, p), pairs)
    close(torch.dist(b, b[0], p), np.linalg.norm((y - y[0]).ravel(), p))


def test_distances_by_products():
    a, b = draw(2, 4, 3), draw(5, 3)
    mode = "use_mm_for_euclid_dist"
    close(torch.cdist(a, b, compute_mode=mode), torch.cdist(a, b).detach().numpy())
    check(lambda a, b: torch.cdist(a, b, compute_mode=mode), a, b)
    x = torch.randn(300, 300)
    exact = torch.cdist(x, x + 1, compute_mode="donot_use_mm_for_euclid_dist")
    torch.testing.assert_close(torch.cdist(x, x + 1), exact, rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="compute_mode"):
        torch.cdist(a, b, compute_mode="other")


@pytest.mark.filterwarnings("ignore:(divide by zero|invalid value)")
def test_distances_of_nothing_and_errors():
    assert torch.cdist(torch.ones(2, 0), torch.ones(3, 0)).tolist() == [[0.0] * 3] * 2
    assert torch.cdist(torch.ones(0, 2), torch.ones(3, 2), math.inf).shape == (0, 3)
    for p in (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, math.inf):
        a = torch.ones(2, 3, requires_grad=True)
        (torch.cdist(a, a, p).sum() + torch.dist(a, a, p)).backward()
        assert a.grad.tolist() == [[0.0] * 3] * 2  # equal points: PyTorch's subgradient
    a = torch.tensor([[0.0, 1.0]], requires_grad=True)  # recorded from PyTorch 2.13
    torch.cdist(a, torch.zeros(1, 2), 0.5).sum().backward()
    assert a.grad.tolist() == [[0.0, 1.0]]
    for x, y, p, words in (
        (torch.ones(2, 3).long(), torch.ones(2, 3), 2, "X1 got: Long"),
        (torch.ones(3), torch.ones(2, 3), 2, "at least 2D"),
        (torch.ones(2, 3), torch.ones(2, 2), 2, "same number of columns"),
        (torch.ones(2, 3), torch.ones(2, 3), -1, "non-negative"),
    ):
        with pytest.raises(RuntimeError, match=words):
            torch.cdist(x, y, p)


def test_linear_of_a_vector_and_of_a_bias_that_is_broadcast():
    x, w = torch.ones(2, 3, requires_grad=True), torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    torch.nn.functional.linear(x, w).sum().backward()
    assert x.grad.tolist() == [[1, 2, 3]] * 2 and w.grad.tolist() == [2, 2, 2]
    out = torch.nn.functional.linear(torch.ones(2, 3), torch.ones(4, 3), torch.ones(2, 1))
    assert out.tolist() == [[4] * 4] * 2
    for wrong in [((), (2,)), ((2,), ()), ((2, 2), (2, 2, 2)), ((2,), (3, 2), (3, 1)),
                  ((2, 2), (2,), (2,))]:  # fmt: skip
        with pytest.raises(RuntimeError):
            torch.nn.functional.linear(*[torch.ones(shape) for shape in wrong])


@pytest.mark.parametrize(
    ("x", "y"),
    [((2, 3, 0), (0, 4)), ((2, 3, 4), (4, 0)), ((2, 3, 0), (0,)), ((2, 2, 3, 0), (0, 4)),
     ((0, 3, 4), (4, 2)), ((2, 0, 4), (4, 2)), ((5, 0), (0, 3)), ((0,), (0, 3))],
)  # fmt: skip
def test_derivatives_of_products_without_elements(x, y):
    a, b = torch.ones(x, requires_grad=True), torch.ones(y, requires_grad=True)
    out = a @ b
    gradients = torch.autograd.grad(out.sum(), (a, b), create_graph=True)
    sum(g.sum() for g in gradients).backward()
    out.sum().backward()
    assert a.grad.shape == x and b.grad.shape == y
    if b.ndim == 2:
        weight = torch.ones(y[::-1], requires_grad=True)
        torch.nn.functional.linear(a, weight).sum().backward()
        assert weight.grad.shape == weight.shape
