"""Validation of the resolver's settings."""

import pytest
from pydantic import ValidationError

from data_plane.settings import DataPlaneSettings


def _wrong(**values: object) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        DataPlaneSettings.model_validate(values)
    return {str(each["loc"][0]): each["msg"] for each in caught.value.errors()}


def test_a_database_url_is_required() -> None:
    assert "TM_REPLICA_URLS" in _wrong(replica_urls="", postgres_url=None)["postgres_url"]


def test_every_malformed_url_is_reported() -> None:
    assert set(_wrong(replica_urls="mysql://x", postgres_url="y", redis_url="z")) == {
        "replica_urls",
        "postgres_url",
        "redis_url",
    }


def test_repr_hides_passwords_in_urls() -> None:
    settings = DataPlaneSettings.model_validate(
        {
            "replica_urls": "postgresql://a:secret@b/c, postgresql://d",
            "postgres_url": "postgresql://a:secret@b/c",
            "redis_url": "redis://:secret@b",
        }
    )
    assert settings.replica_urls == ("postgresql://a:secret@b/c", "postgresql://d")
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(("all_of_them", "of_a_tenant"), [(2500, 2250), (1000, 900), (10, 9), (2, 1), (1, 1), (0, 0)])
def test_watch_limit_of_a_tenant_defaults_to_nine_tenths(all_of_them: int, of_a_tenant: int) -> None:
    settings = DataPlaneSettings.model_validate({"replica_urls": "postgresql://a", "watch_clients": all_of_them})
    assert settings.watch_clients_limit_per_tenant == of_a_tenant


def test_watch_limit_of_a_tenant_can_be_set() -> None:
    values = {"replica_urls": "postgresql://a", "watch_clients": 7, "watch_clients_per_tenant": 7}
    assert DataPlaneSettings.model_validate(values).watch_clients_limit_per_tenant == 7


def test_watch_limit_of_a_tenant_cannot_exceed_the_total() -> None:
    wrong = _wrong(replica_urls="postgresql://a", watch_clients=1000, watch_clients_per_tenant=1001)
    assert "TM_WATCH_CLIENTS, which is 1000" in wrong["watch_clients_per_tenant"]


def test_zones_are_as_many_as_replicas() -> None:
    wrong = _wrong(replica_urls="postgresql://a,postgresql://b", replica_zones="zone-a")
    assert "one zone for each of the 2 replicas" in wrong["replica_zones"]


def test_zone_that_is_empty_is_no_replicas_zone() -> None:
    settings = DataPlaneSettings.model_validate(
        {"replica_urls": "postgresql://a", "replica_zones": "zone-a", "zone": ""}
    )
    assert settings.zone not in settings.replica_zones


def test_redis_replicas_need_a_zone_each() -> None:
    wrong = _wrong(
        replica_urls="postgresql://a", redis_replica_urls="redis://a,redis://b", redis_replica_zones="zone-a"
    )
    assert "one zone for each of the 2 replicas in TM_REDIS_REPLICA_URLS" in wrong["redis_replica_zones"]
    assert "redis_replica_zones" in _wrong(replica_urls="postgresql://a", redis_replica_urls="redis://a")


@pytest.mark.parametrize(
    ("zone", "expected"), [("zone-b", "redis://b"), ("zone-a", "redis://a"), ("zone-c", None), ("", None)]
)
def test_redis_replica_of_the_own_zone_is_chosen(zone: str, expected: str | None) -> None:
    urls, zones = "redis://a,redis://b,redis://second-b", "zone-a,zone-b,zone-b"
    settings = DataPlaneSettings.model_validate(
        {"replica_urls": "postgresql://a", "redis_replica_urls": urls, "redis_replica_zones": zones, "zone": zone}
    )
    assert settings.redis_zone_replica_url == expected
