"""Which replica is asked, on real servers."""

import asyncpg
import pytest

from data_plane.composition.connect import ResolverProcess
from shared.schemas.identity import RouteKey
from tests.support.answer_recorder import AnswerRecorder
from tests.support.factories import a_tenant
from tests.support.postgres import Database
from tests.support.resolver_process import StartResolver
from tests.support.route_writer import RouteWriter
from tests.support.standby import Standby
from tests.support.waiting import eventually

NO_REDIS = {"redis_url": "redis://127.0.0.1:1/0"}
UNREACHABLE_REPLICA = "postgresql://127.0.0.1:1/x"


@pytest.fixture
def key() -> RouteKey:
    return RouteKey(a_tenant(), "payments", "prod", "v1")


def usable(instance: ResolverProcess) -> dict[str, bool]:
    """`tm_replica_usable` by replica."""
    lines = [line for line in instance.metrics.exposition().decode().splitlines() if "tm_replica_usable{" in line]
    return {line.split('"')[1]: line.endswith(" 1.0") for line in lines}


async def until_usable(instance: ResolverProcess, **expected: bool) -> None:
    """Wait for these values; `replica_1` stands for `replica-1`."""
    wanted = {name.replace("_", "-"): value for name, value in expected.items()}

    async def is_as_expected() -> bool:
        return usable(instance) == wanted

    await eventually(is_as_expected)


async def layer_of(instance: ResolverProcess, key: RouteKey) -> str:
    answer = await AnswerRecorder(instance, key).resolve()
    return "none" if answer is None else answer.layer.value


async def test_unreachable_replica_becomes_unusable_and_the_other_answers(
    database: Database, routes: RouteWriter, start: StartResolver, key: RouteKey
) -> None:
    await routes.put(key, "https://v1")
    await routes.heartbeat()
    urls = f"{UNREACHABLE_REPLICA},{database.replica_url}"
    async with start(replica_urls=urls, postgres_url=None, **NO_REDIS) as instance:
        await until_usable(instance, replica_1=False, replica_2=True)
        await AnswerRecorder(instance, key).until("https://v1")
        assert await layer_of(instance, RouteKey(key.tenant, "other", "prod", "v1")) == "replica"


async def test_lagging_replica_becomes_unusable_and_returns(
    database: Database, routes: RouteWriter, start: StartResolver, standby: Standby, key: RouteKey
) -> None:
    await routes.put(key, "https://v1")
    writer = await asyncpg.connect(database.url, timeout=5)
    await writer.execute("INSERT INTO relay_heartbeat (as_of) VALUES (clock_timestamp() - interval '20 s')")
    await standby.catch_up()
    async with start(**NO_REDIS) as instance:
        await until_usable(instance, replica_1=True)
        await standby.pause()
        await routes.put(key, "https://v2")
        await until_usable(instance, replica_1=False)
        assert await layer_of(instance, key) == "primary"
        await standby.resume()
        await routes.heartbeat()
        await standby.catch_up()
        await until_usable(instance, replica_1=True)
        assert await layer_of(instance, RouteKey(key.tenant, "other", "prod", "v1")) == "replica"
    await writer.close()
