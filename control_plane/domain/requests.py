"""A request to change a tenant's routes, with everything that decides its outcome."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from control_plane.domain.changes import Attribution
from control_plane.domain.intents import Intent
from control_plane.domain.plans import NO_PRECONDITIONS, Plan, Preconditions

_D = TypeVar("_D")

RESPONSE_RETENTION = timedelta(hours=24)
"""How long the response to a request with an Idempotency-Key is kept for repetitions of the request."""


@dataclass(frozen=True, slots=True)
class RecordedResponse:
    """A response as it was sent: the HTTP status, the headers that belong to the body, and the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class IdempotencyKey(Generic[_D]):
    """The caller's key that makes a request take effect once, however often it is sent.

    `fingerprint` identifies the request; `make_response` turns the request's result into the response to record.
    """

    key: str
    fingerprint: bytes
    make_response: Callable[[_D], RecordedResponse]


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """The wanted change, its author, and the conditions under which it is applied. A dry run only plans it."""

    intent: Intent
    attribution: Attribution
    preconditions: Preconditions = NO_PRECONDITIONS
    idempotency_key: IdempotencyKey[Plan] | None = None
    dry_run: bool = False
