"""What can go wrong with local servers; every message says what to do next."""

from shared.runtime.redaction import redact


class LocalServerError(Exception):
    """A local server could not be prepared, started or stopped."""

    def __init__(self, message: str) -> None:
        """`message` may quote a log or a driver; passwords in it are masked."""
        super().__init__(redact(message))


class NotControllable(LocalServerError):
    """The server belongs to someone else: it can be used, not started, stopped or frozen."""


class NotReady(LocalServerError):
    """The server ended, or did not become usable within its time."""


class PortTaken(LocalServerError):
    """Another program listens on the port that this server had before."""


class MissingLibrary(LocalServerError):
    """The machine lacks a shared library that a packaged server needs."""


class JarUnavailable(LocalServerError):
    """A jar could not be downloaded."""


class JarMismatch(LocalServerError):
    """A jar is not the one whose SHA-256 the lock file names."""


class NoEngine(LocalServerError):
    """Containers were asked for and no container engine answers."""
