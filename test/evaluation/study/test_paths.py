"""Random paths: reproducible, within reach, and none both recorded and held out."""

import numpy as np
import pytest

from ttdm_ros.control.timeline import Task
from ttdm_ros.errors import ConfigError, TaskError
from ttdm_ros.evaluation.study import paths
from ttdm_ros.evaluation.study.config import References
from ttdm_ros.systems.arm import Arm, load_arm


@pytest.fixture(scope="module")
def arm() -> Arm:
    return load_arm("panda")


def test_a_number_is_a_path(arm: Arm) -> None:
    first, again, other = (paths.random_path(arm, number, 3.0).config for number in (3, 3, 4))
    assert first == again
    assert first.model_copy(update={"name": ""}) != other.model_copy(update={"name": ""})


def test_references_are_those_asked_for_and_never_recorded(arm: Arm) -> None:
    held_out = paths.references(arm, References(random=2, duration=3.0, tasks=("circle",)), paths.HELD_OUT)
    chosen = paths.references(arm, References(random=2, duration=3.0), paths.VALIDATION)
    assert list(held_out) == ["random 0", "random 1", "circle"]
    assert not {task.config.name for task in held_out.values()} & {task.config.name for task in chosen.values()}


def test_paths_differ_in_place_and_turn_the_tip(arm: Arm) -> None:
    configs = [paths.random_path(arm, number, 3.0).config for number in range(4)]
    assert np.ptp([config.centre for config in configs], axis=0).min() > 0.01
    assert all(config.orientation.tilt.x[0].amplitude >= 0.1 for config in configs)


@pytest.mark.parametrize("number", [paths.HELD_OUT, paths.VALIDATION, 10_000])
def test_along_a_path_with_places_fast_moves_and_rests_follow_each_other(arm: Arm, number: int) -> None:
    """Joint 1 turns from one side to the other at more than a third of its speed; at each place the arm rests."""
    path = paths.random_path(arm, number, 8.0, "pick")
    assert path.config == paths.random_path(arm, number, 8.0, "pick").config
    reference = path.reference
    assert 6.0 < reference.duration < 10.0
    assert reference.q[:, 0].min() < -0.2
    assert reference.q[:, 0].max() > 0.2
    share = np.abs(reference.v / arm.limits.velocity).max(axis=1)
    assert share.max() > 0.35
    rests = np.flatnonzero(np.diff(np.concatenate([[0], share < 1e-3, [0]]).astype(int)) == -1)
    assert len(rests) >= 3  # two places, and the end


def test_an_arm_that_reaches_nothing_and_a_task_that_is_not_there_are_told(
    arm: Arm, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="circel"):
        paths.references(arm, References(random=0, tasks=("circel",)), 0)

    def refuse(*_: object) -> Task:
        raise TaskError("out of reach")

    monkeypatch.setattr(paths, "Task", refuse)
    with pytest.raises(TaskError, match="no random path of 3"):
        paths.random_path(arm, 0, 3.0)
