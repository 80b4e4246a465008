"""In which file each name of optim and of optim.lr_scheduler is declared.

Written by scripts/contents.py.
"""
from __future__ import annotations

OPTIMIZERS = {name: file for file, names in {
    "": "lr_scheduler swa_utils",
    ".adafactor": "Adafactor",
    ".adam": "Adam AdamW",
    ".adam_variants": "Adamax NAdam RAdam",
    ".adaptive": "Adadelta Adagrad RMSprop",
    ".asgd": "ASGD",
    ".lbfgs": "LBFGS",
    ".muon": "Muon",
    ".optimizer": "Optimizer",
    ".rprop": "Rprop",
    ".sgd": "SGD",
    ".sparse_adam": "SparseAdam",
}.items() for name in names.split()}
SCHEDULERS = {name: file for file, names in {
    ".base": "LRScheduler _LRScheduler",
    ".combined": "ChainedScheduler SequentialLR",
    ".cosine": "CosineAnnealingLR CosineAnnealingWarmRestarts",
    ".cycles": "CyclicLR OneCycleLR",
    ".decay": (
        "ConstantLR ExponentialLR LambdaLR LinearLR MultiStepLR MultiplicativeLR PolynomialLR "
        "StepLR"
    ),
    ".plateau": "ReduceLROnPlateau",
}.items() for name in names.split()}
