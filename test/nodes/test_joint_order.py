"""Joint states are matched by name, whatever else is in them; what lacks something is refused with a sentence."""

from collections.abc import Sequence

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")

from builtin_interfaces.msg import Time
from rclpy.serialization import serialize_message
from sensor_msgs.msg import JointState
from std_msgs.msg import Header

from ttdm_ros.nodes.joint_order import JointOrder, JointStateError

ARM = ("a", "b", "c")
Q, V = {"a": 1.0, "b": 2.0, "c": 3.0, "finger": 9.0}, {"a": -1.0, "b": -2.0, "c": -3.0, "finger": -9.0}


def message(names: Sequence[str], sec: int = 5, frame: str = "", **changed: Sequence[float]) -> bytes:
    values = {"position": [Q[n] for n in names], "velocity": [V[n] for n in names], "effort": [0.0 for _ in names]}
    header = Header(stamp=Time(sec=sec, nanosec=7), frame_id=frame)
    return serialize_message(JointState(header=header, name=list(names), **(values | changed)))


@pytest.mark.parametrize(
    "names", [("a", "b", "c"), ("c", "a", "b"), ("finger", "b", "a", "c")], ids=["as the arm's", "another", "one more"]
)
@pytest.mark.parametrize("frame", ["", "x", "world"])
def test_any_order_gives_the_arms(names: Sequence[str], frame: str) -> None:
    order = JointOrder(ARM)
    for sec in (5, 6):  # the first is looked up, the second is known
        state = order.read(message(names, sec=sec, frame=frame))
        assert state is not None
        assert state.stamp_ns == sec * 10**9 + 7
        np.testing.assert_array_equal(state.q, [1.0, 2.0, 3.0])
        np.testing.assert_array_equal(state.v, [-1.0, -2.0, -3.0])


def test_an_order_that_changes_is_noticed() -> None:
    order = JointOrder(ARM)
    order.read(message(("a", "b", "c")))
    swapped = order.read(message(("b", "a", "c")))
    assert swapped is not None
    np.testing.assert_array_equal(swapped.q, [1.0, 2.0, 3.0])


def test_velocities_are_not_taken_from_another_list_of_the_same_total_length() -> None:
    order = JointOrder(ARM)
    order.read(message(("a", "b", "c")))
    with pytest.raises(JointStateError, match="name 3 joints but give 0 numbers of velocity"):
        order.read(message(("a", "b", "c"), velocity=[], effort=[0.0] * 6))


def test_states_of_other_joints_are_none_of_the_arms_business() -> None:
    order = JointOrder(ARM)
    assert order.read(message(("finger",))) is None
    assert order.read(message(("finger",))) is None


@pytest.mark.parametrize(
    ("names", "changed", "sentence"),
    [
        (("a", "c"), {}, "lack b; publish all of a, b, c"),
        (("a", "b", "c", "b"), {}, "name b more than once"),
        (("a", "b", "c"), {"position": [0.0] * 2}, "give 2 numbers of position"),
        (("a", "b", "c"), {"velocity": []}, "give 0 numbers of velocity"),
    ],
)
def test_what_is_not_whole_is_refused_every_time(
    names: Sequence[str], changed: dict[str, list[float]], sentence: str
) -> None:
    order = JointOrder(ARM)
    for _ in range(2):
        with pytest.raises(JointStateError, match=sentence):
            order.read(message(names, **changed))


def test_a_damaged_message_is_refused() -> None:
    with pytest.raises(JointStateError, match="damaged"):
        JointOrder(ARM).read(message(("a", "b", "c"))[:40])


def test_a_value_that_is_not_finite_is_left_for_the_controller_to_judge() -> None:
    state = JointOrder(ARM).read(message(("a", "b", "c"), position=[np.nan, 0.0, 0.0]))
    assert state is not None
    assert np.isnan(state.q[0])
