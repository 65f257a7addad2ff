"""The host of a route's URL: accepted names and addresses, and the addresses that no route may have."""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import idna

_METADATA_NAMES = frozenset({"metadata.google.internal", "metadata.goog", "instance-data.ec2.internal"})
_REFUSED_V4 = (
    IPv4Network("169.254.0.0/16"),  # link-local, and most clouds' metadata
    IPv4Network("100.100.100.200/32"),  # Alibaba Cloud
    IPv4Network("192.0.0.192/32"),  # Oracle Cloud
    IPv4Network("168.63.129.16/32"),  # Azure
)
_REFUSED_V6 = (
    IPv6Network("fe80::/10"),  # link-local
    IPv6Network("fd00:ec2::254/128"),  # AWS
    IPv6Network("fd20:ce::254/128"),  # Google Cloud
)

# Networks whose addresses embed an IPv4 address, and the number of bits by which it is shifted left.
_EMBEDDING = (
    (IPv6Network("::/96"), 0),  # IPv4-compatible, RFC 4291
    (IPv6Network("::ffff:0:0/96"), 0),  # IPv4-mapped, RFC 4291
    (IPv6Network("::ffff:0:0:0/96"), 0),  # IPv4-translated, RFC 2765
    (IPv6Network("64:ff9b::/96"), 0),  # NAT64, RFC 6052
    (IPv6Network("64:ff9b:1::/48"), 0),  # NAT64 for local use, RFC 8215
    (IPv6Network("2002::/16"), 80),  # 6to4, RFC 3056
)
_ISATAP = (0x00005EFE, 0x02005EFE)  # RFC 5214: the interface identifier before the IPv4 address
_TEREDO = IPv6Network("2001::/32")  # RFC 4380: the client's address is stored inverted

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class RefusedHost(ValueError):
    """A host that a route cannot have. The message is a predicate that follows "the host"."""


def accept_host(text: str, *, link_local_allowed: bool = False) -> str:
    """The host as it is stored: ASCII, lower case, IPv6 addresses compressed and in brackets.

    Raises RefusedHost.
    """
    if text.startswith("["):
        return _accept_ipv6(text, link_local_allowed)
    name = _to_ascii(text)
    last = name.removesuffix(".").rsplit(".", 1)[-1]
    if _NUMBER.fullmatch(last):
        return _accept_ipv4(name, link_local_allowed)
    if not link_local_allowed and name.removesuffix(".") in _METADATA_NAMES:
        raise RefusedHost("is a cloud's metadata service")
    return name


def _to_ascii(text: str) -> str:
    if "%" in text:
        raise RefusedHost("must not be percent-encoded")
    try:
        mapped = idna.uts46_remap(text, std3_rules=False, transitional=False)
        name = ".".join(_ascii_label(label) for label in mapped.removesuffix(".").split("."))
    except idna.IDNAError as error:
        raise RefusedHost(f"is no valid internationalised name (IDNA): {error}") from error
    if len(name) > 253:
        raise RefusedHost("must have at most 253 characters")
    return name + ("." if mapped.endswith(".") else "")


def _ascii_label(label: str) -> str:
    if not label.isascii():
        label = idna.alabel(label).decode()
    elif label.startswith("xn--"):
        idna.ulabel(label)
    if not _LABEL.fullmatch(label):
        raise RefusedHost(f"must be labels of 1 to 63 letters, digits, - and _ joined by dots; got {label[:80]!r}")
    return label


def _accept_ipv4(name: str, link_local_allowed: bool) -> str:
    address = read_ipv4(name)
    if address is not None and not link_local_allowed:
        _refuse_reserved(address)
    if address is None or name != str(address):
        # Programs disagree about the other spellings: 010.0.0.1 is 8.0.0.1 for some and 10.0.0.1 for others.
        raise RefusedHost("must be written as four decimal numbers (10.0.0.1) when it is an IPv4 address")
    return name


def read_ipv4(name: str) -> IPv4Address | None:
    """The address that inet_aton reads: one to four parts, each decimal, octal (0…) or hexadecimal (0x…)."""
    parts = name.removesuffix(".").split(".")
    try:
        numbers = [_read_number(part) for part in parts]
    except ValueError:
        return None
    *leading, rest = numbers
    if len(parts) > 4 or any(number > 255 for number in leading) or rest >= 256 ** (5 - len(parts)):
        return None
    return IPv4Address(sum(number << 8 * (3 - index) for index, number in enumerate(leading)) + rest)


def _read_number(part: str) -> int:
    if part.startswith("0x"):
        return int(part[2:] or "0", 16)
    return int(part, 8 if part.startswith("0") else 10)


def _accept_ipv6(text: str, link_local_allowed: bool) -> str:
    try:
        address = IPv6Address(text[1:-1] if text.endswith("]") else "")
    except ValueError:
        raise RefusedHost("must be an IPv6 address when it begins with [, like [2001:db8::1]") from None
    if address.scope_id is not None:
        raise RefusedHost("must not have a zone (the part after %)")
    if not link_local_allowed:
        _refuse_reserved(address)
        for embedded in embedded_ipv4(address):
            _refuse_reserved(embedded)
    return f"[{address.compressed}]"


def embedded_ipv4(address: IPv6Address) -> list[IPv4Address]:
    """The IPv4 addresses that a translator, tunnel or mapping would reach through an IPv6 address."""
    number = int(address)
    found = [number >> shift for network, shift in _EMBEDDING if address in network]
    if (number >> 32) & 0xFFFFFFFF in _ISATAP:
        found.append(number)
    if address in _TEREDO:
        found += [number >> 64, ~number]
    return [IPv4Address(each & 0xFFFFFFFF) for each in found]


def _refuse_reserved(address: IPv4Address | IPv6Address) -> None:
    refused = _REFUSED_V4 if isinstance(address, IPv4Address) else _REFUSED_V6
    if any(address in network for network in refused):
        raise RefusedHost(f"is {address}: link-local or a cloud's metadata service")
