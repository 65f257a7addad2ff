"""The key of a route: tenant, service, environment, version."""

import re
from typing import Self

import msgspec

from shared.schemas.validation import FieldError, InvalidInput

# \Z instead of $, which would accept a trailing newline.
NAME_PATTERN = r"^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?\Z"
VERSION_PATTERN = r"^[A-Za-z0-9]([A-Za-z0-9._+-]{0,61}[A-Za-z0-9])?\Z"

NAME_SCHEMA = {"pattern": NAME_PATTERN.replace(r"\Z", "$")}
VERSION_SCHEMA = {"pattern": VERSION_PATTERN.replace(r"\Z", "$")}
"""The patterns for JSON Schema, whose regular expressions lack \\Z and whose `$` matches at the end only."""

_NAME = re.compile(NAME_PATTERN)
_VERSION = re.compile(VERSION_PATTERN)

_RULE = "1 to 63 of {characters}, first and last a letter or digit"
NAME_RULE = _RULE.format(characters="a-z 0-9 . _ -")
VERSION_RULE = _RULE.format(characters="a-z A-Z 0-9 . _ + -")


def name_errors(**parts: str) -> list[FieldError]:
    """One error for each invalid part, under the part's name; `version` may also contain A-Z and +."""
    return [error for field, value in parts.items() if (error := _name_error(field, value))]


def _name_error(field: str, value: str) -> FieldError | None:
    pattern, rule = (_VERSION, VERSION_RULE) if field == "version" else (_NAME, NAME_RULE)
    return None if pattern.match(value) else FieldError(f"/{field}", f"must be {rule}; got {value[:80]!r}")


class RouteKey(msgspec.Struct, frozen=True, order=True, cache_hash=True, gc=False):
    """The identity of a route. No part can contain `:` or `/`, so that the printed form is unambiguous.

    Raises InvalidInput with one error for each invalid part.
    """

    tenant: str
    service: str
    env: str
    version: str

    def __post_init__(self) -> None:
        errors = name_errors(tenant=self.tenant, service=self.service, env=self.env, version=self.version)
        if errors:
            raise InvalidInput(tuple(errors))

    def __str__(self) -> str:
        return f"{self.tenant}:{self.service}:{self.env}:{self.version}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The key printed as `tenant:service:env:version`. Raises InvalidInput."""
        parts = text.split(":")
        if len(parts) != 4:
            raise InvalidInput((FieldError("", f"must be tenant:service:env:version; got {text[:80]!r}"),))
        return cls(*parts)
