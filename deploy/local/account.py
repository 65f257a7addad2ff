"""The account that runs a server which refuses root."""

import pwd
from dataclasses import dataclass

from deploy.local.errors import LocalServerError

_CANDIDATES = ("postgres", "nobody")


@dataclass(frozen=True)
class Account:
    """A user of this machine."""

    name: str
    uid: int
    gid: int


def unprivileged(wanted: str | None, user_id: int) -> Account | None:
    """Whom to become for PostgreSQL; None when the user is an ordinary one already.

    Raises:
        LocalServerError: no such account.
    """
    if user_id != 0:
        return None
    for name in (wanted,) if wanted else _CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise LocalServerError(
        f"PostgreSQL refuses to run as root and there is no account {wanted or ' or '.join(_CANDIDATES)} here; "
        "name an existing unprivileged one in TM_LOCAL_ACCOUNT"
    )
