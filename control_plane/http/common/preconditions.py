"""The headers that say on which terms a request is to be carried out."""

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from control_plane.domain.plans import Terms
from control_plane.domain.requests import IdempotencyKey, RecordedResponse
from shared.schemas.validation import FieldError

IDEMPOTENCY_KEY = "Idempotency-Key"

_TAGS = re.compile(r'\s*(?:W/)?"[^"]*"\s*(?:,\s*(?:W/)?"[^"]*"\s*)*')
_TAG = re.compile(r'(W/)?"([^"]*)"')
_REVISION = re.compile(r"[0-9]{1,18}")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")

CONDITIONAL: tuple[dict[str, Any], ...] = (
    {
        "name": "If-Match",
        "in": "header",
        "description": "The ETag that the route must have, or `*`: the route must exist. Otherwise 412.",
        "schema": {"type": "string"},
        "example": '"42"',
    },
    {
        "name": "If-None-Match",
        "in": "header",
        "description": "`*`: the route must never have been created. Otherwise 412.",
        "schema": {"type": "string", "const": "*"},
        "example": "*",
    },
)
"""OpenAPI parameters of an operation with preconditions."""

REPEATABLE: tuple[dict[str, Any], ...] = (
    {
        "name": IDEMPOTENCY_KEY,
        "in": "header",
        "description": "A repeated request with the same key gets the recorded response for 24 hours "
        "(`Idempotency-Replayed: true`); a different request with the same key is a 422. Errors and dry runs are not "
        "recorded.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
        "example": "01970a3e-8c52-7d0e-b5a4-6f3a1c9e2d47",
    },
)
"""OpenAPI parameters of an operation that accepts an idempotency key."""

_D = TypeVar("_D")

_NEVER = -1
"""Stands for an entity tag that no route ever has, so that it matches none."""


def read_preconditions(headers: Mapping[str, str]) -> tuple[Terms, list[FieldError]]:
    """What `If-Match` and `If-None-Match` demand of a single route."""
    errors: list[FieldError] = []
    match, none_match = headers.get("If-Match"), headers.get("If-None-Match")
    revisions = None
    if match is not None:
        revisions = frozenset[int]() if match.strip() == "*" else _revisions(match)
        if revisions is None:
            errors.append(FieldError("/If-Match", 'must be * or the ETag of the route, such as "42"'))
    if none_match is not None and none_match.strip() != "*":
        errors.append(FieldError("/If-None-Match", "must be * for a change: the route must not be there yet"))
    return Terms(route_revisions=revisions, must_be_new=none_match is not None), errors


def refuse_preconditions(headers: Mapping[str, str]) -> list[FieldError]:
    """What is wrong with preconditions where many routes change: a guard that nobody looks at would be none."""
    why = "is for single routes; here the tenant's revision is demanded by expected_revision in the body"
    return [FieldError(f"/{name}", why) for name in ("If-Match", "If-None-Match") if name in headers]


def _revisions(match: str) -> frozenset[int] | None:
    if not _TAGS.fullmatch(match):
        return None
    # A weak tag never matches here (RFC 9110, 13.1.1), nor does one that is no revision.
    return frozenset(int(tag) if not weak and _REVISION.fullmatch(tag) else _NEVER for weak, tag in _TAG.findall(match))


def read_idempotency(
    headers: Mapping[str, str], request_line: str, body: bytes, answer: Callable[[_D], RecordedResponse]
) -> tuple[IdempotencyKey[_D] | None, list[FieldError]]:
    """The wish in the `Idempotency-Key` header; None without one. Method, path, query and body make the request."""
    key = headers.get(IDEMPOTENCY_KEY)
    if key is None:
        return None, []
    if not _KEY.fullmatch(key):
        return None, [FieldError(f"/{IDEMPOTENCY_KEY}", "must be 1 to 255 printable ASCII characters without spaces")]
    fingerprint = hashlib.sha256(request_line.encode() + b"\0" + body).digest()
    return IdempotencyKey(key, fingerprint, answer), []
