"""docs/adding-an-op.md is true: its two examples run, and so does all that follows from a row."""

import contextlib
import io
import re

import pytest
from repository import ROOT, ran

from microtorch.backends import definitions
from microtorch.engine.registry import REGISTRY

PAGE = (ROOT / "docs" / "adding-an-op.md").read_text(encoding="utf-8")


def test_the_op_of_the_page_prints_what_the_page_says():
    (program, printed) = re.findall(r"```python\n(.*?)```\n\n((?:    [^\n]*\n)+)", PAGE, re.S)[0]
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            exec(compile(program, "adding-an-op.md", "exec"), {"__name__": "page"})
    finally:
        REGISTRY.pop("running_mean", None)
        definitions.pop("running_mean", None)
    assert out.getvalue().splitlines() == [line[4:] for line in printed.splitlines()]


def test_the_row_of_the_page_is_all_that_an_elementwise_op_needs():
    (row,) = re.findall(r'^    ("lisht": .*),$', PAGE, re.M)
    program = f"""
import importlib.util, sys, types, warnings, math
path = {str(ROOT / "microtorch" / "notation" / "formulas.py")!r}
spec = importlib.util.spec_from_file_location("microtorch.notation.formulas", path)
formulas = importlib.util.module_from_spec(spec)
spec.loader.exec_module(formulas)
formulas.TABLE.update({{{row}}})
# the package finds the table with the row in it
sys.modules["microtorch.notation.formulas"] = formulas
import microtorch as torch
x = torch.tensor([0.5, -2.0], dtype=torch.float64, requires_grad=True)
expected = [v * math.tanh(v) for v in (0.5, -2.0)]
for y in (x.lisht(), torch.lisht(x), x.clone().lisht_()):
    assert all(abs(a - b) < 1e-12 for a, b in zip(y.tolist(), expected)), y
    assert y.grad_fn.name() == "LishtBackward0", y
assert torch.autograd.gradcheck(torch.lisht, x) and torch.autograd.gradgradcheck(torch.lisht, x)
s = torch.Scalar(0.5)
s.lisht().backward()
x.lisht().sum().backward()
assert abs(s.grad - x.grad[0].item()) < 1e-12
"""
    done = ran("-c", program)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`(\w+/[\w./]+\.py)`", PAGE))))
def test_the_files_it_names_exist(path):
    assert (ROOT / path).exists() or (ROOT / "microtorch" / path).exists()
