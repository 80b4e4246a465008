"""The graph becomes a Trace, plain data. Only this room sees the graph."""
