"""Compares the JSON Schema of a record in two releases, by the rules of docs/events.md."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_ANNOTATIONS = frozenset({"$schema", "$id", "$defs", "$ref", "title", "description", "examples"})
"""Keywords by which no value is accepted or refused."""
_STRUCTURE = frozenset({"properties", "required", "enum", "anyOf", "items", "type"})

Schema = Mapping[str, Any]


def incompatibilities(released: Schema, current: Schema) -> list[str]:
    """What breaks a reader or a writer of the earlier release, each with the field's path; empty when nothing does."""
    return list(_compare("", _Resolved(released), _Resolved(current)))


class _Resolved:
    """A part of a schema, with references followed."""

    def __init__(self, schema: Schema, definitions: Mapping[str, Schema] | None = None) -> None:
        self._definitions = schema.get("$defs", {}) if definitions is None else definitions
        reference = schema.get("$ref")
        self.schema = self._definitions[reference.rpartition("/")[2]] if reference else schema

    @property
    def alternatives(self) -> Mapping[str, "_Resolved"]:
        """The parts of an `anyOf` by type, or the schema itself; msgspec gives each type at most one part."""
        parts = [self.part(each) for each in self.schema["anyOf"]] if "anyOf" in self.schema else [self]
        return {each.type: each for each in parts}

    @property
    def type(self) -> str:
        """The JSON type; an enumeration has that of its values."""
        values = self.schema.get("enum", ())
        return str(
            self.schema.get("type") or ("integer" if all(isinstance(each, int) for each in values) else "string")
        )

    def part(self, schema: Schema) -> "_Resolved":
        """A schema within this one."""
        return _Resolved(schema, self._definitions)

    @property
    def limits(self) -> Mapping[str, Any]:
        """Patterns, minima and the like."""
        return {name: each for name, each in self.schema.items() if name not in _ANNOTATIONS | _STRUCTURE}


def _compare(path: str, old: _Resolved, new: _Resolved) -> Iterator[str]:
    before, after = old.alternatives, new.alternatives
    if set(before) != set(after):
        yield f"{path or '/'} was {_listed(before)} and is {_listed(after)}"
        return
    if old.schema.get("default") != new.schema.get("default"):
        yield f"{path} had the default {old.schema.get('default')!r} and has {new.schema.get('default')!r}"
    for each in before:
        yield from _compare_one(path, before[each], after[each])


def _compare_one(path: str, old: _Resolved, new: _Resolved) -> Iterator[str]:
    yield from _compare_values(path, old.schema.get("enum"), new.schema.get("enum"))
    names = sorted((set(old.limits) | set(new.limits)) - {"default"})
    for name in names:
        if old.limits.get(name) != new.limits.get(name):
            yield f"{path} had {name} {old.limits.get(name)!r} and has {new.limits.get(name)!r}"
    if "items" in old.schema:
        yield from _compare(f"{path}/*", old.part(old.schema["items"]), new.part(new.schema["items"]))
    yield from _compare_properties(path, old, new)


def _compare_values(path: str, old: Sequence[Any] | None, new: Sequence[Any] | None) -> Iterator[str]:
    added, removed = set(new or ()) - set(old or ()), set(old or ()) - set(new or ())
    if (old is None) != (new is None):
        yield f"{path} {'is no longer' if new is None else 'became'} a closed set"
    elif added:
        yield f"{path} has the new values {_listed(added)}, which earlier readers refuse"
    elif removed:
        yield f"{path} lacks the values {_listed(removed)}, which earlier records have"


def _compare_properties(path: str, old: _Resolved, new: _Resolved) -> Iterator[str]:
    before, after = old.schema.get("properties", {}), new.schema.get("properties", {})
    was_required, is_required = set(old.schema.get("required", ())), set(new.schema.get("required", ()))
    for name in before:
        if name not in after:
            yield f"{path}/{name} was removed"
        else:
            if (name in was_required) != (name in is_required):
                yield f"{path}/{name} became {'required' if name in is_required else 'optional'}"
            yield from _compare(f"{path}/{name}", old.part(before[name]), new.part(after[name]))
    for name in after.keys() - before.keys():
        if name in is_required:
            yield f"{path}/{name} is new and required, and earlier records lack it"


def _listed(names: Any) -> str:
    return ", ".join(sorted(map(str, names)))
