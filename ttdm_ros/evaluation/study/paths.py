"""Paths of a study: random ones, each the same for the same number, and tasks by name."""

from collections.abc import Callable

import numpy as np

from ttdm_ros.control.timeline import Task
from ttdm_ros.errors import TaskError
from ttdm_ros.evaluation.study.config import Kind, References
from ttdm_ros.mpc.tasks.config import SumOfSinesTask, TaskConfig, WaypointsTask, load_task
from ttdm_ros.systems.arm import Arm

RECORDED, HELD_OUT, VALIDATION = 0, 1_000_000, 2_000_000
"""First numbers of the paths that are recorded, of those held out, and of those used for choosing."""
_STRIDE = 100  # numbers that a path may use up until it is one the arm can follow
_PLACE_S = 3.5  # about what it takes to move to a place, lower the tip, rest, and lift it again


def random_path(arm: Arm, number: int, duration: float, kind: Kind = "sines") -> Task:
    """Return a path that the arm can follow.

    ``sines``: sums of sines about some place before the arm, on which the tip tilts. ``pick``: fast moves from one side
    to the other on which the wrist turns, beside slow lowering to a place and a rest there, so that what matters
    changes along it.

    Args:
        arm: to follow it.
        number: equal numbers give equal paths of a kind.
        duration: of the path [s]; of ``pick`` about, as it ends with a place.
        kind: of path.

    Raises:
        TaskError: no such path was found, which says that the arm's reach is far below that of the arms that ship.
    """
    for attempt in range(_STRIDE):
        try:
            return Task(arm, _KINDS[kind](number * _STRIDE + attempt, duration))
        except TaskError:
            continue
    raise TaskError(f"no random path of {duration} s lies within the reach of {arm.name}; name tasks for it instead")


def references(arm: Arm, wanted: References, first: int) -> dict[str, Task]:
    """Return references by name; ``first`` is the number of the first random one."""
    paths = {f"random {i}": random_path(arm, first + i, wanted.duration, wanted.kind) for i in range(wanted.random)}
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


def _pick(seed: int, duration: float) -> WaypointsTask:
    random = np.random.default_rng(seed)
    start: dict[str, object] = {"position": [0.0, 0.0, 0.0], "rpy": [0.0, 0.0, 0.0]}
    side = random.choice([-1.0, 1.0])
    waypoints = [start]
    for _ in range(max(1, round(duration / _PLACE_S))):
        place = [random.uniform(0.0, 0.15), side * random.uniform(0.2, 0.32), random.uniform(-0.05, 0.03)]
        rpy = [random.uniform(-0.2, 0.2), random.uniform(-0.2, 0.2), side * random.uniform(0.5, 1.0)]
        depth = random.uniform(0.1, 0.16)
        waypoints += [
            {"position": place, "rpy": rpy},
            {"position": [0.0, 0.0, -depth], "relative": True, "duration": random.uniform(1.2, 1.8), "dwell": 0.3},
            {"position": [0.0, 0.0, depth], "relative": True, "duration": 0.6},
        ]
        side = -side
    return WaypointsTask.model_validate(
        {
            "name": f"random pick {seed}",
            "type": "waypoints",
            "frame": "home",
            "waypoints": [*waypoints, start],
            "speed": random.uniform(0.7, 0.95),
            "angular_speed": random.uniform(1.5, 2.1),
        }
    )


_KINDS: dict[Kind, Callable[[int, float], TaskConfig]] = {"sines": _sines, "pick": _pick}
