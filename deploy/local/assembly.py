"""Chooses the implementation of each server: an external URL, else a container, else a local process."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace

from deploy.local import container_plans as plans
from deploy.local.container import LocalContainer
from deploy.local.errors import NoEngine
from deploy.local.external import external_servers
from deploy.local.kafka.broker import KafkaBroker
from deploy.local.local_process import LocalProcess
from deploy.local.mongo import MongoServer
from deploy.local.postgres import Primary, Replica
from deploy.local.postgres_account import postgres_account
from deploy.local.postgres_home import PostgresHome
from deploy.local.redis import RedisServer
from deploy.local.server import Server
from deploy.local.settings import LocalSettings
from deploy.local.state import Engine, StateDirectory


@dataclass(frozen=True)
class StackServers:
    """The servers of a stack."""

    postgres: Server
    replica: Server
    redis: Server
    kafka: Server
    mongo: Server


def choose_engine(settings: LocalSettings, in_use: Engine | None, answers: Callable[[], bool]) -> Engine:
    """What runs the servers that are not external: the engine of the running ones, else the one in the settings.

    Raises:
        NoEngine: the settings require containers, and no engine answers.
    """
    if in_use:
        return in_use
    if settings.local_servers == "processes":
        return "processes"
    if answers():
        return "containers"
    if settings.local_servers == "containers":
        raise NoEngine(
            "TM_LOCAL_SERVERS=containers, but no Docker engine answers; start it (or set DOCKER_HOST), or set "
            "TM_LOCAL_SERVERS=processes"
        )
    return "processes"


def assemble(state: StateDirectory, settings: LocalSettings, engine: Engine, own_urls: frozenset[str]) -> StackServers:
    """Build the servers without starting them. URLs in `own_urls` are not external, even if the environment has them.

    Raises:
        LocalServerError: the settings contradict each other.
    """
    local = _containers(state, settings) if engine == "containers" else _processes(state, settings)
    return replace(local, **external_servers(settings, own_urls))


def _processes(state: StateDirectory, settings: LocalSettings) -> StackServers:
    home = PostgresHome(state, postgres_account(settings.local_account, os.geteuid()), settings.temporary)
    return StackServers(
        postgres=LocalProcess(Primary(home, state), state),
        replica=LocalProcess(Replica(home, state), state),
        redis=LocalProcess(RedisServer(state), state),
        kafka=LocalProcess(KafkaBroker(state, settings.cache / "jars"), state),
        mongo=LocalProcess(MongoServer(state), state),
    )


def _containers(state: StateDirectory, settings: LocalSettings) -> StackServers:
    home = PostgresHome(state, None, settings.temporary)
    primary, replica = Primary(home, state), Replica(home, state)
    redis, kafka, mongo = RedisServer(state), KafkaBroker(state, settings.cache / "jars"), MongoServer(state)
    return StackServers(
        postgres=LocalContainer(primary, lambda: plans.primary_plan(settings.image_postgres, primary), state),
        replica=LocalContainer(replica, lambda: plans.replica_plan(settings.image_postgres, replica), state),
        redis=LocalContainer(redis, lambda: plans.redis_plan(settings.image_redis, redis), state),
        kafka=LocalContainer(kafka, lambda: plans.kafka_plan(settings.image_kafka, kafka), state),
        mongo=LocalContainer(mongo, lambda: plans.mongo_plan(settings.image_mongo, mongo), state),
    )
