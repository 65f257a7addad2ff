"""What a wrong environment is told."""

import pytest
from pydantic import ValidationError

from data_plane.settings import DataPlaneSettings


def _wrong(**values: object) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        DataPlaneSettings.model_validate(values)
    return {str(each["loc"][0]): each["msg"] for each in caught.value.errors()}


def test_a_database_is_needed() -> None:
    assert "TM_REPLICA_URLS" in _wrong(replica_urls="", postgres_url=None)["postgres_url"]


def test_every_wrong_url_is_named() -> None:
    assert set(_wrong(replica_urls="mysql://x", postgres_url="y", redis_url="z")) == {
        "replica_urls",
        "postgres_url",
        "redis_url",
    }


def test_urls_with_passwords_are_not_printed() -> None:
    settings = DataPlaneSettings.model_validate(
        {
            "replica_urls": "postgresql://a:secret@b/c, postgresql://d",
            "postgres_url": "postgresql://a:secret@b/c",
            "redis_url": "redis://:secret@b",
        }
    )
    assert settings.replica_urls == ("postgresql://a:secret@b/c", "postgresql://d")
    assert "secret" not in repr(settings)
