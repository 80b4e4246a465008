"""``python -m microtorch.backends.opencl``: what the devices are, and their kernels.

    devices             the devices, and what they have
    source mul          the text of an elementwise kernel and of its derivatives
    functions [exp sin] the driver's functions and those of functions.cl, on 4e6 float32 numbers
    matmul [512 1024]   the speeds of the naive and the tiled matrix product
    tune                time all tile sizes on the first device, and record the fastest
"""
from __future__ import annotations

import sys
from functools import partial

import numpy as np

from ...arrays.dtypes import F32
from .codegen import expression
from .elementwise import elementwise
from .memory import upload
from .runtime import Runtime, runtime_for
from .runtime import devices as all_devices
from .tiles import record_path, tiles_for
from .tuning import seconds, speed, tune


def show_devices() -> None:
    for i, d in enumerate(all_devices()):
        driver = f"{d.platform.name}, {d.version}, driver {d.driver_version}"
        print(f"opencl:{i}  {d.name.strip()}: {driver}")
        memory = f"{d.global_mem_size / 2**30:.1f} GiB"
        local = f"{d.local_mem_size / 2**10:.0f} KiB of local memory"
        groups = f"groups of up to {d.max_work_group_size} work-items"
        print(f"{'':10}{d.max_compute_units} compute units, {memory}, {local}, {groups}")


def show_source(name: str) -> None:
    names = [name, *(f"{name}_vjp{i}" for i in range(3))]
    found = [e for e in map(expression, names) if e is not None]
    for e in found:
        text = e.program(runtime_for(), ["f"] * len(e.letters), F32, e.result_of(F32), 1)
        print(text[text.index("__kernel") :])
    if not found:
        sys.exit(f"no elementwise op is called '{name}'")


def compare_functions(names: list[str]) -> None:
    driver, own = (Runtime(0, all_devices()[0]) for _ in range(2))
    if not own.own_functions:
        sys.exit(f"{own.name} is no CPU: it computes with the functions of its driver")
    driver.own_functions = False
    numbers = np.random.default_rng(0).uniform(0.1, 0.9, 4_000_000).astype(np.float32)
    for name in names:
        times = []
        for runtime in (driver, own):
            kernel = elementwise(runtime, name)
            if kernel is None:
                sys.exit(f"no elementwise op is called '{name}'")
            x = [upload(runtime, numbers)] * len(kernel.positions)
            times.append(min(seconds(partial(kernel, *x), runtime) for _ in range(7)) * 1e3)
        print(f"{name:8} driver {times[0]:8.2f} ms, functions.cl {times[1]:8.2f} ms")


def compare_products(sizes: list[int]) -> None:
    runtime = runtime_for()
    tiles = tiles_for(runtime, F32)
    print(f"{runtime.name}; tiled: {tiles}")
    for n in sizes:
        naive, tiled = (speed(runtime, n, t) for t in (None, tiles))
        speeds = f"naive {naive:8.1f} GFLOP/s, tiled {tiled:8.1f} GFLOP/s"
        print(f"{n:5} x {n}: {speeds}, {tiled / naive:.0f} times")


def choose_tiles() -> None:
    for tiles, gflops in tune():
        print(f"{gflops:8.1f} GFLOP/s  {tiles}")
    print(f"recorded in {record_path()}")


def main(arguments: list[str]) -> None:
    command, *rest = arguments or ["devices"]
    if command == "devices" and not rest:
        show_devices()
    elif command == "source" and len(rest) == 1:
        show_source(rest[0])
    elif command == "functions":
        compare_functions(rest or ["exp", "log", "sin", "tanh", "erf", "pow"])
    elif command == "matmul":
        compare_products([int(n) for n in rest] or [512, 1024])
    elif command == "tune" and not rest:
        choose_tiles()
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
