"""The versions (`torch.version` in PyTorch).

Programs ask `torch.__version__` in order to know what they may call, so it names the PyTorch whose
surface this is; microtorch's own version follows, where PyTorch says how it was built ("+cpu").
"""
from .base.versions import TorchVersion

MICROTORCH = "0.1.0"  # read by setup.py
__version__ = TorchVersion(f"2.13.0+microtorch.{MICROTORCH}")
vision = f"0.28.0+microtorch.{MICROTORCH}"  # torchvision.__version__
cuda = hip = rocm = xpu = None
git_version = "Unknown"  # as where PyTorch was built outside its repository
debug = False
