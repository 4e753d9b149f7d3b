"""How long silence lasts, on the wall clock and in simulated time."""

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")

from ttdm_ros.nodes import state_source
from ttdm_ros.nodes.state_source import Watchdog


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a wall clock that can be set."""
    now = [100.0]
    monkeypatch.setattr(state_source.time, "monotonic", lambda: now[0])
    return now


def test_there_is_no_silence_before_the_first_state(wall: list[float]) -> None:
    watchdog = Watchdog(None)
    wall[0] += 9.0
    assert watchdog.silence == 0.0


def test_silence_is_the_time_since_the_last_new_state(wall: list[float]) -> None:
    watchdog = Watchdog(None)
    watchdog.note(5)
    wall[0] += 0.25
    assert watchdog.silence == pytest.approx(0.25)
    assert watchdog.is_new(6)
    watchdog.note(6)
    assert watchdog.silence == 0.0


def test_a_stamp_that_comes_again_or_goes_back_is_not_new(wall: list[float]) -> None:
    watchdog = Watchdog(None)
    assert watchdog.is_new(5)
    watchdog.note(5)
    assert not watchdog.is_new(5)
    assert not watchdog.is_new(4)
    watchdog.begin()
    assert watchdog.is_new(4)


def test_a_paused_simulation_is_no_silence(wall: list[float]) -> None:
    simulated = [1_000_000_000]
    watchdog = Watchdog(lambda: simulated[0])
    watchdog.note(1_000_000_000)
    wall[0] += 60.0
    assert watchdog.silence == 0.0
    simulated[0] += 40_000_000  # time goes on without states
    assert watchdog.silence == pytest.approx(0.04)


def test_nobody_waits_for_a_paused_simulation_to_come_to_rest(wall: list[float]) -> None:
    watchdog = Watchdog(lambda: 1_000_000_000)
    watchdog.note(1_000_000_000)
    watchdog.is_leaving = True
    wall[0] += 0.5
    assert watchdog.silence == 0.0
    wall[0] += 1.0
    assert watchdog.silence == pytest.approx(1.5)
