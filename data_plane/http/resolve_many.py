"""POST /api/v1/resolve: up to a thousand questions in one request."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, post
from litestar.datastructures import ResponseHeader
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Example
from litestar.params import RawBody

from data_plane.domain.bulk_answer import MAX_KEYS, KeyAnswer, Result
from data_plane.domain.route_encoding import ResolvedRoute
from data_plane.errors import TooManyKeys
from data_plane.http.conditional import accepts_stale
from data_plane.http.request_headers import read_consistency_of
from data_plane.http.resolve import CacheControl, MinRevisionHeader
from data_plane.http.responses import bound_text
from data_plane.service.resolve.bulk import BulkResolver
from shared.runtime.http.authentication import principal_of
from shared.runtime.http.openapi.operations import with_body
from shared.runtime.http.openapi.problems import problem_responses
from shared.runtime.http.payload import accept_body
from shared.runtime.http.problems import SHARED_PROBLEM_TYPES, ProblemType
from shared.schemas.validation import FieldError, InvalidInput

TOO_MANY_KEYS = ProblemType(413, "too-many-keys", "The request asks for more keys than one request may")
_PARTS = ("tenant", "service", "env", "version")
_ROUTE = {"tenant": "team-a", "service": "payments", "env": "prod", "version": "v2"}
_ASKED = ["team-a:payments:prod:v2", {**_ROUTE, "version": "v9"}, "payments"]
_TOLD = [
    {"result": "found", "route": {**_ROUTE, "url": "https://payments.example.com/v2", "revision": 42}, "max_age": 57},
    {"result": "not_found", "max_age": 9},
    {
        "result": "invalid",
        "detail": "This is no route's key.",
        "errors": [{"pointer": "", "detail": "must be tenant:service:env:version; got 'payments'"}],
    },
]


WORST_BOUND_HEADER = ResponseHeader(
    name="X-Staleness-Bound",
    description="For how many milliseconds any of the answers may have been wrong at most; `unknown` where nobody can tell",
    value="1200",
    documentation_only=True,
)


_KEY_SCHEMA = {
    "type": "object",
    "required": list(_PARTS),
    "properties": {part: {"type": "string"} for part in _PARTS},
}
_KEYS_SCHEMA = {"minItems": 1, "maxItems": MAX_KEYS, "items": {"anyOf": [{"type": "string"}, _KEY_SCHEMA]}}


class KeysAsked(msgspec.Struct):
    """The routes to resolve: each `tenant:service:env:version`, or an object with these four fields."""

    keys: Annotated[list[Any], msgspec.Meta(extra_json_schema=_KEYS_SCHEMA)]


class OneAnswer(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What is told of one key; as `KeyAnswer`, with the route spelled out."""

    result: Result
    route: ResolvedRoute | None = None
    max_age: int = 0
    stale: bool = False
    detail: str = ""
    errors: tuple[FieldError, ...] = ()


class ManyAnswers(msgspec.Struct):
    """One answer for each key, in the order of the keys."""

    answers: list[OneAnswer]


class _Sent(msgspec.Struct):
    answers: Sequence[KeyAnswer]


_EXAMPLE = Example(summary="A found, an unknown and a wrong key", value={"answers": _TOLD})
_RESPONSES = {
    200: ResponseSpec(ManyAnswers, description="One answer per key", generate_examples=False, examples=[_EXAMPLE]),
    **problem_responses(SHARED_PROBLEM_TYPES[InvalidInput], TOO_MANY_KEYS),
}
_encoder = msgspec.json.Encoder()


def resolve_many_handler(resolver: BulkResolver) -> HTTPRouteHandler:
    """The handler that asks this resolver."""

    @post(
        "/api/v1/resolve",
        status_code=200,
        tags=["Resolve"],
        summary="Which URLs serve these routes now? Up to 1,000 of them",
        responses=_RESPONSES,
        response_headers=[WORST_BOUND_HEADER],
        operation_class=with_body(KeysAsked, required=True, three={"keys": _ASKED}),
        opt={"operation": "routes.resolve-many"},
    )
    async def resolve_many(
        request: Request[Any, Any, Any],
        body: RawBody,
        cache_control: CacheControl = None,
        min_revision: MinRevisionHeader = "",
    ) -> Response[bytes]:
        """Each key has an answer of its own, in the order of the keys; the request as a whole succeeds.

        `found` comes with the route, `not_found` means that no route is active under the key, `invalid` that there can
        be none, and `unavailable` that no source can tell right now: ask again for these.
        `Cache-Control` and `X-Min-Revision` are about every key; one that nobody can answer so is `unavailable`.
        """
        keys = _texts(accept_body(body, KeysAsked).keys)
        many = await resolver.resolve(
            keys,
            of=principal_of(request).tenant,
            accept_stale=accepts_stale(cache_control),
            demand=read_consistency_of(cache_control, ("X-Min-Revision", min_revision)),
        )
        headers = {"X-Staleness-Bound": bound_text(many.bound)}
        return Response(_encoder.encode(_Sent(many.answers)), media_type="application/json", headers=headers)

    return resolve_many


def _texts(keys: Sequence[Any]) -> list[str]:
    if len(keys) > MAX_KEYS:
        raise TooManyKeys(f"{len(keys)} keys; ask for at most {MAX_KEYS} at a time.")
    if not keys:
        raise InvalidInput((FieldError("/keys", "must name at least one route"),))
    return [key if type(key) is str else _text(key) for key in keys]


def _text(key: Any) -> str:
    """A key given as an object, in its printed form; anything else as text that is no key, to be told so."""
    if not isinstance(key, dict) or key.keys() - set(_PARTS):
        return repr(key)
    return ":".join(str(key.get(part, "")) for part in _PARTS)
