"""What a caller says about the answer it has, and the one it wants (RFC 9110, RFC 9111)."""

import re

_ETAG = re.compile(r'(?:W/)?("[^"]*")')
_MAX_STALE = re.compile(r"(?:^|,)\s*max-stale\s*=\s*\"?0+\"?\s*(?:,|$)", re.IGNORECASE)


def etag_of(revision: int) -> str:
    """The entity tag of a route at a revision."""
    return f'"{revision}"'


def has_already(if_none_match: str | None, etag: str) -> bool:
    """Whether the caller's `If-None-Match` (a list of tags, weak ones too, or `*`) names this one."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or etag in _ETAG.findall(if_none_match)


def accepts_stale(cache_control: str | None) -> bool:
    """Whether an answer past its life will do: always, unless the caller says `max-stale=0`."""
    return cache_control is None or not _MAX_STALE.search(cache_control)
