"""Containers without an engine: the commands to it, and the conditions read from it."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from deploy.local import container_plans as plans
from deploy.local.container import LocalContainer, engine_answers
from deploy.local.kafka.broker import KafkaBroker
from deploy.local.mongo import MongoServer
from deploy.local.postgres import Primary, Replica
from deploy.local.postgres_home import PostgresHome
from deploy.local.redis import RedisServer
from deploy.local.settings import LocalSettings
from deploy.local.state import StateDirectory


@dataclass
class Container:
    status: str
    commands: list[str] = field(default_factory=list)

    def stop(self, timeout: int) -> None:
        self.status = "exited"
        self.commands.append(f"stop within {timeout} s")

    def unpause(self) -> None:
        self.status = "running"
        self.commands.append("unpause")


class Engine:
    """The methods of a Docker client that LocalContainer calls."""

    def __init__(self, container: Container | None) -> None:
        self.containers = self
        self._container = container

    def list(self, **_filters: object) -> "list[Container]":
        return [self._container] if self._container else []


class NamingEngine(Engine):
    """An engine that compares the name filter with a name, as Docker (with a slash before it) and Podman do."""

    def __init__(self, container: Container, name: str) -> None:
        super().__init__(container)
        self._name = name

    def list(self, **options: Any) -> "list[Container]":
        return super().list() if re.search(options["filters"]["name"], self._name) else []


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    return StateDirectory(tmp_path)


def redis_in(container: Container | None, state: StateDirectory) -> LocalContainer:
    redis = RedisServer(state)
    return LocalContainer(redis, lambda: plans.redis_plan("valkey", redis), state, lambda: Engine(container))


@pytest.mark.parametrize(
    ("status", "condition"),
    [("running", "running"), ("paused", "frozen"), ("exited", "stopped"), ("dead", "ended"), ("created", "ended")],
)
async def test_condition_follows_the_containers_status(status: str, condition: str, state: StateDirectory) -> None:
    assert await redis_in(Container(status), state).condition() == condition


async def test_missing_container_is_stopped(state: StateDirectory) -> None:
    assert await redis_in(None, state).condition() == "stopped"


@pytest.mark.parametrize(
    ("name", "condition"), [("/{}", "running"), ("{}", "running"), ("{}-2", "stopped"), ("/another-{}", "stopped")]
)
async def test_container_is_found_by_its_whole_name(name: str, condition: str, state: StateDirectory) -> None:
    redis = RedisServer(state)
    engine = NamingEngine(Container("running"), name.format(f"traffic-manager-{state.digest}-redis"))
    container = LocalContainer(redis, lambda: plans.redis_plan("valkey", redis), state, lambda: engine)
    assert await container.condition() == condition


async def test_frozen_container_is_thawed_before_it_is_stopped(state: StateDirectory) -> None:
    container = Container("paused")
    await redis_in(container, state).stop()
    assert container.commands == ["unpause", "stop within 30 s"]


def test_containers_listen_on_the_ports_of_local_processes(state: StateDirectory) -> None:
    home = PostgresHome(state, None, None)
    primary, replica = Primary(home, state), Replica(home, state)
    assert f"port={state.port('postgres')}" in plans.primary_plan("postgres", primary).command
    replica_plan = plans.replica_plan("postgres", replica)
    assert f"port={state.port('replica')}" in replica_plan.command
    assert replica_plan.environment["PRIMARY_PORT"] == str(state.port("postgres"))
    assert str(state.port("redis")) in plans.redis_plan("valkey", RedisServer(state)).command
    assert f"--port={state.port('mongo')}" in plans.mongo_plan("mongo", MongoServer(state)).command


def test_kafka_is_configured_by_environment(state: StateDirectory, tmp_path: Path) -> None:
    kafka = KafkaBroker(state, tmp_path)
    environment = plans.kafka_plan("kafka", kafka).environment
    assert environment["KAFKA_ADVERTISED_LISTENERS"] == f"PLAINTEXT://{kafka.url}"
    assert environment["KAFKA_CONTROLLER_QUORUM_VOTERS"] == f"1@{kafka.controller}"
    assert "KAFKA_CONTROLLER_QUORUM_BOOTSTRAP_SERVERS" not in environment


def test_unreachable_engine_does_not_answer(tmp_path: Path) -> None:
    settings = LocalSettings.model_validate({"docker_host": f"unix://{tmp_path / 'no.sock'}"})
    assert not engine_answers(settings)
