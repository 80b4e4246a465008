"""Making tensors: from data, filled, counted, and with random numbers."""
