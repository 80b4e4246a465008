"""The version, in the one place from which setup.py and `microtorch.__version__` read it
(`torch.version` in PyTorch).
"""

__version__ = "0.1.0"
cuda = None
