"""The thread that answers joint states; the executor's threads ask it to do things between two of them."""

import gc
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus

from ttdm_ros import topics
from ttdm_ros.control.controller import Answer, Controller, Solve
from ttdm_ros.control.phase import Phase
from ttdm_ros.control.tip import tip_distance
from ttdm_ros.nodes.controller_topics import ControllerTopics
from ttdm_ros.nodes.joint_order import JointOrder, JointStateError
from ttdm_ros.nodes.requests import Requests
from ttdm_ros.nodes.state_source import StateSource, Watchdog

T = TypeVar("T")

AT_REST = (Phase.INACTIVE, Phase.STOPPED)

_IDLE_S = 0.05  # between two looks at what is asked, while nothing is commanded
_MOMENT_S = 0.5  # for which a hold-up is a cause of what follows
_WAIT_S = 0.005  # for a joint state
_SILENT_WAIT_S = 0.002  # the same once they are late: torque goes to zero in steps of this time
_UNHEARD = "start the arm's driver, or give both the same namespace"
_STATUS_S, _DIAGNOSTICS_S, _MARKERS_S, _GARBAGE_S = 0.1, 1.0, 0.15, 5.0


class ControlLoop:
    """Runs a controller from joint states to commands, in a thread of its own, from ``start`` to ``stop``.

    It owns the controller: others reach it through ``call``. Nothing else is waited on, and what is not urgent (status,
    markers, collecting garbage) is done one thing at a time after a command has gone out.

    Attributes:
        failure: what ended the thread, if it was not ``stop``.
        last_solve: the newest solve since the activation.
        last_plan: the newest one that found a plan.
    """

    def __init__(
        self,
        controller: Controller,
        source: StateSource,
        topics: ControllerTopics,
        *,
        prediction_rate: float,
        ros_time_ns: Callable[[], int] | None,
        on_rest: Callable[[], object],
    ) -> None:
        """Take what to run.

        Args:
            controller: to run.
            source: of joint states.
            topics: to publish on.
            prediction_rate: predictions published a second [Hz].
            ros_time_ns: returns simulated time [ns]; None if time is the wall clock's.
            on_rest: called in the thread whenever the arm has come to rest and nothing is commanded any more, and when
                the thread has failed.
        """
        self.controller = controller
        self.failure: BaseException | None = None
        self.last_solve: Solve | None = None
        self.last_plan: Solve | None = None
        self._source, self._topics = source, topics
        self._order = JointOrder(controller.arm.joint_names)
        self._ros_time_ns = ros_time_ns
        self._watchdog = Watchdog(ros_time_ns)
        self._on_rest = on_rest
        self._prediction_every = 1.0 / prediction_rate if prediction_rate > 0.0 else np.inf
        self._predicted = self._told = 0.0
        self._turned = time.monotonic()
        self._longest = (0.0, 0.0)  # hold-up of this thread [s], and when it was over
        self._counted = (0, 0)  # missed and failed solves at the last diagnostics
        self._unheard = False  # joint states come, and nobody takes torques
        self._rested = threading.Event()
        self._ending = False
        self._chores: list[list[Any]] = [
            [_STATUS_S, 0.0, self._publish_status],
            [_MARKERS_S, 0.0, self._publish_markers],
            [_GARBAGE_S, 0.0, lambda: gc.collect(1)],
        ]
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)
        self._requests = Requests(self._thread.is_alive)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what the arm does then is up to its own watchdog, so let it come to rest before."""
        self._ending = True
        self._requests.put(lambda: None)
        self._thread.join()

    def call(self, function: Callable[[], T]) -> T:
        """Return what ``function`` returns when called in the thread between two joint states, or raise what it raises.

        Raises:
            SolverError: the thread has ended or does not do it in time; what it has not begun then, it never does.
        """
        return self._requests.call(function)

    def activate(self) -> None:
        """Begin with the next joint state."""

        def begin() -> None:
            self._source.drop()
            self._watchdog.begin()
            self._turned, self._longest = time.monotonic(), (0.0, 0.0)
            self.last_solve = self.last_plan = None
            self._unheard = False
            self.controller.activate()

        self.call(begin)

    def deactivate(self, timeout: float) -> bool:
        """Bring the arm to rest; return whether it did within ``timeout`` [s], on simulated time where that is used."""

        def leave() -> None:
            self._rested.clear()
            self._watchdog.is_leaving = True
            if self.controller.phase is not Phase.STOPPED:  # after a fault, its cause stays in the status
                self.controller.deactivate()
            if self.controller.phase in AT_REST:
                self._rested.set()

        self.call(leave)
        if self._ros_time_ns is None:
            return self._rested.wait(timeout)
        begin, moved = self._ros_time_ns(), time.monotonic()
        now = begin
        while not self._rested.wait(_IDLE_S):
            before, now = now, self._ros_time_ns()
            if now != before:
                moved = time.monotonic()
            if abs(now - begin) > 1e9 * timeout or time.monotonic() - moved > timeout:
                return False
        return True

    def _run(self) -> None:
        try:
            while not self._ending:
                self._cycle()
        except BaseException as error:
            self.failure = error
            self._on_rest()

    def _cycle(self) -> None:
        if self.controller.phase in AT_REST:
            self._requests.answer_one(_IDLE_S)
        else:
            self._answer_states()
            if self.controller.phase in AT_REST:
                self._rested.set()
                self._on_rest()
            self._requests.answer_all()
        now = time.monotonic()
        for chore in self._chores:
            if now >= chore[1]:
                chore[1] = now + chore[0]
                chore[2]()
                break

    def _answer_states(self) -> None:
        """Wait for joint states and answer the newest one of the arm, or their absence."""
        silent = self._watchdog.silence > self.controller.config.stale_after
        self._source.wait(_SILENT_WAIT_S if silent else _WAIT_S)
        newest = None
        try:
            while (data := self._source.take()) is not None:
                newest = self._order.read(data) or newest
        except JointStateError as error:
            self.controller.stop(str(error), known=False)
            newest = None
        is_new = newest is not None and self._watchdog.is_new(newest.stamp_ns)
        if newest is not None and not is_new and (back := self._watchdog.note_old(newest.stamp_ns)):
            self.controller.stop(
                f"simulated time was set back by {back:.2f} s, so the arm may be anywhere; activate again", known=False
            )
        silence = 0.0 if is_new else self._watchdog.silence
        held_up = self._held_up()  # as the last of these, so that it has in it whatever gap the others have
        if newest is None or not is_new:
            self._send(self.controller.on_silence(silence, held_up, old=self._watchdog.hears_old))
            return
        self._unheard = self.controller.phase is Phase.WAITING and not self._topics.is_heard
        if self._unheard:
            return  # the plan would go on while nobody hears the torque: DDS may take seconds to connect the plant
        answer = self.controller.on_state(*newest, held_up)
        self._send(answer)
        self._topics.law(answer, newest.stamp_ns + round(1e9 * self.controller.config.delay))
        self._watchdog.note(newest.stamp_ns)
        if answer.solve is not None:
            self._report(answer.solve, newest.stamp_ns)

    def _held_up(self) -> float:
        """Return for how long this thread was not run, a moment ago: states of before may come first after it [s].

        The longer it was, the more of them wait in the socket, and the longer it takes to be through with them; the gap
        comes after them.
        """
        before, self._turned = self._turned, time.monotonic()
        held_up = self._turned - before - _WAIT_S
        if held_up > self._longest[0] or self._turned - self._longest[1] > _MOMENT_S + self._longest[0]:
            self._longest = (held_up, self._turned)
        return self._longest[0]

    def _send(self, answer: Answer) -> None:
        if answer.tau is not None:
            self._topics.command(answer.tau)

    def _report(self, solve: Solve, stamp_ns: int) -> None:
        self.last_solve = solve
        if solve.plan.ok:
            self.last_plan = solve
        delay = self.controller.config.delay
        self._topics.solved(solve, stamp_ns, delay, self.controller.phase)
        now = time.monotonic()
        if now - self._predicted >= self._prediction_every and solve.plan.ok:
            self._predicted = now
            self._topics.predicted(solve, stamp_ns + round(1e9 * delay))

    def _publish_markers(self) -> None:
        if self.last_solve is not None and self.last_solve.plan.ok:
            self._topics.markers(self.last_solve)

    def _publish_status(self) -> None:
        controller, solve = self.controller, self.last_solve
        model, error = controller.solver.model, ""
        if solve is not None:
            error = f"{1e3 * tip_distance(controller.arm, solve.rows[0], solve.plan.x[0, :7]):.3f}"
        values = {
            "phase": controller.phase.name.lower(),
            "progress": f"{controller.progress:.4f}",
            "tracking_error_mm": error,
            "solve_us": "" if solve is None else f"{solve.plan.solve_us:.0f}",
            "tick_us": "" if solve is None else f"{solve.tick_us:.0f}",
            "missed": str(controller.missed),
            "failed": str(controller.failed),
            "model": model.name,
            "fingerprint": model.fingerprint,
            "task": controller.task.config.name,
            "fault": controller.fault or "",
        }
        counts = (controller.missed, controller.failed)
        level, message = DiagnosticStatus.OK, controller.phase.name.lower()
        if counts != self._counted:
            level, message = DiagnosticStatus.WARN, f"{counts[0]} solves came late and {counts[1]} failed so far"
        if blocked := controller.blocked:
            level, message = DiagnosticStatus.WARN, blocked
        if self._unheard and controller.phase is Phase.WAITING:
            level, message = DiagnosticStatus.WARN, f"joint states come, but nobody hears {topics.COMMANDS}; {_UNHEARD}"
        if controller.fault is not None:
            level, message = DiagnosticStatus.ERROR, controller.fault
        now = time.monotonic()
        everywhere = now - self._told >= _DIAGNOSTICS_S
        if everywhere:  # what is missed between two of them is told in the next one, too
            self._told, self._counted = now, counts
        self._topics.status(values, level, message, everywhere=everywhere)
