"""PostgreSQL: the primary and its streaming hot standby."""

import signal
from pathlib import Path

import asyncpg

from deploy.local.local_process import Recipe
from deploy.local.ports import LOOPBACK
from deploy.local.postgres_home import ROLE, SETTINGS_FILE, PostgresHome
from deploy.local.process import Launch
from deploy.local.state import StateDirectory

DATABASE = "traffic_manager"
SLOT = "replica"

# fsync and synchronous_commit stay on, so that measurements hold for production.
COMMON_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # the path of a socket could exceed the kernel's limit
    "max_connections": "200",
    "shared_buffers": "128MB",
    "wal_level": "replica",
    "max_wal_senders": "10",
    "max_replication_slots": "10",
    "max_slot_wal_keep_size": "4GB",
    "wal_sender_timeout": "5s",
    "wal_receiver_timeout": "5s",
    "wal_retrieve_retry_interval": "200ms",
    "hot_standby": "on",
    "hot_standby_feedback": "on",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
    "log_min_duration_statement": "250ms",
}


class Primary(Recipe):
    """The primary: one database, one role, and a replication slot."""

    name = "postgres"
    stop_signal = signal.SIGINT  # fast shutdown: does not wait for clients

    def __init__(self, home: PostgresHome, state: StateDirectory) -> None:
        self._home = home
        self._state = state

    @property
    def url(self) -> str:
        """The connection URL of the product's database."""
        return self._home.url(self._state.port(self.name), DATABASE)

    @property
    def password(self) -> str:
        """The password of the only role."""
        return self._home.password()

    @property
    def settings(self) -> dict[str, str]:
        """The settings that differ from PostgreSQL's defaults."""
        return COMMON_SETTINGS | {"port": str(self._state.port(self.name))}

    async def prepare(self) -> Launch:
        self._home.make()
        data = self._home.data(self.name)
        if not data.exists():
            await self._initialise(data)
        await self._home.end_leftovers(data)
        self._home.configure(data, self.settings)
        return self._home.server(data)

    async def become_usable(self) -> bool:
        connection = await asyncpg.connect(self._home.url(self._state.port(self.name), "postgres"), timeout=2)
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
                await connection.execute(f"CREATE DATABASE {DATABASE}")
            if not await connection.fetchval("SELECT 1 FROM pg_replication_slots WHERE slot_name = $1", SLOT):
                await connection.fetch("SELECT pg_create_physical_replication_slot($1, true)", SLOT)
        finally:
            await connection.close(timeout=2)
        return True

    async def _initialise(self, data: Path) -> None:
        """Run initdb in a temporary directory: after an interruption, the data directory must not look complete."""
        partial = self._home.emptied(f"{self.name}.partial")
        await self._home.run(
            self.name,
            "initdb",
            f"--pgdata={partial}",
            f"--username={ROLE}",
            f"--pwfile={self._home.password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-instructions",
        )
        with (partial / "postgresql.conf").open("a") as configuration:
            configuration.write(f"include = '{SETTINGS_FILE}'\n")
        partial.rename(data)


class Replica(Recipe):
    """The streaming hot standby of the primary."""

    name = "replica"
    stop_signal = signal.SIGINT

    def __init__(self, home: PostgresHome, state: StateDirectory) -> None:
        self._home = home
        self._state = state

    @property
    def url(self) -> str:
        """The connection URL of the product's database."""
        return self._home.url(self._state.port(self.name), DATABASE)

    @property
    def password(self) -> str:
        """The password of the only role."""
        return self._home.password()

    async def prepare(self) -> Launch:
        data = self._home.data(self.name)
        if not data.exists():
            await self._copy_primary(data)
        await self._home.end_leftovers(data)
        self._home.configure(data, self.settings)
        return self._home.server(data)

    @property
    def settings(self) -> dict[str, str]:
        """The settings that differ from PostgreSQL's defaults."""
        source = f"host={LOOPBACK} port={self.primary_port} user={ROLE} password={self.password} connect_timeout=5"
        return COMMON_SETTINGS | {
            "port": str(self._state.port(self.name)),
            "primary_conninfo": f"{source} application_name={self.name}",
            "primary_slot_name": SLOT,
        }

    @property
    def primary_port(self) -> int:
        """The port of the primary."""
        return self._state.port(Primary.name)

    async def become_usable(self) -> bool:
        """Check that the replica answers, and streams from the primary if that one answers."""
        connection = await asyncpg.connect(self.url, timeout=2)
        try:
            streams = await connection.fetchval("SELECT status = 'streaming' FROM pg_stat_wal_receiver")
        finally:
            await connection.close(timeout=2)
        return bool(streams) or not await self._primary_answers()

    async def _primary_answers(self) -> bool:
        try:
            connection = await asyncpg.connect(self._home.url(self.primary_port, DATABASE), timeout=1)
        except (OSError, asyncpg.PostgresError):
            return False
        await connection.close(timeout=1)
        return True

    async def _copy_primary(self, data: Path) -> None:
        partial = self._home.emptied(f"{self.name}.partial")
        await self._home.run(
            self.name,
            "pg_basebackup",
            f"--pgdata={partial}",
            f"--host={LOOPBACK}",
            f"--port={self.primary_port}",
            f"--username={ROLE}",
            "--checkpoint=fast",
            "--wal-method=stream",
        )
        self._home.create_owned_file(partial / "standby.signal")
        partial.rename(data)
