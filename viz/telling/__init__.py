"""The Trace becomes words, steps and tables."""
