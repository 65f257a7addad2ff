"""The authenticator of `TM_ACCESS=off`, which accepts every caller as an admin. For local development only."""

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
    """The Authenticator port without any verification. The subject is the value of `X-Actor`, or `anonymous`."""

    def check(self, headers: Headers) -> Principal | Refusal:
        """Refused as invalid when `X-Actor` is not 1 to 128 of A-Z a-z 0-9 @ . _ + : / | -."""
        offered = next((value for name, value in headers if name == _HEADER), ANONYMOUS.encode())
        if not _ACTOR.fullmatch(offered):
            return Refusal.INVALID
        subject = offered.decode("ascii")
        return Principal(subject, Role.ADMIN, None, subject)

    def accept(self, headers: Headers) -> Acceptance | None:
        result = self.check(headers)
        return None if isinstance(result, Refusal) else Acceptance(result, until=math.inf)

    def version(self) -> int:
        return 0

    def count_accepted(self, requests: int) -> None:
        """Counts nothing, because no credential is verified."""
