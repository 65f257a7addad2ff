"""A fixed number of places that tenants share."""

from collections import Counter

SHARE = 9
"""Places that a tenant may hold for each place that is free."""


class FairPlaces:
    """Places for requests that wait or stream.

    A tenant may take a place while it holds fewer than SHARE times the places that are free. Alone it gets nine tenths of
    all; a tenth of the rest stays free for each further tenant; and as places are given back, tenants that want more than
    there is get equal parts. Source: the dynamic thresholds of Choudhury and Hahne (1998) for buffers that queues share.
    """

    def __init__(self, places: int) -> None:
        self.places = places
        self._held: Counter[str] = Counter()
        self.taken = 0

    @property
    def is_full(self) -> bool:
        return self.taken >= self.places

    def held(self, tenant: str) -> int:
        """The places that the tenant holds."""
        return self._held[tenant]

    def may_enter(self, tenant: str) -> bool:
        """Whether the tenant may take a place now."""
        return self._held[tenant] < SHARE * (self.places - self.taken)

    def enter(self, tenant: str) -> None:
        """Take a place; the caller has checked `may_enter`, and must call `leave`."""
        self.taken += 1
        self._held[tenant] += 1

    def leave(self, tenant: str) -> None:
        """Give a place back."""
        self.taken -= 1
        self._held[tenant] -= 1
        if not self._held[tenant]:
            del self._held[tenant]
