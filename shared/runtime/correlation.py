"""The correlation id, which a request shares with its log records, its event and its audit documents."""

import itertools
import random
import re
from collections.abc import Iterator
from contextvars import ContextVar

EXAMPLE = "req-5f2d1c3b4a596877"
HEADER = "X-Correlation-ID"

_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,128}")
_ENDS = tuple(b"%03x" % number for number in range(4096))
_current: ContextVar[str | None] = ContextVar("correlation_id", default=None)


def generate() -> str:
    """A new id: `req-` and 16 hexadecimal digits."""
    # Unique, not secret: reading the system's entropy for each id would cost more than serving the request.
    return f"req-{random.getrandbits(64):016x}"


def ids() -> Iterator[bytes]:
    """Endless encoded ids in the format of `generate`. 4,096 in a row share their random part, which makes them cheaper."""
    firsts = (b"req-%013x" % random.getrandbits(52) for _ in itertools.repeat(None))
    return itertools.chain.from_iterable(map(first.__add__, _ENDS) for first in firsts)


def accept(offered: str | None) -> str:
    """The offered id if it consists of 1 to 128 characters of A-Za-z0-9._- and a new id otherwise."""
    return offered if offered and _ACCEPTED.fullmatch(offered) else generate()


def bind(correlation_id: str) -> None:
    """Set the id for the current task and the tasks that it starts."""
    _current.set(correlation_id)


def current() -> str | None:
    """The id of the request or event being processed; None outside of both."""
    return _current.get()
