"""The plots of a report, each an SVG element; None where the bag lacks what it shows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from ttdm_ros.control.phase import Phase
from ttdm_ros.evaluation.drawing import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    SKY,
    VIOLET,
    Canvas,
    curve,
    small_multiples,
)
from ttdm_ros.evaluation.run_data import RunData
from ttdm_ros.evaluation.swap import drives, measure_swap

_WIDTH = 11.0  # [in]
_PHASE_COLOURS = {
    Phase.APPROACH: SKY,
    Phase.TRACKING: GREEN,
    Phase.HOLDING: VIOLET,
    Phase.LEAVING: ORANGE,
    Phase.BRAKING: RED,
    Phase.STOPPED: RED,
}


def path(run: RunData) -> str | None:
    """The tip and its reference while the task is driven, in space and from three sides."""
    track = run.track
    if track is None or not track.is_tracking.any():
        return None
    chosen = track.is_tracking
    rows = np.unique(np.linspace(0, chosen.sum() - 1, 1500).astype(int))
    wanted, driven = track.reference[chosen][rows], track.position[chosen][rows]
    canvas = Canvas(_WIDTH, 4.6)
    with canvas as figure:
        grid = figure.add_gridspec(1, 2, width_ratios=(1.15, 1.0))
        space = figure.add_subplot(grid[0], projection="3d")
        _path_in_space(space, wanted, driven)
        views = grid[1].subgridspec(2, 2)
        for place, (i, j) in zip((views[0, 0], views[0, 1], views[1, 0]), ((0, 1), (1, 2), (0, 2)), strict=True):
            axes = figure.add_subplot(place)
            axes.plot(wanted[:, i], wanted[:, j], color=ORANGE, linewidth=2.2, alpha=0.8)
            axes.plot(driven[:, i], driven[:, j], color=BLUE, linewidth=0.9)
            axes.set_xlabel(f"{'xyz'[i]} [m]")
            axes.set_ylabel(f"{'xyz'[j]} [m]")
            axes.set_aspect("equal", adjustable="datalim")
            axes.locator_params(nbins=4)
        legend = figure.add_subplot(views[1, 1])
        legend.set_axis_off()
        legend.legend(
            handles=[Line2D([], [], color=ORANGE, linewidth=2.2), Line2D([], [], color=BLUE)],
            labels=["reference", "driven"],
            loc="center",
        )
    return canvas.svg("path")


def swap(run: RunData) -> str | None:
    """The tracking error of every drive over the time along the path, with the exchange of the model."""
    exchange = measure_swap(run)
    if exchange is None:
        return None
    canvas = Canvas(_WIDTH, 3.4)
    with canvas as figure:
        axes = figure.subplots()
        for i, (drive, colour) in enumerate(zip(drives(run), (ORANGE, BLUE, GREEN, VIOLET), strict=False)):
            curve(axes, drive.time, drive.distance * 1e3, color=colour, label=f"drive {i + 1}")
        axes.axvline(exchange.into_drive_s, color=RED, linestyle="--", linewidth=1.2)
        axes.annotate(
            f"{exchange.before_mm:.2f} mm before, {exchange.after_mm:.2f} mm after",
            (exchange.into_drive_s, 0.96),
            xycoords=("data", "axes fraction"),
            xytext=(6, 0),
            textcoords="offset points",
            va="top",
        )
        axes.set_ylim(bottom=0.0)
        axes.set_xlabel("time along the path [s]")
        axes.set_ylabel("tip error [mm]")
        axes.legend(loc="upper right")
    return canvas.svg("swap")


def tracking_error(run: RunData) -> str | None:
    """Distance and angle to the reference over time, and the distance along the axes of the base."""
    track = run.track
    if track is None:
        return None
    t = run.seconds(track.stamp_ns)
    canvas = Canvas(_WIDTH, 5.8)
    with canvas as figure:
        distance, angle, component = figure.subplots(3, 1, sharex=True)
        curve(distance, t, track.distance * 1e3, color=BLUE)
        distance.set_ylabel("position [mm]")
        curve(angle, t, np.degrees(track.angle), color=BLUE)
        angle.set_ylabel("orientation [deg]")
        for i, (name, colour) in enumerate(zip("xyz", (RED, GREEN, BLUE), strict=True)):
            curve(component, t, track.error[:, i] * 1e3, color=colour, label=name)
        component.set_ylabel("driven − reference [mm]")
        component.set_xlabel("time [s]")
        for axes in (distance, angle):
            axes.set_ylim(bottom=0.0)
        if track.is_tracking.any():
            _fit_to(distance, track.distance[track.is_tracking] * 1e3, lowest=0.0)
            _fit_to(angle, np.degrees(track.angle[track.is_tracking]), lowest=0.0)
            _fit_to(component, track.error[track.is_tracking] * 1e3)
        component.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        phases = _shade_phases(run, (distance, angle, component))
        if phases:
            distance.legend(handles=phases, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=len(phases))
    return canvas.svg("error")


def torques(run: RunData) -> str | None:
    """Torques asked of the arm, without gravity, and their limits."""
    desired, commands, limit = run.recording.franka_desired, run.recording.commands, run.arm.limits.effort
    if desired is not None:
        t = run.seconds(desired.stamp_ns)
        return _joints(run, t, desired.tau, -limit, limit, "torque [N·m]", "asked of the robot")
    if commands is None:
        return None
    return _joints(run, run.sent(commands), commands.values, -limit, limit, "torque [N·m]", "commanded")


def velocities(run: RunData) -> str | None:
    """Measured joint velocities and their limits."""
    states = run.recording.joint_states
    if states is None:
        return None
    limit = run.arm.limits.velocity
    return _joints(run, run.seconds(states.stamp_ns), states.v, -limit, limit, "velocity [rad/s]", "measured")


def positions(run: RunData) -> str | None:
    """Measured joint positions and their limits."""
    states = run.recording.joint_states
    if states is None:
        return None
    limits = run.arm.limits
    t = run.seconds(states.stamp_ns)
    return _joints(run, t, states.q, limits.position_lower, limits.position_upper, "position [rad]", "measured")


def solve_times(run: RunData) -> str | None:
    """Time of the solver and of the whole tick: how often, and when."""
    if run.recording.timing is None:
        return None
    t = run.solved()
    times = (("solver", run.timing("solve_us"), BLUE), ("whole tick", run.timing("tick_us"), ORANGE))
    canvas = Canvas(_WIDTH, 3.0)
    with canvas as figure:
        histogram, over_time = figure.subplots(1, 2, width_ratios=(1.0, 1.6))
        finite = np.concatenate([values[np.isfinite(values)] for _, values, _ in times])
        edges = np.linspace(0.0, np.percentile(finite, 99.5) * 1.1 + 1.0, 60) if len(finite) else np.arange(2.0)
        for name, values, colour in times:
            shown = values[np.isfinite(values)]
            histogram.hist(np.clip(shown, 0.0, edges[-1]), bins=edges.tolist(), color=colour, alpha=0.6, label=name)
            curve(over_time, t, values, color=colour, linewidth=0.8, label=name)
        histogram.set_xlabel("time [µs] (longer ones in the last bar)")
        histogram.set_ylabel("solves")
        histogram.legend()
        over_time.set_xlabel("time [s]")
        over_time.set_ylabel("duration [µs]")
        over_time.set_ylim(bottom=0.0)
        _mark_missed(run, over_time, t, run.timing("tick_us"))
    return canvas.svg("solve")


def periods(run: RunData) -> str | None:
    """Periods between solves, by the stamps of their joint states: how often, and when."""
    if run.recording.timing is None:
        return None
    period = run.timing("period_us") * 1e-3
    usable = np.isfinite(period) & (period > 0.0)
    if usable.sum() < 2:
        return None
    t, period = run.solved()[usable], period[usable]
    canvas = Canvas(_WIDTH, 2.6)
    with canvas as figure:
        histogram, over_time = figure.subplots(1, 2, width_ratios=(1.0, 1.6))
        low, high = np.percentile(period, (0.5, 99.5))
        half = max(high - np.median(period), np.median(period) - low, 0.02 * np.median(period)) * 1.2
        edges = np.linspace(max(0.0, np.median(period) - half), np.median(period) + half, 60)
        histogram.hist(np.clip(period, edges[0], edges[-1]), bins=edges.tolist(), color=BLUE, alpha=0.7)
        histogram.set_yscale("log")
        histogram.set_xlabel("period [ms] (others in the outer bars)")
        histogram.set_ylabel("solves")
        curve(over_time, t, period, color=BLUE, linewidth=0.8)
        over_time.set_xlabel("time [s]")
        over_time.set_ylabel("period [ms]")
        over_time.set_ylim(0.0, max(float(period.max()), 2.0 * float(np.median(period))) * 1.05)
    return canvas.svg("period")


def _joints(
    run: RunData, t: np.ndarray, values: np.ndarray, lower: np.ndarray, upper: np.ndarray, label: str, what: str
) -> str:
    middle = 0.5 * (lower + upper)
    canvas = Canvas(_WIDTH, 3.9)
    with canvas as figure:
        grid = small_multiples(figure, run.arm.joint_names)
        for i in range(values.shape[1]):
            axes, margin = grid[i], 0.08 * float(upper[i] - lower[i])
            curve(axes, t, values[:, i], bins=350, color=BLUE, linewidth=0.9)
            for limit in (lower[i], upper[i]):
                axes.axhline(float(limit), color=RED, linewidth=1.0, linestyle=(0, (5, 3)))
            lowest, highest = np.nanmin(values[:, i]), np.nanmax(values[:, i])
            axes.set_ylim(min(lowest, lower[i]) - margin, max(highest, upper[i]) + margin)
            used = max(highest - middle[i], middle[i] - lowest) / (upper[i] - middle[i])
            axes.set_title(f"{used:.0%}", loc="right", color=RED if used > 1.0 else GREY)
        for axes in grid[::4]:
            axes.set_ylabel(label)
        phases = _shade_phases(run, grid[: values.shape[1]])
        _legend_in(grid[-1], what, phases)
    return canvas.svg(label.split()[0])


def _legend_in(axes: Axes, what: str, phases: list[Patch]) -> None:
    lines = [
        Line2D([], [], color=BLUE, label=what),
        Line2D([], [], color=RED, linestyle=(0, (5, 3)), label="limit"),
    ]
    axes.legend(handles=[*lines, *phases], loc="center")


def _shade_phases(run: RunData, all_axes: Sequence[Axes]) -> list[Patch]:
    """Shade the phases of the controller, and return handles for a legend."""
    seen: dict[Phase, Patch] = {}
    for phase, start, end in run.phases():
        colour = _PHASE_COLOURS.get(phase)
        if colour is None:
            continue
        for axes in all_axes:
            axes.axvspan(start, end, color=colour, alpha=0.13, linewidth=0.0)
        seen.setdefault(phase, Patch(color=colour, alpha=0.3, linewidth=0.0, label=phase.name.lower()))
    return list(seen.values())


def _fit_to(axes: Axes, values: np.ndarray, lowest: float | None = None) -> None:
    """Fit the height to the tracking phase: on the way to the start the reference may be far."""
    low, high = float(values.min()), float(values.max())
    margin = 0.12 * (high - low) + 1e-6
    axes.set_ylim(low - margin if lowest is None else lowest, high + margin)


def _mark_missed(run: RunData, axes: Axes, t: np.ndarray, height: np.ndarray) -> None:
    late = run.timing("missed") != 0.0
    if late.any():
        axes.plot(t[late], height[late], "x", color=RED, markersize=5, label="missed its deadline")
    axes.legend(loc="upper right", ncols=3)


def _path_in_space(axes: Any, wanted: np.ndarray, driven: np.ndarray) -> None:
    axes.plot(*wanted.T, color=ORANGE, linewidth=2.2, alpha=0.8)
    axes.plot(*driven.T, color=BLUE, linewidth=0.9)
    axes.plot(*driven[:1].T, "o", color=BLUE, markersize=4)
    both = np.concatenate((wanted, driven))
    extent = np.ptp(both, axis=0)
    extent = 1.1 * np.maximum(extent, max(0.4 * float(extent.max()), 0.01))  # room for the ticks of a flat side
    middle = 0.5 * (both.min(axis=0) + both.max(axis=0))
    for i, axis in enumerate((axes.xaxis, axes.yaxis, axes.zaxis)):
        getattr(axes, f"set_{'xyz'[i]}lim")(middle[i] - 0.5 * extent[i], middle[i] + 0.5 * extent[i])
        axis.set_label_text(f"{'xyz'[i]} [m]")
        axis.set_major_locator(MaxNLocator(4 if extent[i] > 0.5 * extent.max() else 2))
        axis.pane.set_facecolor("none")
        axis.pane.set_edgecolor(GREY)
    axes.set_box_aspect(extent, zoom=0.85)
    axes.view_init(elev=24.0, azim=-50.0)
