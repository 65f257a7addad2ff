"""The JSON of a change set's propagation, and its query parameters."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec

from control_plane.domain.propagation import ApplyState, Progress, Propagation


class PropagationQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The query parameters of a change set's propagation."""

    wait: Annotated[
        float,
        msgspec.Meta(
            ge=0,
            le=3600,
            description="Seconds to wait for the change set to be live everywhere; at most TM_PROPAGATION_WAIT_SECONDS.",
            examples=[1],
        ),
    ] = 0


class ProcessBody(msgspec.Struct, frozen=True, kw_only=True):
    """A resolver process. State `gone`: it has been silent for 15 seconds and is not waited for.

    `lag_records`: number of the partition's records to apply before the change set is applied; null when unknown.
    `lag_seconds`: time for which the change set has been committed but not applied by this process.
    """

    instance: str
    state: ApplyState
    lag_records: int | None
    lag_seconds: float
    silent_seconds: float
    started_at: datetime
    version: str

    @classmethod
    def of(cls, progress: Progress) -> "ProcessBody":
        status = progress.status
        return cls(
            instance=status.instance,
            state=progress.apply_state,
            lag_records=progress.lag_records,
            lag_seconds=round(progress.lag_seconds, 3),
            silent_seconds=round(progress.silent_seconds, 3),
            started_at=status.started_at,
            version=status.version,
        )


class PropagationBody(msgspec.Struct, frozen=True, kw_only=True):
    """A change set's propagation. `published`: Kafka has acknowledged it. `live_everywhere`: every process that is not
    `gone` has applied it.
    """

    tenant: str
    revision: int
    committed_at: datetime
    published: bool
    live_everywhere: bool
    instances: list[ProcessBody]

    @classmethod
    def of(cls, propagation: Propagation) -> "PropagationBody":
        publication = propagation.publication
        return cls(
            tenant=publication.tenant,
            revision=publication.revision,
            committed_at=publication.committed_at,
            published=publication.is_published,
            live_everywhere=propagation.is_live_everywhere,
            instances=[ProcessBody.of(each) for each in propagation.processes],
        )


def _example(name: str, state: ApplyState, lag_records: int, lag_seconds: float, silent_seconds: float) -> ProcessBody:
    return ProcessBody(
        instance=name,
        state=state,
        lag_records=lag_records,
        lag_seconds=lag_seconds,
        silent_seconds=silent_seconds,
        started_at=datetime(2026, 3, 1, 6, 0, tzinfo=UTC),
        version="2.3.1",
    )


EXAMPLE_PROPAGATION = PropagationBody(
    tenant="team-a",
    revision=42,
    committed_at=datetime(2026, 3, 2, 16, 5, 12, tzinfo=UTC),
    published=True,
    live_everywhere=False,
    instances=[
        _example("resolver-7d4f-1b9c0e", ApplyState.APPLIED, 0, 0, 0.8),
        _example("resolver-9a3b-c25d71", ApplyState.LAGGING, 3, 4.2, 6.1),
    ],
)
