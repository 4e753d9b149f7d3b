"""Arms from parameter files and from URDFs: what they hold, what they compute, and what is refused."""

import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pinocchio as pin
import pytest

from ttdm_ros.errors import ConfigError, RobotError
from ttdm_ros.paths import find_config
from ttdm_ros.systems.arm import Arm, JointLimits, load_arm


@pytest.fixture
def iiwa(iiwa_text: str, tmp_path: Path) -> Callable[..., Arm]:
    """Load the iiwa with texts in its URDF replaced: ``iiwa(("old", "new"), tip_frame="tcp")``."""

    def load(*changes: tuple[str, str], **frames: str | None) -> Arm:
        text = iiwa_text
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "iiwa.urdf"
        path.write_text(text, encoding="utf-8")
        return load_arm(path, **({"tip_frame": "tcp"} | frames))

    return load


def test_dynamics_without_gravity_are_those_of_pinocchio_where_there_is_none(
    arm: Arm, weightless: pin.Model, states: list
) -> None:
    data = weightless.createData()
    for q, v, a, tau in states[:100]:
        torque, acceleration = pin.rnea(weightless, data, q, v, a), pin.aba(weightless, data, q, v, tau)
        np.testing.assert_allclose(arm.inverse_dynamics(q, v, a), torque, rtol=0.0, atol=1e-11 * np.abs(torque).max())
        np.testing.assert_allclose(
            arm.forward_dynamics(q, v, tau), acceleration, rtol=0.0, atol=1e-11 * np.abs(acceleration).max()
        )


def test_gravity_torque_is_the_slope_of_potential_energy(arm: Arm, states: list) -> None:
    data, step = arm.model.createData(), 1e-4 * np.eye(7)
    for state in states[:20]:
        slope = [
            (
                pin.computePotentialEnergy(arm.model, data, state.q + h)
                - pin.computePotentialEnergy(arm.model, data, state.q - h)
            )
            / 2e-4
            for h in step
        ]
        np.testing.assert_allclose(arm.gravity_torque(state.q), slope, rtol=0.0, atol=1e-6)


def test_tip_moves_as_its_jacobian_says(arm: Arm, states: list) -> None:
    for state in states[:20]:
        step, jacobian = 1e-5 * state.v, arm.tip_jacobian(state.q)
        before, after = arm.tip_pose(state.q - step), arm.tip_pose(state.q + step)
        twist = np.concatenate([after[0] - before[0], pin.log3(after[1] @ before[1].T)]) / 2e-5
        np.testing.assert_allclose(jacobian @ state.v, twist, rtol=0.0, atol=1e-7)


def test_poses_are_seen_from_the_base_frame(iiwa: Callable[..., Arm]) -> None:
    from_root, from_base = iiwa(), iiwa(base_frame="iiwa_base")
    q = from_base.home
    base = pin.SE3(*reversed(_pose_at_root(from_root, "iiwa_base")))
    position, rotation = base.actInv(pin.SE3(*reversed(from_root.tip_pose(q)))), base.rotation.T
    np.testing.assert_allclose(from_base.tip_pose(q)[0], position.translation, atol=1e-14)
    np.testing.assert_allclose(from_base.tip_jacobian(q)[:3], rotation @ from_root.tip_jacobian(q)[:3], atol=1e-14)
    np.testing.assert_array_equal(from_base.gravity_torque(q), from_root.gravity_torque(q))


def _pose_at_root(arm: Arm, link: str) -> tuple[np.ndarray, np.ndarray]:
    placement = arm.model.frames[arm.model.getFrameId(link)].placement
    return placement.translation, placement.rotation


def test_joints_go_from_base_to_tip(arm: Arm) -> None:
    assert tuple(arm.model.names)[1:] == arm.joint_names
    assert arm.joint_names[0].endswith("1")
    assert arm.joint_names[6].endswith("7")
    assert arm.model.nq == arm.model.nv == 7


def test_nothing_in_an_arm_can_be_written_to(arm: Arm) -> None:
    arrays = [getattr(arm.limits, field.name) for field in fields(JointLimits)]
    for array in (*arrays, arm.home, arm.rotor_inertia, arm.coulomb_friction, arm.viscous_friction):
        assert (array.shape, array.dtype, array.flags.writeable) == ((7,), np.float64, False)


def test_home_is_within_the_limits_and_not_singular(arm: Arm) -> None:
    assert (arm.limits.position_lower < arm.home).all()
    assert (arm.home < arm.limits.position_upper).all()
    assert np.linalg.svd(arm.tip_jacobian(arm.home))[1][-1] > 0.05


def test_rotor_inertia_is_part_of_the_mass_matrix(arm: Arm) -> None:
    bare = arm.model.copy()
    bare.armature = np.zeros(7)
    mass, without = (np.diag(pin.crba(m, m.createData(), arm.home)) for m in (arm.model, bare))
    np.testing.assert_allclose(mass - without, arm.rotor_inertia, atol=1e-14)


def test_several_threads_may_ask_one_arm_at_once(arm: Arm, states: list) -> None:
    alone = [arm.forward_dynamics(s.q, s.v, s.tau) for s in states]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda s: arm.forward_dynamics(s.q, s.v, s.tau), states))
    np.testing.assert_array_equal(together, alone)


def test_an_arm_can_be_sent_to_another_process(arm: Arm) -> None:
    arm.tip_pose(arm.home)
    copy = pickle.loads(pickle.dumps(arm))
    assert copy.fingerprint == arm.fingerprint
    np.testing.assert_array_equal(copy.tip_pose(arm.home)[0], arm.tip_pose(arm.home)[0])


def test_fingerprints_are_those_of_the_robot_and_not_of_its_text(iiwa: Callable[..., Arm]) -> None:
    one = iiwa().fingerprint
    assert iiwa(("0.42 0.04", "0.5 0.1"), ("<!--", "<!-- Edited."), ("tool", "hand")).fingerprint == one
    changes = [
        ('mass value="5.76"', 'mass value="5.77"'),
        ('xyz="0 0 0.2155"', 'xyz="0 0 0.2156"'),
        ('<axis xyz="0 1 0"/>', '<axis xyz="0 1 0.001"/>'),
        ('effort="320"', 'effort="321"'),
        ('upper="2.96706"', 'upper="2.9"'),
        ('xyz="0 0 0.11"', 'xyz="0 0 0.12"'),
        ("iiwa_a1", "iiwa_j1"),
    ]
    prints = {iiwa(change).fingerprint for change in changes}
    assert len(prints | {one}) == len(changes) + 1
    arm = iiwa()
    assert replace(arm, coulomb_friction=np.ones(7)).fingerprint != one
    assert replace(arm, name="other", home=np.ones(7)).fingerprint == one


def test_a_fingerprint_is_the_same_in_every_process() -> None:
    assert load_arm("panda").fingerprint == load_arm(find_config("robots", "panda")).fingerprint
    assert load_arm("panda").fingerprint != load_arm("fr3").fingerprint


def test_a_parameter_file_and_the_urdf_written_of_it_are_one_robot(tmp_path: Path) -> None:
    arm, path = load_arm("panda"), tmp_path / "panda.urdf"
    path.write_text(arm.urdf, encoding="utf-8")
    keys = {"home", "rotor_inertia", "coulomb_friction", "viscous_friction"}
    values = {key: getattr(arm, key) for key in keys}
    values |= {key: getattr(arm.limits, key) for key in ("acceleration", "effort_rate")}
    beside = "\n".join(f"{key}: {value.tolist()}" for key, value in values.items())
    path.with_name("panda.ttdm.yaml").write_text(beside, encoding="utf-8")
    again = load_arm(path)
    assert (again.fingerprint, again.name, again.base_frame, again.tip_frame) == (
        *(arm.fingerprint, "panda", "panda_link0"),
        "panda_hand_tcp",
    )
    np.testing.assert_array_equal(again.home, arm.home)


def test_frames_given_override_those_of_the_parameter_file() -> None:
    hand, flange = load_arm("panda"), load_arm("panda", tip_frame="panda_link8")
    position, rotation = flange.tip_pose(flange.home)
    np.testing.assert_allclose(hand.tip_pose(hand.home)[0], position + 0.1034 * rotation[:, 2], atol=1e-14)


def test_what_a_urdf_does_not_say_is_set_on_the_safe_side(iiwa: Callable[..., Arm]) -> None:
    arm = iiwa()
    np.testing.assert_allclose(arm.rotor_inertia, [0.3, 0.3, 0.3, 0.3, 0.22, 0.08, 0.08])
    np.testing.assert_array_equal(arm.limits.acceleration, np.full(7, 5.0))
    np.testing.assert_array_equal(arm.limits.effort_rate, 5.0 * arm.limits.effort)
    np.testing.assert_array_equal((arm.coulomb_friction, arm.viscous_friction), np.zeros((2, 7)))
    assert (arm.limits.position_lower[6], arm.limits.position_upper[6]) == (-2.0 * np.pi, 2.0 * np.pi)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "home: [0, 0, 0, 0, 0, 3, 0]",
            "iiwa.ttdm.yaml: .*home has joint 6 at 3.0 rad; choose an angle between -2.0944",
        ),
        ("acceleration: [1, 2]", "iiwa.ttdm.yaml: 'acceleration': tuple should have at least 7 items"),
        ("rotor_intertia: [1]", "iiwa.ttdm.yaml: key 'rotor_intertia' is not known .did you mean 'rotor_inertia'"),
    ],
)
def test_a_wrong_file_beside_a_urdf_is_refused(
    iiwa: Callable[..., Arm], tmp_path: Path, text: str, sentence: str
) -> None:
    (tmp_path / "iiwa.ttdm.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=sentence):
        iiwa()


A7 = '<joint name="iiwa_a7" type="continuous">'
A4_LIMIT = '<limit lower="-2.0944" upper="2.0944" effort="176" velocity="1.3090"/>'


@pytest.mark.parametrize(
    ("change", "frames", "sentence"),
    [
        (
            (A7, A7.replace("continuous", "fixed")),
            {},
            r"there are 6 actuated joints between 'world' and 'tcp' \(iiwa_a1,",
        ),
        (('<joint name="mount" type="fixed">', '<joint name="mount" type="continuous">'), {}, "there are 8 actuated"),
        ((A7, A7.replace("continuous", "prismatic")), {}, "joint 'iiwa_a7' between 'world' and 'tcp' is prismatic"),
        ((A7, A7.replace("continuous", "floating")), {}, "joint 'iiwa_a7' between 'world' and 'tcp' is floating"),
        ((A7, A7 + '<mimic joint="iiwa_a6"/>'), {}, "joint 'iiwa_a7' between 'world' and 'tcp' mimics another"),
        (('<axis xyz="0 0 2"/>', '<axis xyz="0 0 0"/>'), {}, "joint 'iiwa_a7' has no axis of three numbers"),
        (('<axis xyz="0 0 2"/>', '<axis xyz="up"/>'), {}, "joint 'iiwa_a7' has no axis of three numbers"),
        (
            ("", ""),
            {"tip_frame": None},
            "branches; name its tip frame, one of the links camera, finger_1, finger_2, tcp",
        ),
        (("", ""), {"tip_frame": "hand"}, "there is no link 'hand' to be the tip frame; links: world, pedestal, "),
        (("", ""), {"base_frame": "floor"}, "there is no link 'floor' to be the base frame; links: world, "),
        (("", ""), {"base_frame": "camera"}, "the tip frame 'tcp' does not hang on the base frame 'camera'"),
        (("", ""), {"base_frame": "iiwa_1"}, "there are 6 actuated joints between 'iiwa_1' and 'tcp'"),
        ((A4_LIMIT, ""), {}, "joint 'iiwa_a4' has no limits for lower, upper, effort, velocity; add them"),
        ((A4_LIMIT, A4_LIMIT.replace('velocity="1.3090"', "")), {}, "joint 'iiwa_a4' has no limits for velocity;"),
        ((A4_LIMIT, A4_LIMIT.replace("-2.0944", "2.0944")), {}, "the lower limit of joint 'iiwa_a4' is not below"),
        ((A4_LIMIT, A4_LIMIT.replace("1.3090", "0")), {}, "effort and velocity limits of joint 'iiwa_a4' must be pos"),
        (('<mass value="5.76"/>', '<mass value="0"/>'), {}, "the link 'iiwa_1' has no mass; add its <inertial>"),
        (('ixx="0.0333"', 'ixx="-0.2"'), {}, "the inertia of the link 'iiwa_1' is not positive definite; correct it"),
        (('<mass value="5.76"/>', ""), {}, "the <inertial> of the link 'iiwa_1' lacks its mass or one of six moments"),
        (('izz="0.0006"', ""), {}, "the <inertial> of the link 'tool' lacks its mass or one of six moments"),
        (('xyz="0 0 0.2155"', 'xyz="0 0"'), {}, r"pinocchio cannot read this URDF \(.*\); correct it"),
        (("</robot>", ""), {}, r"is not readable XML \(no element found: line .*\); correct that line"),
        (("<robot", "<model"), {}, "is not readable XML"),
        (('<link name="tcp"/>', ""), {}, "joint 'tcp_joint' refers to a link 'tcp' that does not exist"),
        (('<link name="tcp"/>', '<link name="tcp"/><link name="b"/>'), {}, r"form no tree \(roots: world, b\)"),
        (('<link name="tcp"/>', '<link name="tcp"/><link name="tcp"/>'), {}, "the link name 'tcp' is empty or given"),
        (
            ('parent link="tool"/><child link="tcp"', 'parent link="tcp"/><child link="tcp"'),
            {},
            "'tcp' hangs on itself",
        ),
        (('child link="finger_2"', 'child link="finger_1"'), {}, "'finger_1' is the child of two joints"),
    ],
)
def test_what_is_no_arm_of_seven_joints_is_refused_in_one_sentence(
    iiwa: Callable[..., Arm], change: tuple[str, str], frames: dict[str, str | None], sentence: str
) -> None:
    with pytest.raises(RobotError, match=sentence) as caught:
        iiwa(change, **frames)
    assert str(caught.value).count("\n") == 0
    assert "iiwa.urdf: " in str(caught.value)


def test_a_moving_link_without_inertia_is_refused(iiwa_text: str, tmp_path: Path) -> None:
    robot = ElementTree.fromstring(iiwa_text)
    link = next(link for link in robot.findall("link") if link.get("name") == "iiwa_3")
    link.remove(link.find("inertial"))
    path = tmp_path / "light.urdf"
    ElementTree.ElementTree(robot).write(path)
    with pytest.raises(RobotError, match="the link 'iiwa_3' has no mass; add its <inertial>"):
        load_arm(path, tip_frame="tcp")


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("a.urdf", b"<sdf/>", "begins with <sdf>, a URDF begins with <robot>; give a URDF"),
        ("a.urdf", b"<robot/>", "has no links; give the URDF of an arm"),
        ("a.urdf", b"\xff\xfe<", "cannot be read as text in UTF-8"),
        ("a.urdf", b'<robot xmlns:xacro="http://wiki.ros.org/xacro"><xacro:arm/></robot>', "contains xacro macros"),
        ("a.urdf.xacro", b"<robot/>", "a robot is a .yaml or .urdf file"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, name: str, text: bytes, sentence: str) -> None:
    path = tmp_path / name
    path.write_bytes(text)
    with pytest.raises(RobotError, match=sentence):
        load_arm(path)


def test_an_unknown_name_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ConfigError, match=r"there is no robot named 'ur5'; known: fr3, panda"):
        load_arm("ur5")
