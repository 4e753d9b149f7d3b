"""The controller: from a joint state to a torque, and to a controlled stop when something is wrong.

It knows nothing of ROS and of the wall clock: time is the stamps of the joint states. The node feeds it from topics,
the closed loop without ROS from a plant.
"""

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.control.answer import NOTHING, Answer
from ttdm_ros.control.braking import Braking
from ttdm_ros.control.config import ControllerConfig
from ttdm_ros.control.guard import StateGuard
from ttdm_ros.control.output import TorqueOutput
from ttdm_ros.control.phase import Phase
from ttdm_ros.control.planner import Planner, Solve
from ttdm_ros.control.timeline import Task, Timeline
from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.errors import SolverError, TaskError
from ttdm_ros.mpc.solver import MpcSolver
from ttdm_ros.mpc.tasks.target import Target

__all__ = ["NOTHING", "Answer", "Controller", "Solve"]

Array = NDArray[np.float64]


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
            clock: measures what computing takes [s]; apart from deadlines, nothing depends on it.
        """
        self.config = config or ControllerConfig()
        self.task, self.arm = task, solver.arm
        self.phase = Phase.INACTIVE
        self.fault: str | None = None
        """What went wrong since the last activation, in a sentence."""
        self._on_event = on_event
        self._target: Target | None = None  # to lead the tip to from the next activation on
        self._output = TorqueOutput(self.arm.limits, self.config)
        self._guard = StateGuard(self.arm.joint_names, self.arm.limits, self.config.stale_after)
        self._braking = Braking(self.arm)
        self._planner = Planner(solver, self.config, clock)
        self._reset()

    def _reset(self) -> None:
        self._guard.reset()
        self._output.reset()
        self._planner.reset()
        self._timeline: Timeline | None = None
        self._origin_ns: int | None = None  # stamp of the first joint state that is answered with a torque
        self._last_state = 0.0  # time since that stamp [s]
        self._leaving_since = np.inf
        self._known = True  # whether the arm's state is known

    @property
    def solver(self) -> MpcSolver:
        """The solver that plans."""
        return self._planner.solver

    @property
    def solves(self) -> int:
        """Solves so far."""
        return self._planner.solves

    @property
    def missed(self) -> int:
        """Solves so far that came after their deadline."""
        return self._planner.missed

    @property
    def failed(self) -> int:
        """Solves so far that found no plan."""
        return self._planner.failed

    @property
    def commands(self) -> bool:
        """Whether it commands the arm now."""
        return Phase.APPROACH <= self.phase <= Phase.BRAKING

    @property
    def progress(self) -> float:
        """Share of the task that is done."""
        return 0.0 if self._timeline is None else self._timeline.progress(self._last_state + self.config.delay)

    @property
    def blocked(self) -> str | None:
        """Why a live target is not reached, in words."""
        return None if self._timeline is None else self._timeline.blocked

    @property
    def limited_commands(self) -> int:
        """Commands so far that the torque-rate limit changed."""
        return self._output.limited

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
            case Phase.WAITING | Phase.STOPPED:
                self._enter(Phase.INACTIVE, "deactivated")

    def set_model(self, model: PredictionModel) -> None:
        """Predict with another model from the next solve on.

        Raises:
            SolverError: its network has another shape than the solver's.
        """
        self.solver.set_model(model)

    def set_solver(self, solver: MpcSolver) -> None:
        """Go on with another solver of the same arm and settings; it takes over the present plan as its guess."""
        self._planner.set_solver(solver)

    def set_exploration(self, share: float) -> None:
        """Add random torques of another standard deviation from now on, as a share of the torque limits."""
        self._output.exploration.set_share(share)

    def drive_again(self, timeline: Timeline) -> None:
        """Leave the last pose of the task and drive it again.

        Args:
            timeline: that ``Task.once_more`` gave.

        Raises:
            TaskError: the task is not done yet.
        """
        if self.phase is not Phase.HOLDING:
            raise TaskError(f"the task can be driven again once it is done; it is {self.phase.name.lower()} now")
        timeline.begin(self._last_state)
        self._timeline = timeline
        self._enter(Phase.APPROACH, f"approaching the start of '{self.task.config.name}' again")

    def set_target(self, target: Target) -> None:
        """Lead the tip to another pose, one that ``Task.target`` gave; until activation it is kept."""
        if self._timeline is None or not self.commands:
            self._target = target
        else:
            self._timeline.set_target(target)

    def stop(self, fault: str, *, known: bool = True) -> None:
        """Bring the arm to rest because of a fault, in a sentence; ``known``: whether its joint states can be used."""
        if self.phase in (Phase.STOPPED, Phase.INACTIVE):
            return
        self._known &= known
        if self.phase is not Phase.BRAKING:
            self.fault = fault
            self._braking.begin(self._last_state)
            self._enter(Phase.BRAKING if self.commands else Phase.STOPPED, f"fault: {fault}")

    def on_state(self, stamp_ns: int, q: Array, v: Array, held_up: float = 0.0) -> Answer:
        """Answer a joint state.

        Args:
            stamp_ns: its stamp [ns].
            q: positions (7,) [rad], in the arm's order.
            v: velocities (7,) [rad/s].
            held_up: for how long whoever asks was not run, as far as it can tell [s].
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
        interval, self._last_state = now - self._last_state, now
        if fault := self._guard.fault(now, q, v):
            self.stop(fault, known=False)
        if self.phase is not Phase.BRAKING and interval > self.config.stale_after:
            self.stop(_silence(interval, held_up))
        if self.phase is Phase.BRAKING:
            return self._brake(now, q, v)
        return self._drive(now, interval, np.concatenate((q, v)))

    def on_silence(self, elapsed: float, held_up: float = 0.0, *, old: bool = False) -> Answer:
        """Answer the absence of new joint states; to be asked again and again, at about their rate.

        Args:
            elapsed: since the last one [s].
            held_up: for how long whoever asks was not run, as far as it can tell [s].
            old: joint states come, but their stamps are no newer than the last one's.
        """
        if not self.commands:
            return NOTHING
        if elapsed > self.config.stale_after:
            self.stop(_silence(elapsed, held_up, old=old), known=False)
        elif self._known or self.phase is not Phase.BRAKING:
            return NOTHING
        now = self._last_state + elapsed
        tau = self._output.limit_after_gap(now, np.zeros(7))
        self._end_braking(now, np.zeros(7), tau)
        return Answer(tau=tau)

    def _enter(self, phase: Phase, text: str) -> None:
        self.phase = phase
        self._on_event(text)

    def _begin(self, q: Array, v: Array) -> Answer:
        """Plan the way to the start of the task; torque is commanded from the next joint state on."""
        if (fault := self._guard.fault(0.0, q, v)) is None:
            try:
                self._timeline = self.task.timeline(q, v, self.config.approach_speed)
                if self._target is not None:
                    self._timeline.set_target(self._target)
                    self._target = None
            except TaskError as error:
                fault = str(error)
        if fault is not None:
            self.stop(fault)
            return NOTHING
        assert self._timeline is not None
        self._guard.reset()
        self._planner.begin(self._timeline)
        # Planning took time: the motion starts with the state that comes next, whatever its stamp.
        self._enter(Phase.APPROACH, f"approaching the start of '{self.task.config.name}'")
        return NOTHING

    def _drive(self, now: float, interval: float, x: Array) -> Answer:
        assert self._timeline is not None
        self._follow_timeline(now)
        torque, solve = self._planner.torque(now, x, interval, self._timeline)
        if self._planner.fault is not None:
            self.stop(self._planner.fault)
            return Answer(tau=self._brake(now, x[:7], x[7:]).tau, solve=solve)
        explores = self.phase in (Phase.APPROACH, Phase.TRACKING)
        tau = self._output.drive(now, torque, interval, explores=explores)
        self._planner.note_command(now, tau)
        if self.phase is Phase.LEAVING and self._has_left(now, x[7:]):
            self._enter(Phase.INACTIVE, "deactivated; the arm rests")
        return Answer(tau=tau, solve=solve)

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
        torque = self._braking.torque(q, v) if self._known else np.zeros(7)
        tau = self._output.limit(now, torque)
        self._end_braking(now, v, tau)
        return Answer(tau=tau)

    def _end_braking(self, now: float, v: Array, tau: Array) -> None:
        if self._braking.done(now, v, tau, known=self._known):
            self._enter(Phase.STOPPED, "stopped; activate again when the cause is removed")


def _silence(elapsed: float, held_up: float, *, old: bool = False) -> str:
    told = f"no {'new ' if old else ''}joint state came for {1e3 * elapsed:.0f} ms; "
    if held_up > 0.5 * elapsed:
        return (
            f"{told}this process itself was not run for {1e3 * held_up:.0f} ms: free the machine of other work, or "
            "give the controller priority"
        )
    if old:
        return f"{told}those that come have stamps that stand still or go back: check the clock of the arm's driver"
    return f"{told}check the arm's driver and the network"
