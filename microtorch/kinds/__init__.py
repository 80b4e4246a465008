"""Kinds of numbers: what a transform computes with in place of the numbers of an array.

``vmap`` runs a function once on *batches*, arrays whose every number is a column of numbers, one
for each sample. Forward mode runs it on *dual numbers*, each of which brings its derivative along.
To the engine both are a backend: arrays of a memory of their own, and kernels by the names of the
ops. So the declarations of the ops, the graph and backward stay as they are, and transforms nest in
any order: the values inside a kind of number may be of a kind again.

- ``level``   which kinds are in use, the arrays' base class, and the backend's
- ``batched`` batches, and a loop over the samples for what has no rule
- ``rules``   one rule for each kind of op on batches
- ``dual``    dual numbers: the rules come from the formulas
- ``borders`` the ops that lead into a level and out of it again
- ``carry``   in-place writes
- ``vmap``, ``draws``, ``trees``: the transform, random numbers in it, nested arguments
"""
