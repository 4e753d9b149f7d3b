"""Bags read in pieces against bags read at once: the same motion to the bit, whatever happens at the borders."""

import struct
from operator import attrgetter

import numpy as np
import pytest

from ttdm_ros.errors import BagError
from ttdm_ros.recording.reader import read_bag
from ttdm_ros.training.bag_data import read_bag_data
from ttdm_ros.training.motion import read_motion
from ttdm_ros.training.store import Store

STATES, COMMANDS, WANTED = "/joint_states", "/effort_controller/commands", "/mpc_controller/reference_joints"
PIECES = {0.05: 37, 0.3: 150, 100.0: 10**6}  # length of those that are read [s], rows of those that are worked on
LATEST = 0.5
START_NS = 1_700_000_000_000_000_000


@pytest.fixture(autouse=True)
def little_is_held_back(monkeypatch):
    monkeypatch.setattr("ttdm_ros.training.ordering.LATEST", LATEST)


def at_once(path, arm):
    """Stamps and rows by sorting the whole topic: of equal stamps the first that came, nothing that is not finite."""
    recording = read_bag(path, joints=arm.joint_names)

    def column(stamps, values):
        usable = np.isfinite(values).all(axis=1)
        ordered, first = np.unique(stamps[usable], return_index=True)
        return ordered, values[usable][first]

    states, wanted = recording.joint_states, recording.reference_joints
    result = {}
    result["stamp"], both = column(states.stamp_ns, np.concatenate([states.q, states.v], axis=1))
    result["q"], result["v"] = both[:, :7], both[:, 7:]
    if (desired := recording.franka_desired) is not None:
        stamp, result["torque.values"] = column(desired.stamp_ns, desired.tau)
        apart = np.diff(stamp)
        result["torque.stamp"] = stamp - np.append(0, np.where(apart > 50_000_000, 0, apart // 2))
    else:
        commands = recording.commands
        result["torque.stamp"], result["torque.values"] = column(commands.log_time_ns, commands.values)
    if wanted is not None:
        rows = np.concatenate([wanted.q, wanted.v, wanted.tau], axis=1)
        result["wanted_stamp"], result["wanted"] = column(wanted.stamp_ns, rows)
    return result


def assert_the_same_in_pieces(path, arm, monkeypatch):
    expected, found = at_once(path, arm), []
    for seconds, rows in PIECES.items():
        with monkeypatch.context() as patch:
            patch.setattr("ttdm_ros.training.store.ROWS", rows)
            motion = read_motion(path, arm, Store(), seconds=seconds)
            for name, values in expected.items():
                found_values = attrgetter(name)(motion)
                np.testing.assert_array_equal(found_values, values, err_msg=f"{name}, pieces of {seconds} s")
            patch.setattr("ttdm_ros.training.bag_data.read_motion", lambda *_, motion=motion, **__: motion)
            found.append(read_bag_data(path, arm))
    for other in found[1:]:
        assert other.fingerprint == found[0].fingerprint
        for mine, theirs in zip(found[0].trajectories, other.trajectories, strict=True):
            for name in ("time", "x", "u", "rows", "saturated"):
                np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name))
    return found[0]


def seconds_of(row):
    return 1e-9 * (row[2] - START_NS)


def without(rows, spans, topics):
    return [row for row in rows if row[0] not in topics or not any(a <= seconds_of(row) < b for a, b in spans)]


@pytest.mark.parametrize("topics", [(STATES,), (COMMANDS,), (STATES, COMMANDS, WANTED)], ids=str)
def test_gaps_at_the_borders_of_pieces_cut_as_they_do_elsewhere(panda, motion, mcap, monkeypatch, topics):
    spans = [(0.295, 0.36), (0.599, 0.67), (0.901, 1.2)]  # pieces of 0.3 s begin at its multiples
    data = assert_the_same_in_pieces(mcap(without(motion.messages(), spans, topics)), panda, monkeypatch)
    assert len(data.trajectories) == 4
    for trajectory, (begin, _), (_, end) in zip(data.trajectories[1:], spans[1:], spans, strict=False):
        assert end - 0.01 < trajectory.time[0] < trajectory.time[-1] < begin + 0.01


def test_messages_that_come_late_and_in_disorder_find_their_place(panda, motion, mcap, monkeypatch):
    random, rows = np.random.default_rng(0), []
    for topic, data, received in motion.messages():
        late = 0 if topic == COMMANDS or random.uniform() < 0.7 else round(1e9 * random.uniform(0.0, 0.95 * LATEST))
        rows.append((topic, data, received + late))
    rows.sort(key=lambda row: row[2])
    original = assert_the_same_in_pieces(mcap(motion.messages(), "in_order"), panda, monkeypatch)
    disordered = assert_the_same_in_pieces(mcap(rows, "disordered"), panda, monkeypatch)
    assert disordered.fingerprint == original.fingerprint
    np.testing.assert_array_equal(disordered.trajectories[0].x, original.trajectories[0].x)


def test_of_two_states_with_one_stamp_the_first_counts_though_pieces_lie_between(panda, motion, mcap, monkeypatch):
    rows = motion.messages()
    states = [row for row in rows if row[0] == STATES]
    again = []
    for i in range(20, 400, 7):  # the numbers of another time under the stamp of this one
        data = states[i][1][:12] + states[i + 50][1][12:]
        again.append((STATES, data, states[i][2] + 450_000_000))
    path = mcap(sorted([*rows, *again], key=lambda row: row[2]), "again")
    found = assert_the_same_in_pieces(path, panda, monkeypatch)
    assert found.fingerprint == read_bag_data(mcap(rows), panda).fingerprint


def test_a_reference_that_begins_late_or_ends_early_holds_beyond_its_ends(panda, motion, mcap, monkeypatch):
    rows = without(motion.messages(), [(0.0, 0.7), (0.9, 2.0)], (WANTED,))
    data = assert_the_same_in_pieces(mcap(rows), panda, monkeypatch)
    (part,) = data.trajectories
    before, after = part.time < 0.69, part.time > 0.91
    for chosen in (before, after):
        assert np.ptp(part.rows[chosen], axis=0).max() == 0.0
    assert np.ptp(part.rows[~before & ~after], axis=0).max() > 1e-3


def test_topics_that_are_written_one_after_the_other_are_read_the_same(panda, motion, mcap, monkeypatch):
    rows = motion.messages()
    apart = sorted(rows, key=lambda row: row[0])
    found = assert_the_same_in_pieces(mcap(apart, "apart"), panda, monkeypatch)
    assert found.fingerprint == read_bag_data(mcap(rows), panda).fingerprint


def with_stamp(data, stamp):
    return data[:4] + struct.pack("<iI", stamp // 10**9, stamp % 10**9) + data[12:]


def test_a_clock_that_is_set_back_is_refused(panda, motion, mcap, monkeypatch):
    monkeypatch.setattr("ttdm_ros.training.ordering.LATEST", 0.1)
    rows = []
    for topic, data, received in motion.messages():
        at = received - START_NS
        if topic == STATES and at > 10**9:
            data = with_stamp(data, received - 900_000_000)
        rows.append((topic, data, received))
    with pytest.raises(BagError, match=r"stamps of the joint states in .* jump back: \d+ of 750 come .*; record again"):
        read_motion(mcap(rows), panda, Store(), seconds=0.2)


@pytest.mark.parametrize("seconds", [0.2, 20.0])
def test_a_clock_that_is_set_back_by_less_than_messages_may_be_late_is_refused_too(panda, motion, mcap, seconds):
    rows = []
    for topic, data, received in motion.messages():
        if topic == STATES and received - START_NS > 10**9:
            data = with_stamp(data, received - 300_000_000)
        rows.append((topic, data, received))
    with pytest.raises(BagError, match=r"joint states in .* jump back and go on from there; record again"):
        read_motion(mcap(rows), panda, Store(), seconds=seconds)


def test_commands_of_another_width_in_a_later_piece_are_refused(panda, motion, mcap, command):
    rows = motion.messages()
    rows[-4:] = [(row[0], command(np.zeros(9)) if row[0] == COMMANDS else row[1], row[2]) for row in rows[-4:]]
    with pytest.raises(BagError, match="have 9 values where 7 torques are needed"):
        read_motion(mcap(rows), panda, Store(), seconds=0.2)


def test_torque_that_the_robot_says_is_read_the_same_in_pieces(panda, motion, mcap, monkeypatch):
    rows = [row for row in [*motion.messages(), *motion.desired()] if row[0] != COMMANDS]
    rows = without(rows, [(0.295, 0.36), (0.901, 1.2)], ("/franka_driver/desired",))
    data = assert_the_same_in_pieces(mcap(sorted(rows, key=lambda row: row[2])), panda, monkeypatch)
    assert len(data.trajectories) == 3
