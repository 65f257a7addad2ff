"""The containers' configurations: the servers and settings of the local processes."""

from pathlib import Path

from deploy.local.container import Plan
from deploy.local.kafka.broker import CLUSTER_ID, KafkaBroker
from deploy.local.mongo import MongoServer
from deploy.local.ports import LOOPBACK
from deploy.local.postgres import DATABASE, Primary, Replica
from deploy.local.postgres_home import ROLE
from deploy.local.redis import RedisServer

_POSTGRES_DATA = "/var/lib/postgresql"
_KAFKA_DATA = "/var/lib/kafka/data"
# The official image initialises primaries only. This command initialises a replica.
_COPY_PRIMARY = (
    'test -s "$PGDATA/PG_VERSION" || { mkdir -p "$PGDATA" && chown -R postgres "$PGDATA" && chmod 700 "$PGDATA" '
    f'&& gosu postgres pg_basebackup -D "$PGDATA" -h {LOOPBACK} -p "$PRIMARY_PORT" -U {ROLE} -c fast '
    '&& touch "$PGDATA/standby.signal" && chown postgres "$PGDATA/standby.signal"; } && exec gosu postgres "$@"'
)


def primary_plan(image: str, primary: Primary) -> Plan:
    """The primary. The official image creates its role and database."""
    environment = {
        "POSTGRES_USER": ROLE,
        "POSTGRES_PASSWORD": primary.password,
        "POSTGRES_DB": DATABASE,
        "POSTGRES_INITDB_ARGS": (
            "--auth-host=scram-sha-256 --encoding=UTF8 --locale=C --locale-provider=builtin --builtin-locale=C.UTF-8"
        ),
    }
    return Plan(image, _POSTGRES_DATA, _postgres_command(primary.settings), environment)


def replica_plan(image: str, replica: Replica) -> Plan:
    """The replica, copied from the primary at its first start."""
    environment = {"PGPASSWORD": replica.password, "PRIMARY_PORT": str(replica.primary_port)}
    command = _postgres_command(replica.settings)
    return Plan(image, _POSTGRES_DATA, command, environment, entrypoint=("bash", "-euc", _COPY_PRIMARY, "replica"))


def redis_plan(image: str, redis: RedisServer) -> Plan:
    """Redis without persistence."""
    return Plan(image, "/data", ("valkey-server", *redis.arguments))


def kafka_plan(image: str, kafka: KafkaBroker) -> Plan:
    """Kafka. The official image formats its storage itself, but only for a fixed quorum."""
    properties = kafka.properties(Path(_KAFKA_DATA))
    del properties["controller.quorum.bootstrap.servers"]
    properties["controller.quorum.voters"] = f"1@{kafka.controller}"
    environment = {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in properties.items()}
    return Plan(image, _KAFKA_DATA, environment={"CLUSTER_ID": CLUSTER_ID, **environment})


def mongo_plan(image: str, mongo: MongoServer) -> Plan:
    """MongoDB as a replica set of one member."""
    return Plan(image, "/data/db", ("mongod", *mongo.arguments))


def _postgres_command(settings: dict[str, str]) -> list[str]:
    return ["postgres", *(text for name, value in settings.items() for text in ("-c", f"{name}={value}"))]
