"""Apache Kafka in KRaft mode: one process is broker and controller."""

import asyncio
from pathlib import Path

from deploy.local import process
from deploy.local.kafka.jars import class_path, locked_jars
from deploy.local.kafka.topics import create_missing_topics
from deploy.local.local_process import Recipe
from deploy.local.ports import LOOPBACK
from deploy.local.process import Launch
from deploy.local.server_programs import java
from deploy.local.state import StateDirectory
from shared.schemas.topics import MAX_RECORD_BYTES

CONTROLLER = "kafka-controller"
CLUSTER_ID = "dHJhZmZpYy1tYW5hZ2Vy"
_FORMAT_SECONDS = 60.0
_HERE = Path(__file__).parent
# A short-lived development broker: start quickly and stay small.
_JVM_OPTIONS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


class KafkaBroker(Recipe):
    """One node with the product's topics."""

    name = "kafka"

    def __init__(self, state: StateDirectory, jar_cache: Path) -> None:
        self._state = state
        self._jar_cache = jar_cache
        self._directory = state.path / self.name

    @property
    def url(self) -> str:
        """The bootstrap address."""
        return f"{LOOPBACK}:{self._state.port(self.name)}"

    @property
    def controller(self) -> str:
        """The address of the controller."""
        return f"{LOOPBACK}:{self._state.port(CONTROLLER)}"

    async def prepare(self) -> Launch:
        self._directory.mkdir(parents=True, exist_ok=True)
        jars = await asyncio.to_thread(class_path, self._jar_cache, locked_jars())
        configuration = self._directory / "server.properties"
        data = self._directory / "data"
        configuration.write_text("".join(f"{name}={value}\n" for name, value in self.properties(data).items()))
        if not (data / "meta.properties").exists():
            await self._format(jars, configuration)
        return self._java(jars, "kafka.Kafka", str(configuration))

    async def become_usable(self) -> bool:
        await create_missing_topics(self.url)
        return True

    def properties(self, data: Path) -> dict[str, str]:
        """The contents of the node's configuration file."""
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "listeners": f"PLAINTEXT://{self.url},CONTROLLER://{self.controller}",
            "advertised.listeners": f"PLAINTEXT://{self.url}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "controller.quorum.bootstrap.servers": self.controller,
            "log.dirs": str(data),
            # A killed broker can register again only after its old session has expired; the default is 9 s.
            "broker.session.timeout.ms": "2000",
            "broker.heartbeat.interval.ms": "500",
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "message.max.bytes": str(MAX_RECORD_BYTES),
            "replica.fetch.max.bytes": str(MAX_RECORD_BYTES),
        }

    async def _format(self, jars: str, configuration: Path) -> None:
        arguments = ("format", "--standalone", "--cluster-id", CLUSTER_ID, "--config", str(configuration))
        launch = self._java(jars, "kafka.tools.StorageTool", *arguments)
        await process.run_to_end(launch, self._state.log(self.name), self._state.mark(self.name), _FORMAT_SECONDS)

    def _java(self, jars: str, main_class: str, *arguments: str) -> Launch:
        logging = f"-Dlog4j2.configurationFile={_HERE / 'log4j2.properties'}"
        argv: list[str | Path] = [java(), *_JVM_OPTIONS, logging, main_class, *arguments]
        return Launch(argv, self._directory, environment={"CLASSPATH": jars}, title=main_class)
