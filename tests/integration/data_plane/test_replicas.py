"""Which replica is asked, on real servers."""

import asyncpg
import pytest

from data_plane.composition.connect import ResolverProcess
from shared.schemas.identity import RouteKey
from tests.integration.data_plane.conftest import Standby, Start
from tests.support.answer_recorder import AnswerRecorder
from tests.support.factories import a_tenant
from tests.support.postgres import Database
from tests.support.route_writer import RouteWriter
from tests.support.waiting import eventually

NO_REDIS = {"redis_url": "redis://127.0.0.1:1/0"}
NO_REPLICA = "postgresql://127.0.0.1:1/x"


@pytest.fixture
def key() -> RouteKey:
    return RouteKey(a_tenant(), "payments", "prod", "v1")


def usable(instance: ResolverProcess) -> dict[str, bool]:
    """What the instance exports, by replica."""
    lines = [line for line in instance.metrics.exposition().decode().splitlines() if "tm_replica_usable{" in line]
    return {line.split('"')[1]: line.endswith(" 1.0") for line in lines}


async def until_usable(instance: ResolverProcess, **expected: bool) -> None:
    """Wait until it is so; `replica_1` stands for `replica-1`."""
    wanted = {name.replace("_", "-"): value for name, value in expected.items()}

    async def as_wanted() -> bool:
        return usable(instance) == wanted

    await eventually(as_wanted)


async def layer_of(instance: ResolverProcess, key: RouteKey) -> str:
    answer = await AnswerRecorder(instance, key).ask()
    return "nobody" if answer is None else answer.layer.value


async def test_one_that_is_away_is_left_out_and_the_other_answers(
    database: Database, routes: RouteWriter, start: Start, key: RouteKey
) -> None:
    await routes.put(key, "https://v1")
    await routes.heartbeat()
    urls = f"{NO_REPLICA},{database.replica_url}"
    async with start(replica_urls=urls, postgres_url=None, **NO_REDIS) as instance:
        await until_usable(instance, replica_1=False, replica_2=True)
        await AnswerRecorder(instance, key).until("https://v1")
        assert await layer_of(instance, RouteKey(key.tenant, "other", "prod", "v1")) == "replica"


async def test_one_that_falls_behind_is_left_out_for_the_primary_and_comes_back(
    database: Database, routes: RouteWriter, start: Start, standby: Standby, key: RouteKey
) -> None:
    await routes.put(key, "https://v1")
    writer = await asyncpg.connect(database.url, timeout=5)
    await writer.execute("INSERT INTO relay_heartbeat (as_of) VALUES (clock_timestamp() - interval '20 s')")
    await standby.follow()
    async with start(**NO_REDIS) as instance:
        await until_usable(instance, replica_1=True)
        await standby.pause()
        await routes.put(key, "https://v2")
        await until_usable(instance, replica_1=False)
        assert await layer_of(instance, key) == "primary"
        await standby.resume()
        await routes.heartbeat()
        await standby.follow()
        await until_usable(instance, replica_1=True)
        assert await layer_of(instance, RouteKey(key.tenant, "other", "prod", "v1")) == "replica"
    await writer.close()
