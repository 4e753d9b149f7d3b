"""Arms the nominal dynamics is tried on, and states to try them in."""

from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np
import pinocchio as pin
import pytest

from ttdm_ros.systems.arm import Arm, load_arm

IIWA = Path(__file__).parent / "data" / "iiwa14.urdf"


class State(NamedTuple):
    """A state with an input and an acceleration that do not belong together."""

    q: np.ndarray
    v: np.ndarray
    a: np.ndarray
    tau: np.ndarray


@pytest.fixture(scope="session", params=["panda", "fr3", "iiwa14", "skewed"])
def arm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Arm:
    """Both arms that ship, one of another make, and the same with joints that point anywhere."""
    if request.param in ("panda", "fr3"):
        return load_arm(request.param)
    path = IIWA
    if request.param == "skewed":
        path = tmp_path_factory.mktemp("skewed") / "skewed.urdf"
        path.write_text(_skewed(IIWA.read_text(encoding="utf-8")), encoding="utf-8")
    return load_arm(path, base_frame="iiwa_base", tip_frame="tcp")


@pytest.fixture(scope="session")
def states(arm: Arm) -> list[State]:
    """A thousand states within the limits."""
    random, limits = np.random.default_rng(7), arm.limits
    return [
        State(
            q=random.uniform(limits.position_lower, limits.position_upper),
            v=random.uniform(-1.0, 1.0, 7) * limits.velocity,
            a=random.uniform(-1.0, 1.0, 7) * limits.acceleration,
            tau=random.uniform(-1.0, 1.0, 7) * limits.effort,
        )
        for _ in range(1000)
    ]


@pytest.fixture(scope="session")
def weightless(arm: Arm) -> pin.Model:
    """Pinocchio's model of the arm where there is no gravity."""
    model = arm.model.copy()
    model.gravity = pin.Motion.Zero()
    return model


@pytest.fixture
def iiwa_text() -> str:
    """A URDF to take apart."""
    return IIWA.read_text(encoding="utf-8")


def _skewed(text: str) -> str:
    robot, random = ElementTree.fromstring(text), np.random.default_rng(11)
    for joint in robot.findall("joint"):
        for tag, key in (("origin", "rpy"), ("axis", "xyz")):
            for element in joint.findall(tag):
                element.set(key, " ".join(map(repr, random.uniform(-1.0, 1.0, 3).tolist())))
    return ElementTree.tostring(robot, encoding="unicode")
