"""Decoding of serialized messages in bulk, against the rosbags library's serializer."""

import numpy as np
import pytest
from rosbags.typesys import Stores, get_typestore

from ttdm_ros.errors import BagError
from ttdm_ros.recording.cdr import by_layout, scan

STORE = get_typestore(Stores.ROS2_JAZZY)
JOINT_STATE = "sensor_msgs/msg/JointState"


@pytest.mark.parametrize("little_endian", [True, False])
def test_every_kind_of_field_is_found(little_endian):
    types = STORE.types
    header = types["std_msgs/msg/Header"](types["builtin_interfaces/msg/Time"](-3, 7), "frame ä")
    covariance = np.arange(9.0)
    vector = types["geometry_msgs/msg/Vector3"]
    rotation = types["geometry_msgs/msg/Quaternion"](0.1, 0.2, 0.3, 0.4)
    imu = types["sensor_msgs/msg/Imu"](
        header, rotation, covariance, vector(1, 2, 3), covariance, vector(4, 5, 6), covariance
    )
    data = bytes(STORE.serialize_cdr(imu, "sensor_msgs/msg/Imu", little_endian=little_endian))
    layout = scan("sensor_msgs/msg/Imu", data)
    rows = np.frombuffer(data, np.uint8)[None]
    assert layout.texts["header.frame_id"] == "frame ä"
    assert layout.column(rows, "header.stamp.sec").tolist() == [[-3]]
    assert layout.column(rows, "linear_acceleration_covariance").tolist() == [covariance.tolist()]
    assert layout.columns(rows, [f"linear_acceleration.{axis}" for axis in "xyz"]).tolist() == [[4, 5, 6]]


def test_nested_lists_of_texts_and_bytes_are_found():
    types = STORE.types
    value = types["diagnostic_msgs/msg/KeyValue"]
    status = types["diagnostic_msgs/msg/DiagnosticStatus"](
        2, "name", "message", "", [value("a", "1"), value("b", "22")]
    )
    header = types["std_msgs/msg/Header"](types["builtin_interfaces/msg/Time"](1, 2), "")
    array = types["diagnostic_msgs/msg/DiagnosticArray"](header, [status])
    data = bytes(STORE.serialize_cdr(array, "diagnostic_msgs/msg/DiagnosticArray"))
    layout = scan("diagnostic_msgs/msg/DiagnosticArray", data)
    assert layout.counts == {"status": 1, "status[0].values": 2}
    assert (layout.texts["status[0].values[1].key"], layout.texts["status[0].values[1].value"]) == ("b", "22")
    assert layout.column(np.frombuffer(data, np.uint8)[None], "status[0].level").tolist() == [[2]]


def test_messages_of_many_structures_come_back_in_their_places(messages):
    random = np.random.default_rng(0)
    sizes = random.integers(0, 5, 500)
    values = [random.normal(size=n) for n in sizes]
    data = [messages.joint_state(i, [f"j{k}" for k in range(len(v))], v, [], v) for i, v in enumerate(values)]
    seen = []
    for layout, places, rows in by_layout(JOINT_STATE, data):
        for place, position, nanoseconds in zip(
            places, layout.column(rows, "position"), layout.column(rows, "header.stamp.nanosec")[:, 0], strict=True
        ):
            np.testing.assert_array_equal(position, values[place])
            assert nanoseconds == place
            seen.append(place)
    assert sorted(seen) == list(range(500))


def test_what_a_writer_leaves_in_the_padding_does_not_matter(messages):
    clean = messages.joint_state(1, ["abc"], [1.0], [2.0], [3.0])
    # the list of positions: its length 1, four bytes that align the number to eight, the number itself
    start = clean.index(np.float64(1.0).tobytes())
    assert clean[start - 8 : start] == b"\x01" + bytes(7)
    dirty = clean[: start - 4] + b"\xab\xcd\xef\x01" + clean[start:]
    ((layout, places, rows),) = by_layout(JOINT_STATE, [clean, dirty])
    assert places.tolist() == [0, 1]
    assert layout.column(rows, "position").tolist() == [[1.0], [1.0]]


def test_a_message_that_is_cut_anywhere_is_refused(messages):
    data = messages.joint_state(1, ["joint"], [1.0], [2.0], [3.0])
    scan(JOINT_STATE, data)
    for length in range(len(data)):
        with pytest.raises(BagError, match=r"is no CDR|does not fit its type"):
            scan(JOINT_STATE, data[:length])
