"""Random operations by several clients of two processes at once, some of which die, against a model in plain Python.

Whatever the order, the routes, the revisions, the events and the history are those of the model.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import asyncpg
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from control_plane.domain.changes import Attribution, WantedChangeSet, WantedRoute
from control_plane.domain.history import HistoryFilter
from control_plane.domain.intents import DesiredSet, Intent, Revert, RevertTo
from control_plane.domain.plans import Plan
from control_plane.domain.requests import ChangeRequest
from control_plane.domain.routes import RouteFilter
from control_plane.errors import MassDeactivation, NoSuchRoutes, RevertConflict
from shared.schemas.events import RouteChange, RouteChanged, decode
from shared.schemas.identity import RouteKey
from shared.schemas.route_value import RouteValue
from tests.support.control_plane import Registry, open_registry
from tests.support.factories import a_tenant
from tests.support.postgres import Database
from tests.support.route_model import Apply, Change, GoBack, ModelTenant, Operation, Refused, Replace, State, Undo

BY = Attribution("ci-bot", None, "req-1")
REFUSALS = (NoSuchRoutes, MassDeactivation, RevertConflict)
ALL = 1000
_R = TypeVar("_R")

_names = st.sampled_from(["one", "two", "three", "four", "five", "six"])
_urls = st.sampled_from(["http://a", "http://b"])
_change = st.builds(Change, _names, _urls, st.just(value=True)) | st.builds(Change, _names, st.none(), st.booleans())
_apply = st.builds(Apply, st.lists(_change, min_size=1, max_size=5, unique_by=lambda each: each.name).map(tuple))
_replace = st.builds(Replace, st.dictionaries(_names, _urls, max_size=6), st.booleans())
_operation = (
    _apply
    | _apply
    | _replace
    | st.builds(Undo, st.integers(0, 3), st.booleans())
    | st.builds(GoBack, st.integers(0, 4), st.booleans())
)


class ChangeHistory(RuleBasedStateMachine):
    """Operations in any order; what they led to is compared as they are done, and the whole past in `teardown`."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.opened = AsyncExitStack()
        self.tenant = a_tenant()
        self.model = ModelTenant()
        self.processes = [self.run(self.opened.enter_async_context(open_registry(url))) for _ in range(2)]
        self.connection = self.run(asyncpg.connect(url))
        self.run(self.processes[0].tenants.create(self.tenant))

    def run(self, work: Coroutine[Any, Any, _R]) -> _R:
        return self.loop.run_until_complete(work)

    @rule(operation=_operation)
    def one_client(self, operation: Operation) -> None:
        self._compare([operation], self.run(self._together([operation])))

    @rule(operations=st.lists(_operation, min_size=2, max_size=4))
    def several_clients_at_once(self, operations: list[Operation]) -> None:
        self._compare(operations, self.run(self._together(operations)))

    @rule(operation=_operation, turns=st.integers(0, 12))
    def a_client_dies(self, operation: Operation, turns: int) -> None:
        target = self._target(operation)
        self.run(self._give_up(self._request(operation, target), turns))
        if self.run(self._locked_revision()) > self.model.revision:
            self.model.states.append(self.model.after(operation, target))

    @rule()
    def undone_twice_is_as_before(self) -> None:
        # Not a precondition: whether a client that dies has committed is a race. If the choice of the next rule depended
        # on it, a repetition of the same steps would find other rules, and Hypothesis would report that instead of the
        # failure.
        if self.model.revision == 0:
            return
        before = self.model.states[-1]
        undo = Undo(0, force=False)
        for _ in range(2):
            revision = self.model.revision
            self._compare([undo], self.run(self._together([undo])))
            if self.model.revision == revision:
                return  # it created what was inactive from the start: there was nothing to deactivate
        assert self.model.states[-1] == before

    def teardown(self) -> None:
        try:
            self.run(self._expect_past())
        finally:
            self.run(self.connection.close())
            self.run(self.opened.aclose())
            self.loop.close()

    def _target(self, operation: Operation) -> int:
        least = 0 if isinstance(operation, GoBack) else 1
        return max(least, self.model.revision - operation.back) if isinstance(operation, Undo | GoBack) else 0

    def _request(self, operation: Operation, target: int) -> ChangeRequest:
        return ChangeRequest(self._intent(operation, target), BY)

    def _intent(self, operation: Operation, target: int) -> Intent:
        if isinstance(operation, Apply):
            wanted = [WantedRoute(self._key(each.name), each.is_active, each.url) for each in operation.changes]
            return WantedChangeSet(self.tenant, tuple(wanted))
        if isinstance(operation, Replace):
            named = [WantedRoute(self._key(name), is_active=True, url=url) for name, url in operation.routes.items()]
            return DesiredSet(self.tenant, tuple(named), allow_mass_deactivation=operation.allow_mass)
        if isinstance(operation, Undo):
            return Revert(self.tenant, target, operation.force)
        assert isinstance(operation, GoBack)
        return RevertTo(self.tenant, target, operation.allow_mass)

    def _key(self, name: str) -> RouteKey:
        return RouteKey(self.tenant, name, "prod", "v1")

    async def _together(self, operations: Sequence[Operation]) -> list[Plan | str]:
        async with asyncio.TaskGroup() as tasks:
            done = [
                tasks.create_task(self._carry_out(self.processes[place % 2], each))
                for place, each in enumerate(operations)
                if self.model.revision or not isinstance(each, Undo)
            ]
        return [each.result() for each in done]

    async def _carry_out(self, process: Registry, operation: Operation) -> Plan | str:
        try:
            done = await process.changes.carry_out(self._request(operation, self._target(operation)))
        except REFUSALS as error:
            return type(error).__name__
        assert isinstance(done, Plan)
        return done

    async def _give_up(self, request: ChangeRequest, turns: int) -> None:
        if isinstance(request.intent, Revert) and not self.model.revision:
            return
        task = self.loop.create_task(self.processes[0].changes.carry_out(request))
        for _ in range(turns):
            await asyncio.sleep(0.0005)
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()

    async def _locked_revision(self) -> int:
        """The tenant's revision, after transactions that are about to commit have committed."""
        query = "SELECT revision FROM tenants WHERE name = $1 FOR UPDATE"
        return int(await self.connection.fetchval(query, self.tenant))

    def _compare(self, operations: Sequence[Operation], results: Sequence[Plan | str]) -> None:
        """Replay on the model, in the order that the database chose, what was done at once."""
        applied = [each for each in operations if self.model.revision or not isinstance(each, Undo)]
        targets = [self._target(each) for each in applied]
        pairs = list(zip(applied, targets, results, strict=True))
        plans = sorted(
            ((result, operation, target) for operation, target, result in pairs if isinstance(result, Plan)),
            key=lambda each: (each[0].base_revision, each[0].committed),
        )
        for plan, operation, target in plans:
            assert plan.base_revision == self.model.revision
            state = self.model.after(operation, target)
            assert plan.committed == (state != self.model.states[-1])
            if plan.committed:
                self.model.states.append(state)
        if len(pairs) == 1 and isinstance(results[0], str):
            assert results[0] == self._refusal(*pairs[0][:2])

    def _refusal(self, operation: Operation, target: int) -> str:
        try:
            self.model.after(operation, target)
        except Refused as error:
            return str(error)
        return "was not to be refused"

    async def _expect_past(self) -> None:
        routes, history = self.processes[0].routes, self.processes[0].history
        states, last = self.model.states, self.model.revision
        assert (await self.processes[0].tenants.get(self.tenant)).revision == last
        page = await routes.page(self.tenant, RouteFilter(), None, ALL)
        assert {each.key.service: (each.value.url, each.value.is_active) for each in page} == states[-1]
        summaries = await history.page(self.tenant, HistoryFilter(), None, ALL)
        assert [each.revision for each in summaries] == list(range(last, 0, -1))
        events = await self._events()
        assert [each.revision for each in events] == list(range(1, last + 1))
        for revision, event in enumerate(events, start=1):
            committed = await history.get(self.tenant, revision)
            assert committed.changes == event.changes
            assert _replayed(states[revision - 1], committed.changes) == states[revision]
        for revision in range(last + 1):
            then = await history.routes_at(self.tenant, revision, RouteFilter(), None, ALL)
            assert {each.key.service: (each.value.url, each.value.is_active) for each in then} == states[revision]
            net = await history.diff(self.tenant, revision, last, None, ALL)
            assert net == self._difference(states[revision], states[last])

    async def _events(self) -> list[RouteChanged]:
        query = "SELECT payload FROM outbox WHERE key = $1 ORDER BY id"
        decoded = [decode(row["payload"]) for row in await self.connection.fetch(query, self.tenant)]
        return [each for each in decoded if isinstance(each, RouteChanged)]

    def _difference(self, before: State, after: State) -> list[RouteChange]:
        return [
            RouteChange.between(
                self._key(name), RouteValue(*before[name]) if name in before else None, RouteValue(*after[name])
            )
            for name in sorted(after)
            if before.get(name) != after[name]
        ]


def _replayed(state: State, changes: Sequence[RouteChange]) -> State:
    """The state after these changes, each of which must have the true previous value and a different new one."""
    for each in changes:
        before = state.get(each.service)
        assert each.previous == (None if before is None else RouteValue(*before))
        assert before != (each.url, each.is_active)
        state = {**state, each.service: (each.url, each.is_active)}
    return state


def test_routes_revisions_events_and_history_match_the_model(database: Database) -> None:
    class OnDatabase(ChangeHistory):
        def __init__(self) -> None:
            super().__init__(database.url)

    run_state_machine_as_test(
        OnDatabase,
        settings=settings(
            max_examples=20, stateful_step_count=12, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        ),
    )
