"""Deceptive and malformed URLs and names, on real servers: their error messages and pointers."""

# ruff: noqa: RUF001 - the tests are about characters that look like others

from urllib.parse import quote

import pytest

from tests.support.system import System

METADATA = "link-local or a cloud's metadata service"
PLAIN_IPV4 = "four decimal numbers"

REFUSED_URLS = {
    "http://user@shop.example/": "user name",
    "http://user:secret@shop.example/": "user name",
    "http://shop.example\\@evil.example/": "backslash",
    "http://shop.example\\.evil.example/": "backslash",
    "http://shop.example/\r\nX-Injected: 1": "control",
    "http://shop.example/%0d%0a\r": "control",
    "http://shop.example/\x00": "control",
    "http://shop.example/a b": "whitespace",
    "http://shop.exa\u200bmple/": "invisible",
    "http://shop.example/\u202egpj.exe": "invisible",
    "http://shop.example/#admin": "fragment",
    "http://shop.example／@evil.example/": "user name",
    "http://shop.example／evil/": "labels",
    "http://xn--a/": "IDNA",
    "http://exa%6dple.com/": "percent-encoded",
    "http://shop.example:0/": "port",
    "http://shop.example:65536/": "port",
    "http://shop.example:８０/": "port",
    "//shop.example/": "absolute",
    "shop.example": "absolute",
    "javascript:alert(1)": "absolute",
    "file:///etc/passwd": "http:// or https://",
    "gopher://shop.example/": "http:// or https://",
    "http://2130706433/": PLAIN_IPV4,
    "http://0177.0.0.1/": PLAIN_IPV4,
    "http://0x7f000001/": PLAIN_IPV4,
    "http://127.1/": PLAIN_IPV4,
    "http://169.254.169.254/latest/meta-data/": METADATA,
    "http://2852039166/": METADATA,
    "http://0251.0376.0251.0376/": METADATA,
    "http://0xA9FEA9FE/": METADATA,
    "http://①⑥⑨.254.169.254/": METADATA,
    "http://169。254。169。254/": METADATA,
    "http://[::ffff:169.254.169.254]/": METADATA,
    "http://[::ffff:a9fe:a9fe]/": METADATA,
    "http://[64:ff9b::a9fe:a9fe]/": METADATA,
    "http://[2002:a9fe:a9fe::1]/": METADATA,
    "http://[fe80::1]/": METADATA,
    "http://[fe80::1%25eth0]/": "zone",
    "http://[fd00:ec2::254]/": METADATA,
    "http://100.100.100.200/": METADATA,
    "http://metadata.google.internal/": "cloud's metadata service",
    "http://ｍetadata.google.internal./": "cloud's metadata service",
    "http://shop.example/" + "x" * 2029: "at most 2048 characters; this one has 2049",
    "http://" + "ü" * 30 + ".example/" + "x" * 2000: "at most 2048 characters",
}

STORED_URLS = {
    "HTTP://Shop.Example/Path": "http://shop.example/Path",
    "http://bücher.example/": "http://xn--bcher-kva.example/",
    "http://аpple.example/": "http://xn--pple-43d.example/",  # a Cyrillic a: stored as punycode, which shows the difference
    "http://[2001:DB8::0:1]:80/": "http://[2001:db8::1]:80/",
    "http://shop.example/" + "x" * 2028: "http://shop.example/" + "x" * 2028,
    "http://shop.example/%0d%0aX-Injected:%201": "http://shop.example/%0d%0aX-Injected:%201",
}

REFUSED_NAMES = [
    "Team",
    "te\u0430m",
    "team\u200b",
    "te:am",
    "te/am",
    "te am",
    "te%am",
    "te\\am",
    "team\n",
    "team\r\nX-Injected: 1",
    "te\x00am",
    "-team",
    "team.",
    "..",
    "a" * 64,
    "' OR 1=1 --",
    "{tenant}",
    "ｔｅａｍ",
]


@pytest.mark.parametrize(("url", "why"), REFUSED_URLS.items(), ids=lambda text: ascii(text)[:60])
async def test_rejected_url_is_a_400_with_pointer_and_reason(system: System, url: str, why: str) -> None:
    path = f"{system.control_url}/api/v1/tenants/corpus/routes/payments/prod/v1"
    answer = await system.http.put(path, json={"url": url})
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["pointer"] == "/url"
    assert why in error["detail"]


async def test_accepted_url_is_stored_and_resolved_in_normal_form(system: System) -> None:
    key = await system.new_key()
    for url, stored in STORED_URLS.items():
        assert (await system.put(key, url)).json()["url"] == stored
        await system.until_resolved(key, stored)


@pytest.mark.parametrize("name", REFUSED_NAMES, ids=lambda text: ascii(text)[:60])
@pytest.mark.parametrize("part", ["tenant", "service", "env", "version"])
async def test_rejected_name_is_a_400_with_pointer_in_every_service(system: System, part: str, name: str) -> None:
    if part == "version" and name == "Team":
        name = "Team_"  # a version may hold A-Z
    names = {"tenant": "corpus", "service": "payments", "env": "prod", "version": "v1", part: name}
    tenant, service, env, version = (quote(each, safe="").replace(".", "%2E") for each in names.values())
    audited = "&".join(f"{each}={quote(value, safe='')}" for each, value in names.items())
    for url in (
        f"{system.control_url}/api/v1/tenants/{tenant}/routes/{service}/{env}/{version}",
        f"{system.resolver_urls[0]}/api/v1/resolve/{tenant}/{service}/{env}/{version}",
        f"{system.services.audit_consumer.urls[0]}/api/v1/audit/route?{audited}",
    ):
        answer = await system.http.get(url)
        if answer.status_code == 404 and "/" in name:
            assert answer.json()["type"].endswith("no-such-path")  # an encoded slash is a slash to the server
            continue
        assert answer.status_code == 400, url
        assert [each["pointer"] for each in answer.json()["errors"]] == [f"/{part}"]
        assert "1 to 63 of" in answer.json()["errors"][0]["detail"]
        assert "x-injected" not in answer.headers
