"""What the driver needs of an arm, whatever library reaches it."""

from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.errors import PlantError
from ttdm_ros.plants.franka.config import FrankaSettings
from ttdm_ros.plants.franka.law import JOINTS, LawStatus
from ttdm_ros.plants.franka.reflexes import error_names

Array = NDArray[np.float64]

CYCLE = np.dtype(
    [
        ("time", "f8"),  # robot time [s]
        ("q", "f8", JOINTS),  # measured [rad]
        ("dq", "f8", JOINTS),  # measured [rad/s]
        ("tau_J", "f8", JOINTS),  # measured torque [N·m]; on an arm of metal with the weight in it
        ("tau_J_d", "f8", JOINTS),  # torque that the robot was asked for and applies, without gravity [N·m]
        ("q_d", "f8", JOINTS),  # desired [rad]
        ("dq_d", "f8", JOINTS),  # desired [rad/s]
        ("tau_ext", "f8", JOINTS),  # estimate of external torque, filtered [N·m]
        ("success_rate", "f8"),  # share of the last 100 commands that came in time; 0 without a motion
        ("mode", "i8"),  # robot mode, see MODES
        ("busy", "f8"),  # from a state's arrival to the command that answers it [s]
        ("wall", "f8"),  # wall clock when the state arrived [s]
        ("tau", "f8", JOINTS),  # torque that the law commanded in this cycle [N·m]
    ]
)
"""One cycle of the control loop, or one look at the robot without a motion."""

MODES = ("other", "idle", "move", "guiding", "reflex", "user stopped", "automatic error recovery")
"""Names of libfranka's robot modes."""


class LinkError(PlantError):
    """The arm cannot be reached, or does not do what it is asked."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Look:
    """The robot, looked at without a motion."""

    cycle: np.ndarray
    """One row of CYCLE."""
    errors: tuple[str, ...]
    """Names of the errors that are present, or that led to a reflex which is not recovered from."""

    @classmethod
    def of(cls, state: Any) -> Self:
        """Read a state of libfranka's, which pylibfranka and panda-python call the same."""
        row, errors = cycle_of(state), error_names(str(state.current_errors))
        if not errors and row["mode"][0] == MODES.index("reflex"):  # a reflex stays when its error is over
            errors = error_names(str(state.last_motion_errors))
        return cls(cycle=row, errors=errors)


def cycle_of(state: Any) -> np.ndarray:
    """Return the row (1,) of CYCLE of a state of libfranka's; what it does not tell is zero."""
    row = np.zeros(1, CYCLE)
    for field in ("q", "dq", "tau_J", "tau_J_d", "q_d", "dq_d"):
        row[field] = getattr(state, field)
    row["tau_ext"], row["time"] = state.tau_ext_hat_filtered, state.time.to_sec()
    row["success_rate"], row["mode"] = state.control_command_success_rate, int(state.robot_mode.value)
    return row


def configure(robot: Any, settings: FrankaSettings) -> None:
    """Set collision thresholds and load of a robot of libfranka's; raises what the library does if it refuses."""
    collision, load = settings.collision, settings.load
    robot.set_collision_behavior(
        list(collision.lower_torque),
        list(collision.upper_torque),
        list(collision.lower_force),
        list(collision.upper_force),
    )
    robot.set_load(load.mass, list(load.com), list(load.inertia))


def settings_refused(reason: str) -> LinkError:
    """Return the sentence for a robot that ``configure`` cannot set, as it cannot while in error or stopped."""
    return LinkError(
        f"the robot takes no collision thresholds and no load now ({reason}); see Desk, release its button, and check "
        "the parameters collision and load"
    )


class ArmLink(Protocol):
    """A connection to one arm and its control loop.

    A motion is the time in which torque is commanded a thousand times a second, by a loop that does not wait for
    Python. It ends by ``stop``, by a reflex of the robot, or with the connection.
    """

    def connect(self) -> None:
        """Connect, in whatever state the robot is; nothing is set yet.

        Raises:
            LinkError: nothing answers, or another program holds the robot.
        """

    def start(self, block: Array) -> None:
        """Begin a motion, holding the arm, at zero torque, once collision thresholds and load are set.

        ``block`` has the law's settings.

        Raises:
            LinkError: the robot refuses; the message says why.
        """

    def command(self, block: Array) -> None:
        """Let the law use another block of parameters from the next cycle on."""

    def cycles(self) -> np.ndarray:
        """Return the cycles (n,) of CYCLE since the last call, oldest first."""

    @property
    def moving(self) -> bool:
        """Whether the motion goes on."""

    @property
    def status(self) -> LawStatus:
        """What the law does in this motion."""

    @property
    def failure(self) -> str:
        """What ended the last motion, in the library's words; empty if ``stop`` did."""

    @property
    def notice(self) -> str:
        """What the user should know of this motion (no real-time scheduling, for one); empty if nothing."""

    def look(self) -> Look:
        """Return the robot's state without a motion.

        Raises:
            LinkError: the connection is lost.
        """

    def stop(self) -> None:
        """End the motion; the robot then holds itself."""

    def recover(self) -> None:
        """Connect again if the connection is lost, clear the robot's errors, and set collision thresholds and load.

        Raises:
            LinkError: it does not work; the message says why.
        """

    def close(self) -> None:
        """End motion and connection."""
