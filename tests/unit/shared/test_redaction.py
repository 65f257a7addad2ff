"""Passwords are masked in whatever text they come."""

import io
import sys

import pytest

from shared.runtime.health import DependencyHealth
from shared.runtime.redaction import RedactingStream, redact, redact_output
from shared.runtime.resilience import DependencyUnavailable


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("postgresql://app:s3cret@db:5432/routes", "postgresql://***@db:5432/routes"),
        ("redis://:s3cret@cache:6379/0", "redis://***@cache:6379/0"),
        ("mongodb+srv://app:s3cret@mongo/?w=majority", "mongodb+srv://***@mongo/?w=majority"),
        ("https://app:s3cret@keys.example/jwks", "https://***@keys.example/jwks"),
        ("postgresql://a:s3cret@one/x,postgresql://b:s3cret@two/x", "postgresql://***@one/x,postgresql://***@two/x"),
        ("postgresql://app:s3/cr@et?@db/routes", "postgresql://***@db/routes"),
        ("postgresql://db/routes?user=app&password=s3cret&sslmode=require", "…?user=app&password=***&sslmode=require"),
        ("host=db user=app password='s3 cret' port=5432", "host=db user=app password=*** port=5432"),
        ('{"why": "redis://:s3cret@cache", "port": 1}', '{"why": "redis://***@cache", "port": 1}'),
    ],
)
def test_password_is_masked(text: str, redacted: str) -> None:
    assert redact(text) == redacted.replace("…", "postgresql://db/routes")


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://db:5432/routes",
        "https://pay.example/@scope/v1?contact=ops@example.com",
        "ada@example.com changed a route",
        "password authentication failed for user app",
        "",
    ],
)
def test_text_without_a_password_stays_as_it_is(text: str) -> None:
    assert redact(text) == text


def test_stream_redacts_what_is_written_and_reports_the_length_that_was_given() -> None:
    written = io.StringIO()
    line = "redis://:s3cret@cache\n"
    stream = RedactingStream(written)
    assert stream.write(line) == len(line)
    stream.writelines([line, "more\n"])
    assert written.getvalue() == "redis://***@cache\nredis://***@cache\nmore\n"


def test_output_of_the_process_is_redacted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stdout", written)
    monkeypatch.setattr(sys, "stderr", written)
    redact_output()
    first = sys.stdout
    redact_output()
    assert sys.stdout is first
    sys.stdout.write("redis://:s3cret@cache ")
    sys.stderr.write("redis://:s3cret@cache")
    assert written.getvalue() == "redis://***@cache redis://***@cache"


def test_reason_of_an_outage_is_kept_and_shown_without_passwords() -> None:
    why = "cannot connect to postgresql://app:s3cret@db/routes"
    health = DependencyHealth(required=True)
    health.mark_down(why)
    error = DependencyUnavailable("postgres", why)
    for text in (health.reason, error.why, str(error)):
        assert "s3cret" not in text
        assert "postgresql://***@db/routes" in text
    assert health.detail == "not answering; the log says why"
