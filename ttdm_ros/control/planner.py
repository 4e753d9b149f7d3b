"""Solving when it is time, and following the last plan in between."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.control.config import ControllerConfig
from ttdm_ros.control.timeline import Timeline
from ttdm_ros.control.underway import CommandsUnderway
from ttdm_ros.errors import TaskError
from ttdm_ros.mpc.solver import MpcSolver, Plan

Array = NDArray[np.float64]


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


class Planner:
    """The solver at the control rate, with the plan it made last.

    Attributes:
        solver: that plans.
        plan: the last one that can be followed; None before the first.
        fault: why planning cannot go on, in a sentence.
        solves: since it was made.
        missed: of them, those that came after their deadline.
        failed: of them, those without a plan.
    """

    def __init__(self, solver: MpcSolver, config: ControllerConfig, clock: Callable[[], float]) -> None:
        """Take a solver; ``clock`` [s] measures what computing takes."""
        self.solver = solver
        self.solves = self.missed = self.failed = 0
        self._config, self._clock = config, clock
        self._stages = np.arange(solver.config.horizon + 1, dtype=np.float64) * solver.config.dt
        self._underway = CommandsUnderway(config.delay)
        self.reset()

    def reset(self) -> None:
        """Forget the plan and everything that happened since the start."""
        self.plan: Plan | None = None
        self.fault: str | None = None
        self._underway.reset()
        self._due = 0.0  # when the next solve should be [s]
        self._last: float | None = None  # when the last one was [s]
        self._failures = self._misses = 0  # in a row

    def begin(self, timeline: Timeline) -> None:
        """Guess that the arm will follow the timeline, which starts at 0."""
        self.solver.initialise_from(timeline.rows(self._stages))

    def set_solver(self, solver: MpcSolver) -> None:
        """Go on with another solver of the same arm and settings; it takes over the present plan as its guess."""
        if self.plan is not None:
            solver.initialise(self.plan.x, self.plan.u)
        self.solver = solver

    def note_command(self, now: float, tau: Array) -> None:
        """Remember the torque (7,) [N·m] that answers the joint state of ``now`` [s]."""
        self._underway.send(now, tau)

    def torque(self, now: float, x: Array, interval: float, timeline: Timeline) -> tuple[Array, Solve | None]:
        """Return the torque (7,) [N·m] to command, and the solve, if one was due.

        Args:
            now: time of the joint state [s].
            x: its positions and velocities (14,).
            interval: time since the joint state before [s].
            timeline: what to follow.
        """
        tick = self._clock()
        expected = self._underway.foresee(self.solver, now, x)
        solve = None
        # A solve is due if its time is nearer to this joint state than to the next one.
        if now + 0.5 * min(interval, self._config.period) >= self._due:
            try:
                solve = self._solve(now, expected, tick, timeline)
            except TaskError as error:  # a live target that leads nowhere
                self.fault = str(error)
        if self.plan is None:
            return np.zeros(7), solve
        planned, torque = self.plan.at(now + self._config.delay)
        if self._config.between == "feedback":
            torque = torque + self.plan.gain @ (expected - planned)
        return torque, solve

    def _solve(self, now: float, expected: Array, tick: float, timeline: Timeline) -> Solve:
        acts = now + self._config.delay
        # The present is asked for too: a live target then keeps what is known of it.
        rows = timeline.rows(np.concatenate(((now,), acts + self._stages)))[1:]
        since = 0.0 if self._last is None else now - self._last
        plan = self.solver.solve(expected, rows, share=since / self.solver.config.dt, start=acts)
        self.solves += 1
        if plan.ok:
            self.plan, self._failures = plan, 0
        else:
            self._count_failure(plan.status, rows)
        tick_us = 1e6 * (self._clock() - tick)
        missed = self._count_miss(now, tick_us)
        self._last = now
        return Solve(plan=plan, rows=rows, tick_us=tick_us, period_us=1e6 * since, missed=missed)

    def _count_failure(self, status: int, rows: Array) -> None:
        self._failures += 1
        self.failed += 1
        self.solver.initialise_from(rows)
        if self._failures > self._config.failures:
            self.fault = (
                f"the solver failed {self._failures} times in a row (status {status}); check the model, the weights "
                "and the limits"
            )

    def _count_miss(self, now: float, tick_us: float) -> bool:
        period, late = self._config.period, now - self._due
        missed = late > 0.5 * period or 1e-6 * tick_us > period
        self._due = now + period if late > 0.5 * period else self._due + period
        self.missed += missed
        self._misses = self._misses + 1 if missed else 0
        if self._misses > self._config.missed:
            self.fault = (
                f"{self._misses} solves in a row came after their deadline; lower the rate, or free the machine"
            )
        return missed
