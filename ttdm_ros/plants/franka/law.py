"""The law in ``csrc/law.c``: what is written into its block of parameters, what is read from its memory.

tau = u_ff(t) + K (x_ref(t) - x), guarded. References are given on a grid, between whose points acceleration is constant
and the torque is held.
"""

import ctypes
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.compilation import Sources, cached_library
from ttdm_ros.errors import PlantError
from ttdm_ros.plants.command import torque_command
from ttdm_ros.plants.franka.config import Guard

Array = NDArray[np.float64]

JOINTS = 7
MOST_POINTS = 16
BLOCK = 512 + 3 + 5 * JOINTS
"""Numbers of the block of parameters."""
MEMORY = 8 + 3 * JOINTS
"""Numbers of the memory."""

_SOURCE = Path(__file__).parent / "csrc" / "law.c"
_SETTINGS = 512
_GAIN, _POINTS = 5, 5 + 2 * JOINTS * JOINTS
_POINT = 3 * JOINTS
_AHEAD_S = 1.0  # for which a law may begin after the newest joint state


class LawPhase(IntEnum):
    """What the law does."""

    STARTING = 0
    HOLDING = 1
    """A spring and a damper hold the arm where it came to rest."""
    FOLLOWING = 2
    """Commands act."""
    BRAKING = 3
    """Being slowed down to rest."""


class StopCause(IntEnum):
    """Why the law ended the last motion."""

    NONE = 0
    SILENCE = 1
    ASKED = 2
    NOT_FINITE = 3


STOP_CAUSES = {
    StopCause.SILENCE: "commands stopped coming; the arm was braked and is held, activate the controller again",
    StopCause.ASKED: "the arm was braked because the driver was asked to",
    StopCause.NOT_FINITE: "the law gave torque that is not finite; the arm was braked, check the controller's gain",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Command:
    """u_ff and x_ref on a grid, and K; checked when it is made.

    Raises:
        PlantError: a shape is wrong, a number is not finite, or the grid has no or too many points.
    """

    begin: float
    """Robot time of the first point [s]."""
    step: float
    """Between two points [s]."""
    torque: Array
    """u_ff (n, 7) [N·m], without gravity."""
    q: Array
    """(n, 7) [rad]."""
    v: Array
    """(n, 7) [rad/s]."""
    gain: Array
    """K (7, 14): torque by error of position and velocity [N·m/rad, N·m·s/rad]."""

    def __post_init__(self) -> None:
        count = len(self.torque)
        if not 1 <= count <= MOST_POINTS:
            raise PlantError(f"a command has 1 to {MOST_POINTS} points, not {count}")
        for name, shape in (
            ("torque", (count, JOINTS)),
            ("q", (count, JOINTS)),
            ("v", (count, JOINTS)),
            ("gain", (JOINTS, 2 * JOINTS)),
        ):
            values = getattr(self, name)
            if values.shape != shape:
                raise PlantError(f"{name} of a command has the shape {shape}, not {values.shape}")
            if not np.isfinite(values).all():
                raise PlantError(f"{name} of a command must be finite")
        if not (np.isfinite(self.begin) and np.isfinite(self.step)) or (count > 1 and self.step <= 0.0):
            raise PlantError("the times of a command must be finite, and increase from point to point")

    @classmethod
    def of_torque(cls, torque: Array) -> "Command":
        """Return the command of a torque (7,) [N·m] alone.

        Raises:
            PlantError: not seven finite numbers.
        """
        wanted = torque_command(torque)
        nothing = np.zeros((1, JOINTS))
        return cls(begin=0.0, step=0.0, torque=wanted[None], q=nothing, v=nothing, gain=np.zeros((JOINTS, 2 * JOINTS)))

    def check_time(self, now: float, patience: float) -> None:
        """Refuse a reference of another time, as a bag that is played holds them.

        Args:
            now: robot time [s].
            patience: for which a reference may be over already [s].

        Raises:
            PlantError: it is over for longer, or begins more than a second ahead.
        """
        late = now - self.begin - self.step * (len(self.torque) - 1)
        if late > patience:
            raise PlantError(
                f"the law ended {late:.2f} s ago by the robot's time; stamp laws with the time of the joint states, "
                "and play no bag that holds laws"
            )
        if (early := self.begin - now) > _AHEAD_S:
            raise PlantError(
                f"the law begins {early:.2f} s ahead of the robot's time; stamp laws with the time of the joint states"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class LawStatus:
    """What the law's memory says."""

    phase: LawPhase
    cause: StopCause
    refused: int
    """Commands that were not followed since the motion began."""
    locked: bool
    """Whether commands are refused until none comes for a while."""
    held: bool
    """Whether the law has seen that an operator stopped the arm; it stays locked until he releases it."""

    @classmethod
    def of(cls, memory: Array) -> "LawStatus":
        """Read a memory; one that the law has not seen yet is all zeros."""
        phase = LawPhase(int(memory[0]))
        return cls(
            phase=phase,
            cause=StopCause(int(memory[5])),
            refused=int(memory[4]),
            locked=phase is LawPhase.STARTING or bool(memory[3]),
            held=bool(memory[7]),
        )


class LawBlock:
    """The block of parameters, written anew for every command; a stop stays in it whatever is commanded."""

    def __init__(self, guard: Guard, effort: Array) -> None:
        """Take the settings, and the arm's torque limits (7,) [N·m]."""
        self._values = np.zeros(BLOCK)
        self._values[_SETTINGS:] = np.concatenate(
            (
                (guard.timeout, guard.pause, guard.first_torque),
                guard.deceleration,
                guard.stiffness,
                guard.damping,
                guard.torque_share * np.asarray(effort),
                np.full(JOINTS, guard.torque_rate),
            )
        )

    @property
    def values(self) -> Array:
        """The block as it is now."""
        return self._values.copy()

    def follow(self, command: Command) -> Array:
        """Return the block that asks for a command."""
        count = len(command.torque)
        values = self._values
        values[0] += 1.0
        values[2:5] = command.begin, count, command.step
        values[_GAIN:_POINTS] = command.gain.ravel()
        points = np.concatenate((command.torque, command.q, command.v), axis=1)
        values[_POINTS : _POINTS + count * _POINT] = points.ravel()
        return values.copy()

    @property
    def held(self) -> bool:
        """Whether it asks to be braked and held."""
        return bool(self._values[1])

    def hold(self) -> Array:
        """Return the block that asks to be braked and held, as all do until ``release``."""
        self._values[1] = 1.0
        return self.values

    def release(self) -> Array:
        """Return the block that lets commands act again, once they have paused."""
        self._values[1] = 0.0
        return self.values


UNSEEN = LawStatus.of(np.zeros(MEMORY))
"""Of a law that was not seen yet."""


def compile_law(offsets: Mapping[str, int]) -> ctypes.CDLL:
    """Return the compiled law; its function is ``ttdm_franka_law``.

    Args:
        offsets: where ``STATE_TIME``, ``STATE_Q``, ``STATE_V``, ``STATE_TORQUE`` and ``PARAMS_CUSTOM`` lie in the
            caller's structures [bytes].

    Raises:
        SolverError: there is no compiler, or compiling failed.
    """
    flags = [f"-D{name}={offset}" for name, offset in sorted(offsets.items())]

    def make(work: Path) -> Sources:
        return Sources(files=[Path(shutil.copy(_SOURCE, work))], flags=flags)

    library = cached_library("franka_law", [_SOURCE.read_text(encoding="utf-8"), *flags], make)
    function = library.ttdm_franka_law
    function.restype, function.argtypes = ctypes.c_int, [ctypes.c_void_p] * 4
    return library
