"""The URLs that a route may have."""

# ruff: noqa: RUF001 - characters that look like others are what some of these tests are about

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from control_plane.domain.route_url import MAX_LENGTH, RefusedUrl, UrlRules

ACCEPTED = {
    "http://a": "http://a",
    "https://payments-v2.prod.example.com:8443/api/v2?x=1&y=%20": None,
    "https://example.com?x": None,
    "HTTPS://Example.COM/Path": "https://example.com/Path",
    "https://bücher.example/": "https://xn--bcher-kva.example/",
    "https://xn--bcher-kva.example/": None,
    "https://日本。example/": "https://xn--wgv71a.example/",
    "https://ｅｘａｍｐｌｅ.com": "https://example.com",
    "http://checkout.shop.svc.cluster.local.:80/": None,
    "http://my_service:5050/": None,
    "http://10.0.0.1:9": None,
    "http://127.0.0.1:80/": None,
    "http://169.253.255.255/": None,
    "http://169.255.0.0/": None,
    "http://[2001:db8::1]:80/": None,
    "http://[2001:DB8:0:0::1]/": "http://[2001:db8::1]/",
    "http://[::ffff:10.0.0.1]/": "http://[::ffff:a00:1]/",
    "http://a:00080/": "http://a:80/",
    "http://a/@b:c": None,
    "http://169.254.169.254.example/": None,
    "http://a/-._~!$&'()*+,;=:@/%5bx%5D?-._~!$&'()*+,;=:@/?%7B": None,
    "https://a.example/" + "x" * (MAX_LENGTH - 18): None,
}

REFUSED = {
    "": "absolute",
    "/path": "absolute",
    "//example.com/": "absolute",
    "example.com": "absolute",
    "ftp://example.com": "http:// or https://",
    "javascript:alert(1)": "absolute",
    "http:/example.com": "absolute",
    "http://": "host",
    "http:///path": "host",
    "http://:80/": "host",
    "http://user@example.com/": "user name",
    "http://user:secret@example.com/": "user name",
    "http://@example.com/": "user name",
    "http://example.com/#top": "fragment",
    "http://example.com/#": "fragment",
    "http://example.com/a b": "whitespace",
    " http://example.com/": "whitespace",
    "http://example.com/\n": "whitespace",
    "http://exam\tple.com/": "whitespace",
    "http://example.com/\x7f": "control",
    "http://example.com/\u0085": "control",
    "http://example.com/\u00a0": "whitespace",
    "http://exa\u200bmple.com/": "invisible",
    "http://example.com\\@evil.example/": "backslash",
    "http://example.com/ü": "percent-encode",
    'http://example.com/"': "'\"' at character 20: percent-encode it as %22",
    'http://example.com/?q="': "percent-encode it as %22",
    "http://example.com/%zz": "two hexadecimal digits after each %; got '%zz' at character 20: write a literal % as %25",
    "http://example.com/%": "two hexadecimal digits",
    "http://example.com/%4": "two hexadecimal digits",
    "http://example.com/?%u0041": "two hexadecimal digits",
    "http://example.com/{ns}": "percent-encode it as %7B",
    "http://example.com/${X}": "percent-encode it as %7B",
    "http://example.com/?x=a|b": "percent-encode it as %7C",
    "http://example.com/^": "percent-encode it as %5E",
    "http://example.com/`": "percent-encode it as %60",
    "http://example.com/<a>": "percent-encode it as %3C",
    "http://example.com/[x]": "percent-encode it as %5B",
    "http://example.com/?x[]=1": "percent-encode it as %5B",
    "http://{ns}.example.com/": "labels",
    "http://example.com:0/": "port",
    "http://example.com:65536/": "port",
    "http://example.com:/": "port",
    "http://example.com:80:80/": "port",
    "http://example.com:-1/": "port",
    "http://example.com:８０/": "port",
    "http://exa%6dple.com/": "percent-encoded",
    "http://-a.example/": "labels",
    "http://a..example/": "labels",
    "http://.example/": "labels",
    "http://.../": "labels",
    f"http://{'a' * 64}.example/": "labels",
    f"http://{'.'.join(['a' * 60] * 5)}/": "253",
    "http://exa!mple/": "labels",
    "http://xn--a/": "IDNA",
    "http://\u2024\u2024/": "IDNA",
    "http://example.com／evil/": "labels",
    "http://1.2.3.4.5/": "four decimal numbers",
    "http://256.1.1.1/": "four decimal numbers",
    "http://2130706433/": "four decimal numbers",
    "http://010.0.0.1/": "four decimal numbers",
    "http://0x7f.1/": "four decimal numbers",
    "http://10.0.0.1./": "four decimal numbers",
    "http://[::1/": "IPv6",
    "http://[]/": "IPv6",
    "http://[1.2.3.4]/": "IPv6",
    "http://[fe80::1%eth0]/": "zone",
    "http://[::1]x/": "host",
    "https://a.example/" + "x" * (MAX_LENGTH - 17): "at most 2048",
    "https://a.example/" + "x" * 1_000_000: "at most 2048",
    "https://ü.example/" + "x" * (MAX_LENGTH - 18): "at most 2048",
}

METADATA = [
    "169.254.169.254",
    "169.254.0.0",
    "169.254.255.255",
    "2852039166",
    "0xa9fea9fe",
    "0XA9FEA9FE",
    "0251.0376.0251.0376",
    "025177524776",
    "169.16689662",
    "169.254.43518",
    "0xa9.254.0xa9.0376",
    "169.254.169.254.",
    "１６９.254.169.254",
    "169。254。169。254",
    "①⑥⑨.254.169.254",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
    "metadata.google.internal",
    "METADATA.google.internal.",
    "ｍetadata.google.internal",
    "metadata.goog",
    "[fe80::1]",
    "[FE80::1]",
    "[febf::1]",
    "[fd00:ec2::254]",
    "[fd00:0ec2:0:0:0:0:0:0254]",
    "[fd20:ce::254]",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[::169.254.169.254]",
    "[::ffff:0:169.254.169.254]",
    "[2002:a9fe:a9fe::1]",
    "[64:ff9b::169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::a9fe:a9fe]",
    "[2001:db8::5efe:169.254.169.254]",
    "[2001:0:a9fe:a9fe::1]",
    "[2001:0:1:1::5601:5601]",
]

rules = UrlRules()

_PERCENT_ENCODED = "%[0-9A-Fa-f]{2}"
_RFC_3986 = re.compile(
    rf"https?://([a-z0-9._-]+|\[[0-9a-f:]+\])(:[0-9]+)?(/([A-Za-z0-9._~!$&'()*+,;=:@/-]|{_PERCENT_ENCODED})*)?"
    rf"(\?([A-Za-z0-9._~!$&'()*+,;=:@/?-]|{_PERCENT_ENCODED})*)?"
)
"""The grammar of the RFC's appendix A, for the URLs that routes may have."""


@pytest.mark.parametrize(("given_url", "stored"), ACCEPTED.items())
def test_accepted_url_is_stored_as_ascii_and_otherwise_unchanged(given_url: str, stored: str | None) -> None:
    assert rules.accept(given_url) == (stored or given_url)


@pytest.mark.parametrize(("url", "why"), REFUSED.items(), ids=[each[:60] for each in REFUSED])
def test_refused_url_has_a_reason(url: str, why: str) -> None:
    with pytest.raises(RefusedUrl, match=why):
        rules.accept(url)


@pytest.mark.parametrize("host", METADATA)
@pytest.mark.parametrize("form", ["http://{}/", "https://{}:8080/latest?x", "HTTP://{}"])
def test_link_local_and_metadata_hosts_are_refused_in_every_spelling(host: str, form: str) -> None:
    with pytest.raises(RefusedUrl, match=r"link-local|metadata"):
        rules.accept(form.format(host))


@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "metadata.google.internal"])
def test_link_local_hosts_can_be_allowed(host: str) -> None:
    assert UrlRules(link_local_allowed=True).accept(f"http://{host}/") == f"http://{host}/"


@pytest.mark.parametrize("host", ["0xa9fea9fe", "169.254.169.254."])
def test_unusual_spelling_of_an_address_is_refused_even_if_link_local_is_allowed(host: str) -> None:
    with pytest.raises(RefusedUrl, match="four decimal numbers"):
        UrlRules(link_local_allowed=True).accept(f"http://{host}/")


def test_other_schemes_can_be_allowed() -> None:
    assert UrlRules(("grpc", "http")).accept("GRPC://payments:50051") == "grpc://payments:50051"
    with pytest.raises(RefusedUrl, match="grpc:// or http://"):
        UrlRules(("grpc", "http")).accept("https://payments")


anything = (
    st.text()
    | st.text().map("http://{}".format)
    | st.text("htp:/@[]%.0123456789abcdefx#?\\ üß。").map("http://".__add__)
)


@given(anything)
@example("http://xn--\x80/")
@example("http://0x/")
def test_stored_url_is_plain_and_accepted_unchanged(text: str) -> None:
    try:
        stored = rules.accept(text)
    except RefusedUrl:
        return
    assert stored.isascii()
    assert stored.isprintable()
    assert _RFC_3986.fullmatch(stored)
    assert len(stored) <= MAX_LENGTH
    assert rules.accept(stored) == stored


def _octal(number: int) -> str:
    return f"0{number:o}"


def _spellings(address: IPv4Address) -> st.SearchStrategy[str]:
    number = int(address)
    a, b, c, d = address.packed
    parts = [(number,), (a, number & 0xFFFFFF), (a, b, number & 0xFFFF), (a, b, c, d)]
    bases: st.SearchStrategy[Callable[[int], str]] = st.sampled_from([str, hex, _octal])
    dotted = st.tuples(st.sampled_from(parts), st.lists(bases, min_size=4, max_size=4)).map(
        lambda drawn: ".".join(base(part) for part, base in zip(*drawn, strict=False))
    )
    embedded = st.sampled_from(["::ffff:0:0", "::", "64:ff9b::", "64:ff9b:1::"]).map(
        lambda prefix: f"[{IPv6Address(int(IPv6Address(prefix)) | number)}]"
    )
    return dotted | embedded | st.just(f"[{IPv6Address((0x2002 << 112) | (number << 80))}]")


link_local = st.integers(0, 0xFFFF).map(lambda low: IPv4Address((169 << 24) | (254 << 16) | low))


@given(link_local.flatmap(_spellings))
def test_no_spelling_of_a_link_local_address_passes(host: str) -> None:
    with pytest.raises(RefusedUrl):
        rules.accept(f"http://{host}/")


@given(st.integers(0, 0xFFFFFFFF).map(IPv4Address))
def test_ipv4_address_is_accepted_unless_it_is_reserved(address: IPv4Address) -> None:
    reserved = address.is_link_local or str(address) in {"100.100.100.200", "192.0.0.192", "168.63.129.16"}
    try:
        assert rules.accept(f"http://{address}/") == f"http://{address}/"
        assert not reserved
    except RefusedUrl:
        assert reserved
