"""Parameters and response headers of the resolver's API, as handlers read them and as the OpenAPI document describes them."""

from typing import Annotated, Any

from litestar.datastructures import ResponseHeader
from litestar.openapi.spec import Example
from litestar.params import HeaderParameter, PathParameter, QueryParameter

from shared.runtime.http.payload import REVISION_PATTERN
from shared.schemas.identity import NAME_RULE, NAME_SCHEMA, VERSION_RULE, VERSION_SCHEMA

EXAMPLE_ROUTE = {"tenant": "team-a", "service": "payments", "env": "prod", "version": "v2"}


def _path_parameter(name: str, rule: str) -> Any:
    schema = VERSION_SCHEMA if name == "version" else NAME_SCHEMA
    return PathParameter(description=rule, examples=[Example(value=EXAMPLE_ROUTE[name])], schema_extra=dict(schema))


Tenant = Annotated[str, _path_parameter("tenant", NAME_RULE)]
Service = Annotated[str, _path_parameter("service", NAME_RULE)]
Environment = Annotated[str, _path_parameter("env", NAME_RULE)]
Version = Annotated[str, _path_parameter("version", VERSION_RULE)]

IfNoneMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-None-Match",
        description="Entity tags that the caller has; 304 when the route's current tag is among them",
        examples=[Example(value='"42"')],
    ),
]
CacheControl = Annotated[
    str | None,
    HeaderParameter(
        name="Cache-Control",
        description="`max-age=<seconds>`: upper bound on the staleness of the answer. Sources are read until one meets it, "
        "else 409. `max-stale=0`: no stale answer when all sources fail, but 503",
        examples=[Example(value="max-age=1"), Example(value="max-stale=0")],
    ),
]
_MIN_REVISION = (
    "Minimum tenant revision that the answer must include, to read your own writes: the `X-Revision` of the write's "
    "response. The request waits for it until its deadline; 409 if the revision is not reached"
)
_OPTIONAL_REVISION = {"pattern": "^[0-9]{0,18}$"}
MinRevisionHeader = Annotated[
    str,
    HeaderParameter(
        name="X-Min-Revision",
        description=_MIN_REVISION,
        examples=[Example(value="42")],
        schema_extra=_OPTIONAL_REVISION,
    ),
]
MinRevisionQuery = Annotated[
    str,
    QueryParameter(
        name="min_revision", description=_MIN_REVISION, examples=[Example(value="42")], schema_extra=_OPTIONAL_REVISION
    ),
]
_RESUME = "Last revision that the client has received; the stream sends the changes after it"
LastEventId = Annotated[
    str,
    HeaderParameter(
        name="Last-Event-ID",
        description=f"{_RESUME}. Browsers send it when they reconnect. It takes precedence over `since`",
        examples=[Example(value="57")],
        schema_extra={"pattern": REVISION_PATTERN},
    ),
]
Since = Annotated[
    str,
    QueryParameter(
        name="since", description=_RESUME, examples=[Example(value="57")], schema_extra={"pattern": REVISION_PATTERN}
    ),
]


def _header(name: str, value: str, description: str) -> ResponseHeader:
    return ResponseHeader(name=name, description=description, value=value, documentation_only=True)


STALENESS_BOUND = _header(
    "X-Staleness-Bound",
    "1200",
    "Upper bound on the answer's staleness, in milliseconds; `unknown` when no bound is known",
)
WORST_STALENESS_BOUND = _header(
    "X-Staleness-Bound",
    "1200",
    "Upper bound on the staleness of every answer, in milliseconds; `unknown` when no bound is known",
)
_AGE = _header("Age", "3", "Seconds since the answer was read from a database, or confirmed by one")
_CACHE_CONTROL = _header("Cache-Control", "max-age=57", "`max-age`: seconds for which the answer may still be cached")
_X_CACHE = _header(
    "X-Cache",
    "l1",
    "Layer of the answer: `l1`, `redis`, `replica` or `primary`; with `; negative` when no route is active, with `; stale` "
    "when the answer is past its TTL",
)
_ETAG = _header("ETag", '"42"', "Revision that last changed the route, in quotes")
REVISION_REACHED = _header(
    "X-Revision-Reached", "41", "Newest tenant revision that this resolver knows, when it is below the requested one"
)
OLDEST_REVISION = _header("X-Oldest-Revision", "41", "Oldest revision from which this instance can resume a watch")
ANSWER_HEADERS = (STALENESS_BOUND, _X_CACHE, _AGE, _CACHE_CONTROL)
ROUTE_HEADERS = (*ANSWER_HEADERS, _ETAG)
STREAM_HEADERS = (
    _header("X-Accel-Buffering", "no", "Makes nginx forward each event at once"),
    _header("Cache-Control", "no-store", "Forbids caches to store the stream"),
)
