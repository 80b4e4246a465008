"""``torch.backends.cudnn``: there is none; what scripts set here (``deterministic``, ``benchmark``) is accepted and has no effect."""
enabled = False
deterministic = False
benchmark = False


def is_available() -> bool:
    """False."""
    return False


def version() -> None:
    """None."""
