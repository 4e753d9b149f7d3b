"""References for a target that is streamed while the arm moves."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.errors import TaskError
from ttdm_ros.mpc.tasks.config import LiveTargetTask
from ttdm_ros.mpc.tasks.follower import FollowerState, PoseFollower
from ttdm_ros.mpc.tasks.inverse_kinematics import REACHED, InverseKinematics, damped_inverse
from ttdm_ros.mpc.tasks.reference import table_rows
from ttdm_ros.mpc.tasks.rotations import exponential, logarithm
from ttdm_ros.mpc.tasks.target import Target, TargetCheck
from ttdm_ros.systems.arm import Arm

Array = NDArray[np.float64]

LONGEST_GAP = 1.0  # between windows, over which the motion goes on [s]
POSTURE_TOLERANCE = 1e-5  # far below what the controller can tell, and quick [rad]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sample:
    """One point of the motion foreseen."""

    tip: FollowerState
    q: Array  # (7,) [rad]
    drift: Array  # (7,) change of q since the sample before, by the step [rad/s]
    v: Array  # (7,) [rad/s]
    tau: Array  # (7,) without gravity [N·m]


class LiveReference:
    """The motion towards the newest target, foreseen as far as a window asks for.

    It rests at the arm's home posture until the first window, whose time may be any. A new target changes the motion
    from the next point of its grid on, so what a window said about the present still holds. When nobody asks for more
    than a second, the motion pauses meanwhile. Not safe to call from two threads at once.
    """

    def __init__(self, task: LiveTargetTask, arm: Arm, *, step: float = 0.02) -> None:
        """Prepare to follow.

        Args:
            task: limits and workspace.
            arm: who is to follow.
            step: of the grid on which postures are found; between its points windows interpolate [s].

        Raises:
            TaskError: the home posture is outside the workspace or beyond the joint limits.
        """
        self._arm, self._step = arm, step
        self._follower = PoseFollower(task)
        self._solver = InverseKinematics(arm)
        self._check = TargetCheck(task, arm)
        position, rotation = arm.tip_pose(arm.home)
        still = np.zeros(7)
        start = _Sample(
            tip=FollowerState.resting(position, rotation), q=arm.home.copy(), drift=still, v=still, tau=still
        )
        self._samples = [start]
        self._guesses: list[Array] = []  # postures to start from, for the samples to come
        self._start: float | None = None  # time of the first sample kept; None before the first window
        self._target: Target | None = Target(position=position, rotation=rotation)
        self._pending: Target | None = None
        self.blocked: str | None = None
        """Why the motion stopped short of its target, in words; None while nothing is in the way."""

    def set_target(self, position: Array, rotation: Array) -> None:
        """Follow another pose (3,) [m], (3, 3) of the tip in the base frame from the next window on.

        Raises:
            TaskError: see ``TargetCheck``; the target before it stays.
        """
        self.follow(self._check.target(position, rotation, self._samples[0].q))

    def follow(self, target: Target) -> None:
        """Follow a target that was checked from the next window on."""
        self._pending = target

    def window(self, times: Array) -> Array:
        """Return the reference rows (count, 33) at increasing times [s], the first of which is the present.

        Raises:
            TaskError: the motion can neither go on nor brake within the arm's limits.
            ValueError: the first time lies before that of an earlier window.
        """
        times = np.asarray(times, dtype=float)
        if self._start is None or times[0] - self._start > LONGEST_GAP:
            self._start = float(times[0])
        passed = int(np.floor((times[0] - self._start) / self._step + 1e-9))
        if passed < 0:
            raise ValueError(f"time goes back to {times[0]:.3f} s, before {self._start:.3f} s of an earlier window")
        self._foresee(passed + 2)
        del self._samples[:passed]
        self._start += passed * self._step
        if self._pending is not None:
            self._target, self._pending, self.blocked = self._pending, None, None
            self._change_course()
        self._foresee(max(2, int(np.ceil((times[-1] - self._start) / self._step - 1e-9)) + 1))
        # Look further than the window, a little at each call, so that there is room to brake for what comes up.
        if len(self._samples) * self._step < self._follower.stopping_time:
            self._foresee(len(self._samples) + 2)
        return self._interpolate((times - self._start) / self._step)

    def _change_course(self) -> None:
        """Drop what was foreseen after the next sample; its postures are good guesses for the new ones."""
        self._guesses = [sample.q for sample in self._samples[2:]]
        del self._samples[2:]

    def _foresee(self, count: int) -> None:
        """Foresee the motion up to ``count`` samples; brake after the next one when something is in the way."""
        while len(self._samples) < count:
            try:
                self._append(count - len(self._samples))
            except TaskError as error:
                if self._target is None:
                    raise
                self._target, self.blocked = None, str(error)
                self._change_course()

    def _append(self, count: int) -> None:
        """Foresee ``count`` more samples; raises TaskError, after those that are good, at the first that is not."""
        before = self._samples[-1]
        tips = [before.tip]
        for _ in range(count):
            tips.append(self._follower.advance(tips[-1], self._target, self._step))
        del tips[0]
        position = np.array([tip.position for tip in tips])
        rotation = np.array([tip.rotation for tip in tips])
        twist = np.array([tip.velocity.ravel() for tip in tips])

        guesses = np.empty((count, 7))
        known = self._guesses[:count]
        guesses[: len(known)] = known or 0.0
        guesses[len(known) :] = known[-1] if known else before.q + self._step * before.v
        self._guesses = self._guesses[count:]
        q, left = self._solver.solve_all(position, rotation, guesses, sweeps=30, posture_tolerance=POSTURE_TOLERANCE)
        _, jacobian = self._solver.linearise(q, position, rotation)
        drift = np.diff(q, axis=0, prepend=before.q[None]) / self._step
        # The derivative of the parabola through the last three postures, corrected to the tip's twist.
        rate = 1.5 * drift - 0.5 * np.concatenate([before.drift[None], drift[:-1]])
        short = twist - np.einsum("nij,nj->ni", jacobian, rate)
        v = rate + np.einsum("nij,nj->ni", damped_inverse(jacobian, 0.0), short)
        a = np.diff(v, axis=0, prepend=before.v[None]) / self._step
        for i, tip in enumerate(tips):
            where = "the way to the target at ({:.3f}, {:.3f}, {:.3f}) m".format(*tip.position)
            if left[i] > REACHED:
                raise TaskError(f"{where} is out of reach of {self._arm.name}; send a target closer to home")
            self._check.limits(q[i], v[i], where)
            tau = self._arm.inverse_dynamics(q[i], v[i], a[i])
            self._samples.append(_Sample(tip=tip, q=q[i], drift=drift[i], v=v[i], tau=tau))

    def _interpolate(self, at: Array) -> Array:
        """Rows at times in grid steps: cubic in position and q, along the shortest turn, linear in the rest."""
        index = np.minimum(np.floor(at + 1e-9).astype(int), len(self._samples) - 2)
        share = np.clip(at - index, 0.0, 1.0)[:, None]
        used = self._samples[: int(index.max()) + 2]
        position = np.array([s.tip.position for s in used])
        speed = np.array([s.tip.velocity[0] for s in used])
        rotation = np.array([s.tip.rotation for s in used])
        q, v, tau = (np.array([getattr(s, key) for s in used]) for key in ("q", "v", "tau"))
        turn = logarithm(rotation[1:] @ rotation[:-1].transpose(0, 2, 1))[index]

        def linear(values: Array) -> Array:
            between: Array = values[index] + share * (values[index + 1] - values[index])
            return between

        def cubic(values: Array, rates: Array) -> Array:
            """Hermite's polynomial."""
            way = values[index + 1] - values[index]
            first, last = self._step * rates[index], self._step * rates[index + 1]
            slope = first + share * (3.0 * way - 2.0 * first - last + share * (first + last - 2.0 * way))
            between: Array = values[index] + share * slope
            return between

        return table_rows(
            cubic(position, speed), exponential(share * turn) @ rotation[index], cubic(q, v), linear(v), linear(tau)
        )
