"""MongoDB as a replica set of one member, so that majority writes and transactions work."""

from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient

from deploy.local import process
from deploy.local.local_process import Recipe
from deploy.local.ports import LOOPBACK
from deploy.local.process import Launch
from deploy.local.server_programs import mongod
from deploy.local.shared_libraries import require_libraries
from deploy.local.state import StateDirectory

REPLICA_SET = "rs0"
_NO_CONFIGURATION = "Does not have a valid replica set config"
_MOVE_SECONDS = 30.0


class MongoServer(Recipe):
    """One `mongod`."""

    name = "mongo"

    def __init__(self, state: StateDirectory) -> None:
        self._state = state

    @property
    def url(self) -> str:
        """The URL names the set and not the member, so that clients wait for the primary after a restart."""
        return f"mongodb://{self._address}/?replicaSet={REPLICA_SET}"

    @property
    def arguments(self) -> list[str]:
        """The server's command line, without the data path."""
        return [f"--replSet={REPLICA_SET}", "--oplogSize=256", *self._standalone_arguments]

    @property
    def _standalone_arguments(self) -> list[str]:
        return [
            f"--bind_ip={LOOPBACK}",
            f"--port={self._state.port(self.name)}",
            "--nounixsocket",
            "--quiet",
            "--wiredTigerCacheSizeGB=0.5",
            "--setParameter=diagnosticDataCollectionEnabled=false",
            "--setParameter=shutdownTimeoutMillisForSignaledShutdown=100",  # the default waits 15 s for a successor
        ]

    @property
    def _address(self) -> str:
        return f"{LOOPBACK}:{self._state.port(self.name)}"

    async def prepare(self) -> Launch:
        binary = mongod()
        require_libraries(binary)
        data = self._state.path / self.name
        data.mkdir(parents=True, exist_ok=True)
        # The set's configuration has the member's port. A member that is not in the configuration does not become primary.
        last_address = data / "known-as"
        if last_address.exists() and last_address.read_text() != self._address:
            await self._rename_member(binary, data)
        last_address.write_text(self._address)
        return Launch([binary, f"--dbpath={data}", *self.arguments], data)

    async def become_usable(self) -> bool:
        """Initiate the set once, and check that its member is the primary."""
        async with self._client() as client:
            hello = await client.admin.command("hello")
            if hello.get("info") == _NO_CONFIGURATION:
                members = [{"_id": 0, "host": self._address}]
                await client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": members})
            return bool(hello["isWritablePrimary"])

    async def _rename_member(self, binary: Path, data: Path) -> None:
        """Change the member's address, with the server started outside the set as MongoDB's manual requires."""
        launch = Launch([binary, f"--dbpath={data}", *self._standalone_arguments], data)
        started = process.spawn(launch, self._state.log(self.name), self._state.mark(self.name))
        try:
            async with self._client(_MOVE_SECONDS) as client:
                await client["local"]["system.replset"].update_one({}, {"$set": {"members.0.host": self._address}})
        finally:
            found = process.find(started)
            if found:
                await process.stop(found, self.stop_signal, self.stop_seconds)

    def _client(self, seconds: float = 2.0) -> AsyncMongoClient[dict[str, Any]]:
        """A client that waits up to `seconds` for the server."""
        url = f"mongodb://{self._address}/?directConnection=true"
        return AsyncMongoClient(url, serverSelectionTimeoutMS=int(seconds * 1_000))
