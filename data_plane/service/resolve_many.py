"""Many questions in one: each key is answered by itself, and none fails because of another."""

import asyncio
from collections.abc import Sequence

import msgspec

from data_plane.domain.bulk import KeyAnswer, Result
from data_plane.domain.entry import Lives
from data_plane.domain.resolved import encode
from data_plane.domain.slot import Slot
from data_plane.errors import RouteUnknown
from data_plane.service.local_answers import LocalAnswers
from data_plane.service.resolve import Resolver
from shared.schemas.identity import RouteKey
from shared.schemas.validation import InvalidInput


class BulkResolver:
    """Answers at once what the process knows, and the rest together: the misses share their round trips."""

    def __init__(self, answers: LocalAnswers, resolver: Resolver, lives: Lives) -> None:
        self._answers = answers
        self._resolver = resolver
        self._hidden = KeyAnswer(result=Result.NOT_FOUND, max_age=int(lives.negative))

    async def resolve(self, keys: Sequence[str], *, of: str | None = None) -> list[KeyAnswer]:
        """One answer for each key, in order. A key is written `tenant:service:env:version`.

        `of`: the only tenant whose routes the caller may see (None: all). Another one's are answered as absent ones.
        """
        if of is not None:
            return await self._resolve_own(keys, f"{of}:")
        answers = self.known(keys)
        missing = [place for place, answer in enumerate(answers) if answer is None]
        if missing:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._ask(keys[place])) for place in missing]
            for place, task in zip(missing, tasks, strict=True):
                answers[place] = task.result()
        return [answer for answer in answers if answer is not None]

    async def _resolve_own(self, keys: Sequence[str], beginning: str) -> list[KeyAnswer]:
        own = iter(await self.resolve([key for key in keys if key.startswith(beginning)]))
        return [next(own) if key.startswith(beginning) else self._answer_hidden(key) for key in keys]

    def _answer_hidden(self, key: str) -> KeyAnswer:
        try:
            RouteKey.parse(key)
        except InvalidInput as error:
            return _invalid(error)
        return self._hidden

    def known(self, keys: Sequence[str]) -> list[KeyAnswer | None]:
        """What the process can answer by itself; None for every other key."""
        now, active = self._answers.now(), self._answers.active
        # Four parts make three colons; with any other number the text could be taken for another route's path.
        routes = [key.replace(":", "/").encode() if key.count(":") == 3 else b"" for key in keys]
        slots = [active(route, now) for route in routes]
        self._answers.count_found(len(slots) - slots.count(None))
        return [None if slot is None else _found(route, slot, now) for route, slot in zip(routes, slots, strict=True)]

    async def _ask(self, text: str) -> KeyAnswer:
        try:
            key = RouteKey.parse(text)
            answer = await self._resolver.resolve(key)
        except InvalidInput as error:
            return _invalid(error)
        except RouteUnknown as error:
            return KeyAnswer(result=Result.UNAVAILABLE, detail=str(error))
        entry, max_age = answer.entry, int(answer.remaining)
        if entry.url is None:
            return KeyAnswer(result=Result.NOT_FOUND, max_age=max_age, stale=answer.stale)
        route = msgspec.Raw(encode(key, entry.url, entry.revision))
        return KeyAnswer(result=Result.FOUND, route=route, max_age=max_age, stale=answer.stale)


def _found(route: bytes, slot: Slot, now: float) -> KeyAnswer:
    return KeyAnswer(result=Result.FOUND, route=msgspec.Raw(slot.body(route)), max_age=int(slot.expires_at - now))


def _invalid(error: InvalidInput) -> KeyAnswer:
    return KeyAnswer(result=Result.INVALID, detail="This is no route's key.", errors=error.errors)
