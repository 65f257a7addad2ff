"""Events with default values; a test gives only the values that it checks."""

import secrets
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from shared.runtime.ids import new_id
from shared.schemas.events import Action, RouteChange, RouteChanged
from shared.schemas.route_value import RouteState


def a_tenant() -> str:
    """A unique tenant name."""
    return f"team-{secrets.token_hex(6)}"


def a_change(action: Action = Action.CREATED, **values: Any) -> RouteChange:
    """A change of `payments:prod:v1` with a unique URL, by default its creation."""
    defaults: dict[str, Any] = {
        "service": "payments",
        "env": "prod",
        "version": "v1",
        "url": f"https://{secrets.token_hex(4)}.example.com/v1",
        "is_active": action is not Action.DEACTIVATED,
    }
    if action is not Action.CREATED:
        defaults["previous_url"] = "https://previous.example.com/v1"
        defaults["previous_state"] = RouteState.INACTIVE if action is Action.ACTIVATED else RouteState.ACTIVE
    return RouteChange(action=action, **{**defaults, **values})


def a_change_set(
    *changes: RouteChange, tenant: str | None = None, revision: int = 1, event_id: UUID | None = None, **values: Any
) -> RouteChanged:
    """A committed change set, by default of a new tenant and with one created route."""
    defaults: dict[str, Any] = {
        "changed_by": "ci-bot",
        "reason": "release 42",
        "occurred_at": datetime.now(UTC),
        "correlation_id": f"req-{secrets.token_hex(8)}",
    }
    return RouteChanged(
        event_id=event_id or new_id(),
        tenant=tenant or a_tenant(),
        revision=revision,
        changes=changes or (a_change(),),
        **{**defaults, **values},
    )


def history(tenant: str, length: int) -> list[RouteChanged]:
    """The first change sets of a tenant, revision 1 to `length`, each with a new URL of the same route."""
    return [
        a_change_set(
            a_change(Action.CREATED if revision == 1 else Action.UPDATED, url=f"https://example.com/{revision}"),
            tenant=tenant,
            revision=revision,
        )
        for revision in range(1, length + 1)
    ]
