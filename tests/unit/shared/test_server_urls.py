"""Which addresses of servers settings accept, and that no message repeats a refused one."""

from collections.abc import Callable

import pytest
from pydantic_settings import BaseSettings

from audit_consumer.settings import AuditSettings
from control_plane.settings import ControlPlaneSettings
from data_plane.settings import DataPlaneSettings
from deploy.local.errors import LocalServerError
from deploy.local.settings import LocalSettings
from deploy.local.settings import read_settings as read_local_settings
from shared.runtime.server_urls import kafka_bootstrap, server_url
from shared.runtime.settings import ServiceSettings, read_settings

SECRET = "s3cret"  # noqa: S105 - made up
postgres_url = server_url("postgresql", "postgres")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://db/routes",
        "postgres://app:p%40ss@db:5432/routes?sslmode=require",
        "postgresql://app@one:5432,two:5433/routes",
        "postgresql://[::1]:5432/routes",
        "postgresql:///routes?host=/var/run/postgresql",
    ],
)
def test_connection_url_is_accepted(url: str) -> None:
    assert postgres_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        f"app:{SECRET}@db/routes",
        f"http://app:{SECRET}@db/routes",
        f"postgresql://app:{SECRET}/x@db/routes",
        f"postgresql://app:1/{SECRET}@db/routes",
        f"postgresql://app:x@{SECRET}@db/routes",
        f"postgresql://app:x#{SECRET}@db/routes",
        f"postgresql://app:x?{SECRET}@db/routes",
        f"postgresql://app@db:{SECRET}/routes",
    ],
)
def test_connection_url_that_a_driver_would_quote_is_refused_without_its_text(url: str) -> None:
    with pytest.raises(ValueError, match=r"must start with|has a malformed") as refused:
        postgres_url(url)
    assert SECRET not in str(refused.value)


def test_unix_socket_has_no_host() -> None:
    assert server_url("redis", "unix")("unix:///run/redis.sock?db=0") == "unix:///run/redis.sock?db=0"


@pytest.mark.parametrize("servers", ["kafka:9092", "one:9092, two:9092", "[::1]:9092", "kafka"])
def test_bootstrap_servers_are_accepted(servers: str) -> None:
    assert kafka_bootstrap(servers) == servers


@pytest.mark.parametrize("servers", [f"app:{SECRET}@kafka:9092", f"sasl://app:{SECRET}@kafka:9092", f"kafka:{SECRET}"])
def test_bootstrap_servers_with_a_password_are_refused_without_their_text(servers: str) -> None:
    with pytest.raises(ValueError, match="must be host:port") as refused:
        kafka_bootstrap(servers)
    assert SECRET not in str(refused.value)


WRONG = {
    "TM_POSTGRES_URL": f"postgresql://app:{SECRET}/x@db/routes",
    "TM_REPLICA_URLS": f"postgresql://app:{SECRET}@db/routes,postgresql://app:{SECRET}/x@db/routes",
    "TM_REDIS_URL": f"redis://:{SECRET}/x@cache",
    "TM_KAFKA_BOOTSTRAP": f"app:{SECRET}@kafka:9092",
    "TM_MONGO_URL": f"mongodb://app:{SECRET}/x@mongo",
}
READ: dict[str, tuple[type[ServiceSettings], set[str]]] = {
    "control_plane": (ControlPlaneSettings, {"TM_POSTGRES_URL", "TM_KAFKA_BOOTSTRAP"}),
    "data_plane": (DataPlaneSettings, WRONG.keys() - {"TM_MONGO_URL"}),
    "audit_consumer": (AuditSettings, {"TM_MONGO_URL", "TM_KAFKA_BOOTSTRAP"}),
}


@pytest.mark.parametrize("service", READ)
def test_wrong_settings_are_named_and_not_repeated(
    service: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kind, named = READ[service]
    for name, value in WRONG.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit, match="2"):
        read_settings(kind)
    printed = capsys.readouterr().err
    assert {name for name in WRONG if name in printed} == named
    assert SECRET not in printed


def test_wrong_settings_of_the_local_stack_are_named_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in WRONG.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(LocalServerError) as refused:
        read_local_settings()
    assert all(name in str(refused.value) for name in WRONG)
    assert SECRET not in str(refused.value)


RIGHT = {
    "TM_POSTGRES_URL": f"postgresql://app:{SECRET}@db/routes",
    "TM_REPLICA_URLS": f"postgresql://app:{SECRET}@one/routes,postgresql://app:{SECRET}@two/routes",
    "TM_REDIS_URL": f"redis://:{SECRET}@cache",
    "TM_MONGO_URL": f"mongodb://app:{SECRET}@mongo",
    "TM_JWT_ISSUER": "https://issuer.example",
    "TM_JWT_AUDIENCE": "routes",
    "TM_JWT_JWKS": f"https://app:{SECRET}@issuer.example/keys",
}


@pytest.mark.parametrize("kind", [ControlPlaneSettings, DataPlaneSettings, AuditSettings, LocalSettings])
def test_settings_as_text_hold_no_password(kind: Callable[[], BaseSettings], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in RIGHT.items():
        monkeypatch.setenv(name, value)
    settings = kind()
    assert SECRET not in repr(settings)
    assert SECRET not in str(settings)
