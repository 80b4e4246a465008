"""What a user holds: ``Tensor`` and ``Scalar``, with the operators, in-place methods and views."""
