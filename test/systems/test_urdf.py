"""The URDF that is written of the arms that ship, as pinocchio, MuJoCo and RViz read it."""

from xml.etree import ElementTree

import mujoco
import numpy as np
import pinocchio as pin
import pytest

from ttdm_ros.config import load, parse
from ttdm_ros.errors import ConfigError
from ttdm_ros.paths import find_config
from ttdm_ros.systems.arm import Arm, load_arm
from ttdm_ros.systems.parameters import RobotParameters
from ttdm_ros.systems.urdf import write_urdf

# https://wiki.ros.org/urdf/XML: what may stand where, with its attributes.
KNOWN = {
    "robot": ({"material", "link", "joint"}, {"name"}),
    "material": ({"color"}, {"name"}),
    "color": (set(), {"rgba"}),
    "link": ({"inertial", "visual", "collision"}, {"name"}),
    "inertial": ({"origin", "mass", "inertia"}, set()),
    "mass": (set(), {"value"}),
    "inertia": (set(), {"ixx", "ixy", "ixz", "iyy", "iyz", "izz"}),
    "visual": ({"origin", "geometry", "material"}, set()),
    "collision": ({"origin", "geometry"}, set()),
    "geometry": ({"cylinder", "sphere"}, set()),
    "cylinder": (set(), {"radius", "length"}),
    "sphere": (set(), {"radius"}),
    "joint": ({"origin", "parent", "child", "axis", "limit"}, {"name", "type"}),
    "origin": (set(), {"xyz", "rpy"}),
    "parent": (set(), {"link"}),
    "child": (set(), {"link"}),
    "axis": (set(), {"xyz"}),
    "limit": (set(), {"lower", "upper", "effort", "velocity"}),
}


@pytest.fixture(params=["panda", "fr3"])
def parameters(request: pytest.FixtureRequest) -> RobotParameters:
    return load(find_config("robots", request.param), RobotParameters)


def test_it_holds_nothing_that_urdf_does_not_know(parameters: RobotParameters) -> None:
    pending = [ElementTree.fromstring(write_urdf(parameters))]
    while pending:
        element = pending.pop()
        children, attributes = KNOWN[element.tag]
        assert set(element.attrib) == attributes
        assert {child.tag for child in element} <= children
        pending.extend(element)


def test_writing_it_twice_gives_the_same_text(parameters: RobotParameters) -> None:
    again = parse(parameters.model_dump(), RobotParameters, "again")
    assert write_urdf(parameters) == write_urdf(again)


def test_it_names_the_robot_as_its_file_does(parameters: RobotParameters) -> None:
    assert f'<robot name="{parameters.name}"' in write_urdf(parameters)


def test_the_numbers_that_are_read_are_those_that_were_given(parameters: RobotParameters) -> None:
    model = pin.buildModelFromXML(write_urdf(parameters))
    limits = parameters.limits
    np.testing.assert_array_equal(model.lowerPositionLimit, limits.position_lower)
    np.testing.assert_array_equal(model.upperPositionLimit, limits.position_upper)
    np.testing.assert_array_equal(model.velocityLimit, limits.velocity)
    np.testing.assert_array_equal(model.effortLimit, limits.effort)
    for link, body in zip(parameters.links[1:], list(model.inertias)[1:], strict=True):
        bare = pin.Inertia(link.mass, np.array(link.com), link.inertia.matrix())
        # The last link carries frames without mass; adding nothing rounds.
        np.testing.assert_allclose(body.toDynamicParameters(), bare.toDynamicParameters(), rtol=0.0, atol=1e-15)


def test_everything_can_be_looked_at_and_what_has_mass_can_be_collided_with(parameters: RobotParameters) -> None:
    robot = ElementTree.fromstring(write_urdf(parameters))
    for link in robot.findall("link"):
        assert link.findall("visual")
        assert bool(link.findall("collision")) == bool(link.findall("inertial")), link.get("name")


@pytest.mark.parametrize("name", ["panda", "fr3"])
def test_mujoco_and_pinocchio_move_it_alike(name: str) -> None:
    arm = load_arm(name)
    model = _in_mujoco(arm)
    weightless = arm.model.copy()
    weightless.gravity = pin.Motion.Zero()
    data, expected, random = mujoco.MjData(model), weightless.createData(), np.random.default_rng(9)
    tip, frame = model.body(arm.tip_frame).id, weightless.getFrameId(arm.tip_frame)
    for _ in range(200):
        data.qpos[:] = random.uniform(arm.limits.position_lower, arm.limits.position_upper)
        data.qvel[:] = random.uniform(-1.0, 1.0, 7) * arm.limits.velocity
        data.qfrc_applied[:] = random.uniform(-1.0, 1.0, 7) * arm.limits.effort
        mujoco.mj_forward(model, data)
        mass = np.empty((7, 7))
        for row, unit in zip(mass, np.eye(7), strict=True):
            mujoco.mj_mulM(model, data, row, unit)
        q, v, tau = data.qpos, data.qvel, data.qfrc_applied
        upper = np.triu(pin.crba(weightless, expected, q))
        for actual, wanted in (
            (mass, upper + np.triu(upper, 1).T),
            (data.qfrc_bias, pin.rnea(weightless, expected, q, v, np.zeros(7))),
            (data.qacc, pin.aba(weightless, expected, q, v, tau)),
        ):
            np.testing.assert_allclose(actual, wanted, rtol=0.0, atol=1e-10 * np.abs(wanted).max())
        pin.framesForwardKinematics(weightless, expected, q)
        np.testing.assert_allclose(data.xpos[tip], expected.oMf[frame].translation, rtol=0.0, atol=1e-12)
        np.testing.assert_allclose(data.xmat[tip].reshape(3, 3), expected.oMf[frame].rotation, rtol=0.0, atol=1e-12)


def _in_mujoco(arm: Arm) -> mujoco.MjModel:
    spec = mujoco.MjSpec.from_string(arm.urdf)
    spec.compiler.fusestatic = False
    spec.option.gravity = np.zeros(3)
    off = mujoco.mjtDisableBit
    spec.option.disableflags = int(off.mjDSBL_CONTACT) | int(off.mjDSBL_LIMIT)
    for name, inertia in zip(arm.joint_names, arm.rotor_inertia, strict=True):
        spec.joint(name).armature = float(inertia)
    return spec.compile()


def _with(data: dict, path: str, value: object) -> dict:
    *parents, last = path.split(".")
    node = data
    for key in parents:
        node = node[int(key)] if isinstance(node, list) else node[key]
    node[last] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("links.3.mass", -1.0, "'links.3.mass': input should be greater than 0"),
        ("links.3.inertia.ixy", 1.0, "'links.3.inertia': inertia must be positive definite"),
        ("links.3.inertia.izz", 1.0, "no moment larger than the sum of the other two"),
        ("links.3.colour", "red", "key 'links.3.colour' is not known"),
        ("links.3.name", "panda_link2", "the name 'panda_link2' is given twice"),
        ("frames.0.parent", "nowhere", "parent 'nowhere' of frame 'panda_link8' must be one of panda_link0, "),
        ("frames.0.shapes", [{"length": 1.0}], "key 'frames.0.shapes.0.radius' is missing"),
        ("tip_frame", "nowhere", "the frame 'nowhere' must be one of panda_link0, "),
        ("home", [3.0, 0.0, 0.0, -1.0, 0.0, 1.0, 0.0], "home has joint 1 at 3.0 rad; choose an angle between -2.8973"),
        ("limits.velocity", [1.0] * 6, "'limits.velocity': tuple should have at least 7 items"),
        ("limits.position_lower", [9.0] * 7, r"position_lower of joint 1 \(9.0\) must be below position_upper"),
        ("joints", [], "'joints': tuple should have at least 7 items"),
    ],
)
def test_parameters_that_no_robot_has_are_refused(path: str, value: object, sentence: str) -> None:
    data = load(find_config("robots", "panda"), RobotParameters).model_dump(mode="json")
    with pytest.raises(ConfigError, match=sentence):
        parse(_with(data, path, value), RobotParameters, "panda.yaml")
