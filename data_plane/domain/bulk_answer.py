"""The answer to a bulk request: one result for each key."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from shared.schemas.validation import FieldError

MAX_KEYS = 1000


class Result(StrEnum):
    """The outcome for one key."""

    FOUND = "found"
    NOT_FOUND = "not_found"
    INVALID = "invalid"
    UNAVAILABLE = "unavailable"


class KeyAnswer(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The answer for one key. `route` is the JSON of a ResolvedRoute.

    `max_age`: seconds for which the caller may cache the answer. `stale`: past its TTL, served because no source could
    be read.
    """

    result: Result
    route: msgspec.Raw = msgspec.Raw()
    max_age: int = 0
    stale: bool = False
    detail: str = ""
    errors: tuple[FieldError, ...] = ()


@dataclass(frozen=True, slots=True)
class ManyAnswers:
    """One answer for each key. `bound`: upper bound on the staleness of all of them, in seconds (None: unknown)."""

    answers: Sequence[KeyAnswer]
    bound: float | None
