"""From an arm and a plant's configuration to the URDF that is spawned in Gazebo."""

from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np
import pinocchio as pin

from ttdm_ros.errors import PlantError
from ttdm_ros.plants.config import PAYLOAD, Payload, PlantConfig
from ttdm_ros.plants.friction import friction_torques
from ttdm_ros.plants.gazebo.rotors import with_rotor
from ttdm_ros.systems.arm import Arm, joint_axes
from ttdm_ros.systems.chain import build_model, read_chain

WORLD_LINK = "world"  # by this name Gazebo fixes a model to the world

_EFFORT_MARGIN = (
    2.0  # the node before the motors keeps commands within the arm's limits; Gazebo leaves room for its own
)
_PLUGIN_FILE, _PLUGIN_NAME = "gz_ros2_control-system", "gz_ros2_control::GazeboSimROS2ControlPlugin"
_HARDWARE = "gz_ros2_control/GazeboSimSystem"
_MOMENTS = ("ixx", "ixy", "ixz", "iyy", "iyz", "izz")


def gazebo_urdf(arm: Arm, config: PlantConfig, controllers: Path, *, namespace: str = "") -> str:
    """Return the URDF of the arm with everything that Gazebo needs, ending in a newline.

    The base is fixed to the world and all joints but the arm's seven are fixed at zero. The nominal links have no
    weight, which is the gravity compensation of the nominal arm, exact and without delay; the payload has. Rotor
    inertia is in the links (see :mod:`ttdm_ros.plants.gazebo.rotors`).

    Args:
        arm: the nominal arm.
        config: payload and friction count; what Gazebo cannot express is left out (see ``left_out``).
        controllers: parameter file of the controller manager in Gazebo.
        namespace: of the controller manager and the controllers.

    Raises:
        PlantError: the arm's own URDF cannot be used for that.
    """
    robot = _links_urdf(arm)
    root = _root_link(robot)
    if root != WORLD_LINK:
        robot.insert(0, Element("link", name=WORLD_LINK))
        _add_fixed_joint(robot, "world_joint", WORLD_LINK, root)
    _set_joints(robot, arm, config)
    if config.gravity_compensation:
        for link in robot.findall("link"):
            if (name := link.get("name", "")) != WORLD_LINK:
                SubElement(SubElement(robot, "gazebo", reference=name), "turnGravityOff").text = "true"
    if config.payload is not None:
        _add_payload(robot, arm, config.payload)
    _add_ros2_control(robot, arm)
    _add_plugin(robot, controllers, namespace)
    ElementTree.indent(robot)
    return '<?xml version="1.0"?>\n' + ElementTree.tostring(robot, encoding="unicode") + "\n"


def links_model(arm: Arm) -> pin.Model:
    """Return the nominal arm as Gazebo simulates it: without rotors, but with their inertia in the links.

    Raises:
        PlantError: the arm's own URDF cannot be used for that.
    """
    text = ElementTree.tostring(_links_urdf(arm), encoding="unicode")
    return build_model(read_chain(text, Path(f"{arm.name}.urdf"), arm.base_frame, arm.tip_frame))


def _links_urdf(arm: Arm) -> Element:
    """Return the robot's links and joints, rotor inertia in the links, all joints but the arm's fixed."""
    robot = ElementTree.fromstring(arm.urdf)
    for element in list(robot):
        if element.tag not in ("link", "joint", "material"):
            robot.remove(element)
    links = {link.get("name", ""): link for link in robot.findall("link")}
    if PAYLOAD in links:
        raise PlantError(f"the URDF of {arm.name} has a link named {PAYLOAD} already; rename it")
    axes = joint_axes(arm.model)
    for joint in robot.findall("joint"):
        name = joint.get("name", "")
        if name not in arm.joint_names:
            _fix(joint)
            continue
        i = arm.joint_names.index(name)
        link = links[_child(joint)]
        _add_rotor(link, axes[i], float(arm.rotor_inertia[i]))
    return robot


def _fix(joint: Element) -> None:
    joint.set("type", "fixed")
    for element in list(joint):
        if element.tag not in ("origin", "parent", "child"):
            joint.remove(element)


def _add_rotor(link: Element, axis: np.ndarray, rotor: float) -> None:
    inertial = link.find("inertial")
    element = None if inertial is None else inertial.find("inertia")
    if inertial is None or element is None:
        raise PlantError(
            f"Gazebo needs the inertia of the link {link.get('name')}, which a joint moves; add its <inertial>"
        )
    origin = inertial.find("origin")
    rpy = [float(x) for x in ("0 0 0" if origin is None else origin.get("rpy", "0 0 0")).split()]
    local = pin.rpy.rpyToMatrix(*rpy).T @ axis
    xx, xy, xz, yy, yz, zz = (float(element.get(key, "0")) for key in _MOMENTS)
    total = with_rotor(np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]), local, rotor)
    for key, value in zip(_MOMENTS, total[np.triu_indices(3)], strict=True):
        element.set(key, repr(float(value)))


def _set_joints(robot: Element, arm: Arm, config: PlantConfig) -> None:
    coulomb, viscous = friction_torques(arm, config)
    limits = arm.limits
    for joint in robot.findall("joint"):
        name = joint.get("name", "")
        if name not in arm.joint_names:
            continue
        i = arm.joint_names.index(name)
        joint.set("type", "revolute")  # continuous joints get the limits that the arm was given
        for tag in ("limit", "dynamics", "safety_controller", "calibration"):
            for element in joint.findall(tag):
                joint.remove(element)
        SubElement(
            joint,
            "limit",
            lower=repr(float(limits.position_lower[i])),
            upper=repr(float(limits.position_upper[i])),
            effort=repr(float(_EFFORT_MARGIN * limits.effort[i])),
            velocity=repr(float(limits.velocity[i])),
        )
        SubElement(joint, "dynamics", damping=repr(float(viscous[i])), friction=repr(float(coulomb[i])))


def _add_payload(robot: Element, arm: Arm, payload: Payload) -> None:
    """Fix a link with weight to the last link, at the tip; it is kept apart, as lumped links have one weight."""
    last = next(_child(joint) for joint in robot.findall("joint") if joint.get("name") == arm.joint_names[-1])
    link = SubElement(robot, "link", name=PAYLOAD)
    inertial = SubElement(link, "inertial")
    SubElement(inertial, "origin", xyz=_text(payload.com), rpy="0 0 0")
    SubElement(inertial, "mass", value=repr(payload.mass))
    xx, yy, zz = (repr(float(moment)) for moment in payload.moments())
    SubElement(inertial, "inertia", ixx=xx, ixy="0", ixz="0", iyy=yy, iyz="0", izz=zz)
    visual = SubElement(link, "visual")
    SubElement(visual, "origin", xyz=_text(payload.com), rpy="0 0 0")
    SubElement(SubElement(visual, "geometry"), "sphere", radius=repr(payload.radius))
    name = f"{PAYLOAD}_joint"
    joint = _add_fixed_joint(robot, name, last, PAYLOAD)
    tip = arm.tip_placement
    SubElement(joint, "origin", xyz=_text(tip.translation), rpy=_text(pin.rpy.matrixToRpy(tip.rotation)))
    SubElement(SubElement(robot, "gazebo", reference=name), "preserveFixedJoint").text = "true"


def _add_ros2_control(robot: Element, arm: Arm) -> None:
    control = SubElement(robot, "ros2_control", name=f"{arm.name}_in_gazebo", type="system")
    SubElement(SubElement(control, "hardware"), "plugin").text = _HARDWARE
    for name, home in zip(arm.joint_names, arm.home, strict=True):
        joint = SubElement(control, "joint", name=name)
        SubElement(joint, "command_interface", name="effort")
        position = SubElement(joint, "state_interface", name="position")
        SubElement(position, "param", name="initial_value").text = repr(float(home))
        SubElement(joint, "state_interface", name="velocity")
        SubElement(joint, "state_interface", name="effort")


def _add_plugin(robot: Element, controllers: Path, namespace: str) -> None:
    plugin = SubElement(SubElement(robot, "gazebo"), "plugin", filename=_PLUGIN_FILE, name=_PLUGIN_NAME)
    SubElement(plugin, "parameters").text = str(controllers)
    if namespace:
        SubElement(SubElement(plugin, "ros"), "namespace").text = "/" + namespace.strip("/")


def _add_fixed_joint(robot: Element, name: str, parent: str, child: str) -> Element:
    joint = SubElement(robot, "joint", name=name, type="fixed")
    SubElement(joint, "parent", link=parent)
    SubElement(joint, "child", link=child)
    return joint


def _root_link(robot: Element) -> str:
    children = {_child(joint) for joint in robot.findall("joint")}
    return next(name for link in robot.findall("link") if (name := link.get("name", "")) not in children)


def _child(joint: Element) -> str:
    child = joint.find("child")
    return "" if child is None else child.get("link", "")


def _text(values: object) -> str:
    return " ".join(repr(float(value)) for value in np.asarray(values))
