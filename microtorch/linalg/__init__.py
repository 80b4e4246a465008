"""``torch.linalg``: numpy's linear algebra, with derivatives where they are short.

- ``solving``         inverses and linear systems
- ``determinants``    det, slogdet
- ``decompositions``  Cholesky, QR, eigenvalues, singular values
- ``products``        powers, products of several matrices
- ``norms``           of vectors and of matrices

What has a derivative is a custom function (``autograd.Function``). Its backward is written with
Tensor operations, so it can be differentiated again; the formulas are those of Giles, "Collected
matrix derivative results for forward and reverse mode algorithmic differentiation" (2008). What
has none (``checks.without_derivative``) raises for an input that requires gradient, because to
lose the gradient in silence would be worse.
"""
from __future__ import annotations

from ..base.errors import missing
from .checks import LinAlgError as LinAlgError
from .decompositions import cholesky, eigh, eigvalsh, matrix_rank, qr, svd, svdvals
from .determinants import det, slogdet
from .norms import matrix_norm, norm, vector_norm
from .products import matrix_power, multi_dot
from .solving import inv, lstsq, pinv, solve

__all__ = [
    "cholesky", "det", "eigh", "eigvalsh", "inv", "lstsq", "matrix_norm", "matrix_power",
    "matrix_rank", "multi_dot", "norm", "pinv", "qr", "slogdet", "solve", "svd", "svdvals",
    "vector_norm",
]  # fmt: skip

__getattr__ = missing(__name__, __all__)
