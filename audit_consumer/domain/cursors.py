"""Cursors of the audit API: opaque texts that continue one query after a page."""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Self

import msgspec

from audit_consumer.domain.queries import AuditQuery
from shared.schemas.validation import FieldError, InvalidInput

_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
_SORT_KEY = re.compile(rf"{_TIME} \d{{19}} [0-9a-f-]{{36}} \d{{3}}")
_START = re.compile(_TIME)


class _Token(msgspec.Struct, array_like=True, frozen=True):
    fingerprint: str
    after: str
    start: str | None


@dataclass(frozen=True, slots=True)
class Cursor:
    """The sort key of a page's last event, and the start of the query's period.

    The cursor keeps the start so that all pages of "the last seven days" cover the same period.
    """

    after: str
    start: str | None

    def encode(self, query: AuditQuery) -> str:
        """The cursor as text, valid for this query alone."""
        token = msgspec.json.encode(_Token(_fingerprint(query), self.after, self.start))
        return base64.urlsafe_b64encode(token).rstrip(b"=").decode()

    @classmethod
    def decode(cls, text: str, query: AuditQuery) -> Self:
        """The cursor in a text that `encode` made for this query. Raises InvalidInput."""
        token = _token(text)
        if token is None:
            raise _invalid_cursor("is not a cursor of this service; omit it for the first page")
        if token.fingerprint != _fingerprint(query):
            raise _invalid_cursor("belongs to another query; only `limit` may differ between pages")
        return cls(token.after, token.start)


def _token(text: str) -> _Token | None:
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        token = msgspec.json.decode(decoded, type=_Token)
    except (binascii.Error, ValueError):
        return None
    has_valid_start = token.start is None or _START.fullmatch(token.start)
    return token if has_valid_start and _SORT_KEY.fullmatch(token.after) else None


def _fingerprint(query: AuditQuery) -> str:
    return hashlib.sha256(msgspec.json.encode(query)).hexdigest()[:16]


def _invalid_cursor(detail: str) -> InvalidInput:
    return InvalidInput((FieldError("/cursor", detail),))
