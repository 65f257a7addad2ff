"""The settings of the audit consumer."""

from pathlib import Path

from pydantic import Field

from shared.runtime.settings import MongoUrl, ServiceSettings


class AuditSettings(ServiceSettings):
    """The settings of audit_consumer, from `TM_…` environment variables."""

    mongo_url: MongoUrl = Field(
        default="mongodb://127.0.0.1:27017/?replicaSet=rs0",
        repr=False,
        description="MongoDB connection URL. Must be a replica set: majority writes need one.",
    )
    mongo_database: str = Field(
        default="audit", pattern=r"^[A-Za-z0-9_-]{1,63}$", description="MongoDB database that holds the audit trail."
    )
    audit_group: str = Field(
        default="audit-consumer", min_length=1, max_length=200, description="Kafka consumer group of the ingestion."
    )
    audit_batch_records: int = Field(
        default=500,
        ge=1,
        le=10_000,
        description="Maximum number of Kafka records in a batch. Offsets are committed per batch.",
    )
    audit_write_seconds: float = Field(
        default=5.0,
        gt=0,
        le=10,
        description="Timeout of one write to MongoDB, in seconds; the write is retried after it.",
    )
    audit_query_seconds: float = Field(
        default=1.8, gt=0, le=60, description="Timeout of one audit query, in seconds; 503 after it."
    )
    audit_retry_seconds: float = Field(
        default=5.0, gt=0, le=60, description="Maximum backoff before a failed batch is retried, in seconds; jittered."
    )
    key_snapshot_path: Path | None = Field(
        default=None,
        description="File of the key snapshot (hashes of the access keys), used to start without Kafka. Unset: no key snapshot.",
    )
