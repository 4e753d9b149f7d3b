"""Ticks keep to an absolute schedule, and what a slow machine missed is given up instead of hurried after."""

import pytest

from ttdm_ros.nodes.pacer import Pacer

PERIOD = 1_000_000


class HandClock:
    """A clock that is set by hand [ns]."""

    now = 5_000_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def pacer(clock: HandClock) -> Pacer:
    return Pacer(PERIOD, clock)


def test_delays_within_a_period_do_not_add_up(pacer: Pacer, clock: HandClock) -> None:
    start = clock.now
    for k in range(1, 100):
        clock.now = start + k * PERIOD + (k % 7) * 100_000
        assert pacer.remaining() == 0.0
        assert pacer.tick() == 0
    assert pacer.late == 0
    clock.now = start + 99 * PERIOD
    assert pacer.remaining() == pytest.approx(PERIOD * 1e-9)


def test_a_short_interruption_is_caught_up_with(pacer: Pacer, clock: HandClock) -> None:
    clock.now += 5 * PERIOD
    ticks = 0
    while pacer.remaining() == 0.0:
        assert pacer.tick() == 0
        ticks += 1
    assert ticks == 5
    assert pacer.late > 0
    assert pacer.given_up_ns == 0


def test_a_long_interruption_is_given_up_and_not_made_up_for(pacer: Pacer, clock: HandClock) -> None:
    clock.now += PERIOD + 1000 * PERIOD
    assert pacer.tick() == 1000 * PERIOD
    assert pacer.given_up_ns == 1000 * PERIOD
    assert pacer.remaining() == pytest.approx(PERIOD * 1e-9)


def test_a_machine_that_is_always_too_slow_never_hurries(pacer: Pacer, clock: HandClock) -> None:
    start = clock.now
    for _ in range(1000):
        clock.now += 3 * PERIOD  # every tick takes three times as long as it should
        pacer.tick()
    assert clock.now - start - pacer.given_up_ns <= (1000 + Pacer.MAX_BEHIND + 3) * PERIOD
    assert pacer.late > 500


def test_an_overdue_tick_is_behind_until_it_is_taken(pacer: Pacer, clock: HandClock) -> None:
    assert pacer.behind_ns == 0
    clock.now += PERIOD + 250_000
    assert pacer.behind_ns == 250_000
    pacer.tick()
    assert pacer.behind_ns == 0
