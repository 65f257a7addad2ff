"""Places that tenants share."""

import random

from shared.runtime.fair_places import FairPlaces


def _fill(places: FairPlaces, tenant: str) -> int:
    while places.may_enter(tenant):
        places.enter(tenant)
    return places.held(tenant)


def test_one_tenant_gets_nine_tenths() -> None:
    places = FairPlaces(2500)
    assert _fill(places, "team-a") == 2250
    assert not places.is_full


def test_every_further_tenant_finds_places_that_the_earlier_ones_left() -> None:
    places = FairPlaces(2500)
    held = [_fill(places, f"team-{number}") for number in range(4)]
    assert held == sorted(held, reverse=True)
    assert held[-1] >= 1


def test_only_place_is_for_any_tenant() -> None:
    places = FairPlaces(1)
    places.enter("team-a")
    assert places.is_full
    assert not places.may_enter("team-b")
    places.leave("team-a")
    assert places.may_enter("team-b")


def test_tenants_that_want_more_than_there_is_get_equal_parts_as_places_are_given_back() -> None:
    places, chance = FairPlaces(200), random.Random(1)
    tenants = ["team-a", "team-b", "team-c"]
    for tenant in tenants:
        _fill(places, tenant)
    for _ in range(5000):
        places.leave(chance.choices(tenants, [places.held(each) for each in tenants])[0])
        for tenant in chance.sample(tenants, len(tenants)):
            _fill(places, tenant)
    held = [places.held(each) for each in tenants]
    assert max(held) - min(held) <= 0.2 * sum(held) / len(held)
