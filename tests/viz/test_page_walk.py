"""Every step of a page for every op: Chromium shows the numbers of the trace, and no error."""

import warnings

import numpy as np
import pytest
from microtorch.viz.reading.trace import Contribution
from microtorch.viz.showing.html import page
from ops.samples import SAMPLES

import microtorch as torch
from microtorch import viz
from microtorch.engine.op import REGISTRY

pytestmark = pytest.mark.needs("browser", "dot")
WINDOW = 1920, 4000  # so tall that no matrix of 8 rows needs a window
# what-if refuses these: windows drawn at random, a second derivative that nobody has, and samples
# whose places are made up, so that no choice of the op's would give them
NOT_AGAIN = set(
    "fractional_max_pool2d fractional_max_pool3d ctc_gradient "
    "cummax cummin mode adaptive_max_pool2d adaptive_max_pool3d max_pool3d".split()
)
PARTS = 4  # tests that share the registry, so that they can run beside each other
TOGETHER = 4  # ops in a page: their losses are added
# the words of each step, its sum, and its last matrix cell by cell; without the camera, and without
# trying whether they fit, which the tests of the page's room do
WALK = """(() => {
  window.fit_lens = () => written();
  window.follow = history.replaceState = () => {};
  const steps = [], all = (e, s) => [...e.querySelectorAll(s)];
  for (let k = 0; k < arguments[0]; k++) {
    go(k);
    const box = document.querySelector("#explain"), last = all(box, ".arrays .array").at(-1);
    const planes = box.querySelector(".windows #result-grid"), own = [];
    const plane = planes && planes.rows.length * planes.rows[0].cells.length;
    if (planes) for (let e = 0; e < zoomed().list.length; e += plane) {
      choose(e);  // one plane after the other; a cell's title holds all digits
      own.push(...all(box, "#result-grid td").map(e => e.title.split(" = ").at(-1)));
    }
    steps.push([box.textContent, all(box, ".sum").map(e => e.textContent).join(" "),
                planes ? own : last ? all(last, "td:not(.cell)").map(e => e.textContent) : []]);
  }
  return [steps, document.querySelector("#svg").textContent];
})()"""


def loss_of(name):
    """Of an op's first sample; None for an op through which no gradient flows."""
    sample = SAMPLES[name][0]
    xs = [np.asarray(x) for x in sample.inputs]
    tensors = [torch.tensor(x) for x in xs]
    op = REGISTRY[name]
    for x, vjp in zip(tensors, op.vjps, strict=False):
        x.requires_grad_(x.is_floating_point() and vjp is not None)
    out = op(*tensors, **sample.attrs)
    if not out.requires_grad:
        return None
    loss = (out * out).sum()
    try:
        torch.autograd.grad(loss, [x for x in tensors if x.requires_grad], retain_graph=True)
    except RuntimeError:  # an op without a derivative says so
        return None
    return loss


UNARY = (
    "digamma erfcx erfinv i0 i0e i1 i1e lgamma log_ndtr ndtri".split()
)


def special(x):
    found = [REGISTRY[name](x) for name in UNARY]
    found += [torch.polygamma(1, x), torch.nextafter(x, x + 1), torch.special.zeta(2.0, x)]
    found += [torch.special.gammainc(x.detach(), x), torch.special.gammaincc(x.detach(), x)]
    return torch.stack(found).sum()


def complex_numbers(x):
    z = torch.complex(x, x.flip(0)) * torch.view_as_complex(torch.stack([x, x * x], -1))
    parts = [(z.conj() * z).real, z.angle(), torch.view_as_real(z)[:, 0], z.imag]
    return torch.stack(parts).sum()


def transforms(x):
    return (torch.fft.fft(x).abs() + torch.fft.irfft(torch.fft.rfft(x), 3)).sum()


def structures(x):
    y = x * 1
    y[1:] = y[:2] * 3  # copy_slices
    log_probs = torch.log_softmax(torch.stack([x, y, x]), -1).unsqueeze(1)
    found = torch.nn.functional.ctc_loss(
        log_probs, torch.tensor([[1, 2]]), torch.tensor([3]), torch.tensor([2])
    )
    rows = torch.nn.functional.embedding(
        torch.tensor([0, 1, 0]), torch.stack([x, y]), scale_grad_by_freq=True
    )
    return y.sum() + torch.svd(rows)[1].sum() + found


PROGRAMS = (special, complex_numbers, transforms, structures)


def shown(value):
    """The cells of a small matrix as the page writes them; None where it draws colours."""
    a = None if value is None or value.full is None else np.asarray(value.full)
    if a is None or a.ndim < 1 or not a.size or max(a.shape[-1], a.size // a.shape[-1]) > 8:
        return None
    return a.ravel()


def read(cell):
    """A number as the page writes it."""
    words = {"True": 1.0, "False": 0.0}
    plain = cell.replace("−", "-").replace("∞", "inf")
    if plain.endswith("i"):
        return complex(plain[:-1] + "j")
    return words[cell] if cell in words else float(plain)


def walk(chromium, tmp_path, loss, some):
    """Each step on the page beside the trace."""
    trace, path = viz.step(loss).trace, tmp_path / "page.html"
    path.write_text(page(trace), encoding="utf-8")
    chromium.open(path, painted=False)
    steps, picture = chromium.js(WALK, len(trace.steps))
    assert chromium.log("browser") == [], some
    assert "?" not in picture, f"{some}: a value never appears"
    refused = chromium.js("N.flatMap((n, i) => n.op && obstacle(i) ? [n.op] : [])")
    assert set(refused) <= NOT_AGAIN, some  # all others are recomputed for other values
    for step, (words, total, cells) in zip(trace.steps, steps, strict=True):
        where = f"{some}, {step.kind} {step.name}"
        assert not any(w in words for w in ("undefined", "[object", "cannot be shown")), where
        if isinstance(step, Contribution):
            if step.contribution is not None:
                assert step.sum in total, where
                continue
            wanted = shown(step.total)
        else:
            wanted = shown(trace.nodes[step.node].value) if step.kind != "seed" else None
        if wanted is not None:
            size = np.abs(wanted).astype(float)  # two or three digits, rounded either way
            if wanted.dtype.kind == "c":  # each part on its own
                size = np.minimum(np.abs(wanted.real), np.abs(wanted.imag)) + 1e-3
            unit = np.where((size < 1e-3) | (size >= 1e5), 5.1e-2, 5.1e-3) * size
            assert np.all(np.abs(np.subtract([*map(read, cells)], wanted)) <= unit), where
    return trace


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_each_number_is_that_of_the_trace(part, chromium, tmp_path):
    names = sorted(set(SAMPLES) & set(REGISTRY))[part::PARTS]
    for first in range(0, len(names), TOGETHER):
        some = names[first : first + TOGETHER]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            losses = [loss for loss in map(loss_of, some) if loss is not None]
        if losses:
            walk(chromium, tmp_path, sum(losses[1:], losses[0]), some)


def test_ops_without_a_sample(chromium, tmp_path):
    seen = set()
    for program in PROGRAMS:
        x = torch.tensor([0.4, 0.7, 0.9], dtype=torch.float64, requires_grad=True)
        seen |= {n.op for n in walk(chromium, tmp_path, program(x), program.__name__).nodes}
    rest = {name for name, op in REGISTRY.items() if any(op.vjps)} - {*SAMPLES, *seen}
    # the derivative of a polynomial is refused, as PyTorch refuses it
    rest = {name for name in rest if "polynomial" not in name}
    assert rest <= {"element", "stack_scalars", "transfer", "ctc_gradient"}, rest


def test_a_fault_of_the_page_says_so_and_leaves_no_old_words(chromium, tmp_path):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    loss = (x * x).sum()
    path = viz.step(loss).save(tmp_path / "page.html")
    chromium.open(path)
    chromium.js("(window.explain = () => { throw new Error('broken on purpose') }, 1)")
    chromium.keys("right")
    assert "Step 2 cannot be shown" in chromium.text("#explain")
    assert "broken on purpose" in chromium.log("browser")[0]["message"]
    assert chromium.text("#check") == ""
