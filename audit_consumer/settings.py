"""What the audit consumer can be told."""

from pathlib import Path

from pydantic import Field

from shared.runtime.settings import ServiceSettings


class AuditSettings(ServiceSettings):
    """The settings of audit_consumer, from `TM_…` environment variables."""

    mongo_url: str = Field(
        default="mongodb://127.0.0.1:27017/?replicaSet=rs0",
        pattern=r"^mongodb(\+srv)?://",
        repr=False,
        description="MongoDB, a replica set (majority writes need one).",
    )
    mongo_database: str = Field(
        default="audit", pattern=r"^[A-Za-z0-9_-]{1,63}$", description="MongoDB database that holds the audit trail."
    )
    audit_group: str = Field(
        default="audit-consumer", min_length=1, max_length=200, description="Kafka consumer group of the ingestion."
    )
    audit_batch_records: int = Field(
        default=500, ge=1, le=10_000, description="Kafka records taken at once; their offsets move together."
    )
    audit_write_seconds: float = Field(
        default=5.0, gt=0, le=10, description="Longest that one write to MongoDB may take before it is tried again."
    )
    request_deadline_seconds: float = Field(
        default=2.0, gt=0, le=60, description="Seconds until the answer to any request begins; 503 after that."
    )
    audit_query_seconds: float = Field(
        default=1.8, gt=0, le=60, description="Deadline of one audit query, after which it is answered with 503."
    )
    audit_retry_seconds: float = Field(
        default=5.0, gt=0, le=60, description="Longest pause before a failed batch is tried again; jittered below it."
    )
    access_copy: Path | None = Field(
        default=None,
        description="File that keeps the hashes of access keys, for a start while Kafka is away; none keeps no copy.",
    )
