"""The course: its programs print what the pages show, and its exercises check themselves."""

import contextlib
import io
import linecache
import math
import re
from pathlib import Path

import pytest

from microtorch.__main__ import main
from microtorch.programs import exercise_answers, exercises
from microtorch.programs.exercises import check

COURSE = Path(__file__).resolve().parents[1] / "docs" / "course"
LESSONS = sorted(COURSE.glob("[0-9]*.md"))
NUMBER = re.compile(r"[−-]?\d+\.\d+(?:e[−+-]?\d+)?|\d+e[−+-]\d+")
BLOCK = re.compile(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", re.S)


def blocks(path, kind):
    return re.findall(rf"```python {kind}\n(.*?)```", path.read_text(encoding="utf-8"), re.S)


def numbers(text):
    return [float(n.replace("−", "-")) for n in NUMBER.findall(text)]


def same(printed, shown):
    assert NUMBER.sub("#", printed).split() == NUMBER.sub("#", shown).split()
    for a, b in zip(numbers(printed), numbers(shown), strict=True):
        assert math.isclose(a, b, rel_tol=2e-3, abs_tol=2e-3), (printed, shown)


@pytest.mark.needs("dot")
@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
def test_a_lesson_prints_what_it_shows(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = BLOCK.findall(path.read_text(encoding="utf-8"))
    Path("lesson.py").write_text("\n".join(program for program, _ in found), encoding="utf-8")
    linecache.checkcache()
    names, line = {"__name__": "__main__"}, 0
    for program, shown in found:
        printed = io.StringIO()
        code = compile("\n" * line + program, str(tmp_path / "lesson.py"), "exec")
        with contextlib.redirect_stdout(printed):
            exec(code, names)
        line += program.count("\n") + 1
        same(printed.getvalue(), shown)


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
def test_an_exercise_is_wrong_at_first_and_its_solution_right(path, tmp_path):
    (skeleton,), (solution,) = blocks(path, "exercise"), blocks(path, "solution")
    file = tmp_path / "exercise.py"
    file.write_text(skeleton, encoding="utf-8")
    first = check(file)
    assert len(first) == 1 and not first[0] and first[0].wrong.what, first
    file.write_text(solution, encoding="utf-8")
    last = check(file)
    assert len(last) == 1 and last[0] and len(last[0].right) >= 1, str(last[0])


def test_links_and_contents():
    contents = (COURSE / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"\((\d\d-[\w-]+\.md)\)", contents) == [p.name for p in LESSONS]
    assert len(LESSONS) == 10
    for page in COURSE.glob("*.md"):
        for target in re.findall(r"\]\(([^)#:]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


# ---- the checker ---------------------------------------------------------------------------------
VALUE = blocks(COURSE / "05-value.md", "solution")[0]


def answer(text, tmp_path):
    (tmp_path / "exercise.py").write_text(text, encoding="utf-8")
    (one,) = check(tmp_path / "exercise.py")
    return one


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("self.grad += out.grad * other.data", "self.grad = out.grad * other.data",
         ["L = c * a", "a: the gradient should be -12, and is -6", "write += and not ="]),
        ("self.grad += out.grad * other.data", "self.grad += out.grad * self.data",
         ["L = a * b", "a: the gradient should be -3, and is 2", "finite difference is -3"]),
        ("self.grad += out.grad\n", "self.grad -= out.grad\n", ["L = a + b", "a minus"]),
        ("other.grad += out.grad\n", "pass\n", ["L = a + b", "nothing arrived"]),
        ("self.data * other.data, (self, other)", "self.data + other.data, (self, other)",
         ["L = a * b", "L: the value should be -6, and is -1", "on the way forward"]),
        ("self.grad = 1.0", "self.grad = 2.0", ["L = a + b", "with the gradient 1"]),
        ("if v not in seen:", "if True:", ["more than once"]),
        ("self.data * other.data, (self, other)", "self.data * other.data, (self, other, self)",
         ["c is made from a and b", "parents"]),
        ("self.grad = 1.0", "self.grad = 1.0\n        while order: order[0].push()",
         ["it still runs", "does not end"]),
        ("other = other if isinstance(other, Value) else Value(other)", "pass",
         ["L = a + 1", "a number stands where a Value is expected"]),
        ("self.grad += out.grad * other.data", "self.grad += other.data", ["L = c * a", "arrives"]),
        ("v.push()", "v.pull()", ["AttributeError", "in line "]),
        ("self.data, self.grad, ", "self.number, self.grad, ", ["attribute 'data'"]),
    ],
)  # fmt: skip
def test_the_first_wrong_number_of_a_value(right, wrong, said, tmp_path, monkeypatch):
    monkeypatch.setattr(exercise_answers, "PATIENCE", 0.3)
    assert right in VALUE
    text = str(answer(VALUE.replace(right, wrong), tmp_path))
    assert "WRONG" in text
    for part in said:
        assert part in text, text


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("(1 - t * t,)", "(1 + t * t,)", ["of a = 0.7 and b = -1.3", "a + where a − belongs"]),
        ("(1 - t * t,)", "(1 - self.data**2,)", ["the input stands where the result belongs"]),
        ("(on,)", "(0.0,)", ["c = a * a", "d = c.relu()", "by c is 1 here, and yours 0"]),
        ("(on,)", "(1.0,)", ["c = a * b", "d = c.relu()", "by c is 0 here, and yours 1"]),
        ("(n * self", "(self", ["L = a ** 3", "the factor 3 is missing"]),
        ("(other.data, self.data)", "(self.data, other.data)", ["two inputs are exchanged"]),
        ("return value(other) - self", "return self - other", ["by a.__rsub__(1)"]),
        ("float(self.data > 0)", "float(self.data >= 0)", ["PyTorch takes 0, and yours is 1"]),
    ],
)
def test_the_slip_behind_a_wrong_number(right, wrong, said, tmp_path):
    engine = next(b for b in BLOCK.findall((COURSE / "05-value.md").read_text("utf-8")))[0]
    assert right in engine
    text = str(answer(engine.replace(right, wrong), tmp_path))
    for part in said:
        assert part in text, text


def test_a_wrong_number_makes_no_warning(tmp_path, recwarn):
    text = "import math\ndef f(x): return math.tanh(x)\ndef f_backward(g, out, x): return g"
    assert "WRONG" in str(answer(text, tmp_path)) and not recwarn.list


def test_a_right_value_is_told_where_it_ends(tmp_path):
    one = answer(VALUE, tmp_path)
    assert one and "RecursionError" in one.note and "tanh()" in one.later


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import math\ndef tanh(x): return math.tanh(x)\n"
         "def tanh_backward(g, out, x): return 1 - out * out",
         ["x: its contribution should be 2.35934, and is 0.786448", "that arrives"]),
        ("def matmul_backward(g, out, x, y): return g @ y.T, g.T @ x", ["(3, 4), and has (4, 3)",
         "transpose"]),
        ("def mul_backward(g, out, x, y): return g * y", ["1 contributions", "a tuple"]),
        ("def exp(x): return 1 + x\ndef exp_backward(g, out, x): return g * out",
         ["the value should be 1.64872, and is 1.5"]),
        ("def mine_backward(g, out, x): return g", ["no function mine"]),
        ("import torch\nclass Double(torch.autograd.Function):\n"
         "    @staticmethod\n    def forward(ctx, x): return x * 2\n"
         "    @staticmethod\n    def backward(ctx, g): return g",
         ["Double.apply", "should be 6, and is 3", "g passes as it is"]),
        ("def backward(root): return [1]", ["returned list"]),
        ("def neg_backward(g, out, x): return g", ["the sign"]),
        ("def relu_backward(g, out, x): return g", ["relu(-0.75)", "nothing passes"]),
        ("def f(x): return (x * x * x).relu()\ndef f_backward(g, out, x): return 3 * g * x * x",
         ["tensor of shape (2, 3)", "should be 0"]),
        ("def sigmoid_backward(g, out, x): return g * x * (1 - x)", ["the input stands where"]),
        ("def softmax(x):\n    e = x.exp()\n    return e / e.sum(-1, keepdim=True)\n"
         "def softmax_backward(g, out, x): return g * out * (1 - out)", ["only its own"]),
        ("def linear_backward(g, out, x, w, b): return g @ w, g[1:].T @ x[1:], g.sum(0)",
         ["only what result[1] gives is there"]),
        # one number has some ratio to any other: a hint must hold for all samples
        ("def f(x): return x**4 - x\ndef f_backward(g, out, x): return g * 4 * x**3",
         ["the chain rule"]),
        ("def f(x): return x**4 - x\ndef f_backward(g, out, x): return g",
         ["g passes as it is: multiply it by the derivative by x"]),
        ("def f(x, y): return x**2 * y\ndef f_backward(g, out, x, y): return x * y * 2, g * x**2",
         ["that arrives"]),
        ("def f(x, y): return x**2 * y\n"
         "def f_backward(g, out, x, y): return g * x**2, g * x * y * 2",
         ["this is what y receives"]),
        ("def f(x, y): return x**2 - y\ndef f_backward(g, out, x, y): return (x - x), -g",
         ["nothing arrives"]),
        ("import torch\nf_inputs = torch.tensor([1.0, 2.0, -1.0]),\n"
         "def f(x): return torch.stack([x[i : i + 2].sum() for i in range(2)])\n"
         "def f_backward(g, out, x):\n    d = torch.zeros_like(x)\n"
         "    for i in range(2): d[i : i + 2] = g[i]\n    return d",
         ["each element has what one element of the result gives"]),
        ("def linear_backward(g, out, x, w, b): return g @ w.T, g.T @ x, g.sum(0)",
         ["exchange the factors, or use .T"]),
        ("def backward(root): return {}[root]", ["begin with 0.0"]),
    ],
)  # fmt: skip
def test_the_first_wrong_number_of_an_op(text, said, tmp_path):
    told = str(answer(text, tmp_path))
    assert "WRONG" in told
    for part in said:
        assert part in told, told


def test_right_functions(tmp_path):
    text = (
        "import torch\nclass Square(torch.autograd.Function):\n"
        "    @staticmethod\n    def forward(ctx, x):\n"
        "        ctx.save_for_backward(x)\n        return x * x\n"
        "    @staticmethod\n    def backward(ctx, g):\n"
        "        (x,) = ctx.saved_tensors\n        return 2 * g * x\n"
    )
    assert answer(text, tmp_path)
    assert answer("def matmul_backward(g, out, x, y): return g @ y.T, x.T @ g", tmp_path)


def test_the_command(tmp_path, capsys):
    file = tmp_path / "exercise.py"
    file.write_text(VALUE, encoding="utf-8")
    assert main(["check", str(file)]) == 0 and "right  L = a + b" in capsys.readouterr().out
    file.write_text("x = 1", encoding="utf-8")
    assert main(["check", str(file)]) == 1
    assert "define a class Value" in capsys.readouterr().err
    file.write_text("1 / 0", encoding="utf-8")
    assert main(["check", str(file)]) == 1 and "does not run" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["check", str(tmp_path / "nowhere.py")])


@pytest.mark.needs("dot")
def test_the_picture_of_where_it_went_wrong(tmp_path, capsys):
    file = tmp_path / "exercise.py"
    file.write_text(VALUE.replace("+= out.grad * other.data", "= 7.0"), encoding="utf-8")
    assert main(["check", str(file)]) == 1
    picture = (tmp_path / "exercise.svg").read_text(encoding="utf-8")
    assert "yours: 7" in picture and "exercise.svg" in capsys.readouterr().out
    file.write_text("def sigmoid_backward(g, out, x): return g", encoding="utf-8")
    assert main(["check", str(file)]) == 1
    assert "yours: 3" in (tmp_path / "exercise.svg").read_text(encoding="utf-8")


def test_without_graphviz_there_is_no_picture_and_no_fault(tmp_path, monkeypatch):
    from microtorch.viz.drawing import render

    def missing(*_, **__):
        raise render.RenderError("no Graphviz")

    monkeypatch.setattr(render, "render", missing)
    one = answer(VALUE.replace("+= out.grad * other.data", "= 7.0"), tmp_path)
    exercises.draw(one, str(tmp_path / "exercise.py"))
    assert one.picture == ""


class Value:
    pass


def test_a_class_in_a_notebook_can_be_checked():
    names = {}
    exec(VALUE, names)
    (one,) = check(names["Value"])
    assert one
    with pytest.raises(LookupError):
        check({"x": 1})
