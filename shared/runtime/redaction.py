"""Removes passwords from text that people read: output, logs, health details and messages of drivers."""

import re
import sys
from typing import Any, TextIO

MASK = "***"

# RFC 3986 ends the user info at the first of / ? #. A password in a server's URL that holds one of them unescaped makes
# the URL wrong, and must not be printed either: there, everything up to the last @ of the word counts as user info.
_USER_INFO = re.compile(
    r"""(?<![a-z0-9+.-])(?: (https?://)[^\s/?\#"'<>@]*@ | ((?!https?:)[a-z][a-z0-9+.-]*://)(?:(?!://)[^\s"'<>])*@ )""",
    re.IGNORECASE | re.VERBOSE,
)
# In the query of a URL (`?password=`, `&sslpassword=`) and in PostgreSQL's connection strings (`password='…'`).
_PASSWORD_PARAMETER = re.compile(
    r"""((?:^|[^\w])(?:\w*password|passwd|pwd)\s*=\s*)('[^']*'|[^\s&"',;]+)""", re.IGNORECASE
)


def redact(text: str) -> str:
    """The text with `***` in place of the user info of URLs and of the values of password parameters."""
    if "://" in text:
        text = _USER_INFO.sub(lambda found: f"{found[1] or found[2]}{MASK}@", text)
    return _PASSWORD_PARAMETER.sub(rf"\1{MASK}", text) if "=" in text else text


class RedactingStream:
    """A text stream that redacts each text before it writes it; everything else is the wrapped stream's."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the redacted text. Returns the length of the given one, as callers check it."""
        self._stream.write(redact(text))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Write each of the lines."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def redact_output() -> None:
    """Redact all that this process prints: log lines, tracebacks of a failed start, warnings. May be called again."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, RedactingStream):
            setattr(sys, name, RedactingStream(stream))
