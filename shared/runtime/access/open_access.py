"""`TM_ACCESS=off`: everyone may do everything. For a laptop."""

import math
import re

from shared.runtime.access.authenticator import Acceptance, Headers
from shared.runtime.access.principal import Principal, Refusal
from shared.schemas.access import Role

ACTOR_HEADER = "X-Actor"
ANONYMOUS = "anonymous"

_ACTOR = re.compile(rb"[A-Za-z0-9@._+:/|-]{1,128}")
_HEADER = ACTOR_HEADER.lower().encode()


class OpenAccess:
    """The Authenticator that believes everybody: the subject is what `X-Actor` says, `anonymous` without one."""

    def check(self, headers: Headers) -> Principal | Refusal:
        """Invalid when `X-Actor` is not 1 to 128 of A-Z a-z 0-9 @ . _ + : / | -."""
        offered = next((value for name, value in headers if name == _HEADER), ANONYMOUS.encode())
        if not _ACTOR.fullmatch(offered):
            return Refusal.INVALID
        subject = offered.decode("ascii")
        return Principal(subject, Role.ADMIN, None, subject)

    def accept(self, headers: Headers) -> Acceptance | None:
        found = self.check(headers)
        return None if isinstance(found, Refusal) else Acceptance(found, until=math.inf)

    def version(self) -> int:
        return 0

    def count_accepted(self, requests: int) -> None:
        """Nobody is checked, and so nothing is counted."""
