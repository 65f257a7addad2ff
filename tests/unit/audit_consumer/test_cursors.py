"""Cursors continue the query that returned them, and no other query."""

import base64
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_consumer.domain.cursors import Cursor
from audit_consumer.domain.queries import AuditQuery, Filters
from shared.schemas.events import Action
from shared.schemas.validation import InvalidInput
from tests.support.audit import EPOCH, an_event

QUERY = AuditQuery(filters=Filters(tenant="team-a"), last=timedelta(days=7))
CURSOR = Cursor(an_event().sort_key, "2026-01-01T00:00:00.000000Z")


@pytest.mark.parametrize("cursor", [CURSOR, Cursor(CURSOR.after, None)])
def test_cursor_survives_encoding(cursor: Cursor) -> None:
    assert Cursor.decode(cursor.encode(QUERY), QUERY) == cursor


@pytest.mark.parametrize(
    "other",
    [
        AuditQuery(filters=Filters(tenant="team-b"), last=timedelta(days=7)),
        AuditQuery(filters=Filters(service="team-a"), last=timedelta(days=7)),
        AuditQuery(filters=Filters(tenant="team-a", action=Action.CREATED), last=timedelta(days=7)),
        AuditQuery(filters=Filters(tenant="team-a"), last=timedelta(days=8)),
        AuditQuery(filters=Filters(tenant="team-a"), start=EPOCH),
        AuditQuery(filters=Filters(tenant="team-a")),
    ],
)
def test_cursor_of_another_query_is_refused(other: AuditQuery) -> None:
    with pytest.raises(InvalidInput, match="another query"):
        Cursor.decode(CURSOR.encode(other), QUERY)


@given(st.text(max_size=100) | st.binary(max_size=100).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_text_that_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="not a cursor"):
        Cursor.decode(text, QUERY)


@pytest.mark.parametrize("token", ['["x","y",null]', '["x"]', "{}", '["x",1,null]', "[" * 90_000])
def test_forged_token_is_refused(token: str) -> None:
    forged = base64.urlsafe_b64encode(token.encode()).decode()
    with pytest.raises(InvalidInput, match="not a cursor"):
        Cursor.decode(forged, QUERY)
