"""Drives of a study on the grid of the training: what was wanted stands at the time at which it was wanted."""

from collections.abc import Callable

import numpy as np

from ttdm_ros.evaluation.study.config import StudyConfig
from ttdm_ros.evaluation.study.learning import _trajectories
from ttdm_ros.systems.arm import load_arm


def test_the_reference_of_a_drive_is_that_of_the_samples_times(make_study: Callable[..., StudyConfig]) -> None:
    arm, speed = load_arm("panda"), np.linspace(-0.3, 0.3, 7)
    time = np.arange(0.0, 2.0, 0.01)
    posture = arm.home + time[:, None] * speed
    velocity = np.broadcast_to(speed, posture.shape)
    torque = np.sin(time)[:, None] * np.ones(7)
    rows = np.zeros((len(time), 33))
    rows[:, 12:] = np.concatenate([posture, velocity, torque], axis=1)
    drive = {
        "time": time,
        "measured": np.concatenate([posture, velocity], axis=1),
        "tau": np.zeros((len(time), 7)),
        "rows": rows,
    }
    (trajectory,) = _trajectories(arm, drive, make_study())
    moment = trajectory.time[:, None]
    assert np.ptp(trajectory.time % 0.01) > 0.003  # between the samples of the drive, too
    np.testing.assert_allclose(trajectory.rows[:, 12:19], arm.home + moment * speed, atol=1e-9)
    np.testing.assert_allclose(trajectory.rows[:, 19:26] - speed, 0.0, atol=1e-9)
    np.testing.assert_allclose(trajectory.rows[:, 26:], np.sin(moment) * np.ones(7), atol=2e-5)
    position, rotation = arm.tip_pose(arm.home + trajectory.time[7] * speed)
    np.testing.assert_allclose(trajectory.rows[7, :3], position, atol=1e-9)
    np.testing.assert_allclose(trajectory.rows[7, 3:12], rotation.T.ravel(), atol=1e-9)
