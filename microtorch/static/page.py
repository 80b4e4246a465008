"""A folder's page: its programs compiled to WebAssembly, and index.html, which needs no network.

The compiler is that of the package ziglang. The one file model.wasm is both: a command, which runs
under wasmtime as ``./model`` does, and the functions that the page calls (alone.py). What the page
is told of the programs is ``description``; how it looks and what it asks is its own (viz/page/).
"""
from __future__ import annotations

import base64
import os
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from ..base.errors import message
from .build import ran

if TYPE_CHECKING:
    from ..base.types import Array, Operand
    from .alone import File, Held, Part

# vectors of 128 bits are in all browsers since 2023; sums are not reordered
FLAGS = ("-target", "wasm32-wasi", "-std=c99", "-O2", "-ffp-contract=off", "-msimd128",
         "-fno-math-errno", "-fno-trapping-math", "-s")  # fmt: skip
SECONDS = 600  # the package compiles C's library when it is first used
SCALES = (1.0, 16.0, 255.0)  # of the grey of pictures
PALETTE = 256  # an array of no more different numbers is carried as one byte for each

README = """\
index.html is a page that runs it in a browser, also without a network; model.wasm is what it runs,
and runs under the package wasmtime, too: python run.py [input.bin [steps]]
"""
RUN = '''\
"""model.wasm without a browser: pip install wasmtime; python run.py [input.bin [steps]]"""
import sys

from wasmtime import Engine, ExitTrap, Linker, Module, Store, WasiConfig

engine = Engine()
wasi, store, linker = WasiConfig(), Store(engine), Linker(engine)
wasi.argv = ["model", *sys.argv[1:]]
wasi.preopen_dir(".", ".")
wasi.inherit_stdout()
wasi.inherit_stderr()
store.set_wasi(wasi)
linker.define_wasi()
program = linker.instantiate(store, Module.from_file(engine, "model.wasm"))
try:
    program.exports(store)["_start"](store)
except ExitTrap as end:
    sys.exit(end.code)
'''


def compiler() -> list[str]:
    """The compiler for pages, as the words of a command; ImportError says how to get it."""
    if find_spec("ziglang") is None:
        raise ImportError(
            message(
                "a page needs a compiler for WebAssembly: the package ziglang",
                fix='pip install "microtorch[compiler]"',
            )
        )
    return [sys.executable, "-m", "ziglang", "cc"]


def write(file: File, folder: str, generator: bytes) -> None:
    """model.wasm of the folder's model.c, run.py and index.html."""
    c, wasm = os.path.join(folder, "model.c"), os.path.join(folder, "model.wasm")
    command = [*compiler(), *FLAGS, "-o", wasm, c, "-lm"]
    done = ran(command, SECONDS)
    if done.returncode:
        raise RuntimeError(message(f"{' '.join(command)} failed: {done.stderr[:2000]}"))
    with open(wasm, "rb") as module:
        about = description(file, module.read(), generator)
    # the pages are viz's, which is above this package: it is asked for when there is one to write
    look = import_module("microtorch.viz.showing.deployed")
    for name, text in (("run.py", RUN), ("index.html", look.page(about))):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
            out.write(text)


# ---- what the page is told ----------------------------------------------------------------------
def description(file: File, wasm: bytes, generator: bytes) -> dict[str, Operand]:
    """The programs and their arrays as plain data: names, shapes, dtypes, contents."""
    arrays = {h.name: held(h) for h in file.arrays}
    for name, value in file.rates.values():
        rate = text(np.float64(value).tobytes())
        arrays[name] = {"role": "rate", "shape": [], "dtype": "float64", "bytes": rate}
    if file.draws:
        arrays["generator"] = {
            "role": "state", "shape": [628], "dtype": "uint32", "bytes": text(generator),
        }  # fmt: skip
    return {
        "wasm": text(wasm),
        "order": file.order,
        "arrays": arrays,
        "programs": [program(file, p) for p in file.parts],
    }


def program(file: File, p: Part) -> dict[str, Operand]:
    inputs = {h.name: spread(file, h) for h in p.of("input", "batch")}
    return {
        "name": p.entry.program.name,
        "run": f"run_{p.region.name}",
        "learns": p.learns,
        "inputs": inputs,
        "results": [h.name for h in p.results],
        "data": {p.held[n].name: h.name for n, h in p.rows.items()},
        "rates": [file.rates[id(x.group)][0] for x in p.region.rates],
        "steps": str(len(p.entry.program.steps)),
    }


def spread(file: File, h: Held) -> list[float]:
    """The least and the largest number of an input, and of all inputs and data whose rows are of
    its shape: paper and ink, where it is a picture. A few pictures may lack the blackest ink."""
    alike = [
        x.content for x in [h, *file.of("input", "batch", "data")]
        if x.value.dtype == h.value.dtype and x.value.shape[1:] == h.value.shape[1:]
    ]  # fmt: skip
    seen = [x[np.isfinite(x)] for x in alike if x is not None and x.size]
    ends = [(float(x.min()), float(x.max())) for x in seen if x.size]
    low, high = min((e[0] for e in ends), default=0.0), max((e[1] for e in ends), default=1.0)
    if not 0 <= low < high / 100:
        return [low, high]
    return [0.0, next((x for x in SCALES if x / 2 < high <= x), high)]


def held(h: Held) -> dict[str, Operand]:
    about: dict[str, Operand] = {
        "role": h.role, "shape": list(h.value.shape), "dtype": h.value.dtype.name,
    }  # fmt: skip
    if h.content is None or h.role == "batch":
        return about
    array: Array = np.ravel(np.ascontiguousarray(h.content))
    if array.size > 4 * PALETTE:
        bits = array.view(f"u{array.itemsize}")
        kinds, places = np.unique(bits, return_inverse=True)
        if len(kinds) <= PALETTE:
            codes = places.astype(np.uint8).tobytes()
            return {**about, "of": text(kinds.tobytes()), "bytes": text(codes)}
    return {**about, "bytes": text(array.tobytes())}


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()
