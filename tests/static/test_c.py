"""Programs as C: equal to the function but for rounding, and never used where they are not."""

import ctypes
import re
import subprocess
import warnings

import numpy as np
import pytest
from both_ways import near, t
from ops.running import CASES, tensors
from ops.samples import SAMPLES

import microtorch as torch
from microtorch import nn
from microtorch.engine.registry import REGISTRY
from microtorch.nn import functional as F
from microtorch.static import agreement, build, functions

try:
    build.compiler()
except build.CompilerError:
    pytest.skip("no C compiler", allow_module_level=True)


pytestmark = pytest.mark.usefixtures("own_cache")


def test_all_elementwise_ops_and_derivatives_in_one_program(monkeypatch):
    """Each op of the samples with a formula, of one or two float operands, forward and backward."""
    todo = {}
    for name, _ in {c.values[0]: c for c in CASES}.items():
        s = SAMPLES[name][0]
        if name in ("sum", "mean", "softmax", "log_softmax") or (
            hasattr(REGISTRY[name], "formula") and REGISTRY[name].formula and name != "where"
        ):
            if all(x.dtype.kind == "f" for x in s.inputs):
                todo[name] = s
    assert len(todo) > 50

    def f(*xs):
        out, at = [], 0
        for name, s in todo.items():
            n = len(s.inputs)
            out.append(REGISTRY[name](*xs[at : at + n], **s.attrs))
            at += n
        loss = sum((y * y).sum() for y in out if y.requires_grad)
        loss.backward()
        return [loss, *out]

    quick = ("-std=gnu99", "-O1", "-ffp-contract=off", "-fPIC", "-shared", "-w")
    monkeypatch.setattr(build, "flags", lambda: quick)  # a long text, and doubles alone
    checked = []
    close = agreement.close
    monkeypatch.setattr(agreement, "close", lambda *a: checked.append(close(*a)) or checked[-1])
    c = torch.compile(f)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for _ in range(5):
            xs = [x for s in todo.values() for x in tensors(s.inputs, "float64", s.data)]
            ys = [x for s in todo.values() for x in tensors(s.inputs, "float64", s.data)]
            for a, b in zip(f(*xs), c(*ys), strict=True):
                np.testing.assert_allclose(
                    a.detach().numpy(), b.detach().numpy(), rtol=1e-9, atol=1e-12)  # fmt: skip
            for x, y in zip(xs, ys, strict=True):
                if x.grad is not None:
                    np.testing.assert_allclose(
                        x.grad.numpy(), y.grad.numpy(), rtol=1e-8, atol=1e-10)  # fmt: skip
    assert not c.reason and checked and all(checked)
    text = c.c_source()
    assert sum(text.count(word) for word in ("tanh(", "sigmoid(", "sqrt(")) > 3


@pytest.mark.parametrize("kept", [True, False])
def test_a_training_step_is_one_function_of_c(kept):
    """Gradients that the step itself drops are nowhere kept."""
    def make():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

        def step(x, y):
            loss = torch.relu(1 - y * model(x)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if not kept:
                optimizer.zero_grad()
            return loss

        return model, step

    (a, f), (b, g) = make(), make()
    g = torch.compile(g)
    for i in range(20):
        x = t(10, 3, seed=i)
        y = x[:, :1].sign()
        near(f(x, y), g(x, y))
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        near(p, q)
        if kept:
            near(p.grad, q.grad)
        assert kept is (q.grad is not None) is (p.grad is not None)
    text = g.c_source()
    assert text.count("int forward_") == 1 and "test_c.py" in text
    assert "restrict x" in text and "restrict weight" in text and "fast_tanh(" in text
    assert ("float *restrict d_weight," in text) is kept
    assert "sgdf(" in text and f"{len(g.graph.steps)} of its {len(g.graph.steps)} steps" in text


def test_views_layouts_broadcasting_and_what_leaves():
    def f(x):
        y = (x * 2).t()
        z = y.reshape(-1)[3:9].reshape(2, 3)
        a = (z + 1).exp() - x[:, :1].sum() * x[1]
        return y + 1, a.sum(0), (a - a.mean(1, keepdim=True)).softmax(1), z * z

    c = torch.compile(f)
    for i in range(6):
        x = t(4, 3, seed=i)
        for u, v in zip(f(x), c(x), strict=True):
            near(u, v)
            assert u.stride() == v.stride()
    assert not c.reason and c.c_source()


def test_backward_from_outside_and_large_values():
    w = t(64, 64).requires_grad_()
    v = w.detach().clone().requires_grad_()

    def loss(x, w):
        return ((x + w).tanh() * w).exp().mean()

    c = torch.compile(loss)
    for i in range(6):
        x = t(64, 64, seed=i)
        w.grad = v.grad = None
        loss(x, w).backward()
        c(x, v).backward()
        near(w.grad, v.grad)
    assert "backward_0" in c.c_source() and "forward_0" in c.c_source()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_nan_and_infinity_pass():
    f = lambda x: torch.relu(x * 2).clamp(max=3.0) + x.maximum(x * 0)  # noqa: E731
    c = torch.compile(f)
    x = torch.tensor([1.0, float("nan"), float("inf"), -float("inf"), -0.0])
    for _ in range(5):
        np.testing.assert_array_equal(c(x).numpy(), f(x).numpy())
    assert c.c_source()


def test_cross_entropy_and_dropout_beside_c():
    def make():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Dropout(0.5), nn.Linear(8, 3))
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

        def step(x, y):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        return step

    found = []
    for run in (make(), torch.compile(make())):
        torch.manual_seed(1)
        y = torch.tensor([0, 1, 2, 1])
        found.append([run(t(4, 4, seed=i), y).item() for i in range(12)])
    np.testing.assert_allclose(*found, rtol=1e-4)
    assert run.c_source()


def test_writes_views_and_products_of_all_shapes():
    """In-place operations, parts of tensors, batched and narrow products."""

    def f(x, y, w):
        a = x * 1
        a[1:, ::2] = y[:2, :2] * 2
        a += y
        b = a.t()
        b[0] *= 3  # a's first column
        c = (b @ y).reshape(-1)[2:10].view(2, 4)
        c -= w[:2]
        s = torch.stack([x, y]) @ w.t()  # batched
        narrow = x @ y[:2].t() + (y.t() @ x)[:3, :1] + x[:, :1] @ y[:1, :2].sum().reshape(1, 1)
        z = torch.cat([c, w[:1]]).softmax(0).log_softmax(1)
        x.mul_(0.5)
        return a + 0, b.sum(1), c * 1, s.sum(0), narrow, z, x[:, 1:] * 2, s.mean((0, 2))

    c = torch.compile(f)
    for i in range(6):
        given = t(3, 4, seed=i), t(3, 4, seed=9 + i), t(3, 4, seed=20 + i)
        same = [x.clone() for x in given]
        for u, v in zip(f(*given), c(*same), strict=True):
            near(u, v)
        for u, v in zip(given, same, strict=True):
            near(u, v)
    assert not c.reason and 1 <= c.c_source().count("int forward_") <= 4


def test_a_step_follows_its_schedule_and_stops_at_a_wrong_class():
    def make():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Embedding(5, 6), nn.Flatten(), nn.LayerNorm(12), nn.Linear(12, 3))
        groups = [{"params": model[0].parameters()}, {"params": model[3].parameters(), "lr": 0.3}]
        optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.9, weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5)

        def step(x, y):
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
            return loss

        return model, step, schedule

    rng = np.random.default_rng(0)
    (m, f, s), (n, g, r) = make(), make()
    g = torch.compile(g)
    for _ in range(9):
        x, y = torch.tensor(rng.integers(0, 5, (7, 2))), torch.tensor(rng.integers(0, 3, 7))
        near(f(x, y), g(x, y))
        s.step(), r.step()
    for p, q in zip(m.parameters(), n.parameters(), strict=True):
        near(p, q)
    assert not g.reason and "double lr_1" in g.c_source()
    before = [p.detach().clone() for p in n.parameters()]
    for wrong in (x, y + 3), (x + 5, y):
        with pytest.raises(IndexError):
            g(*wrong)
    assert all(torch.equal(p, q) for p, q in zip(before, n.parameters(), strict=True))
    near(f(x, y), g(x, y))


@pytest.mark.parametrize("name", [*sorted(functions.VECTORS), "sigmoid", "softplus"])
def test_a_file_has_what_its_functions_of_float_call_and_no_more(tmp_path, name):
    call = f"float f(float x) {{ return {functions.named(name, 'float32')}(x); }}\n"
    parts = [functions.text_of("head"), functions.text_of("basics"), functions.floats([name])]
    file = tmp_path / "f.c"
    file.write_text("\n".join([*parts, call]))
    errors = "-Werror=implicit-function-declaration"
    subprocess.run([*build.compiler(), "-std=c99", "-fsyntax-only", errors, str(file)], check=True)
    assert ("fast_erf(" in parts[-1]) is (name == "erf")


@pytest.mark.parametrize("fused", [True, False])
def test_tanh_of_programs_errs_by_less_than_three_units_in_the_last_place(fused):
    """Over floats of all sizes, products fused with sums or not; and what is special."""
    head = functions.text_of("head")
    loop = "for (int i = 0; i < n; i++) out[i] = fast_tanh(x[i]);"
    text = f"void all(int n, const float *restrict x, float *restrict out) {{ {loop} }}\n"
    text = "\n".join([functions.used(head, "ADDf INLINE"), functions.floats(["tanh"]), text])
    every = build.loaded(text if fused else text.replace("ifdef __FMA__", "if 0"))
    bits = np.arange(0, np.float32(20).view(np.uint32), 1999, np.uint32)
    near = np.uint32(0x3e000000) + np.arange(1 << 20, dtype=np.uint32) * 37  # 1/8 to 20
    special = np.array([np.inf, 1e30, 100, 0, np.nan], "f4")
    x = np.concatenate([bits.view("f4"), near.view("f4"), special])
    out = np.empty_like(x)
    for sign in (1, -1):
        x *= sign
        every.all(len(x), *(ctypes.c_void_p(a.ctypes.data) for a in (x, out)))
        true = np.tanh(x.astype("f8"))
        unit = np.spacing(np.maximum(np.abs(true), 2.0**-126).astype("f4"))
        error = (np.abs(out - true) / unit)[:-1]
        assert error.max() < 2.7 and error.mean() < 0.6 and np.abs(out[:-1]).max() == 1
        assert np.isnan(out[-1]) and (np.signbit(out) == np.signbit(x))[:-1].all()


def test_one_number_under_two_names_and_names_that_c_does_not_take():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self._w = nn.Parameter(torch.ones(3))
            self.list = nn.ParameterList([torch.ones(3), torch.ones(3)])

        def forward(self, x):
            for p in self.list:
                x = x * p + self._w
            out = []
            for _ in range(3):  # the gradient of a sum of one number is its own
                x = (x.amax(-1, keepdim=True) - x).sum()
                out.append(x.sum())
                x = x * 0.9
            return out[0] + 2 * out[2] + x.mean(), out[1]

    model = Model()
    compiled = torch.compile(model)
    for i in range(4):
        x, y = (torch.full((3,), 1.0 + i).requires_grad_() for _ in range(2))
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            sum(compiled(x)).backward()
        sum(model(y)).backward()
        assert torch.allclose(x.grad, y.grad)
    assert "p0" in compiled._compiled.c_source() and "p__w" not in compiled._compiled.c_source()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_numbers_of_another_dtype_are_not_the_same_under_another_name():
    """In C, a quotient of truths is one of integers; so is what was cast to fewer bits."""

    def f(x, y, n):
        a, b = x > 0, y > 0
        small = n * 3
        return a.float() / b.float(), a, b, small.int().double(), small, n.to(torch.int8).float()

    compiled, given = torch.compile(f), (t(40), t(40, seed=1), torch.arange(40) << 28)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        for _ in range(4):
            found = compiled(*given)
    for a, b in zip(found, f(*given), strict=True):
        assert torch.allclose(a, b, equal_nan=True)


@pytest.mark.parametrize("written", [False, True])
def test_a_class_that_is_computed_is_looked_at_before_anything_is_written(written):
    """Where it is written to before, too; then by the step that reads it."""
    w, count = t(4, 3).requires_grad_(), torch.zeros(2)

    def f(x, labels):
        count.add_(1)
        y = labels.long()
        if written:
            y.add_(1)
        loss = F.cross_entropy(x @ w, y)
        w.grad = None
        loss.backward()
        with torch.no_grad():
            w.sub_(w.grad)
        return loss

    compiled, labels = torch.compile(f), torch.tensor([0, 1], dtype=torch.uint8)
    for _ in range(4):
        compiled(t(2, 4), labels)
    source = compiled.c_source()
    assert written or source.index("if (!in_range") < source.index("[i] + 1.0f")
    before = w.detach().clone(), w.grad
    with pytest.raises(IndexError):
        compiled(t(2, 4), labels + 2)
    assert torch.equal(w, before[0]) and w.grad is before[1] and (count == 5).all()


def test_what_would_be_drawn_after_an_error_is_not_drawn():
    w, y = t(4, 3), torch.tensor([0, 2])

    def f(x, y):
        noise = F.dropout(x)
        return (F.embedding(y, w) @ (noise * 2 + 1).mT).sum() * torch.rand(3)

    compiled = torch.compile(f)
    for _ in range(4):
        compiled(t(2, 3), y)
    assert not compiled.reason and compiled.c_source()
    drawn = []
    for g in (f, compiled):
        torch.manual_seed(0)
        with pytest.raises(IndexError):
            g(t(2, 3), y + 3)
        drawn.append(torch.rand(1).item())
    assert drawn[0] == drawn[1]


def test_what_nobody_reads_may_be_asked_whether_it_could_be_made():
    """The targets are looked at; the loss is made only by the steps that raise."""
    w, y = t(4, 3), torch.tensor([0, 2])

    def f(x, y):
        F.cross_entropy(x @ w, y % 4)
        return x * 2

    compiled = torch.compile(f)
    for _ in range(4):
        assert torch.equal(compiled(t(2, 4), y), t(2, 4) * 2)
    assert "in_range" in compiled.c_source()
    with pytest.raises(IndexError):
        compiled(t(2, 4), y + 1)


def test_what_a_loop_reads_is_not_overwritten_by_it():
    """Of two shapes in one loop: the smaller is read for many elements of the larger."""
    x, y = t(5, 5, 5), t(5, 5, 5, seed=1)

    def f(x, y):
        d = torch.cdist(x, y, 1.5)
        d.sum().backward()
        return d

    grads = []
    for function in (f, torch.compile(f)):
        for _ in range(4):
            xs = [a.clone().requires_grad_() for a in (x, y)]
            function(*xs)
        grads.append([a.grad for a in xs])
    for a, b in zip(*grads, strict=True):
        near(a, b)


@pytest.mark.parametrize("case", ["half", "half of more", "infinite"])
def test_a_product_leaves_out_what_relu_made_zero(case):
    """Half of the gradient counts; all of it where 0 times a number is NaN."""
    n = 150 if case == "half of more" else 20
    x = t(n, 130)
    if case == "infinite":
        x[3, 5] = float("inf")
    grads = []
    for compiled in (False, True):
        w = t(300, 130, seed=1).requires_grad_()
        bias = torch.full((300,), -1e3 if case == "infinite" else 0.0)

        def f(x, w=w, bias=bias):
            w.grad = None
            torch.relu(torch.nn.functional.linear(x, w, bias)).square().sum().backward()

        step = torch.compile(f) if compiled else f
        for _ in range(4):
            step(x)
        grads.append(w.grad)
    assert f"product_of_fewf(300, 130, {n}" in step.c_source()
    assert torch.allclose(*grads, rtol=1e-4, atol=1e-3, equal_nan=True)
    assert grads[1].isnan().any() == (case == "infinite")


class Heads(torch.nn.Module):
    """Attention with heads, whose mask is one for all heads, or a number for each example."""

    def __init__(self, mask):
        super().__init__()
        self.mask, self.qkv, self.out = mask, torch.nn.Linear(32, 96), torch.nn.Linear(32, 32)

    def forward(self, x):
        n, length, _ = x.shape
        q, k, v = (y.view(n, length, 2, 16).transpose(1, 2) for y in self.qkv(x).chunk(3, -1))
        scores = q @ k.transpose(-2, -1) / 4
        if self.mask == "all":
            scores = scores.masked_fill(torch.ones(length, length).triu(1).bool(), -1e9)
        else:
            scores = scores + x.mean((1, 2)).reshape(n, 1, 1, 1)
        weights = torch.softmax(scores, -1)
        y = (weights @ v).transpose(1, 2).reshape(n, length, 32)
        return self.out(y), weights if self.mask == "each" else scores


@pytest.mark.parametrize("mask", ["all", "each"])
def test_attention_is_a_loop_over_heads(mask):
    results = []
    for compiled in (False, True):
        torch.manual_seed(0)
        net = Heads(mask)

        def f(x, net=net):
            net.zero_grad()
            y, more = net(x)
            (y.square().sum() + more[:, :, ::3].tanh().mean()).backward()
            return y.sum()

        step = torch.compile(f) if compiled else f
        for i in range(4):
            loss = step(t(3, 12, 32, seed=i))
        results.append([loss.item(), *[p.grad for p in net.parameters()]])
    assert "for (int b1 = 0; b1 < 2; b1++)" in step.c_source()
    for a, b in zip(*results, strict=True):
        near(torch.as_tensor(a), torch.as_tensor(b))


def test_what_a_loop_over_matrices_makes_by_parts_is_read_after_it():
    """As many heads as places: the joined heads have the leading size of the loop."""
    x = t(12, 12, 16)

    def f(x):
        y = (x @ x.transpose(1, 2) @ x).transpose(0, 1).reshape(12, 192)
        return (y * 2).tanh().sum() + (y.reshape(12, 12, 16) @ x.transpose(1, 2)).sum()

    step = torch.compile(f)
    for _ in range(4):
        near(step(x), f(x))
    assert "for (int b0 = 0; b0 < 12; b0++)" in step.c_source()


def test_what_is_made_before_a_loop_over_matrices_is_there_in_it():
    x = t(12, 12, 16).requires_grad_()

    def f(x):
        x.grad = None
        ((x @ x.transpose(1, 2)) * 0.3).tanh().mean().backward()
        return x.grad.sum()

    step = torch.compile(f, fullgraph=True)
    for _ in range(4):
        found = step(x)
        near(found, f(x))
    assert "float v" in step.c_source()


def test_functions_whose_sums_stay_in_registers_stand_apart():
    """In the function of a step, gcc may put the sums into memory: ten times as slow."""
    tiles = [x for x in functions.functions().values() if re.search(r"\]\[TILE\]|\btile@\(", x)]
    heads = [re.search(r"^(APART|INLINE|static)", x, re.MULTILINE)[0] for x in tiles]
    assert len(heads) > 2 and "static" not in heads
