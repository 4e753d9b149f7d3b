"""A command is checked when it is made, and a law for its time: what is none is refused with a sentence."""

import numpy as np
import pytest

from ttdm_ros.errors import PlantError
from ttdm_ros.plants.franka.law import MOST_POINTS, Command


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"torque": np.zeros((3, 6))}, r"torque of a command has the shape \(3, 7\), not \(3, 6\)"),
        ({"q": np.full((3, 7), np.nan)}, "q of a command must be finite"),
        ({"gain": np.zeros((7, 7))}, r"gain of a command has the shape \(7, 14\)"),
        ({"step": 0.0}, "must be finite, and increase"),
        ({"begin": np.inf}, "must be finite, and increase"),
        ({"torque": np.zeros((0, 7))}, "1 to 16 points, not 0"),
        ({"torque": np.zeros((MOST_POINTS + 1, 7))}, "1 to 16 points, not 17"),
    ],
)
def test_a_malformed_command_is_refused_with_a_sentence(change: dict, problem: str) -> None:
    good = {
        "begin": 0.0,
        "step": 0.02,
        "gain": np.zeros((7, 14)),
        **{k: np.zeros((3, 7)) for k in ("torque", "q", "v")},
    }
    Command(**good)
    with pytest.raises(PlantError, match=problem):
        Command(**(good | change))


def reference(begin: float) -> Command:
    zeros = np.zeros((6, 7))
    return Command(begin=begin, step=0.02, torque=zeros, q=zeros, v=zeros, gain=np.zeros((7, 14)))


@pytest.mark.parametrize("begin", [99.86, 99.9, 100.0, 100.99])
def test_a_law_of_now_is_taken(begin: float) -> None:
    """The first ended 40 ms ago: less than the guard waits."""
    reference(begin).check_time(100.0, 0.05)


@pytest.mark.parametrize(
    ("begin", "problem"),
    [
        (99.84, "the law ended 0.06 s ago by the robot's time; .* play no bag"),
        (100.0 - 86400.0, "the law ended 86399.90 s ago"),
        (101.01, "the law begins 1.01 s ahead of the robot's time; stamp laws with the time of the joint states"),
    ],
)
def test_a_law_of_another_time_is_refused_with_a_sentence(begin: float, problem: str) -> None:
    with pytest.raises(PlantError, match=problem):
        reference(begin).check_time(100.0, 0.05)


@pytest.mark.parametrize("wanted", [[1.0] * 6, [np.nan] * 7, [[0.0] * 7]])
def test_a_malformed_torque_is_refused(wanted: list) -> None:
    with pytest.raises(PlantError, match="a command"):
        Command.of_torque(np.array(wanted))
