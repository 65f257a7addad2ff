"""Settings that are renamed or wrong stop a service before it starts."""

import pytest

from audit_consumer.settings import AuditSettings
from control_plane.settings import ControlPlaneSettings
from data_plane.settings import DataPlaneSettings
from shared.runtime.renamed_settings import RENAMED_SETTINGS
from shared.runtime.settings import ServiceSettings, read_settings

SERVICES = (AuditSettings, ControlPlaneSettings, DataPlaneSettings)


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(("old", "new"), RENAMED_SETTINGS.items())
def test_old_name_of_a_setting_is_refused_with_its_new_name(
    service: type[ServiceSettings],
    old: str,
    new: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TM_REPLICA_URLS", "postgresql://a")
    monkeypatch.setenv(old, "1")
    with pytest.raises(SystemExit) as exit_:
        read_settings(service)
    assert exit_.value.code == 2
    assert f"{old}: renamed; set {new} instead" in capsys.readouterr().err


def test_old_names_and_wrong_values_are_reported_together(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("tm_requests_at_once", "1")
    monkeypatch.setenv("TM_HTTP_PORT", "none")
    with pytest.raises(SystemExit):
        read_settings(ControlPlaneSettings)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["TM_REQUESTS_AT_ONCE", "TM_HTTP_PORT"]


@pytest.mark.parametrize(
    ("source", "is_accepted"),
    [
        ("http://127.0.0.1:8080/jwks", True),
        ("http://localhost/jwks", True),
        ("http://[::1]:8080/jwks", True),
        ("https://id.example.com/jwks", True),
        ("http://localhost:80@id.example.com/jwks", False),
        ("http://127.0.0.1.example.com/jwks", False),
        ("http://[::1", False),
        ("http://id.example.com/jwks", False),
    ],
)
def test_key_set_over_plain_http_is_accepted_from_loopback_only(source: str, is_accepted: bool) -> None:
    given = {"jwt_issuer": "a", "jwt_audience": "b", "jwt_jwks": source}
    if is_accepted:
        assert ControlPlaneSettings.model_validate(given).jwt_jwks == source
    else:
        with pytest.raises(ValueError, match="must be a file or an https URL"):
            ControlPlaneSettings.model_validate(given)


def test_new_names_of_renamed_settings_exist() -> None:
    existing = {f"TM_{name.upper()}" for service in SERVICES for name in service.model_fields}
    assert set(RENAMED_SETTINGS.values()) <= existing
    assert not set(RENAMED_SETTINGS) & existing


def test_right_settings_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TM_HTTP_PORT", "8123")
    assert read_settings(ControlPlaneSettings).http_port == 8123


@pytest.mark.parametrize("host", ["10.0.0.1", "::", "192.0.2.1"])
def test_access_can_be_off_beyond_loopback_only_if_that_is_said_twice(
    host: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TM_ACCESS", "off")
    monkeypatch.setenv("TM_HTTP_HOST", host)
    with pytest.raises(SystemExit):
        read_settings(ControlPlaneSettings)
    assert "TM_ACCESS_OFF_FOR_ALL" in capsys.readouterr().err
    monkeypatch.setenv("TM_ACCESS_OFF_FOR_ALL", "true")
    assert read_settings(ControlPlaneSettings).access == "off"


def test_access_can_be_off_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TM_ACCESS", "off")
    for host in ("127.0.0.1", "localhost", "[::1]"):
        monkeypatch.setenv("TM_HTTP_HOST", host)
        assert read_settings(ControlPlaneSettings).access == "off"
