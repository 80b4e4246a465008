"""core.source(): the C text that an op runs, complete, and for every kernel."""
import inspect
import re
import shutil
import subprocess

import numpy as np
import pytest
from repository import ROOT

import microtorch as torch
from microtorch.backends import core
from microtorch.backends.core import texts
from microtorch.notation import formulas

pytestmark = pytest.mark.needs("core")


def test_every_kernel_has_its_text():
    functions = {name[:-4] for name in dir(core.lib) if name.endswith(("_f32", "_i64"))}
    assert set(texts.texts()) == functions
    for name in functions:
        text = core.source(name)
        assert re.search(rf"^void {name}\(", text, re.MULTILINE), name
        assert not re.search(r"\breal\b|NAME\(|KERNEL\(", text), name


def test_a_loop_shows_its_formula():
    text = core.source("tanh_vjp0")
    assert text.startswith("/* tanh: g * (1 - out * out) */\n")
    assert "const float g = g_[i];" in text and "result[i] = g * ((float)1 - out * out);" in text
    for dtype in (torch.float64, np.dtype("f8")):
        assert "double" in core.source("tanh_vjp0", dtype)


def test_a_kernel_written_by_hand_comes_with_the_comment_of_its_file_and_its_helpers():
    text = core.source("softmax")
    assert text.startswith("/* softmax.c - ") and "\n/* reduce.c - " in text  # whose sums it uses
    assert "log_softmax_block" not in text  # which it does not use


def test_an_op_whose_kernel_has_another_name():
    assert core.source("mean") == core.source("sum")
    assert core.source("linear") == core.source("matmul")
    assert "void adam(" in core.source("adam_step") and "void amsgrad(" in core.source("adam_step")


def test_methods_declare_the_kernels_that_have_other_names():
    parts = [c for c in core.Core.__mro__ if c.__module__.startswith(core.__name__)]
    for method in [f for part in parts for f in vars(part).values() if inspect.isfunction(f)]:
        called = set(re.findall(r"\bkernels\.(\w+)", inspect.getsource(method)))
        called &= set(texts.texts())
        if not method.__name__.startswith("_"):
            assert called <= set(texts.loops(method.__name__)), method.__name__
        assert set(getattr(method, "calls", ())) <= set(texts.texts()), method.__name__
    assert texts.loops("mse_loss_vjp1") == ("mse_loss_vjp",)
    assert texts.loops("layer_norm_vjp2") == ("layer_norm_vjps",)


def test_what_has_no_text_is_named():
    with pytest.raises(ValueError, match="no loop for 'roll'"):
        core.source("roll")
    with pytest.raises(ValueError, match="float32 and float64, but got int64"):
        core.source("tanh", "int64")
    with pytest.raises(ValueError, match="float32 and float64"):
        core.source("tanh", torch.int64)


HARNESS = """
#include "core.h"
#define VECTOR_BYTES 16
#include "vector.h"
#include "scratch.h"
#include "windows.h"
#include "doubles.h"
#define KERNEL(name) void NAME(name)
#define real float
#define REAL_IS_FLOAT
#define NAME(name) name##_f32
#define FN(name) fn_##name##_f32
#define ORDERED(x) (x)
#define IS_NAN(x) ((x) != (x))
#define LOWEST (-INFINITY)
#define HIGHEST INFINITY
#include "functions.h"
#include "lookup.h"
#include "rows.h"
#include "lanes.h"
"""


def test_texts_written_by_hand_are_complete(tmp_path):
    """With the headers, each text compiles: all that it uses is there."""
    compiler = next(filter(shutil.which, ("gcc", "cc", "clang")), None)
    if compiler is None:
        pytest.skip("no C compiler")
    made = {*formulas.TABLE, *formulas.VALUES}
    by_hand = [name for name in texts.texts() if name.partition("_vjp")[0] not in made]
    # compiled once: gcc takes it instead of the header, clang reads the header
    harness, files = tmp_path / "harness.h", []
    harness.write_text(HARNESS)
    flags = ["-std=gnu11", "-Wall", "-Werror", f"-I{ROOT / 'ext'}"]
    if "gcc" in compiler:
        subprocess.run([compiler, *flags, str(harness)], check=True)
    for name in by_hand:
        own, _, others = texts.texts()[name].partition("/* ==== from other files ==== */")
        files.append(tmp_path / f"{name}.c")
        files[-1].write_text('#include "harness.h"\n' + others + own)
    command = [compiler, "-fsyntax-only", *flags, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:3000]
