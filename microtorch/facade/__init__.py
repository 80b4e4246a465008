"""PyTorch's names for what lives elsewhere, and honest answers for what is not there."""
