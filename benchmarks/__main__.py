"""The command ``python -m benchmarks``: choose cases, prepare the process, measure, print."""
from __future__ import annotations

import argparse
import importlib
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

# Settings that change the speed of numpy and PyTorch by factors: OPENBLAS_CORETYPE=Haswell halves
# that of a newer CPU.
TUNING = ("OPENBLAS_", "GOTO_", "MKL_", "OMP_", "KMP_", "GOMP_", "VECLIB_", "NUMEXPR_")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# benchmarks with a table of their own, and the threads they begin with (0: they see to it)
TABLES = {
    "engine_steps": ("the engines of docs/engine.md", 0),
    "several": ("processes under mpirun", 0),
    "courses": ("statements of course scripts on small tensors", 1),
    "layouts": ("broadcasting, views and other types", 1),
    "channels": ("each way of a convolution apart", 1),
    "registry": ("the worst ratios of all functions", 1),
    "scaling": ("two threads beside one", 2),
}
# cases in which a second thread matters
TWO_THREADS = ("mlp784", "large-exp", "large-matmul", "adam-1e6", "sgd-momentum-1e6", "lenet")


def clean(environment: dict[str, str], threads: int) -> dict[str, str]:
    """The environment without those settings, and with ``threads`` threads for every library."""
    kept = {name: value for name, value in environment.items() if not name.startswith(TUNING)}
    return kept | dict.fromkeys(THREADS, str(threads))


def restart_clean(arguments: list[str], threads: int, module: str = "benchmarks") -> None:
    """Start again unless the environment is clean: libraries read it when they are loaded."""
    wanted = clean(dict(os.environ), threads)
    if wanted != dict(os.environ):
        sys.stdout.flush()
        done = subprocess.run([sys.executable, "-m", module, *arguments], env=wanted)
        sys.exit(done.returncode)


def with_two_threads(seconds: float) -> list:
    """The cases that gain from a second thread, measured by a process that has two."""
    from .cases import Result

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "two.json"
        arguments = [*TWO_THREADS, "--threads", "2", "--seconds", str(seconds), "--json", str(file)]
        command = [sys.executable, "-m", "benchmarks", *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        results = json.loads(file.read_text(encoding="utf-8"))["results"]
    return [Result(r["name"], r["what"], r["figures"], threads=2) for r in results]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="microtorch beside its rivals."
    )
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help="groups or cases (default: all); see --list")
    add("--list", action="store_true", help="show the names")
    add("--threads", type=int, default=1, help="threads for every library (default 1)")
    add("--seconds", type=float, default=1.5, help="time for each case (default 1.5)")
    add("--json", type=Path, metavar="FILE", help="write the figures to a file")
    return parser


def measured(
    options: argparse.Namespace, cases: list, own_processes: dict[str, Callable[[], list]],
    several_cpus: bool,
) -> list:  # fmt: skip
    """The results of what was chosen, cases first. Raises Disagreement."""
    from .cases import measure

    def chosen(*names: str) -> bool:
        return not options.names or any(name in options.names for name in names)

    def told(name: str) -> None:
        print(f"{name} ...", file=sys.stderr, flush=True)

    apart = []
    for name, group in own_processes.items():  # fresh processes first: they may use every CPU
        if chosen(name):
            told(name)
            apart += group()
    if not options.names and options.threads == 1 and several_cpus:
        told("two threads")
        apart += with_two_threads(options.seconds)
    results = []
    for case in cases:
        if chosen(case.name, case.group):
            told(case.name)
            results.append(measure(case, options.seconds, options.threads))
    return [*results, *apart]


def main(arguments: list[str]) -> int:
    """Measure what the command line asks for; 1 if contestants disagree, else 0.

    Targets that are missed are shown, no more.
    """
    name = arguments[0] if arguments else ""
    if name in TABLES:
        _, threads = TABLES[name]
        if threads:
            restart_clean(arguments, 2 if "--threads" in arguments else threads)
        return importlib.import_module(f".{name}", __package__).main(arguments[1:])
    parser = _parser()
    options = parser.parse_args(arguments)
    restart_clean(arguments, options.threads)

    # only now: a library reads the environment when it is loaded
    from microtorch.backends import core

    from . import (  # isort: skip
        convolution, elementwise, first_calls, large, loading, optimizers, oversubscribed,
        processes, products, recurrent, report, rows, scalars, static, tiny, training,
    )  # fmt: skip
    from .cases import Disagreement, installed

    suites = (
        tiny, scalars, training, large, elementwise, products, rows, optimizers, recurrent,
        convolution, loading, static,
    )  # fmt: skip
    cases = [case for suite in suites for case in suite.CASES]
    groups = dict.fromkeys([case.group for case in cases])
    own_processes = processes.GROUPS | {
        "oversubscribed": oversubscribed.measured, "first": first_calls.measured,
    }  # fmt: skip
    known = [*groups, *own_processes, *(case.name for case in cases)]
    if options.list:
        print(f"groups: {' '.join([*groups, *own_processes])}")
        print(f"cases:  {' '.join(case.name for case in cases)}")
        for name, (what, _) in TABLES.items():
            print(f"apart:  {name}: {what}")
        return 0
    for name in options.names:
        if name not in known:
            parser.error(f"no group or case '{name}'; there are: {' '.join(known)}")

    about = report.machine()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # µ, where the terminal has it
    print(report.heading(about))
    core.set_num_threads(options.threads)
    if installed("torch"):
        import torch

        torch.set_num_threads(options.threads)
    try:
        results = measured(options, cases, own_processes, about["cpus"] > 1)
    except Disagreement as error:
        print(f"Not measured, since the results differ: {error}", file=sys.stderr)
        return 1
    print(f"\n{report.markdown(results)}\n")
    print("Per operation or step, the fastest round of each contestant.")
    print("The ratio is microtorch's figure divided by its rival's.")
    missing = [name for name in ("torch", "autograd") if not installed(name)]
    if missing:
        print(f"Not compared, since not installed: {', '.join(missing)}.")
    if options.json:
        options.json.write_text(report.as_json(about, results) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
