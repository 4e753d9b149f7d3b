"""One arm from connection to end: motions, what ended them, and recovery on an operator's call only."""

import time
from collections.abc import Callable

import numpy as np

from ttdm_ros.plants.franka.law import STOP_CAUSES, UNSEEN, Command, LawBlock, LawPhase, LawStatus
from ttdm_ros.plants.franka.link import MODES, ArmLink, LinkError
from ttdm_ros.plants.franka.reflexes import explain

_LOOK_S = 0.05  # between two looks at a robot without a motion: each holds Python up for a millisecond
_REST_LIMIT_S = 3.0
_ANSWER_LIMIT_S, _ANSWER_EVERY_S = 1.0, 0.001  # for the law to see a stop: it runs a thousand times a second


class Supervisor:
    """Keeps a motion going, and tells in words what happens.

    Attributes:
        problem: why there is no motion, in a sentence; empty while there is one.
        mode: name of the robot's mode.
        refused: commands refused so far, of any kind.
    """

    def __init__(
        self,
        link: ArmLink,
        block: LawBlock,
        *,
        on_event: Callable[[str], None] = lambda text: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take an arm that is connected.

        Args:
            link: to it.
            block: of the law's parameters.
            on_event: told, in words, of every motion, stop and recovery.
            clock: [s].
            sleep: waits for so many seconds.
        """
        self.problem = "no motion has begun yet"
        self.mode = MODES[0]
        self.refused = 0
        self.status = UNSEEN
        self._link, self._block, self._on_event = link, block, on_event
        self._clock, self._sleep = clock, sleep
        self._looked = -np.inf
        self._noticed = self._opened = False
        self._errors: tuple[str, ...] = ()

    @property
    def moving(self) -> bool:
        """Whether there is a motion, in which the arm is held or follows commands."""
        return not self.problem

    @property
    def ready(self) -> bool:
        """Whether the arm can be commanded: the law accepted commands since the motion began, and since ``hold``."""
        return self.moving and self._opened

    @property
    def following(self) -> bool:
        """Whether commands act."""
        return self.moving and self.status.phase is LawPhase.FOLLOWING

    @property
    def idle(self) -> bool:
        """Whether nobody commands the arm: there is no motion, or it is held and no commands come."""
        return not self.moving or (self.status.phase is LawPhase.HOLDING and not self.status.locked)

    @property
    def refusal(self) -> str:
        """Why the law refuses commands now, in a sentence; empty if it does not."""
        if not self.moving or not self.status.locked:
            return ""
        if self.status.held:
            return "the arm is held because the driver was asked to; call ~/recover, then activate the controller again"
        return STOP_CAUSES.get(
            self.status.cause,
            "commands are refused until they have paused, as a motion begins near zero torque; deactivate the "
            "controller, and activate it again",
        )

    def begin(self) -> bool:
        """Begin a motion: the arm is held; return whether that worked, or else ``problem`` says why not."""
        try:
            self._link.start(self._block.release())
        except LinkError as error:
            self._end(str(error))
            return False
        self.problem, self.status = "", UNSEEN
        self._noticed = self._opened = False
        return True

    def follow(self, command: Command) -> bool:
        """Pass a command on; return whether there is a motion that can follow it."""
        if self.problem:
            self.refused += 1
            return False
        self._link.command(self._block.follow(command))
        return True

    def hold(self) -> None:
        """Brake the arm and hold it until ``recover``, whoever commands; return once the law does.

        Raises:
            LinkError: there is no motion, it ends meanwhile, or the law does not answer.
        """
        if self.problem:
            raise LinkError(f"there is no motion to stop: {self.problem}")
        self._opened = False
        self._link.command(self._block.hold())
        limit = self._clock() + _ANSWER_LIMIT_S
        while not self._link.status.held:
            if not self._link.moving:
                raise LinkError(f"the motion ended before it was stopped: {explain(self._link.failure)}")
            if self._clock() > limit:
                raise LinkError(
                    f"the control loop has not answered within {_ANSWER_LIMIT_S:g} s, so the arm may go on; use the "
                    "robot's button"
                )
            self._sleep(_ANSWER_EVERY_S)
        self._on_event("stopped on an operator's call; ~/recover ends that")

    def update(self) -> np.ndarray:
        """Return the cycles (n,) since the last call and see what has happened; without a motion, look now and then."""
        if self.problem:
            return self._look()
        cycles = self._link.cycles()
        if len(cycles):
            self.mode = MODES[int(cycles["mode"][-1])]
            self._note(self._link.status)
            if not self._noticed and (notice := self._link.notice):  # known only some cycles after the beginning
                self._noticed = True
                self._on_event(notice)
        if not self._link.moving:
            failure = self._link.failure
            self._link.stop()
            self._end(explain(failure))
        return cycles

    def recover(self) -> str:
        """Clear the robot's errors, or end what ``hold`` began; the arm is held. Return what was done.

        Raises:
            LinkError: it does not work; the message says why.
            SolverError: the law cannot be compiled.
        """
        if self.moving:
            return self._release()
        was = self.problem
        self._link.recover()
        self._on_event("recovered on an operator's call")
        if not self.begin():
            raise LinkError(self.problem)
        return f"recovered from: {was}"

    def _release(self) -> str:
        if not self._block.held:
            return "there is nothing to recover from: the arm is held or follows commands"
        if not self._link.status.held:
            raise LinkError("the control loop has not answered the stop yet, so it stays; call ~/recover again")
        self._link.command(self._block.release())
        self._on_event("recovered on an operator's call")
        return "recovered from the stop: the arm is held; activate the controller again"

    def end(self, on_cycles: Callable[[np.ndarray], None] = lambda cycles: None) -> None:
        """Bring the arm to rest, end the motion, and leave the robot to itself; ``on_cycles`` is given all cycles."""
        try:
            if self.moving:
                self._link.command(self._block.hold())
                limit = self._clock() + _REST_LIMIT_S
                while self.moving and self._clock() < limit:
                    self._sleep(0.01)
                    on_cycles(self.update())
                    if self.status.held and self.status.phase is LawPhase.HOLDING:
                        break
        finally:
            self._link.close()

    def _note(self, status: LawStatus) -> None:
        before, self.status = self.status, status
        if (more := status.refused - before.refused) > 0:
            self.refused += more
        if not (self._opened or status.locked or self._block.held):
            self._opened = True
            self._on_event("the arm is held; commands are accepted")
        if status.phase is before.phase:
            return
        if status.phase is LawPhase.FOLLOWING:
            self._on_event("following commands")
        elif before.phase is LawPhase.FOLLOWING and status.cause in STOP_CAUSES:
            self._on_event(STOP_CAUSES[status.cause])

    def _look(self) -> np.ndarray:
        nothing = np.zeros(0)
        if self._clock() - self._looked < _LOOK_S:
            return nothing
        self._looked = self._clock()
        try:
            look = self._link.look()
        except LinkError as error:
            self._tell(str(error))
            self.mode = MODES[0]
            return nothing
        self.mode = MODES[int(look.cycle["mode"][0])]
        if look.errors != self._errors:
            self._errors = look.errors
            if look.errors:
                self._tell(explain(" ".join(look.errors)))
        return look.cycle

    def _end(self, problem: str) -> None:
        self._errors, self.status = (), UNSEEN
        self.problem = ""
        self._tell(problem)

    def _tell(self, problem: str) -> None:
        if problem != self.problem:
            self.problem = problem
            self._on_event(f"no motion: {problem}; then call ~/recover")
