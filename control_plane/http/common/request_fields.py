"""Parts of requests that several resources take: path parameters, query parameters and fields of bodies."""

from typing import Annotated

import msgspec
from litestar.openapi.spec import Example
from litestar.params import PathParameter

from shared.runtime.http.payload import REVISION_PATTERN
from shared.schemas.identity import NAME_SCHEMA, VERSION_SCHEMA

TenantName = Annotated[
    str,
    PathParameter(
        description="1 to 63 of a-z 0-9 . _ -, first and last a letter or digit.",
        examples=[Example(value="team-a")],
        schema_extra=dict(NAME_SCHEMA),
    ),
]
RevisionNumber = Annotated[
    str,
    PathParameter(
        description="A revision of the tenant.",
        examples=[Example(value="42")],
        schema_extra={"pattern": REVISION_PATTERN},
    ),
]

ServiceFilter = Annotated[
    str, msgspec.Meta(description="Only this service's routes.", examples=["payments"], extra_json_schema=NAME_SCHEMA)
]
EnvFilter = Annotated[
    str, msgspec.Meta(description="Only this environment's routes.", examples=["prod"], extra_json_schema=NAME_SCHEMA)
]
VersionFilter = Annotated[
    str, msgspec.Meta(description="Only this version's routes.", examples=["v2"], extra_json_schema=VERSION_SCHEMA)
]


class PageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The query parameters of a list that is read in pages."""

    limit: Annotated[
        int, msgspec.Meta(ge=1, le=1000, description="Maximum number of items on the page.", examples=[100])
    ] = 100
    cursor: Annotated[str, msgspec.Meta(description="`next_cursor` of the previous page.")] | None = None


Reason = Annotated[
    str,
    msgspec.Meta(
        max_length=500,
        description="Reason for the change, for the audit trail; no NUL characters.",
        examples=["release 42"],
    ),
]


class EmptyBody(msgspec.Struct, frozen=True):
    """A JSON object without fields."""


def check_reason(reason: str | None) -> None:
    """Raises ValueError for a reason that PostgreSQL cannot store."""
    if reason and "\0" in reason:
        raise ValueError("must not contain a NUL character: PostgreSQL cannot store it")
