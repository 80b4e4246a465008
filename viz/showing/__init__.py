"""What stands on a screen: the terminal, the page, the notebook."""
