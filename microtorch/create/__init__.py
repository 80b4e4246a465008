"""Making tensors: from data, filled, counted, and with random numbers."""
from ..handles.methods import promise
from .contents import CONTENTS

promise(CONTENTS, "create")
