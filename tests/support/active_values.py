"""Values of active routes by their URL."""

from typing import Protocol

from data_plane.domain.active_value import ActiveValue


class HasValue(Protocol):
    """An entry or a reading."""

    @property
    def value(self) -> ActiveValue | None: ...


def a_value(url: str | None) -> ActiveValue | None:
    """The value with this URL; None without one."""
    return None if url is None else ActiveValue(url)


def url_of(holder: HasValue) -> str | None:
    """The URL of an entry or reading; None where no route is active."""
    return None if holder.value is None else holder.value.url
