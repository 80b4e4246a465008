"""``python -m microtorch.viz script.py``. The command line lies above the pictures, in microtorch/programs/run.py."""

import importlib
import sys

sys.exit(importlib.import_module("microtorch.programs.run").draw_or_step())
