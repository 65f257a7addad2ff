"""docs/events.md: the topics, and the records on them."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from docs.record_kinds import RECORD_KINDS, RecordKind
from docs.record_schemas import DEAD_LETTER_HEADERS, schema_of
from docs.tables import table
from shared.schemas.topics import DAY_MS, HOUR_MS, ROUTE_EVENTS_DLQ, TOPICS, Topic

_PREFACE = """# Events

The records that the services write to Kafka, for consumers of your own. `make docs` writes this page and the JSON Schemas in
`docs/events` from the code.

Values are JSON. Times are RFC 3339 in UTC. `route-events` has at-least-once delivery: a consumer ignores a revision of a
tenant that it has. Records of one key are in order.

## Compatibility

A fleet is mixed during every roll-out, and consumers are deployed apart. Between releases, therefore:

- Records that an earlier release wrote stay readable.
- New fields are optional, and readers ignore fields that they do not know.
- No field is removed, renamed, retyped or given another default, and no limit of a field changes.
- `action`, `previous_state` and `role` are closed: no value is added. Reasons of dead letters are open.
- A new kind of record may appear, with an `event_type` of its own; readers skip it. It never takes a revision.
- What cannot be done so gets a new `schema` number, after every reader has a release that knows it.

`tests/contract/released_events` has the schemas and samples of each release; a test compares the code with them.
"""
_ABOUT_TOPICS = {
    "route-events": "Every change of every tenant's routes, with the new values, so that consumers need not ask for them.",
    "route-events.dlq": "Records of `route-events` that the audit consumer can never store. Key and value are the bytes as "
    "received, and the source's headers are kept.",
    "access-keys": "The access keys, so that each service authenticates by itself. It has hashes of secrets, no secrets.",
    "access-key-usage": "Which access keys each process has accepted of late; the control plane keeps the time of last use.",
    "resolver-status": "What each resolver process has applied.",
}
_CONFIGS = {
    "cleanup.policy": "clean-up",
    "retention.ms": "retention",
    "max.message.bytes": "largest record",
    "segment.ms": "segment",
}


def events_page() -> str:
    """The page, with a section for each topic."""
    return "\n".join([_PREFACE, *(part for topic in TOPICS for part in _topic_parts(topic))])


def _topic_parts(topic: Topic) -> Iterator[str]:
    yield f"## {topic.name}\n"
    yield f"{_ABOUT_TOPICS[topic.name]}\n"
    configs = [(_CONFIGS[name], _readable(name, value)) for name, value in topic.configs.items()]
    yield table(("setting", "value"), [("partitions", str(topic.partitions)), *configs])
    for kind in RECORD_KINDS:
        if kind.topic is topic:
            yield from _kind_parts(kind)
    if topic is ROUTE_EVENTS_DLQ:
        yield "Headers, as text ([schema](events/dead-letter-headers.schema.json)):\n"
        yield table(("header", "meaning"), [(f"`{name}`", meaning) for name, meaning in DEAD_LETTER_HEADERS.items()])


def _readable(name: str, value: str) -> str:
    if name.endswith(".ms"):
        number = int(value)
        return f"{number // DAY_MS} d" if number % DAY_MS == 0 else f"{number / HOUR_MS * 60:g} min"
    return f"{int(value) // 1024:,} KiB" if name.endswith(".bytes") else value


def _kind_parts(kind: RecordKind) -> Iterator[str]:
    schema = schema_of(kind)
    yield f"### {kind.name}\n"
    yield f"{schema['description']}\n"
    headers = ", ".join(f"`{name}`" for name in kind.headers) or "none"
    yield f"Key: {kind.key}. Headers: {headers}. Value ([schema](events/{kind.name}.schema.json)):\n"
    definitions = schema.get("$defs", {})
    yield _fields(schema, definitions)
    for name, definition in definitions.items():
        if "properties" in definition:
            yield f"Each `{name}`:\n"
            yield _fields(definition, definitions)
    example = json.dumps(msgspec.to_builtins(kind.examples[0]), indent=2, ensure_ascii=False)
    yield f"```json\n{example}\n```\n"


def _fields(definition: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    required = definition.get("required", ())
    rows = (
        (f"`{name}`", _type(each, definitions), "yes" if name in required else "no", each.get("description", ""))
        for name, each in definition["properties"].items()
    )
    return table(("field", "type", "required", "meaning"), rows)


def _type(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_type(each, definitions) for each in schema["anyOf"])
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _type(definitions[name], definitions) if "enum" in definitions[name] else f"`{name}`"
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(each)}`" for each in schema["enum"])
    if schema["type"] == "array":
        return f"array of {_type(schema['items'], definitions)}"
    return str(schema.get("format", schema["type"]))
