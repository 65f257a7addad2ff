import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.schemas.identity import NAME_PATTERN, VERSION_PATTERN, RouteKey
from shared.schemas.validation import InvalidInput

names = st.from_regex(NAME_PATTERN)
versions = st.from_regex(VERSION_PATTERN)


@given(names, names, names, versions)
def test_key_survives_printing_and_parsing(tenant: str, service: str, env: str, version: str) -> None:
    key = RouteKey(tenant, service, env, version)
    assert RouteKey.parse(str(key)) == key


@pytest.mark.parametrize(
    "name", ["", "-a", "a-", ".a", "A", "a b", "a:b", "a/b", "a\n", "é", "a" * 64, "a\x00", "\u0430"]
)
def test_key_with_an_invalid_name_cannot_be_built(name: str) -> None:
    for field in ("tenant", "service", "env"):
        parts = {"tenant": "t", "service": "s", "env": "e", "version": "v", field: name}
        with pytest.raises(InvalidInput) as caught:
            RouteKey(**parts)
        assert [error.pointer for error in caught.value.errors] == [f"/{field}"]


def test_version_preserves_case_and_build_metadata() -> None:
    assert str(RouteKey("t", "s", "e", "1.0.0-RC.1+Build")) == "t:s:e:1.0.0-RC.1+Build"
    with pytest.raises(InvalidInput):
        RouteKey("t", "s", "E+1", "v")


def test_all_invalid_parts_of_a_key_are_reported_together() -> None:
    with pytest.raises(InvalidInput) as caught:
        RouteKey("T", "s", "-", "v:2")
    assert [error.pointer for error in caught.value.errors] == ["/tenant", "/env", "/version"]


@pytest.mark.parametrize("text", ["a:b:c", "a:b:c:d:e", "", "a:b:c:"])
def test_text_that_is_not_a_key_is_rejected(text: str) -> None:
    with pytest.raises(InvalidInput):
        RouteKey.parse(text)
