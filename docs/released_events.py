"""Keeps the schemas and samples of a release, for the test that compares later ones: `make release-events`."""

import sys
from pathlib import Path

import msgspec

from docs.record_kinds import RECORD_KINDS, RecordKind
from docs.record_schemas import dead_letter_schema, schema_of, schema_text
from shared.runtime.version import VERSION

RELEASED = Path(__file__).parents[1] / "tests" / "contract" / "released_events"


def main() -> None:
    """Write the files of the release. Refuses to change those of one that has been kept."""
    folder = RELEASED / VERSION
    if folder.exists():
        sys.exit(
            f"{folder} exists: what a release published does not change. Set VERSION in shared/runtime/version.py."
        )
    folder.mkdir(parents=True)
    (folder / "dead-letter-headers.schema.json").write_text(schema_text(dead_letter_schema()))
    for kind in RECORD_KINDS:
        (folder / f"{kind.name}.schema.json").write_text(schema_text(schema_of(kind)))
        (folder / f"{kind.name}.samples.jsonl").write_bytes(b"".join(_samples(kind)))


def _samples(kind: RecordKind) -> list[bytes]:
    """The values of the examples as they are on the wire, a line each."""
    return [msgspec.json.encode(each) + b"\n" for each in kind.examples]


if __name__ == "__main__":
    main()
