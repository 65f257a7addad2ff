"""Many answers in one: what a caller of the bulk question is told of each key."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from shared.schemas.validation import FieldError

MAX_KEYS = 1000


class Result(StrEnum):
    """What became of one key."""

    FOUND = "found"
    NOT_FOUND = "not_found"
    INVALID = "invalid"
    UNAVAILABLE = "unavailable"


class KeyAnswer(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The answer for one key. `route` is the JSON of a ResolvedRoute.

    `max_age`: seconds for which the answer may be kept. `stale`: past its life, because no source could tell better.
    """

    result: Result
    route: msgspec.Raw = msgspec.Raw()
    max_age: int = 0
    stale: bool = False
    detail: str = ""
    errors: tuple[FieldError, ...] = ()


@dataclass(frozen=True, slots=True)
class ManyAnswers:
    """One for each key. `bound`: for how many seconds any of them may have been wrong at most (None: not known)."""

    answers: Sequence[KeyAnswer]
    bound: float | None
