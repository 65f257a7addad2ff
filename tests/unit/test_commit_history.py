"""The judge of the fault tests finds what is wrong, and nothing else."""

import pytest

from bench.faults.commit_history import CommitHistory, Judge, Promise, Resolved

PROMISE = Promise(positive=60, negative=10)


@pytest.fixture
def judge() -> Judge:
    """Route 1: `one` from second 1 on, `two` from 100, inactive from 200, `three` was sent at 300 and not acknowledged."""
    history = CommitHistory()
    for second, url in ((1, "one"), (100, "two"), (200, None)):
        history.begin(1, url, second).acknowledged = second + 0.5
    history.begin(1, "three", 300)
    return Judge(history, PROMISE)


def answer(url: str | None, at: float, **values: object) -> Resolved:
    """An answer of route 1, asked for at that second."""
    given = {"status": 404 if url is None else 200, **values}
    return Resolved("one", 1, at, at + 0.1, url=url, **given)  # type: ignore[arg-type]


def verdict(judge: Judge, *answers: Resolved) -> str:
    """The complaints about these answers."""
    for each in answers:
        judge.note(each)
    return "; ".join(judge.broken)


@pytest.mark.parametrize(
    "right",
    [
        answer("one", 50),
        answer("one", 100.2),
        answer("two", 100.0),
        answer("one", 101.5, bound=1.0),
        answer("one", 160.4),
        answer("one", 170, stale=True),
        answer(None, 250),
        answer(None, 400),
        answer("three", 300),
    ],
)
def test_what_a_correct_resolver_may_answer_is_fine(judge: Judge, right: Resolved) -> None:
    assert verdict(judge, right) == ""


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (answer("one", 101.6, bound=1.0), "had been wrong for 1.100 s, its bound said 1.000 s"),
        (answer("one", 170, stale=True, bound=1.0), "its bound said 1.000 s"),
        (answer("one", 160.6), "was not marked stale"),
        (answer("two", 99.8), "two never was the route's"),
        (answer(None, 199.8), "None never was the route's"),
        (answer("never", 50), "never never was the route's"),
        (answer(None, 250, status=503), "was not answered (503)"),
        (answer(None, 250, status=0), "was not answered (no answer)"),
    ],
)
def test_what_breaks_a_promise_is_named(judge: Judge, wrong: Resolved, complaint: str) -> None:
    assert complaint in verdict(judge, wrong)


def test_a_404_that_is_too_old_has_a_shorter_life_than_a_route(judge: Judge) -> None:
    judge.history.begin(2, None, 1).acknowledged = 1.5
    judge.history.begin(2, "back", 100).acknowledged = 100.5
    old = Resolved("one", 2, 111, 111.1, status=404)
    assert "None had been wrong for 10.500 s and was not marked stale" in verdict(judge, old)


def test_an_instance_that_goes_back_is_named_and_two_that_differ_are_not(judge: Judge) -> None:
    other = Resolved("two", 1, 100.2, 100.3, status=200, url="one")
    assert verdict(judge, answer("two", 100.1), other) == ""
    assert "one (write 0 of the route) after write 1: it went back" in verdict(judge, answer("one", 100.3))


@pytest.fixture
def restless() -> Judge:
    """Route 1: `a`, inactive, `b`, inactive, `c`: written one a second, from second 0 on."""
    history = CommitHistory()
    for second, url in enumerate(("a", None, "b", None, "c")):
        history.begin(1, url, second).acknowledged = second + 0.5
    return Judge(history, PROMISE)


@pytest.mark.parametrize(
    ("shown", "complaint"),
    [
        ([None, "a"], "a (write 0 of the route) after write 1"),
        (["b", None, "b"], "b (write 2 of the route) after write 3"),
        (["c", None], "None (write 3 of the route) after write 4"),
        ([None, "b", None, "a"], "a (write 0 of the route) after write 3"),
    ],
)
def test_an_old_value_after_an_absence_is_named_and_an_old_absence_after_a_value(
    restless: Judge, shown: list[str | None], complaint: str
) -> None:
    assert complaint in verdict(restless, *(answer(url, 5 + place) for place, url in enumerate(shown)))


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param([None, "b", None, "c"], id="one after the other"),
        pytest.param(["a", None, "c"], id="some left out"),
        pytest.param(["a", None, None, "b"], id="the absence seen twice was the first both times"),
        pytest.param(["b", None, None, "c"], id="the absence seen twice was the second"),
    ],
)
def test_an_absence_may_be_any_deactivation_that_fits(restless: Judge, shown: list[str | None]) -> None:
    assert verdict(restless, *(answer(url, 5 + place) for place, url in enumerate(shown))) == ""


def test_an_absence_is_no_deactivation_that_had_not_begun_when_it_was_answered(restless: Judge) -> None:
    assert "None (write 1 of the route) after write 2" in verdict(restless, answer("b", 2.2), answer(None, 2.4))


def test_an_answer_that_came_while_a_write_was_under_way_may_show_it(restless: Judge) -> None:
    assert verdict(restless, answer("b", 2.2), answer(None, 2.95), answer("c", 3.95)) == ""


def test_an_answer_without_a_bound_is_counted_and_is_not_judged_by_it(judge: Judge) -> None:
    assert verdict(judge, answer("one", 150), answer("one", 150.2, bound=60.0)) == ""
    assert judge.unknown == 1


def test_what_is_no_answer_is_not_counted_as_one_without_a_bound(judge: Judge) -> None:
    verdict(judge, answer(None, 250, status=503), answer(None, 251, status=0))
    assert judge.unknown == 0


def test_waiting_for_its_turn_makes_an_answer_slower_and_no_staler(judge: Judge) -> None:
    assert verdict(judge, answer("one", 101.4, bound=1.0, due=99.0)) == ""
    assert verdict(judge, answer("one", 101.4, bound=1.0)) == ""
    assert [until - since for since, until in judge.spans] == pytest.approx([2.5, 0.1])
    assert judge.longest_wrong == pytest.approx(0.9)
