"""The layers: no module imports upward or in a circle, and `import microtorch` does no work that is not needed.

The order of the layers is that of docs/design.md. A module may import those of its own layer and of the layers below.
"""
import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = [
    ["graph", "formulas", "expr", "errors", "version"],  # the standard library is enough for these
    ["dtypes", "device", "rounding", "generator", "printing", "backends", "_core"],  # numpy
    ["ops"],
    ["engine", "inplace", "tensor", "scalar"],
    ["autograd", "creation", "settings", "special", "testing", "cuda", "opencl"],
    ["random", "linalg", "accelerator"],
    ["nn", "optim", "utils", "files"],
    ["vision", "jit", "onnx"],
    ["viz"],
    ["doctor", "alias", "facade", "demo", "demo_tour", "show", "__config__", "__main__", "__init__"],
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
HEAVY = {"matplotlib", "PIL", "graphviz", "pyopencl", "rich", "onnx", "torch", "scipy", "pandas", "pytest", "IPython", "sklearn"}
PURE = set(LAYERS[0])


def modules():
    """Path of each module, by its name below microtorch."""
    found = {}
    for base, prefix in ((ROOT / "microtorch", ()), (ROOT / "viz", ("viz",))):
        for path in sorted(base.rglob("*.py")):
            parts = (*prefix, *path.relative_to(base).with_suffix("").parts)
            if parts[-1] == "__init__" and len(parts) > 1:
                parts = parts[:-1]
            found[".".join(parts)] = path
    return found


MODULES = modules()


def imports(name, path, everywhere=True):
    """Names below microtorch that a module imports (``""`` for the package itself), and names of other packages."""
    package = name.split(".") if path.name == "__init__.py" and name != "__init__" else name.split(".")[:-1]
    ours, others = set(), set()
    tree = ast.parse(path.read_text())
    nodes = ast.walk(tree) if everywhere else top_level(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                first, _, rest = alias.name.partition(".")
                (ours if first == "microtorch" else others).add(rest if first == "microtorch" else first)
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0:
                first, _, rest = node.module.partition(".")
                if first != "microtorch":
                    others.add(first)
                    continue
                base = rest.split(".") if rest else []
            else:
                base = package[: len(package) - node.level + 1] + (node.module.split(".") if node.module else [])
            for alias in node.names:
                full = ".".join([*base, alias.name])
                ours.add(full if full in MODULES else ".".join(base) or alias.name)
    return ours, others


def top_level(tree):
    """The statements that run at import: not those in functions, nor under TYPE_CHECKING."""
    stack = list(tree.body)
    while stack:
        node = stack.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        stack.extend(child for child in ast.iter_child_nodes(node) if isinstance(child, (ast.stmt, ast.excepthandler)))


def level(name):
    return LEVEL[name.split(".")[0]] if name else LEVEL["__init__"]


def test_every_module_has_a_layer():
    unknown = sorted({name.split(".")[0] for name in MODULES} - set(LEVEL))
    assert not unknown, f"say in LAYERS where these belong: {unknown}"


@pytest.mark.parametrize("name", MODULES)
def test_no_module_imports_upward(name):
    ours, _ = imports(name, MODULES[name])
    upward = sorted(other for other in ours if other.split(".")[0] in LEVEL and level(other) > level(name))
    assert not upward, f"{name} (layer {level(name)}) imports {upward} from above"


@pytest.mark.parametrize("name", sorted(name for name in MODULES if name.split(".")[0] in PURE))
def test_the_lowest_layer_needs_the_standard_library_only(name):
    _, others = imports(name, MODULES[name])
    assert others <= sys.stdlib_module_names


def test_no_circles():
    """Module-level imports form no circle; inside a package, what a submodule takes from it must not come from there."""
    graph = {name: {o for o in imports(name, path, everywhere=False)[0] if o in MODULES and o != name}
             for name, path in MODULES.items() if name != "__init__"}  # fmt: skip
    done, open_, circles = set(), [], []

    def visit(name):
        if name in open_:
            circles.append(" -> ".join([*open_[open_.index(name) :], name]))
        elif name not in done:
            open_.append(name)
            for other in sorted(graph[name] - {"__init__"}):
                visit(other)
            open_.pop()
            done.add(name)

    for name in sorted(graph):
        visit(name)
    packages = {name for name in MODULES if MODULES[name].name == "__init__.py"}
    # a package that lists its modules, and a module that imports a sibling through the package, are no circle of meaning
    real = [c for c in circles if not packages & set(c.split(" -> ")[:-1])]
    assert not real, real


def run(program, **environment):
    env = {**os.environ, **environment}
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT, env=env).stdout


def test_import_loads_nothing_heavy():
    loaded = set(run("import sys, microtorch; print(*sys.modules)").split())
    assert not {name.split(".")[0] for name in loaded} & HEAVY
    lazy = {f"microtorch.{name}" for name in ("nn", "optim", "utils", "vision", "viz", "linalg", "files", "demo",
        "alias")}
    lazy |= {"numpy.random", "numpy.typing"}  # a sixth of the time
    assert not lazy & loaded, f"imported, though not yet named: {sorted(lazy & loaded)}"


def test_import_changes_nothing_of_the_users():
    program = (
        "import warnings, gc, sys, numpy as np\n"
        "def state(): return np.geterr(), gc.isenabled(), gc.get_threshold(), sys.getrecursionlimit(), np.get_printoptions()\n"
        "np.random.seed(0); before = state(); filters = list(warnings.filters)\n"
        "import microtorch\n"
        "microtorch.manual_seed(3)\n"
        "added = [f for f in warnings.filters if f not in filters]\n"
        "print(before == state(), np.random.rand() == np.random.RandomState(0).rand(), len(added))"
    )
    assert run(program).split() == ["True", "True", "1"]  # the one filter: numpy's RuntimeWarnings inside microtorch


def test_arithmetic_is_silent_even_where_warnings_are_errors():
    program = (
        "import microtorch as torch\n"
        "x = torch.tensor([0.0, -1.0, 1e38], requires_grad=True)\n"
        "y = x.log() + x.sqrt() + 1 / x + x * x + x.exp() + x.softmax(0)\n"
        "y.sum().backward()\n"
        "print(torch.tensor([1.0]) / 0, torch.tensor([1]) // torch.tensor([2]))"
    )
    out = subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, capture_output=True, text=True, cwd=ROOT)
    assert out.stdout == "tensor([inf]) tensor([0])\n" and out.stderr == ""


def test_import_stays_lean():
    """How long it takes, `python -m benchmarks import` measures; here, that nothing has crept in."""
    count = "import sys; before = set(sys.modules); import {0}; print(len(set(sys.modules) - before))"
    ours, numpys = (int(run(count.format(name))) for name in ("microtorch", "numpy"))
    assert ours - numpys < numpys * 0.6, (ours, numpys)
