"""The paths of resolve requests, as they go over the wire."""

import re

from data_plane.http.resolve import RESOLVE_PATH
from shared.schemas.identity import NAME_PATTERN, VERSION_PATTERN

TEMPLATE = RESOLVE_PATH.replace(":str", "")
"""What metrics call all of them."""
PREFIX = RESOLVE_PATH.partition("{")[0].encode()
"""What they begin with; a route's `tenant/service/env/version` follows."""

_NAME, _VERSION = (pattern.removeprefix("^").removesuffix(r"\Z") for pattern in (NAME_PATTERN, VERSION_PATTERN))
_ROUTE = re.compile("/".join([_NAME, _NAME, _NAME, _VERSION]).encode())


def paths_of(tenant: str) -> bytes:
    """What the paths of all routes of the tenant begin with, and no other's."""
    return PREFIX + tenant.encode() + b"/"


def route_in(path: bytes) -> bytes | None:
    """The `tenant/service/env/version` in a path; None where there can be no such route, or it is spelled oddly."""
    if not path.startswith(PREFIX):
        return None
    route = path[len(PREFIX) :]
    return None if _ROUTE.fullmatch(route) is None else route
