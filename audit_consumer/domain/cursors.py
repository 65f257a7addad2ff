"""Where a page ended: a text that is opaque to callers and bound to the query it belongs to."""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Self

import msgspec

from audit_consumer.domain.queries import AuditQuery
from shared.schemas.validation import FieldError, InvalidInput

_MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
_SORT_KEY = re.compile(rf"{_MOMENT} \d{{19}} [0-9a-f-]{{36}} \d{{3}}")
_START = re.compile(_MOMENT)


class _Token(msgspec.Struct, array_like=True, frozen=True):
    fingerprint: str
    after: str
    start: str | None


@dataclass(frozen=True, slots=True)
class Cursor:
    """The sort key of a page's last event, and where its query started.

    The start is kept because "the last seven days" would otherwise end elsewhere on every page.
    """

    after: str
    start: str | None

    def encode(self, query: AuditQuery) -> str:
        """The text to hand to the caller of this query."""
        token = msgspec.json.encode(_Token(_fingerprint(query), self.after, self.start))
        return base64.urlsafe_b64encode(token).rstrip(b"=").decode()

    @classmethod
    def decode(cls, text: str, query: AuditQuery) -> Self:
        """The cursor in a text that was given with a page of this query. Raises InvalidInput."""
        token = _token(text)
        if token is None:
            raise _wrong("is not a cursor of this service; leave it out to begin at the newest event")
        if token.fingerprint != _fingerprint(query):
            raise _wrong("belongs to another query; only `limit` may change from page to page")
        return cls(token.after, token.start)


def _token(text: str) -> _Token | None:
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        token = msgspec.json.decode(decoded, type=_Token)
    except (binascii.Error, ValueError):
        return None
    starts_well = token.start is None or _START.fullmatch(token.start)
    return token if starts_well and _SORT_KEY.fullmatch(token.after) else None


def _fingerprint(query: AuditQuery) -> str:
    return hashlib.sha256(msgspec.json.encode(query)).hexdigest()[:16]


def _wrong(detail: str) -> InvalidInput:
    return InvalidInput((FieldError("/cursor", detail),))
