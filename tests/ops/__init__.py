"""The ops: samples of every one, what runs them (running.py), and the tests of ops/."""
