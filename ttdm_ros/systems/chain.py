"""From the text of a URDF to the seven joints between two frames, and pinocchio's model of them."""

import math
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np
import pinocchio as pin

from ttdm_ros.errors import RobotError
from ttdm_ros.systems.parameters import JOINTS

_ACTUATED = ("revolute", "continuous")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chain:
    """Seven actuated joints in series, cut out of a URDF."""

    robot: Element
    """The whole URDF."""
    source: str
    """Where it comes from, for error messages."""
    base_frame: str
    tip_frame: str
    joints: tuple[Element, ...]
    """The actuated ones, base to tip."""

    @property
    def name(self) -> str:
        """The robot's name."""
        return self.robot.get("name") or Path(self.source).stem

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Names, base to tip."""
        return tuple(joint.get("name", "") for joint in self.joints)

    def limit(self, key: str) -> np.ndarray:
        """Return ``effort`` or ``velocity`` of the joints, base to tip, (7,)."""
        return np.array([_number(joint.find("limit"), key) for joint in self.joints])

    def position_limit(self, key: str, continuous: float) -> np.ndarray:
        """Return ``lower`` or ``upper`` of the joints, and ``continuous`` for those without limits, (7,) [rad]."""
        turning = [joint.get("type") == "continuous" for joint in self.joints]
        return np.where(turning, continuous, self.limit(key))


def read_chain(text: str, source: Path, base_frame: str | None = None, tip_frame: str | None = None) -> Chain:
    """Find the seven actuated joints between two links of a URDF.

    Args:
        text: the URDF.
        source: its file, named in errors.
        base_frame: a link; default: the root.
        tip_frame: a link beyond the seventh joint; default: the only leaf.

    Raises:
        RobotError: not a URDF, not a tree, an unknown frame, several leaves and no tip named, or a chain that has not
            exactly seven revolute joints of their own.
    """
    robot = _parse(text, source)
    links = [link.get("name", "") for link in robot.findall("link")]
    parents = _parents(robot, links, source)
    for what, frame in (("base", base_frame), ("tip", tip_frame)):
        if frame is not None and frame not in links:
            raise RobotError(f"{source}: there is no link '{frame}' to be the {what} frame; links: {', '.join(links)}")
    base = base_frame or next(link for link in links if link not in parents)
    tip = tip_frame or _only_leaf(links, parents, source)
    path: list[Element] = []
    link = tip
    while link != base:
        if link not in parents:
            raise RobotError(f"{source}: the tip frame '{tip}' does not hang on the base frame '{base}'; choose others")
        path.insert(0, parents[link][1])
        link = parents[link][0]
    joints = tuple(joint for joint in path if joint.get("type") != "fixed")
    _check_joints(joints, source, f"between '{base}' and '{tip}'")
    return Chain(robot=robot, source=str(source), base_frame=base, tip_frame=tip, joints=joints)


def build_model(chain: Chain) -> pin.Model:
    """Build the model of the seven joints, in the root frame of the URDF, every other joint being fixed at zero.

    Raises:
        RobotError: pinocchio refuses the URDF, or what a joint moves has no mass or no positive definite inertia.
    """
    try:
        model = pin.buildModelFromXML(_dynamics_only(chain))
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise RobotError(f"{chain.source}: pinocchio cannot read this URDF ({reason}); correct it") from error
    if tuple(model.names)[1:] != chain.joint_names or model.nq != JOINTS:
        raise RobotError(
            f"{chain.source}: pinocchio found the joints {tuple(model.names)[1:]}, not {chain.joint_names}"
        )
    for joint, body in zip(chain.joints, list(model.inertias)[1:], strict=True):
        link = _child(joint)
        if not body.mass > 0.0:
            raise RobotError(f"{chain.source}: the link '{link}' has no mass; add its <inertial>")
        if not np.linalg.eigvalsh(body.inertia)[0] > 0.0:
            raise RobotError(f"{chain.source}: the inertia of the link '{link}' is not positive definite; correct it")
    return model


def _parse(text: str, source: Path) -> Element:
    try:
        robot = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise RobotError(f"{source}: is not readable XML ({error}); correct that line") from error
    if robot.tag != "robot":
        raise RobotError(f"{source}: begins with <{robot.tag}>, a URDF begins with <robot>; give a URDF")
    if any("xacro" in element.tag for element in robot.iter()):
        raise RobotError(f"{source}: contains xacro macros; write it out first: xacro {source.name} > robot.urdf")
    if robot.find("link") is None:
        raise RobotError(f"{source}: has no links; give the URDF of an arm")
    return robot


def _parents(robot: Element, links: list[str], source: Path) -> dict[str, tuple[str, Element]]:
    """Return link -> (parent link, joint), after checking that the links form one tree."""
    _check_names(links, "link", source)
    _check_names([joint.get("name", "") for joint in robot.findall("joint")], "joint", source)
    parents: dict[str, tuple[str, Element]] = {}
    for joint in robot.findall("joint"):
        parent, child, name = _parent(joint), _child(joint), joint.get("name", "")
        for link in (parent, child):
            if link not in links:
                raise RobotError(f"{source}: joint '{name}' refers to a link '{link}' that does not exist; correct it")
        if child in parents:
            raise RobotError(f"{source}: the link '{child}' is the child of two joints; a URDF is a tree")
        parents[child] = parent, joint
    roots = [link for link in links if link not in parents]
    if len(roots) != 1:
        raise RobotError(f"{source}: the links form no tree (roots: {', '.join(roots) or 'none'}); join them to one")
    for link in links:
        steps, at = 0, link
        while at in parents and steps <= len(links):
            steps, at = steps + 1, parents[at][0]
        if at != roots[0]:
            raise RobotError(f"{source}: the link '{link}' hangs on itself in a loop; a URDF is a tree")
    return parents


def _check_names(names: list[str], what: str, source: Path) -> None:
    for name in names:
        if not name or names.count(name) > 1:
            raise RobotError(f"{source}: the {what} name '{name}' is empty or given twice; rename one")


def _only_leaf(links: list[str], parents: dict[str, tuple[str, Element]], source: Path) -> str:
    inner = {parent for parent, _ in parents.values()}
    leaves = [link for link in links if link not in inner]
    if len(leaves) > 1:
        raise RobotError(f"{source}: the arm branches; name its tip frame, one of the links {', '.join(leaves)}")
    return leaves[0]


def _check_joints(joints: tuple[Element, ...], source: Path, where: str) -> None:
    for joint in joints:
        name, kind = joint.get("name"), joint.get("type")
        if kind not in _ACTUATED:
            raise RobotError(f"{source}: joint '{name}' {where} is {kind}; only revolute joints are supported")
        if joint.find("mimic") is not None:
            raise RobotError(f"{source}: joint '{name}' {where} mimics another; only joints of their own are supported")
        if not np.linalg.norm(_axis(joint)) > 0.0:
            raise RobotError(f"{source}: joint '{name}' has no axis of three numbers, not all zero; correct it")
    if len(joints) != JOINTS:
        names = ", ".join(joint.get("name", "") for joint in joints) or "none"
        raise RobotError(
            f"{source}: there are {len(joints)} actuated joints {where} ({names}), and {JOINTS} are needed;"
            " name other base and tip frames"
        )
    for joint in joints:
        limit, name = joint.find("limit"), joint.get("name")
        bounds = ("lower", "upper") if joint.get("type") == "revolute" else ()
        missing = [key for key in (*bounds, "effort", "velocity") if not math.isfinite(_number(limit, key))]
        if missing:
            raise RobotError(
                f"{source}: joint '{name}' has no limits for {', '.join(missing)}; add them to its <limit>"
            )
        if bounds and not _number(limit, "lower") < _number(limit, "upper"):
            raise RobotError(f"{source}: the lower limit of joint '{name}' is not below the upper one; correct them")
        if min(_number(limit, "effort"), _number(limit, "velocity")) <= 0.0:
            raise RobotError(f"{source}: effort and velocity limits of joint '{name}' must be positive; correct them")


def _dynamics_only(chain: Chain) -> str:
    """Return a URDF of inertias and joints alone: the seven are revolute, all others fixed at zero.

    Raises:
        RobotError: an <inertial> is incomplete.
    """
    robot = Element("robot", name="arm")
    for link in chain.robot.findall("link"):
        copy = SubElement(robot, "link", name=link.get("name", ""))
        for inertial in link.findall("inertial"):
            # Without this, urdfdom would drop such a mass and go on.
            numbers = [_number(inertial.find("mass"), "value")]
            numbers += [_number(inertial.find("inertia"), key) for key in ("ixx", "ixy", "ixz", "iyy", "iyz", "izz")]
            if not np.isfinite(numbers).all():
                what = f"the <inertial> of the link '{link.get('name')}'"
                raise RobotError(f"{chain.source}: {what} lacks its mass or one of six moments; add it")
            copy.append(inertial)
    for joint in chain.robot.findall("joint"):
        moves = joint in chain.joints
        copy = SubElement(robot, "joint", name=joint.get("name", ""), type="revolute" if moves else "fixed")
        copy.extend(joint.findall("origin"))
        SubElement(copy, "parent", link=_parent(joint))
        SubElement(copy, "child", link=_child(joint))
        if moves:
            axis = _axis(joint)
            SubElement(copy, "axis", xyz=" ".join(repr(float(x)) for x in axis / np.linalg.norm(axis)))
            # Limits are kept apart: a continuous joint has none that URDF allows to be written.
            SubElement(copy, "limit", lower="-10.0", upper="10.0", effort="1.0", velocity="1.0")
    return ElementTree.tostring(robot, encoding="unicode")


def _parent(joint: Element) -> str:
    parent = joint.find("parent")
    return "" if parent is None else parent.get("link", "")


def _child(joint: Element) -> str:
    child = joint.find("child")
    return "" if child is None else child.get("link", "")


def _axis(joint: Element) -> np.ndarray:
    element = joint.find("axis")
    if element is None:
        return np.array([1.0, 0.0, 0.0])  # as URDF says
    try:
        axis = np.array([float(x) for x in element.get("xyz", "").split()])
    except ValueError:
        axis = np.zeros(3)
    return axis if axis.shape == (3,) and np.isfinite(axis).all() else np.zeros(3)


def _number(element: Element | None, key: str) -> float:
    try:
        return math.nan if element is None else float(element.get(key, "nan"))
    except ValueError:
        return math.nan
