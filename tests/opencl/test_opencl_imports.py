"""The files of the OpenCL backend import only what stands before them; and what a kernel takes is
written once, in its own text."""

import ast
from pathlib import Path

import pytest

from microtorch.backends import opencl
from microtorch.backends.opencl import runtime

FOLDER = Path(opencl.__file__).parent
ORDER = [
    "layout", "runtime", "tiles", "array", "memory", "codegen", "elementwise", "reduce", "indexing",
    "matmul", "windows", "layers", "random", "protocol", "backend", "tuning", "__init__",
    "__main__",
]  # fmt: skip


def siblings(name):
    """The files of the folder that a file imports when it runs: at its top or in a function."""
    found = set()
    nodes = [ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            nodes += node.orelse
            continue
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            found |= {n if n in ORDER else "__init__" for n in names}
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            assert "backends.opencl" not in ast.unparse(node), f"{name}.py: {ast.unparse(node)}"
        nodes += ast.iter_child_nodes(node)
    return found


def test_the_order_names_every_file():
    assert sorted(ORDER) == sorted(path.stem for path in FOLDER.glob("*.py"))
    said = opencl.__doc__.partition("before it: ")[2].replace("\n", " ").rstrip(" .")
    assert said.split(", ") == ORDER[:-2]


@pytest.mark.parametrize("name", ORDER)
def test_no_import_points_up(name):
    upward = [other for other in siblings(name) if ORDER.index(other) >= ORDER.index(name)]
    assert not upward, f"{name}.py imports {upward}, which stand above it"


def test_arguments_are_read_from_the_text_of_a_kernel():
    text = (
        "#define T float\n#define SIZES const int n, \\\n    const long m\n"
        "__kernel __attribute__((reqd_work_group_size(1, 1, 1)))\n"
        "void f(SIZES, const T eps, __global const T *x, const int at, __global double *out) {}"
    )
    kinds = ["int32", "int64", "float32", None, "int32", None]
    assert runtime.argument_types(text, "f") == kinds
    with pytest.raises(ValueError, match="no kernel 'g'"):
        runtime.argument_types(text, "g")
