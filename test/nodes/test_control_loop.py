"""What is asked of the control thread: done between two joint states, or answered with a sentence."""

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")

from ttdm_ros.control.answer import NOTHING
from ttdm_ros.control.phase import Phase
from ttdm_ros.errors import SolverError, TaskError
from ttdm_ros.nodes import control_loop, requests, state_source
from ttdm_ros.nodes.control_loop import ControlLoop
from ttdm_ros.nodes.joint_order import JointState

PATIENCE = 30.0  # [s]


class Arm:
    joint_names = ("a",)


@pytest.fixture
def loop() -> Iterator[ControlLoop]:
    """A loop with nothing to do but what it is asked."""
    controller: Any = SimpleNamespace(arm=Arm(), phase=Phase.INACTIVE)
    nothing: Any = None
    made = ControlLoop(controller, nothing, nothing, prediction_rate=0.0, ros_time_ns=None, on_rest=lambda: None)
    made._chores.clear()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def busy(loop: ControlLoop, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """The thread is held up until the event is set; it is waited for a moment only."""
    begun, released = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        released.wait(PATIENCE)

    loop._requests.put(hold)
    assert begun.wait(PATIENCE)
    monkeypatch.setattr(requests, "_PATIENCE_S", 0.05)
    yield released
    released.set()


def test_what_is_asked_is_done_in_the_thread(loop: ControlLoop) -> None:
    assert loop.call(threading.current_thread) is loop._thread


@pytest.mark.parametrize("error", [TaskError("no; go"), TimeoutError("its own")], ids=repr)
def test_what_it_raises_is_passed_on(loop: ControlLoop, error: Exception) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        loop.call(fail)
    assert caught.value is error


def test_a_thread_that_is_busy_is_told_in_a_sentence_and_what_was_asked_is_never_done(
    loop: ControlLoop, busy: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    with pytest.raises(SolverError, match=r"busy for 0.05 s, and nothing was changed; .* ask again"):
        loop.call(lambda: done.append("late"))
    busy.set()
    monkeypatch.setattr(requests, "_PATIENCE_S", PATIENCE)
    loop.call(lambda: done.append("next"))
    assert done == ["next"]


def test_what_has_begun_and_takes_too_long_is_told_otherwise(
    loop: ControlLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "_PATIENCE_S", 0.2)
    begun, released = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        released.wait(PATIENCE)

    try:
        with pytest.raises(SolverError) as caught:
            loop.call(hold)
    finally:
        released.set()
    if begun.is_set():  # else the thread did not get a processor in that time
        assert "has not finished within 0.2 s what it was asked; look at" in str(caught.value)


def test_a_thread_that_ended_is_told_at_once(loop: ControlLoop) -> None:
    loop.stop()
    with pytest.raises(SolverError, match="the controller has ended; configure it again"):
        loop.call(lambda: None)


def test_a_thread_that_ends_before_it_comes_to_it_is_told_too(loop: ControlLoop, busy: threading.Event) -> None:
    failed = threading.Event()

    def die() -> None:
        raise SystemExit

    loop._on_rest = failed.set
    loop._requests.put(die)
    result: list[BaseException] = []

    def ask() -> None:
        try:
            loop.call(lambda: None)
        except SolverError as error:
            result.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    busy.set()
    asking.join(PATIENCE)
    assert failed.wait(PATIENCE)
    assert isinstance(loop.failure, SystemExit)
    assert len(result) == 1


class HeldUp:
    """A control thread whose states, and whose clock, are given by hand; what the controller is asked is kept."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, simulated_ms: Any = None) -> None:
        self.now = 100.0
        self.asked: list[tuple[str, float]] = []  # what, and for how long the thread had not been run [s]
        clock = SimpleNamespace(monotonic=lambda: self.now)
        monkeypatch.setattr(control_loop, "time", clock)
        monkeypatch.setattr(state_source, "time", clock)
        self.queue: list[int] = []

        def on_state(stamp_ns: int, q: Any, v: Any, held_up: float) -> Any:
            self.asked.append(("state", held_up))
            return NOTHING

        def on_silence(elapsed: float, held_up: float, *, old: bool) -> Any:
            self.asked.append((f"{'old states' if old else 'silence'} for {elapsed:.3f} s", held_up))
            return NOTHING

        self.faults: list[str] = []

        config = SimpleNamespace(stale_after=0.03, delay=0.0)
        controller: Any = SimpleNamespace(
            arm=Arm(), phase=Phase.TRACKING, config=config, on_state=on_state, on_silence=on_silence,
            stop=lambda fault, known: self.faults.append(fault),
        )  # fmt: skip
        source: Any = SimpleNamespace(
            wait=lambda time: None, take=lambda: self.queue.pop(0) if self.queue else None, drop=lambda: None
        )
        topics: Any = SimpleNamespace(law=lambda answer, stamp: None, is_heard=True)
        time_ns = None if simulated_ms is None else lambda: round(1e6 * simulated_ms())
        self.loop = ControlLoop(
            controller, source, topics, prediction_rate=0.0, ros_time_ns=time_ns, on_rest=lambda: None
        )
        reading: Any = SimpleNamespace(read=lambda stamp: JointState(stamp, np.zeros(7), np.zeros(7)))
        self.loop._order = reading
        self.loop._turned = self.now

    def turn(self, elapsed: float, *stamps_ms: int) -> list[tuple[str, float]]:
        """One turn of the thread, ``elapsed`` [s] after the one before, at which these states are there."""
        self.asked.clear()
        self.now += elapsed
        self.queue += [round(1e6 * stamp) for stamp in stamps_ms]
        self.loop._answer_states()
        return list(self.asked)


def test_a_hold_up_is_remembered_until_what_waited_meanwhile_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    thread = HeldUp(monkeypatch)
    thread.turn(0.002, 2)
    thread.turn(1.5, 4)
    for waited in range(190):  # the states of half a second, each of which takes longer to answer than it lasted
        assert thread.turn(0.010, 6 + 2 * waited)[-1] == ("state", pytest.approx(1.5, abs=0.01))
    assert thread.turn(0.010, 1500)[-1] == ("state", pytest.approx(1.5, abs=0.01))
    for later in range(12):
        thread.turn(0.010, 1510 + 10 * later)
    assert thread.turn(0.010, 1700)[-1][1] < 0.1


@pytest.mark.parametrize(("stamps_ms", "what"), [((1500,), "state"), ((), "silence for 1.502 s")])
def test_a_hold_up_between_two_looks_at_the_queue_is_known_at_once(
    monkeypatch: pytest.MonkeyPatch, stamps_ms: tuple[int, ...], what: str
) -> None:
    thread = HeldUp(monkeypatch)
    thread.turn(0.002, 2)
    take = thread.loop._source.take

    def take_late() -> Any:
        if thread.now < 101.0:
            thread.now += 1.5
            thread.queue += [round(1e6 * stamp) for stamp in stamps_ms]
        return take()

    monkeypatch.setattr(thread.loop._source, "take", take_late)
    assert thread.turn(0.002) == [(what, pytest.approx(1.5, abs=0.01))]


def test_states_whose_stamps_stand_still_are_told_from_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    thread = HeldUp(monkeypatch)
    thread.turn(0.002, 0)
    asked = [thread.turn(0.002, 0)[-1][0] for _ in range(20)]
    assert asked[-1] == "old states for 0.040 s"
    thread.turn(0.002, 5)
    thread.turn(0.002, 5)  # one twice is nothing
    assert thread.turn(0.002)[-1][0] == "silence for 0.004 s"
    assert thread.faults == []


def test_simulated_time_that_is_set_back_stops_the_arm_whatever_comes_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [9000.0]
    thread = HeldUp(monkeypatch, simulated_ms=lambda: clock[0])
    thread.turn(0.002, 9000)
    clock[0] = 20.0
    asked = thread.turn(0.002, 20)
    (fault,) = thread.faults
    assert fault == "simulated time was set back by 8.98 s, so the arm may be anywhere; activate again"
    assert asked[-1][0] == "silence for 0.002 s"  # on the wall clock: torque has to go
    assert thread.turn(0.050, 22)[-1][0] == "silence for 0.052 s"


def test_states_that_overtake_each_other_set_no_time_back(monkeypatch: pytest.MonkeyPatch) -> None:
    thread = HeldUp(monkeypatch, simulated_ms=lambda: 9000.0)
    thread.turn(0.002, 9000)
    thread.turn(0.002, 8998)
    assert thread.faults == []


class Status:
    """What a loop says of itself."""

    is_heard = True

    def __init__(self) -> None:
        self.told: list[tuple[int, str, bool]] = []

    def status(self, values: Any, level: Any, message: str, *, everywhere: bool) -> None:
        self.told.append((int.from_bytes(level, "big"), message, everywhere))


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> tuple[ControlLoop, Status, Any]:
    """A loop that is not run, what it tells, and its clock."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(control_loop, "time", SimpleNamespace(monotonic=lambda: clock.now))
    model = SimpleNamespace(name="nominal", fingerprint="0")
    controller: Any = SimpleNamespace(
        arm=Arm(), phase=Phase.WAITING, progress=0.0, missed=0, failed=0, blocked=None, fault=None,
        solver=SimpleNamespace(model=model), task=SimpleNamespace(config=SimpleNamespace(name="circle")),
        config=SimpleNamespace(stale_after=0.03, delay=0.0),
    )  # fmt: skip
    status: Any = Status()
    source: Any = SimpleNamespace(wait=lambda time: None, take=iter([1, None]).__next__)
    made = ControlLoop(controller, source, status, prediction_rate=0.0, ros_time_ns=None, on_rest=lambda: None)
    reading: Any = SimpleNamespace(read=lambda stamp: JointState(stamp, np.zeros(7), np.zeros(7)))
    made._order = reading
    return made, status, clock


def test_solves_that_were_late_between_two_diagnostics_are_in_the_second(
    quiet: tuple[ControlLoop, Status, Any],
) -> None:
    loop, status, clock = quiet
    loop._publish_status()
    controller: Any = loop.controller
    controller.missed = 3
    for _ in range(10):
        clock.now += 0.1001
        loop._publish_status()
    assert [everywhere for _, _, everywhere in status.told] == [True, *[False] * 9, True]
    (last,) = (each for each in status.told[1:] if each[2])
    assert last[:2] == (1, "3 solves came late and 0 failed so far")


def test_torques_that_nobody_hears_are_told_while_it_waits(quiet: tuple[ControlLoop, Status, Any]) -> None:
    loop, status, _ = quiet
    status.is_heard = False
    loop._answer_states()
    loop._publish_status()
    assert status.told[-1][0] == 1
    assert (
        "joint states come, but nobody hears effort_controller/commands; start the arm's driver" in status.told[-1][1]
    )


@pytest.mark.parametrize(
    ("factor", "rests_after", "expected"), [(0.1, 6.0, True), (0.1, 7.0, False), (0.0, 9.0, False)]
)
def test_coming_to_rest_is_waited_for_in_simulated_time(
    monkeypatch: pytest.MonkeyPatch, factor: float, rests_after: float, expected: bool
) -> None:
    """By the wall, a second of which is a hundredth here."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(control_loop, "time", SimpleNamespace(monotonic=lambda: clock.now))
    controller: Any = SimpleNamespace(arm=Arm(), phase=Phase.TRACKING, deactivate=lambda: None)
    nothing: Any = None
    loop = ControlLoop(
        controller, nothing, nothing, prediction_rate=0.0,
        ros_time_ns=lambda: round(1e9 * factor * clock.now), on_rest=lambda: None,
    )  # fmt: skip
    loop.call = lambda work: work()  # type: ignore[method-assign]

    def wait(pause: float) -> bool:
        clock.now += pause
        return factor * clock.now >= 0.1 * rests_after and factor > 0.0

    loop._rested = SimpleNamespace(wait=wait, clear=lambda: None)  # type: ignore[assignment]
    assert loop.deactivate(0.65) is expected
