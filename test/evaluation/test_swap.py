"""The exchange of a model in runs whose errors, torques and late solves are chosen by drive."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ttdm_ros.evaluation import figures
from ttdm_ros.evaluation.headline import headline
from ttdm_ros.evaluation.limits import torque_rates
from ttdm_ros.evaluation.run_data import RunData
from ttdm_ros.evaluation.summary import read_run, summarise
from ttdm_ros.evaluation.swap import Swap, drives, measure_swap, missed_around, torque_step
from ttdm_ros.recording.series import JointStates, Table
from ttdm_ros.systems.arm import Arm

SWAP_S = 0.5051  # between the joint states of 0.504 and 0.506; solves are at 0.50, 0.51 and so on
MODELS = ((0.001, "nominal 00"), (SWAP_S, "tailored 11"))


def offset(t: float) -> float:
    """Distance of the reference to the tip [m]: 4 and 10 mm in turn, 4 mm after the exchange, then 1 and 3 mm."""
    odd = round(t / 0.01) % 2
    if t < 0.505:
        return (0.004, 0.010)[odd]
    return 0.004 if t < 0.8 else (0.001, 0.003)[odd]


Read = Callable[..., RunData]


@pytest.fixture
def read(tmp_path: Path, panda: Arm, driven_twice: Callable[..., Any]) -> Read:
    """Write a run of two drives made with the options given, and read it."""

    def run(**options: Any) -> RunData:
        return read_run(driven_twice(**({"models": MODELS, "offset": offset} | options)).write(tmp_path / "bag"), panda)

    return run


def measured(run: RunData) -> Swap:
    swap = measure_swap(run)
    assert swap is not None
    return swap


def rms(samples: list[float]) -> float:
    return math.sqrt(sum(sample**2 for sample in samples) / len(samples))


def test_both_drives_are_compared_on_the_section_driven_before_the_exchange(read: Read) -> None:
    swap = measured(read())
    assert swap.model == "tailored 11"
    # Solves at 0.20, 0.21 ... 0.50 before the exchange: 31 of them, the even ones one more than the odd.
    assert swap.before_mm == pytest.approx(rms([4.0] * 16 + [10.0] * 15), abs=1e-4)
    assert swap.after_mm == pytest.approx(rms([1.0] * 16 + [3.0] * 15), abs=1e-4)
    assert swap.rest_mm == pytest.approx(4.0, abs=1e-4)
    assert swap.reduction == pytest.approx(1.0 - rms([1.0] * 16 + [3.0] * 15) / rms([4.0] * 16 + [10.0] * 15), abs=1e-4)
    assert swap.at_s == pytest.approx(SWAP_S, abs=4e-4)  # but for the time a joint state is on its way
    assert swap.section_s == pytest.approx(SWAP_S - 0.2, abs=4e-4)


def test_every_drive_counts_its_time_from_its_own_start(read: Read) -> None:
    first, second = drives(read())
    for drive in (first, second):
        assert drive.time[0] == pytest.approx(0.0007, abs=1e-5)
        assert drive.time[-1] == pytest.approx(0.5907, abs=1e-5)
    np.testing.assert_allclose(second.distance[:2], [0.001, 0.003], atol=1e-7)


@pytest.mark.parametrize(
    "models",
    [
        MODELS[:1],
        ((0.001, "nominal 00"), (0.9051, "tailored 11")),
        ((0.001, "nominal 00"), (1.5051, "tailored 11")),
        (),
    ],
    ids=["none", "while holding", "in the last drive", "no topic"],
)
def test_without_an_exchange_in_a_drive_that_another_one_follows_there_is_nothing_to_compare(
    read: Read, models: tuple[tuple[float, str], ...]
) -> None:
    run = read(models=models)
    assert measure_swap(run) is None
    assert figures.swap(run) is None
    assert len(drives(run)) == 2


@pytest.mark.parametrize("absent", ["joint_states", "mpc_controller/timing", "mpc_controller/reference"])
def test_without_a_topic_it_needs_there_is_nothing_to_compare(
    read: Read, driven_twice: Callable[..., Any], absent: str
) -> None:
    run = read(topics=tuple(topic for topic in driven_twice().topics if topic != absent))
    assert measure_swap(run) is None


def test_of_several_exchanges_the_last_one_within_the_first_drive_counts(read: Read) -> None:
    models = ((0.001, "nominal 00"), (0.4051, "first 11"), (SWAP_S, "second 22"), (0.9051, "third 33"))
    assert measured(read(models=models)).model == "second 22"


def test_the_torque_step_is_that_of_the_first_solve_after_the_exchange(read: Read) -> None:
    """Feedback on the old plan answers the states of 0.506 and 0.508, the first new plan that of 0.510."""

    def torque(t: float) -> np.ndarray:
        tau = np.zeros(7)
        tau[2] = 0.5 * (t > 0.505) + 1.5 * (t > 0.509) + 1.9 * (t > 0.519) + 1.9 * (t > 0.490)
        return tau

    swap = measured(read(torque=torque))
    assert swap.torque_step == pytest.approx(1.5)
    # 2 ms and what messages differ in their time on the way, at 1000 N·m/s.
    assert 2.0 <= swap.torque_step_allowed <= 2.0 + 0.36


def test_the_step_is_that_of_the_joint_that_used_most_of_its_allowance(read: Read, panda: Arm) -> None:
    slow = replace(panda.limits, effort_rate=np.array([1000.0] * 6 + [100.0]))

    def torque(t: float) -> np.ndarray:
        return np.array([1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.15]) * (t > 0.509)

    run = read(torque=torque)
    run = replace(run, arm=replace(panda, limits=slow))
    step, allowed = torque_step(run, int(run.recording.active_model.publish_time_ns[-1]))
    assert step == pytest.approx(0.15)
    assert 0.2 <= allowed <= 0.24


@pytest.mark.parametrize(("size", "alarm"), [(1.9, False), (2.5, True)])
def test_a_step_beyond_what_is_allowed_raises_an_alarm(read: Read, panda: Arm, size: float, alarm: bool) -> None:
    run = read(torque=lambda t: np.eye(7)[0] * size * (t > 0.509))
    rows = {row.label: row for row in headline(run.metrics, panda.joint_names, measure_swap(run))}
    assert rows["torque step at the swap"].alarm == alarm


def test_late_solves_count_for_a_quarter_of_a_second_before_and_after_the_exchange(read: Read) -> None:
    """Before it the new model is tried beside the old one, which takes the machine's time as well."""
    run = read(missed=(20, 25, 26, 52, 60, 75, 76, 90))  # solves, a hundred a second; the exchange is after 50
    assert measured(run).missed_deadlines == 4
    assert missed_around(run, 0.002) == 2
    assert missed_around(run, 1.002) == 2


def test_the_summary_tells_the_exchange_and_the_page_shows_it(
    tmp_path: Path, panda: Arm, driven_twice: Callable[..., Any]
) -> None:
    bag = driven_twice(models=MODELS, offset=offset).write(tmp_path / "bag")
    result = summarise(bag, panda, run={"task": "two drives"}, report=tmp_path / "report.html")
    swap, tracking = result.summary["swap"], result.summary["tracking"]
    assert tracking["before_mm"] == swap["before_mm"] == pytest.approx(rms([4.0] * 16 + [10.0] * 15), abs=1e-4)
    assert tracking["after_mm"] == swap["after_mm"] == pytest.approx(rms([1.0] * 16 + [3.0] * 15), abs=1e-4)
    assert tracking["reduction"] == swap["reduction"]
    assert {"torque_step", "torque_step_allowed", "missed_deadlines"} <= set(swap)
    picture = figures.swap(result.run)
    assert picture is not None
    assert picture.startswith("<svg")
    assert "drive 2" in picture
    assert "mm before" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_run_without_an_exchange_has_no_swap_in_its_summary(
    tmp_path: Path, panda: Arm, known_run: Callable[..., Any]
) -> None:
    result = summarise(known_run().write(tmp_path / "bag"), panda, run={}, report=tmp_path / "report.html")
    assert "swap" not in result.summary
    assert "before_mm" not in result.summary["tracking"]


def states(stamps_ms: list[float], published_ms: list[float]) -> JointStates:
    count = len(stamps_ms)
    sent = np.array([round(1e6 * t) for t in published_ms])
    return JointStates(
        topic="/joint_states", log_time_ns=sent, publish_time_ns=sent, sequence=np.arange(count), names=("a",) * 7,
        stamp_ns=np.array([round(1e6 * t) for t in stamps_ms]), q=np.zeros((count, 7)), v=np.zeros((count, 7)),
        tau=np.zeros((count, 7)),
    )  # fmt: skip


def commands(published_ms: list[float], torques: list[float]) -> Table:
    sent = np.array([round(1e6 * t) for t in published_ms])
    values = np.outer(torques, np.ones(7))
    return Table(topic="/c", log_time_ns=sent, publish_time_ns=sent, sequence=np.arange(len(sent)), values=values)


def test_a_command_that_may_answer_the_state_before_is_no_certain_violation() -> None:
    measured = states([0, 2, 4, 6], [0.1, 2.1, 4.1, 6.1])
    # The answer to the state of 2 ms went out just after that of 4 ms: 3 N·m in what looks like 2 ms, and was 4 ms.
    given = commands([2.2, 4.15, 6.2], [0.0, 2.0, 5.0])
    rates, surely = torque_rates(given, measured), torque_rates(given, measured, at_least=True)
    np.testing.assert_allclose(rates[:, 0], [1000.0, 1500.0])
    np.testing.assert_allclose(surely[:, 0], [2.0 / 4e-3, 3.0 / 4e-3])


def test_a_rate_that_is_too_high_whatever_was_answered_is_a_certain_violation() -> None:
    measured = states([0, 2, 4, 6], [0.1, 2.1, 4.1, 6.1])
    surely = torque_rates(commands([2.2, 4.2], [0.0, 5.0]), measured, at_least=True)
    np.testing.assert_allclose(surely, np.full((1, 7), 5.0 / 4e-3))


def test_certain_rates_are_never_higher_than_the_measured_ones() -> None:
    random = np.random.default_rng(3)
    stamps = np.cumsum(random.choice([2.0, 4.0, 20.0], 300))
    measured = states(stamps.tolist(), (stamps + random.uniform(0.05, 0.4, 300)).tolist())
    given = commands((stamps[5:] + random.uniform(0.5, 1.5, 295)).tolist(), random.normal(size=295).tolist())
    rates, surely = torque_rates(given, measured), torque_rates(given, measured, at_least=True)
    assert rates.shape == surely.shape
    assert (np.abs(surely) <= np.abs(rates)).all()
