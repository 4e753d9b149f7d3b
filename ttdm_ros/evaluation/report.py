"""The report of a recorded run: one HTML page that needs nothing but itself."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ttdm_ros.errors import TtdmError
from ttdm_ros.evaluation import figures
from ttdm_ros.evaluation.headline import headline
from ttdm_ros.evaluation.page import render_page
from ttdm_ros.evaluation.run_data import RunData
from ttdm_ros.evaluation.swap import measure_swap
from ttdm_ros.recording.info import BagInfo
from ttdm_ros.recording.series import Texts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    title: str
    text: str
    plot: str | None


def write_report(run: RunData, output: Path, *, about: Mapping[str, str], problem: str | None = None) -> None:
    """Write the page; the same bag gives the same page.

    Args:
        run: the recorded run.
        output: the file; one that is there is replaced.
        about: what was run, as ``{"task": "circle"}``, for the head of the page.
        problem: what went wrong, if something did.

    Raises:
        TtdmError: the file cannot be written.
    """
    try:
        output.write_text(render_report(run, about=about, problem=problem), encoding="utf-8")
    except OSError as error:
        raise TtdmError(f"the report {output} cannot be written ({error.strerror}); name another file") from error


def render_report(run: RunData, *, about: Mapping[str, str], problem: str | None = None) -> str:
    """Return the page as text; for the arguments see ``write_report``."""
    return render_page(
        "report.html",
        title=f"{run.arm.name} under model predictive control",
        started=datetime.fromtimestamp(run.info.start_ns * 1e-9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        about=dict(about),
        problem=problem,
        missing=run.metrics.missing,
        rows=headline(run.metrics, run.arm.joint_names, measure_swap(run)),
        sections=_sections(run),
        log=_log(run),
        topics=_topics(run.info),
        bag=run.info.path.name,
        size=f"{run.info.size / 1e6:.2f} MB",
        duration=f"{run.info.duration:.1f} s",
    )


def _sections(run: RunData) -> list[_Section]:
    described = (
        ("Path of the tip", "In the base frame, while the task is driven.", figures.path(run)),
        (
            "Tracking error",
            "Distance of the tip, at the measured joint positions, to its reference; the angle between both "
            "orientations; and the distance along the axes of the base frame. Heights fit the tracking phase.",
            figures.tracking_error(run),
        ),
        (
            "Joint torques",
            f"{_torques(run)}. Percentages: the largest part used of the way from the middle to a limit.",
            figures.torques(run),
        ),
        ("Joint velocities", "As measured; percentages as above.", figures.velocities(run)),
        ("Joint positions", "As measured; percentages as above.", figures.positions(run)),
        (
            "Solve times",
            "The solver alone, and the whole tick: references, solve, plan and gains.",
            figures.solve_times(run),
        ),
        (
            "Period of control",
            "Time between two solves, by the stamps of the joint states they started from.",
            figures.periods(run),
        ),
    )
    sections = [_Section(title=title, text=text, plot=plot) for title, text, plot in described]
    if (plot := figures.swap(run)) is not None:
        text = (
            "Distance of the tip to its reference over the time since the start of the path, every time it was driven; "
            "dashed: when the new model took over."
        )
        sections.insert(0, _Section(title="Before and after the swap", text=text, plot=plot))
    return sections


def _torques(run: RunData) -> str:
    if run.recording.franka_desired is not None:
        return "As the driver asked of the robot, which adds gravity itself"
    return "As commanded, without gravity"


def _log(run: RunData) -> list[tuple[str, str, str]]:
    """Return time, kind and text of everything the controller said, in order."""
    entries: list[tuple[float, str, str]] = []
    for kind, texts in (("model", run.recording.active_model), ("event", run.recording.events)):
        if isinstance(texts, Texts):
            entries += [(float(at), kind, text) for at, text in zip(run.sent(texts), texts.text, strict=True)]
    return [(f"{at:.3f}", kind, text) for at, kind, text in sorted(entries, key=lambda entry: entry[0])]


def _topics(info: BagInfo) -> list[tuple[str, str, str, str, str, str]]:
    return [
        (
            topic.name,
            topic.msgtype + (" (latched)" if topic.latched else ""),
            str(topic.count),
            "–" if math.isnan(topic.rate_hz) else f"{topic.rate_hz:.1f}",
            "–" if math.isnan(topic.longest_gap) else f"{topic.longest_gap * 1e3:.1f}",
            "?" if topic.missed is None else str(topic.missed),
        )
        for topic in info.topics.values()
    ]
