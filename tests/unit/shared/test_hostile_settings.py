"""Every setting of every service with values that cannot be used: a message that names the setting, and exit code 2."""

import math

import pytest
from pydantic.fields import FieldInfo

from audit_consumer.settings import AuditSettings
from control_plane.settings import ControlPlaneSettings
from data_plane.settings import DataPlaneSettings
from shared.runtime.settings import ServiceSettings, read_settings

KINDS = (ControlPlaneSettings, DataPlaneSettings, AuditSettings)
NEEDED = {"TM_POSTGRES_URL": "postgresql://127.0.0.1/db", "TM_JWT_ISSUER": "i", "TM_JWT_AUDIENCE": "a"}
HOSTILE = (
    "",
    "   ",
    "-1",
    "0",
    "nan",
    "inf",
    "1e308",
    "9" * 30,
    "9" * 5000,
    "\N{BLACK HEART SUIT}",
    "\N{FULLWIDTH DIGIT ONE}",
    "a\nb",
    "\udcff",
    "ftp://127.0.0.1/x",
    "postgresql://127.0.0.1:99999/db",
    "redis://127.0.0.1:0/0",
    "mongodb://127.0.0.1:70000/",
    "127.0.0.1:99999",
    "x" * 100_000,
    ",",
    "[]",
    "{}",
)
FIELDS = [(kind, name) for kind in KINDS for name in kind.model_fields]


def _setting(name: str) -> str:
    return f"TM_{name.upper()}"


def _read(
    monkeypatch: pytest.MonkeyPatch, kind: type[ServiceSettings], name: str, value: str
) -> ServiceSettings | SystemExit:
    for each, needed in NEEDED.items():
        monkeypatch.setenv(each, needed)
    monkeypatch.setenv(_setting(name), value)
    try:
        return read_settings(kind)
    except SystemExit as end:
        return end


@pytest.mark.parametrize(("kind", "name"), FIELDS)
def test_hostile_value_is_usable_or_refused_by_name(
    kind: type[ServiceSettings], name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for value in HOSTILE:
        read = _read(monkeypatch, kind, name, value)
        errors = capsys.readouterr().err
        if isinstance(read, SystemExit):
            assert read.code == 2
            assert _setting(name) in errors
            assert "Traceback" not in errors
        else:
            assert _is_usable(getattr(read, name), kind.model_fields[name]), (name, value)


def _is_usable(value: object, field: FieldInfo) -> bool:
    """Whether no code after the reader can fail on the value for its kind."""
    if isinstance(value, int | float):
        return math.isfinite(value) and value < 2**31
    if value in ("", ()):
        return bool(field.default == value)
    parts = value if isinstance(value, tuple) else (value,)
    return all(str(each).strip() and str(each).isprintable() and len(str(each)) <= 16_384 for each in parts)


_URLS = [each for each in FIELDS if each[1].endswith(("_url", "_urls"))]


@pytest.mark.parametrize(("kind", "name"), _URLS)
@pytest.mark.parametrize("value", ["ftp://127.0.0.1/x", "nan", "\N{BLACK HEART SUIT}"])
def test_address_of_a_server_with_a_wrong_scheme_is_refused(
    kind: type[ServiceSettings], name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(_read(monkeypatch, kind, name, value), SystemExit)


@pytest.mark.parametrize("port", ["0", "65536", "99999"])
@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (ControlPlaneSettings, "postgres_url", "postgresql://127.0.0.1:{}/db"),
        (DataPlaneSettings, "replica_urls", "postgresql://127.0.0.1:{}/db"),
        (DataPlaneSettings, "redis_url", "redis://127.0.0.1:{}/0"),
        (AuditSettings, "mongo_url", "mongodb://127.0.0.1:27017,127.0.0.1:{}/"),
        (AuditSettings, "kafka_bootstrap", "127.0.0.1:9092,127.0.0.1:{}"),
    ],
)
def test_port_that_is_none_is_refused(
    kind: type[ServiceSettings], name: str, value: str, port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(_read(monkeypatch, kind, name, value.format(port)), SystemExit)
    assert not isinstance(_read(monkeypatch, kind, name, value.format("6000")), SystemExit)
