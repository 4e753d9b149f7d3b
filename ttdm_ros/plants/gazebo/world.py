"""The world in which Gazebo simulates an arm, as SDF 1.9."""

from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from ttdm_ros.plants.config import PlantConfig
from ttdm_ros.systems.arm import Arm

WORLD = "ttdm"

_SYSTEMS = {  # what a server needs when a world names its systems itself
    "gz-sim-physics-system": "gz::sim::systems::Physics",
    "gz-sim-user-commands-system": "gz::sim::systems::UserCommands",
    "gz-sim-scene-broadcaster-system": "gz::sim::systems::SceneBroadcaster",
}


def world_sdf(arm: Arm, config: PlantConfig, *, real_time_factor: float = 1.0) -> str:
    """Return an SDF world with a floor to look at and a light, ending in a newline; the arm is spawned into it.

    Args:
        arm: gives gravity.
        config: gives the time step.
        real_time_factor: simulated over wall time that Gazebo shall keep to.
    """
    sdf = Element("sdf", version="1.9")
    world = SubElement(sdf, "world", name=WORLD)
    physics = SubElement(world, "physics", name="dart", type="dart")
    SubElement(physics, "max_step_size").text = repr(config.step)
    SubElement(physics, "real_time_factor").text = repr(real_time_factor)
    for filename, name in _SYSTEMS.items():
        SubElement(world, "plugin", filename=filename, name=name)
    SubElement(world, "gravity").text = " ".join(repr(float(g)) for g in np.asarray(arm.model.gravity.linear))
    light = SubElement(world, "light", name="sun", type="directional")
    SubElement(light, "pose").text = "0 0 10 0 0 0"
    SubElement(light, "direction").text = "-0.5 0.1 -0.9"
    SubElement(light, "diffuse").text = "0.8 0.8 0.8 1"
    floor = SubElement(world, "model", name="floor")
    SubElement(floor, "static").text = "true"
    visual = SubElement(SubElement(floor, "link", name="link"), "visual", name="visual")
    plane = SubElement(SubElement(visual, "geometry"), "plane")
    SubElement(plane, "normal").text = "0 0 1"
    SubElement(plane, "size").text = "4 4"
    ElementTree.indent(sdf)
    return '<?xml version="1.0"?>\n' + ElementTree.tostring(sdf, encoding="unicode") + "\n"
