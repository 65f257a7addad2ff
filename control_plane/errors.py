"""What can go wrong in the control plane, in its own words."""

from typing import Literal


class MigrationFailed(Exception):
    """The schema could not be brought up to date."""


class NoSuchTenant(Exception):
    """The tenant was never created."""

    def __init__(self, tenant: str) -> None:
        super().__init__(f"There is no tenant {tenant}. Create it with PUT /api/v1/tenants/{tenant}.")
        self.tenant = tenant


class NoSuchRoute(Exception):
    """The tenant exists, the route was never created."""

    def __init__(self, key: object) -> None:
        super().__init__(f"There is no route {key}. Create it with PUT and a url.")
        self.key = key


class NoSuchKey(Exception):
    """There is no such access key, or it was revoked."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"There is no access key {key_id} here that could still be used.")
        self.key_id = key_id


class TenantBusy(Exception):
    """Other changes of the tenant held it locked for too long."""

    def __init__(self, tenant: str) -> None:
        super().__init__(f"Other changes of tenant {tenant} are being committed; nothing was changed. Try again.")
        self.tenant = tenant


class TooManyChanges(Exception):
    """A change set beyond the limit. Nothing was written."""

    def __init__(self, changes: int, limit: int) -> None:
        super().__init__(f"A change set has at most {limit} changes, this one has {changes}. Split it.")


class NotPublished(Exception):
    """Kafka did not acknowledge everything. `reason` is one of a closed set, for metrics."""

    def __init__(self, reason: Literal["timeout", "unavailable", "rejected"], why: str) -> None:
        super().__init__(why)
        self.reason = reason


class LeadershipLost(Exception):
    """The relay's session is gone, and with it the right to publish."""
