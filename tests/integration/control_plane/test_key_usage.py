"""The last use of access keys, as other services report it on Kafka."""

from datetime import UTC, datetime

from control_plane.adapters.postgres.access_keys import PostgresAccessKeys
from control_plane.domain.access_keys import NewKey
from deploy.local.stack import Stack
from shared.runtime.access.key_usage import KafkaKeyUsageLog
from shared.runtime.access.tokens import AccessKey
from shared.runtime.kafka.producer import KAFKA_FAILURES
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service
from shared.schemas.access import Role
from shared.schemas.key_usage import KeyUsage
from shared.schemas.topics import ACCESS_KEY_USAGE
from tests.support.access import bearer
from tests.support.control_plane import control_plane, new_guard, open_primary
from tests.support.kafka import RawRecord, produce_raw
from tests.support.postgres import Database
from tests.support.waiting import eventually


async def test_reported_use_of_a_key_is_listed_with_the_key(stack: Stack, database: Database) -> None:
    admin, used = AccessKey.new(), AccessKey.new()
    async with open_primary(database.url) as primary:
        for each in (admin, used):
            new = NewKey(each.key_id, each.sha256, "ci", Role.ADMIN, None, "ada", None)
            await PostgresAccessKeys(primary).create(new)
    log = KafkaKeyUsageLog(
        stack.urls.kafka, "tests", new_guard("key_usage_reports", Metrics(Service.DATA_PLANE), KAFKA_FAILURES)
    )
    async with control_plane(database.url, stack.urls.kafka, access="on") as client:
        await produce_raw(stack.urls.kafka, RawRecord(b"{not json"), RawRecord(None, b"k"), topic=ACCESS_KEY_USAGE.name)
        await log.write(KeyUsage(as_of=datetime(2026, 3, 9, 14, 27, tzinfo=UTC), keys=(used.key_id,)))
        await log.close()

        async def listed() -> dict[str, str | None]:
            answer = await client.get("/access-keys", headers=bearer(admin))
            keys = answer.json().get("access_keys", [])
            return {each["key_id"]: each["last_used_at"] for each in keys if each["last_used_at"]}

        await eventually(listed)
        assert await listed() == {used.key_id: "2026-03-09T14:20:00Z"}
