"""From an arm's parameters to its URDF, for pinocchio, MuJoCo, RViz and Gazebo alike."""

from collections.abc import Iterable
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from ttdm_ros.systems.parameters import Frame, Link, Placement, RobotParameters, Shape

_COLOUR = "0.92 0.93 0.95 1.0"


def write_urdf(parameters: RobotParameters) -> str:
    """Return the URDF of an arm, ending in a newline.

    Numbers are written so that reading them gives the same doubles again. The frames that have no mass hang on fixed
    joints, named after them with ``_joint`` added.
    """
    robot = Element("robot", name=parameters.name)
    SubElement(SubElement(robot, "material", name="shell"), "color", rgba=_COLOUR)
    for link in parameters.links:
        _add_link(robot, link)
    for frame in parameters.frames:
        # Nothing to collide with: MuJoCo would give these links the mass of their shapes.
        _add_shapes(SubElement(robot, "link", name=frame.name), "visual", frame.shapes)
    for index in range(len(parameters.joints)):
        _add_joint(robot, parameters, index)
    for frame in parameters.frames:
        _add_fixed_joint(robot, frame)
    ElementTree.indent(robot)
    return '<?xml version="1.0"?>\n' + ElementTree.tostring(robot, encoding="unicode") + "\n"


def _add_link(robot: Element, link: Link) -> None:
    element = SubElement(robot, "link", name=link.name)
    inertial = SubElement(element, "inertial")
    _add_origin(inertial, Placement(xyz=link.com))
    SubElement(inertial, "mass", value=repr(link.mass))
    SubElement(inertial, "inertia", {key: repr(value) for key, value in link.inertia})
    for kind in ("visual", "collision"):
        _add_shapes(element, kind, link.shapes)


def _add_shapes(link: Element, kind: str, shapes: Iterable[Shape]) -> None:
    for shape in shapes:
        element = SubElement(link, kind)
        _add_origin(element, shape)
        geometry = SubElement(element, "geometry")
        if shape.length is None:
            SubElement(geometry, "sphere", radius=repr(shape.radius))
        else:
            SubElement(geometry, "cylinder", radius=repr(shape.radius), length=repr(shape.length))
        if kind == "visual":
            SubElement(element, "material", name="shell")


def _add_joint(robot: Element, parameters: RobotParameters, index: int) -> None:
    joint, limits = parameters.joints[index], parameters.limits
    element = SubElement(robot, "joint", name=joint.name, type="revolute")
    _add_origin(element, joint)
    SubElement(element, "parent", link=parameters.links[index].name)
    SubElement(element, "child", link=parameters.links[index + 1].name)
    SubElement(element, "axis", xyz="0 0 1")
    SubElement(
        element,
        "limit",
        lower=repr(limits.position_lower[index]),
        upper=repr(limits.position_upper[index]),
        effort=repr(limits.effort[index]),
        velocity=repr(limits.velocity[index]),
    )


def _add_fixed_joint(robot: Element, frame: Frame) -> None:
    element = SubElement(robot, "joint", name=f"{frame.name}_joint", type="fixed")
    _add_origin(element, frame)
    SubElement(element, "parent", link=frame.parent)
    SubElement(element, "child", link=frame.name)


def _add_origin(element: Element, placement: Placement) -> None:
    xyz, rpy = (" ".join(map(repr, values)) for values in (placement.xyz, placement.rpy))
    SubElement(element, "origin", xyz=xyz, rpy=rpy)
