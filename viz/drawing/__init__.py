"""The Trace becomes a picture: Graphviz, and films of it."""
