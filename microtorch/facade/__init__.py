"""PyTorch's names for what lives elsewhere here."""
