"""Matrices, counts, draws by rejection, readings of labels, in exported C: value and gradient.

Each test builds one program of several functions.
"""

import numpy as np
import pytest
from test_export_ops import exported

import microtorch as torch
from microtorch import linalg
from microtorch.nn import functional as F

pytestmark = pytest.mark.usefixtures("compiler")


def values_and_gradients(*functions):
    def run(*xs):
        found = []
        for function in functions:
            given = [x.detach().requires_grad_() for x in xs]
            y = function(*given)
            found += [y.detach(), *torch.autograd.grad(y.cos().sum(), given)]
        return found

    return run


def matrices(*shape):
    torch.manual_seed(0)
    return torch.randn(*shape)


SINGULAR = torch.tensor([[1.0, 2, 3], [2, 4, 6], [1, 0, 5]])


def test_systems_and_determinants(tmp_path):
    A = matrices(2, 3, 3)  # which needs exchanges of rows
    got = exported(tmp_path, values_and_gradients(
        linalg.inv, lambda A: linalg.solve(A, A[:, :, 0]), linalg.det,
        lambda A: linalg.solve(A.mT, A, left=False),
        lambda A: linalg.slogdet(A)[0] * linalg.slogdet(A)[1],
        lambda A: linalg.det(A[0] * SINGULAR), lambda A: linalg.det(A[0, 0, 0] * SINGULAR),
        lambda A: linalg.matrix_power(A, -2), lambda A: linalg.lu(A)[1].sin() + linalg.lu(A)[2],
        lambda A: linalg.lu_solve(*linalg.lu_factor(A), A),
        lambda A: linalg.solve_triangular(A, A, upper=True),
        lambda A: linalg.solve_triangular(A, A, upper=False, unitriangular=True, left=False),
    ), A, steps=1)  # fmt: skip
    assert len(got) > 200


def test_a_singular_matrix_stops_the_program(tmp_path):
    f = torch.compile(lambda A: linalg.inv(A).sum(), backend="eager")
    for _ in range(3):
        f(torch.eye(3))
    f.export(tmp_path)
    assert "inverse" in (tmp_path / "model.c").read_text()
    source = (tmp_path / "model.c").read_text()
    assert "return 2;" in source  # the condition that Python asks, too


def test_factors_of_matrices(tmp_path):
    A = matrices(2, 5, 3)

    def symmetric(A):
        return A.mT @ A + torch.eye(3)

    def whole(A, change):
        U, S, V = linalg.svd(A, full_matrices=False)
        return (U * change(S).unsqueeze(-2)) @ V

    def of_symmetric(A):
        values, vectors = linalg.eigh(symmetric(A))
        return vectors @ torch.diag_embed(values.sqrt()) @ vectors.mT

    got = exported(tmp_path, values_and_gradients(
        lambda A: linalg.cholesky(symmetric(A)),
        lambda A: linalg.cholesky(symmetric(A), upper=True),
        lambda A: linalg.qr(A)[0].sin() + A, lambda A: linalg.qr(A.mT)[1],
        of_symmetric, lambda A: linalg.eigvalsh(symmetric(A), UPLO="U"),
        lambda A: whole(A, torch.sin), lambda A: whole(A.mT, torch.exp), linalg.svdvals,
        lambda A: linalg.matrix_norm(A, "nuc") + linalg.cond(A) + linalg.matrix_norm(A, 2),
        linalg.pinv, lambda A: linalg.lstsq(A, A[..., 0]).solution,
        lambda A: linalg.pinv(A[0, :2].mT @ A[0, :2]) + linalg.matrix_rank(A).sum(),
    ), A, steps=1)  # fmt: skip
    assert len(got) > 300


def test_a_complete_basis(tmp_path):
    """The vectors that are added may be any: but of length 1, and orthogonal."""

    def f(A):
        U, S, Vh = linalg.svd(A)
        q = linalg.qr(A, "complete")[0]
        return [U.mT @ U, (U[:, :2] * S) @ Vh, q.mT @ q, linalg.svd(A.mT)[2] @ U[:, 2:] * 0,
                linalg.svd(A * 0)[0].square().sum()]  # fmt: skip

    exported(tmp_path, f, matrices(5, 2), steps=1)


def test_counts(tmp_path):
    index = torch.tensor([[0, 3, 1], [3, 3, 0]])
    rows = torch.tensor([2, 0, 1])
    edges = torch.tensor([-1.0, 0.0, 1.0])
    sizes = torch.tensor([1, 0, 2])

    def f(x, index, rows, edges, sizes):
        flat, whole = index.reshape(-1), (x * 3).long()
        return [
            torch.bincount(flat), torch.bincount(flat, minlength=9), torch.bincount(rows, x[0]),
            torch.histc(x, 4, -1, 1), torch.histc(x, 3), index.T @ index, rows @ rows, index @ rows,
            whole.amax(1), whole.argmax(), whole.max(1).values, (x > 0).sum((0, 1)),
            (x > 0).any(1, keepdim=True), (x > 0).all(), (x > 0).cumsum(1), whole.prod(1),
            torch.isin(rows, index), torch.isin(x, x[0], invert=True),
            x.index_fill(1, rows[:2], 0.5),
            torch.count_nonzero(x, (0, 1)), x.take(rows - 3), torch.quantile(x, 0.3),
            x.repeat_interleave(sizes, 1), torch.bucketize(x, edges),
            x.masked_scatter(x > 0, x * 2),
            F.nll_loss(x.view(1, 3, 2), index[:1, ::2] * 0 + 2, reduction="none"),
            F.local_response_norm(x[None], 2), x.sum().sort(0).values, x.angle(),
        ]  # fmt: skip

    exported(tmp_path, f, matrices(2, 3), index, rows, edges, sizes, steps=1)


def test_norms_of_all_orders(tmp_path):
    inf = float("inf")
    orders = [lambda x, p=p: linalg.vector_norm(x, p, dim=1) for p in (0, 0.5, 1, 3, inf, -inf)]
    orders.append(lambda x: x.norm(inf, (0, 2)))
    exported(tmp_path, values_and_gradients(*orders), matrices(2, 3, 4), steps=1)


def test_draws_by_rejection(tmp_path):
    """Python's numbers, and those that come after them: what nobody reads is drawn, too."""

    def f(x):
        torch.poisson(x.exp())
        return [
            F.rrelu(x, training=True), torch.poisson(x.exp() * 8), torch.randint_like(x, 2, 10),
            torch.normal(x, 2.0), torch.normal(x, x.exp()), torch.normal(x[0, 0], 0.5),
            torch.bernoulli(x.sigmoid()), torch.rand(3),
        ]  # fmt: skip

    exported(tmp_path, f, matrices(2, 3, 4), steps=3)


@pytest.mark.parametrize("given", [((5, 4), (2, 3)), ((2, 5), (3, 3))])
def test_readings_of_labels(tmp_path, given):
    """The second sequence of the second case is too short for its labels."""
    lengths, sizes = given
    labels = torch.tensor([[1, 2, 1], [2, 2, 1]])
    flat = torch.cat([row[:n] for row, n in zip(labels, sizes, strict=True)])
    counts = [torch.tensor(n) for n in given]

    def loss(x, targets, *counts, **more):
        return F.ctc_loss(x.log_softmax(-1), targets, *counts, **more)

    found = exported(tmp_path, values_and_gradients(
        lambda x: loss(x, labels, *counts, zero_infinity=True),
        lambda x: loss(x, flat, lengths, sizes, reduction="none").clamp(max=9),
        lambda x: loss(x[:, 0], labels[0], lengths[:1], sizes[:1], reduction="sum").clamp(max=9),
    ), matrices(5, 2, 3), steps=1)  # fmt: skip
    assert len(found) > 60


def test_what_has_no_c_says_what_to_do(tmp_path):
    for function, remedy in (
        (lambda x: torch.fft.fft(x).abs(), "real and imaginary parts"),
        (lambda x: x.half() * 2, r"float16 has no C: \.float\(\)"),
        (linalg.matrix_exp, "lower.py"),
    ):
        f = torch.compile(function, backend="eager")
        for _ in range(3):
            f(torch.eye(3))
        with pytest.raises(RuntimeError, match=rf"at test_export_algebra.py:\d+(.|\n)*{remedy}"):
            f.export(tmp_path)


def test_an_integer_that_does_not_fit_stops_the_program(tmp_path):
    """The program is for these sizes: in Python another number makes another program."""
    f = torch.compile(lambda i: torch.bincount(i) + 0, backend="eager")
    for _ in range(3):
        f(torch.tensor([0, 2]))
    f.export(tmp_path)
    assert "bincount(2, 3, 1, " in (tmp_path / "model.c").read_text()
    assert np.array_equal(f(torch.tensor([3, 3])).numpy(), [0, 0, 0, 2])
