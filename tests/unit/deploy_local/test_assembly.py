"""The choice between an external server, a container and a local process."""

from pathlib import Path

import pytest

from deploy.local.assembly import choose_engine
from deploy.local.container import LocalContainer
from deploy.local.errors import LocalServerError, NoEngine, NotControllable, NotReady
from deploy.local.external import ExternalServer, external_servers
from deploy.local.local_process import LocalProcess
from deploy.local.settings import LocalSettings
from deploy.local.stack import open_stack
from deploy.local.state import Engine, StateDirectory


def settings(**values: object) -> LocalSettings:
    nothing_named = {
        "postgres_url": None,
        "replica_urls": (),
        "redis_url": None,
        "kafka_bootstrap": None,
        "mongo_url": None,
        "local_servers": "processes",
    }
    return LocalSettings.model_validate(nothing_named | values)


@pytest.mark.parametrize(
    ("wanted", "in_use", "answers", "expected"),
    [
        ("auto", None, True, "containers"),
        ("auto", None, False, "processes"),
        ("processes", None, True, "processes"),
        ("containers", None, True, "containers"),
        ("auto", "processes", True, "processes"),
        ("processes", "containers", True, "containers"),
    ],
)
def test_running_engine_comes_before_the_setting_and_the_setting_before_detection(
    wanted: str, in_use: Engine | None, answers: bool, expected: Engine
) -> None:
    assert choose_engine(settings(local_servers=wanted), in_use, lambda: answers) == expected


def test_containers_without_an_engine_are_refused() -> None:
    with pytest.raises(NoEngine, match="TM_LOCAL_SERVERS=processes"):
        choose_engine(settings(local_servers="containers"), None, lambda: False)


def test_url_in_the_environment_replaces_the_local_server(tmp_path: Path) -> None:
    stack = open_stack(tmp_path, settings(redis_url="redis://elsewhere:6379/0"))
    assert isinstance(stack.redis, ExternalServer)
    assert isinstance(stack.kafka, LocalProcess)
    assert stack.redis.urls == ("redis://elsewhere:6379/0",)


def test_url_of_the_stack_itself_is_not_an_external_server(tmp_path: Path) -> None:
    with StateDirectory(tmp_path).update() as state:
        state.urls = ["redis://127.0.0.1:20001/0"]
    stack = open_stack(tmp_path, settings(redis_url="redis://127.0.0.1:20001/0"))
    assert isinstance(stack.redis, LocalProcess)


def test_containers_use_the_ports_of_processes(tmp_path: Path) -> None:
    with StateDirectory(tmp_path).update() as state:
        state.engine = "containers"
    stack = open_stack(tmp_path, settings())
    assert isinstance(stack.mongo, LocalContainer)
    assert str(stack.state.port("mongo")) in stack.mongo.urls[0]


def test_external_primary_has_no_local_replica() -> None:
    named = external_servers(settings(postgres_url="postgresql://elsewhere/db"), frozenset())
    assert named["replica"].urls == ()


def test_replica_without_its_primary_is_refused() -> None:
    with pytest.raises(LocalServerError, match="TM_POSTGRES_URL"):
        external_servers(settings(replica_urls="postgresql://elsewhere/db"), frozenset())


def test_replica_urls_are_separated_by_commas() -> None:
    assert settings(replica_urls="postgresql://a/x, postgresql://b/x").replica_urls == (
        "postgresql://a/x",
        "postgresql://b/x",
    )


@pytest.mark.parametrize("action", ["stop", "kill", "freeze", "thaw"])
async def test_external_server_cannot_be_controlled(action: str) -> None:
    server = external_servers(settings(mongo_url="mongodb://elsewhere"), frozenset())["mongo"]
    with pytest.raises(NotControllable, match="TM_MONGO_URL"):
        await getattr(server, action)()


async def test_external_server_that_does_not_answer_is_named() -> None:
    async def refuse(_url: str) -> None:
        raise ConnectionRefusedError("connection refused")

    server = ExternalServer("redis", "TM_REDIS_URL", ("redis://elsewhere",), refuse)
    with pytest.raises(NotReady, match=r"TM_REDIS_URL .* connection refused"):
        await server.start()
    assert not await server.is_running()
