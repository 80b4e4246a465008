"""Making tensors: from data, filled, counted, and with random numbers."""
from ..handles.methods import bind_promised, promise
from ..ops.surface import METHODS
from .contents import CONTENTS

promise(CONTENTS, "create")
_methods = [row.get("methods", "").split() for row in CONTENTS.values()]
bind_promised(METHODS, [name for names in _methods for name in names])
