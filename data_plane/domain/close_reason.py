"""Why a watch comes to its end."""

from enum import StrEnum


class CloseReason(StrEnum):
    """As in metrics, and as the client is told where it still listens."""

    CLIENT = "client"
    """It went away."""
    SLOW = "slow"
    """It did not take what it was sent, or fell behind what is kept."""
    DRAIN = "drain"
    GAP = "gap"
    """Changes of the tenant may have gone unheard here."""
    REVOKED = "revoked"
    """The client's credential is not good any more."""


class WatchEnded(Exception):
    """There is nothing more to come on this watch."""

    def __init__(self, ending: CloseReason) -> None:
        super().__init__(f"the watch has ended: {ending}")
        self.ending = ending
