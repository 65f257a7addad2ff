"""Access keys: those of a tenant, and those of the platform."""

from typing import Annotated, Any

from litestar import Response, delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import Example
from litestar.params import PathParameter, RawBody
from litestar.types import ExceptionHandlersMap

from control_plane.domain.requests import RecordedResponse
from control_plane.errors import NoSuchKey, RequestRepeated
from control_plane.http.access_keys.parsing import accept_key_id, accept_key_page, accept_new_key, accept_rotation
from control_plane.http.access_keys.payloads import (
    EXAMPLE_KEY_PAGE,
    EXAMPLE_SECRET,
    KeyBody,
    KeyPage,
    KeyQuery,
    NewPlatformKey,
    NewTenantKey,
    Rotation,
    SecretBody,
    secret_response,
)
from control_plane.http.common.cursors import encode_key_id, next_cursor
from control_plane.http.common.idempotency import IDEMPOTENCY_PARAMETERS, REPLAYED, replayed_response
from control_plane.http.common.parsing import AnyRequest, accept_tenant
from control_plane.http.common.problem_types import KEY_REUSED, PROBLEM_TYPES
from control_plane.http.common.request_fields import TenantName
from control_plane.http.common.responses import example_response
from control_plane.service.access_keys import AccessKeyService
from shared.runtime.http.authentication import principal_of
from shared.runtime.http.openapi.operations import with_body, with_query
from shared.runtime.http.openapi.problems import problem_responses
from shared.runtime.http.problems import DEPENDENCY_UNAVAILABLE, INVALID_INPUT
from shared.schemas.access import Role

KeyId = Annotated[
    str,
    PathParameter(description="The key's id: the 12 characters after `tm_`.", examples=[Example(value="A1b2C3d4E5f6")]),
]

_TENANT_KEYS = "/api/v1/tenants/{tenant:str}/access-keys"
_PLATFORM_KEYS = "/api/v1/access-keys"
_PROBLEMS = problem_responses(INVALID_INPUT, DEPENDENCY_UNAVAILABLE)
_ONE_KEY = {**problem_responses(PROBLEM_TYPES[NoSuchKey]), **_PROBLEMS}
_LISTED = {200: example_response("A page of access keys", EXAMPLE_KEY_PAGE), **_PROBLEMS}
_REUSED = problem_responses(KEY_REUSED)
_CREATED = {201: example_response("Created, with the secret", EXAMPLE_SECRET), **_PROBLEMS, **_REUSED}
_ROTATED = {200: example_response("Rotated, with the new secret", EXAMPLE_SECRET), **_ONE_KEY, **_REUSED}


def _replay(_: AnyRequest, error: RequestRepeated) -> Response[bytes]:
    recorded = error.response
    assert isinstance(recorded, RecordedResponse)  # noqa: S101 - errors are a layer below the domain and cannot name it
    return replayed_response(recorded)


_REPLAY_HANDLERS: ExceptionHandlersMap = {RequestRepeated: _replay}


def _options(operation: str) -> dict[str, Any]:
    return {"tags": ["Access keys"], "opt": {"operation": operation}}


def _repeatable(operation: str) -> dict[str, Any]:
    return {**_options(operation), "response_headers": [REPLAYED], "exception_handlers": _REPLAY_HANDLERS}


def access_key_handlers(keys: AccessKeyService) -> list[HTTPRouteHandler]:
    """The handlers that create, list, rotate and revoke access keys."""
    actions = _Actions(keys)
    return [*_tenant_handlers(actions), *_platform_handlers(actions)]


class _Actions:
    """The actions on the access keys of a tenant, or of the platform where `tenant` is None."""

    def __init__(self, keys: AccessKeyService) -> None:
        self._keys = keys

    async def create(
        self, request: AnyRequest, tenant: str | None, body: bytes, into: type[NewTenantKey] | type[NewPlatformKey]
    ) -> Response[SecretBody]:
        new, key = accept_new_key(request, tenant, body, into)
        role = Role(new.role) if isinstance(new, NewTenantKey) else Role.ADMIN
        subject = principal_of(request).subject
        created = await self._keys.create(tenant, new.subject, role, new.expires_at, subject, key)
        return secret_response(*created, status=201)

    async def page(self, request: AnyRequest, tenant: str | None) -> KeyPage:
        after, limit = accept_key_page(request, tenant)
        found = await self._keys.page(tenant, after, limit + 1)
        cursor = next_cursor([each.key_id for each in found], limit, encode_key_id)
        return KeyPage(access_keys=[KeyBody.of(each) for each in found[:limit]], next_cursor=cursor)

    async def rotate(self, request: AnyRequest, tenant: str | None, key_id: str, body: bytes) -> Response[SecretBody]:
        grace, key = accept_rotation(request, tenant, key_id, body)
        subject = principal_of(request).subject
        rotated = await self._keys.rotate(tenant, key_id, grace, subject, key)
        return secret_response(*rotated, status=200)

    async def revoke(self, request: AnyRequest, tenant: str | None, key_id: str) -> None:
        if tenant is not None:
            accept_tenant(tenant)
        await self._keys.revoke(tenant, accept_key_id(key_id), principal_of(request).subject)


def _tenant_handlers(actions: _Actions) -> list[HTTPRouteHandler]:
    @post(
        _TENANT_KEYS,
        summary="Create an access key for a tenant",
        operation_class=with_body(
            NewTenantKey, required=True, headers=IDEMPOTENCY_PARAMETERS, ci={"subject": "ci-bot", "role": "editor"}
        ),
        responses=_CREATED,
        **_repeatable("keys.create"),
    )
    async def create_key(request: AnyRequest, tenant: TenantName, body: RawBody) -> Response[SecretBody]:
        """The response contains the secret, which is not stored and cannot be shown again."""
        return await actions.create(request, tenant, body, NewTenantKey)

    @get(
        _TENANT_KEYS,
        summary="List a tenant's access keys, including revoked ones",
        operation_class=with_query(KeyQuery),
        responses=_LISTED,
        **_options("keys.list"),
    )
    async def list_keys(request: AnyRequest, tenant: TenantName) -> KeyPage:
        """By id, without secrets."""
        return await actions.page(request, tenant)

    @post(
        _TENANT_KEYS + "/{key_id:str}/rotate",
        status_code=200,
        summary="Rotate the secret of a tenant's access key",
        operation_class=with_body(
            Rotation, required=False, headers=IDEMPOTENCY_PARAMETERS, within_a_day={"grace_seconds": 86400}, empty={}
        ),
        responses=_ROTATED,
        **_repeatable("keys.rotate"),
    )
    async def rotate_key(request: AnyRequest, tenant: TenantName, key_id: KeyId, body: RawBody) -> Response[SecretBody]:
        """The previous secret stays valid for `grace_seconds`, or a day if the platform has not set another default."""
        return await actions.rotate(request, tenant, key_id, body)

    @delete(
        _TENANT_KEYS + "/{key_id:str}",
        summary="Revoke a tenant's access key",
        responses=_ONE_KEY,
        **_options("keys.revoke"),
    )
    async def revoke_key(request: AnyRequest, tenant: TenantName, key_id: KeyId) -> None:
        """Permanent, and effective in all services within two seconds."""
        await actions.revoke(request, tenant, key_id)

    return [create_key, list_keys, rotate_key, revoke_key]


def _platform_handlers(actions: _Actions) -> list[HTTPRouteHandler]:
    @post(
        _PLATFORM_KEYS,
        summary="Create an access key of the platform, with the role admin",
        operation_class=with_body(
            NewPlatformKey, required=True, headers=IDEMPOTENCY_PARAMETERS, person={"subject": "ada@example.com"}
        ),
        responses=_CREATED,
        **_repeatable("platform-keys.create"),
    )
    async def create_platform_key(request: AnyRequest, body: RawBody) -> Response[SecretBody]:
        """The response contains the secret, which is not stored and cannot be shown again."""
        return await actions.create(request, None, body, NewPlatformKey)

    @get(
        _PLATFORM_KEYS,
        summary="List the platform's access keys, including revoked ones",
        operation_class=with_query(KeyQuery),
        responses=_LISTED,
        **_options("platform-keys.list"),
    )
    async def list_platform_keys(request: AnyRequest) -> KeyPage:
        """By id, without secrets."""
        return await actions.page(request, None)

    @post(
        _PLATFORM_KEYS + "/{key_id:str}/rotate",
        status_code=200,
        summary="Rotate the secret of an access key of the platform",
        operation_class=with_body(
            Rotation, required=False, headers=IDEMPOTENCY_PARAMETERS, within_a_day={"grace_seconds": 86400}, empty={}
        ),
        responses=_ROTATED,
        **_repeatable("platform-keys.rotate"),
    )
    async def rotate_platform_key(request: AnyRequest, key_id: KeyId, body: RawBody) -> Response[SecretBody]:
        """The previous secret stays valid for `grace_seconds`, or a day if the platform has not set another default."""
        return await actions.rotate(request, None, key_id, body)

    @delete(
        _PLATFORM_KEYS + "/{key_id:str}",
        summary="Revoke an access key of the platform",
        responses=_ONE_KEY,
        **_options("platform-keys.revoke"),
    )
    async def revoke_platform_key(request: AnyRequest, key_id: KeyId) -> None:
        """Permanent, and effective in all services within two seconds."""
        await actions.revoke(request, None, key_id)

    return [create_platform_key, list_platform_keys, rotate_platform_key, revoke_platform_key]
