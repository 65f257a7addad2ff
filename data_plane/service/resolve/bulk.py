"""Many questions in one: each key is answered by itself, and none fails because of another."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import msgspec

from data_plane.domain.bulk_answer import KeyAnswer, ManyAnswers, Result
from data_plane.domain.entry import TtlPolicy
from data_plane.domain.read_consistency import ANY, ReadConsistency
from data_plane.domain.remote_clock import DRIFT, PrimaryTime
from data_plane.domain.route_encoding import encode
from data_plane.domain.slot import Slot
from data_plane.errors import NotFreshEnough, RevisionNotReached, RouteUnknown
from data_plane.service.resolve.l1_reader import L1Reader
from data_plane.service.resolve.resolver import Resolver
from shared.runtime.clock import LocalTime
from shared.schemas.identity import RouteKey
from shared.schemas.validation import InvalidInput

_ALWAYS = PrimaryTime(math.inf)
"""Nothing limits the bound: no answer came from L1."""


class _Known(NamedTuple):
    """None for every key that the process cannot answer by itself. `proven_at`: as in LocalAnswers, of all the others."""

    answers: list[KeyAnswer | None]
    proven_at: PrimaryTime | None


class _Told(NamedTuple):
    """One answer, and its bound in seconds as it was given (None: not known; 0 where nothing is claimed)."""

    answer: KeyAnswer
    bound: float | None = 0.0


class BulkResolver:
    """Answers at once what the process knows, and the rest together: the misses share their round trips."""

    def __init__(self, answers: L1Reader, resolver: Resolver, lives: TtlPolicy) -> None:
        self._answers = answers
        self._resolver = resolver
        self._hidden = KeyAnswer(result=Result.NOT_FOUND, max_age=int(lives.negative))

    async def resolve(
        self, keys: Sequence[str], *, of: str | None = None, accept_stale: bool = True, demand: ReadConsistency = ANY
    ) -> ManyAnswers:
        """One answer for each key, in order. A key is written `tenant:service:env:version`.

        `of`: the only tenant whose routes the caller may see (None: all). Another one's are answered as absent ones. The
        demand is made of each key; one that nobody can answer so is unavailable.
        """
        if of is not None:
            return await self._resolve_own(keys, f"{of}:", accept_stale, demand)
        began = self._answers.now()
        # What is demanded is looked at key by key.
        known = self._known(keys, began) if demand is ANY else _Known([None] * len(keys), _ALWAYS)
        missing = [place for place, answer in enumerate(known.answers) if answer is None]
        told = await self._ask_all([keys[place] for place in missing], accept_stale, demand) if missing else []
        for place, each in zip(missing, told, strict=True):
            known.answers[place] = each.answer
        answers = [answer for answer in known.answers if answer is not None]
        return ManyAnswers(answers, self._bound(known.proven_at, [each.bound for each in told], began))

    async def _resolve_own(
        self, keys: Sequence[str], beginning: str, accept_stale: bool, demand: ReadConsistency
    ) -> ManyAnswers:
        asked = [key for key in keys if key.startswith(beginning)]
        own = await self.resolve(asked, accept_stale=accept_stale, demand=demand)
        rest = iter(own.answers)
        answers = [next(rest) if key.startswith(beginning) else self._answer_hidden(key) for key in keys]
        return replace(own, answers=answers)

    def _answer_hidden(self, key: str) -> KeyAnswer:
        try:
            RouteKey.parse(key)
        except InvalidInput as error:
            return _invalid(error)
        return self._hidden

    def _known(self, keys: Sequence[str], now: LocalTime) -> _Known:
        fresh = self._answers.fresh
        # Four parts make three colons; with any other number the text could be taken for another route's path.
        routes = [key.replace(":", "/").encode() if key.count(":") == 3 else b"" for key in keys]
        slots = [slot if slot is not None and slot.url else None for slot in (fresh(route, now) for route in routes)]
        self._answers.count_found(len(slots) - slots.count(None))
        answers = [
            None if slot is None else _found(route, slot, now) for route, slot in zip(routes, slots, strict=True)
        ]
        return _Known(answers, self._proven_at(keys, [slot for slot in slots if slot is not None]))

    def _proven_at(self, keys: Sequence[str], slots: Sequence[Slot]) -> PrimaryTime | None:
        return self._answers.proven_at_of_all(slots, {key.partition(":")[0] for key in keys}) if slots else _ALWAYS

    def _bound(self, proven_at: PrimaryTime | None, bounds: Sequence[float | None], began: LocalTime) -> float | None:
        """Of all answers, now: those that came first have waited for the last since `began`, and so aged."""
        now = self._answers.now()
        known = 0.0 if proven_at == _ALWAYS else None if proven_at is None else self._answers.age(proven_at, now)
        if known is None or None in bounds:
            return None
        waited = (now - began) * (1 + DRIFT)
        return max((known, *(bound + waited for bound in bounds if bound)))

    async def _ask_all(self, keys: Sequence[str], accept_stale: bool, demand: ReadConsistency) -> list[_Told]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._ask(key, accept_stale, demand)) for key in keys]
        return [task.result() for task in tasks]

    async def _ask(self, text: str, accept_stale: bool, demand: ReadConsistency) -> _Told:
        try:
            key = RouteKey.parse(text)
            answer = await self._resolver.resolve(key, accept_stale=accept_stale, demand=demand)
        except InvalidInput as error:
            return _Told(_invalid(error))
        except (RouteUnknown, NotFreshEnough, RevisionNotReached) as error:
            return _Told(KeyAnswer(result=Result.UNAVAILABLE, detail=str(error)))
        entry, max_age = answer.entry, int(answer.remaining)
        if entry.url is None:
            return _Told(KeyAnswer(result=Result.NOT_FOUND, max_age=max_age, stale=answer.stale), answer.bound)
        route = msgspec.Raw(encode(key, entry.url, entry.revision))
        return _Told(KeyAnswer(result=Result.FOUND, route=route, max_age=max_age, stale=answer.stale), answer.bound)


def _found(route: bytes, slot: Slot, now: LocalTime) -> KeyAnswer:
    return KeyAnswer(
        result=Result.FOUND, route=msgspec.Raw(slot.body(route.split(b"/"))), max_age=int(slot.expires_at - now)
    )


def _invalid(error: InvalidInput) -> KeyAnswer:
    return KeyAnswer(result=Result.INVALID, detail="This is no route's key.", errors=error.errors)
