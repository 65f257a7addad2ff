"""The JSON of a tenant's history."""

from datetime import datetime
from typing import Annotated

import msgspec

from control_plane.domain.history import ChangeSetSummary, CommittedChanges
from control_plane.domain.routes import PastRoute
from control_plane.http.changes.payloads import PlannedChange
from control_plane.http.routes.payloads import PageQuery


class ChangeSetSummaryBody(msgspec.Struct, frozen=True, kw_only=True):
    """A committed change set: who, when, why, and how many routes it changed."""

    revision: int
    changed_by: str
    reason: str | None
    correlation_id: str
    committed_at: datetime
    change_count: int

    @classmethod
    def of(cls, summary: ChangeSetSummary) -> "ChangeSetSummaryBody":
        return cls(
            revision=summary.revision,
            changed_by=summary.changed_by,
            reason=summary.reason,
            correlation_id=summary.correlation_id,
            committed_at=summary.committed_at,
            change_count=summary.size,
        )


class ChangeSetPage(msgspec.Struct, frozen=True, kw_only=True):
    """Change sets, newest first. `next_cursor` asks for those before; null when there are none."""

    change_sets: list[ChangeSetSummaryBody]
    next_cursor: str | None


class CommittedChangeSetBody(ChangeSetSummaryBody, frozen=True, kw_only=True):
    """A committed change set with everything it changed, in its order."""

    changes: list[PlannedChange]

    @classmethod
    def whole(cls, committed: CommittedChanges) -> "CommittedChangeSetBody":
        summary = msgspec.structs.asdict(ChangeSetSummaryBody.of(committed.summary))
        return cls(**summary, changes=[PlannedChange.of_change(each) for each in committed.changes])


class DiffPage(msgspec.Struct, frozen=True, kw_only=True):
    """Routes that differ between two revisions, by service, env and version. `before`: at `from_revision`."""

    from_revision: int
    to_revision: int
    changes: list[PlannedChange]
    next_cursor: str | None


class RouteThenBody(msgspec.Struct, frozen=True, kw_only=True):
    """A route as it was."""

    tenant: str
    service: str
    env: str
    version: str
    url: str
    is_active: bool

    @classmethod
    def of(cls, route: PastRoute) -> "RouteThenBody":
        key = route.key
        return cls(
            tenant=key.tenant,
            service=key.service,
            env=key.env,
            version=key.version,
            url=route.value.url,
            is_active=route.value.is_active,
        )


class RoutesThen(msgspec.Struct, frozen=True, kw_only=True):
    """Routes as they were at a revision, by service, env and version."""

    at_revision: int
    routes: list[RouteThenBody]
    next_cursor: str | None


class HistoryQuery(PageQuery, frozen=True, kw_only=True):
    """Which change sets to list."""

    changed_by: (
        Annotated[str, msgspec.Meta(pattern="^[!-~]{1,128}$", description="Only those of this caller.")] | None
    ) = None
    since: Annotated[datetime, msgspec.Meta(tz=True, description="Only those committed then or later.")] | None = None


class DiffQuery(PageQuery, frozen=True, kw_only=True, rename={"from_revision": "from", "to_revision": "to"}):
    """Which revisions to compare."""

    from_revision: Annotated[int, msgspec.Meta(ge=0, description="The earlier revision; 0 is the beginning.")]
    to_revision: Annotated[int, msgspec.Meta(ge=0, description="The later revision.")]
