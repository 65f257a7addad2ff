"""POST /api/v1/resolve: the URLs of up to a thousand routes."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, post
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Example
from litestar.params import RawBody

from data_plane.domain.bulk_answer import MAX_KEYS, KeyAnswer, Result
from data_plane.domain.route_encoding import ResolvedRoute
from data_plane.errors import TooManyKeys
from data_plane.http.openapi import (
    EXAMPLE_ROUTE,
    WORST_STALENESS_BOUND,
    CacheControl,
    MinRevisionHeader,
    MinRevisionQuery,
)
from data_plane.http.request_headers import accepts_stale, read_consistency_of, refuse_repeated
from data_plane.http.responses import staleness_bound_text
from data_plane.service.resolve.bulk import BulkResolver
from shared.runtime.http.authentication import principal_of
from shared.runtime.http.openapi.operations import with_body
from shared.runtime.http.openapi.problems import problem_responses
from shared.runtime.http.payload import accept_body
from shared.runtime.http.problems import INVALID_INPUT, TOO_MANY_READS, ProblemType
from shared.schemas.validation import FieldError, InvalidInput

TOO_MANY_KEYS = ProblemType(413, "too-many-keys", "Too many keys")
_PARTS = ("tenant", "service", "env", "version")
_KEY_SCHEMA = {
    "type": "object",
    "required": list(_PARTS),
    "properties": {part: {"type": "string"} for part in _PARTS},
}
_KEYS_SCHEMA = {"minItems": 1, "maxItems": MAX_KEYS, "items": {"anyOf": [{"type": "string"}, _KEY_SCHEMA]}}
_EXAMPLE_KEYS = ["team-a:payments:prod:v2", {**EXAMPLE_ROUTE, "version": "v9"}, "payments"]
_EXAMPLE_ANSWERS = [
    {
        "result": "found",
        "route": {**EXAMPLE_ROUTE, "url": "https://payments.example.com/v2", "revision": 42},
        "max_age": 57,
    },
    {"result": "not_found", "max_age": 9},
    {
        "result": "invalid",
        "detail": "This is no route's key.",
        "errors": [{"pointer": "", "detail": "must be tenant:service:env:version; got 'payments'"}],
    },
]


class ResolveManyRequest(msgspec.Struct):
    """The routes to resolve: each `tenant:service:env:version`, or an object with these four fields."""

    keys: Annotated[list[Any], msgspec.Meta(extra_json_schema=_KEYS_SCHEMA)]


class OneAnswer(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The answer for one key: a `KeyAnswer` whose route has a documented type."""

    result: Result
    route: ResolvedRoute | None = None
    max_age: int = 0
    stale: bool = False
    detail: str = ""
    errors: tuple[FieldError, ...] = ()


class ManyAnswers(msgspec.Struct):
    """One answer for each key, in the order of the keys."""

    answers: list[OneAnswer]


class _EncodedAnswers(msgspec.Struct):
    """`ManyAnswers` as it is sent: the routes are encoded JSON."""

    answers: Sequence[KeyAnswer]


_EXAMPLE = Example(summary="A found, an unknown and an invalid key", value={"answers": _EXAMPLE_ANSWERS})
_RESPONSES = {
    200: ResponseSpec(ManyAnswers, description="One answer per key", generate_examples=False, examples=[_EXAMPLE]),
    **problem_responses(INVALID_INPUT, TOO_MANY_KEYS, TOO_MANY_READS),
}
_encoder = msgspec.json.Encoder()
_LONG_BYTES = 64 * 1024
_MAX_REASONS_BYTES = 32 * 1024
_INVALID = KeyAnswer(result=Result.INVALID)


def resolve_many_handler(resolver: BulkResolver) -> HTTPRouteHandler:
    """The handler over this resolver."""

    @post(
        "/api/v1/resolve",
        status_code=200,
        tags=["Resolve"],
        summary="Resolve up to 1,000 routes to their URLs",
        responses=_RESPONSES,
        response_headers=[WORST_STALENESS_BOUND],
        operation_class=with_body(ResolveManyRequest, required=True, three={"keys": _EXAMPLE_KEYS}),
        opt={"operation": "routes.resolve-many"},
    )
    async def resolve_many(
        request: Request[Any, Any, Any],
        body: RawBody,
        cache_control: CacheControl = None,
        min_revision_header: MinRevisionHeader = "",
        min_revision: MinRevisionQuery = "",
    ) -> Response[bytes]:
        """Answers each key separately, in the order of the keys; the request as a whole succeeds.

        `found` comes with the route, `not_found` means that no route is active under the key, `invalid` that the key is
        malformed (the reasons are left out after the first ones when there are many), and `unavailable` that no source is available to decide: repeat the request for these.
        `Cache-Control`, `X-Min-Revision` and `min_revision` apply to every key. A key for which no source meets them is `unavailable`.
        """
        refuse_repeated(request.query_params, "min_revision")
        consistency = read_consistency_of(
            cache_control, ("X-Min-Revision", min_revision_header), ("min_revision", min_revision)
        )
        keys = _key_texts(accept_body(body, ResolveManyRequest).keys)
        many = await resolver.resolve(
            keys,
            of=principal_of(request).tenant,
            accept_stale=accepts_stale(cache_control),
            consistency=consistency,
        )
        headers = {"X-Staleness-Bound": staleness_bound_text(many.bound)}
        content = _encoder.encode(_EncodedAnswers(many.answers))
        if len(content) > _LONG_BYTES:
            content = _encoder.encode(_EncodedAnswers(list(_with_few_reasons(many.answers))))
        return Response(content, media_type="application/json", headers=headers)

    return resolve_many


def _with_few_reasons(answers: Sequence[KeyAnswer]) -> Iterator[KeyAnswer]:
    """The answers; those to invalid keys without a reason once the reasons before them take _MAX_REASONS_BYTES."""
    left = _MAX_REASONS_BYTES
    for each in answers:
        if each.result is Result.INVALID:
            left -= len(_encoder.encode(each))
        yield _INVALID if left < 0 and each.result is Result.INVALID else each


def _key_texts(keys: Sequence[Any]) -> list[str]:
    if len(keys) > MAX_KEYS:
        raise TooManyKeys(f"The request has {len(keys)} keys; send at most {MAX_KEYS} per request.")
    if not keys:
        raise InvalidInput((FieldError("/keys", "must name at least one route"),))
    return [key if type(key) is str else _key_text(key) for key in keys]


def _key_text(key: Any) -> str:
    """The printed form of a key given as an object; for anything else a text that parsing will refuse."""
    if not isinstance(key, dict) or key.keys() - set(_PARTS):
        return repr(key)
    return ":".join(str(key.get(part, "")) for part in _PARTS)
