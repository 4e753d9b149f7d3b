"""Which torque of a bag counts: what a Franka arm says it applied, before what it was told."""

from copy import copy

import numpy as np
import pytest

from ttdm_ros.errors import BagError
from ttdm_ros.recording.reader import read_bag
from ttdm_ros.training.bag_data import read_bag_data
from ttdm_ros.training.config import SamplingConfig

COMMANDS, DESIRED, EVENTS = "/effort_controller/commands", "/franka_driver/desired", "/franka_driver/events"
START_NS = 1_700_000_000_000_000_000


def by_time(*rows):
    return sorted((row for each in rows for row in each), key=lambda row: row[2])


def wrong_commands(motion, command):
    """The motion's messages, with commands that did not drive it and came by a clock that runs apart."""
    rows = []
    for topic, data, received in motion.messages():
        if topic == COMMANDS:
            data, received = command(np.full(7, 3.0)), START_NS + round(1.02 * (received - START_NS))
        rows.append((topic, data, received))
    return rows


def standing(motion, count, *, before):
    """What the arm says it applies while there is no motion: one torque every 51 ms, so many of them."""
    still, steps = copy(motion), 0.051 * np.arange(1, count + 1)
    still.time = -steps[::-1] if before else motion.time[-1] + steps
    still.q, still.v, still.tau = (np.zeros((count, 7)) for _ in range(3))
    return still.desired()


def expected(motion, part, delay=0.0005):
    """Mean torque of each sample's dt, by the closed form of the motion."""
    fine = (np.arange(200) + 0.5) * part.dt / 200
    at = part.time[:, None] + fine - delay
    return np.stack([np.interp(at, motion.time, tau).mean(axis=1) for tau in motion.tau.T], axis=1)


@pytest.mark.parametrize("with_commands", [True, False])
def test_the_torque_that_the_robot_says_counts(panda, motion, mcap, command, with_commands):
    rows = [row for row in wrong_commands(motion, command) if with_commands or row[0] != COMMANDS]
    (part,) = read_bag_data(mcap(by_time(rows, motion.desired())), panda).trajectories
    assert len(part) * part.step > 1.4
    inside = part.time + part.dt < motion.time[-1]
    np.testing.assert_allclose(part.u[inside], expected(motion, part)[inside], atol=2e-3)
    assert np.abs(part.u - 3.0).max() > 1.0


def test_when_it_was_received_does_not_matter(panda, motion, mcap):
    rows = [row for row in motion.messages() if row[0] != COMMANDS]
    now = read_bag_data(mcap(by_time(rows, motion.desired()), "now"), panda)
    later = read_bag_data(mcap(by_time(rows, motion.desired(received=90_000_000)), "later"), panda)
    assert now.fingerprint == later.fingerprint
    np.testing.assert_array_equal(now.trajectories[0].u, later.trajectories[0].u)


@pytest.mark.parametrize("every", [1, 5])  # 500 and 100 messages a second
def test_a_low_rate_of_messages_does_not_shift_the_torque(panda, motion, mcap, every):
    (part,) = read_bag_data(mcap(by_time(motion.messages(), motion.desired(every=every))), panda).trajectories
    inside = (part.time > 0.05) & (part.time + part.dt < motion.time[-1] - 0.02)
    error = part.u - expected(motion, part)
    shifted = expected(motion, part, delay=0.0005 + 0.001) - expected(motion, part)  # by a millisecond
    rate = shifted / 0.001
    lag = (error[inside] * rate[inside]).sum() / np.square(rate[inside]).sum()
    assert abs(lag) < 1e-4


def test_each_kind_of_torque_has_a_delay_of_its_own(panda, motion, mcap):
    commanded, said = mcap(motion.messages(), "commanded"), mcap(by_time(motion.messages(), motion.desired()), "said")

    def torque(path, **delays):
        (part,) = read_bag_data(path, panda, SamplingConfig(**delays)).trajectories
        return np.array([np.interp(np.arange(0.2, 1.2, 0.01), part.time, tau) for tau in part.u.T])

    np.testing.assert_array_equal(torque(said, delay=0.003), torque(said, delay=0.03))
    np.testing.assert_array_equal(torque(commanded, robot_delay=0.0), torque(commanded, robot_delay=0.02))
    assert np.abs(torque(said, robot_delay=0.0) - torque(said, robot_delay=0.02)).max() > 0.05


def test_the_fingerprint_is_of_the_torque_that_counts(panda, motion, mcap, command):
    def fingerprint(name, *rows):
        return read_bag_data(mcap(by_time(*rows), name), panda).fingerprint

    commanded = fingerprint("commanded", motion.messages())
    said = fingerprint("said", motion.messages(), motion.desired())
    assert said != commanded
    assert said == fingerprint("told_otherwise", wrong_commands(motion, command), motion.desired())
    assert said != fingerprint("other", motion.messages(), motion.desired(shift=1e-9))
    assert said != fingerprint("shorter", motion.messages(), motion.desired()[:-1])


@pytest.mark.parametrize(("every", "count"), [(30, 25), (400, 2), (1000, 1)])
def test_too_few_torques_are_refused_though_there_are_commands(panda, motion, mcap, every, count):
    path = mcap(by_time(motion.messages(), motion.desired(every=every)))
    with pytest.raises(
        BagError, match=rf"holds {count} torques of the arm, too few .* parameter detail_rate of franka"
    ):
        read_bag_data(path, panda)


@pytest.mark.parametrize("before", [True, False])
def test_a_long_time_without_a_motion_does_not_count_against_the_torques(panda, motion, mcap, before):
    """There are no joint states then, and a torque every 51 ms."""
    idle = standing(motion, round(30 * motion.time[-1] / 0.051), before=before)
    path = mcap(by_time(motion.messages(), motion.desired(), idle))
    (part,) = read_bag_data(path, panda).trajectories
    assert len(part) * part.step > 1.4
    inside = part.time + part.dt < motion.time[-1]
    np.testing.assert_allclose(part.u[inside], expected(motion, part)[inside], atol=2e-3)


def test_a_motion_with_too_few_torques_is_refused_however_long_the_arm_stood(panda, motion, mcap):
    idle = standing(motion, 900, before=True)
    path = mcap(by_time(motion.messages(), motion.desired(every=30), idle))
    with pytest.raises(BagError, match="too few to tell what drove it"):
        read_bag_data(path, panda)


def test_torques_that_are_no_numbers_are_refused_though_there_are_commands(panda, motion, mcap):
    path = mcap(by_time(motion.messages(), motion.desired(shift=np.nan)))
    with pytest.raises(BagError, match="holds 0 torques of the arm, too few"):
        read_bag_data(path, panda)


def test_a_driven_arm_of_which_only_commands_were_recorded_is_refused(panda, motion, mcap, text):
    events = [(EVENTS, text("[1.000] the arm is held; commands are accepted"), START_NS)]
    with pytest.raises(
        BagError, match=r"driven by franka_driver, and only 'franka_driver/desired'.*; record that topic"
    ):
        read_bag_data(mcap(by_time(events, motion.messages())), panda)


def test_motion_is_cut_where_the_torque_was_lost(panda, motion, mcap):
    kept = [row for row in motion.desired() if not 0.6 <= 1e-9 * (row[2] - START_NS) < 0.67]
    first, second = read_bag_data(mcap(by_time(motion.messages(), kept)), panda).trajectories
    assert first.time[-1] + first.dt < 0.602
    assert 0.668 < second.time[0] < 0.68


def test_without_any_torque_both_topics_are_named(panda, motion, mcap):
    rows = [row for row in motion.messages() if row[0] != COMMANDS]
    with pytest.raises(BagError, match="no message of 'effort_controller/commands' or 'franka_driver/desired'"):
        read_bag_data(mcap(rows), panda)


def test_a_namespace_holds_the_torque_too(panda, motion, tmp_path):
    from ttdm_ros.recording.writer import BagWriter

    types = {DESIRED: "sensor_msgs/msg/JointState", "/joint_states": "sensor_msgs/msg/JointState"}
    with BagWriter(tmp_path / "two") as writer:
        for side in ("/left", "/right"):
            for topic, msgtype in types.items():
                writer.add_channel(side + topic, msgtype)
        for side, shift in (("/left", 0.0), ("/right", 1.0)):
            for topic, data, received in by_time(motion.messages(), motion.desired(shift=shift)):
                if topic in types:
                    writer.write(side + topic, data, received, received)
    left, right = (read_bag_data(tmp_path / "two", panda, namespace=side).trajectories[0] for side in ("left", "right"))
    np.testing.assert_allclose(right.u - left.u, 1.0, atol=1e-9)


def test_the_arrays_of_the_driver_can_be_read(panda, motion, mcap, text):
    events = [(EVENTS, text("[1.000] the arm is held; commands are accepted"), START_NS)]
    recording = read_bag(mcap(by_time(events, motion.messages(), motion.desired())), joints=panda.joint_names)
    np.testing.assert_allclose(recording.franka_desired.tau, motion.tau)
    np.testing.assert_allclose(recording.franka_desired.q, motion.q)
    assert recording.franka_events.text == ("[1.000] the arm is held; commands are accepted",)
    assert recording.franka_loop is None
