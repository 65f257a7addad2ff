"""The comparison of schemas finds every change that breaks an earlier reader or writer, and no other."""

from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
import pytest

from docs.record_fields import MEANINGS
from docs.record_kinds import RECORD_KINDS
from docs.record_schemas import schema_of
from tests.support.schema_compatibility import incompatibilities


class Action(StrEnum):
    CREATED = "created"
    UPDATED = "updated"


class MoreActions(StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    RENAMED = "renamed"


class FewerActions(StrEnum):
    CREATED = "created"


class Part(msgspec.Struct, kw_only=True):
    name: str
    until: str | None = None


FIELDS: dict[str, tuple[Any, ...]] = {
    "schema": (Literal[1], 1),
    "tenant": (Annotated[str, msgspec.Meta(pattern="^[a-z]+$")],),
    "revision": (Annotated[int, msgspec.Meta(ge=1)],),
    "action": (Action,),
    "state": (Action | None, None),
    "parts": (Annotated[tuple[Part, ...], msgspec.Meta(max_length=5)],),
    "reason": (str | None, None),
}


def schema_with(**changed: tuple[Any, ...] | None) -> Any:
    """The schema of the record with these fields instead; None leaves one out."""
    fields = {**FIELDS, **changed}
    struct = msgspec.defstruct(
        "Record", [(name, *each) for name, each in fields.items() if each is not None], kw_only=True
    )
    return msgspec.json.schema(struct)


def part_with(*fields: Any) -> tuple[Any, ...]:
    part = msgspec.defstruct("Part", [("name", str), *fields], kw_only=True)
    return (Annotated[tuple[part, ...], msgspec.Meta(max_length=5)],)  # type: ignore[valid-type]  # a runtime type


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"reason": None}, "/reason was removed"),
        ({"why": (str | None, None), "reason": None}, "/reason was removed"),
        ({"revision": (Annotated[str, msgspec.Meta()],)}, "/revision was integer and is string"),
        ({"revision": (int | None,)}, "/revision was integer and is integer, null"),
        ({"reason": (str, "")}, "/reason was null, string and is string"),
        ({"added": (str,)}, "/added is new and required"),
        ({"revision": (Annotated[int, msgspec.Meta(ge=1)], 1)}, "/revision became optional"),
        ({"reason": (str | None,)}, "/reason became required"),
        ({"reason": (str | None, "none")}, "/reason had the default None and has 'none'"),
        ({"action": (MoreActions,)}, "/action has the new values renamed"),
        ({"action": (FewerActions,)}, "/action lacks the values updated"),
        ({"action": (str,)}, "/action is no longer a closed set"),
        ({"state": (MoreActions | None, None)}, "/state has the new values renamed"),
        ({"schema": (Literal[1, 2], 1)}, "/schema has the new values 2"),
        ({"tenant": (Annotated[str, msgspec.Meta(pattern="^[a-z0-9]+$")],)}, "/tenant had pattern '^[a-z]+$'"),
        ({"tenant": (str,)}, "/tenant had pattern '^[a-z]+$' and has None"),
        ({"revision": (Annotated[int, msgspec.Meta(ge=0)],)}, "/revision had minimum 1 and has 0"),
        ({"parts": (tuple[Part, ...],)}, "/parts had maxItems 5 and has None"),
        ({"parts": part_with()}, "/parts/*/until was removed"),
        ({"parts": part_with(("until", int | None, None))}, "/parts/*/until was null, string and is integer, null"),
        ({"parts": part_with(("until", str | None, None), ("size", int))}, "/parts/*/size is new and required"),
    ],
)
def test_breaking_change_is_found(changed: dict[str, Any], found: str) -> None:
    problems = incompatibilities(schema_with(), schema_with(**changed))
    assert any(each.startswith(found) for each in problems), problems


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"added": (str | None, None)},
        {"added": (Action | None, None)},
        {"parts": part_with(("until", str | None, None), ("size", int | None, None))},
        {"reason": (Annotated[str | None, msgspec.Meta(description="Why")], None)},
    ],
)
def test_optional_fields_and_descriptions_break_nothing(changed: dict[str, Any]) -> None:
    assert incompatibilities(schema_with(), schema_with(**changed)) == []


def test_every_field_of_a_record_is_explained() -> None:
    schemas = [schema_of(each) for each in RECORD_KINDS]
    definitions = {each["title"]: each for schema in schemas for each in (schema, *schema.get("$defs", {}).values())}
    fields = {f"{name}.{field}" for name, each in definitions.items() for field in each.get("properties", ())}
    assert fields - MEANINGS.keys() == set(), "add a line to docs/record_fields.py, and run `make docs`"
    assert MEANINGS.keys() - fields == set(), "no record has these fields: take them out of docs/record_fields.py"
