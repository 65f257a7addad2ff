"""The reasons for closing a watch."""

from enum import StrEnum


class CloseReason(StrEnum):
    """The values appear in metrics and in the stream's last event."""

    CLIENT = "client"
    """The client disconnected."""
    SLOW = "slow"
    """The client did not read in time, or fell behind the oldest change in the change log."""
    DRAIN = "drain"
    """The process is shutting down."""
    GAP = "gap"
    """Changes of the tenant may be missing in this process."""
    REVOKED = "revoked"
    """The client's credential is no longer valid."""


class WatchEnded(Exception):
    """The watch is closed and gives no further change."""

    def __init__(self, reason: CloseReason) -> None:
        super().__init__(f"the watch is closed: {reason}")
        self.reason = reason
