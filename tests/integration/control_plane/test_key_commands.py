"""What an operator does with keys on the command line."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from control_plane.__main__ import main
from control_plane.adapters.postgres.access_keys import PostgresAccessKeys
from control_plane.adapters.postgres.tenants import PostgresTenants
from control_plane.commands import create_admin_key, republish_keys
from control_plane.domain.access_keys import NewKey
from control_plane.settings import ControlPlaneSettings
from shared.runtime.access.tokens import AccessKey
from shared.schemas.access import Role, decode
from tests.support.control_plane import open_primary
from tests.support.postgres import Database
from tests.support.waiting import eventually

DAY = timedelta(days=1)


def settings_of(database: Database) -> ControlPlaneSettings:
    return ControlPlaneSettings(postgres_url=database.url)


async def sent_after(database: Database, last: int) -> list[tuple[str, bytes | None]]:
    """Key and payload of what was put into the outbox after that id."""
    connection = await asyncpg.connect(database.url)
    rows = await connection.fetch("SELECT topic, key, payload FROM outbox WHERE id > $1 ORDER BY id", last)
    await connection.close()
    assert {row["topic"] for row in rows} <= {"access-keys"}
    return [(row["key"], row["payload"]) for row in rows]


async def with_keys(database: Database) -> list[str]:
    """The ids of a tenant's keys: one that is good, one revoked, one that has another secret now."""
    async with open_primary(database.url) as primary:
        await PostgresTenants(primary).create("team-a")
        keys = PostgresAccessKeys(primary)
        made = [AccessKey.new() for _ in range(3)]
        for each in made:
            await keys.create(NewKey(each.key_id, each.sha256, "ci", Role.EDITOR, "team-a", "ada", None))
        await keys.revoke("team-a", made[1].key_id)
        await keys.rotate("team-a", made[2].key_id, AccessKey.new().sha256, DAY)
    return [each.key_id for each in made]


async def test_first_key_is_an_admin_key_and_is_sent_to_all_services(database: Database) -> None:
    key = await create_admin_key(settings_of(database), "ada")
    ((key_id, payload),) = await sent_after(database, 0)
    record = decode(key_id.encode(), payload or b"")
    assert (record.key_id, record.role, record.subject) == (key.key_id, Role.ADMIN, "ada")
    assert record.secrets[0].sha256 == key.sha256
    assert key.secret not in str(payload)


async def test_every_valid_key_is_sent_again_with_its_current_record_and_every_ended_one_as_ended(
    database: Database,
) -> None:
    good, revoked, rotated = await with_keys(database)
    before = len(await sent_after(database, 0))
    assert await republish_keys(settings_of(database)) == 3
    again = dict((await sent_after(database, 0))[before:])
    assert again.pop(revoked) is None
    assert set(again) == {good, rotated}
    records = {key_id: decode(key_id.encode(), payload or b"") for key_id, payload in again.items()}
    assert {key_id: (each.version, len(each.secrets)) for key_id, each in records.items()} == {
        good: (1, 1),
        rotated: (2, 2),
    }


async def test_key_is_sent_as_ended_after_its_concurrent_revocation(database: Database) -> None:
    good, revoked, rotated = await with_keys(database)
    before = len(await sent_after(database, 0))
    connection: Any = await asyncpg.connect(database.url)
    async with connection.transaction():
        await connection.execute("UPDATE access_keys SET revoked_at = clock_timestamp() WHERE id = $1", good)
        sending = asyncio.create_task(republish_keys(settings_of(database)))

        async def waits() -> bool:
            return bool(await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))

        await eventually(waits)
        assert not sending.done()
    await connection.close()
    assert await sending == 3
    again = dict((await sent_after(database, 0))[before:])
    assert {key_id for key_id, payload in again.items() if payload is None} == {good, revoked}
    assert again[rotated] is not None


async def test_a_key_that_is_revoked_again_is_sent_as_ended_again(database: Database) -> None:
    _, revoked, _ = await with_keys(database)
    before = len(await sent_after(database, 0))
    async with open_primary(database.url) as primary:
        await PostgresAccessKeys(primary).revoke("team-a", revoked)
    assert (await sent_after(database, 0))[before:] == [(revoked, None)]


def test_commands_report_an_unreachable_database(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TM_POSTGRES_URL", "postgresql://nobody@127.0.0.1:1/none")
    for command in ("create-admin-key", "republish-keys"):
        assert main([command]) == 1
        assert "TM_POSTGRES_URL" in capsys.readouterr().err
