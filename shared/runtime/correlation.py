"""The id that ties a request to its log lines, its event and its audit documents."""

import itertools
import random
import re
from collections.abc import Iterator
from contextvars import ContextVar

HEADER = "X-Correlation-ID"

_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,128}")
_ENDS = tuple(b"%03x" % number for number in range(4096))
_current: ContextVar[str | None] = ContextVar("correlation_id", default=None)


def generate() -> str:
    """A new id: `req-` and 16 hexadecimal digits."""
    # Unique, not secret: reading the system's entropy for each would cost more than the answer itself.
    return f"req-{random.getrandbits(64):016x}"


def ids() -> Iterator[bytes]:
    """Ids as `generate` makes them, encoded, without end: 4,096 in a row share their random part, and cost less."""
    firsts = (b"req-%013x" % random.getrandbits(52) for _ in itertools.repeat(None))
    return itertools.chain.from_iterable(map(first.__add__, _ENDS) for first in firsts)


def accept(offered: str | None) -> str:
    """The caller's id when it is 1 to 128 of A-Za-z0-9._- and a new one otherwise."""
    return offered if offered and _ACCEPTED.fullmatch(offered) else generate()


def bind(correlation_id: str) -> None:
    """Make this the id of the current task and of those it starts."""
    _current.set(correlation_id)


def current() -> str | None:
    """The id of the request or event at hand; None outside of one."""
    return _current.get()
