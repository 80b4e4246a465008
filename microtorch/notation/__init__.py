"""Formulas as text: each elementwise op is a row (``formulas``), which ``expr`` reads."""
