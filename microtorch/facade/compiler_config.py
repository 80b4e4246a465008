"""``torch._dynamo.config``, ``torch._inductor.config``: any setting can be made, and be read again.

None has an effect: ``torch.compile`` has its own arguments.
"""
from __future__ import annotations

from types import SimpleNamespace

cache_size_limit = recompile_limit = 8
capture_scalar_outputs = suppress_errors = verbose = False
coordinate_descent_tuning = fx_graph_cache = False
triton = SimpleNamespace(unique_kernel_names=True, cudagraphs=False)
cpp = SimpleNamespace()
