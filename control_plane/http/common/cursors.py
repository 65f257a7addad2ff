"""Where a page ended, as the opaque text that asks for the next one."""

import base64
import binascii
from collections.abc import Sequence

from control_plane.domain.routes import RoutePosition
from shared.schemas.access import is_key_id
from shared.schemas.identity import RouteKey, name_errors

_BROKEN = "is not a cursor of this list; pass next_cursor as it was given, or none for the first page"


class BrokenCursor(ValueError):
    """A cursor that this API did not give out."""

    def __init__(self) -> None:
        super().__init__(_BROKEN)


def after_route(position: RoutePosition) -> str:
    """The cursor of what follows a route. No part holds the separator."""
    return _encode(f"{position.service}:{position.env}:{position.version}")


def cursor_after(found: Sequence[RouteKey], limit: int) -> str | None:
    """The cursor of what follows a page of routes, when one more was looked for than it holds; None at the end."""
    if len(found) <= limit:
        return None
    last = found[limit - 1]
    return after_route(RoutePosition(last.service, last.env, last.version))


def route_position(cursor: str) -> RoutePosition:
    """Raises BrokenCursor."""
    parts = _decode(cursor).split(":")
    if len(parts) != 3 or name_errors(service=parts[0], env=parts[1], version=parts[2]):
        raise BrokenCursor
    return RoutePosition(*parts)


def after_tenant(name: str) -> str:
    """The cursor of what follows a tenant."""
    return _encode(name)


def tenant_name(cursor: str) -> str:
    """Raises BrokenCursor."""
    name = _decode(cursor)
    if name_errors(tenant=name):
        raise BrokenCursor
    return name


def before_revision(revision: int) -> str:
    """The cursor of the change sets before this one."""
    return _encode(str(revision))


def revision_before(cursor: str) -> int:
    """Raises BrokenCursor."""
    text = _decode(cursor)
    if not 1 <= len(text) <= 18 or not text.isdecimal():
        raise BrokenCursor
    return int(text)


def after_key(key_id: str) -> str:
    """The cursor of what follows an access key."""
    return _encode(key_id)


def key_id(cursor: str) -> str:
    """Raises BrokenCursor."""
    found = _decode(cursor)
    if not is_key_id(found):
        raise BrokenCursor
    return found


def _encode(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(cursor: str) -> str:
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise BrokenCursor from None
