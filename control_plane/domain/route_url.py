"""The URL of a route: the accepted URLs and their stored form. No part of the product ever fetches one.

Every client parses the URLs that it resolves, so a route has only URLs that RFC 3986 defines; docs/adr/0029 has the reasons.
"""

import re
from dataclasses import dataclass

from control_plane.domain.host import RefusedHost, accept_host

MAX_LENGTH = 2048

_SHAPE = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<rest>[^#]*)(?P<fragment>#.*)?")
_HOST_AND_PORT = re.compile(r"(?P<host>\[[^\]]*\]|[^:]*)(?::(?P<port>.*))?")
_PORT = re.compile(r"[0-9]{1,5}")
# RFC 3986, sections 3.3 and 3.4: the path has pchar and "/", the query these and "?".
_NOT_IN_REST = re.compile(r"[^A-Za-z0-9._~!$&'()*+,;=:@/?%-]|%(?![0-9A-Fa-f]{2})")
_FORBIDDEN = re.compile(r"[\s\x00-\x20\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]")


class RefusedUrl(ValueError):
    """A URL that a route cannot have. The message is a predicate that follows the name of the field."""


@dataclass(frozen=True, slots=True)
class UrlRules:
    """The URLs that routes may have."""

    schemes: tuple[str, ...] = ("http", "https")
    link_local_allowed: bool = False

    def accept(self, text: str) -> str:
        """The URL as it is stored: scheme and host in lower case, the host in ASCII, the rest as given.

        Raises RefusedUrl.
        """
        _refuse_characters(text)
        shape = _SHAPE.fullmatch(text)
        if shape is None or shape["scheme"].lower() not in self.schemes:
            raise RefusedUrl(f"must be absolute and begin with {' or '.join(f'{each}://' for each in self.schemes)}")
        if shape["fragment"] is not None:
            raise RefusedUrl("must not have a fragment (the part after #)")
        _refuse_invalid_rest(text, shape.start("rest"))
        url = f"{shape['scheme'].lower()}://{self._accept_authority(shape['authority'])}{shape['rest']}"
        if len(url) > MAX_LENGTH:
            raise RefusedUrl(f"must have at most {MAX_LENGTH} characters; this one has {len(url)} as ASCII")
        return url

    def _accept_authority(self, authority: str) -> str:
        if "@" in authority:
            raise RefusedUrl("must not have a user name or password (the part before @)")
        parts = _HOST_AND_PORT.fullmatch(authority)
        if parts is None or not parts["host"]:
            raise RefusedUrl("must have a host and at most one port")
        try:
            host = accept_host(parts["host"], link_local_allowed=self.link_local_allowed)
        except RefusedHost as error:
            raise RefusedUrl(f"has a host that cannot be used: the host {error}") from error
        return host if parts["port"] is None else f"{host}:{_accept_port(parts['port'])}"


def _refuse_characters(text: str) -> None:
    # The first check, so that no regular expression scans a megabyte.
    if len(text) > 4 * MAX_LENGTH:
        raise RefusedUrl(f"must have at most {MAX_LENGTH} characters; this one has {len(text)}")
    if _FORBIDDEN.search(text):
        raise RefusedUrl("must not hold whitespace, control or invisible characters")
    if "\\" in text:
        raise RefusedUrl("must not hold a backslash")


def _refuse_invalid_rest(text: str, start: int) -> None:
    """Raises RefusedUrl for the first character after the host that RFC 3986 does not allow there."""
    found = _NOT_IN_REST.search(text, start)
    if found is None:
        return
    character, place = found[0], found.start() + 1
    if character == "%":
        raise RefusedUrl(
            f"must have two hexadecimal digits after each %; got {text[found.start() : found.start() + 3]!r} at character "
            f"{place}: write a literal % as %25"
        )
    encoded = "".join(f"%{byte:02X}" for byte in character.encode(errors="replace"))
    raise RefusedUrl(
        f"must hold only characters that RFC 3986 allows; got {character!r} at character {place}: percent-encode it as "
        f"{encoded}"
    )


def _accept_port(text: str) -> int:
    if not _PORT.fullmatch(text) or not 1 <= int(text) <= 65535:
        raise RefusedUrl(f"has a port that is not a number from 1 to 65535: {text[:80]!r}")
    return int(text)
