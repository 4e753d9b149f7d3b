"""Writes what Gazebo reads into the user's cache folder."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import yaml

from ttdm_ros.paths import cache_folder
from ttdm_ros.plants.config import PlantConfig, load_plant
from ttdm_ros.plants.gazebo.expressible import left_out
from ttdm_ros.plants.gazebo.robot import gazebo_urdf
from ttdm_ros.plants.gazebo.world import WORLD, world_sdf
from ttdm_ros.plants.ros2_control import controllers
from ttdm_ros.systems.arm import load_arm


@dataclass(frozen=True, slots=True, kw_only=True)
class GazeboFiles:
    """Where the files are, and what else is to be known of them."""

    urdf: Path
    world: Path
    controllers: Path
    robot_name: str
    world_name: str
    compensates_gravity: bool
    """Whether the nominal arm has no weight in Gazebo."""
    warning: str
    """What Gazebo leaves out of the plant, in a sentence; empty if nothing."""


def write_files(
    robot: str,
    plant: str,
    *,
    base_frame: str = "",
    tip_frame: str = "",
    namespace: str = "",
    real_time_factor: float = 1.0,
) -> GazeboFiles:
    """Write URDF, world and controllers, in a folder named after what is in them.

    Args:
        robot: name that ships, or a path.
        plant: name that ships, or a path.
        base_frame: link of a URDF at which the arm begins; empty for its own.
        tip_frame: link of a URDF at which the arm ends; empty for its own.
        namespace: of the controller manager and the controllers.
        real_time_factor: simulated over wall time.

    Raises:
        TtdmError: robot or plant cannot be used.
    """
    arm = load_arm(robot, base_frame=base_frame or None, tip_frame=tip_frame or None)
    config = load_plant(plant)
    world = world_sdf(arm, config, real_time_factor=real_time_factor)
    parameters = yaml.safe_dump(controllers(arm), sort_keys=False)
    draft = gazebo_urdf(arm, config, Path("controllers.yaml"), namespace=namespace)
    digest = hashlib.sha256("\n".join((world, parameters, draft)).encode()).hexdigest()[:16]
    folder = cache_folder() / "gazebo" / f"{arm.name}_{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    files = GazeboFiles(
        urdf=folder / "robot.urdf",
        world=folder / "world.sdf",
        controllers=folder / "controllers.yaml",
        robot_name=arm.name,
        world_name=WORLD,
        compensates_gravity=config.gravity_compensation,
        warning=_warning(plant, config),
    )
    _write(files.controllers, parameters)
    _write(files.world, world)
    _write(files.urdf, gazebo_urdf(arm, config, files.controllers, namespace=namespace))
    return files


def _warning(plant: str, config: PlantConfig) -> str:
    keys = left_out(config)
    return f"Gazebo leaves out of plant '{plant}' what it cannot do: {', '.join(keys)}" if keys else ""


def _write(path: Path, text: str) -> None:
    """Replace a file at once: another launch may be reading it."""
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
