"""What becomes C where a whole program must: each test builds one program of many ops."""

import subprocess
import warnings

import numpy as np
import pytest

import microtorch as torch
from microtorch import nn
from microtorch.nn import functional as F
from microtorch.static import build

pytestmark = pytest.mark.usefixtures("compiler")


def exported(folder, f, *given, steps=5):
    """What the program prints, after three calls in Python; built without optimization: soon."""
    f = torch.compile(f, backend="eager")
    for _ in range(3):
        f(*given)
    f.export(folder, steps=steps)
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-ffp-contract=off"]
    command = [*build.compiler(), *flags, "-o", "model", "model.c", "-lm"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    printed = subprocess.run(["./model"], cwd=folder, capture_output=True, text=True, check=True)
    expected = (folder / "expected.txt").read_text().split()
    got = np.array([float(v) for v in printed.stdout.split()])
    np.testing.assert_allclose(got, [float(v) for v in expected], rtol=2e-4, atol=1e-5)
    return got


class Cells(nn.Module):
    """Recurrent cells, transposed convolutions, norms without weights, noise."""

    def __init__(self):
        super().__init__()
        self.gru, self.lstm = nn.GRU(4, 6, batch_first=True), nn.LSTM(6, 6, batch_first=True)
        self.rnn = nn.RNN(6, 6)
        self.wide = nn.Sequential(
            nn.ConvTranspose2d(1, 2, 3, stride=2, padding=1, output_padding=1), nn.ReLU(),
            nn.ConvTranspose2d(2, 3, (3, 2), dilation=2, bias=False), nn.GroupNorm(3, 3),
        )  # fmt: skip
        self.out = nn.Linear(6, 4)

    def forward(self, x):
        h = self.rnn(self.lstm(self.gru(x + 0.1 * torch.randn_like(x))[0])[0])[0]
        h = F.layer_norm(h, (6,)) + 0.1 * torch.rand(6)
        images = self.wide(h.reshape(-1, 1, 3, 6)).abs().mean((1, 2, 3))
        return self.out(h).reshape(-1, 4), images


def test_layers_whose_results_are_copied_elsewhere(tmp_path):
    """A product is made where it goes to: its rows may lie far apart, or not equally far."""
    torch.manual_seed(0)
    layer, bare, norm = nn.Linear(4, 6), nn.Linear(4, 6, bias=False), nn.LayerNorm(4)

    def turned(x, *dims):
        return torch.cat([f(x).permute(dims) for f in (layer, bare)])

    def f(x):
        joined = [torch.cat([layer(x), bare(x)], d) for d in range(3)]
        stacked = [torch.stack([bare(x), layer(x)], d) for d in range(4)]
        moved = [turned(y, *dims) for y in (x, x[:, :1], x[:1])
                 for dims in ((1, 0, 2), (2, 0, 1), (0, 2, 1))]  # fmt: skip
        layer(norm(x).transpose(0, 1)).square().sum().backward()
        grads = [p.grad.clone() for p in (*layer.parameters(), *norm.parameters())]
        for p in (*layer.parameters(), *norm.parameters()):
            p.grad = None
        return [*joined, *stacked, *moved, *grads]

    exported(tmp_path, f, torch.randn(2, 3, 4), steps=1)


@pytest.mark.parametrize(("places", "heads"), [(16, 1), (8, 2), (16, 8)])
def test_attention_whose_parts_lie_in_one_array(tmp_path, places, heads):
    """Gradients of queries, keys and values are made in the gradient of what they are slices of,
    though the loops over heads that make them are not one, and rows may be narrower than a tile.
    """
    torch.manual_seed(0)
    layer = nn.Linear(32, 96)

    def f(x):
        def split(y):
            return y.reshape(2, places, heads, 32 // heads).transpose(1, 2)

        q, k, v = map(split, layer(x).chunk(3, -1))
        layer.zero_grad()
        F.scaled_dot_product_attention(q, k, v).square().sum().backward()
        return [p.grad.clone() for p in layer.parameters()]

    exported(tmp_path, f, torch.randn(2, places, 32), steps=1)


def test_cells_losses_and_optimizers(tmp_path):
    torch.manual_seed(0)
    net = Cells()
    cells = [*net.gru.parameters(), *net.lstm.parameters()]
    others = [p for m in (net.rnn, net.wide, net.out) for p in m.parameters()]
    optimizers = [
        torch.optim.RMSprop(cells, lr=0.01, momentum=0.5, centered=True, weight_decay=0.1),
        torch.optim.Adagrad(others, lr=0.05, lr_decay=0.1),
    ]

    def step(x, y):
        guess, images = net(x)
        loss = F.cross_entropy(guess, y, label_smoothing=0.1) + F.l1_loss(guess, 0 * guess + 1)
        loss = loss + F.mse_loss(images, images.detach() * 0.5) + F.mse_loss(
            guess, torch.ones(6, 4), reduction="sum"
        ) * 0.1  # fmt: skip
        net.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        return loss

    got = exported(tmp_path, step, torch.randn(2, 3, 4), torch.tensor([0, 1, 2, 3, 1, 0]))
    assert len(set(got)) == 5 and got[-1] < got[0]


def test_optimizers_that_are_composed_of_operations(tmp_path):
    """One for each layer; RAdam's v counts late, ASGD's average begins late."""
    torch.manual_seed(0)
    kinds = [torch.optim.Adamax, torch.optim.NAdam, torch.optim.RAdam, torch.optim.ASGD,
             torch.optim.Rprop, torch.optim.NAdam]  # fmt: skip
    settings = [dict(weight_decay=0.1), dict(), dict(betas=(0.8, 0.9)), dict(t0=4), dict(),
                dict(weight_decay=0.1, decoupled_weight_decay=True, maximize=True)]  # fmt: skip
    net = nn.Sequential(*[layer for _ in kinds for layer in (nn.Linear(3, 3), nn.Tanh())])
    optimizers = [kind(layer.parameters(), lr=0.01, **more)
                  for kind, layer, more in zip(kinds, net[::2], settings, strict=True)]  # fmt: skip

    def step(x):
        loss = net(x).square().sum()
        net.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        return [loss, *[p.detach() + 0 for p in net.parameters()]]

    exported(tmp_path, step, torch.randn(5, 3), steps=12)


def test_classes_and_kinds_of_numbers(tmp_path):
    def f(x, y):
        top, low = x.max(1), x.min(1)
        right = (x.argmax(1) == y).float().mean()
        kinds = (x > 0).long() + (x > 0) + ~(x > 0), (x > 0).double() + x
        picked = top.values, top.indices, low.values, low.indices
        return *picked, x.argmin(), right, *kinds, (x + 1).t()

    x = torch.tensor([[1.0, 3.0, 3.0], [float("nan"), 0.0, 1.0], [-2.0, -5.0, -1.0]])
    with np.errstate(invalid="ignore"):
        exported(tmp_path, f, x, torch.tensor([1, 0, 0]))


def test_draws_bags_and_windows(tmp_path):
    """The numbers that Python would draw, one by one and in blocks, of all kinds."""
    torch.manual_seed(0)
    bag, images = nn.EmbeddingBag(10, 3), torch.randn(1, 2, 5, 7, requires_grad=True)
    optimizer = torch.optim.Adam([*bag.parameters(), images], lr=0.1)

    def step(rows, x):
        few = torch.randn(3) + torch.randn(2).sum() + torch.randn(20).mean()
        noise = few + torch.empty(3).uniform_(-2, 5) + torch.randint(-3, 9, (3,))
        noise = noise + torch.randperm(3) + torch.empty(3).normal_(1, 2)
        coins = torch.bernoulli(x.sigmoid()) + torch.bernoulli(x, 0.3)
        loss = (bag(rows) * (noise + coins)).sum().sin() + torch.rand(2, dtype=torch.float64).sum()
        loss = loss + F.adaptive_avg_pool2d(images, (2, 3)).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss, noise, coins

    exported(tmp_path, step, torch.tensor([[1, 2], [9, 1]]), torch.tensor([-1.0, 0.0, 2.0]))


def test_an_op_without_c_is_named_and_not_the_one_before_it(tmp_path):
    f = torch.compile(lambda x: torch.linalg.matrix_exp(x * 2), backend="eager")
    for _ in range(3):
        f(torch.eye(3))
    with pytest.raises(RuntimeError, match=r"matrix_exp, at .* is not written as a loop of C"):
        f.export(tmp_path)


def test_what_nobody_reads_needs_no_c(tmp_path):
    def f(x):
        spectrum = torch.fft.rfft(x).abs()
        torch.linalg.matrix_exp(x[:, :3]) * spectrum.sum()
        return x.half().float().sum(), (x * 3).sum()

    with pytest.raises(RuntimeError, match=r"cast, at .*\n.*\n.*float16"):
        exported(tmp_path, f, torch.randn(3, 4))
    exported(tmp_path, lambda x: f(x)[1] + torch.rand(2).sum(), torch.randn(3, 4))


def test_the_gradient_of_a_maximum_goes_where_it_goes_in_python(tmp_path):
    """To the last NaN of a window, and to the first of equal numbers."""
    p = torch.randn(1, 2, 7, 7)
    p[0, 0, 2, 2] = p[0, 0, 2, 4] = p[0, 1, 6, 6] = float("nan")
    p[0, 1, 0, :4] = 5.0
    p.requires_grad_()
    places = torch.arange(98.0).reshape(1, 2, 7, 7)

    def step(places):
        p.grad = None
        F.max_pool2d(p, 3, 2).sum().backward()
        return (p.grad * places).sum()

    assert np.isfinite(exported(tmp_path, step, places, steps=1)).all()


def test_bodies_and_other_layouts(tmp_path):
    def f(x, y):
        x = x.detach().requires_grad_()
        turned = x.transpose(1, 2)
        loss = x.std(1).sum() + x.var((0, 2), correction=0).norm() + x.norm(1, dim=0).mean()
        loss = loss + x.norm(dim=2, keepdim=True).sum() + x.logsumexp((0, 2)).sum()
        loss = loss + (x.softmax(0) * x).sum() + F.log_softmax(turned, 1).square().mean()
        loss = loss + F.cross_entropy(turned, y, ignore_index=1) + x.floor().sum()
        loss = loss + (F.layer_norm(x.transpose(0, 1), (4,)) * 0.1).exp().sum()
        loss = loss + F.group_norm(x.transpose(1, 2), 2, x[0, 0], x[1, 0]).exp().mean()
        asked = torch.logical_or(x.isnan(), torch.logical_xor(x > 0, x < 1))
        asked = asked & (x * torch.inf).isinf()
        (g,) = torch.autograd.grad(loss, x)
        return loss.detach(), g, asked.float().mean(), x.isfinite().float().sum()

    exported(tmp_path, f, torch.randn(2, 3, 4), torch.randint(0, 4, (2, 3)))


def test_views_of_and_writes_to_results_that_lie_otherwise(tmp_path):
    """What is computed of a turned operand lies turned, in C too, where a view or a write finds
    its elements; in rounds, in matrices, and where a function of C asks for rows."""
    x, y = torch.randn(3, 4), torch.randn(3, 4)
    images = torch.randn(2, 3, 4, 5)

    def f(x, y, images):
        written = x.mT.sin()
        written += y.mT
        written[0] = 3.0
        h = torch.zeros(3, 4)
        for _ in range(6):
            h = (h.mT * 0.5 + x.mT).mT.tanh() + y
        last = images.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2) * 2
        return [
            (x.mT + 1).mT, written.mT.cos() * 1, h, (x.mT * 2).clamp(max=torch.zeros(3)).mT.sum(1),
            (last.relu()[:, 1] + 1).sum(1), (x.mT * 2).softmax(-1).mT + 0,
            (x.mT * 2).mT @ (y.mT + 1) * 1, (x.mT * 2).sum(0, keepdim=True) + (x.mT + 1).mean(),
        ]  # fmt: skip

    compiled = torch.compile(f)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        for _ in range(5):
            for got, want in zip(compiled(x, y, images), f(x, y, images), strict=True):
                assert torch.allclose(got, want, atol=1e-5) and got.stride() == want.stride()
    exported(tmp_path / "model", f, x, y, images)


def test_a_view_that_is_returned_shows_what_is_written_after_it(tmp_path):
    def f(x):
        base = x * 2
        shown, twice = base[1], base.sum(0).expand(2, 4)
        base.mul_(3)
        shown[0] = 5.0
        return shown, twice, base.mT[2] + shown.sum()

    exported(tmp_path, f, torch.randn(3, 4))


def test_elements_in_another_order(tmp_path):
    """Flipped, rolled, on a diagonal or along it: copies to places, and back."""
    x, y = torch.randn(3, 4), torch.randn(3, 4)

    def f(x, y):
        x = x.detach().requires_grad_()
        loss = (x.flip(1).square() * x.roll(1, 1)).sum() + (x @ x.mT).trace()
        loss = loss + x.diagonal().exp().sum() + x.mT.diagonal(1).sin().sum()
        loss = loss + (x.roll((2, -1), (0, 1)) * y.flip((0, 1))).sum() + x.mT.roll(3, 0)[0].sum()
        made = [torch.block_diag(x, y.mT), torch.diag_embed(x, 1), x.roll(5), (x.mT.flip(0) * 1).mT]
        return [loss.detach(), *torch.autograd.grad(loss, x), *[z.detach().clone() for z in made]]

    exported(tmp_path, f, x, y)


def test_special_functions_products_and_powers(tmp_path):
    """Poles and zeros, too."""
    x = torch.tensor([[-2.5, -1.0, 0.0, 1e-3], [1.0, 2.0, 30.0, -7.3], [0.3, -0.4, 0.9, 2.5]])

    def f(x):
        x = x.detach().requires_grad_()
        few = x[2] * 0.9 + 0.3
        loss = (few.lgamma() + few.digamma() + torch.polygamma(1, few.abs() + 1)).sum()
        loss = loss + torch.erfinv(x[2] * 0.3).square().sum() + torch.i0(x[2]).sum()
        loss = loss + (x.cumprod(1) * x.cumprod(0)).tanh().sum() + torch.special.i1(x[0]).sum()
        loss = loss + x.norm(3, dim=1).sum() + torch.dist(x, x.flip(0), 1.5) + x[2].prod()
        loss = loss + torch.copysign(few, x[1]).exp().sum()
        ends = torch.erfinv(torch.arange(-4.0, 6.0) / 4)
        many = x.detach().lgamma(), x.detach().digamma(), ends, x.detach() // 0.3
        return loss.detach(), *torch.autograd.grad(loss, x), *many

    with np.errstate(invalid="ignore", divide="ignore"):
        exported(tmp_path, f, x)


def test_means_of_windows(tmp_path):
    """Windows over the border count what is there, or all; in one to three dimensions."""
    x = torch.randn(2, 2, 5, 4, 7)

    def f(x):
        x = x.detach().requires_grad_()
        flat, border = x[0], dict(ceil_mode=True, count_include_pad=False)
        parts = [F.avg_pool3d(x, 2), F.avg_pool3d(x, 3, 2, 1, True), F.avg_pool3d(x, 3, 2, 1,
                 **border), F.avg_pool2d(flat, 3, 2, 1, **border), F.adaptive_avg_pool2d(flat, 3),
                 F.avg_pool1d(flat[0], 3, 2, 1, **border), F.adaptive_avg_pool3d(x, (2, 3, 1)),
                 F.avg_pool2d(flat, 3, 2, 1, True)]  # fmt: skip
        loss = sum((y * y).sum() for y in parts)
        return loss.detach(), *torch.autograd.grad(loss, x)

    exported(tmp_path, f, x)


def test_a_penalty_of_gradients(tmp_path):
    """Second derivatives: of convolutions and windows, of a choice, of counts that are drawn."""
    torch.manual_seed(0)
    w = torch.randn(2, 2, 5, 4, 7).requires_grad_()
    k, deep = torch.randn(2, 2, 3, 3), torch.randn(2, 1, 2, 3, 3)

    def step(x):
        y = x * w
        flat = y[:, :, 0]
        parts = [
            F.conv2d(flat, k, stride=2, padding=1), F.conv3d(y, deep, groups=2),
            F.conv_transpose2d(flat, k, stride=2), F.conv1d(flat[:, 0, :3], k[0], padding=1),
            F.avg_pool2d(flat, 3, 2, 1, True, count_include_pad=False), F.avg_pool3d(y, 2),
            F.adaptive_avg_pool2d(flat, 3), F.adaptive_avg_pool3d(y, (2, 3, 1)),
            F.max_pool2d(flat, 2), F.max_pool2d(flat, 3, 1, 1), F.max_pool1d(flat[0], 3, 2, 1, 2),
            torch.poisson(flat.detach().abs().requires_grad_()) * flat,
        ]  # fmt: skip
        (g,) = torch.autograd.grad(sum(z.tanh().sum() for z in parts), y, create_graph=True)
        loss = g.square().sum()
        w.grad = None
        loss.backward()
        with torch.no_grad():
            w.sub_(0.001 * w.grad)
        return loss.detach()

    exported(tmp_path, step, torch.randn(2, 2, 5, 4, 7))


def test_integers(tmp_path):
    def f(n, x):
        m, low = n - 3, n.int()
        quotients = m // n, m // -2, n.flip(0) % n, torch.div(m, n, rounding_mode="trunc"), n / 2
        quotients += torch.div(m, 2, rounding_mode="floor"), m / n, -(n // 7) // torch.tensor(3)
        return *quotients, n.cumsum(0), n.cumprod(1), n.prod(1), n.sum(), x.int(), x.short() + low

    exported(tmp_path, f, torch.randint(1, 9, (3, 4)), torch.randn(3, 4) * 9)


def test_a_zero_divisor_ends_the_exported_program(tmp_path):
    f = torch.compile(lambda x, y: x // y, backend="eager")
    for _ in range(3):
        f(torch.tensor([5, 6]), torch.tensor([2, 4]))
    f.export(tmp_path)
    given = (tmp_path / "input.bin").read_bytes()
    (tmp_path / "input.bin").write_bytes(given.replace((4).to_bytes(8, "little"), bytes(8)))
    command = [*build.compiler(), "-std=c99", "-o", "model", "model.c", "-lm"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert subprocess.run(["./model"], cwd=tmp_path, capture_output=True).returncode != 0


def test_draws_of_other_distributions(tmp_path):
    torch.manual_seed(0)

    def f(w):
        few = torch.empty(3).exponential_(2.0) + torch.empty(3).geometric_(0.3)
        few = few + torch.empty(3).cauchy_(1, 2) + torch.empty(3).log_normal_(0, 0.5)
        ones = torch.multinomial(w, 1), torch.multinomial(w[0], 3), torch.multinomial(w, 4)
        return few, *ones, torch.multinomial(w, 5, replacement=True), torch.rand(2)

    exported(tmp_path, f, torch.tensor([[0.1, 2.0, 0.0, 1.0], [3.0, 0.5, 0.2, 0.0]]))


def test_inputs_that_do_not_lie_row_by_row(tmp_path):
    """The files hold rows; the program reads them as they lay in Python."""
    weight = torch.randn(4, 3).T

    def f(x, y, z):
        sums = (x * 2).mT.sum(0), (y @ z.mT).sum(1)
        return *sums, x.mT.reshape(-1) + 1, y.flip(0) * weight, z[1] + 0

    x, y, z = torch.randn(4, 3).T, torch.randn(3, 8)[:, ::2], torch.randn(4).expand(3, 4)
    exported(tmp_path, f, x, y, z)


def test_adafactor(tmp_path):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3))
    optimizers = [torch.optim.Adafactor(net[0].parameters()),
                  torch.optim.Adafactor(net[2].parameters(), lr=0.1, weight_decay=0.1, d=1.2,
                                        eps=(1e-3, 0.1), maximize=True)]  # fmt: skip

    def step(x):
        loss = net(x).tanh().square().sum()
        net.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        return [loss, *[p.detach() + 0 for p in net.parameters()]]

    exported(tmp_path, step, torch.randn(2, 1, 4, 4), steps=8)
