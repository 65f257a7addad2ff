"""The whole installation: what all tenants have together."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InstallationSize:
    """Numbers of tenants, and of their routes, deactivated ones apart."""

    tenants: int
    active_routes: int
    inactive_routes: int
