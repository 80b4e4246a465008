"""``torch.backends.cudnn``: there is none, and what scripts set here has no effect."""
enabled = False
deterministic = False
benchmark = False


def is_available() -> bool:
    """False."""
    return False


def version() -> None:
    """None."""
