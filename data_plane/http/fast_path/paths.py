"""Request paths of the resolve endpoint, as bytes on the wire."""

import re

from data_plane.http.resolve import RESOLVE_PATH
from shared.schemas.identity import NAME_PATTERN, VERSION_PATTERN

TEMPLATE = RESOLVE_PATH.replace(":str", "")
"""The label under which metrics count all of these paths."""
PREFIX = RESOLVE_PATH.partition("{")[0].encode()
"""The beginning of each path; a route's `tenant/service/env/version` follows."""

_NAME, _VERSION = (pattern.removeprefix("^").removesuffix(r"\Z") for pattern in (NAME_PATTERN, VERSION_PATTERN))
_ROUTE = re.compile("/".join([_NAME, _NAME, _NAME, _VERSION]).encode())


def tenant_prefix(tenant: str) -> bytes:
    """The prefix of the paths of all routes of the tenant, and of no others."""
    return PREFIX + tenant.encode() + b"/"


def route_in(path: bytes) -> bytes | None:
    """The `tenant/service/env/version` of a path; None if it is malformed, or percent-encoded."""
    if not path.startswith(PREFIX):
        return None
    route = path[len(PREFIX) :]
    return None if _ROUTE.fullmatch(route) is None else route
