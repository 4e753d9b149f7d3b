"""Time comes from the simulator: a pause is no fault, and nobody has to wait for its end to stop."""

import signal
from collections.abc import Iterator
from typing import Any

import pytest

PLANT = {"plant": "payload_friction", "publish_clock": True, "real_time_factor": 0.5, "rate": 250}
CONTROLLER = {"task": "circle", "autostart": True, "controller__missed": 1000, "controller__stale_periods": 30.0}


@pytest.fixture(scope="module")
def moving(world: Any) -> Iterator[Any]:
    world.record(use_sim_time=True)
    world.start("simulator", **PLANT)
    world.start("mpc_controller", use_sim_time=True, **CONTROLLER)
    world.until_phase("approach", "tracking")
    world.hear(10)
    yield world


def test_a_pause_is_no_fault(moving: Any) -> None:
    moving.processes["simulator"].send_signal(signal.SIGSTOP)
    moving.hear(20)
    moving.processes["simulator"].send_signal(signal.SIGCONT)
    moving.simulator = {}
    moving.until(lambda: moving.simulator.get("holding") == "false")
    assert moving.status["fault"] == ""
    assert moving.phase in ("approach", "tracking", "holding")


def test_it_ends_cleanly_while_the_simulation_is_paused(moving: Any) -> None:
    moving.processes["simulator"].send_signal(signal.SIGSTOP)
    moving.hear(5)
    assert moving.phase in ("approach", "tracking", "holding")
    assert moving.end("mpc_controller") == 0
    moving.processes["simulator"].send_signal(signal.SIGCONT)
    assert [moving.end(name) for name in ("simulator", "recorder")] == [0, 0]
    recording = moving.read()
    assert recording.joint_states is not None
    assert recording.joint_states.stamp_ns.max() < 1000 * 10**9  # simulated time, not the date
