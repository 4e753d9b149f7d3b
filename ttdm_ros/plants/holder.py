"""Between commands and an arm that does not stop by itself: a watchdog, the weight of the arm, and what holds it.

A forward controller goes on with its last command for ever, and many arms, and Gazebo's, do not carry their own weight.
Behind a holder, a command means what it means to :class:`ttdm_ros.plants.mujoco_plant.MujocoPlant`.
"""

from collections.abc import Callable

import numpy as np
import pinocchio as pin

from ttdm_ros.errors import PlantError
from ttdm_ros.plants.bounds import clip
from ttdm_ros.plants.brake import Brake
from ttdm_ros.plants.command import torque_command
from ttdm_ros.systems.arm import Arm

_STIFFNESS = 15.0  # of the hold: its natural frequency, well below what a delay of 5 ms leaves stable [rad/s]
_LOAD_RATE = 10.0  # at which the torque of an unknown load is learnt [1/s]
_LOAD_SHARE = 0.5  # of the effort limits that an unknown load may take
_LONGEST_INTERVAL = 0.01  # that torque may change in, however long no state came [s]
_LONGEST_SIGHT = 0.05  # between two states that the observer of the load can make use of [s]


class Holder:
    """Answers every joint state of an arm with the torque for its motors.

    While commands come they pass, with the nominal gravity torque where that is wanted, within the limits of torque and
    torque rate. Without one for ``command_timeout`` the arm is braked within its acceleration limits and then held
    where it stands, by a spring and a damper whose torques are those of the nominal arm, and by the torque that carries
    a load nobody knows of: an observer sees it in the momentum that the nominal dynamics does not explain, all the
    time (De Luca and Mattone, Sensorless robot collision detection, ICRA 2005). A new command releases the arm: torque
    leaves for it at no more than the torque-rate limit.
    """

    def __init__(
        self,
        arm: Arm,
        *,
        adds_gravity: bool,
        command_timeout: float = 0.05,
        correction: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray] | None = None,
    ) -> None:
        """Hold from the first joint state on.

        Args:
            arm: nominal.
            adds_gravity: whether the motors have to carry the arm's weight; its torque counts towards the limits.
            command_timeout: without a new command for this long the arm is braked and held [s].
            correction: makes of positions, velocities and a torque without gravity, within its limits, the one that a
                simulated arm needs to move alike (see :mod:`ttdm_ros.plants.gazebo.rotors`).
        """
        self.arm = arm
        self._adds_gravity, self._correction = adds_gravity, correction
        self._timeout_ns = round(1e9 * command_timeout)
        self._brake = Brake(arm.limits)
        self._command = np.zeros(7)
        self._is_new = False
        self._command_ns: int | None = None  # stamp of the first state after the newest command; None: there is none
        self._stamp_ns: int | None = None
        self._last_q: np.ndarray | None = None
        self._torque = np.zeros(7)
        self._load = LoadObserver(arm)
        self._place: np.ndarray | None = None  # where the arm is held [rad]
        self._brake.engage(closed=True)
        self.limited = 0
        """Answers so far in which a torque was cut to the limits of torque or torque rate."""

    @property
    def holding(self) -> bool:
        """Whether the arm is braked or held instead of following commands."""
        return self._command_ns is None

    def command(self, tau: np.ndarray) -> None:
        """Take a new torque command without gravity [N·m], shape (7,); it acts from the next joint state on.

        Raises:
            PlantError: not seven finite numbers; the command before it stays, and the watchdog runs on.
        """
        self._command, self._is_new = torque_command(tau).copy(), True

    def answer(self, stamp_ns: int, q: np.ndarray, v: np.ndarray) -> np.ndarray | None:
        """Return the torque (7,) [N·m] for the motors; None if the state came late, after a newer one.

        Where stamps go back by more than ``command_timeout``, the clock was set back: the arm is braked and held, and
        commands act from the next one on.

        Args:
            stamp_ns: stamp of the joint state [ns].
            q: positions (7,) [rad].
            v: velocities (7,) [rad/s].

        Raises:
            PlantError: the state is not finite.
        """
        if not (np.isfinite(q).all() and np.isfinite(v).all()):
            raise PlantError("a joint state is not finite; check the arm's driver")
        first = self._stamp_ns is None
        interval = 0.0 if self._stamp_ns is None else 1e-9 * (stamp_ns - self._stamp_ns)
        if self._stamp_ns is not None and stamp_ns <= self._stamp_ns:
            if self._stamp_ns - stamp_ns < self._timeout_ns:
                return None
            self._let_go()
            interval = np.inf  # unknown
        self._stamp_ns, self._last_q = stamp_ns, q.copy()
        self._watch(stamp_ns)
        bound = _LOAD_SHARE * self.arm.limits.effort
        load = clip(self._load.update(q, v, interval), -bound, bound)
        wanted = self._hold(q, v) - load if self.holding else self._command
        weight = self.arm.gravity_torque(q) if self._adds_gravity else np.zeros(7)
        # Whatever holds the arm before the first torque carries its weight: that one is no step.
        self._torque = self._within_limits(wanted + weight, np.inf if first else min(interval, _LONGEST_INTERVAL))
        self._load.note(self._torque - weight)
        if self._correction is None:
            return self._torque.copy()
        return self._correction(q, v, self._torque - weight) + weight

    def answer_silence(self, interval: float) -> np.ndarray:
        """Return the torque (7,) [N·m] for the motors, ``interval`` [s] after the last one, while no joint state comes.

        It goes to that of the arm's weight where it was seen last, if the motors carry that, and else to zero, at no
        more than the torque-rate limit: of an arm that is not seen nothing can be held or braked. The next state finds
        it braked and held.
        """
        self._let_go()
        weight = np.zeros(7)
        if self._adds_gravity and self._last_q is not None:
            weight = self.arm.gravity_torque(self._last_q)
        self._torque = self._within_limits(weight, min(interval, _LONGEST_INTERVAL))
        return self._torque.copy()

    def _watch(self, stamp_ns: int) -> None:
        """Decide who drives: commands or the hold."""
        if self._is_new:
            self._is_new, self._command_ns = False, stamp_ns
        elif self._command_ns is not None and stamp_ns - self._command_ns >= self._timeout_ns:
            self._let_go()

    def _let_go(self) -> None:
        """Follow no command that came so far: brake, then hold."""
        self._is_new, self._command_ns, self._place = False, None, None
        self._brake.engage()

    def _hold(self, q: np.ndarray, v: np.ndarray) -> np.ndarray:
        wanted = self._brake.acceleration(v)
        if self._brake.closed:
            if self._place is None:
                self._place = q.copy()
            wanted = -(_STIFFNESS**2) * (q - self._place) - 2.0 * _STIFFNESS * v
        return self.arm.inverse_dynamics(q, v, wanted)

    def _within_limits(self, wanted: np.ndarray, interval: float) -> np.ndarray:
        limits = self.arm.limits
        torque = clip(wanted, -limits.effort, limits.effort)
        if np.isfinite(interval):
            step = limits.effort_rate * interval
            torque = clip(torque, self._torque - step, self._torque + step)
        self.limited += bool((torque != wanted).any())
        return torque


class LoadObserver:
    """Sees torques that the nominal dynamics does not explain, in the momentum they leave.

    With p = M(q) v and tau the motors' torque without gravity, dp/dt = tau + C(q, v)ᵀ v + d. What is seen of d follows
    it as a first-order lag.
    """

    def __init__(self, arm: Arm) -> None:
        self._model, self._data = arm.model, arm.model.createData()
        self._explained: np.ndarray | None = None  # momentum [N·m·s]
        self._torque, self._seen = np.zeros(7), np.zeros(7)

    def note(self, torque: np.ndarray) -> None:
        """Take the motors' torque (7,) [N·m], without gravity, from now to the next state."""
        self._torque = torque

    def update(self, q: np.ndarray, v: np.ndarray, interval: float) -> np.ndarray:
        """Return the torque d (7,) [N·m] of the load, at q [rad] and v [rad/s], ``interval`` [s] after the last.

        After a long interval, in which torque and velocity are not known, what was seen before stays.
        """
        half = np.triu(pin.crba(self._model, self._data, q))
        momentum = half @ v + np.triu(half, 1).T @ v
        if self._explained is None or interval > _LONGEST_SIGHT:
            self._explained = momentum - self._seen / _LOAD_RATE
            return self._seen
        coriolis = pin.computeCoriolisMatrix(self._model, self._data, q, v)
        self._explained = self._explained + interval * (self._torque + coriolis.T @ v + self._seen)
        self._seen = _LOAD_RATE * (momentum - self._explained)
        return self._seen
