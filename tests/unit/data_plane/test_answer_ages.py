"""The sampled ages of answers, of the resolver and of the fast path."""

from data_plane.service.resolve.answer_ages import SAMPLED_EVERY
from tests.fakes.data_plane_world import KEY, Instance, World
from tests.support.asgi import Request, response_messages
from tests.support.fast_path_oracle import access_for, encoded_headers, fast_path_only, path_of

AGE = 12.0
"""Seconds."""


def ages(instance: Instance, kind: str) -> tuple[float, float, float]:
    """The number of observations, of those of at most 10 s, and their sum."""
    text = instance.metrics.exposition().decode()

    def value(series: str) -> float:
        return next(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(series))

    name = "tm_answer_age_seconds"
    return (
        value(f'{name}_count{{kind="{kind}"}}'),
        value(f'{name}_bucket{{kind="{kind}",le="10.0"}}'),
        value(f'{name}_sum{{kind="{kind}"}}'),
    )


async def test_resolver_observes_one_answer_in_a_hundred() -> None:
    world = World()
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    world.clock.advance(AGE)
    for _ in range(2 * SAMPLED_EVERY + 1):
        await instance.core.resolver.resolve(KEY)
    assert ages(instance, "positive") == (2, 0, 2 * AGE)
    assert ages(instance, "negative") == (0, 0, 0)


async def test_fast_path_observes_one_answer_in_a_hundred() -> None:
    world = World()
    instance = world.instance()
    access = access_for(KEY.tenant, world.clock)
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    app = fast_path_only(instance, access)
    world.clock.advance(AGE)
    for _ in range(SAMPLED_EVERY):
        await response_messages(app, Request(path_of(KEY), headers=encoded_headers([])))
    assert ages(instance, "positive") == (1, 0, AGE)
