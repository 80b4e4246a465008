"""``python -m microtorch.viz script.py``. The command line lies above the pictures, in microtorch/show.py."""

import importlib
import sys

sys.exit(importlib.import_module("microtorch.show").main())
