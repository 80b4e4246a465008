"""Samples of every op, for test_registry.py."""
