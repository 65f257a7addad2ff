"""Audit queries as MongoDB filters, and the indexes that serve them."""

from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel

from audit_consumer.domain.queries import Filters, SortKeyRange

NEWEST_FIRST = [("sort_key", DESCENDING)]
_ROUTE_FIELDS = ("tenant", "service", "env", "version")
_FILTERED = ("route.tenant", "route.service", "route.env", "action")


def filter_document(filters: Filters, keys: SortKeyRange) -> dict[str, Any]:
    """The filter document: equalities, and a range of the sort key."""
    wanted: dict[str, Any] = {f"route.{part}": getattr(filters, part) for part in _ROUTE_FIELDS}
    wanted["action"] = filters.action.value if filters.action else None
    wanted["correlation_id"] = filters.correlation_id
    wanted["sort_key"] = {name: key for name, key in (("$gte", keys.start), ("$lt", keys.end)) if key} or None
    return {field: value for field, value in wanted.items() if value is not None}


def index_for(filters: Filters) -> str:
    """The index that the query must use. MongoDB's planner prefers a shorter scan and sorts its result in memory."""
    if None not in (filters.tenant, filters.service, filters.env, filters.version):
        return "route_time"
    if filters.correlation_id:
        return "correlation_time"
    if filters.tenant:
        return "tenant_time"
    return "action_time" if filters.action else "time"


def _index(name: str, *equal: str) -> IndexModel:
    # Equality fields come first, then the sort key: results are in order without a sort, on every page. The other filter
    # fields follow, so that MongoDB reads no document that does not match.
    rest = [each for each in _FILTERED if each not in equal]
    fields = [*((each, ASCENDING) for each in equal), *NEWEST_FIRST, *((each, ASCENDING) for each in rest)]
    return IndexModel(fields, name=name)


INDEXES = (
    _index("route_time", *(f"route.{part}" for part in _ROUTE_FIELDS)),
    _index("time"),
    _index("action_time", "action"),
    _index("tenant_time", "route.tenant"),
    _index("correlation_time", "correlation_id"),
)
