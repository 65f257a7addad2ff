"""The errors of the audit consumer that callers or the worker handle."""


class QueryTooSlow(Exception):
    """A query exceeded its deadline although MongoDB is up. A narrower query can succeed."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"the query exceeded its deadline of {seconds:g} s; filter by tenant or route, or shorten the period"
        )


class AssignmentLost(Exception):
    """A rebalance moved the partitions of a batch to another member of the group, which will read the batch again."""
