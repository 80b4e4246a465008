"""``torch.linalg``: numpy's linear algebra, with derivatives.

- ``solving``         inverses, linear and triangular systems
- ``pseudoinverse``   what singular values decide: pinv, least squares, rank
- ``determinants``    det, slogdet
- ``factors``         Cholesky, LU
- ``indefinite``      L D Lᵀ, by scipy
- ``orthogonal``      QR, products of Householder reflections
- ``spectra``         eigenvalues, singular values
- ``products``        powers, the exponential, products of several matrices
- ``norms``           of vectors and of matrices, the condition number
- ``older``           functions that PyTorch has in ``torch`` alone
- ``kernels``         what numpy lacks: LU, triangular systems, the exponential

What has a derivative is a custom function (``autograd.Function``). Its backward is written with
Tensor operations, so it can be differentiated again; where no other source is named, the formulas
are those of Giles, "Collected matrix derivative results for forward and reverse mode algorithmic
differentiation" (2008). What has none (``checks.without_derivative``) raises for an input that
requires gradient, because to lose the gradient in silence would be worse.
"""
from __future__ import annotations

from ..base.errors import missing
from ..base.naming import settle
from ..engine.entering import called
from .checks import LinAlgError as LinAlgError
from .determinants import det, slogdet
from .factors import (
    cholesky,
    cholesky_ex,
    lu,
    lu_factor,
    lu_factor_ex,
    lu_solve,
)
from .indefinite import ldl_factor, ldl_factor_ex, ldl_solve
from .norms import cond, matrix_norm, norm, vector_norm
from .orthogonal import householder_product, qr
from .products import (
    cross,
    diagonal,
    matmul,
    matrix_exp,
    matrix_power,
    multi_dot,
    vander,
    vecdot,
)
from .pseudoinverse import lstsq, matrix_rank, pinv
from .solving import (
    inv,
    inv_ex,
    solve,
    solve_ex,
    solve_triangular,
    tensorinv,
    tensorsolve,
)
from .spectra import eig, eigh, eigvals, eigvalsh, svd, svdvals

__all__ = [
    "cholesky", "cholesky_ex", "cond", "cross", "det", "diagonal", "eig", "eigh", "eigvals",
    "eigvalsh", "householder_product", "inv", "inv_ex", "ldl_factor",
    "ldl_factor_ex", "ldl_solve", "lstsq", "lu", "lu_factor", "lu_factor_ex", "lu_solve", "matmul",
    "matrix_exp", "matrix_norm", "matrix_power",
    "matrix_rank", "multi_dot", "norm", "pinv", "qr", "slogdet", "solve", "solve_ex",
    "solve_triangular", "svd", "svdvals", "tensorinv", "tensorsolve", "vander", "vecdot",
    "vector_norm",
]  # fmt: skip

for _name in __all__:  # two of PyTorch's have no out=
    globals()[_name] = called(globals()[_name], out=_name not in ("diagonal", "matrix_exp"))
settle(__name__, {name: globals()[name] for name in __all__})

__getattr__ = missing(__name__, __all__)
