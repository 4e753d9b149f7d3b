"""Nothing is planned while nobody hears the torques."""

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")

from ttdm_ros.control.answer import NOTHING
from ttdm_ros.control.phase import Phase
from ttdm_ros.nodes.control_loop import ControlLoop


class Arm:
    joint_names = ("a",)


@pytest.mark.parametrize("is_heard", [False, True])
def test_the_first_state_is_answered_once_somebody_hears_the_torques(is_heard: bool) -> None:
    answered: list[int] = []

    def on_state(stamp_ns: int, q: Any, v: Any, held_up: float) -> Any:
        answered.append(stamp_ns)
        return NOTHING

    controller: Any = SimpleNamespace(
        arm=Arm(), phase=Phase.WAITING, config=SimpleNamespace(stale_after=1.0, delay=0.0), on_state=on_state
    )
    messages = [b"a state"]
    source: Any = SimpleNamespace(wait=lambda timeout: None, take=lambda: messages.pop() if messages else None)
    topics: Any = SimpleNamespace(is_heard=is_heard, law=lambda answer, begins_ns: None)
    loop = ControlLoop(controller, source, topics, prediction_rate=0.0, ros_time_ns=None, on_rest=lambda: None)
    state = SimpleNamespace(stamp_ns=7)
    loop._order = SimpleNamespace(read=lambda data: _State(state.stamp_ns))  # type: ignore[assignment]
    loop._answer_states()
    assert answered == ([7] if is_heard else [])


class _State(tuple[int, None, None]):
    """What the joint order reads: a stamp and what was measured."""

    def __new__(cls, stamp_ns: int) -> "_State":
        return super().__new__(cls, (stamp_ns, None, None))

    @property
    def stamp_ns(self) -> int:
        return self[0]
