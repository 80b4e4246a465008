"""Formulas as text: every elementwise op as a row (``formulas``), and how a row is read (``expr``).
"""
