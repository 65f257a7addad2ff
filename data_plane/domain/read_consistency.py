"""The freshness that a caller demands of an answer, beyond the TTL."""

import msgspec


class ReadConsistency(msgspec.Struct, frozen=True, gc=False):
    """`max_age`: highest staleness bound accepted, in seconds (None: any). `min_revision`: tenant revision to include."""

    max_age: float | None = None
    min_revision: int = 0


ANY = ReadConsistency()
