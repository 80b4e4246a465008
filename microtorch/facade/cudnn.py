"""``torch.backends.cudnn``: there is none.

What scripts set here (``deterministic``, ``benchmark``) has no effect.
"""
enabled = False
deterministic = False
benchmark = False


def is_available() -> bool:
    """False."""
    return False


def version() -> None:
    """None."""
