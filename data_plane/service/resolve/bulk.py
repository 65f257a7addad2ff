"""Resolves many keys in one request. Each key has a result of its own: one that fails does not affect the others."""

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
from data_plane.errors import NotFreshEnough, RevisionNotReached, RouteUnknown, TooManyLoads
from data_plane.service.resolve.l1_reader import L1Reader
from data_plane.service.resolve.resolver import Resolver
from shared.runtime.clock import LocalTime
from shared.schemas.identity import RouteKey
from shared.schemas.validation import InvalidInput

_ANY_TIME = PrimaryTime(math.inf)
"""`proven_at` of no answer at all: it does not limit the bound."""


class _FromL1(NamedTuple):
    """The answers from L1, None for every other key. `proven_at`: of all answers, as in L1Reader."""

    answers: list[KeyAnswer | None]
    proven_at: PrimaryTime | None


class _Resolved(NamedTuple):
    """One answer and its staleness bound in seconds (None: unknown; 0: the answer claims nothing)."""

    answer: KeyAnswer
    bound: float | None = 0.0


class BulkResolver:
    """Answers from L1 first, and resolves the other keys concurrently, so that their loads are batched."""

    def __init__(self, l1_reader: L1Reader, resolver: Resolver, ttl_policy: TtlPolicy) -> None:
        self._l1_reader = l1_reader
        self._resolver = resolver
        self._concealed = KeyAnswer(result=Result.NOT_FOUND, max_age=int(ttl_policy.negative_seconds))

    async def resolve(
        self,
        keys: Sequence[str],
        *,
        of: str | None = None,
        accept_stale: bool = True,
        consistency: ReadConsistency = ANY,
    ) -> ManyAnswers:
        """One answer for each key, in order. A key is written `tenant:service:env:version`.

        `of`: the only tenant whose routes the caller may see (None: all); keys of other tenants are "not found". A key
        that cannot be resolved with this consistency is "unavailable".
        """
        if of is not None:
            return await self._resolve_own(keys, f"{of}:", accept_stale, consistency)
        began = self._l1_reader.now()
        # L1Reader knows no consistency: the Resolver checks it for each key.
        from_l1 = self._read_l1(keys, began) if consistency is ANY else _FromL1([None] * len(keys), _ANY_TIME)
        missing = [index for index, answer in enumerate(from_l1.answers) if answer is None]
        resolved = await self._resolve_all([keys[index] for index in missing], accept_stale, consistency)
        for index, each in zip(missing, resolved, strict=True):
            from_l1.answers[index] = each.answer
        answers = [answer for answer in from_l1.answers if answer is not None]
        return ManyAnswers(answers, self._bound(from_l1.proven_at, [each.bound for each in resolved], began))

    async def _resolve_own(
        self, keys: Sequence[str], prefix: str, accept_stale: bool, consistency: ReadConsistency
    ) -> ManyAnswers:
        own_keys = [key for key in keys if key.startswith(prefix)]
        own = await self.resolve(own_keys, accept_stale=accept_stale, consistency=consistency)
        remaining = iter(own.answers)
        answers = [next(remaining) if key.startswith(prefix) else self._answer_concealed(key) for key in keys]
        return replace(own, answers=answers)

    def _answer_concealed(self, key: str) -> KeyAnswer:
        try:
            RouteKey.parse(key)
        except InvalidInput as error:
            return _invalid(error)
        return self._concealed

    def _read_l1(self, keys: Sequence[str], now: LocalTime) -> _FromL1:
        fresh = self._l1_reader.fresh
        # Four parts have three colons; with any other number, the text could equal the path of another key.
        paths = [key.replace(":", "/").encode() if key.count(":") == 3 else b"" for key in keys]
        slots = [slot if slot is not None and slot.value else None for slot in (fresh(path, now) for path in paths)]
        self._l1_reader.count_found(len(slots) - slots.count(None))
        answers = [None if slot is None else _found(path, slot, now) for path, slot in zip(paths, slots, strict=True)]
        return _FromL1(answers, self._proven_at(keys, [slot for slot in slots if slot is not None]))

    def _proven_at(self, keys: Sequence[str], slots: Sequence[Slot]) -> PrimaryTime | None:
        if not slots:
            return _ANY_TIME
        return self._l1_reader.proven_at_of_all(slots, {key.partition(":")[0] for key in keys})

    def _bound(self, proven_at: PrimaryTime | None, bounds: Sequence[float | None], began: LocalTime) -> float | None:
        """The bound of all answers now: the first ones have aged since `began`, waiting for the last."""
        now = self._l1_reader.now()
        if proven_at == _ANY_TIME:
            of_l1: float | None = 0.0
        else:
            of_l1 = None if proven_at is None else self._l1_reader.age(proven_at, now)
        if of_l1 is None or None in bounds:
            return None
        waited = (now - began) * (1 + DRIFT)
        return max((of_l1, *(bound + waited for bound in bounds if bound)))

    async def _resolve_all(
        self, keys: Sequence[str], accept_stale: bool, consistency: ReadConsistency
    ) -> list[_Resolved]:
        if not keys:
            return []
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._resolve(key, accept_stale, consistency)) for key in keys]
        return [task.result() for task in tasks]

    async def _resolve(self, text: str, accept_stale: bool, consistency: ReadConsistency) -> _Resolved:
        try:
            key = RouteKey.parse(text)
            answer = await self._resolver.resolve(key, accept_stale=accept_stale, consistency=consistency)
        except InvalidInput as error:
            return _Resolved(_invalid(error))
        except (RouteUnknown, NotFreshEnough, RevisionNotReached, TooManyLoads) as error:
            return _Resolved(KeyAnswer(result=Result.UNAVAILABLE, detail=str(error)))
        entry, max_age = answer.entry, int(answer.remaining)
        if entry.value is None:
            return _Resolved(KeyAnswer(result=Result.NOT_FOUND, max_age=max_age, stale=answer.stale), answer.bound)
        route = msgspec.Raw(encode(key, entry.value, entry.revision))
        return _Resolved(KeyAnswer(result=Result.FOUND, route=route, max_age=max_age, stale=answer.stale), answer.bound)


def _found(path: bytes, slot: Slot, now: LocalTime) -> KeyAnswer:
    return KeyAnswer(
        result=Result.FOUND, route=msgspec.Raw(slot.body(path.split(b"/"))), max_age=int(slot.expires_at - now)
    )


def _invalid(error: InvalidInput) -> KeyAnswer:
    return KeyAnswer(result=Result.INVALID, detail="This is not a route key.", errors=error.errors)
