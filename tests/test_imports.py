"""The layers: no import points up or in a circle, and `import microtorch` does no needless work.

docs/layers.txt lists the layers, lowest first. A module may import from its own layer and from
those below; modules form no circle, and neither do the folders of one layer. Imports inside
functions count; those under TYPE_CHECKING, which never run, may point anywhere.
"""

import ast
import sys

import pytest
from layers import layers
from repository import ROOT, python

LEVEL = {name: i for i, layer in enumerate(layers()) for name in layer.folders}
PURE = set(layers()[0].folders)
HEAVY = {
    "matplotlib", "PIL", "graphviz", "pyopencl", "rich", "onnx", "torch", "scipy", "pandas",
    "pytest", "IPython", "sklearn",
}  # fmt: skip
# Who may name the front door (`import microtorch`), because it is a user of the package.
FRONT_DOOR = ("vision", "programs", "viz", "facade")


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


def running(tree):
    """All nodes but those under TYPE_CHECKING."""
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            stack.extend(node.orelse)
            continue
        yield node
        stack.extend(ast.iter_child_nodes(node))


def imports(name):
    """Modules below microtorch that a module imports ("__init__": the package), and others."""
    path = MODULES[name]
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    package = [] if name == "__init__" else package
    ours, others = set(), set()
    for node in running(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first, _, rest = alias.name.partition(".")
                (ours if first == "microtorch" else others).add(
                    (rest or "__init__") if first == "microtorch" else first
                )
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0:
                first, _, rest = node.module.partition(".")
                if first != "microtorch":
                    others.add(first)
                    continue
                base = rest.split(".") if rest else []
            else:
                base = package[: len(package) - node.level + 1] + (
                    node.module.split(".") if node.module else []
                )
            for alias in node.names:
                full = ".".join([*base, alias.name])
                ours.add(full if full in MODULES else ".".join(base) or "__init__")
    return ours - {name}, others


GRAPH = {name: {o for o in imports(name)[0] if o in MODULES} for name in MODULES}


def level(name):
    return LEVEL[name.split(".")[0]]


def circles(graph):
    """The circles in a graph of names: each as the list of those on it."""
    done, found = set(), []

    def visit(name, trail):
        if name in trail:
            found.append([*trail[trail.index(name) :], name])
        elif name not in done:
            for other in sorted(graph.get(name, ())):
                visit(other, [*trail, name])
            done.add(name)

    for name in sorted(graph):
        visit(name, [])
    return found


def test_every_module_has_a_layer():
    unknown = sorted({name.split(".")[0] for name in MODULES} - set(LEVEL))
    assert not unknown, f"say in docs/layers.txt where these belong: {unknown}"
    there = {path.name for path in (ROOT / "microtorch").iterdir() if path.suffix != ".so"}
    gone = [n for n in LEVEL if n not in ("viz", "_core") and not {n, f"{n}.py"} & there]
    assert not gone, f"docs/layers.txt names what is not there: {gone}"


@pytest.mark.parametrize("name", MODULES)
def test_no_module_imports_upward(name):
    upward = sorted(other for other in GRAPH[name] if level(other) > level(name))
    if name.split(".")[0] in FRONT_DOOR:
        upward = [other for other in upward if other != "__init__"]
    assert not upward, f"{name} (layer {level(name)}) imports {upward} from above"


@pytest.mark.parametrize("name", sorted(n for n in MODULES if n.split(".")[0] in PURE))
def test_the_lowest_layer_needs_the_standard_library_only(name):
    aliases = {"numpy"} if name == "base.types" else set()
    assert imports(name)[1] <= sys.stdlib_module_names | aliases


def test_modules_form_no_circles():
    """A package's __init__ that only names its modules is no part of a circle."""
    naming = {n for n, path in MODULES.items() if path.name == "__init__.py" and n != "__init__"}
    graph = {
        name: {o for o in others if o != "__init__" and not (o in naming and inside(name, o))}
        for name, others in GRAPH.items()
        if name != "__init__"
    }
    assert not circles(graph)


def inside(name, package):
    """Whether a module is in a package: then ``from . import x`` means a sibling."""
    return name.startswith(package + ".")


def test_folders_of_one_layer_form_no_circles():
    graph = {}
    for name, others in GRAPH.items():
        own = name.split(".")[0]
        for other in others:
            folder = other.split(".")[0]
            if folder != own and level(other) == level(name) and "__init__" not in (own, folder):
                graph.setdefault(own, set()).add(folder)
    assert not circles(graph)


def test_a_package_file_names_more_than_it_defines():
    """No __init__.py of more than 60 lines defines anything: definitions have their own files.

    A module's own ``__getattr__`` and ``__dir__`` define nothing: they import names when asked.
    """
    for name, path in MODULES.items():
        text = path.read_text(encoding="utf-8")
        if path.name == "__init__.py" and len(text.splitlines()) > 60:
            kinds = (ast.FunctionDef, ast.ClassDef)
            defined = {n.name for n in ast.parse(text).body if isinstance(n, kinds)}
            defined -= {"__getattr__", "__dir__"}
            assert not defined, f"{name or 'microtorch'}/__init__.py defines {defined}"


def run(program):
    return python("-c", program)


def test_import_loads_nothing_heavy():
    loaded = set(run("import sys, microtorch; print(*sys.modules)").split())
    assert not {name.split(".")[0] for name in loaded} & HEAVY
    own = {name.removeprefix("microtorch.") for name in loaded} & {*MODULES} - {"__main__"}
    assert len(own) <= 109, f"one more than there were: is it needed? {sorted(own)}"
    lazy = {
        f"microtorch.{name}"
        for name in (
            "nn", "optim", "utils", "vision", "viz", "linalg", "files", "programs.demo",
            "facade.alias", "ops.conv", "ops.reduce", "ops.special", "kinds.level",
            "autograd.functional", "arrays.printing", "create.data", "create.filled",
            "create.finish", "create.random", "arrays.generator", "arrays.continuous",
            "arrays.discrete", "facade.foreach", "facade.settings",
        )
    }  # fmt: skip
    lazy |= {"numpy.random", "numpy.typing"}  # a sixth of the time
    assert not lazy & loaded, f"imported, though not yet named: {sorted(lazy & loaded)}"


def test_a_layer_or_function_of_nn_is_imported_when_it_is_named():
    program = (
        "import sys, pickle, microtorch.nn as nn\n"
        "def files(): return {m.rpartition('.')[2] for m in sys.modules if any(\n"
        "    m.startswith(f'microtorch.nn.{p}.') for p in ('layers', 'functional'))}\n"
        "print(*sorted(files()))\n"
        "nn.Linear, nn.functional.mse_loss\n"
        "print(*sorted(files()))\n"
        "print({*nn.__all__} <= {*dir(nn)}, {*nn.functional.__all__} <= {*dir(nn.functional)})\n"
        "print(pickle.loads(pickle.dumps(nn.functional.relu)) is nn.functional.relu)\n"
        "from microtorch.nn import *; from microtorch.nn.functional import *\n"
        "print(LSTM is nn.LSTM is nn.modules.LSTM, relu is nn.functional.relu, relu.__module__)\n"
    )
    first, later, listed, pickled, same = run(program).splitlines()
    assert first == "accepted" and later == "accepted linear reduction regression"
    assert (listed, pickled) == ("True True", "True")
    assert same == "True True microtorch.nn.functional"


@pytest.mark.parametrize("name", ["autograd", "distributions", "nn.utils", "optim.lr_scheduler"])
def test_completion_offers_what_is_not_imported_yet(name):
    program = f"import microtorch.{name} as m; print(*m.__all__); print(*dir(m))"
    public, listed = (set(line.split()) for line in run(program).splitlines())
    assert {n for n in public if n[0] != "_"} <= listed


def test_an_optimizer_or_schedule_is_imported_when_it_is_named():
    program = (
        "import sys, microtorch.optim as optim\n"
        "def files(): return {m for m in sys.modules if m.startswith('microtorch.optim.')}\n"
        "print(*sorted(m.rpartition('.')[2] for m in files()))\n"
        "hook = optim.optimizer.register_optimizer_step_pre_hook(lambda *a: print('hooked'))\n"
        "before = files(); optim.SGD; print('microtorch.optim.sgd' in files() - before)\n"
        "import microtorch; optim.SGD([microtorch.ones(1, requires_grad=True)], 0.1).step()\n"
        "print(optim.adam.Adam is optim.Adam, optim.lr_scheduler.StepLR.__name__)\n"
        "from microtorch.optim import *; print(swa_utils is optim.swa_utils, LBFGS.__module__)\n"
    )
    assert run(program).splitlines() == [
        "contents", "True", "hooked", "True StepLR", "True microtorch.optim.lbfgs",
    ]  # fmt: skip


def test_the_default_generator_is_one_from_the_first_number_on():
    program = (
        "import sys, microtorch as torch\n"
        "from microtorch.arrays import generator\n"
        "held = generator.default_generator; state = held.get_state()\n"
        "print('microtorch.create.random' in sys.modules, type(state).__name__)\n"
        "print(torch.manual_seed(0) is held is torch.default_generator, torch.initial_seed())\n"
        "held.set_state(state)  # an array, from before it spoke of tensors\n"
        "print(type(held) is torch.Generator, type(held.get_state()) is torch.Tensor)\n"
        "print((held.get_state().array == state).all())\n"
    )
    assert run(program).split() == ["False", "ndarray", "True", "0", "True", "True", "True"]


def test_import_changes_nothing_of_the_users():
    program = (
        "import warnings, gc, sys, numpy as np\n"
        "def state(): return (np.geterr(), gc.isenabled(), gc.get_threshold(),\n"
        "    sys.getrecursionlimit(), np.get_printoptions())\n"
        "np.random.seed(0); before = state(); filters = list(warnings.filters)\n"
        "import microtorch\n"
        "microtorch.manual_seed(3)\n"
        "added = [f for f in warnings.filters if f not in filters]\n"
        "print(before == state(), np.random.rand() == np.random.RandomState(0).rand(), len(added))"
    )
    # the one filter: numpy's RuntimeWarnings inside microtorch
    assert run(program).split() == ["True", "True", "1"]
    assert run("import gc; gc.disable(); import microtorch; print(gc.isenabled())") == "False\n"


def test_arithmetic_is_silent_even_where_warnings_are_errors():
    program = (
        "import microtorch as torch\n"
        "x = torch.tensor([0.0, -1.0, 1e38], requires_grad=True)\n"
        "y = x.log() + x.sqrt() + 1 / x + x * x + x.exp() + x.softmax(0)\n"
        "y.sum().backward()\n"
        "print(torch.tensor([1.0]) / 0, torch.tensor([1]) // torch.tensor([2]))"
    )
    assert python("-W", "error", "-c", program) == "tensor([inf]) tensor([0])\n"


def test_import_stays_lean():
    """Few modules are loaded beside numpy's. (`python -m benchmarks import` measures the time.)"""
    count = (
        "import sys; before = set(sys.modules); import {0}; "
        "print(len([m for m in set(sys.modules) - before if not m.startswith('microtorch')]))"
    )
    ours, numpys = (int(run(count.format(name))) for name in ("microtorch", "numpy"))
    assert ours - numpys < numpys * 0.25, (ours, numpys)


def functions(path):
    """The functions of a file, with the number of lines of code that are each's own.

    Docstrings, comments and the functions inside it are not counted.
    """
    text = path.read_text(encoding="utf-8")
    lines = text.split("\n")
    for f in ast.walk(ast.parse(text)):
        if isinstance(f, ast.FunctionDef):
            inner = [n for n in ast.walk(f) if n is not f and isinstance(n, ast.FunctionDef)]
            words = f.body[:1] if ast.get_docstring(f) else []
            others = {i for n in inner + words for i in range(n.lineno, n.end_lineno + 1)}
            own = set(range(f.lineno, f.end_lineno + 1)) - others
            yield f.name, sum(bool(lines[i - 1].split("#")[0].strip()) for i in own)


def test_no_function_of_the_engine_is_longer_than_a_page():
    files = (ROOT / "microtorch" / "engine").glob("*.py")
    lengths = {(path.name, name): n for path in files for name, n in functions(path)}
    assert not [place for place, n in lengths.items() if n > 41]
