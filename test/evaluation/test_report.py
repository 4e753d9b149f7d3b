"""The page: whole, self-contained, deterministic, and sensible for bags that lack something."""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ttdm_ros.errors import TtdmError
from ttdm_ros.evaluation import figures
from ttdm_ros.evaluation.drawing import thin
from ttdm_ros.evaluation.report import render_report, write_report
from ttdm_ros.evaluation.run_data import RunData
from ttdm_ros.evaluation.run_metrics import measure_run
from ttdm_ros.evaluation.summary import find_arm, read_run
from ttdm_ros.systems.arm import Arm

ABSENT = "The bag does not hold what this plot needs."


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory: pytest.TempPathFactory, panda: Arm, known_run: Callable[..., Any]) -> RunData:
    bag = known_run(count=701).write(tmp_path_factory.mktemp("whole") / "bag")
    return read_run(bag, panda)


@pytest.fixture(scope="module")
def page(whole_run: RunData) -> str:
    """The page of a bag that lacks nothing; drawing it takes longer than the tests."""
    return render_report(whole_run, about={"task": "circle & more"})


@pytest.fixture
def run_without(tmp_path: Path, known_run: Callable[..., Any], panda: Arm) -> Callable[..., RunData]:
    def read(*absent: str) -> RunData:
        topics = tuple(topic for topic in known_run().topics if topic not in absent)
        return read_run(known_run(count=701, topics=topics).write(tmp_path / "bag"), panda)

    return read


def test_the_page_shows_the_figures_every_plot_and_what_was_run(page: str) -> None:
    assert "3.00 mm" in page
    assert "circle &amp; more" in page
    assert page.count("<svg") == 7
    assert ABSENT not in page
    for label in ("reference", "position [mm]", "orientation [deg]", "torque [N·m]", "velocity [rad/s]", "time [s]"):
        assert label in page


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing(page: str) -> None:
    assert "<script" not in page
    assert not re.search(r"""(src|href)=["'](?!#)""", page)
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)


def test_every_plot_is_well_formed_and_its_ids_are_its_own(page: str) -> None:
    plots = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    for plot in plots:
        ElementTree.fromstring(plot)
        ids = set(re.findall(r'\bid="([^"]+)"', plot))
        assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', plot)) <= ids
    ids = [name for plot in plots for name in re.findall(r'\bid="([^"]+)"', plot)]
    assert len(ids) == len(set(ids))


def test_texts_of_plots_have_the_colour_of_the_page(page: str) -> None:
    assert "currentColor" in page
    assert "#010203" not in page
    assert "prefers-color-scheme: dark" in page


def test_the_same_bag_gives_the_same_page(whole_run: RunData, panda: Arm, page: str) -> None:
    again = read_run(whole_run.recording.path, panda)
    assert render_report(again, about={"task": "circle & more"}) == page


def test_torques_are_those_that_a_franka_arm_was_asked_for_where_the_bag_tells_them(
    whole_run: RunData, page: str
) -> None:
    assert "As commanded, without gravity." in page
    assert "asked of the robot" not in page
    desired = replace(whole_run.recording.joint_states, tau=np.full((701, 7), 3.0))
    run = replace(whole_run, recording=replace(whole_run.recording, franka_desired=desired))
    plot = figures.torques(run)
    assert "asked of the robot" in plot
    assert "25%" in plot  # 3 of 12 N·m at the wrist; the commands are zero
    assert "As the driver asked of the robot, which adds gravity itself." in render_report(run, about={})
    without = replace(run.recording, commands=None)
    metrics = measure_run(without, run.arm, run.info, track=run.track)
    assert metrics.limits.torque_share == pytest.approx(3.0 / run.arm.limits.effort.min())
    assert not any("commands" in sentence for sentence in metrics.missing)


def test_events_and_the_model_are_listed_with_their_times_and_escaped(page: str) -> None:
    assert "approach: &lt;moving&gt; to the start" in page
    rows = re.findall(r'<tr><td class="number">([0-9.]+)</td><td>(\w+)</td><td>(.*?)</td></tr>', page)
    assert [(kind, what) for _, kind, what in rows] == [
        ("model", "nominal"),
        ("event", "approach: &lt;moving&gt; to the start"),
        ("event", "tracking: the task begins"),
    ]
    assert float(rows[2][0]) - float(rows[1][0]) == pytest.approx(1.0, abs=0.01)


def test_a_bag_without_joint_states_gives_a_page_with_the_plots_that_are_left(
    run_without: Callable[..., RunData],
) -> None:
    page = render_report(run_without("joint_states"), about={})
    assert page.count("<svg") == 3  # torques, solve times, periods
    assert page.count(ABSENT) == 4
    assert "Not in this bag" in page
    assert "joint_states: no tracking error" in page


@pytest.mark.parametrize(
    ("absent", "plots"),
    [
        ("mpc_controller/reference", ["path", "tracking_error"]),
        ("mpc_controller/timing", ["solve_times", "periods"]),
        ("effort_controller/commands", ["torques"]),
    ],
)
def test_plots_that_need_an_absent_topic_are_left_out(
    run_without: Callable[..., RunData], absent: str, plots: list[str]
) -> None:
    run = run_without(absent)
    assert [getattr(figures, plot)(run) for plot in plots] == [None] * len(plots)


def test_a_bag_with_texts_only_gives_a_page_that_tells_what_went_wrong(
    tmp_path: Path, known_run: Callable[..., Any], panda: Arm
) -> None:
    bag = known_run(topics=("mpc_controller/events",)).write(tmp_path / "bag")
    page = render_report(read_run(bag, panda), about={}, problem="the arm <b>fell</b>")
    assert "<svg" not in page
    assert "tracking: the task begins" in page
    assert "the arm &lt;b&gt;fell&lt;/b&gt;" in page


def test_a_page_that_cannot_be_written_is_an_error_in_a_sentence(
    tmp_path: Path, known_run: Callable[..., Any], panda: Arm
) -> None:
    run = read_run(known_run(topics=("mpc_controller/events",)).write(tmp_path / "bag"), panda)
    with pytest.raises(TtdmError, match=r"cannot be written \(No such file or directory\)"):
        write_report(run, tmp_path / "nowhere" / "report.html", about={})


def test_the_robot_is_found_by_the_joints_in_the_bag(tmp_path: Path, known_run: Callable[..., Any]) -> None:
    assert find_arm(known_run(count=11).write(tmp_path / "bag")).name == "panda"


def test_a_bag_of_an_unknown_robot_asks_for_its_name(tmp_path: Path, known_run: Callable[..., Any]) -> None:
    with pytest.raises(TtdmError, match="--robot"):
        find_arm(known_run(count=11, topics=("mpc_controller/timing",)).write(tmp_path / "bag"))


def test_a_thinned_curve_keeps_its_peaks_and_its_ends() -> None:
    t = np.arange(100_000.0)
    y = np.random.default_rng(0).normal(size=len(t))
    y[51_234] = 50.0
    y[7] = -60.0
    few_t, few_y = thin(t, y, bins=100)
    assert len(few_t) <= 202
    assert (few_t[0], few_t[-1]) == (0.0, 99_999.0)
    assert (few_y.max(), few_y.min()) == (50.0, -60.0)
    assert (np.diff(few_t) > 0.0).all()
