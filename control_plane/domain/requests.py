"""A request to change a tenant's routes, whole."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from control_plane.domain.changes import Attribution
from control_plane.domain.intents import Intent
from control_plane.domain.plans import NO_TERMS, Plan, Terms

_D = TypeVar("_D")

ANSWERS_KEPT = timedelta(hours=24)
"""For how long the answer to a request with an Idempotency-Key is given again."""


@dataclass(frozen=True, slots=True)
class RecordedResponse:
    """What a caller is told: an HTTP status, the headers that belong to the body, and the body as sent."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class IdempotencyKey(Generic[_D]):
    """The caller's wish to have a request carried out once, however often it is sent.

    `fingerprint` tells the request from any other; `answer` makes what is recorded, from what was done.
    """

    key: str
    fingerprint: bytes
    answer: Callable[[_D], RecordedResponse]


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """What is wanted, by whom, on which terms."""

    intent: Intent
    attribution: Attribution
    terms: Terms = NO_TERMS
    once: IdempotencyKey[Plan] | None = None
