"""The columns of an access key, and the key in a row that has them."""

import asyncpg

from control_plane.domain.access_keys import StoredKey
from shared.schemas.access import Role

KEY_COLUMNS = """access_keys.id, version, subject, role, tenants.name AS tenant, sha256, older_sha256, older_until,
    created_by, access_keys.created_at, expires_at, rotated_at, revoked_at, last_used_at"""
"""Of `access_keys`, joined with `tenants`; `stored_key` reads them."""


def stored_key(row: asyncpg.Record) -> StoredKey:
    """The key in a row with KEY_COLUMNS."""
    values = dict(row)
    values.pop("ended", None)
    return StoredKey(key_id=values.pop("id"), role=Role(values.pop("role")), **values)
