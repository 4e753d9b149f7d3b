"""The exchange of a model in runs whose errors, torques and late solves are chosen by drive."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ttdm_ros.control.phase import Phase
from ttdm_ros.evaluation import figures
from ttdm_ros.evaluation.headline import headline
from ttdm_ros.evaluation.run_data import RunData
from ttdm_ros.evaluation.summary import read_run, summarise
from ttdm_ros.evaluation.swap import Swap, drives, measure_swap, missed_around, torque_step
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


@pytest.mark.parametrize("other", [0.4051, 0.6051, 0.9051, 1.3051], ids=lambda t: f"another at {t} s")
def test_where_another_exchange_comes_between_no_two_models_are_compared(read: Read, other: float) -> None:
    models = sorted([(0.001, "nominal 00"), (SWAP_S, "first 11"), (other, "second 22")])
    assert measure_swap(read(models=tuple(models))) is None


@pytest.mark.parametrize("other", [0.1051, 1.6051], ids=lambda t: f"another at {t} s")
def test_another_exchange_before_or_after_what_is_compared_changes_nothing(read: Read, other: float) -> None:
    models = sorted([(0.001, "nominal 00"), (SWAP_S, "first 11"), (other, "second 22")])
    swap = measured(read(models=tuple(models)))
    assert swap.model == "first 11"
    assert swap.after_mm == pytest.approx(rms([1.0] * 16 + [3.0] * 15), abs=1e-4)


def test_after_a_drive_that_ended_early_both_are_compared_on_what_it_reached(read: Read) -> None:
    """The first 0.1 s of both drives: of the second one there is no more."""
    drive = ((0.0, Phase.APPROACH), (0.2, Phase.TRACKING), (0.8, Phase.HOLDING), (1.2, Phase.TRACKING))
    swap = measured(
        read(phases=(*drive, (1.3, Phase.STOPPED)), offset=lambda t: 0.009 if 0.3 <= t < 1.0 else offset(t))
    )
    assert swap.section_s == pytest.approx(0.1)
    assert swap.into_drive_s == pytest.approx(SWAP_S - 0.2, abs=4e-4)
    assert swap.before_mm == pytest.approx(rms([4.0] * 5 + [10.0] * 5), abs=1e-4)
    assert swap.after_mm == pytest.approx(rms([1.0] * 5 + [3.0] * 5), abs=1e-4)


def test_a_drive_without_any_sample_is_not_compared_and_no_error(
    tmp_path: Path, panda: Arm, driven_twice: Callable[..., Any]
) -> None:
    lost = tuple(range(100, 1001))  # joint states from the first drive on
    bag = driven_twice(models=MODELS, offset=offset, lost_states=lost).write(tmp_path / "bag")
    result = summarise(bag, panda, run={}, report=tmp_path / "report.html")
    assert "swap" not in result.summary
    assert result.summary["tracking"] is None


def test_the_torque_step_is_that_of_the_first_solve_after_the_exchange(read: Read) -> None:
    """Feedback on the old plan answers the states of 0.506 and 0.508, the first new plan that of 0.510."""

    def torque(t: float) -> np.ndarray:
        tau = np.zeros(7)
        tau[2] = 0.5 * (t > 0.505) + 1.5 * (t > 0.509) + 1.9 * (t > 0.519) + 1.9 * (t > 0.490)
        return tau

    swap = measured(read(torque=torque))
    assert swap.torque_step == pytest.approx(1.5)
    assert swap.torque_step_allowed == pytest.approx(2.0)  # 2 ms at 1000 N·m/s


def test_the_step_is_that_of_the_joint_that_used_most_of_its_allowance(read: Read, panda: Arm) -> None:
    slow = replace(panda.limits, effort_rate=np.array([1000.0] * 6 + [100.0]))

    def torque(t: float) -> np.ndarray:
        return np.array([1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.15]) * (t > 0.509)

    run = read(torque=torque)
    run = replace(run, arm=replace(panda, limits=slow))
    step, allowed = torque_step(run, int(run.recording.active_model.publish_time_ns[-1]))
    assert step == pytest.approx(0.15)
    assert allowed == pytest.approx(0.2)


@pytest.mark.parametrize(("size", "alarm"), [(2.0, False), (2.1, True)])
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
