"""`If-Match` and `If-None-Match` on changes (RFC 9110, section 13)."""

import re
from collections.abc import Mapping
from typing import Any

from control_plane.domain.plans import Preconditions
from shared.schemas.validation import FieldError

PRECONDITION_PARAMETERS: tuple[dict[str, Any], ...] = (
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

_TAGS = re.compile(r'\s*(?:W/)?"[^"]*"\s*(?:,\s*(?:W/)?"[^"]*"\s*)*')
_TAG = re.compile(r'(W/)?"([^"]*)"')
_REVISION = re.compile(r"[0-9]{1,18}")

_NO_REVISION = -1
"""In place of an entity tag that matches no route."""


def read_preconditions(headers: Mapping[str, str]) -> tuple[Preconditions, list[FieldError]]:
    """The preconditions of a change of a single route."""
    errors: list[FieldError] = []
    match, none_match = headers.get("If-Match"), headers.get("If-None-Match")
    revisions = None
    if match is not None:
        revisions = frozenset[int]() if match.strip() == "*" else _revisions(match)
        if revisions is None:
            errors.append(FieldError("/If-Match", 'must be * or the ETag of the route, such as "42"'))
    if none_match is not None and none_match.strip() != "*":
        errors.append(FieldError("/If-None-Match", "must be * for a change: the route must never have been created"))
    if match is not None and none_match is not None:
        errors.append(
            FieldError("/If-None-Match", "contradicts If-Match: a new route has no ETag; send one of the two")
        )
    return Preconditions(route_revisions=revisions, must_be_new=none_match is not None), errors


def refuse_preconditions(headers: Mapping[str, str]) -> list[FieldError]:
    """Errors for preconditions on a change of many routes: ignoring them silently would be unsafe."""
    detail = "applies to single routes only; send expected_revision in the body to require a revision of the tenant"
    return [FieldError(f"/{name}", detail) for name in ("If-Match", "If-None-Match") if name in headers]


def _revisions(match: str) -> frozenset[int] | None:
    if not _TAGS.fullmatch(match):
        return None
    # A weak tag never matches If-Match (RFC 9110, section 13.1.1), nor does a tag that is not a revision.
    return frozenset(
        int(tag) if not weak and _REVISION.fullmatch(tag) else _NO_REVISION for weak, tag in _TAG.findall(match)
    )
