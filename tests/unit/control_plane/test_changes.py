"""The effect of a change set on a tenant's routes."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as with_fields

from control_plane.domain.changes import Outcome, WantedChangeSet, WantedRoute, decide
from control_plane.domain.routes import Route
from control_plane.errors import NoSuchRoute, TooManyChanges
from shared.schemas.events import Action
from shared.schemas.identity import RouteKey
from shared.schemas.route_value import RouteValue
from shared.schemas.validation import InvalidInput

KEY = RouteKey("team-a", "payments", "prod", "v1")
BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 1, 2, tzinfo=UTC)
ACTIVE = Route(KEY, RouteValue("http://one", True), 3, BEFORE, BEFORE)
INACTIVE = with_fields(ACTIVE, value=RouteValue("http://one", False))


def _outcome(current: Route | None, wanted: WantedRoute) -> Outcome:
    (outcome,) = decide((wanted,), [current], 7, NOW)
    return outcome


@pytest.mark.parametrize(
    ("current", "url", "is_active", "action"),
    [
        (None, "http://one", True, Action.CREATED),
        (None, "http://one", False, Action.CREATED),
        (ACTIVE, "http://two", True, Action.UPDATED),
        (INACTIVE, "http://two", False, Action.UPDATED),
        (INACTIVE, "http://one", True, Action.ACTIVATED),
        (INACTIVE, None, True, Action.ACTIVATED),
        (INACTIVE, "http://two", True, Action.ACTIVATED),
        (ACTIVE, "http://one", False, Action.DEACTIVATED),
        (ACTIVE, None, False, Action.DEACTIVATED),
        (ACTIVE, "http://two", False, Action.DEACTIVATED),
        (ACTIVE, "http://one", True, None),
        (ACTIVE, None, True, None),
        (INACTIVE, None, False, None),
    ],
)
def test_action_describes_the_change_of_the_route(
    current: Route | None, url: str | None, is_active: bool, action: Action | None
) -> None:
    outcome = _outcome(current, WantedRoute(KEY, is_active, url))
    assert (outcome.change.action if outcome.change else None) == action
    assert outcome.route.value == RouteValue(url or "http://one", is_active)


def test_change_has_the_values_before_and_after() -> None:
    change = _outcome(INACTIVE, WantedRoute(KEY, is_active=True, url="http://two")).change
    assert change is not None
    assert (change.previous, change.value) == (RouteValue("http://one", False), RouteValue("http://two", True))


def test_created_route_has_no_previous_value() -> None:
    change = _outcome(None, WantedRoute(KEY, is_active=True, url="http://two")).change
    assert change is not None
    assert change.previous is None


def test_changed_route_takes_the_revision_and_keeps_its_creation_time() -> None:
    route = _outcome(ACTIVE, WantedRoute(KEY, is_active=True, url="http://two")).route
    assert (route.revision, route.created_at, route.updated_at) == (7, BEFORE, NOW)


def test_unchanged_route_is_kept_as_it_is() -> None:
    assert _outcome(ACTIVE, WantedRoute(KEY, is_active=True, url="http://one")).route is ACTIVE


def test_never_created_route_cannot_change_state() -> None:
    with pytest.raises(NoSuchRoute, match="team-a:payments:prod:v1"):
        _outcome(None, WantedRoute(KEY, is_active=False))


def test_change_set_is_bounded_and_consistent() -> None:
    many = tuple(WantedRoute(with_fields(KEY, version=f"v{n}"), is_active=True, url="http://x") for n in range(501))
    assert len(WantedChangeSet("team-a", many[:500]).routes) == 500
    with pytest.raises(TooManyChanges, match=r"500.*501"):
        WantedChangeSet("team-a", many)
    with pytest.raises(InvalidInput, match="at least one"):
        WantedChangeSet("team-a", ())
    with pytest.raises(InvalidInput, match=r"/1 team-a:payments:prod:v0 is named twice$"):
        WantedChangeSet("team-a", (many[0], many[0]))
    with pytest.raises(InvalidInput, match="not of tenant team-b"):
        WantedChangeSet("team-b", (many[0],))


routes = st.none() | st.builds(
    Route,
    key=st.just(KEY),
    value=st.builds(RouteValue, st.sampled_from(["http://one", "http://two"]), st.booleans()),
    revision=st.integers(1, 5),
    created_at=st.just(BEFORE),
    updated_at=st.just(BEFORE),
)


@given(routes, st.sampled_from(["http://one", "http://two"]), st.booleans())
def test_applying_a_wanted_route_twice_changes_it_once(current: Route | None, url: str, is_active: bool) -> None:
    wanted = WantedRoute(KEY, is_active, url)
    first = _outcome(current, wanted)
    assert (first.change is None) == (current is not None and current.value == RouteValue(url, is_active))
    second = _outcome(first.route, wanted)
    assert second.change is None
    assert second.route == first.route
