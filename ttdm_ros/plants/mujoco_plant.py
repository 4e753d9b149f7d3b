"""The simulated arm: MuJoCo's rigid bodies with the effects of a plant configuration, stepped at 1 ms or finer."""

from dataclasses import dataclass

import mujoco
import numpy as np

from ttdm_ros.errors import PlantError
from ttdm_ros.plants.actuator import TorqueActuator
from ttdm_ros.plants.bounds import clip
from ttdm_ros.plants.brake import Brake
from ttdm_ros.plants.command import torque_command
from ttdm_ros.plants.config import PlantConfig
from ttdm_ros.plants.friction import friction_torques
from ttdm_ros.plants.mujoco_model import build_model
from ttdm_ros.plants.sensors import JointSensors
from ttdm_ros.systems.arm import Arm

_JOINTS = 7


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measurement:
    """What the robot reports at one time; arrays of shape (7,)."""

    time_ns: int
    """Plant time [ns]."""
    q: np.ndarray
    """Positions with sensor noise [rad]."""
    v: np.ndarray
    """Velocities with sensor noise [rad/s]."""
    tau: np.ndarray
    """Torque applied during the last step, without nominal gravity where the plant compensates it [N·m]."""


class MujocoPlant:
    """An arm that takes torque commands without gravity, as Franka arms do, and brakes when they stop coming.

    Where ``gravity_compensation`` is off, commands and applied torques include gravity.

    A command acts from the next step on (plus the actuators' dead time) until the next one. Without one for
    ``command_timeout`` of plant time the plant brakes and holds. A command that comes while it holds releases it: after
    the dead time the torque leaves the holding torque towards the command at no more than the robot's torque-rate
    limit, joint by joint, and once it has caught up commands pass unhindered again.

    Every random quantity has its own stream, spawned from the one seed in a fixed order (link masses, position noise,
    velocity noise), so switching one effect off leaves the others as they were.
    """

    def __init__(self, arm: Arm, config: PlantConfig, *, seed: int = 0, q0: np.ndarray | None = None) -> None:
        """Start at rest at ``q0`` [rad] (default: the arm's home), holding, at time zero.

        Raises:
            PlantError: ``q0`` is not seven angles within the limits, or MuJoCo refuses the arm.
        """
        masses, position_noise, velocity_noise = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(3))
        factors = np.maximum(1.0 + config.mass_variation * masses.standard_normal(_JOINTS), 0.1)
        self.arm = arm
        self.config = config
        self.model = build_model(arm, config, factors)
        self._data = mujoco.MjData(self.model)
        self._tip = self.model.body(arm.tip_frame).id
        self._coulomb, _ = friction_torques(arm, config)
        self._actuator = TorqueActuator(config, arm.limits.effort)
        self._brake = Brake(arm.limits)
        self._sensors = JointSensors(config.sensor, position_noise, velocity_noise)
        self._step_ns = round(config.step * 1e9)
        self._rate_step = arm.limits.effort_rate * config.step
        self._timeout_steps = max(1, round(config.command_timeout / config.step))
        self._count = 0
        self._saturated = 0
        self.reset(q0)

    def reset(self, q0: np.ndarray | None = None) -> None:
        """Put the arm to rest at ``q0`` [rad] (default: the arm's home), holding; plant time goes on.

        Raises:
            PlantError: ``q0`` is not seven angles within the limits.
        """
        start = self._checked_posture(self.arm.home if q0 is None else q0)
        mujoco.mj_resetData(self.model, self._data)
        self._data.qpos[:] = start
        mujoco.mj_forward(self.model, self._data)
        self._holding, self._catching_up = True, False
        self._release_in: int | None = None
        self._age = self._timeout_steps
        self._push_force, self._push_steps = np.zeros(3), 0
        self._brake.engage(closed=True)
        self._command, self._cut = np.zeros(_JOINTS), False
        # Closed brakes carry the load from the first moment: no sagging until a torque has been ramped up.
        self._tau = self._actuator.clip(self._uncompensated())
        self._actuator.reset(np.zeros(_JOINTS))
        self._measured: Measurement | None = None

    @property
    def q(self) -> np.ndarray:
        """True joint positions [rad], (7,)."""
        return np.array(self._data.qpos)

    @property
    def v(self) -> np.ndarray:
        """True joint velocities [rad/s], (7,)."""
        return np.array(self._data.qvel)

    @property
    def tau(self) -> np.ndarray:
        """Torque applied during the last step, without nominal gravity [N·m], (7,)."""
        return self._tau.copy()

    @property
    def time_ns(self) -> int:
        """Plant time [ns]: the number of steps made, times their length."""
        return self._count * self._step_ns

    @property
    def holding(self) -> bool:
        """Whether the brakes act instead of the commands."""
        return self._holding

    @property
    def saturated_steps(self) -> int:
        """In how many steps so far a command beyond the effort limits was cut."""
        return self._saturated

    def tip_pose(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the true position (3,) [m] and rotation (3, 3) of the tip in the base frame."""
        return self.arm.tip_pose(self.q)

    def command(self, tau: np.ndarray) -> None:
        """Take a new torque command without gravity [N·m], shape (7,); beyond the effort limits it is cut to them.

        Raises:
            PlantError: not seven finite numbers; the command before it stays, and the watchdog runs on.
        """
        wanted = torque_command(tau)
        self._command = self._actuator.clip(wanted)
        self._cut = bool((self._command != wanted).any())
        self._age = 0
        if self._holding and self._release_in is None:
            self._release_in = self._actuator.delay_steps

    def push(self, force: np.ndarray, duration: float) -> None:
        """Push the tip with ``force`` [N], shape (3,), in the axes of the URDF's root, for ``duration`` [s]."""
        self._push_force = np.asarray(force, dtype=np.float64).reshape(3)
        self._push_steps = self.config.steps(duration)

    def advance(self, duration: float) -> None:
        """Simulate ``duration`` [s], a multiple of the step.

        Raises:
            ValueError: ``duration`` is not a multiple of the step.
            PlantError: the simulation diverged.
        """
        for _ in range(self.config.steps(duration)):
            self._step()
        if not np.isfinite(self._data.qpos).all():
            raise PlantError(
                f"the simulation diverged before t = {self.time_ns * 1e-9:.3f} s; use a smaller step or weaker effects"
            )

    def measure(self) -> Measurement:
        """Return what the robot reports now; asking twice at one time gives the same sample."""
        if self._measured is None or self._measured.time_ns != self.time_ns:
            q, v = self._sensors.read(self._data.qpos, self._data.qvel)
            self._measured = Measurement(time_ns=self.time_ns, q=q, v=v, tau=self.tau)
        return self._measured

    def _step(self) -> None:
        self._watch()
        driven = self._actuator.step(self._command)
        if self._holding:
            self._tau = self._approach(self._actuator.clip(self._braking_torque()))
        elif self._catching_up:
            self._tau = self._approach(driven)
            self._catching_up = bool((self._tau != driven).any())
        else:
            self._tau = driven
        data = self._data
        data.qfrc_applied[:] = self._tau
        if self._push_steps > 0:
            self._push_steps -= 1
            force, point = self._push_force, data.xpos[self._tip]
            mujoco.mj_applyFT(self.model, data, force, np.zeros(3), point, self._tip, data.qfrc_applied)
        self.model.dof_frictionloss[:] = self._dry_friction()
        mujoco.mj_step(self.model, data)
        self._count += 1

    def _watch(self) -> None:
        """Decide who drives the next step: commands or brakes."""
        if self._age >= self._timeout_steps:
            if not self._holding:
                self._holding, self._catching_up = True, False
                self._brake.engage()
            self._release_in = None
            return
        self._age += 1
        if self._release_in is None:
            self._saturated += not self._holding and self._cut
        elif self._release_in > 0:
            self._release_in -= 1
        else:
            self._holding, self._catching_up, self._release_in = False, True, None
            self._actuator.continue_from(self._tau)

    def _uncompensated(self) -> np.ndarray:
        """Torque that the weight and motion of all that the nominal gravity torque misses asks for [N·m], (7,)."""
        torque: np.ndarray = self._data.qfrc_bias - self._data.qfrc_gravcomp
        return torque

    def _braking_torque(self) -> np.ndarray:
        torque = np.empty(_JOINTS)
        mujoco.mj_mulM(self.model, self._data, torque, self._brake.acceleration(self._data.qvel))
        torque += self._uncompensated()
        return torque

    def _dry_friction(self) -> np.ndarray:
        """Torque that dry friction, or the closed brakes, can hold against in the next step [N·m], (7,)."""
        if self._holding and self._brake.closed:
            return self.arm.limits.effort
        if (stribeck := self.config.friction.stribeck) is None:
            return self._coulomb
        excess = (stribeck.static_factor - 1.0) * np.exp(-np.square(self._data.qvel / stribeck.velocity))
        friction: np.ndarray = self._coulomb * (1.0 + excess)
        return friction

    def _approach(self, torque: np.ndarray) -> np.ndarray:
        """Return ``torque``, or as near to it as the torque-rate limit lets the applied torque come in one step."""
        return clip(torque, self._tau - self._rate_step, self._tau + self._rate_step)

    def _checked_posture(self, q: np.ndarray) -> np.ndarray:
        posture, limits = np.asarray(q, dtype=np.float64), self.arm.limits
        if posture.shape != (_JOINTS,) or not np.isfinite(posture).all():
            raise PlantError(f"a start posture has {_JOINTS} finite angles [rad], not {posture.tolist()}")
        outside = (posture < limits.position_lower) | (posture > limits.position_upper)
        if outside.any():
            i = int(np.argmax(outside))
            raise PlantError(
                f"the start posture has {self.arm.joint_names[i]} at {posture[i]:.4f} rad; it must be within "
                f"{limits.position_lower[i]:.4f} and {limits.position_upper[i]:.4f} rad"
            )
        return posture
