"""What of a plant's configuration Gazebo cannot do."""

from ttdm_ros.plants.config import PlantConfig


def left_out(config: PlantConfig) -> list[str]:
    """Return the keys of what Gazebo leaves out of a plant, for a warning; empty if it can do everything.

    Gazebo's joint friction is dry and viscous, its motors and sensors are perfect, and a link has all its weight or
    none.
    """
    actuator, sensor = config.actuator, config.sensor
    candidates = {
        "friction.stribeck": config.friction.stribeck is not None,
        "mass_variation": config.mass_variation > 0.0,
        "actuator.lag": actuator.lag > 0.0,
        "actuator.delay": actuator.delay > 0.0,
        "sensor.position_std": sensor.position_std > 0.0,
        "sensor.velocity_std": sensor.velocity_std > 0.0,
    }
    return [key for key, is_there in candidates.items() if is_there]
