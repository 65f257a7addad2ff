"""Tenants' writers queue here before they queue in the database."""

import asyncio
from weakref import WeakValueDictionary


class Turns:
    """One lock for each name. A busy tenant's writers then hold one connection of the pool, and not all of them."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, name: str) -> asyncio.Lock:
        """The lock of that name; the same one for as long as somebody holds or awaits it."""
        return self._locks.setdefault(name, asyncio.Lock())
