"""What stops a release, in words for the person at the terminal."""


class ReleaseError(Exception):
    """The message says what failed and what to do next."""
