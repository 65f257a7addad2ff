"""The judge of the fault tests finds what is wrong, and nothing else."""

import pytest

from bench.commit_history import CommitHistory, Judge, Promise, Resolved

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
    other = Resolved("two", 1, 100.2, 100.3, status=200, url="one", revision=1)
    assert verdict(judge, answer("two", 100.1, revision=2), other) == ""
    assert "revision 1 after 2" in verdict(judge, answer("one", 100.3, revision=1))
