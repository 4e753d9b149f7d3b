"""Motion read out of bags of all kinds."""

import numpy as np
import pytest

from ttdm_ros.errors import BagError, TtdmError
from ttdm_ros.systems.arm import load_arm
from ttdm_ros.training.bag_data import read_bag_data
from ttdm_ros.training.config import SamplingConfig

COMMANDS = "/effort_controller/commands"


def equal(a, b):
    assert a.fingerprint == b.fingerprint
    assert len(a.trajectories) == len(b.trajectories)
    for mine, other in zip(a.trajectories, b.trajectories, strict=True):
        for name in ("time", "x", "u", "rows", "saturated"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(other, name))


def test_states_and_references_are_those_of_the_bag(panda, motion, mcap):
    data = read_bag_data(mcap(motion.messages()), panda)
    (part,) = data.trajectories
    phase = part.time[:, None] * motion.speed
    np.testing.assert_allclose(part.x[:, :7], panda.home + motion.size * np.sin(phase), atol=1e-7)
    np.testing.assert_allclose(part.x[:, 7:], motion.size * motion.speed * np.cos(phase), atol=1e-5)
    np.testing.assert_allclose(part.rows[:, 12:19], panda.home + motion.size * np.sin(phase) + 0.01, atol=1e-6)
    assert 1.4 < len(part) * part.step < 1.5


def test_without_a_reference_the_motion_itself_was_wanted(panda, motion, mcap):
    (part,) = read_bag_data(mcap(motion.messages(wanted=False)), panda).trajectories
    np.testing.assert_array_equal(part.rows[:, 12:26], part.x)
    position, rotation = panda.tip_pose(part.x[7, :7])
    np.testing.assert_allclose(part.rows[7, :3], position, atol=1e-12)
    np.testing.assert_allclose(part.rows[7, 3:12], rotation.T.ravel(), atol=1e-12)


def test_copies_in_other_formats_yield_the_same(panda, motion, mcap, sqlite):
    rows = motion.messages()
    original = read_bag_data(mcap(rows), panda)
    equal(original, read_bag_data(sqlite(rows), panda))
    equal(original, read_bag_data(mcap(rows, "split", split_duration=0.3), panda))
    equal(original, read_bag_data(mcap(rows, "packed", compression="zstd"), panda))


def test_the_order_of_the_joints_in_a_message_does_not_matter(panda, motion, mcap):
    names = ["gripper", *reversed(panda.joint_names)]
    changed = read_bag_data(mcap(motion.messages(names=names), "changed"), panda)
    equal(read_bag_data(mcap(motion.messages()), panda), changed)


def test_the_fingerprint_changes_with_a_single_command(panda, motion, mcap, sqlite):
    rows = motion.messages()
    index = next(i for i, row in enumerate(rows) if row[0] == COMMANDS)
    other = [*rows[:index], *rows[index + 2 :]]
    assert read_bag_data(mcap(rows), panda).fingerprint != read_bag_data(sqlite(other), panda).fingerprint


def test_another_delay_moves_the_torques(panda, motion, mcap):
    path, at = mcap(motion.messages()), np.arange(0.2, 1.2, 0.01)
    now, later = (read_bag_data(path, panda, SamplingConfig(delay=delay)).trajectories[0] for delay in (0.0, 0.008))

    def torques(part, time):
        return np.array([np.interp(time, part.time, part.u[:, i]) for i in range(7)])

    np.testing.assert_allclose(torques(later, at), torques(now, at - 0.008), atol=2e-3)
    assert np.abs(torques(later, at) - torques(now, at)).max() > 2e-2


def test_a_bag_without_commands_says_what_is_missing(panda, motion, mcap):
    rows = [row for row in motion.messages() if row[0] != COMMANDS]
    with pytest.raises(BagError, match=r"effort_controller/commands.*; record that topic too"):
        read_bag_data(mcap(rows), panda)


def test_a_bag_of_another_robot_is_refused(motion, mcap):
    with pytest.raises(BagError, match="give the robot it was recorded with"):
        read_bag_data(mcap(motion.messages()), load_arm("fr3"))


def test_an_empty_bag_is_refused(panda, mcap):
    with pytest.raises(BagError, match="holds no message"):
        read_bag_data(mcap([]), panda)


def test_a_truncated_bag_is_refused_or_read_as_far_as_it_goes(panda, motion, mcap):
    path = mcap(motion.messages(), chunk_size=4096)
    (file,) = path.glob("*.mcap")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    (path / "metadata.yaml").unlink()
    try:
        data = read_bag_data(path, panda)
    except TtdmError as error:
        assert "; " in str(error)
    else:
        assert data.trajectories[0].time[-1] < 1.0


def test_commands_without_motion_are_refused(panda, motion, mcap):
    rows = [row for row in motion.messages() if row[2] < 1_700_000_000_020_000_000]
    with pytest.raises(BagError, match="no unbroken motion"):
        read_bag_data(mcap(rows), panda)


def test_messages_that_are_not_numbers_are_left_out(panda, motion, mcap):
    rows = motion.messages()
    broken = motion.q[100].copy()
    motion.q[100] = np.nan
    try:
        data = read_bag_data(mcap(motion.messages(), "broken"), panda)
    finally:
        motion.q[100] = broken
    whole = read_bag_data(mcap(rows), panda)
    np.testing.assert_allclose(data.trajectories[0].x, whole.trajectories[0].x, atol=1e-4)
