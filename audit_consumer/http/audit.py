"""/api/v1/audit: who changed which route, when, why, and what it was before."""

from datetime import timedelta
from typing import Annotated, Any

from litestar import Request, Router, get
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Example
from litestar.params import Parameter

from audit_consumer.domain.queries import AuditQuery, Filters
from audit_consumer.errors import QueryTooSlow
from audit_consumer.http import vocabulary as words
from audit_consumer.http.parameters import QueryParameter, Values, documenting, read
from audit_consumer.http.payloads import EXAMPLE, AuditPage, page_body
from audit_consumer.service.queries import AuditQueries
from shared.runtime.http.authentication import principal_of
from shared.runtime.http.problems import SHARED_KINDS, ProblemType, documented
from shared.runtime.resilience import DependencyUnavailable
from shared.schemas.validation import InvalidInput

PROBLEM_TYPES: dict[type[Exception], ProblemType] = {
    QueryTooSlow: ProblemType(503, "query-too-slow", "The query takes longer than its deadline", retry_after=5),
}
_Request = Request[Any, Any, Any]
_Known = tuple[QueryParameter[Any], ...]

_FILTERS = (words.TENANT, words.SERVICE, words.ENV, words.ACTION)
_ROUTE = tuple(words.required(each) for each in (words.TENANT, words.SERVICE, words.ENV, words.VERSION))
OF_ROUTE: _Known = (*_ROUTE, words.ACTION, *words.PAGING)
RECENT: _Known = (words.DAYS, *_FILTERS, *words.PAGING)
OF_ACTION: _Known = (words.required(words.ACTION), words.HOURS, words.TENANT, words.SERVICE, words.ENV, *words.PAGING)
IN_RANGE: _Known = (words.START, words.END, *_FILTERS, *words.PAGING)
OF_CORRELATION: _Known = (words.CORRELATION_ID, *_FILTERS, *words.PAGING)


def _answers(known: _Known) -> dict[str, Any]:
    """What the five handlers have in common, for their decorators."""
    page = ResponseSpec(AuditPage, description="One page", examples=[Example(value=EXAMPLE)], generate_examples=False)
    problems = documented(SHARED_KINDS[InvalidInput], SHARED_KINDS[DependencyUnavailable])
    return {"responses": {200: page, **problems}, "operation_class": documenting(known), "raises": []}


def audit_router(queries: AuditQueries) -> Router:
    """The handlers of /api/v1/audit."""

    async def answer(request: _Request, values: Values, **period: Any) -> AuditPage:
        query = AuditQuery(filters=_filters(values), **period)
        tenant = principal_of(request).tenant
        return page_body(await queries.page(query, values.need(words.LIMIT), values.get(words.CURSOR), of=tenant))

    @get("/route", summary="The history of one route", **_answers(OF_ROUTE))
    async def of_route(request: _Request) -> AuditPage:
        """Every change of the route, from the newest to the one that created it."""
        return await answer(request, _read(request, OF_ROUTE))

    @get("/recent", summary="What changed in the last days", **_answers(RECENT))
    async def recent(request: _Request) -> AuditPage:
        """Every change of the last `days` times 24 hours. Pages that follow keep the start of the first one."""
        values = _read(request, RECENT)
        return await answer(request, values, last=timedelta(days=values.need(words.DAYS)))

    @get("/action", summary="What was created, updated, activated or deactivated", **_answers(OF_ACTION))
    async def of_action(request: _Request) -> AuditPage:
        """Every change of the last `hours` that did this. Pages that follow keep the start of the first one."""
        values = _read(request, OF_ACTION)
        return await answer(request, values, last=timedelta(hours=values.need(words.HOURS)))

    @get("/time-range", summary="What changed between two moments", **_answers(IN_RANGE))
    async def in_range(request: _Request) -> AuditPage:
        """Every change from `start` on and before `end`, by the database's time of its commit."""
        values = read(request.query_params.multi_items(), IN_RANGE, [words.start_before_end])
        return await answer(request, values, start=values.need(words.START), end=values.need(words.END))

    @get("/correlation/{correlation_id:str}", summary="What one request changed", **_answers(OF_CORRELATION))
    async def of_correlation(
        request: _Request,
        correlation_id: Annotated[
            str, Parameter(description=words.CORRELATION_ID.description, schema_extra=dict(words.CORRELATION_ID_SCHEMA))
        ],
    ) -> AuditPage:
        """Every change that was made under this correlation id."""
        given = [("correlation_id", correlation_id), *request.query_params.multi_items()]
        return await answer(request, read(given, OF_CORRELATION))

    handlers = [of_route, recent, of_action, in_range, of_correlation]
    return Router("/api/v1/audit", route_handlers=handlers, tags=["Audit"], opt={"operation": "audit.query"})


def _read(request: _Request, known: _Known) -> Values:
    return read(request.query_params.multi_items(), known)


def _filters(values: Values) -> Filters:
    return Filters(
        tenant=values.get(words.TENANT),
        service=values.get(words.SERVICE),
        env=values.get(words.ENV),
        version=values.get(words.VERSION),
        action=values.get(words.ACTION),
        correlation_id=values.get(words.CORRELATION_ID),
    )
