"""Figures of runs that were made to have them."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ttdm_ros.evaluation.headline import headline
from ttdm_ros.evaluation.plain import as_plain
from ttdm_ros.evaluation.run_metrics import RunMetrics
from ttdm_ros.evaluation.summary import read_run
from ttdm_ros.systems.arm import Arm


@pytest.fixture
def measure(tmp_path: Path, panda: Arm, known_run: Callable[..., Any]) -> Callable[..., RunMetrics]:
    """Write a run made with the options given, and return its figures."""

    def run(recorder: dict[str, str] | None = None, **options: Any) -> RunMetrics:
        return read_run(known_run(**options).write(tmp_path / "bag", recorder), panda).metrics

    return run


def test_an_error_of_constant_length_is_its_own_rmse_median_and_maximum(measure: Callable[..., RunMetrics]) -> None:
    tracking = measure(offsets=(0.003,)).tracking
    assert [tracking.rmse_mm, tracking.median_mm, tracking.p95_mm, tracking.max_mm] == pytest.approx(
        [3.0] * 4, abs=1e-6
    )


def test_errors_are_squared_before_the_mean_and_only_those_of_the_tracking_phase_count(
    measure: Callable[..., RunMetrics],
) -> None:
    tracking = measure(offsets=(0.001, 0.007)).tracking
    assert tracking.samples == 100  # of 201 solves, those from 1 s on, but for the last, which is after the last state
    assert tracking.rmse_mm == pytest.approx(math.sqrt((1.0 + 49.0) / 2.0), abs=1e-6)
    assert tracking.median_mm == pytest.approx(4.0, abs=1e-6)
    assert tracking.max_mm == pytest.approx(7.0, abs=1e-6)
    assert tracking.duration_s == pytest.approx(0.99)


def test_what_lies_between_two_drives_counts_neither_for_the_rate_nor_for_the_duration(
    tmp_path: Path, panda: Arm, driven_twice: Callable[..., Any]
) -> None:
    metrics = read_run(driven_twice(offset=lambda t: 0.003).write(tmp_path / "bag"), panda).metrics
    assert metrics.control.rate_hz == pytest.approx(100.0, rel=1e-5)
    assert metrics.tracking.duration_s == pytest.approx(2 * 0.59)
    assert metrics.tracking.drives == 2
    assert headline(metrics, panda.joint_names)[0].label == "tracking error RMSE, all drives"


def test_the_error_of_one_drive_is_told_as_such(measure: Callable[..., RunMetrics], panda: Arm) -> None:
    metrics = measure()
    assert metrics.tracking.drives == 1
    assert headline(metrics, panda.joint_names)[0].label == "tracking error RMSE"


@pytest.mark.parametrize("angle", [1e-9, 0.02, 3.0])
def test_the_orientation_error_is_the_angle_between_both(measure: Callable[..., RunMetrics], angle: float) -> None:
    tracking = measure(angle=angle).tracking
    assert tracking.orientation_rmse_deg == pytest.approx(math.degrees(angle), rel=1e-6, abs=1e-12)
    assert tracking.orientation_max_deg == pytest.approx(math.degrees(angle), rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("delay_ns", [0, 700_000, 1_999_999])
def test_the_tip_is_taken_at_the_stamp_of_the_reference(measure: Callable[..., RunMetrics], delay_ns: int) -> None:
    assert measure(reference_delay_ns=delay_ns, v=np.full(7, 0.5)).tracking.rmse_mm == pytest.approx(3.0, abs=1e-4)


def test_references_in_a_long_gap_of_the_joint_states_are_left_out(
    tmp_path: Path, panda: Arm, known_run: Callable[..., Any]
) -> None:
    run = read_run(known_run(lost_states=tuple(range(601, 650))).write(tmp_path / "bag"), panda)
    assert run.track.left_out == 1 + 10
    assert run.metrics.tracking.rmse_mm == pytest.approx(3.0, abs=1e-6)


def test_solve_times_are_summed_up_by_quantiles(measure: Callable[..., RunMetrics]) -> None:
    control = measure(solve_us=lambda i: 100.0 + i).control  # 100, 101 ... 300
    assert as_plain(control.solve_us) == {"p50": 200.0, "p99": 298.0, "max": 300.0}
    assert as_plain(control.tick_us) == {"p50": 350.0, "p99": 448.0, "max": 450.0}
    assert control.solves == 201
    assert control.rate_hz == pytest.approx(100.0, rel=1e-5)
    assert control.jitter_us.max == 0.0
    assert control.missed_deadlines == control.failures == 0


def test_the_torque_rate_is_that_between_joint_states_whatever_the_time_of_sending(
    measure: Callable[..., RunMetrics], panda: Arm
) -> None:
    rate = np.array([100.0, -50.0, 20.0, 5.0, -9.0, 4.0, 2.0])
    limits = measure(torque=lambda t: rate * t / 4.0).limits
    assert limits.torque_rate_max == pytest.approx(25.0)
    assert limits.torque_rate_share == pytest.approx(np.max(np.abs(rate) / 4.0 / panda.limits.effort_rate))
    assert limits.torque_shares == pytest.approx(np.abs(rate) * 2.0 / 4.0 / panda.limits.effort)
    assert limits.violations == 0


def test_samples_beyond_a_limit_are_counted_for_each_limit(measure: Callable[..., RunMetrics], panda: Arm) -> None:
    v = np.zeros(7)
    v[0] = 1.01 * panda.limits.velocity[0]
    first_out = math.floor((panda.limits.position_upper[0] - panda.home[0]) / v[0] / 0.002) + 1

    def torque(t: float) -> np.ndarray:
        return np.eye(7)[6] * (1.1 * panda.limits.effort[6] if round(t / 0.002) in (10, 11, 12) else 0.0)

    limits = measure(v=v, torque=torque).limits
    assert limits.velocity_violations == 1001
    assert limits.velocity_share == pytest.approx(1.01)
    assert limits.position_violations == 1001 - first_out
    assert limits.position_margin_rad == pytest.approx(panda.limits.position_upper[0] - panda.home[0] - 2.0 * v[0])
    assert limits.torque_violations == 3
    assert limits.torque_rate_violations == 2  # up and down again


def test_a_torque_exactly_at_its_limit_is_within_it(measure: Callable[..., RunMetrics], panda: Arm) -> None:
    limits = measure(torque=lambda _: panda.limits.effort.copy()).limits
    assert limits.torque_share == pytest.approx(1.0)
    assert limits.torque_violations == 0


def test_lost_messages_are_counted_by_the_numbers_of_the_publisher(measure: Callable[..., RunMetrics]) -> None:
    metrics = measure(lost_states=(10, 11, 500))
    assert metrics.bag.lost == 3
    assert metrics.bag.recorded == (1001 - 3) + 1001 + 2 * 201 + 4
    assert metrics.joint_states.gaps == 2
    assert metrics.joint_states.skipped == 3
    assert metrics.joint_states.longest_gap_ms == pytest.approx(6.0)


def test_what_the_recorder_counted_wins_and_what_a_damaged_bag_lost_is_added(
    measure: Callable[..., RunMetrics],
) -> None:
    metrics = measure(recorder={"missed /joint_states": "7", "received /effort_controller/commands": "1006"})
    assert metrics.bag.lost == 7 + 5


@pytest.mark.parametrize(
    ("absent", "unknown"),
    [
        ("mpc_controller/reference", ["tracking"]),
        ("joint_states", ["tracking", "joint_states"]),
        ("mpc_controller/timing", ["control"]),
    ],
)
def test_what_needs_an_absent_topic_is_none_and_said_to_be_missing(
    measure: Callable[..., RunMetrics], known_run: Callable[..., Any], absent: str, unknown: list[str]
) -> None:
    topics = tuple(topic for topic in known_run().topics if topic != absent)
    metrics = measure(topics=topics)
    assert [name for name, value in as_plain(metrics).items() if value is None] == unknown
    assert any(absent in sentence for sentence in metrics.missing)


def test_without_timing_every_reference_counts(
    measure: Callable[..., RunMetrics], known_run: Callable[..., Any]
) -> None:
    topics = tuple(topic for topic in known_run().topics if topic != "mpc_controller/timing")
    assert measure(topics=topics).tracking.samples == 200


def test_figures_that_are_not_numbers_become_null_in_json() -> None:
    assert as_plain({"a": (math.nan, np.float64(1.5), np.array([1, 2])), "b": math.inf}) == {
        "a": [None, 1.5, [1, 2]],
        "b": None,
    }
