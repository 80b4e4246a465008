"""Making tensors: from data, filled, counted, and with random numbers."""
from ..handles.methods import bind_promised, promise
from ..ops.surface import METHODS
from .contents import CONTENTS

promise(CONTENTS, "create")
bind_promised(METHODS, [name for row in CONTENTS.values() for name in row[-1].split()])
