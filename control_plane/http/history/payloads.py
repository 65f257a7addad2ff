"""The JSON of a tenant's history, and the query parameters of its lists."""

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from control_plane.domain.history import ChangeSetSummary, CommittedChanges
from control_plane.http.common.plans import EXAMPLE_CHANGES, PlannedChange
from control_plane.http.common.request_fields import PageQuery


class ChangeSetSummaryBody(msgspec.Struct, frozen=True, kw_only=True):
    """A committed change set, without its changes."""

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
    """Change sets, newest first. `next_cursor`: of the next page; null on the last page."""

    change_sets: list[ChangeSetSummaryBody]
    next_cursor: str | None


class CommittedChangeSetBody(ChangeSetSummaryBody, frozen=True, kw_only=True):
    """A committed change set with its changes, in the order of the request."""

    changes: list[PlannedChange]

    @classmethod
    def of_committed(cls, committed: CommittedChanges) -> "CommittedChangeSetBody":
        summary = msgspec.structs.asdict(ChangeSetSummaryBody.of(committed.summary))
        return cls(**summary, changes=[PlannedChange.of_change(each) for each in committed.changes])


class DiffPage(msgspec.Struct, frozen=True, kw_only=True):
    """Routes that differ between two revisions, by service, env and version. `before`: the value as of `from_revision`."""

    from_revision: int
    to_revision: int
    changes: list[PlannedChange]
    next_cursor: str | None


class HistoryQuery(PageQuery, frozen=True, kw_only=True):
    """The query parameters of the list of change sets."""

    changed_by: (
        Annotated[
            str,
            msgspec.Meta(
                pattern="^[!-~]{1,128}$", description="Only change sets of this subject.", examples=["ci-bot"]
            ),
        ]
        | None
    ) = None
    since: (
        Annotated[
            datetime,
            msgspec.Meta(
                tz=True,
                description="Only change sets committed at this moment or later.",
                examples=["2026-03-01T00:00:00Z"],
            ),
        ]
        | None
    ) = None


class DiffQuery(PageQuery, frozen=True, kw_only=True, rename={"from_revision": "from", "to_revision": "to"}):
    """The query parameters of a comparison."""

    from_revision: Annotated[
        int, msgspec.Meta(ge=0, description="The earlier revision; 0 is before the first change set.", examples=[41])
    ]
    to_revision: Annotated[int, msgspec.Meta(ge=0, description="The later revision.", examples=[42])]


_EXAMPLE_SUMMARY: dict[str, Any] = {
    "revision": 42,
    "changed_by": "ci-bot",
    "reason": "release 42",
    "correlation_id": "req-8f14e45fceea167a",
    "committed_at": datetime(2026, 3, 2, 16, 5, 12, tzinfo=UTC),
    "change_count": 2,
}
EXAMPLE_CHANGE_SET_PAGE = ChangeSetPage(change_sets=[ChangeSetSummaryBody(**_EXAMPLE_SUMMARY)], next_cursor="NDI")
EXAMPLE_COMMITTED = CommittedChangeSetBody(**_EXAMPLE_SUMMARY, changes=EXAMPLE_CHANGES)
EXAMPLE_DIFF = DiffPage(from_revision=41, to_revision=42, changes=EXAMPLE_CHANGES, next_cursor=None)
