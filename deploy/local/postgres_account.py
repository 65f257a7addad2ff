"""The account that runs PostgreSQL, which refuses root."""

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


def postgres_account(wanted: str | None, user_id: int) -> Account | None:
    """The account that runs PostgreSQL when the user is root; None for any other user.

    Raises:
        LocalServerError: there is no such account.
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
        f"PostgreSQL refuses to run as root, and this machine has no account {wanted or ' or '.join(_CANDIDATES)}; "
        "set TM_LOCAL_ACCOUNT to an unprivileged account"
    )
