"""What can go wrong here that callers or the worker must tell apart."""


class QueryTooSlow(Exception):
    """MongoDB is up, but this query takes longer than it may. A narrower one will do."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"the query took longer than {seconds:g} s; name the tenant or the route, or shorten the time range"
        )


class AssignmentLost(Exception):
    """The partitions of a batch belong to another member of the group now; it will read the batch again."""
