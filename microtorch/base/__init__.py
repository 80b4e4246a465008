"""The ground: how errors are said (``errors``), and the names of types (``types``)."""
