"""The controller: from a joint state to a torque, and to a controlled stop when something is wrong.

It knows nothing of ROS and of the wall clock: time is the stamps of the joint states. The node feeds it from topics,
the closed loop without ROS from a plant.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.control.braking import Braking
from ttdm_ros.control.config import ControllerConfig
from ttdm_ros.control.guard import StateGuard
from ttdm_ros.control.limiter import TorqueLimiter
from ttdm_ros.control.phase import Phase
from ttdm_ros.control.timeline import Task, Timeline
from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.errors import SolverError, TaskError
from ttdm_ros.mpc.solver import MpcSolver, Plan

Array = NDArray[np.float64]

_NO_FEEDBACK = "plan"
_FIRST_INTERVAL = 1e-3  # what the torque may change in before the first command [s]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solve:
    """What one solve was asked and what it took."""

    plan: Plan
    rows: Array
    """Reference rows (N + 1, 33) of its stages."""
    tick_us: float
    """References, solve, plan and gain, as Python sees it [µs]."""
    period_us: float
    """Time since the solve before, by the stamps [µs]; 0 for the first."""
    missed: bool
    """Whether it came after its deadline."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """What a joint state led to."""

    tau: Array | None
    """Torque to command (7,) [N·m], without gravity; None: command nothing."""
    solve: Solve | None = None
    """The solve, if one was due."""


NOTHING = Answer(tau=None)


class Controller:
    """One arm under model predictive control, from activation to rest.

    Phases follow one another as ``Phase`` lists them. A fault ends in BRAKING (the arm is brought to rest by damping,
    or, where its state is not known, torque goes to zero) and then STOPPED, which only a new activation leaves.
    """

    def __init__(
        self,
        solver: MpcSolver,
        task: Task,
        config: ControllerConfig | None = None,
        *,
        on_event: Callable[[str], None] = lambda text: None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Take a solver and a task.

        Args:
            solver: of the arm, with its model.
            task: resolved for the same arm.
            config: settings; defaults if left out.
            on_event: told, in words, of every change of phase and every fault.
            clock: measures what computing takes [s]; nothing that is commanded depends on it.
        """
        self.config = config or ControllerConfig()
        self.solver, self.task, self.arm = solver, task, solver.arm
        self.phase = Phase.INACTIVE
        self.fault: str | None = None
        """What went wrong since the last activation, in a sentence."""
        self.solves = self.missed = self.failed = 0
        self._on_event, self._clock = on_event, clock
        limits = self.arm.limits
        self._limiter = TorqueLimiter(limits.effort, limits.effort_rate)
        self._guard = StateGuard(self.arm.joint_names, limits, self.config.stale_after)
        self._braking = Braking(self.arm)
        self._stages = solver.config.dt * np.arange(solver.config.horizon + 1)
        self._slack = 0.25 * self.config.period  # a solve is due if its time comes before the next joint state
        self._reset()

    def _reset(self) -> None:
        self._timeline: Timeline | None = None
        self._plan: Plan | None = None
        self._origin_ns: int | None = None  # stamp of the first joint state that is answered with a torque
        self._last_state = -_FIRST_INTERVAL  # since that stamp [s]
        self._last_solve = -np.inf
        self._interval = 0.0  # between the last two joint states [s]
        self._failures = self._misses = 0
        self._leaving_since = np.inf
        self._known = True  # whether the arm's state is known
        self._target: tuple[Array, Array] | None = None

    @property
    def torque(self) -> Array:
        """Last torque commanded (7,) [N·m]."""
        return self._limiter.torque.copy()

    @property
    def commands(self) -> bool:
        """Whether it commands the arm now."""
        return Phase.APPROACH <= self.phase <= Phase.BRAKING

    @property
    def progress(self) -> float:
        """Share of the task that is done."""
        return 0.0 if self._timeline is None else self._timeline.progress(self._last_state + self.config.delay)

    @property
    def limited_commands(self) -> int:
        """Commands so far that the torque-rate limit changed."""
        return self._limiter.limited

    def reference_now(self) -> tuple[float, Array]:
        """Return the time since activation [s] of the last joint state, and the reference row (33,) of that time."""
        assert self._timeline is not None, "there is no reference before the first joint state"
        return self._last_state, self._timeline.rows(np.array([self._last_state]))[0]

    def activate(self) -> None:
        """Begin with the next joint state.

        Raises:
            SolverError: it commands the arm already.
        """
        if self.commands:
            raise SolverError(f"the controller is active already ({self.phase.name.lower()}); deactivate it first")
        self._reset()
        self._guard.reset()
        self._limiter.reset()
        self.fault = None
        self._enter(Phase.WAITING, "activated; waiting for a joint state")

    def deactivate(self) -> None:
        """Bring the arm to rest along its path; the phase is INACTIVE when it is done."""
        match self.phase:
            case Phase.APPROACH | Phase.TRACKING | Phase.HOLDING:
                assert self._timeline is not None
                self._timeline.stop(self._last_state, self.config.stop_time)
                self._leaving_since = self._last_state
                self._enter(Phase.LEAVING, "deactivating: coming to rest")
            case Phase.WAITING:
                self._enter(Phase.INACTIVE, "deactivated")
            case Phase.STOPPED:
                self._enter(Phase.INACTIVE, "deactivated after a fault")
            case _:
                pass

    def set_model(self, model: PredictionModel) -> None:
        """Predict with another model from the next solve on.

        Raises:
            SolverError: its network has another shape than the solver's.
        """
        self.solver.set_model(model)

    def set_target(self, position: Array, rotation: Array) -> None:
        """Lead the tip to another pose (3,) [m], (3, 3) in the base frame; before activation it is kept.

        Raises:
            TaskError: the task follows no live target, or the pose is out of bounds.
        """
        if self._timeline is None:
            self._target = (position, rotation)
        else:
            self._timeline.set_target(position, rotation)

    def stop(self, fault: str, *, known: bool = True) -> None:
        """Bring the arm to rest because of a fault, in a sentence; ``known``: whether its joint states can be used."""
        if self.phase in (Phase.STOPPED, Phase.INACTIVE):
            return
        self._known &= known
        if self.phase is Phase.BRAKING:
            return
        self.fault = fault
        if not self.commands:
            self._enter(Phase.STOPPED, f"fault: {fault}")
            return
        self._braking.begin(self._last_state)
        self._enter(Phase.BRAKING, f"fault: {fault}")

    def on_state(self, stamp_ns: int, q: Array, v: Array) -> Answer:
        """Answer a joint state.

        Args:
            stamp_ns: its stamp [ns].
            q: positions (7,) [rad], in the arm's order.
            v: velocities (7,) [rad/s].
        """
        if self.phase in (Phase.INACTIVE, Phase.STOPPED):
            return NOTHING
        if self.phase is Phase.WAITING:
            return self._begin(q, v)
        if self._origin_ns is None:
            self._origin_ns = stamp_ns
        now = 1e-9 * (stamp_ns - self._origin_ns)
        if self._guard.is_old(now):
            return NOTHING
        self._interval, self._last_state = now - self._last_state, now
        if fault := self._guard.fault(now, q, v):
            self.stop(fault, known=False)
        if self.phase is not Phase.BRAKING and self._interval > self.config.stale_after:
            self.stop(f"no joint state came for {1e3 * self._interval:.0f} ms; check the arm's driver and the network")
        if self.phase is Phase.BRAKING:
            return self._brake(now, q, v)
        return self._drive(now, np.concatenate((q, v)))

    def on_silence(self, elapsed: float) -> Answer:
        """Answer the absence of joint states for ``elapsed`` [s]; ask at the rate at which they should come."""
        if not self.commands or elapsed <= self.config.stale_after:
            return NOTHING
        self.stop(
            f"no joint state came for {1e3 * elapsed:.0f} ms; check the arm's driver and the network", known=False
        )
        self._known = False
        self._last_state += max(self._interval, 1e-3)
        return self._brake(self._last_state, np.zeros(7), np.zeros(7))

    def _enter(self, phase: Phase, text: str) -> None:
        self.phase = phase
        self._on_event(text)

    def _begin(self, q: Array, v: Array) -> Answer:
        """Plan the way to the start of the task; torque is commanded from the next joint state on."""
        fault = self._guard.fault(0.0, q, v)
        self._guard.reset()
        if fault is None:
            try:
                self._timeline = self.task.timeline(q, v, self.config.approach_speed)
                if self._target is not None:
                    self._timeline.set_target(*self._target)
            except TaskError as error:
                fault = str(error)
        if fault is not None:
            self.stop(fault)
            return NOTHING
        assert self._timeline is not None
        self.solver.initialise_from(self._timeline.rows(self._stages))
        # Planning took time: the motion starts with the state that comes next, whatever its stamp.
        self._enter(Phase.APPROACH, f"approaching the start of '{self.task.config.name}'")
        return NOTHING

    def _drive(self, now: float, x: Array) -> Answer:
        assert self._timeline is not None
        self._follow_timeline(now)
        tick = self._clock()
        acts = now + self.config.delay
        expected = self.solver.predict(x, self._limiter.torque, self.config.delay) if self.config.delay > 0.0 else x
        solve = None
        if now - self._last_solve >= self.config.period - self._slack:
            try:
                solve = self._solve(now, acts, expected, tick)
            except TaskError as error:  # a live target that leads nowhere
                self.stop(str(error))
        if self.phase is Phase.BRAKING:
            return Answer(tau=self._brake(now, x[:7], x[7:]).tau, solve=solve)
        if self._plan is None:
            return Answer(tau=self._limiter.apply(np.zeros(7), self._interval), solve=solve)
        planned, torque = self._plan.at(acts)
        if self.config.between != _NO_FEEDBACK:
            torque = torque + self._plan.gain @ (expected - planned)
        if now < self.config.ramp_time:
            torque = (now / self.config.ramp_time) * torque
        tau = self._limiter.apply(torque, self._interval)
        if self.phase is Phase.LEAVING and self._has_left(now, x[7:]):
            self._enter(Phase.INACTIVE, "deactivated; the arm rests")
        return Answer(tau=tau, solve=solve)

    def _solve(self, now: float, acts: float, expected: Array, tick: float) -> Solve:
        assert self._timeline is not None
        rows = self._timeline.rows(acts + self._stages)
        since = now - self._last_solve
        first = not np.isfinite(since)
        plan = self.solver.solve(expected, rows, share=0.0 if first else since / self.solver.config.dt, start=acts)
        self._last_solve = now
        self.solves += 1
        if plan.ok:
            self._plan, self._failures = plan, 0
        else:
            self._failures += 1
            self.failed += 1
            self.solver.initialise_from(rows)
            if self._failures > self.config.failures:
                self.stop(
                    f"the solver failed {self._failures} times in a row (status {plan.status}); check the model, the "
                    "weights and the limits"
                )
        tick_us = 1e6 * (self._clock() - tick)
        period = 0.0 if first else since
        missed = not first and (period > 1.5 * self.config.period or 1e-6 * tick_us > self.config.period)
        self.missed += missed
        self._misses = self._misses + 1 if missed else 0
        if self._misses > self.config.missed:
            self.stop(f"{self._misses} solves in a row came after their deadline; lower the rate, or free the machine")
        return Solve(plan=plan, rows=rows, tick_us=tick_us, period_us=1e6 * period, missed=missed)

    def _follow_timeline(self, now: float) -> None:
        assert self._timeline is not None
        if self.phase is Phase.APPROACH and now >= self._timeline.task_begins:
            self._enter(Phase.TRACKING, f"driving '{self.task.config.name}'")
        if self.phase is Phase.TRACKING and now >= self._timeline.task_ends:
            self._enter(Phase.HOLDING, f"'{self.task.config.name}' is done; holding its last pose")

    def _has_left(self, now: float, v: Array) -> bool:
        since = now - self._leaving_since - self.config.stop_time
        return since > 1.0 or (since > 0.0 and bool(np.abs(v).max() < 0.02))

    def _brake(self, now: float, q: Array, v: Array) -> Answer:
        torque = self._braking.torque(now, q, v) if self._known else np.zeros(7)
        tau = self._limiter.apply(torque, self._interval)
        if self._braking.done(now, v, tau, known=self._known):
            self._enter(Phase.STOPPED, "stopped; activate again when the cause is removed")
        return Answer(tau=tau)
