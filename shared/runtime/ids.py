"""Identifiers that sort by time."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562): unique anywhere, ascending within a process."""
    return uuid7()
