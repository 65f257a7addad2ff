"""Errors of local servers. Every message says what to do next."""

from shared.runtime.redaction import redact


class LocalServerError(Exception):
    """A local server could not be prepared, started or stopped."""

    def __init__(self, message: str) -> None:
        """`message` may quote a log or a driver; passwords in it are masked."""
        super().__init__(redact(message))


class NotControllable(LocalServerError):
    """An external server cannot be started, stopped or frozen from here."""


class NotReady(LocalServerError):
    """The server ended during its start, or was not usable in time."""


class PortTaken(LocalServerError):
    """Another program listens on the port of this server."""


class MissingLibrary(LocalServerError):
    """The machine lacks a shared library that a packaged server needs."""


class JarUnavailable(LocalServerError):
    """A jar could not be downloaded."""


class JarMismatch(LocalServerError):
    """The SHA-256 of a jar differs from the lock file."""


class NoEngine(LocalServerError):
    """The settings require containers, and no container engine answers."""
