"""Numbers recorded from PyTorch: programs that run in both libraries, and what they must compute.

A test module has ``CASES``, name -> function(torch) that returns tensors, and calls ``check(case)``
for each. A tensor is recorded as its shape and two sums, one of them weighted, so that a permuted
result does not pass. Where PyTorch is installed it runs, too, and must agree with the record.
``python tests/golden.py`` records anew, with PyTorch, into golden.json.
"""

import importlib
import importlib.util
import json
import math
import sys
import warnings
from pathlib import Path

FILE = Path(__file__).with_suffix(".json")
MODULES = ("test_conv", "test_norm", "test_rnn", "test_attention", "test_embedding", "test_adam")


def signature(tensor):
    """[shape, Σ x cos(i), Σ x²] of a tensor, computed in Python."""
    values = [float(v) for v in tensor.detach().flatten().tolist()]
    weighted = math.fsum(v * math.cos(i + 1) for i, v in enumerate(values))
    return [list(tensor.shape), weighted, math.fsum(v * v for v in values)]


def run(case, library):
    library.manual_seed(0)
    return [signature(t) for t in case(library)]


def differences(found, recorded, rtol=2e-5):
    """Descriptions of the tensors that differ, within a tolerance relative to their norm."""
    out = [] if len(found) == len(recorded) else [f"{len(found)} tensors, recorded {len(recorded)}"]
    for i, ((shape, sum_, square), (want_shape, want_sum, want_square)) in enumerate(
        zip(found, recorded, strict=False)
    ):
        size = math.sqrt(want_square)
        close = (
            abs(sum_ - want_sum) <= rtol * (size * 3 + 1e-3)
            and abs(square - want_square) <= rtol * (want_square + 1e-3) * 3
        )
        if list(shape) != want_shape or not close:
            out.append(
                f"tensor {i}: {(shape, sum_, square)}, "
                f"recorded {(want_shape, want_sum, want_square)}"
            )
    return out


def check(name, case):
    import microtorch

    recorded = json.loads(FILE.read_text())[name]
    found = differences(run(case, microtorch), recorded)
    assert not found, f"{name}: " + "; ".join(found)
    if importlib.util.find_spec("torch") is not None:
        library = importlib.import_module("torch")
        library.set_num_threads(1)  # its threads and numpy's on two cores are ten times slower
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert not differences(run(case, library), recorded), (
                f"{name}: the record is not PyTorch's"
            )


def trained(torch, module, *inputs, first=lambda out: out):
    """Parameters, outputs, gradients of inputs and parameters of a module, for a fixed loss."""
    xs = [x.requires_grad_() if x.is_floating_point() else x for x in inputs]
    start = [p.detach().clone() for p in module.parameters()]
    out = first(module(*xs))
    weights = torch.arange(out.numel()).reshape(out.shape).cos()
    (out * weights).sum().backward()
    grads = [x.grad for x in xs if x.grad is not None] + [
        p.grad for p in module.parameters() if p.grad is not None
    ]
    return [*start, out, *grads]


def main():
    import torch

    torch.set_num_threads(1)
    sys.path[:0] = sorted({str(test.parent) for test in FILE.parent.rglob("test_*.py")})
    recorded = {}
    for module in MODULES:
        (path,) = Path(__file__).parent.rglob(f"{module}.py")
        sys.path.insert(0, str(path.parent))
        cases = importlib.import_module(module).CASES
        recorded |= {f"{module}:{name}": run(case, torch) for name, case in cases.items()}
    text = ",\n".join(
        f"{json.dumps(name)}: {json.dumps(values)}" for name, values in recorded.items()
    )
    FILE.write_text("{\n" + text + "\n}\n")
    print(f"{len(recorded)} cases in {FILE.name}")


if __name__ == "__main__":
    main()
