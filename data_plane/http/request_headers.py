"""What a caller asks of the answer, from the headers and the query of its request."""

import re

from data_plane.domain.read_consistency import ANY, ReadConsistency
from shared.schemas.validation import FieldError, InvalidInput

_MAX_AGE = re.compile(r"(?:^|,)\s*max-age\s*=\s*\"?(\d{1,9})\"?\s*(?=,|$)", re.IGNORECASE)


def read_consistency_of(cache_control: str | None, *min_revisions: tuple[str, str]) -> ReadConsistency:
    """`max-age` of a Cache-Control header; the highest of the revisions, each with the name it was given by.

    An empty revision demands nothing.

    Raises InvalidInput for a revision that is none.
    """
    found = None if cache_control is None else _MAX_AGE.search(cache_control)
    revisions = [_revision(name, text) for name, text in min_revisions if text]
    if found is None and not revisions:
        return ANY
    return ReadConsistency(None if found is None else float(found.group(1)), max(revisions, default=0))


def _revision(name: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text, re.ASCII):
        raise InvalidInput((FieldError(f"/{name}", f"must be a revision, a whole number; got {text[:80]!r}"),))
    return int(text)
