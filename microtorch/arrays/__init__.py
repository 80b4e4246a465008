"""Arrays: their dtypes, devices, random bits and rounding, and how they are printed."""
