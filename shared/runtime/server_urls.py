"""Checks the addresses of servers in settings. The messages repeat nothing of a wrong one: it may hold a password."""

import re
from collections.abc import Callable

_HOST = r"(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9_.%-]*)(:[0-9]{1,5})?"
_HOSTS = re.compile(rf"{_HOST}(,{_HOST})*")
_PORT = re.compile(r":([0-9]{1,5})(?=,|$)")
_LAST_PORT = 65_535
_BROKERS = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9_.-]+)(:[0-9]{1,5})?")


def server_url(*schemes: str) -> Callable[[str], str]:
    """A validator of connection URLs with one of these schemes; it raises ValueError.

    Drivers quote parts of a URL that they cannot read, so a password with an unescaped character is refused here.
    """

    def validate(url: str) -> str:
        scheme, separator, rest = url.partition("://")
        if not separator or scheme not in schemes:
            raise ValueError(f"must start with {' or '.join(f'{each}://' for each in schemes)}")
        if scheme != "unix":
            _require_hosts(rest)
        return url

    return validate


def _require_hosts(rest: str) -> None:
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    user_info, _, hosts = authority.rpartition("@")
    if "@" in user_info or "@" in rest[len(authority) :] or not _HOSTS.fullmatch(hosts) or not _has_ports(hosts):
        raise ValueError(
            "has a malformed user, password, host or port; "
            "percent-encode special characters of user and password (@ is %40, / is %2F)"
        )


def _has_ports(hosts: str) -> bool:
    """Whether each port is one; drivers fail on others only when they connect, with an error that names no setting."""
    return all(1 <= int(port) <= _LAST_PORT for port in _PORT.findall(hosts))


def kafka_bootstrap(servers: str) -> str:
    """A validator of Kafka's bootstrap servers; it raises ValueError."""
    if not all(_BROKERS.fullmatch(each.strip()) and _has_ports(each.strip()) for each in servers.split(",")):
        raise ValueError("must be host:port, several comma separated, without a scheme, a user or a password")
    return servers
