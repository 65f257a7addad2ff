"""/api/v1/audit: queries over the audit trail. Who changed which route, when, why, and its value before."""

from datetime import timedelta
from typing import Annotated, Any, TypeVar

from litestar import Request, Router, get
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Example
from litestar.params import PathParameter

from audit_consumer.domain.queries import AuditQuery, Filters
from audit_consumer.errors import QueryTooSlow
from audit_consumer.http.payloads import EXAMPLE, AuditPage, page_body
from audit_consumer.http.queries import (
    CHECKS,
    CORRELATION_ID_DESCRIPTION,
    CORRELATION_ID_PATTERN,
    ActionQuery,
    FilteredQuery,
    RecentQuery,
    RouteHistoryQuery,
    TimeRangeQuery,
    correlation_id_errors,
    end_after_start,
)
from audit_consumer.service.queries import AuditQueries
from shared.runtime import correlation
from shared.runtime.http.authentication import principal_of
from shared.runtime.http.openapi.operations import with_query
from shared.runtime.http.openapi.problems import problem_responses
from shared.runtime.http.payload import Rule, read_query
from shared.runtime.http.problems import DEPENDENCY_UNAVAILABLE, INVALID_INPUT, ProblemType
from shared.schemas.validation import InvalidInput

PROBLEM_TYPES: dict[type[Exception], ProblemType] = {
    QueryTooSlow: ProblemType(503, "query-too-slow", "Query deadline exceeded", retry_after=5),
}
_Request = Request[Any, Any, Any]
_Query = RouteHistoryQuery | FilteredQuery
_Q = TypeVar("_Q", bound=_Query)


def _options(query: type[_Query]) -> dict[str, Any]:
    """The decorator arguments that the handlers have in common."""
    page = ResponseSpec(AuditPage, description="One page", examples=[Example(value=EXAMPLE)], generate_examples=False)
    problems = problem_responses(INVALID_INPUT, DEPENDENCY_UNAVAILABLE)
    return {"responses": {200: page, **problems}, "operation_class": with_query(query), "raises": []}


def audit_router(queries: AuditQueries) -> Router:
    """The handlers of /api/v1/audit."""

    async def page(request: _Request, query: _Query, correlation_id: str | None = None, **period: Any) -> AuditPage:
        filters = Filters(
            tenant=query.tenant,
            service=query.service,
            env=query.env,
            version=query.version if isinstance(query, RouteHistoryQuery) else None,
            action=query.action,
            correlation_id=correlation_id,
        )
        tenant = principal_of(request).tenant
        return page_body(
            await queries.page(AuditQuery(filters=filters, **period), query.limit, query.cursor, visible_tenant=tenant)
        )

    @get("/route", summary="List the changes of one route", **_options(RouteHistoryQuery))
    async def of_route(request: _Request) -> AuditPage:
        """Every change of the route, newest first."""
        return await page(request, _accept(request, RouteHistoryQuery))

    @get("/recent", summary="List the changes of the last days", **_options(RecentQuery))
    async def recent(request: _Request) -> AuditPage:
        """Every change of the last `days` times 24 hours. All pages keep the start time of the first page."""
        query = _accept(request, RecentQuery)
        return await page(request, query, last=timedelta(days=query.days))

    @get("/action", summary="List the changes with one action", **_options(ActionQuery))
    async def of_action(request: _Request) -> AuditPage:
        """Every change with this action in the last `hours`. All pages keep the start time of the first page."""
        query = _accept(request, ActionQuery)
        return await page(request, query, last=timedelta(hours=query.hours))

    @get("/time-range", summary="List the changes between two moments", **_options(TimeRangeQuery))
    async def in_range(request: _Request) -> AuditPage:
        """Every change committed at or after `start` and before `end`, by the database's clock."""
        query = _accept(request, TimeRangeQuery, end_after_start)
        return await page(request, query, start=query.start, end=query.end)

    @get("/correlation/{correlation_id:str}", summary="List the changes of one request", **_options(FilteredQuery))
    async def of_correlation(
        request: _Request,
        correlation_id: Annotated[
            str,
            PathParameter(
                description=CORRELATION_ID_DESCRIPTION,
                examples=[Example(value=correlation.EXAMPLE)],
                schema_extra={"pattern": CORRELATION_ID_PATTERN},
            ),
        ],
    ) -> AuditPage:
        """Every change committed under this correlation id."""
        query = _accept(request, FilteredQuery, lambda _: correlation_id_errors(correlation_id))
        return await page(request, query, correlation_id)

    handlers = [of_route, recent, of_action, in_range, of_correlation]
    return Router("/api/v1/audit", route_handlers=handlers, tags=["Audit"], opt={"operation": "audit.query"})


def _accept(request: _Request, into: type[_Q], rule: Rule | None = None) -> _Q:
    """The parameters of a query. Raises InvalidInput with all their errors."""
    query, errors = read_query(request.query_params.multi_items(), into, CHECKS, rule)
    if query is None:
        raise InvalidInput(tuple(errors))
    return query
