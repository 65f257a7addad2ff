"""Creates the product's topics."""

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.local.errors import LocalServerError
from shared.schemas.topics import TOPICS

_TOPIC_ALREADY_EXISTS = 36
_TIMEOUT_MS = 5_000


async def create_missing_topics(bootstrap: str) -> None:
    """Create every topic of the product that the broker lacks. Existing topics are not changed.

    Raises:
        LocalServerError: the broker refused a topic.
        KafkaError: the broker does not answer yet.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=_TIMEOUT_MS)
    try:
        await admin.start()
        present = set(await admin.list_topics())
        missing = [
            NewTopic(topic.name, topic.partitions, 1, topic_configs=dict(topic.configs))
            for topic in TOPICS
            if topic.name not in present
        ]
        if missing:
            answer = await admin.create_topics(missing)
            for name, code, *message in answer.topic_errors:
                if code not in (0, _TOPIC_ALREADY_EXISTS):
                    raise LocalServerError(f"Kafka refused to create topic {name}: {message}")
    finally:
        await admin.close()
