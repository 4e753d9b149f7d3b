"""Paths of a study: random ones, each the same for the same number, and tasks by name."""

import numpy as np

from ttdm_ros.control.timeline import Task
from ttdm_ros.errors import TaskError
from ttdm_ros.evaluation.study.config import References
from ttdm_ros.mpc.tasks.config import SumOfSinesTask, load_task
from ttdm_ros.systems.arm import Arm

RECORDED, HELD_OUT, VALIDATION = 0, 1_000_000, 2_000_000
"""First numbers of the paths that are recorded, of those held out, and of those used for choosing."""
_STRIDE = 100  # numbers that a path may use up until it is one the arm can follow


def random_path(arm: Arm, number: int, duration: float) -> Task:
    """Return a path that the arm can follow: sums of sines about some place before it, on which the tip tilts.

    Args:
        arm: to follow it.
        number: equal numbers give equal paths.
        duration: of the path [s].

    Raises:
        TaskError: no such path was found, which says that the arm's reach is far below that of the arms that ship.
    """
    for attempt in range(_STRIDE):
        try:
            return Task(arm, _sines(number * _STRIDE + attempt, duration))
        except TaskError:
            continue
    raise TaskError(f"no random path of {duration} s lies within the reach of {arm.name}; name tasks for it instead")


def references(arm: Arm, wanted: References, first: int) -> dict[str, Task]:
    """Return references by name; ``first`` is the number of the first random one."""
    paths = {f"random {i}": random_path(arm, first + i, wanted.duration) for i in range(wanted.random)}
    return paths | {name: Task(arm, load_task(name)) for name in wanted.tasks}


def _sines(seed: int, duration: float) -> SumOfSinesTask:
    random = np.random.default_rng(seed)

    def tilt() -> list[dict[str, float]]:
        return [
            {
                "amplitude": random.uniform(0.1, 0.25),
                "frequency": random.uniform(0.1, 0.4),
                "phase": random.uniform(-np.pi, np.pi),
            }
        ]

    lower, upper = np.array([-0.05, -0.15, -0.15]), np.array([0.15, 0.15, 0.05])
    return SumOfSinesTask.model_validate(
        {
            "name": f"random {seed}",
            "type": "sum_of_sines",
            "frame": "home",
            "centre": random.uniform(lower, upper).tolist(),
            "duration": duration,
            "fade": min(1.5, 0.25 * duration),
            "random": {"seed": seed, "count": 3, "amplitude": [0.02, 0.06], "frequency": [0.15, 0.6]},
            "orientation": {"type": "tilt", "tilt": {"x": tilt(), "y": tilt()}},
        }
    )
