"""What a user holds: ``Tensor`` and ``Scalar``, with the operators, in-place methods and views."""
from .contents import CONTENTS
from .methods import promise

promise(CONTENTS, "handles")
