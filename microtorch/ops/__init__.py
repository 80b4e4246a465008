"""Ops: one family a file, with declaration, derivative and public function side by side.

    neg    = Op.elementwise("neg")                                     # a row of formulas.py
    matmul = Op("matmul", forward, vjps=(..., ...), saves=("y", "x"))  # where a row is not enough

``engine/op.py`` has the declaration and the contract of a derivative; ``surface`` exports the
functions to users. Importing ``ops.surface`` declares nothing; each family declares its own ops.
"""
