"""The handlers of access keys: a tenant's, and the platform's own."""

from collections.abc import Sequence
from typing import Annotated, Any

from litestar import Response, delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import PathParameter, RawBody

from control_plane.domain.access_keys import StoredKey
from control_plane.errors import NoSuchKey
from control_plane.http.access_keys.parsing import accept_key_id, accept_key_page, accept_new_key, accept_rotation
from control_plane.http.access_keys.payloads import KeyBody, KeyPage, NewPlatformKey, NewTenantKey, Rotation, SecretBody
from control_plane.http.access_keys.responses import ANSWERS_GIVEN_AGAIN, EXAMPLE_KEY, EXAMPLE_SECRET, secret_answer
from control_plane.http.common import cursors
from control_plane.http.common.preconditions import REPEATABLE
from control_plane.http.common.problem_types import INVALID, KEY_REUSED, PROBLEM_TYPES, UNAVAILABLE
from control_plane.http.common.responses import REPLAYED, example_response
from control_plane.http.routes.parsing import AnyRequest, accept_tenant
from control_plane.http.routes.payloads import KeyQuery
from control_plane.http.tenants.handlers import TenantName
from control_plane.service.access_keys import AccessKeyService
from shared.runtime.http.authentication import principal_of
from shared.runtime.http.openapi.operations import with_body, with_query
from shared.runtime.http.openapi.problems import problem_responses
from shared.schemas.access import Role

KeyName = Annotated[str, PathParameter(description="The key's id: the 12 characters after `tm_`.")]

_OF_TENANT = "/api/v1/tenants/{tenant:str}/access-keys"
_OF_PLATFORM = "/api/v1/access-keys"
_TAGS = ["Access keys"]
_PROBLEMS = problem_responses(INVALID, UNAVAILABLE)
_OF_KEY = {**problem_responses(PROBLEM_TYPES[NoSuchKey]), **_PROBLEMS}
_LISTED = {
    200: example_response("A page of keys", KeyPage(access_keys=[EXAMPLE_KEY], next_cursor="N2pQMnM5WHc0S2JN")),
    **_PROBLEMS,
}
_ONCE = problem_responses(KEY_REUSED)
_CREATED = {201: example_response("Created; the key is shown once", EXAMPLE_SECRET), **_PROBLEMS, **_ONCE}
_ROTATED = {200: example_response("Rotated; the new key is shown once", EXAMPLE_SECRET), **_OF_KEY, **_ONCE}


def _operation(name: str) -> dict[str, Any]:
    return {"tags": _TAGS, "opt": {"operation": name}}


def _repeatable(name: str) -> dict[str, Any]:
    return {**_operation(name), "response_headers": [REPLAYED], "exception_handlers": ANSWERS_GIVEN_AGAIN}


def access_key_handlers(keys: AccessKeyService) -> list[HTTPRouteHandler]:
    """Create, list, rotate and revoke."""
    return [*_tenant_handlers(keys), *_platform_handlers(keys)]


def _tenant_handlers(keys: AccessKeyService) -> list[HTTPRouteHandler]:
    @post(
        _OF_TENANT,
        summary="Create an access key for a tenant",
        operation_class=with_body(
            NewTenantKey, required=True, headers=REPEATABLE, ci={"subject": "ci-bot", "role": "editor"}
        ),
        responses=_CREATED,
        **_repeatable("keys.create"),
    )
    async def create_key(request: AnyRequest, tenant: TenantName, body: RawBody) -> Response[SecretBody]:
        """The answer holds the key's text, which is stored nowhere: it cannot be shown again."""
        new, once = accept_new_key(request, tenant, body, NewTenantKey)
        by = principal_of(request).subject
        made = await keys.create(tenant, new.subject, Role(new.role), new.expires_at, by, once)
        return secret_answer(*made, status=201)

    @get(
        _OF_TENANT,
        summary="List a tenant's access keys, revoked ones too",
        operation_class=with_query(KeyQuery),
        responses=_LISTED,
        **_operation("keys.list"),
    )
    async def list_keys(request: AnyRequest, tenant: TenantName) -> KeyPage:
        after, limit = accept_key_page(tenant, request)
        return _page(await keys.page(tenant, after, limit + 1), limit)

    @post(
        _OF_TENANT + "/{key_id:str}/rotate",
        status_code=200,
        summary="Give a tenant's key a new secret",
        operation_class=with_body(
            Rotation, required=False, headers=REPEATABLE, within_a_day={"grace_seconds": 86400}, empty={}
        ),
        responses=_ROTATED,
        **_repeatable("keys.rotate"),
    )
    async def rotate_key(
        request: AnyRequest, tenant: TenantName, key_id: KeyName, body: RawBody
    ) -> Response[SecretBody]:
        """The secret before stays good for `grace_seconds`, or until the next rotation."""
        grace, once = accept_rotation(request, tenant, key_id, body)
        made = await keys.rotate(tenant, key_id, grace, principal_of(request).subject, once)
        return secret_answer(*made, status=200)

    @delete(
        _OF_TENANT + "/{key_id:str}", summary="Revoke a tenant's key", responses=_OF_KEY, **_operation("keys.revoke")
    )
    async def revoke_key(request: AnyRequest, tenant: TenantName, key_id: KeyName) -> None:
        """For good, everywhere, within two seconds."""
        await keys.revoke(accept_tenant(tenant), accept_key_id(key_id), principal_of(request).subject)

    return [create_key, list_keys, rotate_key, revoke_key]


def _platform_handlers(keys: AccessKeyService) -> list[HTTPRouteHandler]:
    @post(
        _OF_PLATFORM,
        summary="Create an access key for an admin of the platform",
        operation_class=with_body(
            NewPlatformKey, required=True, headers=REPEATABLE, person={"subject": "ada@example.com"}
        ),
        responses=_CREATED,
        **_repeatable("platform-keys.create"),
    )
    async def create_platform_key(request: AnyRequest, body: RawBody) -> Response[SecretBody]:
        """The answer holds the key's text, which is stored nowhere: it cannot be shown again."""
        new, once = accept_new_key(request, None, body, NewPlatformKey)
        made = await keys.create(None, new.subject, Role.ADMIN, new.expires_at, principal_of(request).subject, once)
        return secret_answer(*made, status=201)

    @get(
        _OF_PLATFORM,
        summary="List the platform's access keys, revoked ones too",
        operation_class=with_query(KeyQuery),
        responses=_LISTED,
        **_operation("platform-keys.list"),
    )
    async def list_platform_keys(request: AnyRequest) -> KeyPage:
        after, limit = accept_key_page(None, request)
        return _page(await keys.page(None, after, limit + 1), limit)

    @post(
        _OF_PLATFORM + "/{key_id:str}/rotate",
        status_code=200,
        summary="Give a key of the platform a new secret",
        operation_class=with_body(
            Rotation, required=False, headers=REPEATABLE, within_a_day={"grace_seconds": 86400}, empty={}
        ),
        responses=_ROTATED,
        **_repeatable("platform-keys.rotate"),
    )
    async def rotate_platform_key(request: AnyRequest, key_id: KeyName, body: RawBody) -> Response[SecretBody]:
        """The secret before stays good for `grace_seconds`, or until the next rotation."""
        grace, once = accept_rotation(request, None, key_id, body)
        made = await keys.rotate(None, key_id, grace, principal_of(request).subject, once)
        return secret_answer(*made, status=200)

    @delete(
        _OF_PLATFORM + "/{key_id:str}",
        summary="Revoke a key of the platform",
        responses=_OF_KEY,
        **_operation("platform-keys.revoke"),
    )
    async def revoke_platform_key(request: AnyRequest, key_id: KeyName) -> None:
        """For good, everywhere, within two seconds."""
        await keys.revoke(None, accept_key_id(key_id), principal_of(request).subject)

    return [create_platform_key, list_platform_keys, rotate_platform_key, revoke_platform_key]


def _page(keys: Sequence[StoredKey], limit: int) -> KeyPage:
    more = cursors.after_key(keys[limit - 1].key_id) if len(keys) > limit else None
    return KeyPage(access_keys=[KeyBody.of(each) for each in keys[:limit]], next_cursor=more)
