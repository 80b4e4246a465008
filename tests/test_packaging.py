"""What users install: sdist, wheel, and a package that imports, with and without a C compiler.

All is built from a copy with the tools of the running environment (no network), and imported from a
folder of its own. So a file that the package forgot cannot come from this checkout or its virtual
environment.
"""
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from repository import ROOT

pytest.importorskip("setuptools")
pytest.importorskip("cffi")

LEFT_OUT = shutil.ignore_patterns(
    ".*", "build", "dist", "out", "*.egg-info", "__pycache__", "*.so", "*.pyd", "*.o",
    "docs", "tests", "benchmarks",
)  # fmt: skip
NO_COMPILER = {"CC": "/nonexistent/cc", "MICROTORCH_REQUIRE_CORE": "0"}


def run(*command, cwd, **environment):
    """Run Python with a clean path; where it fails, say what it printed."""
    dropped = ("PYTHONPATH", "MICROTORCH_BACKEND")
    env = {k: v for k, v in os.environ.items() if k not in dropped} | environment
    command = [sys.executable, *command]
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def build(kind, source, target, **environment):
    """Call the build backend as pip does (PEP 517); returns the path of the sdist or wheel."""
    program = f"from setuptools import build_meta; build_meta.build_{kind}({str(target)!r})"
    run("-c", program, cwd=source, **environment)
    (made,) = target.glob("*.tar.gz" if kind == "sdist" else "*.whl")
    return made


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """The unpacked sdist: the only sources that the tests below see."""
    folder = tmp_path_factory.mktemp("sdist")
    shutil.copytree(ROOT, folder / "copy", ignore=LEFT_OUT)
    with tarfile.open(build("sdist", folder / "copy", folder)) as archive:
        # early releases of Python 3.10 and 3.11 have no filters
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(folder / "unpacked")
    (inside,) = (folder / "unpacked").iterdir()
    return inside


def install(unpacked, folder, **environment):
    """Build a wheel from the sdist and unpack it; returns the wheel and the folder to import from.

    It is built in a copy, since a build leaves objects that the next one would use.
    """
    source = shutil.copytree(unpacked, folder / "source")
    wheel = build("wheel", source, folder, **environment)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return wheel, folder / "site"


PROGRAM = """
import pathlib, sys, warnings
warnings.simplefilter("error")
# the finder of an editable installation would find the checkout's compiled module
sys.meta_path[:] = [f for f in sys.meta_path if "editable" not in f.__module__]
import microtorch, microtorch.viz, microtorch.vision.datasets
from microtorch.backends import core
site = pathlib.Path(sys.argv[1]).resolve()
for module in (microtorch, microtorch.viz, core):
    assert site in pathlib.Path(module.__file__).resolve().parents, module.__file__
for name in ("py.typed", "__init__.pyi", "handles/methods.pyi"):  # for type checkers
    assert (site / "microtorch" / name).exists(), name
assert len(microtorch.vision.datasets.Digits(train=False)) == 449
x = microtorch.tensor([1.0, -2.0], requires_grad=True)
(x * x).sum().backward()
assert x.grad.tolist() == [2.0, -4.0]
print(core.is_available(), core.reason)
"""


@pytest.mark.needs("core")
def test_a_wheel_from_the_sdist_has_everything(unpacked, tmp_path):
    flags = {} if sys.platform == "win32" else {"MICROTORCH_CFLAGS": "-O1"}  # half the time
    wheel, site = install(unpacked, tmp_path, MICROTORCH_REQUIRE_CORE="1", **flags)
    assert "-cp310-abi3-" in wheel.name  # one wheel for every Python from 3.10 on
    assert run("-c", PROGRAM, str(site), cwd=tmp_path, PYTHONPATH=str(site)).startswith("True")
    (entry,) = site.glob("*.dist-info/entry_points.txt")
    assert "microtorch = microtorch.__main__:main" in entry.read_text()


def test_without_a_compiler_it_installs_and_says_so(unpacked, tmp_path):
    _, site = install(unpacked, tmp_path, **NO_COMPILER)
    output = run("-c", PROGRAM, str(site), cwd=tmp_path, PYTHONPATH=str(site))
    assert output.startswith("False") and "C compiler" in output


def test_without_a_compiler_a_required_core_is_an_error(unpacked, tmp_path):
    source = shutil.copytree(unpacked, tmp_path / "source")
    with pytest.raises(AssertionError, match="nonexistent"):
        build("wheel", source, tmp_path, **NO_COMPILER | {"MICROTORCH_REQUIRE_CORE": "1"})


def test_a_plain_checkout_imports(tmp_path):
    """Not installed at all: the folder viz/ at the root is found as microtorch.viz."""
    shutil.copytree(ROOT, tmp_path / "checkout", ignore=LEFT_OUT)
    program = "import microtorch, microtorch.viz; print(microtorch.viz.__file__)"
    where = run("-c", program, cwd=tmp_path, PYTHONPATH=str(tmp_path / "checkout"))
    assert Path(where.strip()).parent == tmp_path / "checkout" / "viz"


def test_the_doctor_names_what_is_missing_and_what_to_do(monkeypatch, capsys):
    from microtorch.programs import doctor

    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.delenv("CC", raising=False)
    parts = {part.name: part for part in doctor.report()}
    assert parts["Python"].found and parts["numpy"].found
    assert not any(parts[name].found for name in ("C compiler", "Graphviz dot", "Chromium"))
    assert all(bool(part.advice) != part.found for part in parts.values())
    assert doctor.command(["--missing"]) == 0  # nothing that is needed is missing
    monkeypatch.setenv("MICROTORCH_NUM_THREADS", "2")
    assert " (MICROTORCH_NUM_THREADS=2); this process may use " in doctor.threads().detail
    core = doctor.c_core()
    assert core.found == core.detail.startswith("instructions ")
    printed = capsys.readouterr().out
    assert "Graphviz dot  no   no program dot on PATH" in printed and "Python  " not in printed
    monkeypatch.setenv("CC", "no-such-compiler -O2")
    assert doctor.compiler().detail == "CC=no-such-compiler does not exist"
