"""Parameters of the node ``mpc_controller``."""

from pydantic import Field

from ttdm_ros.config import Config
from ttdm_ros.control.config import ControllerConfig
from ttdm_ros.mpc.config import MpcConfig


class MpcControllerConfig(Config):
    """Parameters of the node."""

    robot: str = "panda"
    """Name of a robot in config/robots, or a path to its .yaml or .urdf file."""
    base_frame: str = ""
    """Link of a .urdf at which the arm begins; empty: the robot's own."""
    tip_frame: str = ""
    """Link of a .urdf at which the arm ends; empty: the robot's own."""
    model: str = "nominal"
    """Model of models/, or a path to a bundle; may be changed while the arm moves."""
    task: str = "circle"
    """Task of config/tasks, or a path to a file."""
    autostart: bool = False
    """Configure and activate at the start, and end with exit code 1 if that fails."""
    prediction_rate: float = Field(default=25.0, ge=0.0, le=500.0)
    """Predictions published a second [Hz]; 0 for none."""
    swap_share: float = Field(default=0.25, gt=0.0, le=1.0)
    """Share of the torque limits by which a new model may change the first torque; beyond, it is refused."""
    publish_law: bool = False
    """Also publish u_ff, x_ref and K at every solve, for a driver that closes the loop itself (franka_driver)."""
    controller: ControllerConfig = ControllerConfig()
    mpc: MpcConfig = MpcConfig()
