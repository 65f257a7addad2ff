"""The names of the services."""

from enum import StrEnum


class Service(StrEnum):
    """The three services, by their names in logs, metrics and Kafka clients."""

    CONTROL_PLANE = "control_plane"
    DATA_PLANE = "data_plane"
    AUDIT_CONSUMER = "audit_consumer"
