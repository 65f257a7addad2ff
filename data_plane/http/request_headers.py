"""The request headers that decide what an answer may be: If-None-Match, Cache-Control (RFC 9110, RFC 9111), X-Min-Revision."""

import re
from typing import Any

from litestar.datastructures import MultiDict

from data_plane.domain.read_consistency import ANY, ReadConsistency
from shared.runtime.http.payload import parse_revision
from shared.schemas.validation import FieldError, InvalidInput

_ETAG = re.compile(r'(?:W/)?("[^"]*")')
_MAX_AGE = re.compile(r"(?:^|,)\s*max-age\s*=\s*\"?(\d{1,9})\"?\s*(?=,|$)", re.IGNORECASE)
_MAX_STALE_ZERO = re.compile(r"(?:^|,)\s*max-stale\s*=\s*\"?0+\"?\s*(?:,|$)", re.IGNORECASE)


def etag_of(revision: int) -> str:
    """The entity tag of a route at a revision."""
    return f'"{revision}"'


def matches_etag(if_none_match: str | None, etag: str) -> bool:
    """Whether `If-None-Match` (a list of tags, weak ones included, or `*`) names the tag."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or etag in _ETAG.findall(if_none_match)


def accepts_stale(cache_control: str | None) -> bool:
    """Whether a stale answer may be served when all sources fail: always, unless the caller sends `max-stale=0`."""
    return cache_control is None or not _MAX_STALE_ZERO.search(cache_control)


def read_consistency_of(cache_control: str | None, *min_revisions: tuple[str, str]) -> ReadConsistency:
    """The caller's freshness demand: the lowest `max-age` of Cache-Control, and the minimum revision.

    `min_revisions`: pairs of the parameter's name and its text, which may be empty. Raises InvalidInput for a text that is
    not a revision, and for different revisions.
    """
    max_ages = [] if cache_control is None else [float(each) for each in _MAX_AGE.findall(cache_control)]
    revisions = {name: revision_of(name, text) for name, text in min_revisions if text}
    if len(set(revisions.values())) > 1:
        demands = " and ".join(f"{name} {revision}" for name, revision in revisions.items())
        errors = (FieldError(f"/{name}", f"the request demands {demands}; send one revision") for name in revisions)
        raise InvalidInput(tuple(errors))
    if not max_ages and not revisions:
        return ANY
    return ReadConsistency(min(max_ages, default=None), max(revisions.values(), default=0))


def refuse_repeated(query: MultiDict[Any], name: str) -> None:
    """Raises InvalidInput for a query parameter that is given more than once."""
    if (count := len(query.getall(name, []))) > 1:
        raise InvalidInput((FieldError(f"/{name}", f"is given {count} times; give it once"),))


def revision_of(name: str, text: str) -> int:
    """The revision in a parameter's text. Raises InvalidInput."""
    try:
        return parse_revision(text)
    except ValueError as error:
        raise InvalidInput((FieldError(f"/{name}", str(error)),)) from None
