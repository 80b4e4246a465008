"""``python -m microtorch.backends.opencl``: what the devices are, and their kernels.

    devices             the devices, and what they have
    source mul          the text of an elementwise kernel and of its derivatives
    functions [exp sin] the driver's functions and those of functions.cl, on 4e6 float32 numbers
    matmul [512 1024]   the speeds of the naive and the tiled matrix product
    tune                time the variants of the tiled product on the first device, and record the fastest
"""
from __future__ import annotations

import sys

import numpy as np

from . import elementwise, matmul, runtime


def devices() -> None:
    for i, d in enumerate(runtime.devices()):
        print(f"opencl:{i}  {d.name.strip()}: {d.platform.name}, {d.version}, driver {d.driver_version}")
        memory = f"{d.global_mem_size / 2**30:.1f} GiB, {d.local_mem_size / 2**10:.0f} KiB of local memory"
        print(f"          {d.max_compute_units} compute units, {memory}, groups of up to {d.max_work_group_size} work-items")


def source(name: str) -> None:
    names = [name, *(f"{name}_vjp{i}" for i in range(3))]
    kernels = [elementwise.make(runtime.runtime(), n) for n in names if n.partition("_vjp")[0] in elementwise.OPS]
    for kernel in kernels:
        if kernel is not None:
            text, _ = kernel.text(["f"] * len(kernel.letters), elementwise.F32, kernel.result_of(elementwise.F32), 1)
            print(text[text.index("__kernel") :])
    if not kernels:
        sys.exit(f"no elementwise op is called '{name}'")


def functions(names: list[str]) -> None:
    driver, own = (runtime.Runtime(0, runtime.devices()[0]) for _ in range(2))
    if not own.own_functions:
        sys.exit(f"{own.name} is no CPU: it computes with the functions of its driver")
    driver.own_functions = False
    numbers = np.random.default_rng(0).uniform(0.1, 0.9, 4_000_000).astype(np.float32)
    for name in names:
        times = []
        for device in (driver, own):
            kernel = elementwise.make(device, name)
            if kernel is None:
                sys.exit(f"no elementwise op is called '{name}'")
            x = [elementwise.upload(device, numbers)] * len(kernel.letters)
            times.append(min(matmul.seconds(lambda kernel=kernel, x=x: kernel(*x), device) for _ in range(7)) * 1e3)
        print(f"{name:8} driver {times[0]:8.2f} ms, functions.cl {times[1]:8.2f} ms")


def speeds(sizes: list[int]) -> None:
    device = runtime.runtime()
    variant = matmul.variant_for(device, np.dtype(np.float32))
    print(f"{device.name}; tiled: {variant}")
    for n in sizes:
        naive, tiled = (matmul.measure(device, n, v) for v in (None, variant))
        print(f"{n:5} x {n}: naive {naive:8.1f} GFLOP/s, tiled {tiled:8.1f} GFLOP/s, {tiled / naive:.0f} times")


def tune() -> None:
    for variant, speed in matmul.tune():
        print(f"{speed:8.1f} GFLOP/s  {variant}")
    print(f"recorded in {matmul.record_path()}")


def main(arguments: list[str]) -> None:
    command, *rest = arguments or ["devices"]
    if command == "devices" and not rest:
        devices()
    elif command == "source" and len(rest) == 1:
        source(rest[0])
    elif command == "functions":
        functions(rest or ["exp", "log", "sin", "tanh", "erf", "pow"])
    elif command == "matmul":
        speeds([int(n) for n in rest] or [512, 1024])
    elif command == "tune" and not rest:
        tune()
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
