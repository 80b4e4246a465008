"""``python -m microtorch.viz script.py``: the command line, which lies above the pictures."""

import importlib
import sys

sys.exit(importlib.import_module("microtorch.programs.run").draw_or_step())
