"""Makes fresh stores usable: the topics in Kafka, and the replica set in MongoDB. Changes nothing that is there.

Runs as a Job of the dev overlay, from the services' image: `prepare.py KAFKA_BOOTSTRAP MONGO_HOST:PORT`.
"""

import asyncio
import sys
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure, PyMongoError

from shared.schemas.topics import TOPICS

REPLICA_SET = "rs0"
_ALREADY_EXISTS = 36
_NOT_YET_INITIALIZED = 94
_ATTEMPTS, _PAUSE_SECONDS, _SELECTION_MILLISECONDS = 60, 2.0, 10_000


async def create_topics(bootstrap: str) -> None:
    """Every topic that the broker does not have. Raises KafkaError, also for a topic that the broker refuses."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        topics = [NewTopic(each.name, each.partitions, 1, topic_configs=dict(each.configs)) for each in TOPICS]
        answer = await admin.create_topics(topics)
    finally:
        await admin.close()
    refused = [(name, code) for name, code, *_ in answer.topic_errors if code not in (0, _ALREADY_EXISTS)]
    if refused:
        raise KafkaError(f"topics were refused: {refused}")


async def initiate_replica_set(address: str) -> None:
    """A set of this one member, and a wait until it is its primary. Raises PyMongoError."""
    async with _client(address, "directConnection=true") as client:
        try:
            await client.admin.command("replSetGetStatus")
        except OperationFailure as error:
            if error.code != _NOT_YET_INITIALIZED:
                raise
            members = [{"_id": 0, "host": address}]
            await client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": members})
    async with _client(address, f"replicaSet={REPLICA_SET}") as client:
        await client.admin.command("ping")


def _client(address: str, option: str) -> AsyncMongoClient[dict[str, Any]]:
    return AsyncMongoClient(f"mongodb://{address}/?{option}", serverSelectionTimeoutMS=_SELECTION_MILLISECONDS)


async def main(bootstrap: str, mongo: str) -> None:
    """Both, repeated until they succeed. Raises the last error when they do not."""
    for left in reversed(range(_ATTEMPTS)):
        try:
            await create_topics(bootstrap)
            await initiate_replica_set(mongo)
        except (KafkaError, PyMongoError, OSError) as error:
            if not left:
                raise
            sys.stderr.write(f"{type(error).__name__}: {error}; tried again in {_PAUSE_SECONDS:.0f} s\n")
            await asyncio.sleep(_PAUSE_SECONDS)
        else:
            return


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
