"""JSON Schema (2020-12) of the records on Kafka, written from the structs that encode and decode them."""

import json
from typing import Any

import msgspec

from audit_consumer.domain.records import DeadLetterReason
from docs.record_fields import MEANINGS
from docs.record_kinds import RecordKind

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ID = "urn:traffic-manager:schema:"
DEAD_LETTER_HEADERS = {
    "dlq.reason": f"Why the record cannot be processed: {', '.join(DeadLetterReason)}. More may be added.",
    "dlq.detail": "What is wrong with it, in at most 500 characters.",
    "dlq.source_topic": "Topic that the record was read from.",
    "dlq.source_partition": "Its partition, in decimal digits.",
    "dlq.source_offset": "Its offset, in decimal digits.",
    "dlq.first_failed_at": "When processing failed first; RFC 3339, on the audit consumer's clock.",
    "dlq.last_failed_at": "When it failed last, before the record was moved.",
}


def schema_of(kind: RecordKind) -> dict[str, Any]:
    """The schema of the kind's values. Further properties are allowed: readers ignore what they do not know."""
    generated: dict[str, Any] = msgspec.json.schema(kind.struct)
    definitions = {name: _described(name, each) for name, each in generated["$defs"].items()}
    own = definitions.pop(kind.struct.__name__)
    # JSON Schema has no \Z; its `$` matches at the end only.
    found = {"$schema": _DIALECT, "$id": f"{_ID}{kind.name}", **own, **({"$defs": definitions} if definitions else {})}
    text = json.dumps(found).replace(r"\\Z", "$")
    portable: dict[str, Any] = json.loads(text)
    return portable


def dead_letter_schema() -> dict[str, Any]:
    """The schema of the headers that a dead letter has besides those of its source, as an object of texts."""
    numbers = ("dlq.source_partition", "dlq.source_offset")
    properties = {
        name: {
            "description": meaning,
            "type": "string",
            **({"pattern": "^[0-9]+$"} if name in numbers else {}),
            **({"format": "date-time"} if name.endswith("_at") else {}),
            **({"maxLength": 500} if name == "dlq.detail" else {}),
        }
        for name, meaning in DEAD_LETTER_HEADERS.items()
    }
    return {
        "$schema": _DIALECT,
        "$id": f"{_ID}dead-letter-headers",
        "title": "DeadLetterHeaders",
        "type": "object",
        "properties": properties,
        "required": list(properties),
    }


def schema_text(schema: dict[str, Any]) -> str:
    """The content of a schema's file."""
    return json.dumps(schema, indent=2) + "\n"


def _described(struct: str, definition: dict[str, Any]) -> dict[str, Any]:
    if "description" in definition:
        summary = definition["description"].partition("\n\n")[0]  # the rest is for callers of the struct
        definition = {**definition, "description": " ".join(summary.split())}
    if "properties" not in definition:
        return definition
    properties = {
        name: {"description": MEANINGS[f"{struct}.{name}"], **each} if f"{struct}.{name}" in MEANINGS else each
        for name, each in definition["properties"].items()
    }
    return {**definition, "properties": properties}
