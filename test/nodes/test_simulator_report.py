"""The diagnostic names what is wrong since the one before, and nothing older."""

from dataclasses import replace

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")

from diagnostic_msgs.msg import DiagnosticStatus

from ttdm_ros.nodes.simulator_report import Counts, SimulatorReport

START = Counts(plant_ns=0, late_ticks=0, given_up_ns=0, received=0, refused=0, saturated_steps=0)


class HandClock:
    """A clock that is set by hand [s]."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def second_later(clock: HandClock, counts: Counts, **changes: int) -> Counts:
    clock.now += 1.0
    return replace(counts, plant_ns=counts.plant_ns + 1_000_000_000, **changes)


def is_warning(status: DiagnosticStatus) -> bool:
    return bool(status.level == DiagnosticStatus.WARN)


def test_it_is_due_once_a_second(clock: HandClock) -> None:
    report = SimulatorReport(START, 1.0, clock)
    assert not report.due()
    counts = second_later(clock, START)
    assert report.due()
    report.status(counts, holding=False, refusal="")
    assert not report.due()


def test_all_is_well_when_it_runs_in_real_time(clock: HandClock) -> None:
    report = SimulatorReport(START, 1.0, clock)
    status = report.status(second_later(clock, START, received=500), holding=False, refusal="")
    assert (status.level, status.message) == (DiagnosticStatus.OK, "running")
    values = {value.key: value.value for value in status.values}
    assert values["real_time_factor"] == "1.000"
    assert values["received"] == "500"
    assert values["holding"] == "false"


def test_waiting_for_the_first_command_is_no_fault(clock: HandClock) -> None:
    status = SimulatorReport(START, 1.0, clock).status(second_later(clock, START), holding=True, refusal="")
    assert (status.level, status.message) == (DiagnosticStatus.OK, "waiting for commands, the brakes hold the arm")


def test_commands_that_stopped_are_a_fault(clock: HandClock) -> None:
    report = SimulatorReport(replace(START, received=10), 1.0, clock)
    status = report.status(second_later(clock, replace(START, received=10)), holding=True, refusal="")
    assert is_warning(status)
    assert status.message == "commands stopped, the brakes hold the arm"


def test_refused_commands_are_reported_once_with_the_reason(clock: HandClock) -> None:
    report = SimulatorReport(START, 1.0, clock)
    counts = second_later(clock, START, received=3, refused=3)
    status = report.status(counts, holding=False, refusal="a command must be finite")
    assert is_warning(status)
    assert status.message == "3 commands refused: a command must be finite"
    status = report.status(second_later(clock, counts), holding=False, refusal="a command must be finite")
    assert status.message == "running"


def test_a_machine_that_is_too_slow_says_how_slow(clock: HandClock) -> None:
    report = SimulatorReport(START, 2.0, clock)
    status = report.status(second_later(clock, START, late_ticks=400), holding=False, refusal="")
    assert is_warning(status)
    assert status.message == "the machine cannot keep up: 1.00 times real time, not 2"


def test_several_faults_are_all_named(clock: HandClock) -> None:
    report = SimulatorReport(START, 1.0, clock)
    status = report.status(second_later(clock, START, received=1, saturated_steps=2), holding=True, refusal="")
    assert status.message == "commands stopped, the brakes hold the arm; commands beyond the effort limits were cut"
