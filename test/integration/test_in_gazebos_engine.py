"""The pipeline of plant:=gazebo but for Gazebo itself: its engine and its robot, in simulated time, at half speed."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("dartpy", reason="dartpy is not installed")

from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition

from ttdm_ros import topics

PLANT = "payload_friction"
CONTROLLER = {"task": "circle", "autostart": True, "controller__missed": 1000, "controller__stale_periods": 30.0}


@pytest.fixture(scope="module")
def driven(world: Any) -> Iterator[Any]:
    world.record(use_sim_time=True, extra_topics=["/" + topics.MOTOR_COMMANDS])
    world.holder = {}

    def note(message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == "holder: arm":
                world.holder = {item.key: item.value for item in status.values}

    world.node.create_subscription(DiagnosticArray, topics.DIAGNOSTICS, note, 10)
    world.start("holder", gazebo_plant=PLANT, use_sim_time=True)
    world.start("dart_arm", script="dart_arm.py", plant=PLANT, real_time_factor=0.5)
    world.start("mpc_controller", use_sim_time=True, **(CONTROLLER | {"autostart": False}))
    world.configure("bag")
    world.hear(35)  # DDS may take three seconds until the holder hears the controller, too
    assert world.transit(Transition.TRANSITION_ACTIVATE)
    world.until_phase("tracking", "holding")
    world.hear(80)
    yield world


def test_the_mpc_tracks_in_gazebos_engine_and_a_dead_one_leaves_a_held_arm(driven: Any) -> None:
    assert driven.status["fault"] == ""
    driven.kill("mpc_controller")
    driven.holder = {}
    driven.until(lambda: driven.holder.get("holding") == "true")
    for _ in range(40):  # a few seconds to come to rest in
        driven.holder = {}
        driven.executor.spin_once(timeout_sec=0.1)
    assert [driven.end(name) for name in ("holder", "dart_arm", "recorder")] == [0, 0, 0]
    recording = driven.read()
    states, reference = recording.joint_states, recording.reference
    assert states is not None
    assert reference is not None
    assert states.stamp_ns.max() < 1000 * 10**9  # simulated time, not the date
    tip = np.array([driven.arm.tip_pose(q)[0] for q in states.q])
    at = np.column_stack([np.interp(reference.stamp_ns, states.stamp_ns, tip[:, i]) for i in range(3)])
    error = np.linalg.norm(at - reference.position[:, 0], axis=1)
    assert np.linalg.norm(np.ptp(at, axis=0)) > 0.1  # it did move
    assert np.median(error) < 0.03
    assert error.max() < 0.1
    assert np.abs(states.v[-200:]).max() < 0.02
    assert np.ptp(states.q[-200:], axis=0).max() < 5e-3
