"""Who is calling. The one seam through which every service learns the subject of a request."""

import re
from collections.abc import Mapping

from shared.schemas.validation import FieldError, InvalidInput

ACTOR_HEADER = "X-Actor"
ANONYMOUS = "anonymous"

_ACTOR = re.compile(r"[A-Za-z0-9@._+:/-]{1,128}")


def subject_of(headers: Mapping[str, str]) -> str:
    """The caller's name for `changed_by`: the `X-Actor` header as given, `anonymous` without one.

    Raises InvalidInput for a name that is not 1 to 128 of A-Za-z0-9@._+:/-.
    """
    offered = headers.get(ACTOR_HEADER)
    if offered is None:
        return ANONYMOUS
    if not _ACTOR.fullmatch(offered):
        raise InvalidInput((FieldError(f"/{ACTOR_HEADER}", "must be 1 to 128 of A-Z a-z 0-9 @ . _ + : / -"),))
    return offered
