"""What a caller may ask of an answer, beyond its being fresh."""

import msgspec


class ReadConsistency(msgspec.Struct, frozen=True, gc=False):
    """`max_age`: seconds that the answer may have been wrong for at most. `min_revision`: of the tenant, to reflect."""

    max_age: float | None = None
    min_revision: int = 0


ANY = ReadConsistency()
